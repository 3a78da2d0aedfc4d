/* SPDX-License-Identifier: MIT */
/*
 * A recursive descent through the grammar of RFC 2603. Names come from
 * strangers: back references make depth and length grow without bound, so both
 * are limited, and what exceeds them is not understood.
 */
#include "common/demangle-rust.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH  64
#define MAX_OUTPUT 8192
#define MAX_STEPS  20000
#define MAX_PUNY   256

struct parser {
        const char *start; /* after "_R": what back references count from */
        const char *p;
        char *out;
        size_t n_out;
        unsigned depth, steps;
        uint64_t n_lifetimes;
        bool silent; /* parses, and prints nothing */
        bool failed;
};

static void path(struct parser *s, bool in_value);
static void type(struct parser *s);
static void constant(struct parser *s);

static void fail(struct parser *s)
{
        s->failed = true;
}

static void put_bytes(struct parser *s, const char *text, size_t n)
{
        if (s->silent || s->failed)
                return;
        if (s->n_out + n >= MAX_OUTPUT) {
                fail(s);
                return;
        }
        memcpy(s->out + s->n_out, text, n);
        s->n_out += n;
}

static void put(struct parser *s, const char *text)
{
        put_bytes(s, text, strlen(text));
}

static bool eat(struct parser *s, char c)
{
        if (s->failed || *s->p != c)
                return false;
        s->p++;
        return true;
}

static char next(struct parser *s)
{
        if (s->failed || !*s->p || ++s->steps > MAX_STEPS) {
                fail(s);
                return '\0';
        }
        return *s->p++;
}

/* {0-9a-zA-Z} "_": "_" is 0, "0_" is 1 */
static uint64_t base62(struct parser *s)
{
        uint64_t v = 0;

        if (eat(s, '_'))
                return 0;
        while (!s->failed) {
                char c = next(s);
                uint64_t digit;

                if (c == '_')
                        return v + 1;
                if (isdigit((unsigned char)c))
                        digit = (uint64_t)(c - '0');
                else if (islower((unsigned char)c))
                        digit = (uint64_t)(c - 'a') + 10;
                else if (isupper((unsigned char)c))
                        digit = (uint64_t)(c - 'A') + 36;
                else
                        break;
                if (v > (UINT64_MAX - 62) / 62)
                        break;
                v = v * 62 + digit;
        }
        fail(s);
        return 0;
}

/* [tag base62], 0 where the tag is absent */
static uint64_t optional62(struct parser *s, char tag)
{
        uint64_t v;

        if (!eat(s, tag))
                return 0;
        v = base62(s);
        return v == UINT64_MAX ? (fail(s), 0) : v + 1;
}

struct identifier {
        uint64_t disambiguator;
        const char *text;
        size_t n;
        bool puny;
};

static void undisambiguated(struct parser *s, struct identifier *ret)
{
        size_t n = 0;

        ret->puny = eat(s, 'u');
        if (!isdigit((unsigned char)*s->p)) {
                fail(s);
                return;
        }
        if (!eat(s, '0'))
                while (!s->failed && isdigit((unsigned char)*s->p) && n < 100000)
                        n = n * 10 + (size_t)(next(s) - '0');
        (void)eat(s, '_');
        if (s->failed || strnlen(s->p, n) < n) {
                fail(s);
                return;
        }
        ret->text = s->p;
        ret->n = n;
        s->p += n;
}

static struct identifier identifier(struct parser *s)
{
        struct identifier id = {0};

        id.disambiguator = optional62(s, 's');
        undisambiguated(s, &id);
        return id;
}

