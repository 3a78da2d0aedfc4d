/* SPDX-License-Identifier: MIT */
#pragma once

#include "cli/run-verb.h"

/* Of a phase of infprof.layers/1: how its layers used their experts; nothing where there are none.
 * False: no memory. */
bool layers_print_experts(const struct page *p, const json_t *phase);
