/* SPDX-License-Identifier: MIT */
/*
 * What a reader of the figures has to know: a warm-up in them, values far from the rest, a machine
 * that was not quiet, runs that failed. Each says what to do.
 */
#include "cli/bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define NOISY_CPUS   0.1 /* that others took on average */
#define STOLEN_CPUS  0.02
#define SHORT_NS     5e6 /* of a run: starting a process is no small part of it */
#define FEW_OUTLIERS 0.1 /* of all: more are no outliers but another level */
#define LEAST_VALUES 5   /* for an interval, as common/stats.h has it */

__attribute__((format(printf, 2, 3))) static void say(json_t *notes, const char *format, ...)
{
        _cleanup_(freep) char *line = NULL, *clean = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&line, format, ap) < 0)
                line = NULL;
        va_end(ap);
        clean = line ? fmt_utf8(line) : NULL;
        if (clean)
                json_array_append_new(notes, json_string(clean));
}

static const char *plural(double n)
{
        return n == 1 ? "" : "s";
}

static const char *what(const struct bench *b)
{
        return b->options->per == BENCH_PROCESS ? "run" : "iteration";
}

static void note_warmup(json_t *notes, const struct bench *b, const json_t *doc)
{
        const json_t *w = json_object_get(doc, "warmup");
        double found = text_number(w, "found"), left_out = text_number(w, "left_out");
        double was = text_number(w, "before_ns"), is = text_number(w, "after_ns");
        char before[TEXT_CELL], after[TEXT_CELL];

        if (!(found > 0))
                return;
        say(notes, "The first %.0f %s%s took %s, the others %s (medians): %s", found, what(b),
            plural(found), text_duration(before, was), text_duration(after, is),
            was > is ? "it was warming up." : "it got slower (what grows, heat, other load?).");
        if (was > is)
                say(notes, "With --warmup %.0f these are left out.", left_out + found);
}

static void note_outliers(json_t *notes, const struct bench *b, const json_t *doc)
{
        double n = text_number(json_object_get(doc, "outliers"), "count");
        double all = text_number(json_object_get(doc, "time_ns"), "count");

        if (!(n > 0))
                return;
        if (n > FEW_OUTLIERS * all && n > 2)
                say(notes,
                    "%.0f of %.0f %ss are far from the rest: there is more than one level of time, "
                    "and the mean is of neither.",
                    n, all, what(b));
        else
                say(notes,
                    "%.0f of %.0f %ss %s far from the rest (over 3.5 deviations from the median); "
                    "the median is hardly moved by them, mean and deviation are.",
                    n, all, what(b), n == 1 ? "is" : "are");
}

static void note_noise(json_t *notes, const json_t *doc)
{
        const json_t *o = json_object_get(doc, "noise");
        double others = text_number(o, "others_cpus"), stolen = text_number(o, "stolen_cpus");
        double throttled = text_number(o, "throttle_events"), quota = text_number(o, "quota_stops");
        double left = text_number(o, "left_behind");

        if (others > NOISY_CPUS)
                say(notes,
                    "Other processes took %.2f CPUs meanwhile: end them, or compare with what is "
                    "measured in turns (infprof ab).",
                    others);
        if (stolen > STOLEN_CPUS)
                say(notes,
                    "The hypervisor took %.2f CPUs for other guests: times are longer than on a "
                    "machine of one's own.",
                    stolen);
        if (throttled > 0)
                say(notes,
                    "The processor throttled itself %.0f time%s (heat or power): the first runs "
                    "may be faster than a long job is.",
                    throttled, plural(throttled));
        if (quota > 0)
                say(notes,
                    "The CPU quota of our control group stopped it %.0f time%s: times are those "
                    "of the quota (cpu.max), not of the machine.",
                    quota, plural(quota));
        if (left > 0)
                say(notes, "Runs left %.0f process%s behind, which may slow what follows.", left,
                    left == 1 ? "" : "es");
}

static void note_failures(json_t *notes, const json_t *doc)
{
        const json_t *f;
        size_t i;

        json_array_foreach(json_object_get(doc, "failures"), i, f)
        {
                const char *words = text_string(f, "last_words", NULL);
                double runs = text_number(f, "runs");
                bool tty = words && (strstr(words, "tty") || strcasestr(words, "terminal"));

                say(notes, "%.0f run%s failed: %s%s%s%s%s", runs, plural(runs),
                    text_string(f, "why", "?"), words ? ", with \"" : "", words ? words : "",
                    words ? "\"" : "",
                    tty ? " (a command has no terminal here; script -qc CMD gives it one)" : ".");
        }
}

static void note_few(json_t *notes, const struct bench *b, const json_t *doc)
{
        const json_t *t = json_object_get(doc, "time_ns");
        double n = text_number(t, "count");

        if (n > 0 && n < LEAST_VALUES)
                say(notes, "%.0f %s%s tell no interval: it takes %d.", n, what(b), plural(n),
                    LEAST_VALUES);
        else if (n > 0 &&
                 !json_is_object(json_object_get(json_object_get(t, "intervals"), "median")))
                say(notes,
                    "%.0f %s%s that differ so much tell no interval of the median: it takes more.",
                    n, what(b), plural(n));
        if (b->options->per == BENCH_PROCESS && text_number(t, "median") < SHORT_NS)
                say(notes, "Runs this short are to a great part the start of a process: --per "
                           "looks into one.");
        if (json_is_false(json_object_get(json_object_get(doc, "stable"), "reached")) &&
            !b->interrupted)
                say(notes,
                    "The median is not known to %.2g %%, though it was tried to the end: more "
                    "--runs, or a quieter machine.",
                    100 * b->options->stable);
}

static void note_series(json_t *notes, const struct bench *b)
{
        const struct bench_series *s = &b->series;
        char n[FMT_SIZE], all[FMT_SIZE];

        if (s->left_out)
                say(notes, "%s iteration%s of other phases than %s left out.",
                    fmt_count(n, s->left_out), s->left_out == 1 ? "" : "s",
                    s->phase ? s->phase : "?");
        if (s->not_in_time)
                say(notes,
                    "%s of %s iterations have no place in time and are in no figure: there were "
                    "more calls at once than the ring holds (name fewer functions to time), or "
                    "more "
                    "than a run keeps (65,536).",
                    fmt_count(n, s->not_in_time), fmt_count(all, s->made));
}

json_t *bench_notes(const struct bench *b, const json_t *document)
{
        json_t *notes = json_array();

        note_failures(notes, document);
        note_few(notes, b, document);
        note_series(notes, b);
        note_warmup(notes, b, document);
        note_outliers(notes, b, document);
        note_noise(notes, document);
        if (b->trouble)
                say(notes, "The profiler: %s.", b->trouble);
        return notes;
}
