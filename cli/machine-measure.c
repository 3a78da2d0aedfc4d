/* SPDX-License-Identifier: MIT */
/*
 * Each figure several times over, on threads that are pinned one a core. Of the repetitions the
 * best is the ceiling: what a machine did once it can do, and everything that disturbs makes it
 * slower. How far the one in the middle stays behind it is told as the spread.
 */
#include "cli/machine.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/cleanup.h"

#define MAX_REPETITIONS 32
#define TRIES           4
#define PAGE            4096u
#define MEMORY_MOST     (2048ull << 20) /* of all arrays together */

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What one thread does, `n` times over. */
struct work {
        const struct machine_compute *compute; /* or else */
        const struct machine_traffic *traffic;
        size_t bytes; /* of an array, of one thread */
};

struct crew {
        const struct work *work;
        const struct machine_places *places;
        const struct machine_effort *effort;
        int n;
        pthread_barrier_t barrier;
        uint64_t rounds;
        uint64_t start[MACHINE_MAX_CPUS], end[MACHINE_MAX_CPUS];
        double rates[MAX_REPETITIONS]; /* rounds a ns, of all threads */
        bool failed;
};

struct member {
        struct crew *crew;
        int ith;
        void *arrays[3];
};

static void do_rounds(const struct member *m, uint64_t n)
{
        const struct work *w = m->crew->work;
        volatile double keep;

        if (w->compute) {
                keep = w->compute->run(n);
                (void)keep;
                return;
        }
        for (uint64_t i = 0; i < n; i++)
                w->traffic->run(m->arrays, w->bytes);
}

/* How many rounds take about as long as one repetition shall. */
static uint64_t find_rounds(const struct member *m)
{
        uint64_t n = 1, took;

        for (;; n *= 2) {
                uint64_t since = now_ns();

                do_rounds(m, n);
                took = now_ns() - since;
                if (took >= m->crew->effort->ns / 4 || n > 1ull << 40)
                        break;
        }
        for (int i = 1; i < 3; i++) { /* once, it may have been put off its CPU */
                uint64_t since = now_ns(), again;

                do_rounds(m, n);
                again = now_ns() - since;
                took = again < took ? again : took;
        }
        took = took ? took : 1;
        n = (uint64_t)((double)n * (double)m->crew->effort->ns / (double)took);
        return n ? n : 1;
}

static bool map_arrays(struct member *m)
{
        const struct work *w = m->crew->work;

        for (unsigned i = 0; w->traffic && i < w->traffic->arrays; i++) {
                m->arrays[i] = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (m->arrays[i] == MAP_FAILED) {
                        m->arrays[i] = NULL;
                        return false;
                }
                memset(m->arrays[i], (int)i + 1, w->bytes); /* by who uses it: it is near */
        }
        return true;
}

static void *live(void *arg)
{
        struct member *m = arg;
        struct crew *c = m->crew;
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(c->places->cpus[m->ith], &set);
        (void)sched_setaffinity(0, sizeof(set), &set);
        if (!map_arrays(m))
                __atomic_store_n(&c->failed, true, __ATOMIC_RELAXED);
        pthread_barrier_wait(&c->barrier);
        if (!c->failed && !m->ith)
                c->rounds = find_rounds(m);
        for (int r = 0; r < c->effort->repetitions; r++) {
                pthread_barrier_wait(&c->barrier);
                c->start[m->ith] = now_ns();
                if (!c->failed)
                        do_rounds(m, c->rounds);
                c->end[m->ith] = now_ns();
                pthread_barrier_wait(&c->barrier);
                if (!m->ith) {
                        uint64_t first = c->start[0], last = c->end[0];

                        for (int i = 1; i < c->n; i++) {
                                first = c->start[i] < first ? c->start[i] : first;
                                last = c->end[i] > last ? c->end[i] : last;
                        }
                        c->rates[r] = (double)c->rounds * c->n /
                                      (double)(last > first ? last - first : 1);
                }
        }
        for (unsigned i = 0; i < 3; i++)
                if (m->arrays[i])
                        munmap(m->arrays[i], c->work->bytes);
        return NULL;
}

