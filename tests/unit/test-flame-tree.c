/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flame.h"
#include "cli/flame-name.h"
#include "common/cleanup.h"

/* A document whose stacks are told as "f<g<h": innermost first, '~' before what is inlined. */
static json_t *document_new(void)
{
        return json_pack("{s:[]}", "stacks");
}

static json_t *add(json_t *document, const char *frames, const char *op, const char *phase,
                   double bytes)
{
        json_t *list = json_array(), *stack;
        char *copy = strdup(frames), *rest = copy, *name;

        while ((name = strsep(&rest, "<")) && *name)
                json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:b}", "function",
                                                      name + (*name == '~'), "library", "/l/a.so",
                                                      "offset", 16, "inlined", *name == '~'));
        free(copy);
        stack = json_pack("{s:s?, s:s, s:o, s:f}", "op", op, "phase", phase, "frames", list,
                          "alloc_bytes", bytes);
        json_array_append_new(json_object_get(document, "stacks"), stack);
        return stack;
}

static const struct flame_options by_alloc = {.value = "alloc_bytes"};

static struct flame_node *tree_of(const json_t *document, const struct flame_options *options)
{
        struct flame_node *root;
        struct flame_sum sum;

        assert_int_equal(flame_tree_new(&root, &sum, document, options), 0);
        return root;
}

/* The folded form says all that matters of a small tree. */
static void assert_folded(const json_t *document, const struct flame_options *options,
                          const char *wanted)
{
        struct flame_node *root = tree_of(document, options);
        char *text = NULL;
        size_t bytes;
        FILE *f = open_memstream(&text, &bytes);

        assert_int_equal(flame_folded(f, root, false), 0);
        fclose(f);
        assert_string_equal(text, wanted);
        free(text);
        flame_tree_free(root);
}

static void equal_stacks_are_one(void **state)
{
        _cleanup_(json_decrefp) json_t *d = document_new();

        add(d, "malloc<f<main", NULL, "load", 10);
        add(d, "malloc<f<main", NULL, "decode", 5.4);
        add(d, "malloc<g<main", NULL, "decode", 2);
        add(d, "f<main", NULL, "decode", 1);
        add(d, "malloc<f<main", "MUL_MAT", "decode", 7);
        assert_folded(
                d, &by_alloc,
                "main;f 1\nmain;f;malloc 15\nmain;f;malloc;[op MUL_MAT] 7\nmain;g;malloc 2\n");
}

static void phases(void **state)
{
        _cleanup_(json_decrefp) json_t *d = document_new();
        struct flame_options o = by_alloc;

        add(d, "f", NULL, "load", 10);
        add(d, "f", NULL, "decode", 5);
        o.by_phase = true;
        assert_folded(d, &o, "decode;f 5\nload;f 10\n");
        o.by_phase = false;
        o.phase = "load";
        assert_folded(d, &o, "f 10\n");
        o.phase = "idle";
        assert_folded(d, &o, "");
}

static void inlined_and_plain_are_two(void **state)
{
        _cleanup_(json_decrefp) json_t *d = document_new();

        add(d, "~f<main", NULL, "load", 10);
        add(d, "f<main", NULL, "load", 5);
        add(d, "~f<main", NULL, "load", 1);
        assert_folded(d, &by_alloc, "main;f 5\nmain;f_[i] 11\n");
}

static void what_is_missing_is_said(void **state)
{
        _cleanup_(json_decrefp) json_t *d = document_new();

        json_object_set_new(add(d, "f", NULL, "load", 1), "cut", json_true());
        json_object_set_new(add(d, "f", NULL, "load", 2), "one", json_true());
        json_object_set_new(add(d, "", NULL, "load", 3), "other", json_true());
        add(d, "", NULL, "load", 4);
        assert_folded(d, &by_alloc,
                      "[unknown] 4\n[only the caller is known];f 2\n[outer frames missing];f 1\n"
                      "[table of stacks full] 3\n");
}

