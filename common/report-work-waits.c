/* SPDX-License-Identifier: MIT */
/*
 * Loading what threads waited for.
 */
#include "common/report-work-private.h"

#include <errno.h>

#include "common/report-private.h"

static int load_thread_wait(const struct runfile_thread_wait *row, void *userdata)
{
        struct work *w = userdata;
        size_t process = work_process(w, "thread_wait", row->process);
        size_t t = work_thread(w, row->process, row->thread);

        if (process == NONE)
                return RUNFILE_E_FOREIGN;
        if (t == NONE)
                return work_dangling(w, "thread_wait", "thread", row->process, row->thread);
        w->threads[t].wait_count[row->kind] = row->count;
        w->threads[t].wait_ns[row->kind] = row->total_ns;
        return 0;
}

static bool same_site(const struct work_wait_site *a, const struct work_wait_site *b)
{
        return a->hash == b->hash && a->kind == b->kind && a->phase == b->phase &&
               a->one == b->one && a->n_frames == b->n_frames && merge_same_text(a->op, b->op) &&
               (!a->n_frames || !memcmp(a->frames, b->frames, a->n_frames * sizeof(*a->frames)));
}

/* Takes the frames of `key` over. */
static int find_site(struct work *w, struct work_wait_site *key, size_t *ret)
{
        struct work_wait_site *s;
        uint32_t h = merge_hash(merge_hash_text(MERGE_SEED, key->op),
                                key->kind << 8 | key->phase << 1 | key->one);

        for (size_t i = 0; i < key->n_frames; i++)
                h = merge_hash(h, key->frames[i]);
        key->hash = h;
        for (uint32_t i = merge_first(&w->wait_site_buckets, h); i; i = w->wait_sites[i - 1].next)
                if (same_site(&w->wait_sites[i - 1], key)) {
                        free(key->frames);
                        *ret = i - 1;
                        return 0;
                }
        s = GROW(&w->wait_sites, &w->n_wait_sites, &w->room_wait_sites);
        if (!s) {
                free(key->frames);
                return -ENOMEM;
        }
        *s = *key;
        *ret = w->n_wait_sites - 1;
        return MERGE_PUT_NEW(&w->wait_site_buckets, w->wait_sites, w->n_wait_sites);
}

static int load_wait(const struct runfile_wait *row, void *userdata)
{
        struct work *w = userdata;
        size_t process = work_process(w, "wait", row->process), site = 0;
        const struct model_op *op = row->op ? model_op(&w->model, row->process, row->op) : NULL;
        struct work_wait_site key = {.kind = row->kind, .phase = row->phase, .one = row->one};
        struct work_wait *to;
        bool failed = false;
        int r;

        if (process == NONE)
                return RUNFILE_E_FOREIGN;
        if (row->op && !op)
                return work_dangling(w, "wait", "op", row->process, row->op);
        key.op = op ? op->name : NULL;
        r = frames_read(&w->frames, w->rf, "wait", row->process, row->wait, row->frames,
                        &key.frames, &key.n_frames, &w->why);
        if (!r)
                r = find_site(w, &key, &site);
        if (r)
                return r;
        w->wait_sites[site].total_ns = sum_u64(w->wait_sites[site].total_ns, row->total_ns);
        to = GROW(&w->waits, &w->n_waits, &w->room_waits);
        if (!to)
                return -ENOMEM;
        *to = (struct work_wait){
                .process = process,
                .kind = row->kind,
                .phase = row->phase,
                .op = op,
                .thread = work_thread(w, row->process, row->thread),
                .object = row->object,
                .library = merge_copy_text(row->object_library, &failed),
                .offset = row->object_offset,
                .spins = row->spins,
                .shared = row->shared,
                .behind = row->behind,
                .spread = {.count = row->count,
                           .total_ns = row->total_ns,
                           .min_ns = row->min_ns,
                           .max_ns = row->max_ns},
                .left = row->left,
                .timeouts = row->timeouts,
                .last = row->last,
                .unknown = row->unknown,
                .unknown_ns = row->unknown_ns,
                .others = row->others,
                .others_ns = row->others_ns,
                .site = site,
        };
        if (failed)
                return -ENOMEM;
        r = spread_add_hist(&to->spread, row->hist, w->model.processes[process].ticks_per_second);
        return r ? r : merge_add_ref(&w->wait_refs, row->process, row->wait, w->n_waits - 1);
}

