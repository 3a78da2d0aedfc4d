/* SPDX-License-Identifier: MIT */
#pragma once

#include "cli/run-verb.h"

/* cli/tokens-kv.c: a token's time by the length of its KV cache. False: no memory. */
bool tokens_print_kv(const struct page *p);
