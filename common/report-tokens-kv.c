/* SPDX-License-Identifier: MIT */
/*
 * The members `kv` and `course` of infprof.tokens/1.
 *
 * A token's time, and what each op took of it, is fitted as a + b n, where n is the length of its
 * KV cache (fit.c). The points are the bins of the file: each at the mean length of its
 * tokens, with their mean, weighted by how many they are. An op that was not done in a bin took no
 * time there. Of an op it is the self time of all threads, so that ops do not count twice and, with
 * n threads, the sum of them is up to n times a token's time.
 *
 * Of several processes that decode, models may differ, and a length is not the same to them: that
 * which decoded most is told.
 */
#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/fit.h"
#include "common/fmt.h"
#include "common/report-private.h"
#include "common/report-tokens-private.h"
#include "common/runfile-private.h"

#define MAX_OPS    64
#define MAX_PIECES 64

static const uint32_t forecast_at[] = {8192, 32768, 131072};
#define N_FORECASTS (sizeof(forecast_at) / sizeof(forecast_at[0]))

/* ---- bins ---- */

static uint64_t bin_floor(uint32_t bin)
{
        return bin < 16 ? 8ull * bin : (8ull + bin % 8) << (bin / 8 + 2);
}

static double mean_length(const struct runfile_kv_bin *b)
{
        return (double)b->lengths / (double)b->tokens;
}

static int check_bins(const struct tokens *t, const struct tokens_process *p)
{
        for (uint32_t i = 0; i < IFP_KV_BINS; i++) {
                const struct runfile_kv_bin *b = &p->bins[i];

                if (b->tokens && (b->lengths / b->tokens < bin_floor(i) ||
                                  b->lengths / b->tokens >= bin_floor(i + 1)))
                        return runfile_explain(
                                &t->w->why, RUNFILE_E_FOREIGN,
                                "'%s' is damaged: table kv_bin has KV lengths in bin %u that do "
                                "not belong there; it cannot be used",
                                t->w->rf->path, i);
        }
        return 0;
}

static json_t *build_bins(const struct tokens_process *p)
{
        json_t *array = json_array();

        for (uint32_t i = 0; i < IFP_KV_BINS; i++) {
                const struct runfile_kv_bin *b = &p->bins[i];
                json_t *o;

                if (!b->tokens)
                        continue;
                o = json_object();
                report_set(o, "from", report_integer(bin_floor(i)));
                report_set(o, "to", report_integer(bin_floor(i + 1) - 1));
                report_set(o, "tokens", report_integer(b->tokens));
                report_set(o, "length", report_fraction(mean_length(b)));
                report_set(o, "mean_ns", report_rounded((double)b->total_ns / (double)b->tokens));
                json_array_append_new(array, o);
        }
        return array;
}

/* ---- fits ---- */

/* Where points bend, the line's interval holds on one side only, beyond what was measured. */
static void put_forecasts(json_t *o, const struct fit *f, const char *why_not)
{
        static const char *const whys[] = {
                [FIT_TOLD] = NULL, [FIT_TOO_FAR] = "too-far", [FIT_TOO_VAGUE] = "too-vague"};
        json_t *array = json_array();

        for (size_t i = 0; i < N_FORECASTS; i++) {
                struct fit_forecast at = {NAN, NAN, NAN};
                const char *why = why_not ? why_not : whys[fit_at(f, forecast_at[i], &at)];
                bool beyond = !why && forecast_at[i] > f->x_most;
                json_t *forecast = json_object();

                if (beyond && f->bend == FIT_BENDS_UP)
                        at.high = NAN;
                else if (beyond && f->bend == FIT_BENDS_DOWN)
                        at.low = NAN;
                report_set(forecast, "length", json_integer(forecast_at[i]));
                report_set(forecast, "ns", report_rounded(why ? NAN : at.y));
                report_set(forecast, "low_ns", report_rounded(why ? NAN : at.low));
                report_set(forecast, "high_ns", report_rounded(why ? NAN : at.high));
                report_set(forecast, "why", report_text(why));
                json_array_append_new(array, forecast);
        }
        report_set(o, "forecasts", array);
}

