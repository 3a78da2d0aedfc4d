/* SPDX-License-Identifier: MIT */
/* What the two files of the ledger's document share. */
#pragma once

#include "common/report-work-private.h"

#define LEDGER_MAX_THREADS 256 /* the longest */

json_t *ledger_build_rows(bool has_kernel, const uint64_t rows[IFP_N_LEDGER]);
json_t *ledger_build_slow(const struct work *w);