static void names_cannot_break_a_line(void **state)
{
        _cleanup_(json_decrefp) json_t *d = document_new();

        add(d, "a;b\nc\x7f", "x;y", "load", 1);
        assert_folded(d, &by_alloc, "a:b?c?;[op x:y] 1\n");
}

static void values_that_are_not_there_or_negative(void **state)
{
        _cleanup_(json_decrefp) json_t *d = document_new();
        struct flame_node *root;
        struct flame_sum sum;

        json_object_set_new(add(d, "f", NULL, "load", 1), "alloc_bytes", json_null());
        json_object_del(add(d, "f", NULL, "load", 1), "alloc_bytes");
        add(d, "f", NULL, "load", 0);
        add(d, "f", NULL, "load", -7);
        add(d, "f", NULL, "load", 2);
        assert_int_equal(flame_tree_new(&root, &sum, d, &by_alloc), 0);
        assert_int_equal(sum.stacks, 1);
        assert_true(sum.left_out == -7);
        assert_true(root->value == 2);
        flame_tree_free(root);
}

struct sums {
        double last_from;
        size_t n;
};

static int check_node(const struct flame_node *node, double from, void *userdata)
{
        struct sums *s = userdata;
        double sum = node->self;

        for (size_t i = 0; i < node->n_children; i++) {
                sum += node->children[i]->value;
                assert_int_equal(node->children[i]->depth, node->depth + 1);
                if (i)
                        assert_true(strcmp(node->children[i - 1]->name, node->children[i]->name) <=
                                    0);
        }
        assert_true(fabs(sum - node->value) < 1e-6 * node->value);
        assert_true(from >= s->last_from - 1e-6);
        s->last_from = from;
        s->n++;
        return 0;
}

static void children_sum_to_their_parent(void **state)
{
        _cleanup_(json_decrefp) json_t *d = document_new();
        struct flame_node *root;
        struct sums sums = {0};
        unsigned seed = 1;

        for (int i = 0; i < 2000; i++) {
                char frames[128], *p = frames;

                for (int j = 0; j < 6; j++) {
                        seed = seed * 1103515245 + 12345;
                        p += sprintf(p, "f%u<", seed >> 16 & 3);
                }
                strcpy(p, "main");
                add(d, frames, seed >> 20 & 1 ? "X" : NULL, "load", 1 + (seed >> 16) % 1000 / 7.0);
        }
        root = tree_of(d, &by_alloc);
        flame_tree_each(root, check_node, &sums);
        assert_in_range(sums.n, 3000, 16000);
        flame_tree_free(root);
}

/* What only one of two has is 0 in the other; nodes that have nothing now are there, 0 wide. */
static void two_beside_each_other(void **state)
{
        static const struct flame_step both[] = {{"f", FLAME_FRAME}, {"g;h", FLAME_FRAME}},
                                       gone[] = {{"f", FLAME_FRAME}, {"gone", FLAME_FRAME}};
        struct flame_node *root = flame_tree_root();
        char *text = NULL;
        size_t bytes;
        FILE *f = open_memstream(&text, &bytes);

        assert_int_equal(flame_tree_put(root, both, 2, 7, 5), 0);
        assert_int_equal(flame_tree_put(root, gone, 2, 0, 3), 0);
        assert_true(root->value == 7 && root->before == 8);
        assert_true(root->children[0]->value == 7 && root->children[0]->before == 8);
        assert_int_equal(flame_folded(f, root, true), 0);
        fclose(f);
        assert_string_equal(text, "f;g:h 5 7\nf;gone 3 0\n");
        free(text);
        flame_tree_free(root);
}

