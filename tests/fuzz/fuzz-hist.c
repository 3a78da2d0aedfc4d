/* SPDX-License-Identifier: MIT */
/* The decoder of sparse histograms: what it accepts comes back byte for byte. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/hist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        uint64_t last = 0, v;
        uint8_t *blob;
        size_t n;

        if (hist_decode(data, size, buckets))
                return 0;
        if (hist_count(buckets) > INT64_MAX || hist_encode(buckets, &blob, &n))
                abort();
        if (n != size || (n && memcmp(blob, data, n)))
                abort();
        free(blob);
        for (int q = 0; size && q <= 100; q += 5) {
                v = hist_quantile(buckets, q / 100.0, 0, UINT64_MAX);
                if (v < last)
                        abort();
                last = v;
        }
        return 0;
}
