/* SPDX-License-Identifier: MIT */
/*
 * Rust's v0 names: a small language of paths, types and constants, in
 * which a part that came before is referred to by its place ("The Rust Symbol
 * Mangling" of the Rust book, RFC 2603). What is printed is the short form: no crate
 * hashes, no types of constants.
 *
 * A name may be anything, so depth and length are bounded, and whoever fails
 * sets `failed`, after which nothing is read any more. Identifiers in
 * punycode are shown as they are.
 */
#include "common/demangle-rust.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 100
#define MAX_TEXT  8192

struct parser {
        const char *s; /* behind "_R" */
        size_t at, n;
        char *out;
        size_t n_out;
        int depth;
        bool failed, silent;
        uint64_t n_bound; /* lifetimes bound by `for<>` around here */
};

static void path(struct parser *p, bool in_value);
static void type(struct parser *p);
static void constant(struct parser *p);

static void fail(struct parser *p)
{
        p->failed = true;
}

static void put_bytes(struct parser *p, const char *s, size_t n)
{
        if (p->silent || p->failed)
                return;
        if (p->n_out + n >= MAX_TEXT) {
                fail(p);
                return;
        }
        memcpy(p->out + p->n_out, s, n);
        p->n_out += n;
        p->out[p->n_out] = '\0';
}

static void put(struct parser *p, const char *s)
{
        put_bytes(p, s, strlen(s));
}

static char peek(const struct parser *p)
{
        return p->failed || p->at >= p->n ? '\0' : p->s[p->at];
}

static char next(struct parser *p)
{
        char c = peek(p);

        if (!c)
                fail(p);
        else
                p->at++;
        return c;
}

static bool eat(struct parser *p, char c)
{
        if (peek(p) != c)
                return false;
        p->at++;
        return true;
}

/* <base-62-number>: "_" is 0, "0_" is 1 */
static uint64_t base62(struct parser *p)
{
        uint64_t v = 0;

        if (eat(p, '_'))
                return 0;
        for (;;) {
                char c = next(p);
                uint64_t digit;

                if (c == '_')
                        return v + 1;
                if (isdigit((unsigned char)c))
                        digit = (uint64_t)(c - '0');
                else if (c >= 'a' && c <= 'z')
                        digit = (uint64_t)(c - 'a') + 10;
                else if (c >= 'A' && c <= 'Z')
                        digit = (uint64_t)(c - 'A') + 36;
                else
                        digit = 62;
                if (digit == 62 || v > (UINT64_MAX - 62) / 62 - 1) {
                        fail(p);
                        return 0;
                }
                v = v * 62 + digit;
        }
}

static uint64_t optional62(struct parser *p, char tag)
{
        return eat(p, tag) ? base62(p) + 1 : 0;
}

/* A part said before: it is read there, and then goes on here. */
static void back(struct parser *p, void (*part)(struct parser *p, bool in_value), bool in_value)
{
        size_t here, there = (size_t)base62(p);

        here = p->at;
        if (p->failed || there >= here - 1 || p->depth >= MAX_DEPTH) {
                fail(p);
                return;
        }
        if (p->silent)
                return;
        p->at = there;
        p->depth++;
        part(p, in_value);
        p->depth--;
        p->at = here;
}

static void type_part(struct parser *p, bool unused)
{
        type(p);
}

static void constant_part(struct parser *p, bool unused)
{
        constant(p);
}

static void identifier(struct parser *p, const char **ret, size_t *ret_n)
{
        bool puny = eat(p, 'u');
        size_t n = 0;

        *ret = "";
        *ret_n = 0;
        if (!isdigit((unsigned char)peek(p))) {
                fail(p);
                return;
        }
        if (!eat(p, '0'))
                while (isdigit((unsigned char)peek(p)) && n < MAX_TEXT)
                        n = n * 10 + (size_t)(next(p) - '0');
        eat(p, '_');
        if (p->failed || n > p->n - p->at) {
                fail(p);
                return;
        }
        (void)puny;
        *ret = p->s + p->at;
        *ret_n = n;
        p->at += n;
}

static void put_identifier(struct parser *p)
{
        const char *s;
        size_t n;

        identifier(p, &s, &n);
        put_bytes(p, s, n);
}

