/* SPDX-License-Identifier: MIT */
/* common/ceilings.c, roof.c, roof-levels.c and roof-fit.c, against what was worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "roof-fixture.h"

#include "common/ceilings.h"
#include "common/roof-fit.h"
#include "common/roof-levels.h"
#include "common/roof.h"

static struct ceilings c;

static int set_up(void **state)
{
        json_t *doc = roof_fixture_machine();

        ceilings_init(&c, doc);
        json_decref(doc);
        return 0;
}

static void near(double got, double expected)
{
        if (!(fabs(got - expected) <= 1e-9 * fabs(expected)))
                fail_msg("it is %.12g, not %.12g", got, expected);
}

static struct shape_operand operand(const char *type, uint32_t block, uint32_t bytes, uint64_t a,
                                    uint64_t b, uint64_t n)
{
        struct shape_operand o = {.block = block, .block_bytes = bytes, .ne = {a, b, n, 1}};

        strcpy(o.type, type);
        return o;
}

#define F32(a, b)  operand("f32", 1, 4, a, b, 1)
#define F16(a, b)  operand("f16", 1, 2, a, b, 1)
#define Q8_0(a, b) operand("q8_0", 32, 34, a, b, 1)

static struct shape product(struct shape_operand w, struct shape_operand x)
{
        return (struct shape){.op = "MUL_MAT", .n = 3, .at = {F32(w.ne[1], x.ne[1]), w, x}};
}

static struct roof judge(const struct shape *s, uint32_t threads, double wall_ns, double pass_bytes)
{
        struct roof r = {0};

        if (!roof_of(&r, &c,
                     &(struct roof_work){.shape = s,
                                         .amount = flops_of(s),
                                         .threads = threads,
                                         .wall_ns = wall_ns,
                                         .pass_bytes = pass_bytes}))
                fail_msg("it is not known");
        return r;
}

static void ceilings_are_looked_up(void **state)
{
        double v;

        assert_true(c.measured);
        assert_true(ceiling_at(&c.compute[CEILING_F32], 1, &v));
        near(v, 100); /* the best over all ISAs */
        assert_true(ceiling_at(&c.compute[CEILING_F32], 3, &v));
        near(v, 250); /* between 200 at 2 and 300 at 4 */
        assert_true(ceiling_at(&c.compute[CEILING_F32], 64, &v));
        near(v, 300);
        assert_false(ceiling_at(&c.compute[CEILING_F32], 0, &v));
        assert_false(ceiling_at(&c.compute[CEILING_F64], 1, &v));
        assert_ptr_equal(ceilings_compute(&c, CEILING_F64), &c.compute[CEILING_F32]);
        assert_true(ceiling_at(&c.bandwidth[CEILING_L1], 1, &v));
        near(v, 1000);
}

static void caches_have_room(void **state)
{
        assert_int_equal(ceilings_room(&c, CEILING_L1, 1), 16384);
        assert_int_equal(ceilings_room(&c, CEILING_L1, 2), 32768);
        assert_int_equal(ceilings_room(&c, CEILING_L1, 8), 32768); /* there are no more */
        assert_int_equal(ceilings_room(&c, CEILING_L3, 2), 16777216);
        assert_true(ceilings_room(&c, CEILING_MEMORY, 1) == UINT64_MAX);
        assert_int_equal(ceilings_holds(&c, 16384, 1), CEILING_L1);
        assert_int_equal(ceilings_holds(&c, 16385, 1), CEILING_L2);
        assert_int_equal(ceilings_holds(&c, 16385, 2), CEILING_L1);
        assert_int_equal(ceilings_holds(&c, 16777217, 2), CEILING_MEMORY);
}

