/* SPDX-License-Identifier: MIT */
/* infprof.diff/1 of runs that never were: what their ops took is drawn, and what differs is
 * planted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

#include <infprof/segment.h>

#include "common/report-diff-sets.h"
#include "common/runfile.h"
#include "common/stats-private.h"
#include "run-folder.h"

enum { N_OPS = 8, TOKENS = 100 };

/* What a run is made of. */
struct made {
        double slow;  /* op 1 takes so much more */
        double noise; /* standard deviation of the logarithm of what an op takes */
        bool no_tokens, no_ops, failed;
        const char *ops; /* their names begin so; NULL: "op" */
        const char *exe, *fingerprint;
};

static const struct made plain = {.slow = 1, .noise = 0.02, .exe = "/opt/engine"};
static uint64_t lots = 6;

static double uniform(void)
{
        return ((double)(stats_draw(&lots) >> 11) + 0.5) * 0x1p-53;
}

static double normal(void)
{
        return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static void put_op(struct runfile *rf, const char *begin, uint32_t i, uint64_t self_ns)
{
        char name[16];
        struct runfile_op op = {.op = i + 1, .name = name, .kind = IFP_KIND_NODE};
        struct runfile_op_phase row = {.op = i + 1,
                                       .phase = IFP_PHASE_DECODE,
                                       .timed = 2 * TOKENS,
                                       .total_ns = self_ns,
                                       .min_ns = 1,
                                       .max_ns = self_ns};

        snprintf(name, sizeof(name), "%s-%u", begin ? begin : "op", i);
        assert_int_equal(runfile_put_op(rf, &op), 0);
        assert_int_equal(runfile_put_op_phase(rf, &row), 0);
}

/* Op 1 in two layers, on a shape; op 2 on a shape alone, half of its calls. */
static void put_pieces(struct runfile *rf, const uint64_t *self_ns)
{
        for (uint32_t k = 1; k <= 2; k++) {
                struct runfile_shape shape = {.shape = k, .op = k + 1, .parts = 1};
                struct runfile_operand operand = {.shape = k,
                                                  .type = "f32",
                                                  .block = 1,
                                                  .block_bytes = 4,
                                                  .ne0 = 8,
                                                  .ne1 = k,
                                                  .ne2 = 1,
                                                  .ne3 = 1,
                                                  .nb0 = 4,
                                                  .nb1 = 32,
                                                  .nb2 = 32,
                                                  .nb3 = 32};
                struct runfile_shape_phase row = {.shape = k, .phase = IFP_PHASE_DECODE};

                row.calls = k == 1 ? 2 * TOKENS : TOKENS;
                row.total_ns = k == 1 ? self_ns[1] : self_ns[2] / 2;
                assert_int_equal(runfile_put_shape(rf, &shape), 0);
                assert_int_equal(runfile_put_operand(rf, &operand), 0);
                assert_int_equal(runfile_put_shape_phase(rf, &row), 0);
        }
        for (uint32_t layer = 1; layer <= 2; layer++) {
                struct runfile_layer row = {.entry = layer,
                                            .phase = IFP_PHASE_DECODE,
                                            .op = 2,
                                            .layer = layer,
                                            .part = IFP_PART_MLP,
                                            .shape = 1,
                                            .calls = TOKENS,
                                            .total_ns = layer == 1 ? self_ns[1] / 2
                                                                   : self_ns[1] - self_ns[1] / 2};

                assert_int_equal(runfile_put_layer(rf, &row), 0);
        }
}

static void put_tokens(struct runfile *rf, uint64_t whole_ns)
{
        struct runfile_ledger ledger = {
                .steps = TOKENS, .tokens = TOKENS, .wall_ns = whole_ns, .all_ns = whole_ns};
        uint64_t at = 1000;

        assert_int_equal(runfile_put_ledger(rf, &ledger), 0);
        for (uint64_t i = 0; i < TOKENS; i++) {
                struct runfile_token_point p = {.token = i + 1, .at_ns = at};

                at += whole_ns / TOKENS + (uint64_t)(uniform() * 0.02 * (double)whole_ns / TOKENS);
                assert_int_equal(runfile_put_token_point(rf, &p), 0);
        }
}

static unsigned last_pid = 7000;

/* Each has an id of its own. */
static void write_run(const struct made *made)
{
        char id[32];
        struct runfile_run run = {.id = id,
                                  .command = "./engine",
                                  .pid = 7001,
                                  .duration_ns = 1,
                                  .end = RUNFILE_END_CODE,
                                  .end_value = made->failed ? 3 : 0,
                                  .infprof_version = "0"};
        struct runfile_process p = {.uuid = "01",
                                    .pid = 7001,
                                    .command = "./engine",
                                    .exe = made->exe,
                                    .ticks_per_second = 1000000000,
                                    .end = RUNFILE_END_CODE,
                                    .waits = true,
                                    .spans = 1,
                                    .generated_tokens = TOKENS};
        uint64_t self_ns[N_OPS], whole = 1000000;
        struct runfile_thread thread = {.thread = 0, .tid = 7001};
        char *why = NULL;
        struct runfile *rf;

        for (uint32_t i = 0; i < N_OPS; i++) {
                self_ns[i] = (uint64_t)(1e6 * (N_OPS - i) * exp(made->noise * normal()) *
                                        (i == 1 ? made->slow : 1));
                whole += self_ns[i];
        }
        p.duration_ns = whole + 5000000;
        thread.ended_ns = p.duration_ns;
        snprintf(id, sizeof(id), "20261128-120000-%u", ++last_pid);
        unlink(file);
        assert_int_equal(runfile_create(&rf, file, &run, &why), 0);
        assert_int_equal(runfile_begin(rf), 0);
        assert_int_equal(runfile_put_process(rf, &p), 0);
        assert_int_equal(runfile_put_thread(rf, &thread), 0);
        for (uint32_t i = 0; i < N_OPS && !made->no_ops; i++)
                put_op(rf, made->ops, i, self_ns[i]);
        if (!made->no_ops)
                put_pieces(rf, self_ns);
        if (!made->no_tokens)
                put_tokens(rf, whole);
        if (made->fingerprint) {
                struct runfile_machine row = {made->fingerprint, "{}"};

                assert_int_equal(runfile_put_machine(rf, &row), 0);
        }
        assert_int_equal(runfile_commit(rf, &why), 0);
        runfile_close(rf);
}

static void add_runs(struct diff_set *set, const struct made *made, int n)
{
        char *why = NULL;

        for (int i = 0; i < n; i++) {
                write_run(made);
                assert_int_equal(diff_set_add(set, file, true, &why), 0);
        }
}

static json_t *compare_by(const struct made *a, int n_a, const struct made *b, int n_b,
                          enum diff_by by)
{
        struct diff_set sets[2];
        json_t *o = NULL;

        assert_int_equal(diff_set_init(&sets[0]), 0);
        assert_int_equal(diff_set_init(&sets[1]), 0);
        add_runs(&sets[0], a, n_a);
        add_runs(&sets[1], b, n_b);
        assert_int_equal(report_diff_sets(&o, &sets[0], &sets[1], by), 0);
        diff_set_done(&sets[0]);
        diff_set_done(&sets[1]);
        return o;
}

static json_t *compare(const struct made *a, int n_a, const struct made *b, int n_b)
{
        return compare_by(a, n_a, b, n_b, DIFF_BY_ANY);
}

static const char *text(const json_t *o, const char *key)
{
        const char *s = json_string_value(json_object_get(o, key));

        return s ? s : "";
}

static double figure(const json_t *o, const char *cell, const char *key)
{
        const json_t *v = json_object_get(json_object_get(o, cell), key);

        return json_is_number(v) ? json_number_value(v) : NAN;
}

static bool is_verdict(const json_t *o, const char *verdict)
{
        return !strcmp(text(o, "verdict"), verdict);
}

static bool is_noted(const json_t *o, const char *words)
{
        const json_t *note;
        size_t i;

        json_array_foreach(json_object_get(o, "notes"), i, note)
        {
                if (strstr(json_string_value(note), words))
                        return true;
        }
        return false;
}

static bool is_named(const json_t *o, const char *op)
{
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(o, "ops"), i, row)
        {
                if (json_is_true(json_object_get(row, "changed")) &&
                    (!op || !strcmp(text(row, "op"), op)))
                        return true;
        }
        return false;
}