static void lifetime(struct parser *p, uint64_t index)
{
        char name[32];

        if (!index) {
                put(p, "'_");
        } else if (index > p->n_bound) {
                fail(p);
        } else {
                uint64_t depth = p->n_bound - index;

                if (depth < 26)
                        snprintf(name, sizeof(name), "'%c", (char)('a' + depth));
                else
                        snprintf(name, sizeof(name), "'_%llu", (unsigned long long)depth);
                put(p, name);
        }
}

static void generic_argument(struct parser *p)
{
        if (eat(p, 'L'))
                lifetime(p, base62(p));
        else if (eat(p, 'K'))
                constant(p);
        else
                type(p);
}

static void generic_arguments(struct parser *p)
{
        for (bool first = true; !p->failed && !eat(p, 'E'); first = false) {
                if (!first)
                        put(p, ", ");
                generic_argument(p);
        }
}

static void nested(struct parser *p, bool in_value)
{
        char space = next(p);
        uint64_t number;
        const char *s;
        char text[32];
        size_t n;

        path(p, in_value);
        number = optional62(p, 's');
        identifier(p, &s, &n);
        if (!isupper((unsigned char)space)) {
                if (n) {
                        put(p, "::");
                        put_bytes(p, s, n);
                }
                return;
        }
        put(p, "::{");
        put(p, space == 'C' ? "closure" : space == 'S' ? "shim" : "");
        if (space != 'C' && space != 'S')
                put_bytes(p, &space, 1);
        if (n) {
                put(p, ":");
                put_bytes(p, s, n);
        }
        snprintf(text, sizeof(text), "#%llu}", (unsigned long long)number);
        put(p, text);
}

/* The path of an impl is where it stands, which nobody wants to see. */
static void impl_path(struct parser *p)
{
        bool silent = p->silent;

        optional62(p, 's');
        p->silent = true;
        path(p, false);
        p->silent = silent;
}

static void path(struct parser *p, bool in_value)
{
        if (p->depth++ >= MAX_DEPTH)
                fail(p);
        switch (next(p)) {
        case 'C':
                optional62(p, 's');
                put_identifier(p);
                break;
        case 'N':
                nested(p, in_value);
                break;
        case 'M':
                impl_path(p);
                put(p, "<");
                type(p);
                put(p, ">");
                break;
        case 'X':
                impl_path(p);
                /* fall through */
        case 'Y':
                put(p, "<");
                type(p);
                put(p, " as ");
                path(p, false);
                put(p, ">");
                break;
        case 'I':
                path(p, in_value);
                put(p, in_value ? "::<" : "<");
                generic_arguments(p);
                put(p, ">");
                break;
        case 'B':
                back(p, path, in_value);
                break;
        default:
                fail(p);
        }
        p->depth--;
}

static const char *basic_type(char c)
{
        static const char *const names[26] = {
                ['a' - 'a'] = "i8",   ['b' - 'a'] = "bool",  ['c' - 'a'] = "char",
                ['d' - 'a'] = "f64",  ['e' - 'a'] = "str",   ['f' - 'a'] = "f32",
                ['h' - 'a'] = "u8",   ['i' - 'a'] = "isize", ['j' - 'a'] = "usize",
                ['l' - 'a'] = "i32",  ['m' - 'a'] = "u32",   ['n' - 'a'] = "i128",
                ['o' - 'a'] = "u128", ['p' - 'a'] = "_",     ['s' - 'a'] = "i16",
                ['t' - 'a'] = "u16",  ['u' - 'a'] = "()",    ['v' - 'a'] = "...",
                ['x' - 'a'] = "i64",  ['y' - 'a'] = "u64",   ['z' - 'a'] = "!",
        };

        return c >= 'a' && c <= 'z' ? names[c - 'a'] : NULL;
}

static uint64_t binder(struct parser *p)
{
        uint64_t n = optional62(p, 'G');

        if (n > 64)
                fail(p);
        p->n_bound += p->failed ? 0 : n;
        return p->failed ? 0 : n;
}

static void function_type(struct parser *p)
{
        uint64_t bound = binder(p);

        if (eat(p, 'U'))
                put(p, "unsafe ");
        if (eat(p, 'K')) {
                put(p, "extern \"");
                if (eat(p, 'C'))
                        put(p, "C");
                else
                        put_identifier(p);
                put(p, "\" ");
        }
        put(p, "fn(");
        for (bool first = true; !p->failed && !eat(p, 'E'); first = false) {
                if (!first)
                        put(p, ", ");
                type(p);
        }
        put(p, ")");
        if (!eat(p, 'u')) {
                put(p, " -> ");
                type(p);
        }
        p->n_bound -= bound;
}