static void bound_by_compute(void **state)
{
        struct shape s = product(F32(1024, 1024), F32(1024, 1024));
        struct roof r = judge(&s, 1, 30e6, 0);

        assert_int_equal(r.bound, ROOF_COMPUTE);
        near(r.least_ns, 2147483648.0 / 100);
        near(r.share, 2147483648.0 / 100 / 30e6);
        assert_false(r.over);
        r = judge(&s, 3, 30e6, 0);
        near(r.gflops, 250);
        near(r.least_ns, 2147483648.0 / 250);
}

static void bound_by_memory(void **state)
{
        struct shape s = product(Q8_0(4096, 4096), F32(4096, 1));
        struct roof r = judge(&s, 2, 2e6, 0);

        assert_int_equal(r.bound, ROOF_MEMORY);
        assert_int_equal(r.type, CEILING_INT8);
        near(r.gflops, 800);
        near(r.gbps, 16);
        near(r.least_ns, 17858560.0 / 16);
        near(r.share, 0.55808);
}

/* 264,192 bytes find room in L2. */
static void bound_by_the_level_it_comes_from(void **state)
{
        struct shape s = product(F32(256, 256), F32(256, 1));
        struct roof r = judge(&s, 1, 4000, 0);

        assert_int_equal(r.bound, ROOF_COMPUTE); /* 1311 ns, and 528 from L2 */
        r = judge(&s, 1, 4000, 8 << 20);         /* all else of a pass comes in between */
        assert_int_equal(r.bound, ROOF_L3);
        near(r.least_ns, 2641.92);
        r = judge(&s, 1, 30000, 32 << 20);
        assert_int_equal(r.bound, ROOF_MEMORY);
        near(r.least_ns, 26419.2);
}

/* What was faster than where it should come from allows came from nearer; to where it cannot be. */
static void faster_than_its_level(void **state)
{
        struct shape s = product(Q8_0(256, 256), F32(256, 1));
        double bytes = 256 * 256 * 34.0 / 32 + 2048; /* 71,680: L2 */
        struct roof r = judge(&s, 1, 1000, 8 << 20);

        assert_int_equal(r.own, CEILING_L2);
        assert_int_equal(r.bound, ROOF_L3);
        near(r.share, bytes / 100 / 1000);
        r = judge(&s, 1, 700, 8 << 20);
        assert_int_equal(r.level, CEILING_L2);
        near(r.least_ns, 131072 / 400.0); /* and compute is what binds */
        assert_int_equal(r.bound, ROOF_OVERHEAD);
        r = judge(&s, 1, 400, 8 << 20);
        assert_int_equal(r.bound, ROOF_COMPUTE);
        assert_false(r.over);
        r = judge(&s, 1, 200, 8 << 20);
        assert_true(r.over);
        near(r.share, 131072 / 400.0 / 200); /* told as it is */
}

static void what_was_just_made_is_near(void **state)
{
        struct shape add = {
                .op = "ADD", .n = 3, .at = {F32(1024, 64), F32(1024, 64), F32(1024, 64)}};
        struct roof r = judge(&add, 1, 4000, 64 << 20);

        assert_false(roof_streams(&add));
        assert_int_equal(r.bound, ROOF_L2);
        near(r.least_ns, 3 * 262144 / 500.0);
}

static void so_little_that_it_is_overhead(void **state)
{
        struct shape add = {.op = "ADD", .n = 3, .at = {F32(64, 1), F32(64, 1), F32(64, 1)}};
        struct roof r = judge(&add, 2, 500, 0);

        assert_int_equal(r.bound, ROOF_OVERHEAD);
        near(r.least_ns, 768 / 2000.0);
        r = judge(&add, 2, 0.5, 0);
        assert_int_equal(r.bound, ROOF_L1); /* it came near */
}

static void most_of_it_waits(void **state)
{
        struct shape s = product(Q8_0(4096, 4096), F32(4096, 1));
        struct roof r = {0};

        assert_true(roof_of(&r, &c,
                            &(struct roof_work){.shape = &s,
                                                .amount = flops_of(&s),
                                                .threads = 2,
                                                .wall_ns = 9e6,
                                                .waits = true}));
        assert_int_equal(r.bound, ROOF_WAITING);
        near(r.least_ns, 17858560.0 / 16);
}

