/* SPDX-License-Identifier: MIT */
/*
 * Loading where threads were asked for, and putting threads together by their name and place.
 */
#include "common/report-work-private.h"

#include <errno.h>
#include <math.h>

#include "common/report-private.h"

/*
 * Threads that come and go with each token or op live short: half of them less than 100 ms, and
 * less than a tenth of the run. A pool's live as long as there is work. Where a token itself takes
 * long, so do the threads that are made for it: made at least for every second token, and half of
 * them over within two tokens' time. A pool's threads outlive tokens; or, where there are none,
 * they live for most of the time that is left of the run when they are made. What is neither has
 * done something once: no class is known for it.
 */
#define SHORT_LIFE_NS     100000000u
#define SHORT_LIFE_OF_RUN 10
#define PER_TOKEN_MIN     0.5
#define LIFE_IN_TOKENS    2
#define MOST_OF_THE_REST  0.5

bool work_same_place(const struct model_site *a, const struct model_site *b)
{
        if (!a || !b)
                return a == b;
        return a->row.offset == b->row.offset &&
               merge_same_text(a->row.function, b->row.function) &&
               merge_same_text(a->row.library, b->row.library);
}

static uint32_t hash_place(uint32_t h, const struct model_site *s)
{
        return s ? merge_hash(merge_hash_text(merge_hash_text(h, s->row.function), s->row.library),
                              s->row.offset)
                 : h;
}

static bool same_site(const struct work_site *a, const struct work_site *b)
{
        return a->hash == b->hash && a->kind == b->kind && a->phase == b->phase &&
               a->n_frames == b->n_frames && work_same_place(a->place, b->place) &&
               merge_same_text(a->op, b->op) &&
               (!a->n_frames || !memcmp(a->frames, b->frames, a->n_frames * sizeof(*a->frames)));
}

/* Takes the frames of `key` over; all else of it but its identity is left to the caller. */
static int find_site(struct work *w, struct work_site *key, size_t *ret)
{
        struct work_site *s;
        uint32_t h = merge_hash_text(hash_place(MERGE_SEED, key->place), key->op);

        h = merge_hash(h, key->kind << 8 | key->phase);
        for (size_t i = 0; i < key->n_frames; i++)
                h = merge_hash(h, key->frames[i]);
        key->hash = h;
        for (uint32_t i = merge_first(&w->site_buckets, h); i; i = w->sites[i - 1].next)
                if (same_site(&w->sites[i - 1], key)) {
                        free(key->frames);
                        *ret = i - 1;
                        return 0;
                }
        s = GROW(&w->sites, &w->n_sites, &w->room_sites);
        if (!s) {
                free(key->frames);
                return -ENOMEM;
        }
        *s = *key;
        spread_init(&s->cost);
        spread_init(&s->life);
        *ret = w->n_sites - 1;
        return MERGE_PUT_NEW(&w->site_buckets, w->sites, w->n_sites);
}

static int load_spawn(const struct runfile_spawn *row, void *userdata)
{
        struct work *w = userdata;
        size_t process = work_process(w, "spawn", row->process), to = 0;
        const struct model_site *place = model_site(&w->model, row->process, row->site);
        const struct model_op *op = row->op ? model_op(&w->model, row->process, row->op) : NULL;
        struct work_site key = {.place = place, .kind = row->kind, .phase = row->phase}, *s;
        uint64_t tps;
        int r;

        if (process == NONE)
                return RUNFILE_E_FOREIGN;
        if (!place)
                return work_dangling(w, "spawn", "site", row->process, row->site);
        if (row->op && !op)
                return work_dangling(w, "spawn", "op", row->process, row->op);
        if (!row->count && !row->live) /* what was asked for there was refused, each time */
                return 0;
        key.op = op ? op->name : NULL;
        r = frames_read(&w->frames, w->rf, "spawn", row->process, row->site, row->frames,
                        &key.frames, &key.n_frames, &w->why);
        if (!r)
                r = find_site(w, &key, &to);
        if (!r)
                r = merge_add_ref(&w->site_refs, row->process, row->site, to);
        if (r)
                return r;
        s = &w->sites[to];
        tps = w->model.processes[process].ticks_per_second;
        s->told = true;
        s->count = sum_u64(s->count, row->count);
        s->live = sum_u64(s->live, row->live);
        s->peak = sum_u64(s->peak, row->peak);
        s->ended = sum_u64(s->ended, row->ended);
        s->team = sum_u64(s->team, row->team);
        s->cpu_ns = sum_u64(s->cpu_ns, row->cpu_ns);
        s->cost.count = sum_u64(s->cost.count, row->count);
        s->cost.total_ns = sum_u64(s->cost.total_ns, row->cost_ns);
        s->life.count = sum_u64(s->life.count, row->ended);
        s->life.total_ns = sum_u64(s->life.total_ns, row->life_ns);
        r = spread_add_hist(&s->cost, row->cost_hist, tps);
        return r ? r : spread_add_hist(&s->life, row->life_hist, tps);
}