static void dyn_type(struct parser *p)
{
        uint64_t bound, index;

        put(p, "dyn ");
        bound = binder(p);
        for (bool first = true; !p->failed && !eat(p, 'E'); first = false) {
                if (!first)
                        put(p, " + ");
                path(p, false);
                while (eat(p, 'p')) {
                        put(p, "<");
                        put_identifier(p);
                        put(p, " = ");
                        type(p);
                        put(p, ">");
                }
        }
        p->n_bound -= bound;
        if (!eat(p, 'L')) {
                fail(p);
                return;
        }
        index = base62(p);
        if (index) {
                put(p, " + ");
                lifetime(p, index);
        }
}

static void reference(struct parser *p, const char *sign)
{
        put(p, "&");
        if (eat(p, 'L')) {
                uint64_t index = base62(p);

                if (index) {
                        lifetime(p, index);
                        put(p, " ");
                }
        }
        put(p, sign);
        type(p);
}

static void tuple(struct parser *p)
{
        size_t n = 0;

        put(p, "(");
        for (; !p->failed && !eat(p, 'E'); n++) {
                if (n)
                        put(p, ", ");
                type(p);
        }
        put(p, n == 1 ? ",)" : ")");
}

static void type(struct parser *p)
{
        const char *basic = basic_type(peek(p));

        if (basic) {
                p->at++;
                put(p, basic);
                return;
        }
        if (p->depth++ >= MAX_DEPTH)
                fail(p);
        switch (peek(p)) {
        case 'R':
        case 'Q':
                reference(p, next(p) == 'Q' ? "mut " : "");
                break;
        case 'P':
        case 'O':
                put(p, next(p) == 'P' ? "*const " : "*mut ");
                type(p);
                break;
        case 'A':
        case 'S':
                put(p, "[");
                if (next(p) == 'S') {
                        type(p);
                } else {
                        type(p);
                        put(p, "; ");
                        constant(p);
                }
                put(p, "]");
                break;
        case 'T':
                p->at++;
                tuple(p);
                break;
        case 'F':
                p->at++;
                function_type(p);
                break;
        case 'D':
                p->at++;
                dyn_type(p);
                break;
        case 'B':
                p->at++;
                back(p, type_part, false);
                break;
        default:
                path(p, false);
        }
        p->depth--;
}

/* Hex digits up to "_", as a number where it is one of 64 bits. */
static void number(struct parser *p, bool boolean)
{
        size_t from = p->at, n;
        char text[32];

        while (isxdigit((unsigned char)peek(p)))
                p->at++;
        n = p->at - from;
        if (!eat(p, '_')) {
                fail(p);
        } else if (n > 16) {
                put(p, "0x");
                put_bytes(p, p->s + from, n);
        } else {
                unsigned long long v = 0;

                for (size_t i = 0; i < n; i++)
                        v = v * 16 + (unsigned long long)(isdigit((unsigned char)p->s[from + i])
                                                                  ? p->s[from + i] - '0'
                                                                  : p->s[from + i] - 'a' + 10);
                snprintf(text, sizeof(text), "%llu", v);
                put(p, !boolean ? text : v ? "true" : "false");
        }
}

static void constant(struct parser *p)
{
        char c = next(p);

        if (p->depth >= MAX_DEPTH)
                fail(p);
        if (c == 'p') {
                put(p, "_");
        } else if (c == 'B') {
                back(p, constant_part, false);
        } else if (basic_type(c)) {
                if (eat(p, 'n'))
                        put(p, "-");
                number(p, c == 'b');
        } else {
                fail(p);
        }
}

char *ifp_demangle_rust(const char *symbol)
{
        struct parser p = {.s = symbol + 2, .n = strcspn(symbol + 2, ".")};

        if (strncmp(symbol, "_R", 2))
                return NULL;
        p.out = calloc(1, MAX_TEXT);
        if (!p.out)
                return NULL;
        path(&p, true);
        /* What may follow is the crate it was instantiated in. */
        if (!p.failed && p.at < p.n) {
                p.silent = true;
                path(&p, false);
        }
        if (p.failed || p.at != p.n) {
                free(p.out);
                return NULL;
        }
        return p.out;
}
