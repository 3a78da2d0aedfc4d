/* SPDX-License-Identifier: MIT */
/*
 * cli/sweep-plan.c, sweep-rows.c, sweep-crossover.c and sweep-state.c: a machine that is not there
 * answers each run by a formula.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "cli/sweep-rows.h"

static double others = NAN; /* CPUs that they take */

typedef double (*machine)(const struct sweep *s, size_t point); /* seconds; NaN: it fails */

static char **words(const char *a, const char *b)
{
        char **w = calloc(3, sizeof(*w));

        w[0] = strdup(a);
        w[1] = b ? strdup(b) : NULL;
        return w;
}

static struct sweep sweep_of(const char *first, const char *second)
{
        struct sweep s = {.n_runs = 5, .seed = 7, .cut = 4, .within = 0.05, .bare = true};
        char *why = NULL;

        assert_int_equal(sweep_grid_take(&s.grid, first, &why), 0);
        if (second)
                assert_int_equal(sweep_grid_take(&s.grid, second, &why), 0);
        s.argv = words("engine", "{threads}");
        s.env = calloc(1, sizeof(*s.env));
        s.record = calloc(1, sizeof(*s.record));
        return s;
}

static void run(struct sweep *s, size_t point, unsigned round, machine m)
{
        double seconds = m(s, point), limit = sweep_cut_ns(s, point);
        struct sweep_run r = {.point = point,
                              .round = round,
                              .code = isnan(seconds),
                              .limit_ns = limit,
                              .wall_ns = isnan(seconds) ? 1e8 : seconds * 1e9,
                              .cpu_ns = 1e9,
                              .tokens = NAN,
                              .tokens_per_second = NAN,
                              .requests = NAN,
                              .p50_ns = NAN,
                              .p95_ns = NAN,
                              .spawns = NAN,
                              .waits = NAN,
                              .allocations = NAN,
                              .others = others};

        if (limit > 0 && r.wall_ns > limit) {
                r.end = TRIAL_OVER_TIME;
                r.cut = true;
                r.wall_ns = limit;
        }
        r.why = sweep_run_ok(&r) ? NULL : strdup("it fails");
        assert_int_equal(sweep_add(s, &r), 0);
}

/* All of it, or until so many runs are made. */
static void go(struct sweep *s, machine m, size_t most)
{
        size_t points[64];

        for (unsigned round = 0; round < s->n_runs; round++) {
                size_t n = sweep_plan(s, round, points);

                for (size_t i = 0; i < n; i++) {
                        if (s->n == most)
                                return;
                        run(s, points[i], round, m);
                }
        }
        s->complete = true;
}

static double value(const struct sweep *s, size_t point, const char *name)
{
        return strtod(sweep_grid_value(&s->grid, point, sweep_grid_find(&s->grid, name)), NULL);
}

/* Two CPUs. */
static double two_cpus(const struct sweep *s, size_t point)
{
        double n = value(s, point, "threads");

        return n <= 2 ? 1 / n : 0.5 * (1 + 0.4 * (n - 2));
}

static double fails_at_four(const struct sweep *s, size_t point)
{
        return value(s, point, "threads") == 4 ? NAN : two_cpus(s, point);
}

static double far_worse(const struct sweep *s, size_t point)
{
        return value(s, point, "threads") == 8 ? 100 : two_cpus(s, point);
}

static double seconds_of(const struct sweep *s)
{
        double sum = 0;

        for (size_t i = 0; i < s->n; i++)
                sum += s->runs[i].wall_ns / 1e9;
        return sum;
}

static void losers_are_stopped(void **state)
{
        struct sweep s = sweep_of("threads=1,2,4,8", NULL), full;
        struct sweep_row *rows, *all;

        go(&s, two_cpus, SIZE_MAX);
        full = sweep_of("threads=1,2,4,8", NULL);
        full.full = true;
        go(&full, two_cpus, SIZE_MAX);
        assert_int_equal(full.n, 20);
        assert_true(s.n < 15);
        rows = sweep_rows(&s);
        all = sweep_rows(&full);
        assert_int_equal(sweep_best(&s, rows), sweep_best(&full, all));
        assert_true(seconds_of(&s) < 0.6 * seconds_of(&full));
        assert_int_equal(rows[1].fate, SWEEP_MEASURED);
        assert_int_equal(rows[1].n, 5);
        assert_int_equal(rows[3].fate, SWEEP_LOST);
        free(rows);
        free(all);
        sweep_done(&s);
        sweep_done(&full);
}

