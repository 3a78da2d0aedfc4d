/* SPDX-License-Identifier: MIT */
/*
 * Histograms of the pool that are read when they are written to the run file, and kept, encoded,
 * when the segment goes before that.
 */
#include "daemon/kept-hist.h"

#include <stdlib.h>
#include <string.h>

#include "common/hist.h"
#include "daemon/fold.h"
#include "daemon/process.h"

#define MOST_IN_A_BUCKET (1ull << 48) /* more were not counted, but made up */

bool kept_hist_read(const struct process *p, const uint32_t *fold, const struct kept_hist *kept,
                    uint64_t *buckets, struct fold *ret)
{
        struct fold f = {.min = UINT64_MAX};
        const char *why;

        memset(buckets, 0, IFP_HIST_BUCKETS * sizeof(*buckets));
        if (!p->segment.map) {
                if (!kept->blob || hist_decode(kept->blob, kept->bytes, buckets))
                        return false;
                *ret = (struct fold){.min = kept->min, .max = kept->max, .count = 1};
                return true;
        }
        if (fold_block(&p->segment, __atomic_load_n(fold, __ATOMIC_ACQUIRE), buckets, &f, &why) ||
            !f.count)
                return false;
        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                if (buckets[i] > MOST_IN_A_BUCKET)
                        return false;
        *ret = f;
        return true;
}

int kept_hist_keep(const struct process *p, const uint32_t *fold, struct kept_hist *ret)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        struct fold f;
        uint8_t *blob;
        int r;

        if (ret->blob || !kept_hist_read(p, fold, ret, buckets, &f))
                return 0;
        ret->min = f.min;
        ret->max = f.max;
        r = hist_encode(buckets, &ret->blob, &ret->bytes);
        blob = r ? NULL : realloc(ret->blob, ret->bytes + 1); /* there are many of them */
        if (blob)
                ret->blob = blob;
        return r;
}

void kept_hist_done(struct kept_hist *h)
{
        free(h->blob);
        h->blob = NULL;
}
