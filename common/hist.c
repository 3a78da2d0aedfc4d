/* SPDX-License-Identifier: MIT */
/*
 * Quantiles and the sparse form of histograms. The decoder reads bytes that
 * somebody else wrote: it never reads past them, and accepts one form only.
 */
#include "common/hist.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VARINT_BYTES 10

uint64_t hist_middle(uint32_t index)
{
        return ifp_hist_floor(index) + (ifp_hist_width(index) - 1) / 2;
}

uint64_t hist_count(const uint64_t *buckets)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                n += buckets[i];
        return n;
}

uint64_t hist_rank(double q, uint64_t n)
{
        double r = ceil(q * (double)n);

        if (!(r >= 1))
                return 1;
        return r >= (double)n ? n : (uint64_t)r;
}

uint64_t hist_quantile(const uint64_t *buckets, double q, uint64_t min, uint64_t max)
{
        uint64_t rank = hist_rank(q, hist_count(buckets)), seen = 0, v = max;

        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++) {
                seen += buckets[i];
                if (seen >= rank) {
                        v = hist_middle(i);
                        break;
                }
        }
        if (v < min)
                return min;
        return v > max ? max : v;
}

static size_t put_varint(uint8_t *to, uint64_t v)
{
        size_t n = 0;

        while (v >= 0x80) {
                to[n++] = (uint8_t)(v | 0x80);
                v >>= 7;
        }
        to[n++] = (uint8_t)v;
        return n;
}

/* Advances *p; false: no varint there, or one longer than need be. */
static int get_varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
        uint64_t v = 0;

        for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
                uint8_t b = *(*p)++;

                if (shift == 63 && b > 1)
                        return HIST_E_MALFORMED;
                v |= (uint64_t)(b & 0x7f) << shift;
                if (!(b & 0x80)) {
                        if (!b && shift)
                                return HIST_E_MALFORMED;
                        *ret = v;
                        return 0;
                }
        }
        return HIST_E_MALFORMED;
}

int hist_encode(const uint64_t *buckets, uint8_t **ret_blob, size_t *ret_size)
{
        uint32_t n_set = 0, next = 0;
        size_t size = 0;
        uint8_t *blob;

        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                n_set += buckets[i] != 0;

        blob = malloc(n_set ? (size_t)n_set * 2 * VARINT_BYTES : 1);
        if (!blob)
                return -ENOMEM;
        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++) {
                if (!buckets[i])
                        continue;
                size += put_varint(blob + size, i - next);
                size += put_varint(blob + size, buckets[i]);
                next = i + 1;
        }
        *ret_blob = blob;
        *ret_size = size;
        return 0;
}

int hist_decode(const void *blob, size_t size, uint64_t *ret_buckets)
{
        const uint8_t *p = blob, *end = p + size;
        uint64_t next = 0, total = 0, gap, count;

        memset(ret_buckets, 0, IFP_HIST_BUCKETS * sizeof(*ret_buckets));
        while (p < end) {
                if (get_varint(&p, end, &gap) || get_varint(&p, end, &count) || !count ||
                    gap >= IFP_HIST_BUCKETS - next || count > (uint64_t)INT64_MAX - total)
                        return HIST_E_MALFORMED;
                ret_buckets[next + gap] = count;
                total += count;
                next += gap + 1;
        }
        return 0;
}
