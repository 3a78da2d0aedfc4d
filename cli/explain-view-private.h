/* SPDX-License-Identifier: MIT */
#pragma once

#include "cli/run-verb.h"

/* A figure with its unit, in buf[FMT_SIZE]; "" where there is none. */
const char *explain_figure(char *buf, const json_t *evidence);

/* "to 920 tokens/s, 1.20x", in buf[EXPLAIN_GAIN]; "" where neither is known. */
#define EXPLAIN_GAIN 96
const char *explain_gain(char *buf, const json_t *gain);

/* What stands behind the title of a finding that is small; "" of others. */
const char *explain_small(const json_t *finding);

/* cli/explain-brief.c: a finding in a few lines, as many as the screen's detail allows; or,
 * where it is not `whole`, in one. */
void explain_print_briefly(const struct page *p, size_t place, const json_t *finding, bool whole);
