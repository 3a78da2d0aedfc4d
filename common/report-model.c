/* SPDX-License-Identifier: MIT */
/*
 * Loading a run file. Rows come in the order of their keys, so what they refer
 * to is found by bisection; a row that refers to nothing is damage, for a
 * writer puts both sides in one transaction.
 */
#include "common/report-model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <infprof/segment.h>

#include "common/cleanup.h"
#include "common/hist.h"
#include "common/runfile-private.h"

struct loader {
        struct model *model;
        struct runfile *rf;
        char *why; /* of what is found wrong here */
};

uint64_t sum_u64(uint64_t a, uint64_t b)
{
        uint64_t s;

        return __builtin_add_overflow(a, b, &s) || s > INT64_MAX ? INT64_MAX : s;
}

int64_t sum_i64(int64_t a, int64_t b)
{
        int64_t s;

        return !__builtin_add_overflow(a, b, &s) ? s : b < 0 ? INT64_MIN : INT64_MAX;
}

void figures_init(struct figures *f)
{
        *f = (struct figures){.min_ns = UINT64_MAX, .sums_known = true};
}

void figures_done(struct figures *f)
{
        free(f->points.at);
        f->points = (struct points){0};
}

void alloc_add(struct runfile_alloc *to, const struct runfile_alloc *a)
{
        to->calls = sum_u64(to->calls, a->calls);
        to->asked_bytes = sum_u64(to->asked_bytes, a->asked_bytes);
        to->usable_bytes = sum_u64(to->usable_bytes, a->usable_bytes);
        to->frees = sum_u64(to->frees, a->frees);
        to->freed_bytes = sum_u64(to->freed_bytes, a->freed_bytes);
        to->failed = sum_u64(to->failed, a->failed);
        to->maps = sum_u64(to->maps, a->maps);
        to->mapped_bytes = sum_u64(to->mapped_bytes, a->mapped_bytes);
}

int points_add(struct points *to, const struct points *points)
{
        for (size_t i = 0; i < points->n; i++) {
                struct point *p = GROW(&to->at, &to->n, &to->room);

                if (!p)
                        return -ENOMEM;
                *p = points->at[i];
                to->count = sum_u64(to->count, p->count);
        }
        return 0;
}

int figures_add(struct figures *to, const struct figures *f)
{
        to->timed = sum_u64(to->timed, f->timed);
        to->untimed = sum_u64(to->untimed, f->untimed);
        to->total_ns = sum_u64(to->total_ns, f->total_ns);
        to->child_ns = sum_u64(to->child_ns, f->child_ns);
        if (f->min_ns < to->min_ns)
                to->min_ns = f->min_ns;
        if (f->max_ns > to->max_ns)
                to->max_ns = f->max_ns;
        to->sum_ns += f->sum_ns;
        to->sumsq_ns2 += f->sumsq_ns2;
        to->sums_known &= f->sums_known;
        to->left = sum_u64(to->left, f->left);
        to->folded = sum_u64(to->folded, f->folded);
        alloc_add(&to->alloc, &f->alloc);
        return points_add(&to->points, &f->points);
}

int points_add_hist(struct points *to, const uint64_t *hist, uint64_t ticks_per_second)
{
        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++) {
                struct point *p;

                if (!hist[i])
                        continue;
                p = GROW(&to->at, &to->n, &to->room);
                if (!p)
                        return -ENOMEM;
                p->ns = (uint64_t)((unsigned __int128)hist_middle(i) * 1000000000u /
                                   ticks_per_second);
                p->count = hist[i];
                to->count = sum_u64(to->count, hist[i]);
        }
        return 0;
}

size_t model_process_index(const struct model *m, const struct runfile *rf, const char *table,
                           uint32_t process, char **why)
{
        const struct runfile_process *p = model_process(m, process);

        if (p)
                return (size_t)(p - m->processes);
        runfile_explain(why, RUNFILE_E_FOREIGN,
                        "'%s' is damaged: table %s speaks of process %u, which is not there; it "
                        "cannot be used",
                        rf->path, table, process);
        return SIZE_MAX;
}

int model_dangling(const struct runfile *rf, const char *table, const char *what, uint32_t process,
                   uint32_t number, char **why)
{
        return runfile_explain(why, RUNFILE_E_FOREIGN,
                               "'%s' is damaged: table %s speaks of %s %u of process %u, which is "
                               "not there; it cannot be used",
                               rf->path, table, what, number, process);
}