/* Sites of a shim that told no more of them: only counts. */
static int add_untold(struct work *w)
{
        for (size_t i = 0; i < w->model.n_sites; i++) {
                const struct runfile_site *row = &w->model.sites[i].row;
                struct work_site key = {.place = &w->model.sites[i]};
                size_t to = 0;
                int r;

                if (!row->count || merge_find_ref(&w->site_refs, row->process, row->site))
                        continue;
                r = find_site(w, &key, &to);
                if (r)
                        return r;
                w->sites[to].count = sum_u64(w->sites[to].count, row->count);
        }
        return 0;
}

static int compare_sites(const void *a, const void *b, void *userdata)
{
        const struct work *w = userdata;
        const struct work_site *p = &w->sites[*(const size_t *)a],
                               *q = &w->sites[*(const size_t *)b];

        if (p->count != q->count)
                return p->count > q->count ? -1 : 1;
        return p < q ? -1 : p > q;
}

/* Most first: the order in which the document has them, and by which threads speak of them. */
static int order_sites(struct work *w)
{
        size_t n = w->n_sites, *order = calloc(n + 1, sizeof(*order)),
               *place = calloc(n + 1, sizeof(*place));
        struct work_site *sites = calloc(n + 1, sizeof(*sites));
        int r = order && place && sites ? 0 : -ENOMEM;

        for (size_t i = 0; !r && i < n; i++)
                order[i] = i;
        if (!r)
                qsort_r(order, n, sizeof(*order), compare_sites, w);
        for (size_t i = 0; !r && i < n; i++) {
                sites[i] = w->sites[order[i]];
                place[order[i]] = i;
        }
        for (size_t i = 0; !r && i < w->site_refs.n; i++)
                w->site_refs.at[i].to = (uint32_t)place[w->site_refs.at[i].to];
        if (!r) {
                free(w->sites);
                w->sites = sites;
                w->room_sites = n + 1;
                sites = NULL;
        }
        free(order);
        free(place);
        free(sites);
        return r;
}

int work_load_sites(struct work *w)
{
        int r = runfile_each_spawn(w->rf, load_spawn, w);

        if (!r)
                r = add_untold(w);
        if (!r)
                r = order_sites(w);
        for (size_t i = 0; !r && i < w->n_sites; i++) {
                spread_settle(&w->sites[i].cost);
                spread_settle(&w->sites[i].life);
        }
        return r;
}

void work_sites_done(struct work *w)
{
        for (size_t i = 0; i < w->n_sites; i++) {
                spread_done(&w->sites[i].cost);
                spread_done(&w->sites[i].life);
                free(w->sites[i].frames);
        }
        free(w->sites);
        free(w->site_buckets.at);
        free(w->site_refs.at);
}

/* Do they stay? */
static bool are_kept(const struct work_site *s, double token_ns, uint64_t life)
{
        if (!isnan(token_ns) && (double)life > LIFE_IN_TOKENS * token_ns)
                return true;
        if (s->could_ns > 0)
                return s->lived_ns > MOST_OF_THE_REST * s->could_ns;
        return (double)s->live > MOST_OF_THE_REST * (double)s->count;
}

enum work_class work_site_class(const struct work *w, const struct work_site *s)
{
        uint64_t short_ns = w->model.run.duration_ns / SHORT_LIFE_OF_RUN, life;
        double tokens = NAN, wall, token_ns = NAN;

        if (!s->told || (s->kind != IFP_SPAWN_THREAD && s->kind != IFP_SPAWN_CLONE))
                return CLASS_UNKNOWN;
        life = spread_quantile(&s->life, 0.5);
        if (life == UINT64_MAX) /* of what clone() makes nothing is known, it may be a process */
                return s->ended || !s->live ? CLASS_UNKNOWN : CLASS_POOL;
        if (life < short_ns && life < SHORT_LIFE_NS)
                return CLASS_SHORT;
        if (work_pace(w, &tokens, &wall))
                token_ns = wall / tokens;
        if (s->phase == IFP_PHASE_DECODE && (double)s->count >= PER_TOKEN_MIN * tokens &&
            (double)life <= LIFE_IN_TOKENS * token_ns)
                return CLASS_SHORT;
        return are_kept(s, token_ns, life) ? CLASS_POOL : CLASS_UNKNOWN;
}