static int compare_rates(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

struct figure {
        double best, median;
};

static double spread_of(const struct figure *f)
{
        return f->best > 0 ? (f->best - f->median) / f->best : 0;
}

/* In rounds a ns; 0, or -errno. */
static int measure_once(const struct work *work, const struct machine_places *places,
                        const struct machine_effort *effort, int n, struct figure *ret)
{
        _cleanup_(freep) struct crew *c = calloc(1, sizeof(*c));
        _cleanup_(freep) struct member *members = calloc((size_t)n, sizeof(*members));
        _cleanup_(freep) pthread_t *threads = calloc((size_t)n, sizeof(*threads));

        if (!c || !members || !threads)
                return -ENOMEM;
        c->work = work;
        c->places = places;
        c->effort = effort;
        c->n = n;
        pthread_barrier_init(&c->barrier, NULL, (unsigned)n);
        for (int i = 0; i < n; i++) {
                members[i] = (struct member){.crew = c, .ith = i};
                if (pthread_create(&threads[i], NULL, live, &members[i])) {
                        fputs("infprof machine: a thread cannot be created\n", stderr);
                        exit(1); /* those that wait at the barrier wait for it */
                }
        }
        for (int i = 0; i < n; i++)
                pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&c->barrier);
        if (c->failed)
                return -ENOMEM;
        qsort(c->rates, (size_t)effort->repetitions, sizeof(double), compare_rates);
        *ret = (struct figure){.best = c->rates[effort->repetitions - 1],
                               .median = c->rates[effort->repetitions / 2]};
        return 0;
}

/* What somebody else disturbed may go better the next time. */
static int measure(const struct work *work, const struct machine_places *places,
                   const struct machine_effort *effort, int n, struct figure *ret)
{
        int r = measure_once(work, places, effort, n, ret);

        for (int i = 1; !r && i < TRIES && spread_of(ret) > effort->spread; i++) {
                struct figure again;

                r = measure_once(work, places, effort, n, &again);
                if (!r && spread_of(&again) < spread_of(ret))
                        *ret = again;
        }
        return r;
}

/* ---- all of them ------------------------------------------------------------------- */

struct session {
        const struct machine_places *places;
        const struct machine_effort *effort;
        double spread;
        char *worst;
        size_t worst_size;
        int done, all;
};

static void say_progress(struct session *s, const char *what, const char *of, int threads)
{
        s->done++;
        if (s->effort->progress == MACHINE_TERMINAL)
                fprintf(stderr, "\r\033[Kmeasuring %d of %d: %s %s, %d thread%s", s->done, s->all,
                        what, of, threads, threads == 1 ? "" : "s");
}

/* What takes some seconds. */
static void say_part(const struct session *s, const char *what)
{
        if (s->effort->progress == MACHINE_LINES)
                fprintf(stderr, "infprof machine: measuring %s, %d of %d are done\n", what, s->done,
                        s->all);
}

static void note_spread(struct session *s, const struct figure *f, const char *what, const char *of,
                        int threads)
{
        if (spread_of(f) <= s->spread)
                return;
        s->spread = spread_of(f);
        snprintf(s->worst, s->worst_size, "%s %s at %d thread%s", what, of, threads,
                 threads == 1 ? "" : "s");
}

static json_t *build_figure(const char *a, const char *x, const char *b, const char *y, int threads,
                            const char *unit, const struct figure *f, double scale)
{
        char median[32];

        snprintf(median, sizeof(median), "median_%s", unit);
        return json_pack("{s:s, s:s, s:i, s:f, s:f, s:f}", a, x, b, y, "threads", threads, unit,
                         f->best * scale, median, f->median * scale, "spread", spread_of(f));
}

static int next_threads(int n, int most)
{
        return n * 2 <= most || n == most ? n * 2 : most;
}

static int measure_computes(struct session *s, json_t *list)
{
        for (size_t i = 0; i < machine_n_computes; i++) {
                const struct machine_compute *k = &machine_computes[i];
                struct work work = {.compute = k};

                for (int n = 1; k->is_there() && n <= s->places->n_cpus;
                     n = next_threads(n, s->places->n_cpus)) {
                        struct figure f;
                        int r;

                        say_progress(s, k->type, k->isa, n);
                        r = measure(&work, s->places, s->effort, n, &f);
                        if (r)
                                return r;
                        note_spread(s, &f, k->type, k->isa, n);
                        json_array_append_new(list, build_figure("type", k->type, "isa", k->isa, n,
                                                                 "gflops", &f, k->flops));
                }
        }
        return 0;
}

