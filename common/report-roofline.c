/* SPDX-License-Identifier: MIT */
/*
 * One row for each op, shape, number of threads and phase, the one that took most time first. Rows
 * of several processes that are the same are one.
 */
#include "common/report-roofline.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-roofline-private.h"
#include "common/runfile-private.h"

#define MOST_ROWS 1000u

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

/* ---- the machine ---------------------------------------------------------------------- */

static json_t *build_points(const struct ceiling *c, int n, const char *const *names,
                            const char *key, const char *unit)
{
        json_t *list = json_array();

        for (int i = 0; i < n; i++)
                for (uint32_t k = 0; k < c[i].n; k++)
                        json_array_append_new(list, json_pack("{s:s, s:i, s:f}", key, names[i],
                                                              "threads", (int)c[i].at[k].threads,
                                                              unit, c[i].at[k].best));
        return list;
}

static json_t *build_machine(const struct report_roof *r)
{
        static const char *const from[] = {
                [ROOF_FROM_RUN] = "run", [ROOF_FROM_KEPT] = "kept", [ROOF_FROM_NOTHING] = NULL};
        static const char *const same[] = {"fingerprint", "model", "measured_at", "quick", "noisy"};
        json_t *o = json_object(), *caches;

        for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
                json_t *v = json_object_get(r->machine, same[i]);

                json_object_set_new(o, same[i], v ? json_incref(v) : json_null());
        }
        report_set(o, "ceilings_from", report_text(from[r->from]));
        caches = json_object_get(json_object_get(r->machine, "topology"), "caches");
        report_set(o, "caches", json_is_array(caches) ? json_incref(caches) : json_array());
        report_set(o, "compute",
                   build_points(r->ceilings.compute, CEILING_N_TYPES, ceiling_types, "type",
                                "gflops"));
        report_set(o, "bandwidth",
                   build_points(r->ceilings.bandwidth, CEILING_N_LEVELS, ceiling_levels, "level",
                                "gbps"));
        return o;
}

/* ---- rows ----------------------------------------------------------------------------- */

static int compare_shapes(const void *a, const void *b)
{
        const struct report_shape *p = a, *q = b;
        int c;

        if (p->op != q->op)
                return p->op < q->op ? -1 : 1;
        c = strcmp(p->text, q->text);
        return c ? c : p->parts < q->parts ? -1 : p->parts > q->parts;
}

static int compare_wall(const void *a, const void *b)
{
        double x = json_number_value(json_object_get(*(json_t *const *)a, "wall_ns"));
        double y = json_number_value(json_object_get(*(json_t *const *)b, "wall_ns"));

        return x > y ? -1 : x < y;
}

static void put_ceilings(json_t *o, const struct roof *r)
{
        report_set(o, "roof_threads", r ? json_integer(r->threads) : json_null());
        report_set(o, "compute_type", r ? json_string(ceiling_types[r->type]) : json_null());
        report_set(o, "compute_gflops", report_fraction(r ? r->gflops : NAN));
        report_set(o, "level", r ? json_string(ceiling_levels[r->level]) : json_null());
        report_set(o, "level_gbps", report_fraction(r ? r->gbps : NAN));
}

static json_t *build_row(const struct report *r, const struct report_shape *s, int phase,
                         const struct work_sum *sum, const struct work_amount *each,
                         const struct roof *roof)
{
        json_t *o = json_object();
        const char *type = s->is.n ? s->is.at[s->is.n > 1].type : "";
        double gflops = sum->flops_wall_ns > 0 ? (double)sum->flops / sum->flops_wall_ns : NAN;

        report_set(o, "op", report_text(r->model.ops[s->op]->name));
        report_set(o, "shape", report_text(s->text));
        report_set(o, "type", report_text(type[0] ? type : NULL));
        report_set(o, "phase", json_string(report_phase_names[phase]));
        report_set(o, "threads", json_integer(s->parts));
        report_set(o, "calls", report_integer(sum->calls));
        report_set(o, "total_ns", report_integer(sum->total_ns));
        report_set(o, "wall_ns", report_rounded(sum->wall_ns));
        report_work_put(o, sum);
        report_set(o, "at_roof_ns",
                   report_rounded(sum->roof.least_ns > 0 ? sum->roof.least_ns : NAN));
        put_ceilings(o, roof);
        roofline_put_levels(o, &r->roof, s, each, roof, gflops);
        roofline_put_cache(o, &r->roof, s, each);
        return o;
}

/*
 * Those of one op, shape and number of threads: at[i] to at[next - 1]. What reads the same may be
 * different work (a product of the same matrices, transposed or not): each counts its own, and what
 * is said of one call is of those that take most of the time.
 */
static void build_group(const struct report *r, size_t i, size_t next, json_t **items, size_t *n)
{
        const struct report_shape *at = r->shapes.at;

        for (int p = 0; p < IFP_N_PHASES; p++) {
                struct work_sum sum = {0};
                struct work_amount each;
                struct roof roof;
                size_t most = i;

                for (size_t k = i; k < next; k++) {
                        each = report_shape_work(&at[k]);
                        report_work_add(&sum, &r->shapes, &at[k], p, &each);
                        if (at[k].phase[p].total_ns > at[most].phase[p].total_ns)
                                most = k;
                }
                if (!sum.calls)
                        continue;
                each = report_shape_work(&at[most]);
                items[(*n)++] = build_row(
                        r, &at[most], p, &sum, &each,
                        report_roof_judge(&r->roof, &at[most], p, &each, &roof) ? &roof : NULL);
        }
}

