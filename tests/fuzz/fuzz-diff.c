/* SPDX-License-Identifier: MIT */
/*
 * Any bytes where infprof diff expects a run file, or what infprof ab wrote of runs (which begins
 * with a brace): whatever they hold, rows sum to the whole, or one line says why there are none.
 */
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/report-diff-sets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const json_t *document)
{
        const json_t *whole = json_object_get(document, "whole"), *row;
        double sum = 0, most = 1, delta;
        size_t i;

        if (!json_is_object(whole))
                return;
        json_array_foreach(json_object_get(document, "rows"), i, row)
        {
                double v = json_number_value(
                        json_object_get(json_object_get(row, "self_ns"), "delta"));

                sum += v;
                most = fmax(most, fabs(v));
        }
        delta = json_number_value(json_object_get(whole, "delta"));
        if (!(fabs(sum - delta) <= 1e-6 * fmax(most, fabs(delta)) * (double)(i + 1)))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct diff_set set;
        char path[64], *why = NULL;
        json_t *o = NULL;
        int fd, r;

        snprintf(path, sizeof(path), "/dev/shm/fuzz-diff.%d", (int)getpid());
        fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, data, size) != (ssize_t)size || diff_set_init(&set))
                abort();
        close(fd);
        r = size && data[0] == '{' ? diff_set_add_trials(&set, path, &why)
                                   : diff_set_add(&set, path, false, &why);
        if (!r != !why)
                abort();
        diff_set_settle(&set);
        if (set.n) {
                if (report_diff_sets(&o, &set, &set, DIFF_BY_ANY))
                        abort();
                check(o);
                json_decref(o);
        }
        free(why);
        diff_set_done(&set);
        unlink(path);
        return 0;
}