/* `not_timed`: the points are not known. */
static enum fit_bend put_fit(json_t *o, const struct fit_point *points, size_t n, bool not_timed)
{
        struct fit f = {.a = NAN, .b = NAN, .a_error = NAN, .b_error = NAN, .r2 = NAN};
        int r = not_timed ? FIT_E_BAD : fit_line(&f, points, n);
        const char *why = not_timed        ? "not-timed"
                          : r == FIT_E_FEW ? "few-lengths"
                          : r              ? "out-of-bounds"
                                           : NULL;
        double sum = 0, weight = 0;

        for (size_t i = 0; i < n; i++) {
                sum += points[i].y * points[i].weight;
                weight += points[i].weight;
        }
        report_set(o, "mean_ns", report_rounded(not_timed || !(weight > 0) ? NAN : sum / weight));
        report_set(o, "a_ns", report_fraction(f.a));
        report_set(o, "a_error_ns", report_fraction(f.a_error));
        report_set(o, "b_ns", report_fraction(f.b));
        report_set(o, "b_error_ns", report_fraction(f.b_error));
        report_set(o, "r2", report_fraction(f.r2));
        report_set(o, "depends", why ? json_null() : json_boolean(fit_depends(&f)));
        report_set(o, "bends",
                   why || f.bend == FIT_STRAIGHT
                           ? json_null()
                           : json_string(f.bend == FIT_BENDS_UP ? "up" : "down"));
        report_set(o, "why", report_text(why));
        put_forecasts(o, &f, why);
        return why || !fit_depends(&f) ? FIT_STRAIGHT : f.bend; /* of what nothing is foretold */
}

static size_t points_of(const struct tokens_process *p, struct fit_point *points,
                        uint32_t *ret_at_bin)
{
        size_t n = 0;

        for (uint32_t i = 0; i < IFP_KV_BINS; i++) {
                if (!p->bins[i].tokens)
                        continue;
                points[n] = (struct fit_point){.x = mean_length(&p->bins[i]),
                                               .weight = (double)p->bins[i].tokens};
                ret_at_bin[n++] = i;
        }
        return n;
}

static enum fit_bend put_token_fit(json_t *o, const struct tokens_process *p)
{
        struct fit_point points[IFP_KV_BINS];
        uint32_t bins[IFP_KV_BINS];
        size_t n = points_of(p, points, bins);

        for (size_t i = 0; i < n; i++)
                points[i].y = (double)p->bins[bins[i]].total_ns / points[i].weight;
        return put_fit(o, points, n, false);
}

/* ---- ops ---- */

struct op_row {
        const struct model_op *op;
        const struct runfile_kv_op *row;
};

static int compare_op(const void *a, const void *b)
{
        const struct op_row *p = a, *q = b;

        return p->op->index < q->op->index ? -1 : p->op->index > q->op->index;
}

static int compare_mean(const void *a, const void *b)
{
        int64_t x = report_get_integer(*(json_t *const *)a, "mean_ns");
        int64_t y = report_get_integer(*(json_t *const *)b, "mean_ns");

        return x > y ? -1 : x < y;
}

/* Self time; of an op that is timed now and then, what its timed calls say of all. */
static double self_of(const struct runfile_kv_op *row, bool *ret_not_timed)
{
        double self = row->total_ns > row->child_ns ? (double)(row->total_ns - row->child_ns) : 0;

        if (!row->untimed)
                return self;
        *ret_not_timed |= !row->timed;
        return row->timed
                       ? self * (((double)row->timed + (double)row->untimed) / (double)row->timed)
                       : 0;
}

