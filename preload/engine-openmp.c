/* SPDX-License-Identifier: MIT */
/*
 * OpenMP, as gcc calls it: libgomp, and libraries that offer the same functions.
 *
 * A parallel region (GOMP_parallel and its like) is a spawn of a kind of its own: its cost is the
 * time from the call to the first line of the body, its life that of the region. These functions
 * are led to a stand-in here, which hands libgomp a body of ours around the engine's, so that each
 * thread's part is seen. A region ends with a barrier nobody calls: from the end of its own
 * part to the end of the last one a thread waits. The thread that began the region adds that up for
 * all of them, since the others do not come by here again until the next region.
 *
 * GOMP_barrier, and what ends a loop or sections with one, is an op of kind WAIT and a wait. How
 * many threads have to come is what omp_get_num_threads of the same library says in the region.
 *
 * Not seen: GOMP_parallel_start and _end, which gcc calls no more since 4.9; and the interface that
 * clang uses (__kmpc_fork_call).
 */
#include "preload/engine.h"
#include "preload/wait.h"

#define MAX_LIBRARIES 8u
#define MAX_PARTS     128u /* threads of a region that are told of; others are not */

typedef unsigned gomp_parallel(void (*fn)(void *), void *data, unsigned n, uint64_t a, uint64_t b,
                               uint64_t c, uint64_t d, uint64_t e);

struct region {
        void (*fn)(void *);
        void *data;
        const struct ifp_tls *begun_by;
        int (*team)(void);
        uint64_t sp; /* of the stand-in */
        uint64_t start, body, release;
        uint32_t n, n_ended, n_parts;
        struct ifp_who last;
        struct ifp_wait_part parts[MAX_PARTS];
};

/* The region that a lane's thread is in. */
static struct within {
        struct region *region;
        uint64_t thread; /* start_ticks: which of the lane's it is, a fork child's apart */
} within[IFP_MAX_LANES];

static struct library {
        uint64_t start, end; /* 0, 0: free */
        int (*num_threads)(void);
} libraries[MAX_LIBRARIES];

static int (*team_of(const void *function))(void)
{
        uint64_t at = (uint64_t)(uintptr_t)function;

        for (uint32_t i = 0; i < MAX_LIBRARIES; i++)
                if (at >= libraries[i].start && at < libraries[i].end)
                        return libraries[i].num_threads;
        return NULL;
}

/* ---- regions ------------------------------------------------------------------- */

static bool has_lane(const struct ifp_tls *tls)
{
        return tls->lane && !tls->crowd && ifp_alive();
}

static struct region **region_of(const struct ifp_tls *tls)
{
        struct within *w = &within[tls->lane_number];

        if (w->thread != tls->lane->start_ticks)
                *w = (struct within){.thread = tls->lane->start_ticks};
        return &w->region;
}

/* A thread's part is over. The last one lets all go. */
static void end_part(struct ifp_tls *tls, struct region *r, struct ifp_wait_call *w, bool *waits)
{
        bool mine = r->begun_by == tls;
        uint32_t place;

        if (__atomic_add_fetch(&r->n_ended, 1, __ATOMIC_ACQ_REL) == r->n) {
                r->last = ifp_who_self(tls);
                r->release = ifp_ticks();
                ifp_wait_last(w, false);
                return;
        }
        if (mine) {
                ifp_wait_begin(w);
                *waits = true;
                return;
        }
        place = __atomic_fetch_add(&r->n_parts, 1, __ATOMIC_RELAXED);
        if (place < MAX_PARTS)
                ifp_wait_part_begin(tls, w, &r->parts[place]);
}

/* What the thread that began a region keeps beside it. */
struct begun {
        struct region region;
        struct ifp_wait_call wait;
        bool waits;
};

static void body(void *arg)
{
        struct begun *b = arg;
        struct region *r = &b->region, *around = NULL;
        struct ifp_tls *tls = &ifp_tls;
        bool lane, mine = r->begun_by == tls;
        IFP_WAIT_CALL(w, IFP_WAIT_BARRIER, r->fn, IFP_WAIT_SPINS);

        if (!tls->lane && !tls->busy && ifp_alive()) {
                tls->busy++;
                ifp_lane_take(tls);
                tls->busy--;
        }
        lane = has_lane(tls);
        if (lane) {
                around = *region_of(tls);
                *region_of(tls) = r;
        }
        if (mine)
                r->body = ifp_ticks();
        __atomic_store_n(&r->n, (uint32_t)r->team(), __ATOMIC_RELAXED); /* the same for all */
        r->fn(r->data);
        if (lane && has_lane(tls))
                *region_of(tls) = around;
        if (mine) {
                b->wait = w;
                b->wait.sp = r->sp; /* it ends there */
                end_part(tls, r, &b->wait, &b->waits);
        } else {
                end_part(tls, r, &w, &b->waits);
        }
}

static void end_region(struct begun *b, uint32_t site)
{
        struct region *r = &b->region;
        uint64_t now = ifp_ticks();
        uint32_t parts = r->n_parts < MAX_PARTS ? r->n_parts : MAX_PARTS;

        if (b->waits) {
                b->wait.who = r->last;
                ifp_wait_end(&b->wait, IFP_WAITED);
        }
        for (uint32_t i = 0; i < parts; i++)
                ifp_wait_part_end(&r->parts[i], r->release ? r->release : now, &r->last);
        ifp_barrier_gone(r);
        if (!site)
                return;
        __atomic_fetch_add(&ifp_seg->sites[site - 1].team, r->n, __ATOMIC_RELAXED);
        ifp_site_made(site, r->body > r->start ? r->body - r->start : 0);
        ifp_site_ended(site, now - r->start, 0);
}

