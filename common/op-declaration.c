/* SPDX-License-Identifier: MIT */
/*
 * Reading declarations: one byte after the other, from a line that need not end in a NUL; nothing
 * is taken for text before it has been looked at. The first error ends it, and says where.
 */
#include "common/op-declaration.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amount.h"
#include "common/cleanup.h"
#include "common/op-declaration-private.h"

#define GLOB_MAX 1024

DEFINE_CLEANUP(struct op_declaration *, op_declaration_free, op_declaration_freep);

/* Counts characters: bytes that do not go on with one. */
static size_t column(const struct op_parser *p, const char *at)
{
        size_t n = 1;

        for (const char *s = p->line; s < at; s++)
                n += ((unsigned char)*s & 0xc0) != 0x80;
        return n;
}

int op_wrong(struct op_parser *p, const char *at, const char *text, ...)
{
        _cleanup_(freep) char *what = NULL;
        char *why = NULL;
        va_list ap;
        int r;

        va_start(ap, text);
        r = vasprintf(&what, text, ap);
        va_end(ap);
        if (r < 0) {
                what = NULL;
                return -ENOMEM;
        }
        if (p->name)
                r = asprintf(&why, "%s:%zu:%zu: %s", p->name, p->number, column(p, at), what);
        else
                r = asprintf(&why, "column %zu: %s", column(p, at), what);
        if (r < 0)
                return -ENOMEM;
        for (char *s = why; *s; s++)
                if ((unsigned char)*s < ' ' || *s == 0x7f)
                        *s = '?';
        *p->ret_why = why;
        return OP_DECLARATION_E_MALFORMED;
}

void op_skip_blanks(struct op_parser *p)
{
        while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r'))
                p->at++;
}

