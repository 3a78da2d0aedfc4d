/* SPDX-License-Identifier: MIT */
/*
 * Figures as people read them, and text made fit for JSON and terminals. Each
 * fmt_* of a figure writes into buf[FMT_SIZE] and returns it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FMT_SIZE 32

const char *fmt_ns(char *buf,
                   uint64_t ns); /* "0ns" "999ns" "12.34us" "1.000ms" "12.50s" "3m05s" "26h10m" */
const char *fmt_count(char *buf, uint64_t n);    /* "1,234,567" */
const char *fmt_bytes(char *buf, int64_t bytes); /* "0B" "512B" "1.50KiB" "-23.4MiB" */
const char *fmt_share(char *buf,
                      double share); /* 0..1: "12.3%"; "<0.1%" for what is there, but little */

/* "SIGSEGV", "SIGRTMIN+3", "signal 99" */
const char *fmt_signal(char *buf, size_t size, int signal);

/* A copy in which what is not UTF-8 is U+FFFD; to be freed. NULL: no memory. */
char *fmt_utf8(const char *s);