static void near_to(double got, double expected, double by)
{
        if (!(fabs(got - expected) <= by))
                fail_msg("%.12g where %.12g is expected", got, expected);
}

/* Rows sum to the whole: of A, of B, of the difference, and what they explain to all of it. */
static void sums_up(const json_t *o, const char *list)
{
        static const char *const keys[] = {"a", "b", "delta"};
        double sum[3] = {0}, explains = 0;
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(o, list), i, row)
        {
                for (int k = 0; k < 3; k++)
                        sum[k] += figure(row, "self_ns", keys[k]);
                explains += json_number_value(json_object_get(row, "explains"));
        }
        for (int k = 0; k < 3; k++)
                near_to(sum[k], figure(o, "whole", keys[k]), 1e-6);
        near_to(explains, 1, 1e-9);
}

static const json_t *find(const json_t *o, const char *list, const char *op, int layer)
{
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(o, list), i, row)
        {
                const json_t *in = json_object_get(row, "layer");

                if (!strcmp(text(row, "op"), op) &&
                    (layer < 0 || (json_is_integer(in) && json_integer_value(in) == layer)))
                        return row;
        }
        return NULL;
}

static void rows_sum_to_the_whole(void **state)
{
        const struct made slow = {.slow = 1.2, .noise = 0.02, .exe = "/opt/engine"};
        static const enum diff_by by[] = {DIFF_BY_ANY, DIFF_BY_WALL};

        for (int i = 0; i < 2; i++) {
                json_t *o = compare_by(&plain, 4, &slow, 5, by[i]);

                sums_up(o, "ops");
                sums_up(o, "rows");
                assert_string_equal(text(json_object_get(o, "whole"), "of"), i ? "run" : "token");
                assert_int_equal(json_array_size(json_object_get(o, "ops")), N_OPS + 1);
                /* op 1 by layer, op 2 on a shape and on none */
                assert_int_equal(json_array_size(json_object_get(o, "rows")), N_OPS + 1 + 2);
                assert_non_null(find(o, "rows", "op-1", 0));
                assert_non_null(find(o, "rows", "op-1", 1));
                assert_string_equal(text(find(o, "rows", "op-1", 1), "part"), "mlp");
                assert_true(*text(find(o, "rows", "op-1", 1), "shape"));
                near_to(figure(find(o, "rows", "op-1", 0), "calls", "a"), i ? TOKENS : 1, 1e-9);
                json_decref(o);
        }
        {
                json_t *o = compare(&plain, 1, &slow, 1);

                sums_up(o, "ops");
                sums_up(o, "rows");
                json_decref(o);
        }
}