static int copy_text(const char **text)
{
        if (!*text)
                return 0;
        *text = strdup(*text);
        return *text ? 0 : -ENOMEM;
}

static int load_process(const struct runfile_process *row, void *userdata)
{
        struct loader *l = userdata;
        struct model *m = l->model;
        struct runfile_process *p = GROW(&m->processes, &m->n_processes, &m->room_processes);

        if (!p)
                return -ENOMEM;
        *p = *row;
        p->uuid = NULL;
        return copy_text(&p->command) | copy_text(&p->exe) | copy_text(&p->reason) |
                               copy_text(&p->allocator_library) | copy_text(&p->blas_core)
                       ? -ENOMEM
                       : 0;
}

static int compare_process(const void *key, const void *item)
{
        uint32_t index = *(const uint32_t *)key;
        const struct runfile_process *p = item;

        return index < p->index ? -1 : index > p->index;
}

int64_t model_peak_bytes(const struct runfile_process *p)
{
        return p->peak_bytes > p->live_bytes ? p->peak_bytes : p->live_bytes;
}

const struct runfile_process *model_larger(const struct runfile_process *first,
                                           const struct runfile_process *second)
{
        return first && model_peak_bytes(first) >= model_peak_bytes(second) ? first : second;
}

const struct runfile_process *model_process(const struct model *m, uint32_t index)
{
        return m->n_processes ? bsearch(&index, m->processes, m->n_processes, sizeof(*m->processes),
                                        compare_process)
                              : NULL;
}

static uint32_t hash_text(uint32_t h, const char *s)
{
        for (; s && *s; s++)
                h = (h ^ (uint8_t)*s) * 16777619u;
        return (h ^ 0xff) * 16777619u;
}

static bool same_text(const char *a, const char *b)
{
        return a && b ? !strcmp(a, b) : a == b;
}

static int find_op(struct model *m, const struct runfile_op *row, uint32_t *ret_index)
{
        uint32_t h =
                hash_text(hash_text(hash_text(2166136261u, row->name), row->kernel), row->library);
        struct model_op **bucket = &m->buckets[h % MODEL_BUCKETS], *op, **slot;

        for (op = *bucket; op; op = op->next)
                if (same_text(op->name, row->name) && same_text(op->kernel, row->kernel) &&
                    same_text(op->library, row->library) && op->kind == row->kind) {
                        *ret_index = op->index;
                        return 0;
                }
        op = calloc(1, sizeof(*op));
        slot = op ? GROW(&m->ops, &m->n_ops, &m->room_ops) : NULL;
        if (!slot) {
                free(op);
                return -ENOMEM;
        }
        *slot = op;
        op->index = (uint32_t)(m->n_ops - 1);
        op->next = *bucket;
        *bucket = op;
        op->kind = row->kind;
        for (int i = 0; i < IFP_N_PHASES; i++)
                figures_init(&op->phase[i]);
        op->name = strdup(row->name);
        op->kernel = row->kernel ? strdup(row->kernel) : NULL;
        op->library = row->library ? strdup(row->library) : NULL;
        if (!op->name || !op->kernel != !row->kernel || !op->library != !row->library)
                return -ENOMEM;
        *ret_index = op->index;
        return 0;
}

static int load_op(const struct runfile_op *row, void *userdata)
{
        struct loader *l = userdata;
        struct model *m = l->model;
        struct model_op_ref *ref;
        uint32_t index;
        int r;

        if (!model_process(m, row->process))
                return model_dangling(l->rf, "op", "op", row->process, row->op, &l->why);
        if (row->op == 0)
                return 0;
        r = find_op(m, row, &index);
        if (r)
                return r;
        m->ops[index]->hot |= row->hot;
        m->ops[index]->threads = sum_u64(m->ops[index]->threads, row->threads);
        ref = GROW(&m->refs, &m->n_refs, &m->room_refs);
        if (!ref)
                return -ENOMEM;
        *ref = (struct model_op_ref){row->process, row->op, index};
        return 0;
}

static int compare_ref(const void *key, const void *item)
{
        const struct model_op_ref *a = key, *b = item;

        if (a->process != b->process)
                return a->process < b->process ? -1 : 1;
        return a->op < b->op ? -1 : a->op > b->op;
}

struct model_op *model_op(const struct model *m, uint32_t process, uint32_t op)
{
        struct model_op_ref key = {process, op, 0}, *ref;

