/* SPDX-License-Identifier: MIT */
/*
 * Symbol tables and DWARF of files that lie, and lists of generated code: the last two bytes say
 * which addresses are asked for.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/perf-map.h"
#include "daemon/symbol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const char *path, uint64_t address)
{
        struct symbol symbols[SYMBOL_MOST];
        uint32_t n = 0;

        if (symbols_find(path, address, symbols, &n))
                return;
        if (!n || n > SYMBOL_MOST || symbols[n - 1].inlined)
                abort();
        for (uint32_t i = 0; i < n; i++)
                if (!symbols[i].function)
                        abort();
        symbols_done(symbols, n);
}

static void as_elf(const uint8_t *data, size_t size, uint16_t where)
{
        int fd = memfd_create("fuzz-symbol", MFD_CLOEXEC);
        char path[64];

        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
                abort();
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        for (uint64_t i = 0; i < 64; i++)
                look_up(path, where * 16ull + i * 61);
        symbols_forget();
        close(fd);
}

static void as_list(const uint8_t *data, size_t size, uint16_t where)
{
        struct perf_map *m = perf_map_new(-1, 0);
        char *text = malloc(size + 1), *name;
        uint64_t start;

        if (!m || !text)
                abort();
        memcpy(text, data, size);
        text[size] = '\0';
        perf_map_parse(m, text);
        if (perf_map_find(m, where, false, &name, &start)) {
                if (start > where)
                        abort();
                free(name);
        }
        free(text);
        perf_map_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint16_t where;

        if (size < 2)
                return 0;
        memcpy(&where, data + size - 2, 2);
        if (size > 6 && !memcmp(data, "\177ELF", 4))
                as_elf(data, size - 2, where);
        else
                as_list(data, size - 2, where);
        return 0;
}