static bool is_known(const struct ceilings *of, struct roof_work w)
{
        struct roof r = {.share = 77};
        bool known = roof_of(&r, of, &w);

        assert_true(known || r.share == 77); /* nothing is written */
        return known;
}

static void what_is_not_known(void **state)
{
        struct shape s = product(F32(64, 64), F32(64, 64));
        struct work_amount amount = flops_of(&s);
        struct roof_work good = {.shape = &s, .amount = amount, .threads = 1, .wall_ns = 1e6}, w;
        struct ceilings none;

        assert_true(is_known(&c, good));
        ceilings_init(&none, NULL);
        assert_false(none.measured);
        assert_false(is_known(&none, good));
        w = good;
        w.wall_ns = 0;
        assert_false(is_known(&c, w));
        w.wall_ns = NAN;
        assert_false(is_known(&c, w));
        w = good;
        w.threads = 0;
        assert_false(is_known(&c, w));
        w = good;
        w.amount.bytes_known = false;
        assert_false(is_known(&c, w));
        w = good;
        w.amount.flops_known = false;
        assert_false(is_known(&c, w));
        w = good;
        w.amount.saturated = true;
        assert_false(is_known(&c, w));
        w = good;
        w.amount.flops = w.amount.bytes = 0;
        assert_false(is_known(&c, w));
}

static void without_caches_there_is_memory(void **state)
{
        struct shape s = product(Q8_0(4096, 4096), F32(4096, 1));
        struct ceilings bare = c;
        struct roof r = {0};

        memset(bare.cache, 0, sizeof(bare.cache));
        assert_true(roof_of(
                &r, &bare,
                &(struct roof_work){
                        .shape = &s, .amount = flops_of(&s), .threads = 1, .wall_ns = 3e6}));
        assert_int_equal(r.level, CEILING_MEMORY);
}

static void types_of_multiply_adds(void **state)
{
        struct shape s = product(F16(64, 64), F32(64, 1));

        assert_int_equal(roof_type(&s), CEILING_F32);
        s.at[1] = operand("bf16", 1, 2, 64, 64, 1);
        assert_int_equal(roof_type(&s), CEILING_BF16);
        s.at[1] = Q8_0(64, 64);
        assert_int_equal(roof_type(&s), CEILING_INT8);
        strcpy(s.op, "GET_ROWS");
        assert_int_equal(roof_type(&s), CEILING_F32); /* unpacked */
        s.at[1] = operand("f64", 1, 8, 64, 64, 1);
        assert_int_equal(roof_type(&s), CEILING_F64);
}

/* Registers hold 64 f32, L1 4,096, L2 262,144. */
static void tiers_of_a_product(void **state)
{
        struct shape s = product(F32(1024, 1024), F32(1024, 1024));
        struct roof_work w = {.shape = &s, .amount = flops_of(&s), .threads = 1};
        struct roof_at_tier t[ROOF_N_TIERS];

        roof_tiers_of(t, &c, &w, CEILING_L3);
        near(t[ROOF_MICRO].bytes, 4 * (2147483648.0 / 8 - 128));
        near(t[ROOF_MIDI].bytes, 4 * (2147483648.0 / 64 - 8192));
        near(t[ROOF_MACRO].bytes, 4 * (2147483648.0 / 512 - 524288));
        assert_int_equal(t[ROOF_MACRO].level, CEILING_L3);
        near(t[ROOF_MICRO].intensity, 2147483648.0 / t[ROOF_MICRO].bytes);
        near(t[ROOF_MICRO].roof_gflops, 100);
        roof_tiers_of(t, &c, &w, CEILING_MEMORY);
        assert_int_equal(t[ROOF_MACRO].level, CEILING_MEMORY);
        near(t[ROOF_MACRO].roof_gflops, 100); /* 146 flop/byte */
        s = product(Q8_0(4096, 4096), F32(4096, 1));
        w.amount = flops_of(&s);
        roof_tiers_of(t, &c, &w, CEILING_MEMORY);
        near(t[ROOF_MICRO].bytes, 17858560); /* each weight is used once */
        near(t[ROOF_MACRO].roof_gflops, 33554432.0 / 17858560 * 10);
        assert_int_equal(roof_tier_of(CEILING_L2), ROOF_MIDI);
}

