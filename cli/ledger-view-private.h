/* SPDX-License-Identifier: MIT */
/*
 * The rows of the ledger, and the part of its view that is about single tokens.
 */
#pragma once

#include "cli/run-verb.h"

#define LEDGER_N_ROWS 11

struct ledger_row {
        const char *name, *about;
};

extern const struct ledger_row ledger_rows[LEDGER_N_ROWS];

/* The slowest tokens. False: no memory. */
bool ledger_print_slow(const struct page *p);