/* Runs that were read once, of which samples are drawn. */
enum { POOL = 24, SAMPLE = 10 };

static void draw(struct diff_set *to, const struct diff_set *pool, bool *taken)
{
        *to = (struct diff_set){.n = SAMPLE, .left_out = pool->left_out};
        to->at = calloc(SAMPLE, sizeof(struct diff_run *));
        assert_non_null(to->at);
        for (size_t i = 0; i < SAMPLE; i++) {
                size_t k;

                do
                        k = stats_draw_below(&lots, POOL);
                while (taken[k]);
                taken[k] = true;
                to->at[i] = pool->at[k];
        }
}

static json_t *compare_samples(const struct diff_set *a, const struct diff_set *b)
{
        bool taken[2][POOL] = {0};
        struct diff_set x, y;
        json_t *o = NULL;

        draw(&x, a, taken[0]);
        draw(&y, b, taken[a != b]);
        assert_int_equal(report_diff_sets(&o, &x, &y, DIFF_BY_ANY), 0);
        free(x.at);
        free(y.at);
        return o;
}

/*
 * Of the same a difference is said as often as it may be by chance, and not more: of 200 at 5 %, 10
 * are expected, and 21 are beyond 99.9 %. What is planted is found and named.
 */
static void chance_is_not_taken_for_a_difference(void **state)
{
        const struct made slow = {.slow = 1.05, .noise = 0.02, .exe = "/opt/engine"};
        enum { TIMES = 200, PLANTED = 40 };
        int said = 0, named = 0, found = 0;
        struct diff_set pools[2];

        for (int i = 0; i < 2; i++) {
                assert_int_equal(diff_set_init(&pools[i]), 0);
                add_runs(&pools[i], i ? &slow : &plain, POOL);
        }
        for (int i = 0; i < TIMES; i++) {
                json_t *o = compare_samples(&pools[0], &pools[0]);

                said += !is_verdict(o, "no difference shown");
                named += is_named(o, NULL);
                json_decref(o);
        }
        for (int i = 0; i < PLANTED; i++) {
                json_t *o = compare_samples(&pools[0], &pools[1]);

                found += is_named(o, "op-1");
                json_decref(o);
        }
        if (said > 20 || named > 20)
                fail_msg("of %d: a difference said %d times, an op named %d times", TIMES, said,
                         named);
        if (found < 36)
                fail_msg("found %d times of %d", found, PLANTED);
        diff_set_done(&pools[0]);
        diff_set_done(&pools[1]);
}