        ref = m->n_refs ? bsearch(&key, m->refs, m->n_refs, sizeof(key), compare_ref) : NULL;
        return ref ? m->ops[ref->to] : NULL;
}

static int load_op_phase(const struct runfile_op_phase *row, void *userdata)
{
        struct loader *l = userdata;
        struct model *m = l->model;
        const struct runfile_process *p = model_process(m, row->process);
        struct model_op *op = model_op(m, row->process, row->op);
        struct figures f = {
                .timed = row->timed,
                .untimed = row->untimed,
                .total_ns = row->total_ns,
                .child_ns = row->child_ns,
                .min_ns = row->min_ns,
                .max_ns = row->max_ns,
                .sum_ns = row->sum_ns,
                .sumsq_ns2 = row->sumsq_ns2,
                .left = row->left,
                .folded = row->folded,
                .alloc = row->alloc,
        };
        int r = 0;

        if (!p || (!op && row->op))
                return model_dangling(l->rf, "op_phase", "op", row->process, row->op, &l->why);
        if (row->hist && p->ticks_per_second)
                r = points_add_hist(&f.points, row->hist, p->ticks_per_second);
        /* Where all timed calls are in the histogram, their sum is known without it. */
        if (f.sum_ns == 0 && f.points.count == f.timed)
                f.sum_ns = (double)f.total_ns;
        f.sums_known = !f.points.count || f.sum_ns > 0;
        if (!r)
                r = figures_add(op ? &op->phase[row->phase] : &m->none[row->phase], &f);
        figures_done(&f);
        return r;
}

static int load_thread(const struct runfile_thread *row, void *userdata)
{
        struct loader *l = userdata;
        struct model *m = l->model;
        struct model_thread *t;

        if (!model_process(m, row->process))
                return model_dangling(l->rf, "thread", "thread", row->process, row->thread,
                                      &l->why);
        t = GROW(&m->threads, &m->n_threads, &m->room_threads);
        if (!t)
                return -ENOMEM;
        t->row = *row;
        t->n = 1;
        return copy_text(&t->row.name);
}

struct later {
        const struct runfile_process *p;
        uint64_t n; /* threads that were made */
};

static int leave_out(const struct runfile_spawn *row, void *userdata)
{
        struct later *l = userdata;

        if (row->process == l->p->index && row->count < l->n &&
            (row->kind == IFP_SPAWN_FORK || row->kind == IFP_SPAWN_VFORK ||
             row->kind == IFP_SPAWN_POSIX))
                l->n -= row->count;
        return 0;
}

/* How many share a row, is what was made and has none: all but the first thread were made. */
static int count_later(struct model *m, struct runfile *rf)
{
        int r = 0;

        for (size_t i = 0; i < m->n_threads && !r; i++) {
                struct model_thread *t = &m->threads[i];
                struct later l = {.p = model_process(m, t->row.process)};
                uint64_t n = 0;

                if (t->row.thread != RUNFILE_LATER)
                        continue;
                l.n = sum_u64(l.p->spawns, 1);
                r = runfile_each_spawn(rf, leave_out, &l);
                for (size_t k = 0; k < m->n_threads; k++)
                        n += k != i && m->threads[k].row.process == t->row.process;
                t->n = l.n > n ? l.n - n : 1;
        }
        return r;
}

static int compare_thread(const void *key, const void *item)
{
        const struct model_thread *a = key, *b = item;

        if (a->row.process != b->row.process)
                return a->row.process < b->row.process ? -1 : 1;
        return a->row.thread < b->row.thread ? -1 : a->row.thread > b->row.thread;
}

static int load_thread_op(const struct runfile_thread_op *row, void *userdata)
{
        struct loader *l = userdata;
        struct model *m = l->model;
        struct model_op *op = model_op(m, row->process, row->op);
        struct model_thread key = {.row = {.process = row->process, .thread = row->thread}}, *t;
        struct model_thread_op *to;

        t = m->n_threads ? bsearch(&key, m->threads, m->n_threads, sizeof(key), compare_thread)
                         : NULL;
        if (!t)
                return model_dangling(l->rf, "thread_op", "thread", row->process, row->thread,
                                      &l->why);
        if (!row->op)
                return 0; /* what was allocated outside any op is in the thread's own row */
        if (!op)
                return model_dangling(l->rf, "thread_op", "op", row->process, row->op, &l->why);
        if (row->timed || row->untimed)
                op->phase[row->phase].threads++;
        to = GROW(&t->ops, &t->n_ops, &t->room_ops);
        if (!to)
                return -ENOMEM;
        to->op = op->index;
        to->phase = row->phase;
        to->figures = (struct figures){
                .timed = row->timed,
                .untimed = row->untimed,
                .total_ns = row->total_ns,
                .child_ns = row->child_ns,
                .min_ns = row->min_ns,
                .max_ns = row->max_ns,
                .alloc = row->alloc,
        };
        return 0;
}

