/* SPDX-License-Identifier: MIT */
/* Loading what a run file says of prompts and of tokens by KV length, and of tokens in time. */
#include "common/report-tokens-private.h"

#include <errno.h>

static struct tokens_process *process_of(struct tokens *t, const char *table, uint32_t process)
{
        size_t i = work_process(t->w, table, process);

        return i == NONE ? NULL : &t->processes[i];
}

static int load_kv(const struct runfile_kv *row, void *userdata)
{
        struct tokens_process *p = process_of(userdata, "kv", row->process);

        if (!p)
                return RUNFILE_E_FOREIGN;
        p->known = true;
        p->row = *row;
        return 0;
}

static int load_piece(const struct runfile_kv_piece *row, void *userdata)
{
        struct tokens_process *p = process_of(userdata, "kv_piece", row->process);

        if (!p)
                return RUNFILE_E_FOREIGN;
        p->pieces[row->piece] = *row;
        if (row->prompt || row->generated)
                p->n_pieces = row->piece + 1;
        return 0;
}

static int load_bin(const struct runfile_kv_bin *row, void *userdata)
{
        struct tokens_process *p = process_of(userdata, "kv_bin", row->process);

        if (!p)
                return RUNFILE_E_FOREIGN;
        p->bins[row->bin] = *row;
        p->n_tokens = sum_u64(p->n_tokens, row->tokens);
        return 0;
}

static int load_op(const struct runfile_kv_op *row, void *userdata)
{
        struct tokens *t = userdata;
        struct tokens_process *p = process_of(t, "kv_op", row->process);
        struct runfile_kv_op *o;

        if (!p)
                return RUNFILE_E_FOREIGN;
        if (!model_op(&t->w->model, row->process, row->op))
                return work_dangling(t->w, "kv_op", "op", row->process, row->op);
        if (!p->bins[row->bin].tokens)
                return work_dangling(t->w, "kv_op", "bin of tokens", row->process, row->bin);
        o = GROW(&p->ops, &p->n_ops, &p->room_ops);
        if (!o)
                return -ENOMEM;
        *o = *row;
        return 0;
}

int tokens_load(struct tokens *t, struct work *w)
{
        int r;

        *t = (struct tokens){.w = w};
        t->processes = calloc(w->model.n_processes + 1, sizeof(*t->processes));
        if (!t->processes)
                return -ENOMEM;
        r = runfile_each_kv(w->rf, load_kv, t);
        if (!r)
                r = runfile_each_kv_piece(w->rf, load_piece, t);
        if (!r)
                r = runfile_each_kv_bin(w->rf, load_bin, t);
        if (!r)
                r = runfile_each_kv_op(w->rf, load_op, t);
        if (r && !w->why)
                w->why = strdup(runfile_why(w->rf));
        return r;
}

void tokens_done(struct tokens *t)
{
        for (size_t i = 0; t->processes && i < t->w->model.n_processes; i++)
                free(t->processes[i].ops);
        free(t->processes);
        t->processes = NULL;
}
