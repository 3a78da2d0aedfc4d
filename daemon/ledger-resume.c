/* SPDX-License-Identifier: MIT */
/*
 * The ledger of a process that another daemon read before: distributions go on from those in its
 * run file, and slow steps behind the newest that is there.
 */
#include <errno.h>
#include <stddef.h>

#include "common/runfile.h"
#include "daemon/process.h"

struct resume {
        struct ledger *l;
        uint32_t process;
        uint64_t newest;
        int r;
};

static int load_hist(struct drain_hist *h, const uint64_t *buckets)
{
        for (uint32_t i = 0; buckets && i < IFP_HIST_BUCKETS; i++) {
                if (!buckets[i])
                        continue;
                if (drain_hist_add(h, i, buckets[i]) < 0)
                        return -ENOMEM;
                h->count += buckets[i];
                h->min = h->min == UINT64_MAX ? ifp_hist_floor(i) : h->min;
                h->max = ifp_hist_floor(i) + ifp_hist_width(i) - 1;
        }
        return 0;
}

static int load_ledger(const struct runfile_ledger *row, void *userdata)
{
        struct resume *x = userdata;

        return row->process == x->process ? load_hist(&x->l->wall, row->hist) : 0;
}

static int load_row(const struct runfile_ledger_row *row, void *userdata)
{
        struct resume *x = userdata;

        if (row->process != x->process || row->who >= IFP_N_LEDGER_WHO || row->row >= IFP_N_LEDGER)
                return 0;
        return load_hist(&x->l->rows[row->who][row->row], row->hist);
}

/* Slots go round: the next one is behind the newest. */
static int load_slow(const struct runfile_slow_token *row, void *userdata)
{
        struct resume *x = userdata;

        if (row->process == x->process && row->slot < LEDGER_SLOW && row->number > x->newest) {
                x->newest = row->number;
                x->l->n_slow = x->l->written_slow = row->slot + 1;
        }
        return 0;
}

int ledger_resume(struct process *p, struct runfile *rf, uint32_t index)
{
        struct resume x = {.process = index};
        int r = ledger_look_for(p);

        if (r || !p->ledger)
                return r;
        x.l = p->ledger;
        r = runfile_each_ledger(rf, load_ledger, &x);
        if (r >= 0)
                r = runfile_each_ledger_row(rf, load_row, &x);
        if (r >= 0)
                r = runfile_each_slow_token(rf, load_slow, &x);
        return r < 0 ? r : 0;
}
