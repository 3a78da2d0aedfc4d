/* SPDX-License-Identifier: MIT */
/* cli/sweep-grid.c, sweep-words.c and sweep-place.c: what parameters and their values are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/mempolicy.h>

#include "cli/sweep-grid.h"
#include "cli/sweep-place.h"

static void assert_list(const char *list, const char *wanted)
{
        struct sweep_grid g = {0};
        char *why = NULL, text[8192] = "";

        assert_int_equal(sweep_grid_add(&g, "p", SWEEP_PLAIN, list, &why), 0);
        for (size_t i = 0; i < g.parameters[0].n; i++)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "|" : "",
                         g.parameters[0].values[i]);
        assert_string_equal(text, wanted);
        sweep_grid_done(&g);
}

static void assert_wrong(const char *name, const char *list, const char *part)
{
        struct sweep_grid g = {0};
        char *why = NULL;

        assert_int_equal(sweep_grid_add(&g, name, SWEEP_PLAIN, list, &why), -EINVAL);
        assert_non_null(why);
        if (!strstr(why, part))
                fail_msg("'%s' does not say '%s'", why, part);
        assert_int_equal(g.n, 0);
        free(why);
}

static void lists(void **state)
{
        assert_list("1", "1");
        assert_list("1,2,4", "1|2|4");
        assert_list("fine,coarse", "fine|coarse");
        assert_list("a\\,b,c", "a,b|c");
        assert_list("a\\\\,b", "a\\|b");
        assert_list("", "");
        assert_list("--flash,", "--flash|");
        assert_list("1,2,...,6", "1|2|3|4|5|6");
        assert_list("1,2,4,...,128", "1|2|4|8|16|32|64|128");
        assert_list("1,3,9,...,30", "1|3|9|27|30"); /* the last is always there */
        assert_list("8,6,...,2", "8|6|4|2");
        assert_list("128,64,32,...,8", "128|64|32|16|8");
        assert_list("0.5,0.75,...,1.25", "0.5|0.75|1|1.25");
        assert_list("1,2,3,...,5,7,...,11", "1|2|3|4|5|7|9|11");
}

static void what_is_no_list(void **state)
{
        char long_name[80];

        assert_wrong("p", "1,1", "twice");
        assert_wrong("p", "1,...,4", "two at least");
        assert_wrong("p", "...", "behind it");
        assert_wrong("p", "1,2,...", "behind it");
        assert_wrong("p", "1,2,...,...,5", "twice");
        assert_wrong("p", "a,b,...,c", "two at least");
        assert_wrong("p", "1,2,...,0", "never comes");
        assert_wrong("p", "2,1,...,9", "never comes");
        assert_wrong("p", "1,2,...,100000", "more than 1024 values");
        assert_wrong("p", "1,1.0000000000001,...,2", "twice");
        assert_wrong("", "1", "no name");
        assert_wrong("1a", "1", "no name");
        assert_wrong("a b", "1", "no name");
        memset(long_name, 'x', sizeof(long_name));
        long_name[64] = '\0';
        assert_wrong(long_name, "1", "no name");
}

static void take(struct sweep_grid *g, const char *text)
{
        char *why = NULL;

        assert_int_equal(sweep_grid_take(g, text, &why), 0);
}

static void points(void **state)
{
        struct sweep_grid g = {0};
        char *why = NULL, *label;
        size_t seen[6] = {0};

        assert_int_equal(sweep_grid_points(&g), 1);
        take(&g, "a=1,2,3");
        take(&g, "b=x,y");
        assert_int_equal(sweep_grid_points(&g), 6);
        for (size_t i = 0; i < 6; i++) {
                size_t a = sweep_grid_index(&g, i, 0), b = sweep_grid_index(&g, i, 1);

                seen[a * 2 + b]++;
                assert_int_equal(sweep_grid_at(&g, sweep_grid_at(&g, i, 0, 0), 0, a), i);
                assert_int_equal(sweep_grid_index(&g, sweep_grid_at(&g, i, 1, 1), 1), 1);
                assert_int_equal(sweep_grid_index(&g, sweep_grid_at(&g, i, 1, 1), 0), a);
        }
        for (size_t i = 0; i < 6; i++)
                assert_int_equal(seen[i], 1);
        label = sweep_grid_label(&g, 3);
        assert_string_equal(label, "a=2 b=y");
        free(label);
        assert_true(sweep_grid_numeric(&g, 0, NULL));
        assert_false(sweep_grid_numeric(&g, 1, NULL));
        assert_int_equal(sweep_grid_take(&g, "a=7", &why), -EINVAL);
        assert_non_null(strstr(why, "given twice"));
        free(why);
        assert_int_equal(sweep_grid_take(&g, "c", &why), -EINVAL);
        assert_non_null(strstr(why, "no values"));
        free(why);
        assert_int_equal(sweep_grid_take(&g, "c=1,2,...,1000", &why), -EINVAL);
        assert_non_null(strstr(why, "points"));
        free(why);
        assert_int_equal(g.n, 2);
        sweep_grid_done(&g);
}

