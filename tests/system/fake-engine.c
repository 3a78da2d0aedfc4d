/* SPDX-License-Identifier: MIT */
/*
 * A process with a segment and no shim: what it writes there is known, or
 * wrong on purpose.
 *
 *   fake-engine write THREADS SECONDS    as fast as it can; prints what it wrote as JSON
 *   fake-engine idle SECONDS             a few spans, then nothing
 *   fake-engine memory                   a step for each line it reads: 100 blocks of 112 bytes, 40
 *                                        of them freed, a tenth sampled; "step N" when it is done
 *   fake-engine refused LIE              exit 0 when the daemon refuses the segment
 *   fake-engine cut LIE                  lies after it was taken over, then waits 3 s
 *   fake-engine mute                     connects and says nothing for 4 s
 *   fake-engine lies refused|cut         lists them
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <infprof/handshake.h>

#include "fake-segment.h"

#define N_LANES 16u
#define N_OPS   6u

static struct fake f;
static uint32_t first_op;
static volatile int stop;

static void die(const char *why)
{
        fprintf(stderr, "fake-engine: %s\n", why);
        exit(1);
}

static void nap_ms(long ms)
{
        struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        nanosleep(&t, NULL);
}

static void make(void)
{
        fake_new(&f, N_LANES);
        for (uint32_t i = 0; i < N_OPS; i++) {
                char name[16];
                uint32_t op;

                snprintf(name, sizeof(name), "op_%u", i);
                op = fake_op(&f, name, i == N_OPS - 1 ? IFP_KIND_WAIT : IFP_KIND_KERNEL);
                first_op = i ? first_op : op;
        }
}

static void *writer(void *arg)
{
        uint32_t lane = (uint32_t)(uintptr_t)arg;

        fake_lane_begin(&f, lane, (int)lane + 1);
        for (uint64_t i = 0; !stop || i % 1000; i++)
                fake_span(&f, lane, first_op + i % N_OPS,
                          i / 1000 % 2 ? IFP_PHASE_DECODE : IFP_PHASE_PREFILL, 100 + i % 5000,
                          i % 50);
        fake_lane_end(&f, lane);
        return NULL;
}

static int run_write(uint32_t n, double seconds)
{
        pthread_t threads[N_LANES];
        uint64_t timed = 0, folded = 0;

        if (n < 1 || n >= N_LANES)
                die("1 to 15 threads");
        if (!fake_hello(&f))
                die("refused");
        for (uint32_t i = 0; i < n; i++)
                pthread_create(&threads[i], NULL, writer, (void *)(uintptr_t)i);
        nap_ms((long)(seconds * 1000));
        stop = 1;
        for (uint32_t i = 0; i < n; i++)
                pthread_join(threads[i], NULL);
        printf("{\"ops\": {");
        for (uint32_t op = first_op; op < first_op + N_OPS; op++) {
                uint64_t calls = 0, total = 0;

                for (uint32_t i = 0; i < n; i++)
                        for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++) {
                                calls += f.seg->lanes[i].time[op][phase].timed;
                                total += f.seg->lanes[i].time[op][phase].total;
                        }
                timed += calls;
                printf("%s\"op_%u\": {\"calls\": %llu, \"ticks\": %llu}",
                       op == first_op ? "" : ", ", op - first_op, (unsigned long long)calls,
                       (unsigned long long)total);
        }
        for (uint32_t i = 0; i < n; i++)
                folded += f.seg->lanes[i].n_folded;
        printf("}, \"spans\": %llu, \"folded\": %llu}\n", (unsigned long long)timed,
               (unsigned long long)folded);
        return 0;
}

static void some_spans(uint32_t lane, int n)
{
        for (int i = 0; i < n; i++)
                fake_span(&f, lane, first_op, 0, 100, 0);
}

static int run_idle(double seconds)
{
        if (!fake_hello(&f))
                die("refused");
        for (uint32_t i = 0; i < 8; i++) {
                fake_lane_begin(&f, i, (int)i + 1);
                some_spans(i, 100);
        }
        nap_ms((long)(seconds * 1000));
        return 0;
}

static void step(uint32_t stack)
{
        struct ifp_stack *s = &f.seg->stacks[stack];

        for (int i = 0; i < 100; i++)
                fake_alloc(&f, 0, first_op, IFP_PHASE_DECODE, 100, 112);
        for (int i = 0; i < 40; i++)
                fake_release(&f, 0, first_op, IFP_PHASE_DECODE, 112);
        s->samples += 10;
        s->alloc_objects += 100 << 16;
        s->alloc_bytes += 11200;
        s->asked_bytes += 10000;
        s->freed_own.samples += 4;
        s->freed_own.objects += 40 << 16;
        s->freed_own.bytes += 4480;
}

static int run_memory(void)
{
        static const uint64_t addresses[] = {0x1001, 0x2002, 0x3003};
        uint32_t stack;
        char line[64];

        f.seg->header.heap_interval = 1120;
        f.seg->live.unwinding = 1;
        stack = fake_stack(&f, first_op, IFP_PHASE_DECODE, addresses, 3);
        if (!fake_hello(&f))
                die("refused");
        fake_lane_begin(&f, 0, 1);
        some_spans(0, 100);
        for (int i = 1; fgets(line, sizeof(line), stdin); i++) {
                step(stack);
                printf("step %d\n", i);
                fflush(stdout);
        }
        return 0;
}

/* ---- lies ---- */