static int load_wait_by(const struct runfile_wait_by *row, void *userdata)
{
        struct work *w = userdata;
        const struct merge_ref *ref = merge_find_ref(&w->wait_refs, row->process, row->wait);
        const struct model_op *op = row->op ? model_op(&w->model, row->process, row->op) : NULL;
        struct work_wait *to;

        if (!ref)
                return work_dangling(w, "wait_by", "wait", row->process, row->wait);
        if (row->op && !op)
                return work_dangling(w, "wait_by", "op", row->process, row->op);
        to = &w->waits[ref->to];
        if (to->n_by < IFP_WAIT_BY)
                to->by[to->n_by++] =
                        (struct work_by){work_thread(w, row->process, row->thread),
                                         op ? op->name : NULL, row->count, row->total_ns};
        return 0;
}

static int load_wait_now(const struct runfile_wait_now *row, void *userdata)
{
        struct work *w = userdata;
        size_t t = work_thread(w, row->process, row->thread);
        const struct merge_ref *ref =
                row->wait >= 0 && row->wait <= UINT32_MAX
                        ? merge_find_ref(&w->wait_refs, row->process, (uint32_t)row->wait)
                        : NULL;

        if (work_process(w, "wait_now", row->process) == NONE)
                return RUNFILE_E_FOREIGN;
        if (t == NONE)
                return work_dangling(w, "wait_now", "thread", row->process, row->thread);
        w->threads[t].now.kind = row->kind;
        w->threads[t].now.object = row->object;
        w->threads[t].now.since_ns = row->since_ns;
        w->threads[t].now.for_ns = row->for_ns;
        w->threads[t].now.wait = ref ? ref->to : NONE;
        w->threads[t].now.by = work_thread(w, row->process, row->by_thread);
        if (ref && row->kind) {
                w->waits[ref->to].now++;
                w->waits[ref->to].now_ns = sum_u64(w->waits[ref->to].now_ns, row->for_ns);
        }
        return 0;
}

static int compare_sites(const void *a, const void *b, void *userdata)
{
        const struct work *w = userdata;
        size_t i = *(const size_t *)a, k = *(const size_t *)b;

        if (w->wait_sites[i].total_ns != w->wait_sites[k].total_ns)
                return w->wait_sites[i].total_ns > w->wait_sites[k].total_ns ? -1 : 1;
        return i < k ? -1 : i > k;
}

static int order_sites(struct work *w)
{
        size_t *order = calloc(w->n_wait_sites + 1, sizeof(*order));

        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < w->n_wait_sites; i++)
                order[i] = i;
        qsort_r(order, w->n_wait_sites, sizeof(*order), compare_sites, w);
        for (size_t i = 0; i < w->n_wait_sites; i++)
                w->wait_sites[order[i]].at = i;
        free(order);
        return 0;
}

int work_load_waits(struct work *w)
{
        int r = runfile_each_thread_wait(w->rf, load_thread_wait, w);

        if (!r)
                r = runfile_each_wait(w->rf, load_wait, w);
        if (!r)
                r = runfile_each_wait_by(w->rf, load_wait_by, w);
        if (!r)
                r = runfile_each_wait_now(w->rf, load_wait_now, w);
        return r ? r : order_sites(w);
}

void work_waits_done(struct work *w)
{
        for (size_t i = 0; i < w->n_waits; i++) {
                spread_done(&w->waits[i].spread);
                free(w->waits[i].library);
        }
        for (size_t i = 0; i < w->n_wait_sites; i++)
                free(w->wait_sites[i].frames);
        free(w->waits);
        free(w->wait_refs.at);
        free(w->wait_sites);
        free(w->wait_site_buckets.at);
}
