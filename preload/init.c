/* SPDX-License-Identifier: MIT */
/*
 * The beginning, before any of the engine's constructors where the loader
 * lets us (-z initfirst): read the environment, find the functions behind our own, open the
 * segment, measure what a timed call costs here, hand over, look at what is loaded. Trouble at any
 * point switches the shim off, with one line; never the engine.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "preload/allocator.h"
#include "preload/engine.h"
#include "preload/heap.h"
#include "preload/real.h"
#include "preload/slots.h"
#include "preload/wait.h"

#define HEAP_INTERVAL (512u << 10)

struct ifp_real ifp_real;
__typeof__(syscall) *ifp_syscall_real;
struct ifp_config ifp_config;
bool ifp_off;

static uint32_t real_lock;
static bool real_done;

void ifp_real_init(void)
{
        uint16_t busy;

        if (__atomic_load_n(&real_done, __ATOMIC_ACQUIRE))
                return;
        if (ifp_tls.busy > 100) /* asked while it asks: the arena serves */
                return;
        busy = ifp_tls.busy;
        ifp_tls.busy += 101;
        ifp_lock(&real_lock);
        if (!real_done) {
#define X(name) ifp_real.name = (__typeof__(ifp_real.name))ifp_next(#name);
                IFP_REAL_WAITS(X)
                IFP_REAL_REST(X)
                IFP_REAL_MEMORY(X) /* malloc_usable_size last: its presence says ready */
#undef X
                ifp_syscall_real = ifp_real.syscall;
                __atomic_store_n(&real_done, true, __ATOMIC_RELEASE);
        }
        ifp_unlock(&real_lock);
        ifp_tls.busy = busy;
}

static size_t append(char *line, size_t n, size_t size, const char *s)
{
        return n + ifp_strcpy(line + n, s, size - n);
}

/* The errors that a person may meet here, in words; libc's strerror may allocate. */
static const char *error_text(long error)
{
        static const struct {
                int error;
                const char *text;
        } texts[] = {
                {ENOENT, "no such file"},
                {EACCES, "permission denied"},
                {EPERM, "not permitted"},
                {ECONNREFUSED, "nobody answers there"},
                {ETIMEDOUT, "no answer in time"},
                {ENOMEM, "out of memory"},
                {ENOSYS, "the kernel has it not"},
                {EMFILE, "too many open files"},
                {ENOSPC, "no space left"},
                {EAGAIN, "it ended at once"},
                {ENAMETOOLONG, "the path is too long"},
                {ENOEXEC, "not a program"},
        };

        for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (texts[i].error == -error)
                        return texts[i].text;
        return NULL;
}

void ifp_say_of(const char *what, const char *thing, long error)
{
        char line[1024], digits[16];
        size_t n = 0, d = sizeof(digits), size = sizeof(line) - 1;
        unsigned long e = (unsigned long)(error < 0 ? -error : error);

        if (ifp_config.quiet)
                return;
        n = append(line, n, size, "infprof: ");
        n = append(line, n, size, what);
        if (thing) {
                n = append(line, n, size, ": ");
                n = append(line, n, size, thing);
        }
        if (error && error_text(error)) {
                n = append(line, n, size, ": ");
                n = append(line, n, size, error_text(error));
        } else if (error) {
                digits[--d] = '\0';
                do
                        digits[--d] = (char)('0' + e % 10);
                while ((e /= 10) && d);
                n = append(line, n, size, ": error ");
                n = append(line, n, size, digits + d);
        }
        line[n++] = '\n';
        IFP_SYS(write, 2, line, n);
}

void ifp_say(const char *what, long error)
{
        ifp_say_of(what, NULL, error);
}

void ifp_give_up(const char *what, long error)
{
        char text[128];
        size_t n;

        if (ifp_off)
                return;
        ifp_off = true;
        n = ifp_strcpy(text, what, sizeof(text));
        ifp_strcpy(text + n, ": profiling is off", sizeof(text) - n);
        ifp_say(text, error);
        if (ifp_seg && ifp_alive()) {
                ifp_strcpy(ifp_seg->live.trouble_text, what, sizeof(ifp_seg->live.trouble_text));
                __atomic_store_n(&ifp_seg->live.trouble, IFP_TROUBLE_OFF, __ATOMIC_RELEASE);
                for (uint32_t i = 0; i < IFP_MAX_OPS; i++)
                        ifp_seg->switches[i] = 0;
        }
}