/* Of one op: `rows`, in any order. */
static json_t *build_op(const struct tokens_process *p, const struct op_row *rows, size_t n_rows)
{
        double ns[IFP_KV_BINS] = {0};
        struct fit_point points[IFP_KV_BINS];
        uint32_t bins[IFP_KV_BINS];
        bool not_timed = false;
        size_t n = points_of(p, points, bins);
        json_t *o = json_object();

        for (size_t i = 0; i < n_rows; i++)
                ns[rows[i].row->bin] += self_of(rows[i].row, &not_timed);
        for (size_t i = 0; i < n; i++)
                points[i].y = ns[bins[i]] / points[i].weight;
        report_put_name(o, rows->op);
        (void)put_fit(o, points, n, not_timed);
        return o;
}

static int build_ops(const struct tokens *t, const struct tokens_process *p, json_t **ret)
{
        _cleanup_(freep) struct op_row *rows = calloc(p->n_ops + 1, sizeof(*rows));
        _cleanup_(freep) json_t **items = calloc(p->n_ops + 1, sizeof(json_t *));
        size_t n = 0, next;

        if (!rows || !items)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_ops; i++)
                rows[i] = (struct op_row){model_op(&t->w->model, p->ops[i].process, p->ops[i].op),
                                          &p->ops[i]};
        qsort(rows, p->n_ops, sizeof(*rows), compare_op);
        for (size_t i = 0; i < p->n_ops; i = next) {
                for (next = i; next < p->n_ops && rows[next].op == rows[i].op;)
                        next++;
                if (report_is_nested(rows[i].op))
                        items[n++] = build_op(p, &rows[i], next - i);
        }
        *ret = report_sorted(items, n, compare_mean);
        while (json_array_size(*ret) > MAX_OPS)
                json_array_remove(*ret, json_array_size(*ret) - 1);
        return 0;
}

/* ---- all of it ---- */

static void note_kv(const struct tokens *t, json_t *notes, size_t most, size_t n_decode,
                    enum fit_bend bend)
{
        const struct tokens_process *p = &t->processes[most];
        const struct runfile_process *process = &t->w->model.processes[most];
        char a[FMT_SIZE], b[FMT_SIZE];

        if (n_decode > 1)
                report_note(notes,
                            "%zu processes decode: tokens by KV length are those of process %lld, "
                            "which decoded most",
                            n_decode, (long long)process->pid);
        if (p->row.no_prompt)
                report_note(notes, "how many tokens prompts have is not known of this engine: KV "
                                   "lengths count what was generated behind them only");
        if (p->row.beside)
                report_note(notes,
                            "of %s tokens %s have no part in what is told by KV length, because "
                            "others were made in the same time",
                            fmt_count(a, process->generated_tokens), fmt_count(b, p->row.beside));
        if (p->row.no_length)
                report_note(notes,
                            "of %s tokens %s have no part in what is told by KV length, because "
                            "nobody said how long their cache was",
                            fmt_count(a, process->generated_tokens),
                            fmt_count(b, p->row.no_length));
        if (bend != FIT_STRAIGHT)
                report_note(notes,
                            "a token's time grows %s than in a straight line: what is foretold "
                            "beyond the lengths that were seen is likely too %s",
                            bend == FIT_BENDS_UP ? "faster" : "slower",
                            bend == FIT_BENDS_UP ? "low" : "high");
        if (process->sequences == 1 && p->n_tokens)
                report_note(notes,
                            "one sequence was decoded: what changed with time in this run, for "
                            "whatever reason, looks like growth with its KV length");
        for (size_t i = 0; i < t->w->model.n_refs; i++)
                if (t->w->model.refs[i].process == process->index &&
                    t->w->model.refs[i].op >= IFP_KV_OPS) {
                        report_note(notes,
                                    "only the first %u ops are told by KV length: there are more",
                                    IFP_KV_OPS);
                        break;
                }
}

