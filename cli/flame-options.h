/* SPDX-License-Identifier: MIT */
/*
 * The command line of infprof flame.
 */
#pragma once

#include <stdbool.h>

#include "cli/flame-tree.h"
#include "cli/memory-source.h"

enum flame_what {
        FLAME_NOTHING, /* not said yet */
        FLAME_HEAP,
        FLAME_ALLOC,
        FLAME_WAITS,
        FLAME_OFFCPU,
};

struct flame_request {
        enum flame_what what;
        bool objects, folded;
        const char *output, *title;
        const char *kind;             /* of waits; NULL: all */
        struct memory_request memory; /* its run is that of all */
        bool diff;                    /* against `before` */
        const char *before;
        struct flame_options flame;
};

static inline bool flame_is_time(const struct flame_request *r)
{
        return r->what == FLAME_WAITS || r->what == FLAME_OFFCPU;
}

/* 0; or 1 + exit code */
int flame_parse(int argc, char **argv, struct flame_request *ret);