static void it_says_which_is_faster(void **state)
{
        const struct made slow = {.slow = 1.5, .noise = 0.02, .exe = "/opt/engine"};
        json_t *o = compare(&plain, 5, &slow, 6), *speedup = json_object_get(o, "speedup");
        const json_t *layer = find(o, "rows", "op-1", 0);

        assert_true(is_verdict(o, "slower"));
        assert_string_equal(text(speedup, "by"), "runs");
        /* op 1 is 7 of 37 parts */
        near_to(figure(o, "speedup", "ratio"), 1 / (1 + 0.5 * 7 / 37), 0.02);
        assert_true(figure(o, "speedup", "low") < figure(o, "speedup", "ratio"));
        assert_true(figure(o, "speedup", "high") < 1);
        near_to(figure(layer, "self_ns", "ratio"), 1.5, 0.1);
        assert_true(json_is_true(json_object_get(layer, "changed")));
        json_decref(o);
        o = compare(&slow, 5, &plain, 6);
        assert_true(is_verdict(o, "faster"));
        assert_non_null(strstr(text(o, "because"), "p = "));
        json_decref(o);
}

static void few_runs_tell_little(void **state)
{
        const struct made slow = {.slow = 1.5, .noise = 0.02, .exe = "/opt/engine"};
        json_t *o = compare(&plain, 3, &slow, 3);

        assert_true(is_verdict(o, "no difference shown"));
        assert_non_null(strstr(text(o, "because"), "too few"));
        assert_true(json_is_null(json_object_get(find(o, "ops", "op-1", -1), "p")));
        json_decref(o);
        /* one a side: by their tokens, and only what is clear of how little that says */
        o = compare(&plain, 1, &slow, 1);
        assert_true(is_verdict(o, "slower"));
        assert_string_equal(text(json_object_get(o, "speedup"), "by"), "tokens");
        assert_non_null(strstr(text(o, "because"), "nothing of how runs vary"));
        json_decref(o);
        o = compare(&plain, 1, &plain, 1);
        assert_true(is_verdict(o, "no difference shown"));
        json_decref(o);
}

