/* SPDX-License-Identifier: MIT */
/*
 * What a person means by a side of a difference: a run (id, file, pid, latest), a folder of run
 * files, or several of these joined by commas.
 */
#pragma once

#include "common/report-diff-sets.h"

/* Fills the set; 0, or the exit code after one line on stderr. A set is to be done in any case. */
int diff_side_load(const char *verb, const char *side, struct diff_set *ret);

/* Does it mean exactly one run? Then its file or id is the text itself. */
bool diff_side_is_one(const char *side);