__attribute__((visibility("hidden"))) gomp_parallel ifp_omp_parallel;

/* Called from hook-x86_64.S, with as many arguments as the longest of these functions takes. */
unsigned ifp_omp_parallel(void (*fn)(void *), void *data, unsigned n, uint64_t a, uint64_t b,
                          uint64_t c, uint64_t d, uint64_t e)
{
        struct ifp_tls *tls = &ifp_tls;
        uint64_t stub = (tls->stub - (uint64_t)(uintptr_t)ifp_stubs) / sizeof(struct ifp_stub);
        gomp_parallel *real = (gomp_parallel *)ifp_stub_real[stub];
        struct begun begun;
        uint32_t site;
        unsigned ret;

        if (!ifp_waits_on || tls->busy || ifp_off || !ifp_alive())
                return real(fn, data, n, a, b, c, d, e);
        begun.region.fn = fn;
        begun.region.data = data;
        begun.region.begun_by = tls;
        begun.region.team = team_of((const void *)real);
        begun.region.sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
        begun.region.n = begun.region.n_ended = begun.region.n_parts = 0;
        begun.region.body = begun.region.release = 0;
        begun.region.last = (struct ifp_who){0};
        begun.waits = false;
        if (!begun.region.team)
                return real(fn, data, n, a, b, c, d, e);
        tls->busy++;
        site = ifp_site(tls, IFP_SPAWN_OMP, begun.region.sp);
        ifp_site_peak(site, ifp_site_alive(site));
        tls->busy--;
        begun.region.start = ifp_ticks();
        ret = real(body, &begun, n, a, b, c, d, e);
        /* A fork child that ends its parent's region has neither its site nor its lanes. */
        if (ifp_alive() && begun.region.start >= ifp_seg->header.start_ticks)
                end_region(&begun, site);
        return ret;
}

/* ---- barriers ------------------------------------------------------------------ */

static struct ifp_open *barrier_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                      const struct ifp_args *args, uint64_t sp)
{
        struct region *r = *region_of(tls);
        struct ifp_open *around = ifp_open_at(tls->lane, tls->lane->top), *o;
        uint32_t op = tls->lane->top ? ifp_open_op(around) : IFP_OP_NONE;

        (void)args;
        o = ifp_hook_push(tls, stub, sp);
        if (o && r && r->n > 1 && ifp_waits_on) {
                struct ifp_barrier_call call = {.object = r,
                                                .shown = (uint64_t)(uintptr_t)r->fn,
                                                .sp = sp,
                                                .n_threads = r->n,
                                                .op = op};

                ifp_barrier_enter(tls, &call);
        }
        return o;
}

static bool barrier_leave(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *o,
                          uint64_t end, uint64_t rax)
{
        (void)stub;
        (void)end;
        (void)rax;
        ifp_barrier_leave(tls, o->sp);
        return true;
}

/* ---- the table ----------------------------------------------------------------- */

extern const char ifp_omp_entry[] __attribute__((visibility("hidden")));

static const struct ifp_hook parallel = {.names = true,
                                         .instead = (void *)(uintptr_t)ifp_omp_entry};
static const struct ifp_hook barrier = {.enter = barrier_enter, .leave = barrier_leave};

#define GOMP     "lib*omp*.so*"
#define REGION   .kind = IFP_KIND_KERNEL, .hook = &parallel
#define BARRIERS .kind = IFP_KIND_WAIT, .hook = &barrier

static struct ifp_want wants[] = {
        {GOMP, "GOMP_parallel", REGION},
        {GOMP, "GOMP_parallel_reductions", REGION},
        {GOMP, "GOMP_parallel_sections", REGION},
        {GOMP, "GOMP_parallel_loop_static", REGION},
        {GOMP, "GOMP_parallel_loop_dynamic", REGION},
        {GOMP, "GOMP_parallel_loop_guided", REGION},
        {GOMP, "GOMP_parallel_loop_runtime", REGION},
        {GOMP, "GOMP_parallel_loop_nonmonotonic_dynamic", REGION},
        {GOMP, "GOMP_parallel_loop_nonmonotonic_guided", REGION},
        {GOMP, "GOMP_parallel_loop_nonmonotonic_runtime", REGION},
        {GOMP, "GOMP_parallel_loop_maybe_nonmonotonic_runtime", REGION},
        {GOMP, "GOMP_barrier", BARRIERS},
        {GOMP, "GOMP_barrier_cancel", BARRIERS},
        {GOMP, "GOMP_loop_end", BARRIERS},
        {GOMP, "GOMP_loop_end_cancel", BARRIERS},
        {GOMP, "GOMP_sections_end", BARRIERS},
        {GOMP, "GOMP_sections_end_cancel", BARRIERS},
};

static void opened(const struct ifp_elf *e)
{
        const ElfW(Sym) *s = ifp_elf_find(e, "omp_get_num_threads", NULL);

        for (uint32_t i = 0; s && i < MAX_LIBRARIES; i++) {
                if (libraries[i].end)
                        continue;
                libraries[i] = (struct library){
                        .start = e->start,
                        .end = e->end,
                        .num_threads = (int (*)(void))(uintptr_t)ifp_elf_address(e, s)};
                return;
        }
}

static void closed(const struct ifp_elf *e)
{
        for (uint32_t i = 0; i < MAX_LIBRARIES; i++)
                if (libraries[i].start == e->start)
                        libraries[i] = (struct library){0};
}

const struct ifp_engine ifp_engine_openmp = {
        .name = "openmp",
        .wants = wants,
        .n_wants = sizeof(wants) / sizeof(wants[0]),
        .opened = opened,
        .closed = closed,
};
