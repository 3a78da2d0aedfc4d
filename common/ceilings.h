/* SPDX-License-Identifier: MIT */
/*
 * The most a machine can do, looked up: multiply-adds of a type and bytes from a level of memory,
 * at a number of threads. From the document infprof.machine/1, which is checked before.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum ceiling_type { CEILING_F32, CEILING_F64, CEILING_BF16, CEILING_INT8, CEILING_N_TYPES };
enum ceiling_level { CEILING_L1, CEILING_L2, CEILING_L3, CEILING_MEMORY, CEILING_N_LEVELS };

extern const char *const ceiling_types[CEILING_N_TYPES];
extern const char *const ceiling_levels[CEILING_N_LEVELS];

#define CEILING_POINTS 32u

/* The best at each number of threads that was measured, in ascending order of these. */
struct ceiling {
        uint32_t n;
        struct {
                double threads, best; /* GFLOP/s or GB/s */
        } at[CEILING_POINTS];
};

struct ceilings {
        bool measured; /* else only caches are known, if those are */
        struct ceiling compute[CEILING_N_TYPES], bandwidth[CEILING_N_LEVELS];
        struct {
                uint64_t bytes; /* of one; 0: there is none, or it is not known */
                uint32_t count, cpus;
        } cache[3];
        uint32_t register_bytes; /* of all vector registers of a core; 0: not known */
};

void ceilings_init(struct ceilings *ret, const json_t *document);

/*
 * The ceiling at `threads`. Between two measured numbers of threads it lies on the line between
 * them, above the last it is the last. False: not known.
 */
bool ceiling_at(const struct ceiling *c, double threads, double *ret);

/* For a type of which none was measured: that of f32. */
const struct ceiling *ceilings_compute(const struct ceilings *c, enum ceiling_type type);

/*
 * Bytes that the caches of that level hold for so many threads, one a core; threads that may share
 * a cache are taken to do so from L3 on. UINT64_MAX for memory; 0: not known.
 */
uint64_t ceilings_room(const struct ceilings *c, enum ceiling_level level, uint32_t threads);

/* The nearest level that holds so many bytes for so many threads. */
enum ceiling_level ceilings_holds(const struct ceilings *c, double bytes, uint32_t threads);
