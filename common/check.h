/* SPDX-License-Identifier: MIT */
/*
 * Conditions on a run, as a gate has them:
 *
 *     p99(decode) < 20ms
 *     spawns.per_token < 0.01
 *     tokens_per_second >= baseline * 0.97
 *
 * Two sums with a comparison between them (< <= > >= == !=). A sum is made of + - * / ( ), numbers
 * with units, and quantities:
 *
 *   name             one of the short names (check-names.c has the table), or a path into a
 *                    document: of the report, or with its name first (memory.totals.peak_bytes).
 *                    An element of a list goes by its name or number: ops['RMS_NORM+MUL'].calls
 *                    Where the report and a document have a name both (memory, spawns, threads), it
 *                    is the document's member, else the report's
 *   f(op)            a figure of an op; p50, p95, p99, mean and stddev of decode are a step's,
 * which is a token where each step makes one baseline         what stands on the other side of the
 * comparison, of the baseline run baseline(sum)    a sum of the baseline run
 *
 * Units are those of time (ns us ms s min), of memory (B KiB MiB GiB TiB, and kB MB GB TB by
 * thousands) and %. Members that end in _ns are times, those that end in bytes memory. What has a
 * unit is compared with, and added to, what has the same; 0 has any.
 *
 * A quantity of which the run has no figure is not known, and so is what is made of it. A counter
 * at the end of its range is a figure that is at least so much, which may be enough to tell.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { CHECK_E_MALFORMED = 1 };

enum check_unit { CHECK_PLAIN, CHECK_NS, CHECK_BYTES };

/* What a figure that is not exact is. */
enum check_bound { CHECK_EXACT = 0, CHECK_AT_LEAST = 1, CHECK_AT_MOST = 2, CHECK_ANY = 3 };

struct check_value {
        double number; /* NaN: not known */
        enum check_unit unit;
        enum check_bound bound;
};

/* The runs that quantities are of. */
enum check_run { CHECK_RUN, CHECK_BASELINE };

/*
 * `document` ("report", "memory" ...) of a run; NULL: it cannot be had, which is told elsewhere and
 * ends the whole. It stays the source's.
 */
struct check_source {
        const json_t *(*get)(void *userdata, enum check_run run, const char *document);
        void *userdata;
        bool has_baseline;
        /* Its JSON Schema, by which a member of what is null is told from one that there is not;
         * NULL, or answering NULL: it is not known. */
        const json_t *(*schema)(void *userdata, const char *document);
};

struct check;

/* One condition. CHECK_E_MALFORMED: *ret_why is one line, to be freed, that names the column. */
int check_parse(struct check **ret, const char *text, char **ret_why);
struct check *check_free(struct check *c);

enum check_verdict { CHECK_PASSED, CHECK_FAILED, CHECK_UNKNOWN };

struct check_result {
        enum check_verdict verdict;
        struct check_value left, right;
        const char *comparison; /* "<" */
        char why[160];          /* of what is not known; else "" */
};

/*
 * CHECK_E_MALFORMED, as above: a name that there is not (with those that are near), units that do
 * not go together, a baseline where there is none. -ENOENT: the source had no document.
 */
int check_run(struct check_result *ret, const struct check *c, const struct check_source *from,
              char **ret_why);

/* "20.0ms", "1.5MiB", "at least 3", "not known". Writes into buf[CHECK_VALUE_SIZE] and returns it.
 */
#define CHECK_VALUE_SIZE 48
const char *check_value_text(char *buf, struct check_value v);
