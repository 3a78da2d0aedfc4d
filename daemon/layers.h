/* SPDX-License-Identifier: MIT */
/* Which ops were done in which layer of a model, and how often. */
#pragma once

#include "daemon/shapes.h"

struct layer {
        bool known;                      /* what follows, which never changes */
        _Alignas(8) struct ifp_layer is; /* copied by words */
        struct shape_sums phase[IFP_N_PHASES];
        uint64_t written[IFP_N_PHASES]; /* as in struct shape */
};

struct layers {
        struct layer *list; /* by number; NULL: there are none */
        uint32_t n;
        bool full; /* some found no room */
};

/* Brings those of a process up to date. 0, -ENOMEM or SEGMENT_E_BAD. */
int layers_take(struct process *p, const char **ret_why);
/* What a reader must know of them, once the process has ended. */
void layers_note(struct process *p);
void layers_done(struct layers *l);
