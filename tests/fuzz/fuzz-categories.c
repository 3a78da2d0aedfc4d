/* SPDX-License-Identifier: MIT */
/*
 * A rule file of any bytes gives rules or an error in one line; with rules, a stack of any names is
 * matched. The input is the file, a NUL, and a function's name.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/categories.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *nul = size ? memrchr(data, 0, size) : NULL;
        size_t n = nul ? (size_t)(nul - data) : size;
        char *name = nul ? strndup((const char *)nul + 1, size - n - 1) : strdup("ggml_init");
        const struct categories_frame frames[] = {{name, "/opt/libllama.so"}, {NULL, NULL}};
        const struct categories_stack stack = {name, "decode", frames, 2};
        struct categories *c = NULL;
        char *why = NULL;
        int r = categories_parse(&c, "fuzz", (const char *)data, n, &why);

        if (r == CATEGORIES_E_MALFORMED) {
                if (!why || strncmp(why, "fuzz:", 5) || strchr(why, '\n'))
                        abort();
        } else if (r || why) {
                abort();
        } else {
                (void)categories_match(c, &stack);
        }
        categories_free(c);
        free(why);
        free(name);
        return 0;
}