static int build_rows(struct report *r, json_t **ret, size_t *ret_left)
{
        struct report_shapes *s = &r->shapes;
        _cleanup_(freep) json_t **items = calloc(s->n * IFP_N_PHASES + 1, sizeof(*items));
        size_t n = 0, next;

        if (!items)
                return -ENOMEM;
        if (s->n)
                qsort(s->at, s->n, sizeof(*s->at), compare_shapes);
        for (size_t i = 0; i < s->n; i = next) {
                for (next = i + 1; next < s->n && !compare_shapes(&s->at[i], &s->at[next]); next++)
                        ;
                build_group(r, i, next, items, &n);
        }
        *ret = report_sorted(items, n, compare_wall);
        *ret_left = n > MOST_ROWS ? n - MOST_ROWS : 0;
        while (json_array_size(*ret) > MOST_ROWS)
                json_array_remove(*ret, json_array_size(*ret) - 1);
        return 0;
}

/* ---- the document ---------------------------------------------------------------------- */

static bool any_over(const json_t *rows)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                if (json_is_true(json_object_get(row, "over_roof")))
                        return true;
        }
        return false;
}

static bool any_type(const json_t *rows, const char *type)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                const char *s = json_string_value(json_object_get(row, "compute_type"));

                if (s && !strcmp(s, type))
                        return true;
        }
        return false;
}

static json_t *build_notes(const struct report *r, const json_t *rows, size_t left)
{
        const struct report_roof *roof = &r->roof;
        json_t *notes = json_array();

        report_note_processes(notes, &r->model);
        if (!r->shapes.n)
                report_note(notes,
                            "no shapes were seen in this run (none of its ops has operands that "
                            "can be read, or INFPROF_SHAPES=off), so nothing is known of the work "
                            "of its ops");
        if (roof->why)
                report_note(notes, "%s", roof->why);
        if (json_is_true(json_object_get(roof->machine, "quick")) ||
            json_is_true(json_object_get(roof->machine, "noisy")))
                report_note(notes, "the machine was measured in a hurry, or while it was busy: its "
                                   "ceilings may be too low (`infprof machine --measure`)");
        for (int t = 0; t < CEILING_N_TYPES; t++)
                if (roof->ceilings.measured && !roof->ceilings.compute[t].n &&
                    any_type(rows, ceiling_types[t]))
                        report_note(notes,
                                    "no multiply-adds of %s were measured on that machine: what is "
                                    "made "
                                    "of them is held against those of f32, and may be above",
                                    ceiling_types[t]);
        if (roof->ceilings.measured && roof->crowd)
                report_note(notes,
                            "%u threads did ops together where their process may use %u CPU%s: "
                            "ceilings are "
                            "those of as many CPUs as threads, and out of reach",
                            roof->crowd, roof->crowd_cpus, roof->crowd_cpus == 1 ? "" : "s");
        if (any_over(rows))
                report_note(notes,
                            "some rows are above their roof: their bytes are not all moved, or a "
                            "cache holds more than is known, or the ceilings were measured too "
                            "low");
        if (left)
                report_note(notes, "%zu more rows took less time than those that are here", left);
        return notes;
}

static json_t *build_decode(const struct report_roof *r)
{
        json_t *o = json_object();

        report_set(o, "tokens", report_integer_or_null(r->tokens, r->tokens));
        report_set(o, "total_ns", report_integer_or_null(r->token_ns, r->token_ns));
        report_set(o, "tokens_per_second",
                   report_fraction(r->token_ns && r->tokens
                                           ? (double)r->tokens * 1e9 / (double)r->token_ns
                                           : NAN));
        return o;
}

static int build(struct report *r, json_t **ret)
{
        json_t *rows = NULL, *o;
        size_t left = 0;
        int e = build_rows(r, &rows, &left);

        if (e)
                return e;
        o = json_object();
        report_set(o, "schema", json_string(ROOFLINE_SCHEMA));
        report_set(o, "run", report_build_run(&r->model));
        report_set(o, "machine", r->roof.machine ? build_machine(&r->roof) : json_null());
        report_set(o, "decode", build_decode(&r->roof));
        report_set(o, "notes", build_notes(r, rows, left));
        report_set(o, "rows", rows);
        *ret = o;
        return 0;
}

int report_roofline_new(json_t **ret, struct runfile *rf, char **ret_why)
{
        return report_with(rf, build, ret, ret_why);
}

int report_roofline_file(json_t **ret, const char *path, char **ret_why)
{
        _cleanup_(runfile_closep) struct runfile *rf = NULL;
        int r = runfile_open(&rf, path, ret_why);

        return r ? r : report_roofline_new(ret, rf, ret_why);
}
