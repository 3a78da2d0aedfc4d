/* SPDX-License-Identifier: MIT */
/*
 * Sizes and text of a shape. Strings may lack their NUL and counts may be too large: nothing here
 * reads past an array for that.
 */
#include "common/shape.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/amount.h"

static bool absent(const struct shape_operand *o)
{
        return !o->type[0] && !o->block && !o->block_bytes && !o->ne[0] && !o->ne[1] && !o->ne[2] &&
               !o->ne[3];
}

const struct shape_operand *shape_at(const struct shape *s, uint32_t i)
{
        return i < s->n && i < SHAPE_MAX && !absent(&s->at[i]) ? &s->at[i] : NULL;
}

uint64_t shape_elements(const struct shape_operand *o)
{
        uint64_t n = 1;

        for (int i = 0; i < 4; i++) {
                if (!o->ne[i] || o->ne[i] > INT64_MAX)
                        return AMOUNT_UNKNOWN;
                n = amount_mul(n, o->ne[i]);
        }
        return n;
}

uint64_t shape_row_bytes(const struct shape_operand *o)
{
        if (!o->type[0] || !o->block || !o->block_bytes || !o->ne[0] || o->ne[0] > INT64_MAX ||
            o->ne[0] % o->block)
                return AMOUNT_UNKNOWN;
        return amount_mul(o->ne[0] / o->block, o->block_bytes);
}

uint64_t shape_bytes(const struct shape_operand *o)
{
        if (shape_elements(o) == AMOUNT_UNKNOWN)
                return AMOUNT_UNKNOWN;
        return amount_mul(amount_mul3(shape_row_bytes(o), o->ne[1], o->ne[2]), o->ne[3]);
}

struct text {
        char *buf;
        size_t size, n;
        bool cut;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
        va_list ap;
        int n;

        if (t->cut)
                return;
        va_start(ap, format);
        n = vsnprintf(t->buf + t->n, t->size - t->n, format, ap);
        va_end(ap);
        if (n < 0 || (size_t)n >= t->size - t->n)
                t->cut = true;
        else
                t->n += (size_t)n;
}

static void put_operand(struct text *t, const struct shape_operand *o)
{
        int extents = 4;

        if (!o->type[0])
                put(t, "?");
        for (size_t i = 0; i < sizeof(o->type) && o->type[i]; i++)
                put(t, "%c", o->type[i] > ' ' && o->type[i] < 0x7f ? o->type[i] : '?');
        while (extents > 2 && o->ne[extents - 1] == 1)
                extents--;
        for (int i = 0; i < extents; i++)
                put(t, "%c%" PRIu64, i ? ',' : '[', o->ne[i]);
        put(t, "]");
}

const char *shape_text(char *buf, size_t size, const struct shape *s)
{
        struct text t = {.buf = buf, .size = size};
        bool any = false;

        if (!size)
                return buf;
        buf[0] = '\0';
        for (uint32_t i = 1; i < SHAPE_MAX; i++) {
                const struct shape_operand *o = shape_at(s, i);

                if (!o)
                        continue;
                if (any)
                        put(&t, " x ");
                put_operand(&t, o);
                any = true;
        }
        if (!any && shape_at(s, 0))
                put_operand(&t, shape_at(s, 0));
        if (t.cut && size > 3)
                strcpy(buf + size - 4, "...");
        return buf;
}