static void tiers_that_were_not_measured(void **state)
{
        struct shape s = product(F32(1024, 1024), F32(1024, 1024));
        struct roof_work w = {.shape = &s, .amount = flops_of(&s), .threads = 1};
        struct roof_at_tier t[ROOF_N_TIERS];
        struct ceilings some = c;

        some.bandwidth[CEILING_L2].n = 0;
        roof_tiers_of(t, &some, &w, CEILING_L3);
        assert_true(t[ROOF_MICRO].known && t[ROOF_MACRO].known && !t[ROOF_MIDI].known);
        ceilings_init(&some, NULL);
        roof_tiers_of(t, &some, &w, CEILING_L3);
        assert_true(!t[ROOF_MICRO].known && !t[ROOF_MACRO].known && !t[ROOF_MIDI].known);
}

static void what_fits_of_a_product(void **state)
{
        struct shape s = product(Q8_0(288, 768), F32(288, 19));
        struct work_amount a = flops_of(&s);
        struct roof_parts p;
        struct roof_extents e;

        assert_true(roof_parts_of(&p, &s, &a));
        near(p.weights, 235008);
        near(p.activations, 21888);
        near(p.intermediate, 58368);
        near(p.whole, 315264);
        roof_extents_of(&e, &s, &a, 1048576);
        near(e.batch, 192); /* (1048576 - 235008) / 4224 */
        near(e.d_ff, 2687); /* (1048576 - 21888) / 382 */
        near(e.tile, 361);  /* 361 * 1458 + 4 * 361^2 = 1,047,622; with 362 1,051,972 */
        assert_true(isnan(e.sequence));
        roof_extents_of(&e, &s, &a, 16384);
        near(e.batch, 0); /* not even one: the weights are too many */
        near(e.d_ff, 0);
}

static void what_fits_of_an_attention(void **state)
{
        struct shape s = {.op = "FLASH_ATTN_EXT",
                          .n = 5,
                          .at = {operand("f32", 1, 4, 48, 6, 1), operand("f32", 1, 4, 48, 1, 6),
                                 operand("f16", 1, 2, 48, 256, 6), operand("f16", 1, 2, 48, 256, 6),
                                 F16(256, 1)}};
        struct work_amount a = flops_of(&s);
        struct roof_parts p;
        struct roof_extents e;

        assert_true(roof_parts_of(&p, &s, &a));
        near(p.weights, 0);
        near(p.activations, 1152 + 2 * 147456 + 512);
        near(p.intermediate, 1152);
        roof_extents_of(&e, &s, &a, 32768);
        near(e.sequence, 26); /* (32768 - 2304) / 1154 */
        near(e.batch, 0);
        assert_true(isnan(e.d_ff) && isnan(e.tile));
}

