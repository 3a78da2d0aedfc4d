/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/hist.h"

static uint64_t seed = 1;

static uint64_t any(void)
{
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        return seed >> 11;
}

/* Every bucket begins where the one before it ends, and its middle falls back into it. */
static void buckets_cover_all_values(void **state)
{
        uint64_t expected = 0;

        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++) {
                assert_int_equal(ifp_hist_floor(i), expected);
                assert_int_equal(ifp_hist_index(hist_middle(i)), i);
                assert_int_equal(ifp_hist_index(ifp_hist_floor(i)), i);
                assert_int_equal(ifp_hist_index(ifp_hist_floor(i) + ifp_hist_width(i) - 1), i);
                expected += ifp_hist_width(i);
        }
        assert_int_equal(expected, 1ull << 48);
        assert_int_equal(ifp_hist_index(UINT64_MAX), IFP_HIST_BUCKETS - 1);
}

static int compare(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

static void quantiles_are_within_one_percent(void **state)
{
        enum {
                N = 20000,
        };
        static const double qs[] = {0, 0.001, 0.25, 0.5, 0.95, 0.99, 0.999, 1};
        uint64_t *values = calloc(N, sizeof(*values));

        for (int magnitude = 4; magnitude < 46; magnitude += 3) {
                uint64_t buckets[IFP_HIST_BUCKETS] = {0}, last = 0;

                for (int i = 0; i < N; i++) {
                        values[i] = any() % (1ull << magnitude);
                        buckets[ifp_hist_index(values[i])]++;
                }
                qsort(values, N, sizeof(*values), compare);
                assert_int_equal(hist_count(buckets), N);
                for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++) {
                        uint64_t truth = values[hist_rank(qs[i], N) - 1];
                        uint64_t got = hist_quantile(buckets, qs[i], values[0], values[N - 1]);

                        assert_true(fabs((double)got - (double)truth) <= 0.01 * (double)truth);
                        assert_true(got >= last);
                        last = got;
                }
                assert_true(hist_quantile(buckets, 1, values[0], values[N - 1]) <= values[N - 1]);
        }
        free(values);
}

static void quantiles_stay_within_the_extremes(void **state)
{
        uint64_t buckets[IFP_HIST_BUCKETS] = {0};

        buckets[ifp_hist_index(1000000)] = 3;
        assert_int_equal(hist_quantile(buckets, 0.5, 1000000, 1000000), 1000000);
        memset(buckets, 0, sizeof(buckets));
        buckets[IFP_HIST_BUCKETS - 1] = 1;
        assert_int_equal(hist_quantile(buckets, 0.99, 5, 1ull << 47), 1ull << 47);
}

static void rank_is_the_nearest(void **state)
{
        assert_int_equal(hist_rank(0, 10), 1);
        assert_int_equal(hist_rank(0.5, 1), 1);
        assert_int_equal(hist_rank(0.5, 10), 5);
        assert_int_equal(hist_rank(0.5, 11), 6);
        assert_int_equal(hist_rank(0.95, 100), 95);
        assert_int_equal(hist_rank(0.99, 7), 7);
        assert_int_equal(hist_rank(1, 7), 7);
}

static void sparse_form_comes_back(void **state)
{
        for (int round = 0; round < 200; round++) {
                uint64_t buckets[IFP_HIST_BUCKETS] = {0}, back[IFP_HIST_BUCKETS];
                uint8_t *blob;
                size_t size;

                for (uint64_t n = any() % (round % 3 ? 40 : 4000); n; n--)
                        buckets[any() % IFP_HIST_BUCKETS] = any() >> (any() % 52 + 12);
                if (round == 7)
                        buckets[IFP_HIST_BUCKETS - 1] = 1ull << 62;
                assert_int_equal(hist_encode(buckets, &blob, &size), 0);
                assert_int_equal(hist_decode(blob, size, back), 0);
                assert_memory_equal(buckets, back, sizeof(buckets));
                free(blob);
        }
}

static void empty_is_no_bytes(void **state)
{
        uint64_t buckets[IFP_HIST_BUCKETS] = {0};
        uint8_t *blob;
        size_t size;

        assert_int_equal(hist_encode(buckets, &blob, &size), 0);
        assert_int_equal(size, 0);
        assert_int_equal(hist_decode(blob, size, buckets), 0);
        assert_int_equal(hist_count(buckets), 0);
        free(blob);
}

static void other_bytes_are_refused(void **state)
{
        static const struct {
                uint8_t bytes[24];
                size_t n;
        } bad[] = {
                {{0}, 1},                   /* half a pair */
                {{0x80}, 1},                /* half a varint */
                {{0, 0}, 2},                /* a count of 0 */
                {{0x80, 0, 1}, 3},          /* longer than need be */
                {{0xc0, 0x15, 1}, 3},       /* bucket 2752 */
                {{0xbf, 0x15, 1, 0, 1}, 5}, /* one after the last */
                {{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
                 11}, /* beyond INT64_MAX */
                {{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2},
                 11}, /* beyond 64 bits */
                {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1},
                 11}, /* a gap round the world */
                {{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 1},
                 12}, /* the sum overflows */
        };
        uint64_t buckets[IFP_HIST_BUCKETS];
        const uint8_t last[] = {0xbf, 0x15, 1};

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(hist_decode(bad[i].bytes, bad[i].n, buckets), HIST_E_MALFORMED);
        assert_int_equal(hist_decode(last, sizeof(last), buckets), 0);
        assert_int_equal(buckets[IFP_HIST_BUCKETS - 1], 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(buckets_cover_all_values),
                cmocka_unit_test(quantiles_are_within_one_percent),
                cmocka_unit_test(quantiles_stay_within_the_extremes),
                cmocka_unit_test(rank_is_the_nearest),
                cmocka_unit_test(sparse_form_comes_back),
                cmocka_unit_test(empty_is_no_bytes),
                cmocka_unit_test(other_bytes_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
