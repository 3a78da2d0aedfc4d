/* SPDX-License-Identifier: MIT */
/* What the victims share that look into their own segment: segment-waits-*. */
#include "segment-waits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ifp_segment *seg;
static int failed;

/* System calls past the shim: what the test itself waits is not to be counted. */
static long raw(long n, long a, long b, long c, long d)
{
        register long r10 __asm__("r10") = d;
        long ret;

        __asm__ volatile("syscall"
                         : "=a"(ret)
                         : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10)
                         : "rcx", "r11", "memory");
        return ret;
}

void nap(unsigned ms)
{
        struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

        raw(SYS_nanosleep, (long)&t, 0, 0, 0);
}

struct timespec in_ms(clockid_t clock, long ms)
{
        struct timespec t;

        clock_gettime(clock, &t);
        t.tv_nsec += ms % 1000 * 1000000;
        t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        return t;
}

/* One instant on both clocks: the attempt with the shortest gap counts. */
static void instant(uint64_t *ret_ticks, uint64_t *ret_ns)
{
        uint64_t best = ~0ull;

        for (int i = 0; i < 50; i++) {
                struct timespec t;
                uint64_t a = __builtin_ia32_rdtsc(), b;

                clock_gettime(CLOCK_MONOTONIC, &t);
                b = __builtin_ia32_rdtsc();
                if (b - a >= best)
                        continue;
                best = b - a;
                *ret_ticks = a + (b - a) / 2;
                *ret_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
        }
}

uint64_t ms_ticks(void)
{
        static uint64_t per_ms;
        uint64_t t0, n0, t1, n1;

        if (per_ms)
                return per_ms;
        instant(&t0, &n0);
        nap(20);
        instant(&t1, &n1);
        return per_ms = (t1 - t0) * 1000000 / (n1 - n0);
}

int my_tid(void)
{
        return (int)raw(SYS_gettid, 0, 0, 0, 0);
}

int n_failed(void)
{
        return failed;
}

void check_(bool ok, const char *what, const char *file, int line)
{
        if (ok)
                return;
        failed++;
        printf("# %s:%d: not so: %s\n", file, line, what);
}

void equal_(uint64_t got, uint64_t wanted, const char *what, const char *file, int line)
{
        if (got == wanted)
                return;
        failed++;
        printf("# %s:%d: %s: got %" PRIu64 ", wanted %" PRIu64 "\n", file, line, what, got, wanted);
}

void find_segment(void)
{
        FILE *f = fopen("/proc/self/maps", "r");
        char line[512];

        seg = NULL;
        while (f && fgets(line, sizeof(line), f))
                if (strstr(line, "memfd:" IFP_SEGMENT_NAME))
                        seg = (struct ifp_segment *)strtoull(line, NULL, 16);
        if (f)
                fclose(f);
}

struct ifp_lane *lane_of(int tid)
{
        for (uint32_t i = 0; i < seg->live.n_lanes_used; i++)
                if (seg->lanes[i].tid == tid && seg->lanes[i].state == IFP_LANE_LIVE)
                        return &seg->lanes[i];
        printf("# thread %d has no lane\n", tid);
        failed++;
        fflush(stdout);
        _exit(1);
}

struct ifp_lane *my_lane(void)
{
        return lane_of(my_tid());
}

static uint64_t in_histogram(uint32_t fold)
{
        uint64_t n = 0;

        if (!fold)
                return 0;
        for (uint32_t o = 0; o < IFP_HIST_OCTAVES; o++) {
                uint32_t block = seg->pool[fold - 1].fold.octave[o];

                for (uint32_t i = 0; block && i < IFP_HIST_SUB; i++)
                        n += seg->pool[block - 1].bucket[i];
        }
        return n;
}

static uint64_t by_of(const struct ifp_wait *e, uint64_t *ticks)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < IFP_WAIT_BY; i++) {
                n += e->by[i].count;
                *ticks += e->by[i].ticks;
        }
        return n;
}

static uint32_t n_waits(void)
{
        return seg->live.n_waits < IFP_MAX_WAITS ? seg->live.n_waits : IFP_MAX_WAITS;
}

struct sums waits_of(const struct ifp_lane *lane, uint32_t kind, const void *object)
{
        struct sums s = {0};
        uint64_t ignored = 0;

        for (uint32_t i = 1; i < n_waits(); i++) {
                const struct ifp_wait *e = &seg->waits[i];

                if (!e->hash || e->kind != kind || (object && e->object != (uintptr_t)object) ||
                    (lane && e->lane != lane - seg->lanes))
                        continue;
                s.entries++;
                s.count += e->count;
                s.ticks += e->ticks;
                s.left += e->left;
                s.timeouts += e->timeouts;
                s.last += e->last;
                s.unknown += e->unknown;
                s.others += e->others;
                s.by += by_of(e, &ignored);
                s.hist += in_histogram(e->fold);
                s.flags |= e->flags;
                s.e = e;
        }
        return s;
}