static void what_fails_is_a_row(void **state)
{
        struct sweep s = sweep_of("threads=1,2,4,8", NULL);
        struct sweep_row *rows;

        go(&s, fails_at_four, SIZE_MAX);
        rows = sweep_rows(&s);
        assert_int_equal(rows[2].fate, SWEEP_BROKEN);
        assert_int_equal(rows[2].n_failed, 1);
        assert_string_equal(rows[2].why, "it fails");
        assert_true(isnan(rows[2].throughput));
        assert_int_equal(sweep_best(&s, rows), 1);
        free(rows);
        sweep_done(&s);
}

static void what_takes_too_long_is_cut(void **state)
{
        struct sweep s = sweep_of("threads=1,2,8", NULL);
        struct sweep_row *rows;

        s.seed = 0;
        go(&s, far_worse, SIZE_MAX);
        rows = sweep_rows(&s);
        assert_true(seconds_of(&s) < 110); /* once at most it was not known better */
        assert_int_equal(sweep_best(&s, rows), 1);
        if (rows[2].fate == SWEEP_CUT)
                assert_true(rows[2].at_most < 1);
        else
                assert_int_equal(rows[2].fate, SWEEP_LOST);
        free(rows);
        sweep_done(&s);
}

/* Somebody else is there when two threads run for the first time. */
static double disturbed_once(const struct sweep *s, size_t point)
{
        bool first = true;

        for (size_t i = 0; i < s->n; i++)
                first &= s->runs[i].point != point;
        others = first && point == 1 ? 1.5 : 0.05;
        return two_cpus(s, point) * (first && point == 1 ? 30 : 1);
}

static double disturbed_always(const struct sweep *s, size_t point)
{
        double t = disturbed_once(s, point);

        others = 1.5;
        return t;
}

static void who_was_disturbed_runs_again(void **state)
{
        for (uint32_t seed = 0; seed < 10; seed++) {
                struct sweep s = sweep_of("threads=1,2,4,8", NULL);
                struct sweep_row *rows;

                s.seed = seed;
                go(&s, disturbed_once, SIZE_MAX);
                rows = sweep_rows(&s);
                assert_int_equal(sweep_best(&s, rows), 1);
                free(rows);
                sweep_done(&s);
                /* on a machine that is never quiet it ends, too */
                s = sweep_of("threads=1,2,4,8", NULL);
                s.seed = seed;
                go(&s, disturbed_always, SIZE_MAX);
                assert_true(s.n < 20);
                sweep_done(&s);
        }
        others = NAN;
}

static void order_is_of_the_seed(void **state)
{
        struct sweep s = sweep_of("threads=1,2,...,32", NULL);
        size_t a[64], b[64];

        assert_int_equal(sweep_plan(&s, 0, a), 32);
        assert_int_equal(sweep_plan(&s, 0, b), 32);
        assert_memory_equal(a, b, 32 * sizeof(*a));
        s.seed++;
        assert_int_equal(sweep_plan(&s, 0, b), 32);
        assert_memory_not_equal(a, b, 32 * sizeof(*a));
        sweep_done(&s);
}

static void what_was_interrupted_goes_on_alike(void **state)
{
        struct sweep whole = sweep_of("threads=1,2,4,8", NULL);

        go(&whole, two_cpus, SIZE_MAX);
        for (size_t most = 0; most <= whole.n; most++) {
                struct sweep s = sweep_of("threads=1,2,4,8", NULL), again;
                json_t *file;
                char *why = NULL;

                go(&s, two_cpus, most);
                file = sweep_encode(&s);
                assert_non_null(file);
                assert_int_equal(sweep_decode(&again, file, &why), 0);
                json_decref(file);
                go(&again, two_cpus, SIZE_MAX);
                assert_int_equal(again.n, whole.n);
                for (size_t i = 0; i < whole.n; i++) {
                        assert_int_equal(again.runs[i].point, whole.runs[i].point);
                        assert_int_equal(again.runs[i].round, whole.runs[i].round);
                }
                sweep_done(&s);
                sweep_done(&again);
        }
        sweep_done(&whole);
}