static size_t utf8_encode(char *to, uint32_t c)
{
        if (c < 0x80) {
                to[0] = (char)c;
                return 1;
        }
        if (c < 0x800) {
                to[0] = (char)(0xc0 | c >> 6);
                to[1] = (char)(0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                to[0] = (char)(0xe0 | c >> 12);
                to[1] = (char)(0x80 | (c >> 6 & 0x3f));
                to[2] = (char)(0x80 | (c & 0x3f));
                return 3;
        }
        to[0] = (char)(0xf0 | c >> 18);
        to[1] = (char)(0x80 | (c >> 12 & 0x3f));
        to[2] = (char)(0x80 | (c >> 6 & 0x3f));
        to[3] = (char)(0x80 | (c & 0x3f));
        return 4;
}

/* Punycode (RFC 3492) with '_' for '-' and digits first a-z, then 0-9. */
static void put_punycode(struct parser *s, const char *text, size_t n)
{
        uint32_t out[MAX_PUNY], code = 128, bias = 72, i = 0;
        size_t n_out = 0, basic = 0;

        for (size_t k = 0; k < n; k++)
                if (text[k] == '_')
                        basic = k;
        if (n > MAX_PUNY) {
                fail(s);
                return;
        }
        for (; n_out < basic; n_out++)
                out[n_out] = (unsigned char)text[n_out];
        for (size_t at = basic ? basic + 1 : text[0] == '_'; at < n;) {
                uint32_t old = i, w = 1, delta;

                for (uint32_t k = 36;; k += 36) {
                        uint32_t digit, t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
                        unsigned char c = at < n ? (unsigned char)text[at++] : 0;

                        if (islower(c))
                                digit = c - 'a';
                        else if (isdigit(c))
                                digit = c - '0' + 26u;
                        else {
                                fail(s);
                                return;
                        }
                        if (digit > (UINT32_MAX - i) / w) {
                                fail(s);
                                return;
                        }
                        i += digit * w;
                        if (digit < t)
                                break;
                        if (w > UINT32_MAX / (36 - t)) {
                                fail(s);
                                return;
                        }
                        w *= 36 - t;
                }
                delta = (i - old) / (old ? 2 : 700);
                delta += delta / (uint32_t)(n_out + 1);
                for (bias = 0; delta > 455; bias += 36)
                        delta /= 35;
                bias += 36 * delta / (delta + 38);
                if (i / (n_out + 1) > 0x10ffff - code || n_out == MAX_PUNY) {
                        fail(s);
                        return;
                }
                code += i / (uint32_t)(n_out + 1);
                i %= (uint32_t)(n_out + 1);
                memmove(&out[i + 1], &out[i], (n_out - i) * sizeof(*out));
                out[i++] = code;
                n_out++;
        }
        for (size_t k = 0; k < n_out; k++) {
                char bytes[4];

                if (out[k] >= 0xd800 && out[k] < 0xe000) {
                        fail(s);
                        return;
                }
                put_bytes(s, bytes, utf8_encode(bytes, out[k]));
        }
}

static void put_identifier(struct parser *s, const struct identifier *id)
{
        if (s->failed)
                return;
        if (id->puny)
                put_punycode(s, id->text, id->n);
        else
                put_bytes(s, id->text, id->n);
}

/* "B" base62: what was at that place is parsed once more. */
static void back_reference(struct parser *s, void (*what)(struct parser *))
{
        const char *here = s->p - 1, *after;
        uint64_t offset = base62(s);

        if (s->failed || offset >= (uint64_t)(here - s->start) || ++s->steps > MAX_STEPS) {
                fail(s);
                return;
        }
        if (s->silent)
                return;
        after = s->p;
        s->p = s->start + offset;
        what(s);
        s->p = after;
}

static void path_in_type(struct parser *s)
{
        path(s, false);
}

static void path_in_value(struct parser *s)
{
        path(s, true);
}

static void put_lifetime(struct parser *s, uint64_t index)
{
        char text[32];
        uint64_t n;

        if (!index) {
                put(s, "'_");
                return;
        }
        if (index > s->n_lifetimes) {
                fail(s);
                return;
        }
        n = s->n_lifetimes - index;
        snprintf(text, sizeof(text), n < 26 ? "'%c" : "'_%d", n < 26 ? (int)('a' + n) : (int)n);
        put(s, text);
}

/* [G base62] "for<'a, 'b> "; the number of lifetimes bound */
static uint64_t binder(struct parser *s)
{
        uint64_t n = optional62(s, 'G');

        if (n > 100) {
                fail(s);
                return 0;
        }
        if (n)
                put(s, "for<");
        for (uint64_t i = 0; i < n; i++) {
                s->n_lifetimes++;
                put(s, i ? ", " : "");
                put_lifetime(s, 1);
        }
        if (n)
                put(s, "> ");
        return n;
}

/* The generic arguments up to "E". */
static void arguments(struct parser *s)
{
        for (unsigned i = 0; !s->failed && !eat(s, 'E'); i++) {
                put(s, i ? ", " : "");
                if (eat(s, 'L'))
                        put_lifetime(s, base62(s));
                else if (eat(s, 'K'))
                        constant(s);
                else
                        type(s);
        }
}

/* [s base62] path: where an impl stands, which nobody wants to read */
static void impl_path(struct parser *s)
{
        bool silent = s->silent;

        s->silent = true;
        (void)optional62(s, 's');
        path(s, false);
        s->silent = silent;
}

static void nested_path(struct parser *s, bool in_value)
{
        char namespace = next(s), number[40];
        struct identifier id;

        path(s, in_value);
        id = identifier(s);
        if (islower((unsigned char)namespace)) { /* implementation-internal: plain names */
                if (id.n) {
                        put(s, "::");
                        put_identifier(s, &id);
                }
                return;
        }
        put(s, "::{");
        if (namespace == 'C')
                put(s, "closure");
        else if (namespace == 'S')
                put(s, "shim");
        else if (isupper((unsigned char)namespace))
                put_bytes(s, &namespace, 1);
        else
                fail(s);
        if (id.n) {
                put(s, ":");
                put_identifier(s, &id);
        }
        snprintf(number, sizeof(number), "#%" PRIu64 "}", id.disambiguator);
        put(s, number);
}

static void path(struct parser *s, bool in_value)
{
        struct identifier id;

        if (++s->depth > MAX_DEPTH)
                fail(s);
        switch (next(s)) {
        case 'C':
                id = identifier(s);
                put_identifier(s, &id);
                break;
        case 'M':
                impl_path(s);
                put(s, "<");
                type(s);
                put(s, ">");
                break;
        case 'X':
                impl_path(s);
                /* fall through */
        case 'Y':
                put(s, "<");
                type(s);
                put(s, " as ");
                path(s, false);
                put(s, ">");
                break;
        case 'N':
                nested_path(s, in_value);
                break;
        case 'I':
                path(s, in_value);
                put(s, in_value ? "::<" : "<");
                arguments(s);
                put(s, ">");
                break;
        case 'B':
                back_reference(s, in_value ? path_in_value : path_in_type);
                break;
        default:
                fail(s);
        }
        s->depth--;
}

static const char *basic_type(char c)
{
        static const char *const names['z' - 'a' + 1] = {
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

/* [G] [U] [K abi] types E return */
static void function_type(struct parser *s)
{
        uint64_t bound = binder(s);
        struct identifier abi = {0};

        if (eat(s, 'U'))
                put(s, "unsafe ");
        if (eat(s, 'K')) {
                put(s, "extern \"");
                if (eat(s, 'C')) {
                        put(s, "C");
                } else {
                        undisambiguated(s, &abi);
                        for (size_t i = 0; !s->failed && i < abi.n; i++)
                                put_bytes(s, abi.text[i] == '_' ? "-" : &abi.text[i], 1);
                }
                put(s, "\" ");
        }
        put(s, "fn(");
        for (unsigned i = 0; !s->failed && !eat(s, 'E'); i++) {
                put(s, i ? ", " : "");
                type(s);
        }
        put(s, ")");
        if (!eat(s, 'u')) { /* returns something */
                put(s, " -> ");
                type(s);
        }
        s->n_lifetimes -= bound;
}

/* A path whose generic arguments are left open, for bindings to follow: true when they are. */
static bool open_path(struct parser *s)
{
        const char *after;
        bool open;
        uint64_t offset;
        const char *here = s->p;

        if (eat(s, 'B')) {
                offset = base62(s);
                if (s->failed || offset >= (uint64_t)(here - s->start) || ++s->depth > MAX_DEPTH) {
                        fail(s);
                        return false;
                }
                after = s->p;
                s->p = s->start + offset;
                open = open_path(s);
                s->p = after;
                s->depth--;
                return open;
        }
        if (!eat(s, 'I')) {
                path(s, false);
                return false;
        }
        path(s, false);
        put(s, "<");
        arguments(s);
        return true;
}

/* "D" [G] {path {p name type}} E lifetime */
static void dyn_type(struct parser *s)
{
        uint64_t bound, lifetime;

        put(s, "dyn ");
        bound = binder(s);
        for (unsigned i = 0; !s->failed && !eat(s, 'E'); i++) {
                bool open;

                put(s, i ? " + " : "");
                open = open_path(s);
                while (eat(s, 'p')) {
                        struct identifier name = {0};

                        put(s, open ? ", " : "<");
                        open = true;
                        undisambiguated(s, &name);
                        put_identifier(s, &name);
                        put(s, " = ");
                        type(s);
                }
                if (open)
                        put(s, ">");
        }
        s->n_lifetimes -= bound;
        if (!eat(s, 'L')) {
                fail(s);
                return;
        }
        lifetime = base62(s);
        if (lifetime) {
                put(s, " + ");
                put_lifetime(s, lifetime);
        }
}

static void reference_type(struct parser *s, bool is_mutable)
{
        uint64_t lifetime;

        put(s, "&");
        if (eat(s, 'L')) {
                lifetime = base62(s);
                if (lifetime) {
                        put_lifetime(s, lifetime);
                        put(s, " ");
                }
        }
        put(s, is_mutable ? "mut " : "");
        type(s);
}

static void tuple_type(struct parser *s)
{
        unsigned i;

        put(s, "(");
        for (i = 0; !s->failed && !eat(s, 'E'); i++) {
                put(s, i ? ", " : "");
                type(s);
        }
        put(s, i == 1 ? ",)" : ")");
}

static void type(struct parser *s)
{
        char c;
        const char *basic;

        if (++s->depth > MAX_DEPTH)
                fail(s);
        c = next(s);
        basic = basic_type(c);
        switch (c) {
        case 'A':
        case 'S':
                put(s, "[");
                type(s);
                if (c == 'A') {
                        put(s, "; ");
                        constant(s);
                }
                put(s, "]");
                break;
        case 'T':
                tuple_type(s);
                break;
        case 'R':
        case 'Q':
                reference_type(s, c == 'Q');
                break;
        case 'P':
        case 'O':
                put(s, c == 'P' ? "*const " : "*mut ");
                type(s);
                break;
        case 'F':
                function_type(s);
                break;
        case 'D':
                dyn_type(s);
                break;
        case 'B':
                back_reference(s, type);
                break;
        default:
                if (basic) {
                        put(s, basic);
                } else if (!s->failed) {
                        s->p--;
                        path(s, false);
                }
        }
        s->depth--;
}

/* Type and value: "n" for minus, hex digits, "_" */
static void constant(struct parser *s)
{
        char kind, text[32];
        bool minus;
        uint64_t v = 0;
        size_t n_digits = 0;
        const char *digits;

        if (eat(s, 'B')) {
                back_reference(s, constant);
                return;
        }
        kind = next(s);
        if (kind == 'p') {
                put(s, "_");
                return;
        }
        if (!strchr("abchijlmnostxy", kind)) {
                fail(s); /* structs and strings as arguments: not understood */
                return;
        }
        minus = eat(s, 'n');
        for (digits = s->p; isxdigit((unsigned char)*s->p) && !isupper((unsigned char)*s->p);
             n_digits++)
                s->p++;
        if (!eat(s, '_')) {
                fail(s);
                return;
        }
        put(s, minus ? "-" : "");
        if (n_digits > 16) {
                put(s, "0x");
                put_bytes(s, digits, n_digits);
                return;
        }
        v = n_digits ? strtoull(digits, NULL, 16) : 0;
        if (kind == 'b' && v < 2)
                put(s, v ? "true" : "false");
        else if (kind == 'c' && v >= 0x20 && v < 0x7f && v != '\'' && v != '\\') {
                snprintf(text, sizeof(text), "'%c'", (int)v);
                put(s, text);
        } else {
                snprintf(text, sizeof(text), kind == 'c' ? "'\\u{%" PRIx64 "}'" : "%" PRIu64, v);
                put(s, text);
        }
}

char *ifp_demangle_rust(const char *symbol)
{
        struct parser s = {.start = symbol + 2, .p = symbol + 2};
        char *out;

        if (strncmp(symbol, "_R", 2) || isdigit((unsigned char)symbol[2]))
                return NULL;
        s.out = malloc(MAX_OUTPUT);
        if (!s.out)
                return NULL;
        path(&s, true);
        /* the crate that made an instance, and what linkers append */
        if (!s.failed && isupper((unsigned char)*s.p)) {
                s.silent = true;
                path(&s, false);
        }
        if (!s.failed && *s.p && *s.p != '.' && *s.p != '$')
                fail(&s);
        if (s.failed) {
                free(s.out);
                return NULL;
        }
        s.out[s.n_out] = '\0';
        out = realloc(s.out, s.n_out + 1);
        return out ? out : s.out;
}
