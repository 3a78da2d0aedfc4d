/* SPDX-License-Identifier: MIT */
/* preload/experts.c and engine-ggml-experts.c: which experts tokens are sent to, by the ids of a
 * node. */
#include "preload/engine-ggml-experts.c"
#include "preload/experts.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define N_EXPERTS 70 /* more than a word of bits */

__thread struct ifp_tls ifp_tls;
struct ifp_segment *ifp_seg;
struct ifp_ggml ifp_ggml;
struct ifp_ggml_layout ifp_ggml_layout;

struct tensor {
        uint64_t ne[4], nb[4];
        struct tensor *src[3];
        void *data;
        char name[NAME_BYTES];
        uint32_t type;
};

uint32_t ifp_ggml_type(const void *tensor)
{
        return ((const struct tensor *)tensor)->type;
}

static struct tensor node, gate, up, ids;
static int32_t numbers[4096];

static int setup(void **state)
{
        (void)state;
        ifp_seg = mmap(NULL, ifp_segment_bytes(2), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_ptr_not_equal(ifp_seg, MAP_FAILED);
        ifp_seg->live.n_moe_layers = 1;
        memcpy(ifp_seg->names + 1, "i32\0f32", 8);
        ifp_seg->types[1] = (struct ifp_type){.name = 1, .block = 1, .block_bytes = 4};
        ifp_seg->types[2] = (struct ifp_type){.name = 5, .block = 1, .block_bytes = 4};
        ifp_seg->layers[1].layer = 8;
        ifp_seg->layers[2].layer = 9;
        ifp_ggml_layout = (struct ifp_ggml_layout){.shapes = true,
                                                   .ne = offsetof(struct tensor, ne),
                                                   .nb = offsetof(struct tensor, nb),
                                                   .src = offsetof(struct tensor, src),
                                                   .data = offsetof(struct tensor, data),
                                                   .name = offsetof(struct tensor, name)};
        gate = (struct tensor){.ne = {64, 96, N_EXPERTS, 1}, .name = "blk.7.ffn_gate_exps.weight"};
        up = (struct tensor){.ne = {64, 96, N_EXPERTS, 1}, .name = "blk.7.ffn_up_exps.weight"};
        memset(numbers, 0, sizeof(numbers));
        ids = (struct tensor){
                .ne = {2, 3, 1, 1}, .nb = {4, 4 * N_EXPERTS}, .data = numbers, .type = 1};
        node = (struct tensor){.src = {&gate, NULL, &ids}};
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        munmap(ifp_seg, ifp_segment_bytes(2));
        return 0;
}

/* Token t's choices, as a view of all experts in order has them. */
static void choose(int t, int32_t a, int32_t b)
{
        numbers[t * N_EXPERTS] = a;
        numbers[t * N_EXPERTS + 1] = b;
}

static void run(struct tensor *weights, uint32_t phase)
{
        node.src[0] = weights;
        ifp_ggml_experts(&node, 1, phase);
}

static const struct ifp_moe_sums *sums(uint32_t phase)
{
        return &ifp_seg->moe_layers[1].phase[phase];
}

static uint64_t sent(uint32_t phase, uint32_t expert)
{
        return ifp_seg->expert_choices[phase][ifp_seg->moe_layers[1].first + expert];
}

static void choices_are_counted_by_expert(void **state)
{
        (void)state;
        choose(0, 3, 69);
        choose(1, 3, 0);
        choose(2, 64, 3);
        run(&gate, IFP_PHASE_DECODE);
        assert_int_equal(ifp_seg->live.n_moe_layers, 2);
        assert_int_equal(ifp_seg->moe_layers[1].ready, 1);
        assert_int_equal(ifp_seg->moe_layers[1].layer, 8);
        assert_int_equal(ifp_seg->moe_layers[1].n_experts, N_EXPERTS);
        assert_int_equal(sums(IFP_PHASE_DECODE)->steps, 1);
        assert_int_equal(sums(IFP_PHASE_DECODE)->tokens, 3);
        assert_int_equal(sums(IFP_PHASE_DECODE)->choices, 6);
        assert_int_equal(sums(IFP_PHASE_DECODE)->unknown, 0);
        assert_int_equal(sums(IFP_PHASE_DECODE)->steps_known, 1);
        assert_int_equal(sums(IFP_PHASE_DECODE)->distinct, 4);
        assert_int_equal(sent(IFP_PHASE_DECODE, 3), 3);
        assert_int_equal(sent(IFP_PHASE_DECODE, 0), 1);
        assert_int_equal(sent(IFP_PHASE_DECODE, 64), 1);
        assert_int_equal(sent(IFP_PHASE_DECODE, 69), 1);
        assert_int_equal(sent(IFP_PHASE_DECODE, 5), 0);
        run(&gate, IFP_PHASE_PREFILL);
        assert_int_equal(sent(IFP_PHASE_PREFILL, 3), 3);
        assert_int_equal(sent(IFP_PHASE_DECODE, 3), 3);
}

static void one_weight_of_a_layer_counts(void **state)
{
        (void)state;
        for (int i = 0; i < 5; i++) {
                run(&gate, IFP_PHASE_DECODE);
                run(&up, IFP_PHASE_DECODE);
        }
        assert_int_equal(sums(IFP_PHASE_DECODE)->steps, 5);
        assert_int_equal(ifp_seg->live.n_moe_layers, 2);
        gate.name[63] = 'x'; /* behind its end */
        run(&gate, IFP_PHASE_DECODE);
        assert_int_equal(sums(IFP_PHASE_DECODE)->steps, 6);
}

static void layers_and_models_stay_apart(void **state)
{
        struct tensor other = gate;

        (void)state;
        run(&gate, IFP_PHASE_DECODE);
        ifp_ggml_experts(&node, 2, IFP_PHASE_DECODE);
        other.ne[2] = 16;
        run(&other, IFP_PHASE_DECODE);
        assert_int_equal(ifp_seg->live.n_moe_layers, 4);
        assert_int_equal(ifp_seg->moe_layers[2].layer, 9);
        assert_int_equal(ifp_seg->moe_layers[2].first, N_EXPERTS);
        assert_int_equal(ifp_seg->moe_layers[3].n_experts, 16);
        assert_int_equal(sums(IFP_PHASE_DECODE)->steps, 1);
}

static void what_is_no_expert_is_unknown(void **state)
{
        (void)state;
        choose(0, -1, 5);
        choose(1, N_EXPERTS, INT32_MIN);
        choose(2, 5, N_EXPERTS - 1);
        run(&gate, IFP_PHASE_DECODE);
        assert_int_equal(sums(IFP_PHASE_DECODE)->choices, 6);
        assert_int_equal(sums(IFP_PHASE_DECODE)->unknown, 3);
        assert_int_equal(sums(IFP_PHASE_DECODE)->steps_known, 0);
        assert_int_equal(sums(IFP_PHASE_DECODE)->distinct, 0);
        assert_int_equal(sent(IFP_PHASE_DECODE, 5), 2);
        assert_int_equal(sent(IFP_PHASE_DECODE, N_EXPERTS - 1), 1);
}

static void what_cannot_be_read_is_unknown(void **state)
{
        uint8_t *pages =
                mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        void *bad[] = {NULL,
                       (void *)8,
                       pages + 4096,
                       (void *)0xffff800000000000,
                       (uint8_t *)numbers + 1,
                       (void *)~3ull};

        (void)state;
        assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                ids.data = bad[i];
                run(&gate, IFP_PHASE_DECODE);
                assert_int_equal(sums(IFP_PHASE_DECODE)->unknown, 6 * (i + 1));
        }
        ids.data = pages + 4096 - 8; /* only the first token's */
        run(&gate, IFP_PHASE_PREFILL);
        assert_int_equal(sums(IFP_PHASE_PREFILL)->unknown, 4);
        assert_int_equal(sent(IFP_PHASE_PREFILL, 0), 2);
        munmap(pages, 8192);
        ids.data = numbers;
        ids.type = 2;
        run(&gate, IFP_PHASE_LOAD);
        ids.type = 1;
        ids.ne[3] = 2;
        run(&gate, IFP_PHASE_LOAD);
        assert_int_equal(sums(IFP_PHASE_LOAD)->unknown, 12);
        assert_int_equal(sums(IFP_PHASE_LOAD)->steps, 2);
}

