/* SPDX-License-Identifier: MIT */
/*
 * One process image, from its handshake to its last figures. What happens to
 * one process stays with it: whatever its segment holds, the worst that follows is that
 * it is cut off, with a reason, and its figures so far stand.
 *
 * Rings are read many times a second (process_round); exact rows, names and
 * gauges once a second (process_tick), and once more at the end.
 */
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/demangle.h"
#include "daemon/fold.h"
#include "daemon/lane.h"
#include "daemon/mark.h"
#include "daemon/elsewhere.h"
#include "daemon/pattern.h"
#include "daemon/procfs.h"
#include "daemon/series.h"
#include "daemon/site.h"
#include "daemon/text.h"
#include "daemon/thread.h"

static void hex(char *to, const uint8_t *from)
{
        for (int i = 0; i < 16; i++)
                sprintf(to + 2 * i, "%02x", from[i]);
}

/* So much of `have` elements of `size` that `want` fit; the new ones are zero. */
static int room(void *array, uint32_t *have, uint32_t want, size_t size)
{
        uint32_t n = *have ? *have : 16;
        char *new;

        if (want <= *have)
                return 0;
        while (n < want)
                n *= 2;
        new = realloc(*(void **)array, n * size);
        if (!new)
                return -ENOMEM;
        memset(new + *have *size, 0, (n - *have) * size);
        *(void **)array = new;
        *have = n;
        return 0;
}

static int lanes_room(struct process *p)
{
        uint32_t before = p->n_lanes;
        int r = room(&p->lanes, &p->n_lanes, lane_count_shared(p), sizeof(*p->lanes));

        for (uint32_t i = before; !r && i < p->n_lanes; i++)
                drain_lane_init(&p->lanes[i].drain, 0);
        return r;
}

static int keys_room(struct figures **figures, uint32_t from, uint32_t to)
{
        size_t size = IFP_N_PHASES * sizeof(**figures);
        struct figures *new = realloc(*figures, to * size);

        if (!new)
                return -ENOMEM;
        memset(new + (size_t)from *IFP_N_PHASES, 0, (to - from) * size);
        *figures = new;
        return 0;
}

static int ops_room(struct process *p, uint32_t n)
{
        uint32_t ops = p->n_ops_room;
        int r;

        r = room(&p->ops, &ops, n, sizeof(*p->ops));
        if (r || ops == p->n_ops_room)
                return r;
        r = keys_room(&p->retired, p->n_ops_room, ops);
        if (!r)
                r = keys_room(&p->total, p->n_ops_room, ops);
        if (!r)
                p->n_ops_room = ops;
        return r;
}

/* What was ordered for ops of this name: 1 on, 0 off, -1 nothing. */
static int ordered(const struct process *p, const char *name)
{
        int order = -1;

        for (uint32_t i = 0; i < p->n_rules; i++)
                if (!fnmatch(p->rules[i].glob, name, 0))
                        order = p->rules[i].on;
        return order;
}

static int op_name(struct process *p, uint32_t offset, char **ret, const char **ret_why)
{
        return offset ? segment_name(&p->segment, &p->counts, offset, ret, ret_why) : 0;
}

/* A kernel goes by its symbol as its language writes it. */
static int demangle(char **name)
{
        char *plain = ifp_demangle(*name);

        if (!plain)
                return -ENOMEM;
        free(*name);
        *name = plain;
        return 0;
}

static int op_take(struct process *p, uint32_t i, const char **ret_why)
{
        const volatile struct ifp_op *from = &p->segment.map->ops[i];
        struct op op = {.kind = from->kind, .hot = from->hot};
        int r, order;

        if (op.kind >= IFP_N_KINDS) {
                *ret_why = "an op is of a kind that does not exist";
                return SEGMENT_E_BAD;
        }
        r = op_name(p, from->name, &op.name, ret_why);
        if (!r && op.name && op.kind == IFP_KIND_KERNEL)
                r = demangle(&op.name);
        if (!r)
                r = op_name(p, from->kernel, &op.kernel, ret_why);
        if (!r)
                r = op_name(p, from->library, &op.library, ret_why);
        if (!r && (!op.name || !op.name[0])) {
                free(op.name);
                op.name = text_format(i == IFP_OP_NONE    ? "(not in any op)"
                                      : i == IFP_OP_OTHER ? "(other ops)"
                                                          : "(op %u)",
                                      i);
                r = op.name ? 0 : -ENOMEM;
        }
        if (r) {
                free(op.name);
                free(op.kernel);
                free(op.library);
                return r;
        }
        p->ops[i] = op;
        order = i < IFP_OP_FIRST ? -1 : ordered(p, op.name);
        if (order >= 0)
                __atomic_store_n(&p->segment.map->switches[i], (uint8_t)order, __ATOMIC_RELAXED);
        return 0;
}

