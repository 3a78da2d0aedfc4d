/* SPDX-License-Identifier: MIT */
/*
 * Loading the ledger of decode steps, summed over the processes that decode, and the slowest steps.
 *
 * Rows sum to their wall time, always: what a file's rows leave over is unaccounted for, and what
 * they are too much (rounding of ticks to ns, a look between two writes) is taken off that row and,
 * if need be, off the largest. Where the kernel's view was not there, so are its rows not.
 */
#include "common/report-work-private.h"

#include <errno.h>

#include "common/report-private.h"

static int load_ledger(const struct runfile_ledger *row, void *userdata)
{
        struct work *w = userdata;
        struct work_ledger *l = &w->ledger;
        size_t process = work_process(w, "ledger", row->process);

        if (process == NONE)
                return RUNFILE_E_FOREIGN;
        if (!row->steps)
                return 0;
        l->n_processes++;
        l->n_kernel += row->kernel;
        w->processes[process].has_kernel = row->kernel;
        l->steps = sum_u64(l->steps, row->steps);
        l->tokens = sum_u64(l->tokens, row->tokens);
        l->dropped = sum_u64(l->dropped, row->dropped);
        l->all_ns = sum_u64(l->all_ns, row->all_ns);
        l->wall.count = sum_u64(l->wall.count, row->steps);
        l->wall.total_ns = sum_u64(l->wall.total_ns, row->wall_ns);
        return spread_add_hist(&l->wall, row->hist, w->model.processes[process].ticks_per_second);
}

static int load_ledger_row(const struct runfile_ledger_row *row, void *userdata)
{
        struct work *w = userdata;
        size_t process = work_process(w, "ledger_row", row->process);
        struct work_row *to = &w->ledger.rows[row->who][row->row];

        if (process == NONE)
                return RUNFILE_E_FOREIGN;
        to->total_ns = sum_u64(to->total_ns, row->total_ns);
        return spread_add_hist(&to->spread, row->hist,
                               w->model.processes[process].ticks_per_second);
}

static int load_ledger_thread(const struct runfile_ledger_thread *row, void *userdata)
{
        struct work *w = userdata;
        size_t t = work_thread(w, row->process, row->thread);

        if (work_process(w, "ledger_thread", row->process) == NONE)
                return RUNFILE_E_FOREIGN;
        if (t == NONE)
                return work_dangling(w, "ledger_thread", "thread", row->process, row->thread);
        w->threads[t].rows[row->row] = row->total_ns;
        if (row->steps > w->threads[t].steps)
                w->threads[t].steps = row->steps;
        return 0;
}

static int load_slow(const struct runfile_slow_token *row, void *userdata)
{
        struct work *w = userdata;
        struct work_slow *s;

        if (work_process(w, "slow_token", row->process) == NONE)
                return RUNFILE_E_FOREIGN;
        s = GROW(&w->slow, &w->n_slow, &w->room_slow);
        if (!s)
                return -ENOMEM;
        s->row = *row;
        return 0;
}

static int compare_slot(const void *key, const void *item)
{
        const struct work_slow *a = key, *b = item;

        if (a->row.process != b->row.process)
                return a->row.process < b->row.process ? -1 : 1;
        return a->row.slot < b->row.slot ? -1 : a->row.slot > b->row.slot;
}

static int load_slow_row(const struct runfile_slow_token_row *row, void *userdata)
{
        struct work *w = userdata;
        struct work_slow key = {.row = {.process = row->process, .slot = row->slot}}, *s = NULL;

        if (w->n_slow)
                s = bsearch(&key, w->slow, w->n_slow, sizeof(key), compare_slot);
        if (!s)
                return work_dangling(w, "slow_token_row", "slow token", row->process, row->slot);
        s->rows[row->who][row->row] = row->ns;
        return 0;
}

