/* SPDX-License-Identifier: MIT */
/*
 * heap-days WHAT N: bad days of an allocator that somebody watches, N times over. Prints what it
 * did. All blocks but those of libc itself are counted; so N = 0 shows what libc takes, and the
 * rest is exact.
 */
#include "heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/wait.h>

#define N_THREADS 4

static struct heap_truth own, *truth = &own;
static long n;

/* ---- in signal handlers, wherever they come; behind us an allocator that can bear it */

static void *volatile kept_by_handler[8];
static long handled;

__attribute__((noinline)) static void days_handler_alloc(size_t size)
{
        long i = handled++;
        void *p = HEAP_MALLOC(truth, 24 + size % 1000);

        HEAP_FREE(truth, kept_by_handler[i % 8]);
        kept_by_handler[i % 8] = p;
}

static void on_alarm(int sig)
{
        int error = errno;

        (void)sig;
        days_handler_alloc((size_t)handled);
        errno = error;
}

static void signals(void)
{
        struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
        void *live[16] = {0};

        signal(SIGALRM, on_alarm);
        setitimer(ITIMER_REAL, &often, NULL);
        for (long i = 0; i < n; i++) {
                HEAP_FREE(truth, live[i % 16]);
                live[i % 16] = HEAP_MALLOC(truth, (size_t)(i % 3000));
                if (i % 7 == 0) {
                        void *p = HEAP_MALLOC(truth, 10), *q;

                        p = heap_gave(truth, p);
                        q = heap_took(truth, realloc(p, 100), 100);
                        HEAP_FREE(truth, q);
                }
        }
        setitimer(ITIMER_REAL, &never, NULL);
        for (int i = 0; i < 16; i++)
                HEAP_FREE(truth, live[i]);
}

/* ---- in destructors of threads, also of the last round */

static pthread_key_t key;

struct round {
        int rounds;
        char more[80];
};

__attribute__((noinline)) static void days_key_destructor(void *arg)
{
        struct round *r = arg;

        if (++r->rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
                void *p = HEAP_MALLOC(truth, 333);

                pthread_setspecific(key, r);
                HEAP_FREE(truth, p);
                return;
        }
        HEAP_MALLOC(truth, 5000); /* stays */
        HEAP_FREE(truth, r);
}

static void *with_key(void *arg)
{
        struct round *r = HEAP_MALLOC(truth, sizeof(*r));

        (void)arg;
        r->rounds = 0;
        pthread_setspecific(key, r);
        return NULL;
}

static void tls(void)
{
        pthread_t thread;

        pthread_key_create(&key, days_key_destructor);
        for (long i = 0; i < n; i++) {
                if (pthread_create(&thread, NULL, with_key, NULL))
                        abort();
                pthread_join(thread, NULL);
        }
}

/* ---- after main */

static void *left_for_exit[64];

__attribute__((noinline)) static void days_at_exit(void)
{
        for (long i = 0; i < n; i++) {
                HEAP_FREE(truth, left_for_exit[i % 64]);
                left_for_exit[i % 64] = HEAP_MALLOC(truth, 700 + (size_t)i % 100);
        }
}

static void at_exit(void)
{
        atexit(days_at_exit);
        for (int i = 0; i < 64 && n; i++)
                left_for_exit[i] = HEAP_MALLOC(truth, 100);
}

/* The last to speak: of the executable, whose destructors come after its handlers. */
__attribute__((destructor)) static void say(void)
{
        if (truth->calls >= 0)
                heap_print("memory", truth);
}

/* ---- dlsym that does not find, and so allocates what dlerror says */

static void missing(void)
{
        for (long i = 0; i < n; i++) {
                if (dlsym(RTLD_DEFAULT, "days_no_such_symbol") || dlsym(RTLD_NEXT, "nor_this"))
                        abort();
                if (i % 3 == 0 && !dlerror())
                        abort();
                if (!dlsym(RTLD_DEFAULT, "malloc"))
                        abort();
                HEAP_FREE(truth, HEAP_MALLOC(truth, 50));
        }
}

/* ---- threads that go and leave blocks to others */

static void **blocks; /* n of each thread */

__attribute__((noinline)) static void *days_leave(void *arg)
{
        void **mine = blocks + (long)arg * n;

        for (long i = 0; i < n; i++)
                mine[i] = HEAP_MALLOC(truth, 40 + (size_t)(i * 37) % 2000);
        return NULL;
}