int tokens_build_kv(const struct tokens *t, json_t *notes, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *o = json_object(), *token = json_object();
        const struct tokens_process *p = t->processes;
        size_t most = 0, n_decode = 0;
        json_t *ops = NULL;
        enum fit_bend bend;
        int r = 0;

        for (size_t i = 0; !r && i < t->w->model.n_processes; i++) {
                r = check_bins(t, &p[i]);
                n_decode += p[i].n_tokens > 0 || p[i].row.beside || p[i].row.no_length;
                if (p[i].n_tokens > p[most].n_tokens)
                        most = i;
        }
        if (r || !n_decode) {
                *ret = json_null();
                return r;
        }
        p += most;
        bend = put_token_fit(token, p);
        r = build_ops(t, p, &ops);
        if (r)
                return r;
        report_set(o, "pid", json_integer(t->w->model.processes[most].pid));
        report_set(o, "counts", json_string(p->row.no_prompt ? "generated" : "all"));
        report_set(o, "tokens", report_integer(p->n_tokens));
        report_set(o, "beside", report_integer(p->row.beside));
        report_set(o, "no_length", report_integer(p->row.no_length));
        report_set(o, "bins", build_bins(p));
        report_set(o, "token", json_incref(token));
        report_set(o, "ops", ops);
        note_kv(t, notes, most, n_decode, bend);
        *ret = steal_ptr(o);
        return 0;
}

/* ---- in time ---- */

/* Where a process's first piece begins, in ns since the run began. */
static double begin_of(const struct tokens *t, size_t i)
{
        const struct runfile_process *p = &t->w->model.processes[i];

        return (double)p->started_at_ns - (double)t->w->model.run.started_at_ns +
               (double)t->processes[i].row.from_ns;
}

static bool has_pieces(const struct tokens_process *p)
{
        return p->n_pieces && p->row.width_ns;
}

/* Pieces that are as wide as the widest of a process, or twice, four times ... that. */
json_t *tokens_build_course(const struct tokens *t)
{
        double from = INFINITY, to = -INFINITY, width = 1;
        uint64_t prompt[MAX_PIECES] = {0}, generated[MAX_PIECES] = {0};
        json_t *o, *array;
        size_t n;

        for (size_t i = 0; i < t->w->model.n_processes; i++) {
                const struct tokens_process *p = &t->processes[i];
                double begin = begin_of(t, i);

                if (!has_pieces(p))
                        continue;
                from = fmin(from, begin);
                to = fmax(to, begin + (double)p->row.width_ns * (double)p->n_pieces);
                width = fmax(width, (double)p->row.width_ns);
        }
        if (!(to > from))
                return json_null();
        while ((to - from) / width > MAX_PIECES)
                width *= 2;
        n = (size_t)ceil((to - from) / width - 1e-6);
        n = n < 1 ? 1 : n > MAX_PIECES ? MAX_PIECES : n;
        for (size_t i = 0; i < t->w->model.n_processes; i++) {
                const struct tokens_process *p = &t->processes[i];

                for (size_t k = 0; has_pieces(p) && k < p->n_pieces; k++) {
                        double at = begin_of(t, i) + (double)p->row.width_ns * ((double)k + 0.5);
                        size_t piece = (size_t)((at - from) / width);

                        piece = piece < n ? piece : n - 1;
                        prompt[piece] = sum_u64(prompt[piece], p->pieces[k].prompt);
                        generated[piece] = sum_u64(generated[piece], p->pieces[k].generated);
                }
        }
        o = json_object();
        array = json_array();
        for (size_t i = 0; i < n; i++) {
                json_t *piece = json_object();

                report_set(piece, "prompt", report_integer(prompt[i]));
                report_set(piece, "generated", report_integer(generated[i]));
                /* the last is cut short by the end of the last call */
                report_set(piece, "per_second",
                           report_fraction(i + 1 < n ? (double)generated[i] * 1e9 / width : NAN));
                json_array_append_new(array, piece);
        }
        report_set(o, "from_ns", report_rounded(from > 0 ? from : 0));
        report_set(o, "width_ns", report_rounded(width));
        report_set(o, "pieces", array);
        return o;
}