int process_take_ops(struct process *p, const char **ret_why)
{
        int r;

        if (p->n_ops == p->counts.n_ops)
                return 0;
        r = ops_room(p, p->counts.n_ops);
        while (!r && p->n_ops < p->counts.n_ops) {
                r = op_take(p, p->n_ops, ret_why);
                if (!r)
                        p->n_ops++;
        }
        p->dirty = true;
        return r;
}

int process_check_op(struct process *p, uint32_t op, const char *lie, const char **ret_why)
{
        int r = 0;

        if (op >= p->n_ops)
                r = segment_count(&p->segment, &p->counts, ret_why);
        if (!r && op >= p->n_ops)
                r = process_take_ops(p, ret_why);
        if (!r && op >= p->n_ops)
                r = segment_bad(ret_why, lie);
        return r;
}

int process_new(struct process **ret, struct segment *segment, pid_t pid, int pidfd, bool adopted,
                struct tally_scratch *scratch, const char **ret_why)
{
        struct process *p = calloc(1, sizeof(*p));
        int r;

        if (!p)
                return -ENOMEM;
        p->segment = *segment;
        p->pid = pid;
        p->pidfd = pidfd;
        p->adopted = adopted;
        p->scratch = scratch;
        p->write_all = p->dirty = true;
        p->second = UINT64_MAX;
        p->tick_ns = clock_mono_ns();
        outside_init(&p->outside, p->tick_ns);
        drain_init(&p->drain);
        drain_lane_init(&p->crowd.drain, 0);
        clock_init(&p->clock, &segment->header);
        hex(p->uuid, segment->header.uuid);
        hex(p->parent_uuid, segment->header.parent_uuid);
        p->ppid = procfs_parent(pid);
        p->command = procfs_command(pid);
        p->exe = procfs_exe(pid);
        surroundings_look(&p->surroundings, pid);
        r = segment_count(&p->segment, &p->counts, ret_why);
        if (!r)
                r = process_take_ops(p, ret_why);
        if (!r)
                r = lanes_room(p);
        for (uint32_t i = 0; !r && adopted && i < lane_count(p); i++)
                r = lane_adopt(p, i, ret_why);
        if (r) {
                /* the caller keeps what it gave */
                p->segment = (struct segment){.fd = -1};
                p->pidfd = -1;
                process_free(p);
                return r;
        }
        p->segment_bytes = segment_resident(segment);
        *segment = (struct segment){.fd = -1};
        *ret = p;
        return 0;
}

static void lanes_free(struct process *p)
{
        for (uint32_t i = 0; i < p->n_lanes; i++) {
                struct thread *t = p->lanes[i].thread;

                if (t && t->index == PROCESS_MAX_THREADS)
                        thread_free(t);
                drain_lane_done(&p->lanes[i].drain);
                tally_done(&p->lanes[i].base);
        }
        drain_lane_done(&p->crowd.drain);
        tally_done(&p->crowd.base);
        free(p->lanes);
        p->lanes = NULL;
        p->n_lanes = 0;
        p->crowd.thread = NULL;
}

/* Nothing is read any more. */
static void let_go(struct process *p)
{
        lanes_free(p);
        outside_end(&p->outside, p->pid);
        kernel_end(p);
        segment_close(&p->segment);
        if (p->pidfd >= 0)
                close(p->pidfd);
        p->pidfd = -1;
}

struct process *process_free(struct process *p)
{
        if (!p)
                return NULL;
        let_go(p);
        heap_done(&p->heap);
        waits_done(&p->waits);
        p->ledger = ledger_free(p->ledger);
        p->kv = kv_free(p->kv);
        kernel_done(p);
        outside_done(&p->outside);
        surroundings_done(&p->surroundings);
        places_done(&p->places);
        p->marks = mark_free_all(p->marks);
        drain_done(&p->drain);
        for (uint32_t i = 0; i < p->n_threads; i++)
                thread_free(p->threads[i]);
        thread_free(p->later);
        for (uint32_t i = 0; i < p->n_ops; i++) {
                free(p->ops[i].name);
                free(p->ops[i].kernel);
                free(p->ops[i].library);
        }
        for (uint32_t i = 0; i < p->n_notes; i++)
                free(p->notes[i]);
        for (uint32_t i = 0; i < p->n_sites; i++) {
                free(p->sites[i].function);
                free(p->sites[i].library);
                kept_hist_done(&p->sites[i].cost);
                kept_hist_done(&p->sites[i].life);
        }
        for (uint32_t i = 0; i < p->n_rules; i++)
                free(p->rules[i].glob);
        free(p->rules);
        free(p->threads);
        free(p->thread_map);
        free(p->ops);
        free(p->sites);
        shapes_done(&p->shapes);
        layers_done(&p->layers);
        experts_done(&p->experts);
        told_done(&p->told);
        free(p->retired);
        free(p->total);
        free(p->command);
        free(p->exe);
        free(p->reason);
        free(p);
        return NULL;
}

