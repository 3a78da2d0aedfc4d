/* SPDX-License-Identifier: MIT */
/*
 * infprof.diff/1 put together: the sides, what differs around them, and what a reader must know.
 */
#include "common/report-diff-sets.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-diff-measure.h"
#include "common/report-diff-private.h"
#include "common/report-private.h"

static json_t *build_run(const struct diff_run *run)
{
        static const char *const members[] = {"id", "command", "started_at", "duration_ns", NULL};
        json_t *o = json_object();

        for (const char *const *key = members; *key; key++) {
                json_t *v = json_object_get(run->head, *key);

                report_set(o, *key, v ? json_incref(v) : json_null());
        }
        report_set(o, "file", report_text(run->file));
        report_set(o, "wall_ns", report_rounded(run->wall_ns));
        report_set(o, "tokens", report_rounded(run->tokens));
        return o;
}

static json_t *build_side(const struct diff_set *set)
{
        json_t *o = json_object(), *runs = json_array();

        for (size_t i = 0; i < set->n; i++)
                json_array_append_new(runs, build_run(set->at[i]));
        report_set(o, "engine", report_text(set->at[0]->engine));
        report_set(o, "command", json_incref(json_object_get(set->at[0]->head, "command")));
        report_set(o, "runs", runs);
        report_set(o, "left_out", json_incref(set->left_out));
        return o;
}

/* --- notes --- */

static void note_ends(json_t *notes, const struct diff_set *set, const char *side)
{
        size_t n_left = json_array_size(set->left_out), n_bad = 0;
        const char *how = NULL;

        if (n_left)
                report_note(notes, "%zu of %s's runs %s left out: %s", n_left, side,
                            n_left == 1 ? "is" : "are",
                            json_string_value(
                                    json_object_get(json_array_get(set->left_out, 0), "why")));
        for (size_t i = 0; i < set->n; i++) {
                n_bad += set->at[i]->how != NULL;
                how = set->at[i]->how ? set->at[i]->how : how;
        }
        if (n_bad && set->n == 1)
                report_note(notes, "the run of %s %s", side, how);
        else if (n_bad)
                report_note(notes, "%zu of %zu runs of %s: it %s", n_bad, set->n, side, how);
}

static void note_again(json_t *notes, const struct diff_set *set, const char *side)
{
        if (set->n_again)
                report_note(notes,
                            "%s has %zu run%s that %s named more than once: each counts once", side,
                            set->n_again, set->n_again == 1 ? "" : "s",
                            set->n_again == 1 ? "is" : "are");
}

/* They are no evidence of a difference, and make one look smaller. */
static void note_both(json_t *notes, const struct diff_set *a, const struct diff_set *b)
{
        size_t n = 0;

        for (size_t i = 0; i < a->n; i++)
                for (size_t k = 0; k < b->n; k++)
                        n += diff_run_is(a->at[i], b->at[k]);
        if (n)
                report_note(notes,
                            "%zu run%s on both sides: what A and B differ by is told by the "
                            "others alone",
                            n, n == 1 ? " is" : "s are");
}

static void note_tokens(json_t *notes, const struct diff_set *a, const struct diff_set *b)
{
        double x = a->at[0]->tokens, y = b->at[0]->tokens;

        if (isfinite(x) && isfinite(y) && fabs(x - y) > 0.01 * fmax(x, y))
                report_note(notes,
                            "A decoded %.0f tokens and B %.0f: later tokens take longer, for "
                            "there is more to attend to",
                            x, y);
}

static bool none_has_ops(const struct diff_set *set)
{
        for (size_t i = 0; i < set->n; i++)
                if (set->at[i]->has_ops)
                        return false;
        return true;
}

static void note_apart(json_t *notes, const json_t *apart)
{
        static const char *const keys[] = {"a", "b"};

        for (int side = 0; side < 2; side++) {
                json_int_t n = report_get_integer(apart, keys[side]);

                if (n > 0)
                        report_note(notes,
                                    "%lld of %c's runs took far longer or shorter than the others: "
                                    "in the tests, but not in the means of the tables of ops",
                                    (long long)n, "AB"[side]);
        }
}

static json_t *build_notes(const json_t *document, const struct diff_set *a,
                           const struct diff_set *b, enum diff_basis basis)
{
        json_t *notes = json_array();

        note_ends(notes, a, "A");
        note_ends(notes, b, "B");
        note_again(notes, a, "A");
        note_again(notes, b, "B");
        note_both(notes, a, b);
        note_tokens(notes, a, b);
        diff_note_unknown(notes, a, b, "A");
        diff_note_unknown(notes, b, a, "B");
        note_apart(notes, json_object_get(json_object_get(document, "whole"), "runs_apart"));
        if (a->n == 1 && b->n == 1)
                report_note(notes,
                            "one run a side tells nothing of how runs vary: infprof ab makes "
                            "sets of runs, interleaved");
        else if (diff_too_few(a->n, b->n))
                report_note(notes, "%zu and %zu runs are too few for tests: 4 a side is the least",
                            a->n, b->n);
        if (none_has_ops(a) != none_has_ops(b))
                report_note(notes, "%s has no ops: what is in no op there is all of it",
                            none_has_ops(a) ? "A" : "B");
        else if (basis == DIFF_N_BASES)
                report_note(notes,
                            "no ops were seen in either side: there is nothing that explains "
                            "the difference");
        return notes;
}

int report_diff_sets(json_t **ret, const struct diff_set *a, const struct diff_set *b,
                     enum diff_by by)
{
        _cleanup_(json_decrefp) json_t *o = json_object();
        enum diff_basis basis = DIFF_N_BASES;
        int r;

        report_set(o, "schema", json_string(DIFF_SCHEMA));
        r = diff_put_verdict(o, a, b, by, &basis);
        if (!r)
                r = diff_put_parts(o, a, b, basis);
        if (!r)
                r = diff_put_figures(o, a, b);
        if (r)
                return r;
        report_set(o, "a", build_side(a));
        report_set(o, "b", build_side(b));
        report_set(o, "surroundings", diff_around(a, b));
        report_set(o, "notes", build_notes(o, a, b, basis));
        *ret = steal_ptr(o);
        return 0;
}