uint64_t blamed(uint32_t kind, const void *object, const struct ifp_lane *lane, uint32_t gen)
{
        uint64_t n = 0;

        for (uint32_t i = 1; i < n_waits(); i++) {
                const struct ifp_wait *e = &seg->waits[i];

                if (!e->hash || e->kind != kind || (object && e->object != (uintptr_t)object))
                        continue;
                for (uint32_t k = 0; k < IFP_WAIT_BY; k++)
                        if (e->by[k].gen == gen && e->by[k].lane == lane - seg->lanes)
                                n += e->by[k].count;
        }
        return n;
}

bool passes(uint32_t stack, const void *function)
{
        const struct ifp_stack *s = &seg->stacks[stack];

        for (uint32_t i = 0; i < s->n_frames; i++)
                if (seg->frames[s->first_frame + i] - (uintptr_t)function < PLACE_BYTES)
                        return true;
        return false;
}

static void check_entry(const struct ifp_wait *e)
{
        uint64_t ticks = e->unknown_ticks + e->others_ticks,
                 n = by_of(e, &ticks) + e->unknown + e->others;

        EQUAL(n, e->count);
        EQUAL(ticks, e->ticks);
        EQUAL(in_histogram(e->fold), e->count);
        if (e->fold) {
                EQUAL(seg->pool[e->fold - 1].fold.count, e->count);
                EQUAL(seg->pool[e->fold - 1].fold.total, e->ticks);
        }
        CHECK(e->left <= e->count && e->timeouts <= e->count);
}

/* Lanes count all their waits; what found no entry is known by number. */
void check_all(void)
{
        uint64_t counts = 0, lanes = 0, ticks = 0, lane_ticks = 0;

        for (uint32_t i = 1; i < n_waits(); i++)
                if (seg->waits[i].hash) {
                        check_entry(&seg->waits[i]);
                        counts += seg->waits[i].count;
                        ticks += seg->waits[i].ticks;
                }
        for (uint32_t i = 0; i < seg->live.n_lanes_used; i++)
                for (uint32_t k = 0; k < IFP_N_WAIT_KINDS; k++) {
                        lanes += seg->lanes[i].waits.count[k];
                        lane_ticks += seg->lanes[i].waits.ticks[k];
                }
        EQUAL(counts + seg->live.waits_other, lanes);
        if (!seg->live.waits_other)
                EQUAL(ticks, lane_ticks);
        for (uint32_t i = 0; i < seg->live.n_sites; i++) {
                const struct ifp_site *s = &seg->sites[i];

                EQUAL(in_histogram(s->cost_fold), s->count);
                EQUAL(in_histogram(s->life_fold), s->ended);
                CHECK(s->peak >= s->live);
        }
}

void until_waiting(int tid, uint32_t kind, const void *object)
{
        volatile struct ifp_lane_waits *w = &lane_of(tid)->waits;

        if (!seg)
                return;
        for (int i = 0; i < 5000; i++) {
                if (w->since && w->kind == kind && (!object || w->object == (uintptr_t)object)) {
                        nap(2);
                        return;
                }
                nap(1);
        }
        printf("# thread %d does not wait\n", tid);
        failed++;
}

/* ---- two threads in step ---- */

volatile int phase;
int other_tid;

void reach(int p)
{
        __atomic_store_n(&phase, p, __ATOMIC_SEQ_CST);
}

void await(int p)
{
        while (__atomic_load_n(&phase, __ATOMIC_SEQ_CST) < p)
                nap(1);
}

pthread_t start(void *(*fn)(void *), void *arg)
{
        pthread_t t;

        phase = 0;
        if (pthread_create(&t, NULL, fn, arg))
                abort();
        await(1);
        return t;
}

void *takes_mutex(void *arg)
{
        other_tid = my_tid();
        reach(1);
        EQUAL(pthread_mutex_lock(arg), 0);
        EQUAL(pthread_mutex_unlock(arg), 0);
        return NULL;
}

void contend(pthread_mutex_t *m)
{
        struct ifp_lane *me = my_lane();
        uint64_t n = waits_of(NULL, IFP_WAIT_MUTEX, m).count,
                 blame = blamed(IFP_WAIT_MUTEX, m, me, me->gen);
        pthread_t t;

        EQUAL(pthread_mutex_lock(m), 0);
        t = start(takes_mutex, m);
        until_waiting(other_tid, IFP_WAIT_MUTEX, m);
        EQUAL(pthread_mutex_unlock(m), 0);
        pthread_join(t, NULL);
        EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, m).count, n + 1);
        EQUAL(blamed(IFP_WAIT_MUTEX, m, me, me->gen), blame + 1);
}

/* Each case by name, or all; as TAP. */
int run_cases(const struct named_case *cases, size_t n, int argc, char **argv)
{
        int bad = 0, n_run = 0;

        find_segment();
        if (!seg) {
                printf("1..0 # SKIP there is no shim\n");
                return 0;
        }
        for (size_t i = 0; i < n; i++) {
                bool wanted = argc < 2;

                for (int k = 1; k < argc; k++)
                        wanted |= !strcmp(argv[k], cases[i].name);
                if (!wanted)
                        continue;
                failed = 0;
                n_run++;
                cases[i].run();
                check_all();
                bad += failed != 0;
                printf("%sok - %s\n", failed ? "not " : "", cases[i].name);
                fflush(stdout);
        }
        if (argc > 1 && n_run != argc - 1) {
                printf("not ok - a case that is none\n");
                return 1;
        }
        return bad != 0;
}