static void short_names(void **state)
{
        static const struct {
                const char *name, *brief;
        } cases[] = {
                {"f", "f"},
                {"f()", "f()"},
                {"f(int)", "f(…)"},
                {"std::vector<int, std::allocator<int> >::push_back(int&&)",
                 "std::vector<…>::push_back(…)"},
                {"(anonymous namespace)::f(int)", "(anonymous namespace)::f(…)"},
                {"A::operator()(int) const", "A::operator()(…) const"},
                {"A<int>::operator<<(B<int>)", "A<…>::operator<<(…)"},
                {"operator new(unsigned long)", "operator new(…)"},
                {"f()::{lambda(int)#1}::operator()(int)", "f()::{lambda(…)#1}::operator()(…)"},
                {"<T as core::ops::Fn<(A, B)>>::call", "<…>::call"},
                {"fn<A->B>::c", "fn<…>::c"},
                {"broken<", "broken<"},
                {"broken>)", "broken>)"},
                {"", ""},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                char *brief = flame_short_name(cases[i].name);

                assert_string_equal(brief, cases[i].brief);
                free(brief);
        }
}

static void labels(void **state)
{
        static const struct {
                size_t columns;
                const char *label;
        } cases[] = {{100, "ns::Class<float>::method(std::string const&)"},
                     {44, "ns::Class<float>::method(std::string const&)"},
                     {43, "ns::Class<…>::method(…)"},
                     {23, "ns::Class<…>::method(…)"},
                     {22, "method(…)"},
                     {9, "method(…)"},
                     {8, "method(…"},
                     {3, "me…"},
                     {2, ""},
                     {0, ""}};
        const char *name = cases[0].label;
        char *brief = flame_short_name(name), *wide;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                char *label = flame_label(name, brief, cases[i].columns);

                assert_string_equal(label, cases[i].label);
                free(label);
        }
        free(brief);
        assert_int_equal(flame_columns("aé漢…"), 5);
        wide = flame_cut("漢漢漢", 5);
        assert_string_equal(wide, "漢漢…");
        free(wide);
}

static void names_of_frames(void **state)
{
        static const struct {
                const char *function, *library;
                int64_t offset;
                const char *name;
        } cases[] = {{"f", "/l/a.so", 16, "f"},      {NULL, "/l/a.so", 0x1234, "a.so+0x1234"},
                     {NULL, NULL, 0x7f00, "0x7f00"}, {NULL, "[jit]", 0x7f00, "[jit]"},
                     {"", "a.so", 1, "a.so+0x1"},    {"\xc2\x9b\x1b[2J", NULL, 1, "???[2J"}};

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                _cleanup_(json_decrefp) json_t *frame =
                        json_pack("{s:s?, s:s?, s:I}", "function", cases[i].function, "library",
                                  cases[i].library, "offset", (json_int_t)cases[i].offset);
                char *name = flame_name(frame);

                assert_string_equal(name, cases[i].name);
                free(name);
        }
}

/* An offset that is not known is not 0. */
static void names_of_frames_without_offset(void **state)
{
        _cleanup_(json_decrefp) json_t *in =
                json_pack("{s:n, s:s, s:n}", "function", "library", "/l/a.so", "offset");
        _cleanup_(json_decrefp) json_t *nowhere =
                json_pack("{s:n, s:n, s:n}", "function", "library", "offset");
        char *name = flame_name(in);

        assert_string_equal(name, "a.so");
        free(name);
        name = flame_name(nowhere);
        assert_string_equal(name, "?");
        free(name);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(equal_stacks_are_one),
                cmocka_unit_test(phases),
                cmocka_unit_test(inlined_and_plain_are_two),
                cmocka_unit_test(what_is_missing_is_said),
                cmocka_unit_test(names_cannot_break_a_line),
                cmocka_unit_test(values_that_are_not_there_or_negative),
                cmocka_unit_test(children_sum_to_their_parent),
                cmocka_unit_test(two_beside_each_other),
                cmocka_unit_test(short_names),
                cmocka_unit_test(labels),
                cmocka_unit_test(names_of_frames),
                cmocka_unit_test(names_of_frames_without_offset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
