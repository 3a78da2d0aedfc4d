/* SPDX-License-Identifier: MIT */
/* How much of a token's time lies in that of others. */
#include "preload/tokens.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

__thread struct ifp_tls ifp_tls;
struct ifp_segment *ifp_seg;

void ifp_ledger_note(struct ifp_tls *tls, uint32_t n, uint64_t now, uint64_t allocs,
                     uint64_t alloc_bytes)
{
}

static void tokens_side_by_side(void **state)
{
        (void)state;
        ifp_tokens_after_fork();
        assert_int_equal(ifp_tokens_beside(100, 200), 0);
        assert_int_equal(ifp_tokens_beside(150, 250), 50);
        assert_int_equal(ifp_tokens_beside(120, 240), 120); /* it ended before, and is seen late */
        assert_int_equal(ifp_tokens_beside(300, 400), 0);
}

static void a_fork_childs_are_not_beside_its_parents(void **state)
{
        (void)state;
        ifp_tokens_after_fork();
        ifp_tokens_beside(100, 200);
        ifp_tokens_after_fork();
        assert_int_equal(ifp_tokens_beside(150, 250), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tokens_side_by_side),
                cmocka_unit_test(a_fork_childs_are_not_beside_its_parents),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