int process_round(struct process *p, uint64_t now_ns, uint64_t *ret_n, uint64_t *ret_fullest,
                  const char **ret_why)
{
        uint64_t all = 0, fullest = 0, n;
        int r;

        r = segment_count(&p->segment, &p->counts, ret_why);
        if (!r)
                r = process_take_ops(p, ret_why);
        if (!r)
                r = lanes_room(p);
        series_prepare(p);
        for (uint32_t i = 0; !r && i < lane_count(p); i++) {
                r = lane_round(p, i, now_ns, &n, ret_why);
                all += n;
                if (n > fullest)
                        fullest = n;
        }
        p->dirty |= all != 0;
        if (!r)
                r = ledger_round(p, ret_why);
        if (!r)
                r = told_round(p);
        if (!r)
                p->dirty |= outside_take(&p->outside, p->pid, now_ns);
        *ret_n = all;
        *ret_fullest = fullest;
        return r;
}

/* The segment is about to go. */
static void keep_hists(struct process *p)
{
        if (p->segment.map && !waits_end(p))
                (void)sites_end(p); /* without memory some go without */
}

void process_cut(struct process *p, const char *why)
{
        uint64_t now = ifp_ticks();

        p->state = PROCESS_CUT;
        p->end = RUNFILE_END_CUT;
        p->end_ticks = now;
        free(p->reason);
        p->reason = strdup(why);
        for (uint32_t i = 0; i < p->n_lanes; i++)
                if (p->lanes[i].thread)
                        p->lanes[i].thread->dirty = true;
        p->dirty = true;
        process_sum(p);
        keep_hists(p);
        let_go(p);
}

/* From now on the fold tables are part of the distributions. */
static int folds_take(struct process *p, const char **ret_why)
{
        uint64_t buckets[IFP_HIST_BUCKETS];
        int r = 0;

        for (uint32_t i = 0; i < lane_count(p); i++) {
                const struct ifp_lane *lane = &p->segment.map->lanes[i];

                for (uint32_t k = 0; lane->n_folded && k < p->counts.n_ops * IFP_N_PHASES; k++) {
                        struct fold f = {.min = UINT64_MAX};
                        struct drain_hist *h;

                        if (!lane->fold[k / IFP_N_PHASES][k % IFP_N_PHASES])
                                continue;
                        memset(buckets, 0, sizeof(buckets));
                        r = fold_read(&p->segment, lane, k / IFP_N_PHASES, k % IFP_N_PHASES,
                                      buckets, &f, ret_why);
                        if (r)
                                return r;
                        h = drain_get(&p->drain, k / IFP_N_PHASES, k % IFP_N_PHASES);
                        for (uint32_t b = 0; h && b < IFP_HIST_BUCKETS; b++)
                                if (buckets[b] && drain_hist_add(h, b, buckets[b]) < 0)
                                        h = NULL;
                        if (!h)
                                return -ENOMEM;
                        h->count += f.count;
                        h->folded += f.count;
                        h->sumsq += f.sumsq;
                        if (f.min < h->min)
                                h->min = f.min;
                        if (f.max > h->max)
                                h->max = f.max;
                }
        }
        return 0;
}

static void end_ticks_take(struct process *p)
{
        const struct ifp_live *live = &p->segment.map->live;
        uint64_t now = ifp_ticks(), told = live->end_ticks;

        p->end_ticks = live->exiting && told > p->clock.start_ticks && told <= now ? told : now;
}