static void knee(void **state)
{
        struct sweep s = sweep_of("threads=1,2,4,8", NULL);
        struct sweep_row *rows;
        struct sweep_knee k;

        s.full = true;
        go(&s, two_cpus, SIZE_MAX);
        rows = sweep_rows(&s);
        assert_int_equal(sweep_axis(&s, NULL), 0);
        assert_true(sweep_knee(&k, &s, rows, 0, 0));
        assert_int_equal(k.at, 1);
        assert_int_equal(k.best, 1);
        assert_int_equal(k.beyond, 2);
        assert_true(fabs(rows[1].speedup - 2) < 1e-9);
        assert_true(fabs(rows[1].efficiency - 1) < 1e-9);
        assert_true(fabs(rows[0].efficiency - 1) < 1e-9);
        assert_true(fabs(rows[3].efficiency - rows[3].speedup / 8) < 1e-9);
        free(rows);
        sweep_done(&s);
}

/* Fine takes n, coarse 10 and half of n: alike at 20. */
static double variants(const struct sweep *s, size_t point)
{
        double n = value(s, point, "n"), noise = 1 + 0.01 * (double)(s->n % 7);
        const char *work = sweep_grid_value(&s->grid, point, sweep_grid_find(&s->grid, "work"));

        return (!strcmp(work, "fine") ? n : 10 + n / 2) * noise;
}

static struct sweep compared(bool full)
{
        struct sweep s = sweep_of("work=fine,coarse", "n=1,2,4,...,128");

        sweep_words_free(s.argv);
        s.argv = words("{work}", "{n}");
        s.compare = strdup("work");
        s.full = full;
        return s;
}

static void crossover(void **state)
{
        struct sweep s = compared(false), full = compared(true);
        struct sweep_crossover c, d;
        struct sweep_row *rows, *all;

        go(&s, variants, SIZE_MAX);
        go(&full, variants, SIZE_MAX);
        rows = sweep_rows(&s);
        all = sweep_rows(&full);
        assert_int_equal(sweep_crossover_axis(&s), 1);
        assert_true(sweep_crossover(&c, &s, rows, 1, 0, 1, 0));
        assert_true(sweep_crossover(&d, &full, all, 1, 0, 1, 0));
        assert_true(c.b_wins);
        assert_int_equal(c.from, 5); /* 32 */
        assert_int_equal(d.from, c.from);
        assert_true(c.at > 17 && c.at < 24);
        assert_true(c.known && c.low <= c.from && c.high >= c.from);
        assert_true(s.n < full.n * 6 / 10);
        free(rows);
        free(all);
        sweep_done(&s);
        sweep_done(&full);
}

/* What is done once takes a second, and each unit a hundredth. */
static double loading(const struct sweep *s, size_t point)
{
        return 1 + value(s, point, "n") / 100;
}

static void little_work_is_not_cut(void **state)
{
        struct sweep s = sweep_of("n=1,10,100,1000", NULL);

        sweep_words_free(s.argv);
        s.argv = words("engine", "{n}");
        s.units = strdup("n");
        for (s.seed = 0; s.seed < 8; s.seed++) {
                go(&s, loading, 4);
                assert_int_equal(s.n, 4);
                for (; s.n; s.n--) {
                        assert_true(sweep_run_ok(&s.runs[s.n - 1]));
                        free(s.runs[s.n - 1].why);
                }
        }
        sweep_done(&s);
}

/* ---- the state file, altered --------------------------------------------------------------- */

