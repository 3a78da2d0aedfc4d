/* SPDX-License-Identifier: MIT */
#include "common/shape.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct line {
        char *at;
        size_t left; /* with the NUL; 0: full */
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *format, ...)
{
        va_list args;
        int n;

        va_start(args, format);
        n = l->left ? vsnprintf(l->at, l->left, format, args) : 0;
        va_end(args);
        if (n < 0 || (size_t)n >= l->left) {
                l->left = 0;
                return;
        }
        l->at += n;
        l->left -= (size_t)n;
}

static void add_operand(struct line *l, const struct shape_operand *o)
{
        int n = o->ne[3] != 1 ? 4 : o->ne[2] != 1 ? 3 : 2;

        add(l, "%.*s[", (int)sizeof(o->type) - 1, o->type[0] ? o->type : "?");
        for (int i = 0; i < n; i++)
                add(l, "%s%" PRIu64, i ? "," : "", o->ne[i]);
        add(l, "]");
}

const char *shape_text(char *buf, size_t size, const struct shape *s)
{
        struct line l = {buf, size};
        uint32_t n = s->n < SHAPE_MAX ? s->n : SHAPE_MAX;

        if (size)
                buf[0] = '\0';
        for (uint32_t i = n > 1; i < n; i++) {
                if (i > 1)
                        add(&l, " x ");
                add_operand(&l, &s->at[i]);
        }
        return buf;
}
