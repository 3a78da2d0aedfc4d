/* SPDX-License-Identifier: MIT */
/* preload/layer.c and engine-ggml-layer.c: which layer and part the names of tensors tell. */
#include "preload/engine-ggml-layer.c"
#include "preload/layer.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

__thread struct ifp_tls ifp_tls;
struct ifp_segment *ifp_seg;
struct ifp_ggml ifp_ggml;
struct ifp_ggml_layout ifp_ggml_layout;

struct tensor {
        uint64_t something;
        char name[NAME_BYTES];
};

static const char *get_name(const void *tensor)
{
        return ((const struct tensor *)tensor)->name;
}

static const char *get_another(const void *tensor)
{
        (void)tensor;
        return "elsewhere";
}

static int setup(void **state)
{
        (void)state;
        ifp_seg = mmap(NULL, ifp_segment_bytes(2), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_ptr_not_equal(ifp_seg, MAP_FAILED);
        ifp_seg->live.n_layers = 1;
        ifp_ggml.get_name = get_name;
        ifp_ggml_layout.name = offsetof(struct tensor, name);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        munmap(ifp_seg, ifp_segment_bytes(2));
        return 0;
}

static const struct ifp_layer *of(const char *a, const char *b, const char *c)
{
        const char *names[] = {a, b, c};
        struct tensor tensors[3];
        const void *at[3];
        uint32_t n = 0;

        for (; n < 3 && names[n]; n++) {
                memset(&tensors[n], 'x', sizeof(tensors[n]));
                snprintf(tensors[n].name, sizeof(tensors[n].name), "%s", names[n]);
                at[n] = &tensors[n];
        }
        return &ifp_seg->layers[ifp_ggml_layer(9, 0, at, n)];
}

static void check(const struct ifp_layer *l, int layer, enum ifp_part part)
{
        assert_int_equal(l->ready, 1);
        assert_int_equal(l->op, 9);
        assert_int_equal((int)l->layer - 1, layer);
        assert_int_equal(l->part, part);
}

static void names_tell(void **state)
{
        (void)state;
        check(of("Qcur-7", NULL, NULL), 7, IFP_PART_ATTENTION);
        check(of("Kcur-31 (reshaped)", NULL, NULL), 31, IFP_PART_ATTENTION);
        check(of("kqv_out-0", NULL, NULL), 0, IFP_PART_ATTENTION);
        check(of("attn_norm-12", "x", NULL), 12, IFP_PART_ATTENTION);
        check(of("ffn_up-3", NULL, NULL), 3, IFP_PART_MLP);
        check(of("ffn_moe_weighted-61", NULL, NULL), 61, IFP_PART_MLP);
        check(of("ffn_inp-3", "attn_out-3", NULL), 3, IFP_PART_REST);
        check(of("l_out-3", "ffn_out-3", NULL), 3, IFP_PART_REST);
        check(of("cache_k_l5 (view)", NULL, NULL), 5, IFP_PART_ATTENTION);
        check(of("result_norm", "l_out-5", "output_norm.weight"), -1, IFP_PART_OUTPUT);
        check(of("result_output", "output.weight", NULL), -1, IFP_PART_OUTPUT);
        check(of("inp_embd", "token_embd.weight", NULL), -1, IFP_PART_EMBEDDING);
}

static void sources_tell_where_the_node_does_not(void **state)
{
        (void)state;
        check(of("node_17", "blk.4.ffn_down.weight", NULL), 4, IFP_PART_MLP);
        check(of("node_17", "leaf_2", "blk.11.attn_q.weight"), 11, IFP_PART_ATTENTION);
        check(of("node_17", "leaf_2", "leaf_3"), -1, IFP_PART_REST);
        check(of("", "", NULL), -1, IFP_PART_REST);
        check(of("ffn_out", "blk.2.ffn_down.weight", NULL), 2, IFP_PART_MLP);
}

static void what_looks_like_a_number_is_none(void **state)
{
        (void)state;
        check(of("a-", NULL, NULL), -1, IFP_PART_REST);
        check(of("a-7b", NULL, NULL), -1, IFP_PART_REST);
        check(of("a-99999", NULL, NULL), -1, IFP_PART_REST);
        check(of("a-9999", NULL, NULL), 9999, IFP_PART_REST);
        check(of("blk.x.attn_q", NULL, NULL), -1, IFP_PART_ATTENTION);
        check(of("a-18446744073709551617", NULL, NULL), -1, IFP_PART_REST);
}

static void a_name_may_have_no_end(void **state)
{
        struct tensor t;
        const void *at[1] = {&t};

        (void)state;
        memset(&t, '-', sizeof(t));
        check(&ifp_seg->layers[ifp_ggml_layer(9, 0, at, 1)], -1, IFP_PART_REST);
}

static void the_same_has_the_same_number(void **state)
{
        uint32_t a = ifp_layer(3, 1, IFP_PART_MLP, 0);

        (void)state;
        assert_int_equal(ifp_layer(3, 1, IFP_PART_MLP, 0), a);
        assert_int_not_equal(ifp_layer(3, 1, IFP_PART_ATTENTION, 0), a);
        assert_int_not_equal(ifp_layer(3, 2, IFP_PART_MLP, 0), a);
        assert_int_not_equal(ifp_layer(4, 1, IFP_PART_MLP, 0), a);
        assert_int_not_equal(ifp_layer(3, 1, IFP_PART_MLP, 7), a);
        assert_int_equal(ifp_layer(3, 1, IFP_PART_MLP, 7), ifp_layer(3, 1, IFP_PART_MLP, 7));
        assert_int_equal(ifp_seg->live.n_layers, 6);
}

static void shapes_have_half_of_the_table(void **state)
{
        uint32_t whole;

        (void)state;
        for (uint32_t i = 1; i < IFP_MAX_LAYERS / 2; i++)
                assert_int_equal(ifp_layer(3, 1, IFP_PART_MLP, i), i);
        whole = ifp_layer(3, 1, IFP_PART_MLP, 5000);
        assert_int_equal(whole, IFP_MAX_LAYERS / 2);
        assert_int_equal(ifp_seg->layers[whole].shape, 0);
        assert_int_equal(ifp_layer(3, 1, IFP_PART_MLP, 6000), whole);
        assert_int_equal(ifp_layer(3, 1, IFP_PART_MLP, 5), 5); /* those that were told stay so */
        assert_int_equal(ifp_layer(3, 2, IFP_PART_MLP, 5000), whole + 1);
}

static void a_full_table_gives_none(void **state)
{
        (void)state;
        for (uint32_t i = 1; i < IFP_MAX_LAYERS; i++)
                assert_int_equal(ifp_layer(i % 2000, i, IFP_PART_MLP, 0), i);
        assert_int_equal(ifp_layer(1, 7777, IFP_PART_MLP, 0), 0);
        assert_int_equal(ifp_layer(1, 1, IFP_PART_MLP, 0), 1);
}

static void where_the_name_lies_is_asked(void **state)
{
        struct tensor t = {0};

        (void)state;
        ifp_ggml_layout.name = 0;
        ifp_ggml_find_name(&t);
        assert_int_equal(ifp_ggml_layout.name, offsetof(struct tensor, name));
        ifp_ggml.get_name = get_another;
        ifp_ggml_find_name(&t);
        assert_int_equal(ifp_ggml_layout.name, 0);
        ifp_ggml_layout.name = 8;
        ifp_ggml.get_name = NULL;
        ifp_ggml_find_name(&t);
        assert_int_equal(ifp_ggml_layout.name, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(names_tell),
                TEST(sources_tell_where_the_node_does_not),
                TEST(what_looks_like_a_number_is_none),
                TEST(a_name_may_have_no_end),
                TEST(the_same_has_the_same_number),
                TEST(shapes_have_half_of_the_table),
                TEST(a_full_table_gives_none),
                TEST(where_the_name_lies_is_asked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