static const char *const levels[] = {"L1", "L2", "L3", "memory"};
#define N_LEVELS 4

/* Bytes that all arrays of one thread may have together to lie in that level; 0: there is none. */
static uint64_t set_of(const struct machine_places *p, uint64_t memory_bytes, int level,
                       int threads)
{
        uint64_t last = p->cache_bytes[2] ? p->cache_bytes[2] : p->cache_bytes[1], all;

        if (level < 2)
                return p->cache_bytes[level] / 2;
        if (level == 2) {
                int sharers = p->cache_cpus[2] < threads ? p->cache_cpus[2] : threads;
                uint64_t bytes = p->cache_bytes[2] / 2 / (uint64_t)(sharers ? sharers : 1);

                return bytes > p->cache_bytes[1] ? bytes : 0;
        }
        all = last * 4 > memory_bytes ? last * 4 : memory_bytes;
        return (all < MEMORY_MOST ? all : MEMORY_MOST) / (uint64_t)threads;
}

/* The best of the ways to do it. */
static int measure_traffic(struct session *s, json_t *list, int level, const char *op, int threads)
{
        struct figure best = {0};
        uint64_t set = set_of(s->places, s->effort->memory_bytes, level, threads), bytes = 0;

        if (!set)
                return 0;
        say_progress(s, levels[level], op, threads);
        for (size_t i = 0; i < machine_n_traffics; i++) {
                const struct machine_traffic *t = &machine_traffics[i];
                struct work work = {.traffic = t, .bytes = set / t->arrays / PAGE * PAGE};
                struct figure f;
                int r;

                if (strcmp(t->op, op) || !t->is_there() || (t->around && level < 3) || !work.bytes)
                        continue;
                r = measure(&work, s->places, s->effort, threads, &f);
                if (r)
                        return r;
                f.best *= (double)(t->arrays * work.bytes);
                f.median *= (double)(t->arrays * work.bytes);
                if (f.best > best.best) {
                        best = f;
                        bytes = t->arrays * work.bytes;
                }
        }
        if (best.best > 0) {
                json_t *o =
                        build_figure("level", levels[level], "op", op, threads, "gbps", &best, 1);

                json_object_set_new(o, "bytes", json_integer((json_int_t)bytes));
                json_array_append_new(list, o);
                note_spread(s, &best, levels[level], op, threads);
        }
        return 0;
}

static int measure_traffics(struct session *s, json_t *list)
{
        static const char *const ops[] = {"read", "copy", "triad", "copy_nt", "triad_nt"};
        int r = 0;

        for (int level = 0; level < N_LEVELS; level++) {
                if (level == 0 || level == N_LEVELS - 1)
                        say_part(s, level ? "memory" : "caches");
                for (int op = 0; op < (level < 3 ? 3 : 5); op++)
                        for (int n = 1; !r && n <= s->places->n_cpus;
                             n = next_threads(n, s->places->n_cpus))
                                r = measure_traffic(s, list, level, ops[op], n);
        }
        return r;
}

json_t *machine_measure(const struct machine_places *places, const struct machine_effort *effort,
                        double *ret_spread, char *ret_worst, size_t worst_size)
{
        struct session s = {
                .places = places, .effort = effort, .worst = ret_worst, .worst_size = worst_size};
        json_t *compute = json_array(), *bandwidth = json_array();
        int r, counts = 0;

        for (int n = 1; n <= places->n_cpus; n = next_threads(n, places->n_cpus))
                counts++;
        for (size_t i = 0; i < machine_n_computes; i++)
                s.all += machine_computes[i].is_there() ? counts : 0;
        s.all += counts * (3 * (2 + !!set_of(places, 0, 2, 1)) + 5);
        say_part(&s, "multiply-adds");
        r = measure_computes(&s, compute);
        if (!r)
                r = measure_traffics(&s, bandwidth);
        if (effort->progress == MACHINE_TERMINAL)
                fputs("\r\033[K", stderr);
        *ret_spread = s.spread;
        if (r) {
                json_decref(compute);
                json_decref(bandwidth);
                return NULL;
        }
        return json_pack("{s:o, s:o}", "compute", compute, "bandwidth", bandwidth);
}