static void threads(void)
{
        pthread_t thread[N_THREADS];

        blocks = mmap(NULL, (size_t)(n + 1) * N_THREADS * sizeof(*blocks), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (long i = 0; i < N_THREADS; i++)
                pthread_create(&thread[i], NULL, days_leave, (void *)i);
        for (long i = 0; i < N_THREADS; i++)
                pthread_join(thread[i], NULL);
        for (long i = 0; i < n * N_THREADS; i++)
                if (i % 3)
                        HEAP_FREE(truth, blocks[i]);
}

/* ---- fork while others allocate */

static int stop;
static void *inherited[1000];

__attribute__((noinline)) static void *days_fork_alloc(size_t size)
{
        void *p = HEAP_MALLOC(truth, size);

        return p;
}

static void *busy(void *arg)
{
        void *live[10] = {0};

        (void)arg;
        for (unsigned long i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
                HEAP_FREE(&own, live[i % 10]);
                live[i % 10] = HEAP_MALLOC(&own, i % 5000);
        }
        for (int i = 0; i < 10; i++)
                HEAP_FREE(&own, live[i]);
        return NULL;
}

/* `own` counts the busy threads, `truth` what is shared: the forking thread's and the children's */
static void child(void)
{
        for (int i = 0; i < 1000; i += 2)
                HEAP_FREE(truth, inherited[i]);
        for (int i = 0; i < 300; i++) {
                void *p = days_fork_alloc(200);

                if (i % 3)
                        HEAP_FREE(truth, p);
        }
        _exit(0);
}

static void forks(void)
{
        struct heap_truth had = {0}; /* what all children together had from the start */
        pthread_t thread[N_THREADS];
        int status;

        truth = heap_shared();
        for (long i = 0; i < N_THREADS; i++)
                pthread_create(&thread[i], NULL, busy, NULL);
        for (int i = 0; i < 1000; i++)
                inherited[i] = days_fork_alloc(100);
        for (long i = 0; i < 1000 * n; i++)
                heap_took(&had, inherited[i % 1000], 100);
        for (long i = 0; i < n; i++) {
                pid_t pid = fork();

                if (!pid)
                        child();
                if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
                        abort();
        }
        __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
        for (long i = 0; i < N_THREADS; i++)
                pthread_join(thread[i], NULL);
        heap_print("forked", truth);
        heap_print("inherited", &had);
        truth = &own;
}

/* ---- a child that does nothing but allocate and end */

static void only_child(void)
{
        pid_t pid = fork();

        if (!pid) {
                for (long i = 0; i < n; i++) {
                        void *p = malloc(10);

                        HEAP_HIDE(p);
                        free(p);
                }
                _exit(0);
        }
        waitpid(pid, NULL, 0);
}

/* ---- what realloc does with nothing, and what nobody can give */

static void nothing(void)
{
        for (long i = 0; i < n; i++) {
                void *p = HEAP_MALLOC(truth, 100), *q;

                heap_gave(truth, p);
                q = realloc(p, 0); /* glibc frees; others give a small block */
                HEAP_HIDE(q);
                if (q)
                        HEAP_FREE(truth, heap_took(truth, q, 0));
                q = heap_took(truth, realloc(NULL, 0), 0); /* is malloc(0) */
                HEAP_FREE(truth, q);
                q = heap_took(truth, calloc(0, 8), 0);
                HEAP_FREE(truth, q);
                free(NULL);
        }
}

/* ---- C23: who frees says how much it was. Where there is none of it, this is free. */

extern __typeof__(void(void *, size_t)) free_sized __attribute__((weak));
extern __typeof__(void(void *, size_t, size_t)) free_aligned_sized __attribute__((weak));

static void sized(void)
{
        for (long i = 0; i < n; i++) {
                size_t size = (size_t)(i * 13 % 5000);
                void *p = heap_gave(truth, HEAP_MALLOC(truth, size)), *q;

                if (free_sized)
                        free_sized(p, size);
                else
                        free(p);
                q = heap_gave(truth, heap_took(truth, aligned_alloc(128, 1280), 1280));
                if (free_aligned_sized)
                        free_aligned_sized(q, 128, 1280);
                else
                        free(q);
        }
        if (free_sized)
                free_sized(NULL, 0);
        if (free_aligned_sized)
                free_aligned_sized(NULL, 8, 0);
}

/* ---- which blocks the allocator maps by themselves: it learns from those that were freed */

static void thresholds(void)
{
        static char text[512];
        size_t length = 0;

        for (size_t size = 100000; size < 8000000; size *= 2) {
                void *p = HEAP_MALLOC(truth, size);

                HEAP_HIDE(p);
                length += (size_t)snprintf(text + length, sizeof(text) - length, "%zu ",
                                           mallinfo2().hblks);
        }
        truth->calls = -1;
        puts(text);
}

#define FAILS(call)                                                                                \
        do {                                                                                       \
                errno = 0;                                                                         \
                if (heap_took(truth, call, 0) || errno != ENOMEM)                                  \
                        abort();                                                                   \
        } while (0)

static void huge(void)
{
        size_t much = PTRDIFF_MAX, most = SIZE_MAX;
        void *p = HEAP_MALLOC(truth, 64), *q = &own;

        HEAP_HIDE(much);
        HEAP_HIDE(most);
        memset(p, 7, 64);
        for (long i = 0; i < n; i++) {
                FAILS(malloc(much));
                FAILS(malloc(most));
                FAILS(calloc(most, most));
                FAILS(calloc(much, 3));
                FAILS(realloc(NULL, most));
                FAILS(realloc(p, much));
                FAILS(reallocarray(p, most, 2));
                FAILS(aligned_alloc(64, much - 63));
                FAILS(memalign(4096, most));
                FAILS(valloc(most));
                FAILS(pvalloc(most));
                errno = 55;
                if (posix_memalign(&q, 64, most) != ENOMEM ||
                    posix_memalign(&q, 48, 10) != EINVAL || q != &own)
                        abort();
                heap_add(&truth->failed, 2);
                for (int k = 0; k < 64; k++)
                        if (((char *)p)[k] != 7)
                                abort();
        }
        HEAP_FREE(truth, p);
}

/* ---- what is a bug of the engine: the allocator says so, and nobody else */

static void wrong_free(void *p)
{
        HEAP_HIDE(p);
        free(p);
}

static char *on_stack(void)
{
        static char block[256] __attribute__((aligned(64)));

        return block + 64;
}

static void wrong(const char *what)
{
        char *p = calloc(1, 200), *q, *row[3] = {0}, *page;

        do { /* until three lie in a row, and what is before and behind is in use */
                row[0] = row[1];
                row[1] = row[2];
                row[2] = calloc(1, 3000);
                HEAP_HIDE(row[2]);
        } while (!row[0] || row[1] != row[0] + 3008 || row[2] != row[1] + 3008);
        q = row[1];
        truth->calls = -1; /* says nothing */
        if (!strcmp(what, "twice")) {
                wrong_free(p);
                wrong_free(p);
        } else if (!strcmp(what, "twice-large")) {
                wrong_free(q);
                wrong_free(q);
        } else if (!strcmp(what, "foreign")) {
                wrong_free(on_stack());
        } else if (!strcmp(what, "odd")) {
                wrong_free(p + 8);
        } else if (!strcmp(what, "inside")) {
                wrong_free(q + 1024);
        } else if (!strcmp(what, "realloc-foreign")) {
                p = realloc(on_stack(), 10);
        } else if (!strcmp(what, "realloc-odd")) {
                p = realloc(p + 8, 10);
        } else if (!strcmp(what, "unmapped")) {
                page = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                wrong_free(page + 4096);
        } else if (!strcmp(what, "page")) { /* nothing before it can be read */
                page = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                            0);
                munmap(page, 4096);
                wrong_free(page + 4096);
        } else if (!strcmp(what, "overrun")) {
                memset(row[0], 0x41, 3020);
                wrong_free(q);
        }
        HEAP_HIDE(p);
        printf("went on\n");
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                void (*fn)(void);
        } days[] = {
                {"signals", signals},       {"tls", tls},          {"exit", at_exit},
                {"missing", missing},       {"threads", threads},  {"fork", forks},
                {"nothing", nothing},       {"huge", huge},        {"sized", sized},
                {"thresholds", thresholds}, {"child", only_child},
        };

        if (argc != 3)
                return 2;
        if (!strcmp(argv[1], "wrong")) {
                wrong(argv[2]);
                return 0;
        }
        n = atol(argv[2]);
        for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
                if (!strcmp(argv[1], days[i].name)) {
                        days[i].fn();
                        return 0;
                }
        }
        return 2;
}
