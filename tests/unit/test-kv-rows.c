/* SPDX-License-Identifier: MIT */
/* daemon/kv.c: tokens by KV length, from a segment to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/runfile.h"
#include "fake-process.h"

enum { BIN = 20 };

struct rows {
        struct runfile_kv kv;
        struct runfile_kv_piece pieces[IFP_KV_PIECES];
        struct runfile_kv_bin bins[8];
        struct runfile_kv_op ops[8];
        uint32_t n_kv, n_pieces, n_bins, n_ops;
};

static int collect_kv(const struct runfile_kv *row, void *userdata)
{
        struct rows *r = userdata;

        r->kv = *row;
        r->n_kv++;
        return 0;
}

static int collect_piece(const struct runfile_kv_piece *row, void *userdata)
{
        struct rows *r = userdata;

        r->pieces[r->n_pieces++] = *row;
        return 0;
}

static int collect_bin(const struct runfile_kv_bin *row, void *userdata)
{
        struct rows *r = userdata;

        r->bins[r->n_bins++] = *row;
        return 0;
}

static int collect_op(const struct runfile_kv_op *row, void *userdata)
{
        struct rows *r = userdata;

        r->ops[r->n_ops++] = *row;
        return 0;
}

static const struct rows *read_rows(const struct world *w)
{
        static struct rows r;
        struct runfile *rf;
        char *why = NULL;

        memset(&r, 0, sizeof(r));
        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_kv(rf, collect_kv, &r), 0);
        assert_int_equal(runfile_each_kv_piece(rf, collect_piece, &r), 0);
        assert_int_equal(runfile_each_kv_bin(rf, collect_bin, &r), 0);
        assert_int_equal(runfile_each_kv_op(rf, collect_op, &r), 0);
        runfile_close(rf);
        return &r;
}

static int setup(void **state)
{
        struct world *w = world_new(8);

        w->op = fake_op(&w->f, "MUL_MAT", IFP_KIND_NODE);
        w->ns_per_tick = 0.5;
        world_attach(w, false);
        fake_lane_begin(&w->f, 0, 100);
        *state = w;
        return 0;
}

/* A token of `length` that took 1000 ticks, 600 of them in the op. */
static void token(struct world *w, uint32_t length)
{
        struct ifp_kv *kv = &w->f.seg->kv;
        uint32_t bin = ifp_kv_bin(length);

        kv->seq++;
        fake_span(&w->f, 0, w->op, IFP_PHASE_DECODE, 600, 100);
        kv->bins[bin].tokens++;
        kv->bins[bin].lengths += length;
        kv->bins[bin].ticks += 1000;
        kv->ops[bin][w->op].timed++;
        kv->ops[bin][w->op].total += 600;
        kv->ops[bin][w->op].child += 100;
        kv->width = 4000;
        kv->from = w->f.seg->header.start_ticks + 2000;
        kv->pieces[0].generated++;
        kv->seq++;
}

static void tokens_become_rows(void **state)
{
        struct world *w = *state;
        const struct rows *r;

        token(w, 200);
        token(w, 201);
        w->f.seg->kv.prefills = 1;
        w->f.seg->kv.prompt_tokens = 199;
        w->f.seg->kv.prefill_ticks = 5000;
        world_tick(w);
        world_flush(w);
        r = read_rows(w);
        assert_int_equal(r->n_kv, 1);
        assert_int_equal(r->kv.prompt_tokens, 199);
        assert_int_equal(r->kv.prefill_ns, 2500);
        assert_int_equal(r->kv.from_ns, 1000);
        assert_int_equal(r->kv.width_ns, 2000);
        assert_false(r->kv.no_prompt);
        assert_int_equal(r->n_bins, 1);
        assert_int_equal(r->bins[0].bin, BIN);
        assert_int_equal(r->bins[0].tokens, 2);
        assert_int_equal(r->bins[0].lengths, 401);
        assert_int_equal(r->bins[0].total_ns, 1000);
        assert_int_equal(r->n_ops, 1);
        assert_int_equal(r->ops[0].op, w->op);
        assert_int_equal(r->ops[0].timed, 2);
        assert_int_equal(r->ops[0].total_ns, 600);
        assert_int_equal(r->ops[0].child_ns, 100);
        assert_int_equal(r->pieces[0].generated, 2);
        assert_int_equal(r->n_pieces, 128); /* all, the first time */
}

static void what_moved_is_written_again(void **state)
{
        struct world *w = *state;

        token(w, 200);
        world_tick(w);
        world_flush(w);
        assert_false(w->p->dirty);
        world_tick(w);
        assert_false(w->p->kv->moved);
        token(w, 200);
        token(w, 1000);
        world_tick(w);
        assert_true(w->p->dirty);
        world_flush(w);
        assert_int_equal(read_rows(w)->n_bins, 2);
        assert_int_equal(read_rows(w)->bins[0].tokens, 2);
        assert_int_equal(read_rows(w)->ops[0].timed, 2);
}

/* Who died while it wrote: what was read before stands. */
static void a_writer_in_the_midst_of_it_is_not_believed(void **state)
{
        struct world *w = *state;

        token(w, 200);
        world_tick(w);
        token(w, 200);
        w->f.seg->kv.seq++;
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->bins[0].tokens, 1);
        assert_int_equal(read_rows(w)->ops[0].timed, 1);
}

static void another_daemon_has_it_all(void **state)
{
        struct world *w = *state;

        token(w, 200);
        world_tick(w);
        world_flush(w);
        token(w, 200);
        world_resume(w);
        w->ns_per_tick = 0.5;
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->n_bins, 1);
        assert_int_equal(read_rows(w)->bins[0].tokens, 2);
}

static void lies_are_caught(void **state)
{
        struct world *w = *state;
        struct ifp_kv *kv = &w->f.seg->kv;

        token(w, 200);
        kv->prefills = 3;
        world_tick(w);
        LIE(kv->bins[BIN].tokens, 0);
        LIE(kv->prefills, 2);
        kv->bins[BIN].tokens++;
        LIE(kv->ops[BIN][w->op].timed, 0);
}

/* Rows of ops that no lane has done, and of ops that there are not, are left out. */
static void ops_that_were_not_done_have_no_row(void **state)
{
        struct world *w = *state;

        token(w, 200);
        w->f.seg->kv.ops[BIN][w->op + 1].timed = 7;
        w->f.seg->kv.ops[BIN][IFP_KV_OPS - 1].timed = 7;
        fake_op(&w->f, "ADD", IFP_KIND_NODE);
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->n_ops, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
                TEST(tokens_become_rows),
                TEST(what_moved_is_written_again),
                TEST(a_writer_in_the_midst_of_it_is_not_believed),
                TEST(another_daemon_has_it_all),
                TEST(lies_are_caught),
                TEST(ops_that_were_not_done_have_no_row),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