static void lie_magic(void)
{
        f.seg->header.magic = 0;
}

static void lie_abi(void)
{
        f.seg->header.abi = f.seg->header.compat = 9999;
}

static void lie_sizes(void)
{
        f.seg->header.record_bytes = 8;
}

static void lie_n_lanes(void)
{
        f.seg->header.n_lanes = UINT32_MAX;
}

static void lie_too_many_lanes(void)
{
        f.seg->header.n_lanes = IFP_MAX_LANES;
        f.seg->header.segment_bytes = ifp_segment_bytes(IFP_MAX_LANES);
}

static void lie_clock(void)
{
        f.seg->header.ticks_per_second = 0;
}

static void lie_n_ops(void)
{
        f.seg->live.n_ops = UINT32_MAX;
}

static void lie_unsealed(void)
{
        int fd = memfd_create(IFP_SEGMENT_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || ftruncate(fd, (off_t)f.bytes) || pwrite(fd, f.seg, 4096, 0) != 4096)
                die("memfd");
        f.fd = fd;
}

static void lie_pipe(void)
{
        int pair[2];

        if (pipe(pair))
                die("pipe");
        f.fd = pair[0];
}

static void lie_hole(void)
{
        int fd = memfd_create(IFP_SEGMENT_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || ftruncate(fd, 1 << 20) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
                die("memfd");
        f.fd = fd;
}

static void lie_head_back(void)
{
        some_spans(0, 1000);
        nap_ms(500);
        f.seg->lanes[0].writer.head = 10;
}

static void lie_head_far(void)
{
        f.seg->lanes[0].writer.head += 1ull << 40;
}

static void lie_record(uint64_t op, uint64_t phase)
{
        uint64_t position;

        if (fake_reserve(&f.seg->lanes[0], &position))
                fake_commit(&f.seg->lanes[0], position, 1 | op << 48, phase << 56);
}

static void lie_op(void)
{
        lie_record(0xffff, 0);
}

static void lie_phase(void)
{
        lie_record(first_op, 7);
}

static void lie_rows(void)
{
        nap_ms(1500);
        some_spans(0, 10);
        fake_lane_end(&f, 0);
        nap_ms(500);
        fake_lane_begin(&f, 0, 5);
        memset(f.seg->lanes[0].time, 0, sizeof(f.seg->lanes[0].time));
}

static void lie_names(void)
{
        f.seg->ops[f.seg->live.n_ops].name = IFP_NAMES_BYTES + 5;
        f.seg->live.n_ops++;
}

static void lie_kind(void)
{
        uint32_t op = f.seg->live.n_ops;

        f.seg->ops[op].name = f.seg->ops[first_op].name;
        f.seg->ops[op].kind = 200;
        __atomic_store_n(&f.seg->live.n_ops, op + 1, __ATOMIC_RELEASE);
}

static void lie_counts(void)
{
        f.seg->live.n_lanes_used = UINT32_MAX;
}

static void lie_ops_back(void)
{
        f.seg->live.n_ops = 1;
}

static void lie_state(void)
{
        f.seg->lanes[0].state = 77;
}

static void lie_site(void)
{
        f.seg->sites[0].object = 500;
        f.seg->sites[0].count = 1;
        f.seg->live.n_sites = 1;
}

static void lie_stack(void)
{
        static const uint64_t address = 1;
        uint32_t i = fake_stack(&f, first_op, 0, &address, 1);

        f.seg->stacks[i].first_frame = UINT32_MAX;
}

static void lie_classes(void)
{
        fake_alloc(&f, 0, first_op, 0, 100, 104);
        nap_ms(1500);
        memset(&f.seg->lanes[0].memory, 0, sizeof(f.seg->lanes[0].memory));
}

static void lie_points(void)
{
        f.seg->tokens.n_points = UINT32_MAX;
}

static void lie_all(void)
{
        unsigned seed = (unsigned)getpid();
        uint32_t *at = (uint32_t *)&f.seg->live;
        size_t n = (f.bytes - 4096) / sizeof(*at);

        for (size_t i = 0; i < n; i++)
                at[i] = (uint32_t)rand_r(&seed) << 8 ^ (uint32_t)rand_r(&seed);
}

struct lie {
        const char *name;
        void (*tell)(void);
};

static const struct lie refused[] = {
        {"magic", lie_magic},
        {"abi", lie_abi},
        {"sizes", lie_sizes},
        {"lanes", lie_n_lanes},
        {"size", lie_too_many_lanes},
        {"clock", lie_clock},
        {"ops", lie_n_ops},
        {"unsealed", lie_unsealed},
        {"pipe", lie_pipe},
        {"hole", lie_hole},
        {NULL, NULL},
};

static const struct lie cut[] = {
        {"head-back", lie_head_back},
        {"head-far", lie_head_far},
        {"op", lie_op},
        {"phase", lie_phase},
        {"rows", lie_rows},
        {"names", lie_names},
        {"kind", lie_kind},
        {"counts", lie_counts},
        {"ops-back", lie_ops_back},
        {"state", lie_state},
        {"site", lie_site},
        {"stack", lie_stack},
        {"classes", lie_classes},
        {"points", lie_points},
        {"all", lie_all},
        {NULL, NULL},
};

static const struct lie *find(const struct lie *lies, const char *name)
{
        for (; lies->name; lies++)
                if (!strcmp(lies->name, name))
                        return lies;
        die("no such lie");
        return NULL;
}

static int run_refused(const char *name)
{
        find(refused, name)->tell();
        return fake_hello(&f) ? 1 : 0;
}

static int run_cut(const char *name)
{
        const struct lie *lie = find(cut, name);

        if (!fake_hello(&f))
                die("refused");
        fake_lane_begin(&f, 0, 1);
        some_spans(0, 100);
        nap_ms(300);
        lie->tell();
        nap_ms(3000);
        return 0;
}

static int run_mute(void)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

        snprintf(a.sun_path, sizeof(a.sun_path), "%s/" IFP_RUNTIME_SUBDIR "/" IFP_SHIM_SOCKET,
                 getenv("XDG_RUNTIME_DIR"));
        if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
                die(strerror(errno));
        nap_ms(4000);
        return 0;
}

int main(int argc, char **argv)
{
        const char *mode = argc > 1 ? argv[1] : "";
        const struct lie *lies = argc > 2 && !strcmp(argv[2], "cut") ? cut : refused;

        if (!strcmp(mode, "lies")) {
                for (; lies->name; lies++)
                        puts(lies->name);
                return 0;
        }
        if (!strcmp(mode, "mute"))
                return run_mute();
        if (argc < 3 && strcmp(mode, "memory") != 0)
                die("what?");
        make();
        if (!strcmp(mode, "memory"))
                return run_memory();
        if (!strcmp(mode, "write") && argc == 4)
                return run_write((uint32_t)atoi(argv[2]), atof(argv[3]));
        if (!strcmp(mode, "idle"))
                return run_idle(atof(argv[2]));
        if (!strcmp(mode, "refused"))
                return run_refused(argv[2]);
        if (!strcmp(mode, "cut"))
                return run_cut(argv[2]);
        die("what?");
}