/* Returns by how much the rows were wrong. */
static uint64_t settle(uint64_t *rows[IFP_N_LEDGER], uint64_t wall_ns)
{
        uint64_t sum = 0, over;

        for (int i = 0; i < IFP_N_LEDGER; i++)
                sum = sum_u64(sum, *rows[i]);
        if (sum <= wall_ns) {
                *rows[IFP_LEDGER_UNACCOUNTED] += wall_ns - sum;
                return wall_ns - sum;
        }
        /* Of a file whose sums leave what a number can say, rows are too long by more than `over`:
           so until they fit. */
        over = sum - wall_ns;
        for (;;) {
                int most = IFP_LEDGER_UNACCOUNTED;
                unsigned __int128 all = 0;
                uint64_t off;

                for (int i = 0; i < IFP_N_LEDGER; i++)
                        all += *rows[i];
                if (all <= wall_ns)
                        break;
                for (int i = 0; i < IFP_N_LEDGER && !*rows[IFP_LEDGER_UNACCOUNTED]; i++)
                        if (*rows[i] > *rows[most])
                                most = i;
                off = all - wall_ns > *rows[most] ? *rows[most] : (uint64_t)(all - wall_ns);
                *rows[most] -= off;
        }
        return over;
}

static void settle_all(struct work *w)
{
        struct work_ledger *l = &w->ledger;

        for (int who = 0; who < IFP_N_LEDGER_WHO; who++) {
                uint64_t *rows[IFP_N_LEDGER], wrong;

                for (int i = 0; i < IFP_N_LEDGER; i++) {
                        rows[i] = &l->rows[who][i].total_ns;
                        if (!l->n_kernel && work_is_kernel_row(i))
                                *rows[i] = 0;
                }
                wrong = settle(rows, who == IFP_LEDGER_ALL ? l->all_ns : l->wall.total_ns);
                l->settled_ns = wrong > l->settled_ns ? wrong : l->settled_ns;
                for (size_t s = 0; s < w->n_slow; s++) {
                        size_t process = (size_t)(model_process(&w->model, w->slow[s].row.process) -
                                                  w->model.processes);

                        for (int i = 0; i < IFP_N_LEDGER; i++) {
                                rows[i] = &w->slow[s].rows[who][i];
                                if (!w->processes[process].has_kernel && work_is_kernel_row(i))
                                        *rows[i] = 0;
                        }
                        settle(rows, who == IFP_LEDGER_ALL ? w->slow[s].row.all_ns
                                                           : w->slow[s].row.wall_ns);
                }
        }
}

static int compare_slow(const void *a, const void *b)
{
        const struct work_slow *p = a, *q = b;

        if (p->row.wall_ns != q->row.wall_ns)
                return p->row.wall_ns > q->row.wall_ns ? -1 : 1;
        return compare_slot(a, b);
}

int work_load_ledger(struct work *w)
{
        struct work_ledger *l = &w->ledger;
        int r;

        spread_init(&l->wall);
        for (int who = 0; who < IFP_N_LEDGER_WHO; who++)
                for (int i = 0; i < IFP_N_LEDGER; i++)
                        spread_init(&l->rows[who][i].spread);
        r = runfile_each_ledger(w->rf, load_ledger, w);
        if (!r)
                r = runfile_each_ledger_row(w->rf, load_ledger_row, w);
        if (!r)
                r = runfile_each_ledger_thread(w->rf, load_ledger_thread, w);
        if (!r)
                r = runfile_each_slow_token(w->rf, load_slow, w);
        if (!r)
                r = runfile_each_slow_token_row(w->rf, load_slow_row, w);
        if (r)
                return r;
        settle_all(w);
        if (w->n_slow)
                qsort(w->slow, w->n_slow, sizeof(*w->slow), compare_slow);
        spread_settle(&l->wall);
        if (w->n_slow && l->wall.points.n && w->slow[0].row.wall_ns > l->wall.max_ns)
                l->wall.max_ns =
                        w->slow[0].row.wall_ns; /* exact, where the bucket's middle is not */
        for (int who = 0; who < IFP_N_LEDGER_WHO; who++)
                for (int i = 0; i < IFP_N_LEDGER; i++)
                        spread_settle(&l->rows[who][i].spread);
        return 0;
}

void work_ledger_done(struct work *w)
{
        spread_done(&w->ledger.wall);
        for (int who = 0; who < IFP_N_LEDGER_WHO; who++)
                for (int i = 0; i < IFP_N_LEDGER; i++)
                        spread_done(&w->ledger.rows[who][i].spread);
        free(w->slow);
}
