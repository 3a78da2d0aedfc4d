/* SPDX-License-Identifier: MIT */
/* The state that the machine is in as a run begins. */
#pragma once

#include <stdbool.h>

#include "common/runfile.h"

struct beginning {
        bool known;
        struct runfile_surroundings row; /* its strings are the beginning's */
};

/* Of now. Takes some tenths of a millisecond. */
void beginning_look(struct beginning *ret);
void beginning_done(struct beginning *b);