static const char *variable(char **env, const char *name)
{
        for (; env && *env; env++)
                if (ifp_starts(*env, name) && (*env)[ifp_strlen(name)] == '=')
                        return *env + ifp_strlen(name) + 1;
        return NULL;
}

/* 0 where it is no number in 1 .. 1,000,000. */
static uint32_t number(const char *s)
{
        uint32_t v = 0;

        for (; s && *s; s++) {
                if (*s < '0' || *s > '9' || v > 1000000)
                        return 0;
                v = v * 10 + (uint32_t)(*s - '0');
        }
        return v <= 1000000 ? v : 0;
}

/* 0 .. 2^30, in decimal digits. */
static bool bytes(const char *s, uint64_t *ret)
{
        uint64_t v = 0;

        if (!*s)
                return false;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return false;
                v = v * 10 + (uint64_t)(*s - '0');
                if (v > 1u << 30)
                        return false;
        }
        *ret = v;
        return true;
}

/* Values outlive setenv and unsetenv of the engine, so they are copied. */
static const char *keep(const char *value)
{
        static char text[16384 + IFP_DECLARED_BYTES];
        static size_t used;
        char *at = text + used;

        if (!value || used + ifp_strlen(value) + 1 > sizeof(text))
                return NULL;
        used += ifp_strcpy(at, value, sizeof(text) - used) + 1;
        return at;
}

/* Is it `yes`? `no`, nothing, and no such variable are not; neither is what is no word for it. */
static bool is_word(char **env, const char *name, const char *yes, const char *no)
{
        const char *value = variable(env, name);

        if (!value || !*value || !ifp_strcmp(value, no))
                return false;
        if (!ifp_strcmp(value, yes))
                return true;
        ifp_say_of("a setting has a value that is none of its own, and is left out", name, 0);
        return false;
}

static uint32_t header_flags(char **env)
{
        return (is_word(env, "INFPROF_SHAPES", "off", "on") ? IFP_HEADER_NO_SHAPES : 0) |
               (is_word(env, "INFPROF_WAITS", "off", "on") ? 0 : IFP_HEADER_WAITS) |
               (is_word(env, "INFPROF_KERNEL", "off", "on") ? IFP_HEADER_NO_KERNEL : 0) |
               (is_word(env, "INFPROF_OFFCPU", "1", "0") ? IFP_HEADER_OFFCPU : 0);
}

static const char *declarations(const char *value)
{
        if (!value || ifp_strlen(value) < IFP_DECLARED_BYTES)
                return keep(value);
        ifp_say("INFPROF_OPS is longer than 32767 bytes: ignored", 0);
        return NULL;
}

static void read_environment(char **env)
{
        const char *level = variable(env, "INFPROF_KERNELS_LEVEL");
        const char *interval = variable(env, "INFPROF_HOT_INTERVAL");
        const char *heap = variable(env, "INFPROF_HEAP_INTERVAL");
        const char *unwind = variable(env, "INFPROF_UNWIND");

        ifp_config.env = env;
        ifp_config.kernels = keep(variable(env, "INFPROF_KERNELS"));
        ifp_config.daemon = keep(variable(env, "INFPROF_DAEMON"));
        ifp_config.ops = declarations(variable(env, "INFPROF_OPS"));
        ifp_config.run = keep(variable(env, "INFPROF_RUN"));
        ifp_config.runtime_dir = keep(variable(env, "XDG_RUNTIME_DIR"));
        ifp_config.paired = variable(env, "INFPROF_GGML_PAIRED") != NULL;
        ifp_config.quiet = variable(env, "INFPROF_QUIET") != NULL;
        if (level && !ifp_strcmp(level, "inner"))
                ifp_config.level = 1;
        else if (level && *level && ifp_strcmp(level, "outer"))
                ifp_say("INFPROF_KERNELS_LEVEL is neither outer nor inner: taken as outer", 0);
        ifp_config.heap_interval = HEAP_INTERVAL;
        if (heap && !bytes(heap, &ifp_config.heap_interval))
                ifp_say("INFPROF_HEAP_INTERVAL is no number of bytes from 0 to 1073741824: 524288 "
                        "is taken",
                        0);
        ifp_config.no_unwind = unwind && !ifp_strcmp(unwind, "off");
        ifp_config.header_flags = header_flags(env);
        ifp_config.hot_interval = number(interval);
        if (!ifp_config.hot_interval) {
                if (interval)
                        ifp_say("INFPROF_HOT_INTERVAL is no number from 1 to 1000000: 64 is taken",
                                0);
                ifp_config.hot_interval = 64;
        }
}