static int find_group(struct work *w, size_t thread, size_t *ret)
{
        const struct runfile_thread *t = &w->model.threads[thread].row;
        const struct model_site *place = model_thread_site(&w->model, &w->model.threads[thread]);
        uint32_t h = hash_place(merge_hash_text(MERGE_SEED, t->name), place);
        struct work_group *g;

        for (uint32_t i = merge_first(&w->group_buckets, h); i; i = w->groups[i - 1].next)
                if (w->groups[i - 1].hash == h && work_same_place(w->groups[i - 1].site, place) &&
                    merge_same_text(w->groups[i - 1].name, t->name)) {
                        *ret = i - 1;
                        return 0;
                }
        g = GROW(&w->groups, &w->n_groups, &w->room_groups);
        if (!g)
                return -ENOMEM;
        *g = (struct work_group){.name = t->name, .site = place, .first = thread, .hash = h};
        *ret = w->n_groups - 1;
        return MERGE_PUT_NEW(&w->group_buckets, w->groups, w->n_groups);
}

/* Of a lane that several threads had: they came one after the other, so they lived short. */
static void find_crowds(struct work *w)
{
        for (size_t i = 0; i < w->model.n_processes; i++) {
                struct work_process *p = &w->processes[i];
                bool several = false;

                for (size_t t = 0; t < w->model.n_threads; t++) {
                        size_t g = w->threads[t].group;

                        if (w->threads[t].process != i || w->groups[g].threads < 2 ||
                            w->model.threads[t].row.ended_ns == UINT64_MAX ||
                            work_lifetime(w, t) >
                                    w->model.processes[i].duration_ns / SHORT_LIFE_OF_RUN)
                                continue;
                        several |= p->crowd != NONE && p->crowd != g;
                        p->crowd = g;
                }
                if (several)
                        p->crowd = NONE;
        }
}

const struct merge_ref *work_spawn(const struct work *w, size_t thread)
{
        const struct runfile_thread *t = &w->model.threads[thread].row;

        return t->site >= 0 && t->site <= UINT32_MAX
                       ? merge_find_ref(&w->site_refs, t->process, (uint32_t)t->site)
                       : NULL;
}

static void add_to_site(struct work *w, size_t thread)
{
        const struct runfile_thread *t = &w->model.threads[thread].row;
        const struct merge_ref *ref = work_spawn(w, thread);
        uint64_t end = model_process(&w->model, t->process)->duration_ns;

        if (!ref || end <= t->started_ns)
                return;
        w->sites[ref->to].lived_ns += (double)work_lifetime(w, thread);
        w->sites[ref->to].could_ns += (double)(end - t->started_ns);
}

int work_group_threads(struct work *w)
{
        for (size_t i = 0; i < w->model.n_threads; i++) {
                struct work_group *g;
                int r = find_group(w, i, &w->threads[i].group);

                if (r)
                        return r;
                g = &w->groups[w->threads[i].group];
                g->threads = sum_u64(g->threads, w->model.threads[i].n);
                if (w->model.threads[i].row.ended_ns != UINT64_MAX)
                        g->ended = sum_u64(g->ended, w->model.threads[i].n);
                g->lifetime_ns = sum_u64(g->lifetime_ns, work_lifetime(w, i));
                add_to_site(w, i);
        }
        find_crowds(w);
        return 0;
}

size_t work_crew(const struct work *w, size_t thread)
{
        size_t crowd = w->processes[w->threads[thread].process].crowd;

        return w->model.threads[thread].row.thread == RUNFILE_LATER && crowd != NONE
                       ? crowd
                       : w->threads[thread].group;
}

bool work_group_is_short(const struct work *w, size_t group)
{
        const struct work_group *g = &w->groups[group];

        return g->threads >= 2 && 2 * g->ended >= g->threads &&
               g->lifetime_ns / g->threads < w->model.run.duration_ns / SHORT_LIFE_OF_RUN;
}

double work_group_width(const struct work *w, size_t group)
{
        const struct work_group *g = &w->groups[group];
        uint64_t peak = 0;

        for (size_t i = 0; i < w->n_sites; i++)
                if (g->site && work_same_place(w->sites[i].place, g->site) &&
                    w->sites[i].peak > peak)
                        peak = w->sites[i].peak;
        return peak && peak < g->threads ? (double)peak : (double)g->threads;
}
