/* SPDX-License-Identifier: MIT */
/*
 * Any bytes are a shape: its work is known or not but never above what can be told, and its text
 * stays in its buffer. The first byte picks an op of the table, so that the rest reaches its rule.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/flops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct shape s = {.n = 0};
        struct work_amount w;
        size_t text_size;
        const char *op;
        char *text;

        if (!size)
                return 0;
        memcpy(&s, data + 1, size - 1 < sizeof(s) ? size - 1 : sizeof(s));
        if ((op = flops_op(data[0])))
                strcpy(s.op, op);
        w = flops_of(&s);
        if (w.flops > INT64_MAX || w.bytes > INT64_MAX || (!w.flops_known && w.flops) ||
            (!w.bytes_known && (w.bytes || w.bytes_at_most)))
                abort();
        text_size = data[0] % 2 ? SHAPE_TEXT_SIZE : data[0] / 2;
        text = malloc(text_size + 1);
        if (!text)
                return 0;
        text[0] = '\0';
        if (strlen(shape_text(text, text_size, &s)) >= text_size + !text_size)
                abort();
        free(text);
        return 0;
}
