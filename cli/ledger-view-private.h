/* SPDX-License-Identifier: MIT */
/*
 * The part of the ledger's view that is about single tokens.
 */
#pragma once

#include "cli/run-verb.h"

/* The slowest tokens. False: no memory. */
bool ledger_print_slow(const struct page *p);