static void what_cannot_be_compared(void **state)
{
        const struct made here = {
                .slow = 1, .noise = 0.02, .exe = "/opt/engine", .fingerprint = "aa"};
        const struct made there = {
                .slow = 1, .noise = 0.02, .exe = "/opt/engine", .fingerprint = "bb"};
        const struct made other = {.slow = 2, .noise = 0.02, .exe = "/opt/motor", .ops = "step"};
        json_t *o = compare(&here, 5, &there, 5);

        assert_true(is_verdict(o, "not comparable"));
        assert_non_null(strstr(text(o, "because"), "machines"));
        assert_int_equal(json_array_size(json_object_get(o, "first")), 1);
        sums_up(o, "ops"); /* all is told nevertheless */
        json_decref(o);
        o = compare(&plain, 5, &other, 5);
        assert_true(is_verdict(o, "slower"));
        assert_non_null(strstr(json_string_value(json_array_get(json_object_get(o, "first"), 0)),
                               "different engines, engine and motor"));
        json_decref(o);
}

/* By another name an engine is the same one, and commands without ops are none. */
static void engines_are_told_by_more_than_their_names(void **state)
{
        const struct made renamed = {.slow = 1, .noise = 0.02, .exe = "/opt/engine-new"};
        const struct made bare[2] = {
                {.slow = 1, .exe = "/bin/false", .no_ops = true, .no_tokens = true},
                {.slow = 1, .exe = "/bin/true", .no_ops = true, .no_tokens = true}};
        json_t *o = compare(&plain, 1, &renamed, 1);

        assert_int_equal(json_array_size(json_object_get(o, "first")), 0);
        json_decref(o);
        o = compare(&bare[0], 1, &bare[1], 1);
        assert_int_equal(json_array_size(json_object_get(o, "first")), 0);
        json_decref(o);
}

static void parts_that_are_missing(void **state)
{
        const struct made bare = {
                .slow = 1, .noise = 0.02, .exe = "/opt/engine", .no_tokens = true, .no_ops = true};
        const struct made mute = {
                .slow = 1, .noise = 0.02, .exe = "/opt/engine", .no_tokens = true};
        json_t *o = compare(&bare, 5, &bare, 5);

        assert_string_equal(text(json_object_get(o, "measure"), "name"), "wall time");
        assert_true(json_is_null(json_object_get(o, "whole")));
        assert_int_equal(json_array_size(json_object_get(o, "ops")), 0);
        assert_true(json_array_size(json_object_get(o, "notes")) > 0);
        json_decref(o);
        o = compare(&plain, 5, &mute, 5);
        assert_string_equal(text(json_object_get(o, "measure"), "name"), "wall time");
        assert_int_equal(json_array_size(json_object_get(o, "first")), 1);
        sums_up(o, "ops");
        json_decref(o);
        o = compare(&plain, 5, &bare, 5);
        sums_up(o, "ops");
        json_decref(o);
        o = compare_by(&plain, 5, &mute, 5, DIFF_BY_TOKENS);
        assert_true(is_verdict(o, "not comparable"));
        assert_non_null(strstr(text(o, "because"), "B makes no tokens"));
        assert_non_null(strstr(text(o, "because"), "--by wall"));
        json_decref(o);
}

static void runs_that_failed_are_left_out(void **state)
{
        const struct made failed = {.slow = 9, .noise = 0.02, .exe = "/opt/engine", .failed = true};
        struct diff_set sets[2];
        char *why = NULL;
        json_t *o = NULL;

        assert_int_equal(diff_set_init(&sets[0]), 0);
        assert_int_equal(diff_set_init(&sets[1]), 0);
        add_runs(&sets[0], &plain, 2);
        add_runs(&sets[0], &failed, 2);
        add_runs(&sets[1], &failed, 1);
        assert_int_equal(diff_set_add(&sets[0], "/nonesuch", true, &why), 0);
        assert_true(diff_set_add(&sets[0], "/nonesuch", false, &why) != 0);
        assert_non_null(strstr(why, "/nonesuch"));
        free(why);
        diff_set_settle(&sets[0]);
        diff_set_settle(&sets[1]);
        assert_int_equal(sets[0].n, 2);
        assert_int_equal(json_array_size(sets[0].left_out), 3);
        assert_int_equal(sets[1].n, 1); /* there is nothing better */
        assert_int_equal(report_diff_sets(&o, &sets[0], &sets[1], DIFF_BY_ANY), 0);
        json_decref(o);
        diff_set_done(&sets[0]);
        diff_set_done(&sets[1]);
}