/* The main thread's stack ends where the loader found the arguments. */
static void note_main_stack(char **argv)
{
        struct rlimit limit = {0};
        uint64_t bytes = 64ull << 20;

        IFP_SYS(prlimit64, 0, RLIMIT_STACK, NULL, &limit);
        if (limit.rlim_cur && limit.rlim_cur < 1ull << 40)
                bytes = limit.rlim_cur;
        ifp_tls.stack_hi = (uint64_t)(uintptr_t)argv;
        ifp_tls.stack_lo = ifp_tls.stack_hi - bytes;
}

void ifp_start_lane(void)
{
        struct ifp_lane *lane = ifp_lane_take(&ifp_tls);
        struct ifp_alloc_row *row = &lane->alloc[IFP_OP_NONE][ifp_phase];
        struct ifp_lane_memory *m = &lane->memory;
        const uint64_t *early;

        ifp_seg->live.threads_live = ifp_seg->live.threads_peak = 1;
        /* what was allocated before there was a lane */
        early = (const uint64_t *)&ifp_early.row;
        for (unsigned i = 0; i < sizeof(*row) / 8; i++)
                ((uint64_t *)row)[i] += early[i];
        m->alloc_usable += ifp_early.memory.alloc_usable;
        m->freed_usable += ifp_early.memory.freed_usable;
        for (unsigned i = 0; i < IFP_SIZE_CLASSES; i++) {
                m->calls[i] += ifp_early.memory.calls[i];
                m->asked_bytes[i] += ifp_early.memory.asked_bytes[i];
                m->usable_bytes[i] += ifp_early.memory.usable_bytes[i];
                m->frees[i] += ifp_early.memory.frees[i];
        }
        ifp_early = (struct ifp_early){0};
}

static void at_exit(int code, void *arg)
{
        (void)arg;
        ifp_allocator_last();
        ifp_note_exit(code);
}

static bool open_segment(void)
{
        int ret = ifp_segment_open(NULL);

        if (ret < 0) {
                ifp_give_up("no shared memory for the segment", ret);
                return false;
        }
        ifp_wipe[0] = 1;
        ret = (int)IFP_SYS(madvise, ifp_wipe, sizeof(ifp_wipe), MADV_WIPEONFORK);
        if (ret < 0) {
                ifp_give_up("the kernel cannot wipe pages on fork (Linux 4.14 can)", ret);
                return false;
        }
        return true;
}

__attribute__((constructor)) static void begin(int argc, char **argv, char **env)
{
        IFP_KEEP_ERRNO;
        IFP_BUSY;

        (void)argc;
        read_environment(env);
        ifp_real_init();
        if (!ifp_real.malloc || !ifp_real.dlopen || !ifp_real.pthread_create) {
                ifp_give_up("libc's functions are not found", 0);
                return;
        }
        ifp_alloc_init();
        note_main_stack(argv);
        ifp_thread_key_init();
        if (!open_segment())
                return;
        ifp_measure();
        ifp_heap_init();
        ifp_waits_init();
        ifp_start_lane();
        ifp_wants_init();
        ifp_scan(NULL, 0);
        ifp_map_begin();
        ifp_allocator_begin();
        on_exit(at_exit, NULL);
        ifp_handshake(ifp_segment_fd(), ifp_seg->header.segment_bytes);
}

/*
 * The program proper begins. Not before now can a library be loaded: an object opened by a
 * constructor that runs before libc's would have libc set up without arguments and environment.
 */
int __libc_start_main(int (*fn)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

IFP_EXPORT int __libc_start_main(int (*fn)(int, char **, char **), int argc, char **argv,
                                 void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
                                 void *stack_end)
{
        static __typeof__(__libc_start_main) *real;

        real = (__typeof__(__libc_start_main) *)ifp_next("__libc_start_main");
        if (ifp_seg && !ifp_off && ifp_alive() && ifp_unwind_wanted()) {
                IFP_KEEP_ERRNO;
                IFP_BUSY;

                ifp_tls.fast = NULL; /* it allocates */
                ifp_alloc_own(true);
                ifp_unwind_init();
                ifp_alloc_own(false);
                ifp_fast_again(&ifp_tls);
        }
        return real(fn, argc, argv, init, fini, rtld_fini, stack_end);
}