static void what_fits_of_others(void **state)
{
        struct shape add = {.op = "ADD", .n = 3, .at = {F32(64, 8), F32(64, 8), F32(64, 8)}};
        struct shape get = {.op = "GET_ROWS",
                            .n = 3,
                            .at = {F32(288, 2), Q8_0(288, 32000), operand("i32", 1, 4, 2, 1, 1)}};
        struct work_amount a = flops_of(&add), g = flops_of(&get), none = {0};
        struct roof_parts p;
        struct roof_extents e;

        roof_extents_of(&e, &add, &a, 16384);
        near(e.batch, 21); /* 768 a row */
        assert_true(roof_parts_of(&p, &get, &g));
        near(p.weights, 2 * 306); /* the rows, not the table */
        roof_extents_of(&e, &get, &g, 16384);
        assert_true(isnan(e.batch));
        assert_false(roof_parts_of(&p, &add, &none));
        add.at[1].block = 0;
        assert_false(roof_parts_of(&p, &add, &a));
        add.at[1] = (struct shape_operand){0}; /* a source that is not there */
        assert_true(roof_parts_of(&p, &add, &a));
        near(p.activations, 2048);
        strcpy(add.op, "SUM_ROWS");
        roof_extents_of(&e, &add, &a, 16384);
        assert_true(isnan(e.batch));
}

/* Once each: what is changed in place is moved twice, but lies in one place. */
static void room_of_what_is_changed_in_place(void **state)
{
        const struct {
                const char *op;
                struct shape_operand at[4];
                uint32_t n, n_params;
                int64_t params[4];
                double whole, activations, intermediate;
        } rows[] = {
                {"axpy", {F32(5, 1), F32(5, 1), F32(5, 1)}, 3, 2, {0, 5}, 40, 20, 20},
                {"swap", {F32(5, 1), F32(5, 1), F32(5, 1)}, 3, 2, {0, 5}, 40, 20, 20},
                {"rot", {F32(5, 1), F32(5, 1), F32(5, 1)}, 3, 2, {0, 5}, 40, 20, 20},
                {"trmm", {F32(7, 5), F32(7, 7), F32(7, 5)}, 3, 4, {7, 5, 0, 0}, 252, 112, 140},
                {"trsv", {F32(5, 1), F32(5, 5), F32(5, 1)}, 3, 2, {0, 5}, 80, 60, 20},
                {"copy", {F32(5, 1), F32(5, 1)}, 2, 2, {0, 5}, 40, 20, 20},
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct shape s = {.n = rows[i].n, .n_params = rows[i].n_params};
                struct work_amount a;
                struct roof_parts p;

                strcpy(s.op, rows[i].op);
                memcpy(s.at, rows[i].at, sizeof(rows[i].at));
                memcpy(s.params, rows[i].params, sizeof(rows[i].params));
                a = flops_of(&s);
                assert_true(roof_parts_of(&p, &s, &a));
                near(p.whole, rows[i].whole);
                near(p.activations, rows[i].activations);
                near(p.intermediate, rows[i].intermediate);
                near(p.weights, 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(ceilings_are_looked_up, set_up),
                cmocka_unit_test_setup(caches_have_room, set_up),
                cmocka_unit_test_setup(bound_by_compute, set_up),
                cmocka_unit_test_setup(bound_by_memory, set_up),
                cmocka_unit_test_setup(bound_by_the_level_it_comes_from, set_up),
                cmocka_unit_test_setup(faster_than_its_level, set_up),
                cmocka_unit_test_setup(what_was_just_made_is_near, set_up),
                cmocka_unit_test_setup(so_little_that_it_is_overhead, set_up),
                cmocka_unit_test_setup(most_of_it_waits, set_up),
                cmocka_unit_test_setup(what_is_not_known, set_up),
                cmocka_unit_test_setup(without_caches_there_is_memory, set_up),
                cmocka_unit_test_setup(types_of_multiply_adds, set_up),
                cmocka_unit_test_setup(tiers_of_a_product, set_up),
                cmocka_unit_test_setup(tiers_that_were_not_measured, set_up),
                cmocka_unit_test_setup(what_fits_of_a_product, set_up),
                cmocka_unit_test_setup(what_fits_of_an_attention, set_up),
                cmocka_unit_test_setup(what_fits_of_others, set_up),
                cmocka_unit_test_setup(room_of_what_is_changed_in_place, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
