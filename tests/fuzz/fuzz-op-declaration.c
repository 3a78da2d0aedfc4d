/* SPDX-License-Identifier: MIT */
/*
 * A file of any bytes gives declarations or an error in one line; with declarations, calls with any
 * arguments have work that can be told or is not known. The arguments are the file's first bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/op-declaration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        int64_t values[OP_DECLARATION_NAMES] = {0};
        struct op_declaration **d = NULL;
        char *why = NULL;
        size_t n = 0;
        int r;

        if (size > sizeof(values)) {
                memcpy(values, data, sizeof(values));
                data += sizeof(values);
                size -= sizeof(values);
        }
        r = op_declarations_parse(&d, &n, "fuzz", (const char *)data, size, &why);
        if (r == OP_DECLARATION_E_MALFORMED) {
                if (!why || strncmp(why, "fuzz:", 5) || strchr(why, '\n') || d)
                        abort();
        } else if (r || why) {
                abort();
        }
        for (size_t i = 0; i < n; i++) {
                struct work_amount w = op_declaration_work(d[i], values, OP_DECLARATION_NAMES);

                if (w.flops > INT64_MAX || w.bytes > INT64_MAX)
                        abort();
        }
        op_declarations_free(d, n);
        free(why);
        return 0;
}
