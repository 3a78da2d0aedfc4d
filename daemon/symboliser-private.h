/* SPDX-License-Identifier: MIT */
/* What the daemon and its symboliser say to each other: one datagram each. */
#pragma once

#include <limits.h>
#include <stdint.h>

#include "daemon/symbol.h"

#define SYMBOLISER_MOST_NAME 2048u
#define SYMBOLISER_MOST_FILE 1024u

struct symboliser_asked {
        uint64_t address, base, started_ns;
        uint32_t number;
        int32_t pid;
        uint8_t has_path, without_dwarf, is_now, is_over;
        char path[PATH_MAX]; /* as long as it is */
};

struct symboliser_told {
        uint32_t number;
        int32_t result;
        uint32_t n, has_library;
        struct symboliser_row {
                uint64_t offset;
                uint32_t line;
                uint8_t inlined, has_file;
        } rows[SYMBOL_MOST];
        /* strings, one after the other: library; function and file of each row. As long as it is */
        char text[PATH_MAX + SYMBOL_MOST * (SYMBOLISER_MOST_NAME + SYMBOLISER_MOST_FILE)];
};

/* The symboliser's life: answers until the daemon is gone, and does not return. */
_Noreturn void symboliser_serve(int fd);
