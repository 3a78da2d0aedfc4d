/* SPDX-License-Identifier: MIT */
/* Times, sizes, shares and numbers as people type them. false: it is none, or out of bounds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool units_time(const char *s, uint64_t *ret_ns);     /* "500ms" "10s" "1.5min" "2h"; bare: s */
bool units_bytes(const char *s, uint64_t *ret_bytes); /* "64K" "8G" "8GiB" "1000kB"; bare: bytes */
bool units_share(const char *s, double *ret);         /* "2%" "0.02" */
bool units_count(const char *s, uint64_t least, uint64_t most, uint64_t *ret);