/* Named again, a run is no further evidence. */
static void a_run_counts_once(void **state)
{
        struct diff_set sets[2];
        json_t *o = NULL;

        assert_int_equal(diff_set_init(&sets[0]), 0);
        assert_int_equal(diff_set_init(&sets[1]), 0);
        add_runs(&sets[0], &plain, 2);
        for (int i = 0; i < 3; i++)
                assert_int_equal(diff_set_add(&sets[0], file, true, NULL), 0);
        assert_int_equal(sets[0].n, 2);
        assert_int_equal(sets[0].n_again, 3);
        assert_int_equal(diff_set_add(&sets[1], file, true, NULL), 0);
        assert_int_equal(report_diff_sets(&o, &sets[0], &sets[1], DIFF_BY_ANY), 0);
        assert_true(is_noted(o, "3 runs that are named more than once"));
        assert_true(is_noted(o, "1 run is on both sides"));
        json_decref(o);
        diff_set_done(&sets[0]);
        diff_set_done(&sets[1]);
}

/* --- what infprof ab wrote --- */

static int add_trials(const char *content, struct diff_set *set)
{
        char *why = NULL, path[512];
        FILE *f;
        int r;

        snprintf(path, sizeof(path), "%s/trials.json", folder);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(content, f);
        fclose(f);
        r = diff_set_add_trials(set, path, &why);
        assert_int_equal(!r, !why);
        free(why);
        unlink(path);
        return r;
}

static void trials_are_read_as_anothers_word(void **state)
{
        static const char *const bad[] = {
                "", "{", "[]", "{\"schema\": \"infprof.trials/1\"}",
                "{\"schema\": \"infprof.diff/1\", \"command\": \"x\", \"trials\": []}"};
        static const char good[] =
                "{\"schema\": \"infprof.trials/1\", \"command\": \"sleep 1\", \"trials\": ["
                "{\"file\": null, \"failed\": null, \"wall_ns\": 1000, \"user_ns\": 10},"
                "{\"file\": null, \"failed\": null, \"wall_ns\": 2000, \"user_ns\": \"x\"},"
                "{\"file\": null, \"failed\": \"exit code 3\", \"wall_ns\": 5},"
                "{\"file\": \"gone.infprof\", \"failed\": null, \"wall_ns\": 5}, 7, null]}";
        struct diff_set set;
        json_t *o = NULL;

        assert_int_equal(diff_set_init(&set), 0);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_not_equal(add_trials(bad[i], &set), 0);
        assert_int_equal(set.n, 0);
        assert_int_equal(add_trials(good, &set), 0);
        assert_int_equal(set.n, 2);
        assert_int_equal(add_trials(good, &set), 0);
        assert_int_equal(set.n, 2); /* they are the same runs */
        assert_int_equal(set.n_again, 2);
        assert_int_equal(json_array_size(set.left_out), 1);
        assert_int_equal(report_diff_sets(&o, &set, &set, DIFF_BY_ANY), 0);
        near_to(figure(o, "measure", "a"), 1500, 1e-9);
        json_decref(o);
        diff_set_done(&set);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(rows_sum_to_the_whole, NULL, clean),
                cmocka_unit_test_setup_teardown(chance_is_not_taken_for_a_difference, NULL, clean),
                cmocka_unit_test_setup_teardown(it_says_which_is_faster, NULL, clean),
                cmocka_unit_test_setup_teardown(few_runs_tell_little, NULL, clean),
                cmocka_unit_test_setup_teardown(what_cannot_be_compared, NULL, clean),
                cmocka_unit_test_setup_teardown(engines_are_told_by_more_than_their_names, NULL,
                                                clean),
                cmocka_unit_test_setup_teardown(parts_that_are_missing, NULL, clean),
                cmocka_unit_test_setup_teardown(runs_that_failed_are_left_out, NULL, clean),
                cmocka_unit_test_setup_teardown(a_run_counts_once, NULL, clean),
                cmocka_unit_test_setup_teardown(trials_are_read_as_anothers_word, NULL, clean),
        };
        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