static bool is_letter(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

size_t op_word(const struct op_parser *p)
{
        const char *s = p->at;

        if (s < p->end && is_letter(*s))
                while (s < p->end && (is_letter(*s) || (*s >= '0' && *s <= '9')))
                        s++;
        return (size_t)(s - p->at);
}

static bool skip(struct op_parser *p, char c)
{
        op_skip_blanks(p);
        if (p->at == p->end || *p->at != c)
                return false;
        p->at++;
        return true;
}

static bool is_word(const struct op_parser *p, size_t length, const char *word)
{
        return strlen(word) == length && !memcmp(p->at, word, length);
}

/* Up to `stop`, without blanks. */
static int parse_glob(char **ret, struct op_parser *p, char stop, const char *expected)
{
        const char *from = p->at;

        while (p->at < p->end && *p->at != stop && (unsigned char)*p->at > ' ')
                p->at++;
        if (p->at == from || p->at == p->end || *p->at != stop)
                return op_wrong(p, p->at, "expected %s", expected);
        if (p->at - from > GLOB_MAX)
                return op_wrong(p, from, "expected at most %d bytes before '%c'", GLOB_MAX, stop);
        *ret = strndup(from, (size_t)(p->at++ - from));
        return *ret ? 0 : -ENOMEM;
}

static int parse_type(enum op_type *ret, struct op_parser *p)
{
        static const char *const types[] = {
                [OP_PTR] = "ptr", [OP_I32] = "i32", [OP_U32] = "u32", [OP_I64] = "i64",
                [OP_U64] = "u64", [OP_F32] = "f32", [OP_F64] = "f64",
        };
        size_t length;

        op_skip_blanks(p);
        length = op_word(p);
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                if (is_word(p, length, types[i])) {
                        *ret = (enum op_type)i;
                        p->at += length;
                        return 0;
                }
        return op_wrong(p, p->at, "expected a type: i32 u32 i64 u64 f32 f64 ptr");
}

/* What has a name is to be read: a register of floating-point numbers is not. */
static int parse_type_of(struct op_declaration *d, struct op_argument *a, struct op_parser *p)
{
        const char *from;
        int r;

        op_skip_blanks(p);
        from = p->at;
        r = parse_type(&a->type, p);
        if (r)
                return r;
        a->by_address = skip(p, '*');
        if (!a->name[0])
                return 0;
        if (a->type == OP_PTR || a->type == OP_F32 || a->type == OP_F64)
                return op_wrong(p, from, "expected an integer type, or _ in place of '%s'",
                                a->name);
        if (d->n_names == OP_DECLARATION_NAMES)
                return op_wrong(p, from, "expected at most %d arguments with a name",
                                OP_DECLARATION_NAMES);
        d->n_names++;
        return 0;
}

static int parse_argument(struct op_declaration *d, struct op_parser *p)
{
        struct op_argument *a = &d->args[d->n_args];
        const char *from;
        size_t length;

        op_skip_blanks(p);
        from = p->at;
        length = op_word(p);
        if (!length)
                return op_wrong(p, from, "expected an argument: NAME:TYPE or _");
        if (d->n_args == OP_DECLARATION_ARGS)
                return op_wrong(p, from, "expected at most %d arguments", OP_DECLARATION_ARGS);
        if (length >= sizeof(a->name))
                return op_wrong(p, from, "expected a name of at most %zu letters",
                                sizeof(a->name) - 1);
        if (!is_word(p, length, "_"))
                memcpy(a->name, from, length);
        for (size_t i = 0; a->name[0] && i < d->n_args; i++)
                if (!strcmp(d->args[i].name, a->name))
                        return op_wrong(p, from, "expected another name: '%s' is there already",
                                        a->name);
        p->at += length;
        d->n_args++;
        if (skip(p, ':'))
                return parse_type_of(d, a, p);
        return a->name[0] ? op_wrong(p, p->at, "expected ':' and the type of '%s'", a->name) : 0;
}

static int parse_arguments(struct op_declaration *d, struct op_parser *p)
{
        int r;

        if (skip(p, ')'))
                return 0;
        for (;;) {
                r = parse_argument(d, p);
                if (r)
                        return r;
                if (skip(p, ')'))
                        return 0;
                if (!skip(p, ','))
                        return op_wrong(p, p->at, "expected ',' or ')'");
        }
}

static bool at_end(struct op_parser *p)
{
        op_skip_blanks(p);
        return p->at == p->end || *p->at == '#';
}

static int parse_fields(struct op_declaration *d, struct op_parser *p)
{
        while (!at_end(p)) {
                const char *from = p->at;
                size_t length = op_word(p);
                struct op_expression **field = is_word(p, length, "flops")   ? &d->flops
                                               : is_word(p, length, "bytes") ? &d->bytes
                                                                             : NULL;
                int r;

                if (!field)
                        return op_wrong(p, from,
                                        d->flops || d->bytes
                                                ? "expected an operator, flops= or bytes="
                                                : "expected flops= or bytes=");
                if (*field)
                        return op_wrong(p, from, "expected the end: '%.*s' is there already",
                                        (int)length, from);
                p->at += length;
                if (!skip(p, '='))
                        return op_wrong(p, p->at, "expected '='");
                r = op_expression_parse(field, p);
                if (r)
                        return r;
        }
        if (!d->flops && !d->bytes)
                return op_wrong(p, p->at, "expected flops= or bytes=");
        return 0;
}

static int parse_line(struct op_declaration **ret, struct op_parser *p)
{
        _cleanup_(op_declaration_freep) struct op_declaration *d = calloc(1, sizeof(*d));
        const char *from;
        int r;

        if (!d)
                return -ENOMEM;
        p->d = d;
        op_skip_blanks(p);
        from = p->at;
        r = parse_glob(&d->object, p, ':', "an object and ':', as in libfoo.so:my_gemm(...)");
        if (!r && strchr(d->object, '/'))
                r = op_wrong(p, from, "expected the name of a file, without its folder");
        if (!r)
                r = parse_glob(&d->symbol, p, '(', "a symbol and '('");
        if (!r)
                r = parse_arguments(d, p);
        if (!r)
                r = parse_fields(d, p);
        if (!r && p->end - p->line > OP_DECLARATION_BYTES)
                r = op_wrong(p, p->line + OP_DECLARATION_BYTES,
                             "expected the end: a declaration has at most %d bytes",
                             OP_DECLARATION_BYTES);
        if (!r)
                *ret = steal_ptr(d);
        return r;
}

int op_declaration_parse(struct op_declaration **ret, const char *text, char **ret_why)
{
        struct op_parser p = {
                .line = text, .end = text + strlen(text), .at = text, .ret_why = ret_why};

        return parse_line(ret, &p);
}

struct op_declaration *op_declaration_free(struct op_declaration *d)
{
        if (d) {
                free(d->object);
                free(d->symbol);
                op_expression_free(d->flops);
                op_expression_free(d->bytes);
                free(d);
        }
        return NULL;
}

struct op_declaration **op_declarations_free(struct op_declaration **d, size_t n)
{
        for (size_t i = 0; i < n; i++)
                op_declaration_free(d[i]);
        free(d);
        return NULL;
}

static int append(struct op_declaration ***d, size_t *n, struct op_parser *p)
{
        struct op_declaration **more = reallocarray(*d, *n + 1, sizeof(**d));
        int r;

        if (!more)
                return -ENOMEM;
        *d = more;
        r = parse_line(&more[*n], p);
        if (!r)
                ++*n;
        return r;
}

int op_declarations_parse(struct op_declaration ***ret, size_t *ret_n, const char *name,
                          const char *text, size_t size, char **ret_why)
{
        struct op_parser p = {.name = name, .line = text, .ret_why = ret_why};
        const char *end = text + size;
        struct op_declaration **d = NULL;
        size_t n = 0;

        for (; p.line < end; p.line = p.end + 1) {
                int r = 0;

                p.number++;
                p.at = p.line;
                p.end = memchr(p.line, '\n', (size_t)(end - p.line));
                if (!p.end)
                        p.end = end;
                if (!at_end(&p))
                        r = append(&d, &n, &p);
                if (r) {
                        op_declarations_free(d, n);
                        return r;
                }
                if (p.end == end)
                        break;
        }
        *ret = d;
        *ret_n = n;
        return 0;
}

static bool tell(uint64_t amount, uint64_t *ret, bool *ret_saturated)
{
        if (amount == AMOUNT_UNKNOWN)
                return false;
        *ret_saturated |= amount == AMOUNT_MANY;
        *ret = amount == AMOUNT_MANY ? INT64_MAX : amount;
        return true;
}

struct work_amount op_declaration_work(const struct op_declaration *d, const int64_t *values,
                                       size_t n)
{
        struct work_amount w = {0};

        if (d->flops)
                w.flops_known =
                        tell(op_expression_value(d->flops, d, values, n), &w.flops, &w.saturated);
        if (d->bytes)
                w.bytes_known =
                        tell(op_expression_value(d->bytes, d, values, n), &w.bytes, &w.saturated);
        return w;
}