static void assert_refused(json_t *file, const char *part)
{
        struct sweep s;
        char *why = NULL;

        assert_int_equal(sweep_decode(&s, file, &why), -EINVAL);
        assert_non_null(why);
        if (!strstr(why, part))
                fail_msg("'%s' does not say '%s'", why, part);
        free(why);
        sweep_done(&s);
}

static void altered_state_is_refused(void **state)
{
        static const struct {
                const char *member, *value, *part;
        } cases[] = {
                {"schema", "\"infprof.sweep-state/2\"", "no infprof.sweep-state/1"},
                {"schema", "null", "no infprof.sweep-state/1"},
                {"parameters", "{}", "parameters"},
                {"parameters", "[{\"name\": \"threads\", \"kind\": \"plain\", \"values\": []}]",
                 "no values"},
                {"parameters", "[{\"name\": \"other\", \"kind\": \"plain\", \"values\": [\"1\"]}]",
                 "no parameter is named threads"},
                {"parameters", "[{\"name\": \"threads\", \"kind\": \"new\", \"values\": [\"1\"]}]",
                 "kind"},
                {"argv", "[]", "no command"},
                {"argv", "[\"{x}\"]", "no parameter is named x"},
                {"argv", "[1]", "list of words"},
                {"argv", "[\"a\\u0000b\"]", "list of words"},
                {"env", "[\"NAME\"]", "NAME=VALUE"},
                {"env", "\"A=b\"", "list of words"},
                {"runs", "0", "out of its range"},
                {"runs", "99999999", "runs"},
                {"runs", "1", "round"},
                {"seed", "-1", "seed"},
                {"within", "2.0", "range"},
                {"cut", "null", "range"},
                {"cut", "-1.0", "cut"},
                {"metric", "\"speed\"", "metric"},
                {"compare", "\"nothing\"", "no parameter is named nothing"},
                {"units", "\"nothing\"", "no parameter"},
                {"measured", "{}", "measured"},
                {"measured", "[{}]", "point"},
        };
        struct sweep s = sweep_of("threads=1,2,4,8", NULL);

        go(&s, fails_at_four, SIZE_MAX);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                json_t *file = sweep_encode(&s);

                json_object_set_new(
                        file, cases[i].member,
                        json_loads(cases[i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
                assert_refused(file, cases[i].part);
                json_decref(file);
        }
        sweep_done(&s);
}

static void altered_runs_are_refused(void **state)
{
        static const struct {
                const char *member, *value, *part;
        } cases[] = {
                {"point", "4", "point"},
                {"point", "-1", "point"},
                {"point", "1.5", "point"},
                {"round", "5", "round"},
                {"end", "\"well\"", "end"},
                {"code", "\"0\"", "code"},
                {"wall_ns", "-1", "wall_ns"},
                {"wall_ns", "\"1\"", "wall_ns"},
                {"cut", "1", "cut"},
                {"why", "1", "why"},
                {"recorded", "null", "recorded"},
        };
        struct sweep s = sweep_of("threads=1,2,4,8", NULL);
        json_t *file;

        go(&s, fails_at_four, SIZE_MAX);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                file = sweep_encode(&s);
                json_object_set_new(json_array_get(json_object_get(file, "measured"), 2),
                                    cases[i].member,
                                    json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
                assert_refused(file, cases[i].part);
                json_decref(file);
        }
        file = sweep_encode(&s);
        json_array_append(json_object_get(file, "measured"),
                          json_array_get(json_object_get(file, "measured"), 0));
        assert_refused(file, "twice");
        json_decref(file);
        sweep_done(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(losers_are_stopped),
                cmocka_unit_test(what_fails_is_a_row),
                cmocka_unit_test(what_takes_too_long_is_cut),
                cmocka_unit_test(who_was_disturbed_runs_again),
                cmocka_unit_test(order_is_of_the_seed),
                cmocka_unit_test(what_was_interrupted_goes_on_alike),
                cmocka_unit_test(knee),
                cmocka_unit_test(crossover),
                cmocka_unit_test(little_work_is_not_cut),
                cmocka_unit_test(altered_state_is_refused),
                cmocka_unit_test(altered_runs_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