void process_end(struct process *p, enum runfile_end end, int value, uint64_t now_ns)
{
        const char *why = "";
        int r;

        end_ticks_take(p);
        r = segment_count(&p->segment, &p->counts, &why);
        if (!r)
                r = process_take_ops(p, &why);
        if (!r)
                r = lanes_room(p);
        series_prepare(p);
        for (uint32_t i = 0; !r && i < lane_count(p); i++)
                r = lane_finish(p, i, &why);
        if (!r)
                r = process_tick(p, now_ns, &why);
        series_prepare(p); /* of ops that are newer still */
        if (!r)
                r = folds_take(p, &why);
        if (!r)
                r = heap_end(p, &why);
        if (!r)
                kernel_off_resolve(p, true);
        if (!r)
                r = places_take(p, false);
        if (p->crowd.thread) {
                p->crowd.thread->ended = true;
                p->crowd.thread->end_ticks = p->end_ticks;
        }
        p->segment_bytes = segment_resident(&p->segment);
        if (r) {
                process_cut(p, r < 0 ? "the daemon ran out of memory" : why);
                return;
        }
        elsewhere_take(p);
        waits_note(p);
        shapes_note(p);
        layers_note(p);
        experts_note(p);
        pattern_take(p);
        p->state = PROCESS_ENDED;
        p->end = end;
        p->end_value = value;
        p->dirty = true;
        keep_hists(p);
        let_go(p);
}

void process_hist(const struct process *p, uint32_t op, uint32_t phase, uint64_t *buckets,
                  struct process_hist *ret)
{
        const struct drain_hist *h = drain_find(&p->drain, op, phase);
        struct process_hist sum = {.min = UINT64_MAX};
        const char *why;

        memset(buckets, 0, IFP_HIST_BUCKETS * sizeof(*buckets));
        if (h) {
                drain_hist_flatten(h, buckets);
                sum = (struct process_hist){.count = h->count,
                                            .min = h->min,
                                            .max = h->max,
                                            .left = h->left,
                                            .folded = h->folded,
                                            .sumsq = h->sumsq};
        }
        for (uint32_t i = 0; p->segment.map && i < lane_count(p); i++) {
                const struct ifp_lane *lane = &p->segment.map->lanes[i];
                struct fold f = {.min = sum.min, .max = sum.max};

                if (!lane->n_folded || fold_read(&p->segment, lane, op, phase, buckets, &f, &why))
                        continue;
                sum.count += f.count;
                sum.folded += f.count;
                sum.sumsq += f.sumsq;
                sum.min = f.min;
                sum.max = f.max;
        }
        *ret = sum;
}

uint64_t process_lost(const struct process *p)
{
        uint64_t known = p->drained + p->drained_before + p->now.folded + p->in_flight;

        return p->state == PROCESS_ENDED && p->now.spans > known ? p->now.spans - known : 0;
}

uint64_t process_duration_ns(const struct process *p)
{
        return clock_since_start_ns(&p->clock,
                                    p->state == PROCESS_LIVE ? ifp_ticks() : p->end_ticks);
}

static void rule_add(struct process *p, const char *glob, bool on)
{
        struct rule *rules;
        char *copy;

        if (!strcmp(glob, "*")) { /* nothing said before matters any more */
                for (uint32_t i = 0; i < p->n_rules; i++)
                        free(p->rules[i].glob);
                p->n_rules = 0;
                p->segment.map->live.daemon_default_switch = !on;
        }
        rules = realloc(p->rules, (p->n_rules + 1) * sizeof(*rules));
        copy = strdup(glob);
        if (rules)
                p->rules = rules;
        if (rules && copy)
                p->rules[p->n_rules++] = (struct rule){.glob = copy, .on = on};
        else
                free(copy);
}

static void note_pause(struct process *p)
{
        char *text = strdup(
                "ops were switched off for a time (infprof pause): their calls meanwhile are "
                "neither counted nor timed, and are part of the op around them");

        if (text)
                p->notes[p->n_notes++] = text;
        p->was_paused = true;
}

uint32_t process_switch(struct process *p, const char *glob, bool on, uint32_t *ret_matching)
{
        uint32_t changed = 0, matching = 0;

        if (!p->segment.map) {
                *ret_matching = 0;
                return 0;
        }
        rule_add(p, glob, on);
        for (uint32_t i = IFP_OP_FIRST; i < p->n_ops; i++) {
                uint8_t *s = &p->segment.map->switches[i];

                if (fnmatch(glob, p->ops[i].name, 0))
                        continue;
                matching++;
                changed += __atomic_exchange_n(s, on, __ATOMIC_RELAXED) != on;
        }
        if (changed && !on && !p->was_paused)
                note_pause(p);
        p->dirty = true;
        *ret_matching = matching;
        return changed;
}

uint32_t process_n_off(const struct process *p)
{
        uint32_t n = 0;

        for (uint32_t i = IFP_OP_FIRST; p->segment.map && i < p->n_ops; i++)
                n += !p->segment.map->switches[i];
        return n;
}