static int load_site(const struct runfile_site *row, void *userdata)
{
        struct loader *l = userdata;
        struct model *m = l->model;
        struct model_site *s = GROW(&m->sites, &m->n_sites, &m->room_sites);

        if (!s)
                return -ENOMEM;
        s->row = *row;
        return copy_text(&s->row.function) | copy_text(&s->row.library) ? -ENOMEM : 0;
}

static int compare_site(const void *key, const void *item)
{
        const struct model_site *a = key, *b = item;

        if (a->row.process != b->row.process)
                return a->row.process < b->row.process ? -1 : 1;
        return a->row.site < b->row.site ? -1 : a->row.site > b->row.site;
}

const struct model_site *model_site(const struct model *m, uint32_t process, uint32_t site)
{
        struct model_site key = {.row = {.process = process, .site = site}};

        return m->n_sites ? bsearch(&key, m->sites, m->n_sites, sizeof(key), compare_site) : NULL;
}

const struct model_site *model_thread_site(const struct model *m, const struct model_thread *t)
{
        return t->row.site >= 0 && t->row.site <= UINT32_MAX
                       ? model_site(m, t->row.process, (uint32_t)t->row.site)
                       : NULL;
}

static int load_note(const struct runfile_note *row, void *userdata)
{
        struct loader *l = userdata;
        struct model *m = l->model;
        char **note;

        for (size_t i = 0; i < m->n_notes; i++)
                if (!strcmp(m->notes[i], row->text))
                        return 0; /* the same of several processes */
        note = GROW(&m->notes, &m->n_notes, &m->room_notes);
        if (!note)
                return -ENOMEM;
        *note = strdup(row->text);
        return *note ? 0 : -ENOMEM;
}

int model_load(struct model *ret, struct runfile *rf, char **ret_why)
{
        struct loader l = {.model = ret, .rf = rf};
        int r;

        *ret = (struct model){0};
        for (int i = 0; i < IFP_N_PHASES; i++)
                figures_init(&ret->none[i]);
        r = runfile_get_run(rf, &ret->run);
        if (!r)
                r = runfile_each_process(rf, load_process, &l);
        if (!r)
                r = runfile_each_op(rf, load_op, &l);
        if (!r)
                r = runfile_each_op_phase(rf, load_op_phase, &l);
        if (!r)
                r = runfile_each_thread(rf, load_thread, &l);
        if (!r)
                r = count_later(ret, rf);
        if (!r)
                r = runfile_each_thread_op(rf, load_thread_op, &l);
        if (!r)
                r = runfile_each_site(rf, load_site, &l);
        if (!r)
                r = runfile_each_note(rf, load_note, &l);
        if (r)
                runfile_explain(ret_why, r, "%s", l.why ? l.why : runfile_why(rf));
        free(l.why);
        return r;
}

void model_done(struct model *m)
{
        for (size_t i = 0; i < m->n_processes; i++) {
                free((char *)m->processes[i].command);
                free((char *)m->processes[i].exe);
                free((char *)m->processes[i].reason);
                free((char *)m->processes[i].allocator_library);
                free((char *)m->processes[i].blas_core);
        }
        for (size_t i = 0; i < m->n_ops; i++) {
                struct model_op *op = m->ops[i];

                for (int p = 0; p < IFP_N_PHASES; p++)
                        figures_done(&op->phase[p]);
                free(op->name);
                free(op->kernel);
                free(op->library);
                free(op);
        }
        for (size_t i = 0; i < m->n_threads; i++) {
                free((char *)m->threads[i].row.name);
                free(m->threads[i].ops);
        }
        for (size_t i = 0; i < m->n_sites; i++) {
                free((char *)m->sites[i].row.function);
                free((char *)m->sites[i].row.library);
        }
        for (size_t i = 0; i < m->n_notes; i++)
                free(m->notes[i]);
        for (int p = 0; p < IFP_N_PHASES; p++)
                figures_done(&m->none[p]);
        free(m->processes);
        free(m->ops);
        free(m->refs);
        free(m->threads);
        free(m->sites);
        free(m->notes);
}
