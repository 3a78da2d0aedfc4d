/* SPDX-License-Identifier: MIT */
/* What the files that make infprof.bench/1 share. */
#pragma once

#include <math.h>

#include "cli/bench.h"

/* NULL: null. */
static inline void put(json_t *o, const char *name, json_t *v)
{
        json_object_set_new(o, name, v ? v : json_null());
}

static inline json_t *whole(double v)
{
        return isfinite(v) ? json_integer((json_int_t)llround(v)) : json_null();
}

/* bench-figures.c: members of the document. */
json_t *bench_build_user(const struct bench *b);
json_t *bench_build_system(const struct bench *b);
json_t *bench_build_memory(const struct bench *b);
json_t *bench_build_throughput(const struct bench *b, const json_t *time);
json_t *bench_build_requests(const struct bench *b);
json_t *bench_build_noise(const struct bench *b);