static void all_experts_are_no_choice(void **state)
{
        (void)state;
        ids.ne[0] = N_EXPERTS;
        run(&gate, IFP_PHASE_PREFILL);
        assert_int_equal(sums(IFP_PHASE_PREFILL)->all_tokens, 3);
        assert_int_equal(sums(IFP_PHASE_PREFILL)->tokens, 0);
        assert_int_equal(sent(IFP_PHASE_PREFILL, 0), 0);
}

static void what_has_no_room_is_counted(void **state)
{
        (void)state;
        gate.ne[2] = IFP_MAX_EXPERTS + 1;
        run(&gate, IFP_PHASE_DECODE);
        gate.ne[2] = 0;
        run(&gate, IFP_PHASE_DECODE);
        gate.ne[2] = 1; /* less than are chosen */
        run(&gate, IFP_PHASE_DECODE);
        assert_int_equal(ifp_seg->live.moe_refused, 3);
        assert_int_equal(ifp_seg->live.n_moe_layers, 1);
        gate.ne[2] = IFP_MAX_EXPERTS;
        for (uint32_t i = 0; i < IFP_EXPERT_CELLS / IFP_MAX_EXPERTS + 2; i++) {
                ifp_seg->layers[1].layer = (uint16_t)(i + 1);
                run(&gate, IFP_PHASE_DECODE);
        }
        assert_int_equal(ifp_seg->live.moe_refused, 5);
        assert_int_equal(ifp_seg->live.n_moe_layers, IFP_EXPERT_CELLS / IFP_MAX_EXPERTS + 1);
        ifp_seg->live.n_expert_cells = 0;
        gate.ne[2] = 4;
        for (uint32_t i = 0; i < IFP_MAX_MOE_LAYERS; i++) {
                ifp_seg->layers[1].layer = (uint16_t)(i + 1);
                run(&gate, IFP_PHASE_DECODE);
        }
        assert_int_equal(ifp_seg->live.n_moe_layers, IFP_MAX_MOE_LAYERS);
        assert_int_equal(ifp_seg->live.moe_refused, 5 + IFP_EXPERT_CELLS / IFP_MAX_EXPERTS + 1);
        assert_int_equal(ifp_seg->live.moe_unplaced, 0);
        ifp_ggml_experts(&node, 0, IFP_PHASE_DECODE);
        assert_int_equal(ifp_seg->live.moe_unplaced, 1);
}

static void what_is_not_there_is_no_trouble(void **state)
{
        (void)state;
        node.src[2] = NULL;
        run(&gate, IFP_PHASE_DECODE);
        node.src[2] = &ids;
        run(NULL, IFP_PHASE_DECODE);
        ifp_ggml_layout.data = 0;
        run(&gate, IFP_PHASE_DECODE);
        assert_int_equal(ifp_seg->live.n_moe_layers, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(choices_are_counted_by_expert),  TEST(one_weight_of_a_layer_counts),
                TEST(layers_and_models_stay_apart),   TEST(what_is_no_expert_is_unknown),
                TEST(what_cannot_be_read_is_unknown), TEST(all_experts_are_no_choice),
                TEST(what_has_no_room_is_counted),    TEST(what_is_not_there_is_no_trouble),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