static void assert_words(const struct sweep_grid *g, size_t point, const char *word,
                         const char *wanted)
{
        char *words[] = {(char *)word, NULL}, **got = NULL, *why = NULL, text[256] = "";

        assert_int_equal(sweep_words(g, point, words, NULL, &got, &why), 0);
        for (size_t i = 0; got[i]; i++)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "|" : "",
                         got[i]);
        assert_string_equal(text, wanted);
        sweep_words_free(got);
}

static void assert_no_words(const struct sweep_grid *g, const char *word, const char *part)
{
        char *words[] = {(char *)word, NULL}, **got = NULL, *why = NULL;

        assert_int_equal(sweep_words(g, 0, words, NULL, &got, &why), -EINVAL);
        if (!strstr(why, part))
                fail_msg("'%s' does not say '%s'", why, part);
        free(why);
}

static void words(void **state)
{
        struct sweep_grid g = {0};

        take(&g, "threads=4,8");
        take(&g, "fa=,--flash on");
        assert_words(&g, 0, "plain", "plain");
        assert_words(&g, 0, "{threads}", "4");
        assert_words(&g, 2, "-t{threads}x{threads}", "-t8x8");
        assert_words(&g, 0, "{fa}", "");
        assert_words(&g, 0, "{fa...}", "");
        assert_words(&g, 1, "{fa}", "--flash on");
        assert_words(&g, 1, "{fa...}", "--flash|on");
        /* braces that are none of ours */
        assert_words(&g, 0, "{{threads}", "{threads}");
        assert_words(&g, 0, "{{{threads}}", "{4}");
        assert_words(&g, 0, "{\"n\": {\"m\": 1}}", "{\"n\": {\"m\": 1}}");
        assert_words(&g, 0, "{} {1} {a b} {", "{} {1} {a b} {");
        assert_words(&g, 0, "", "");
        assert_no_words(&g, "{thread}", "did you mean {threads}");
        assert_no_words(&g, "{batch}", "-P batch=");
        assert_no_words(&g, "x{fa...}", "word of its own");
        sweep_grid_done(&g);
}

static void places(void **state)
{
        static const struct {
                enum sweep_kind kind;
                const char *value, *part; /* NULL: it is good */
        } cases[] = {
                {SWEEP_CPUS, "x", "names no CPUs"},
                {SWEEP_CPUS, "0-", "names no CPUs"},
                {SWEEP_CPUS, "1-0", "names no CPUs"},
                {SWEEP_CPUS, "0+", "names no CPUs"},
                {SWEEP_CPUS, "99999999999999999999", "names no CPUs"},
                {SWEEP_CPUS, "1023", "none that we may use"},
                {SWEEP_NUMA, "local", NULL},
                {SWEEP_NUMA, "default", NULL},
                {SWEEP_NUMA, "bind:0", NULL},
                {SWEEP_NUMA, "bind", "no policy"},
                {SWEEP_NUMA, "local:0", "no policy"},
                {SWEEP_NUMA, "bind:63", "no node 63"},
                {SWEEP_NUMA, "bind:64", "names no nodes"},
                {SWEEP_NUMA, "interleave:0", "over one node"},
                {SWEEP_NUMA, "interleaved", "no policy"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct sweep_grid g = {0};
                struct sweep_place place;
                char *why = NULL;
                int r;

                assert_int_equal(sweep_grid_add(&g, "place", cases[i].kind, cases[i].value, &why),
                                 0);
                r = sweep_place(&place, &g, 0, &why);
                assert_int_equal(r, cases[i].part ? -EINVAL : 0);
                if (cases[i].part && !strstr(why, cases[i].part))
                        fail_msg("'%s' does not say '%s'", why, cases[i].part);
                free(why);
                sweep_grid_done(&g);
        }
        assert_int_equal(sweep_cpus_count("0-3+5"), 5);
        assert_int_equal(sweep_cpus_count("0-3,5"), 5);
        assert_int_equal(sweep_cpus_count("nothing"), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lists),  cmocka_unit_test(what_is_no_list),
                cmocka_unit_test(points), cmocka_unit_test(words),
                cmocka_unit_test(places),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
