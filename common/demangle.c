/* SPDX-License-Identifier: MIT */
/*
 * C++ names are undone by the C++ library's own function, where that library is
 * on the machine: it is looked for at the first such name and not linked. Rust's
 * older names are C++ names with a hash at the end and escapes within; its
 * newer ones are common/demangle-rust.c's.
 */
#include "common/demangle.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/demangle-rust.h"

typedef char *(*demangle_fn)(const char *name, char *buf, size_t *size, int *status);

static demangle_fn find_cxx(void)
{
        static demangle_fn fn;
        static bool looked;
        void *lib;

        if (!looked) {
                looked = true;
                lib = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);
                if (!lib)
                        lib = dlopen("libc++abi.so.1", RTLD_LAZY | RTLD_LOCAL);
                fn = lib ? (demangle_fn)dlsym(lib, "__cxa_demangle") : NULL;
        }
        return fn;
}

/* "::h" and 16 hex digits */
static bool has_rust_hash(const char *s)
{
        size_t n = strlen(s);

        if (n < 19 || strncmp(s + n - 19, "::h", 3))
                return false;
        for (size_t i = n - 16; i < n; i++)
                if (!isxdigit((unsigned char)s[i]) || isupper((unsigned char)s[i]))
                        return false;
        return true;
}

/* One escape of the older Rust scheme at `s`: its text and its length, or 0. */
static size_t rust_escape(const char *s, char *ret)
{
        static const struct {
                const char *name, *text;
        } escapes[] = {
                {"$SP$", "@"}, {"$BP$", "*"}, {"$RF$", "&"}, {"$LT$", "<"},
                {"$GT$", ">"}, {"$LP$", "("}, {"$RP$", ")"}, {"$C$", ","},
        };
        char *end;
        long code;

        for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
                if (!strncmp(s, escapes[i].name, strlen(escapes[i].name))) {
                        *ret = escapes[i].text[0];
                        return strlen(escapes[i].name);
                }
        if (strncmp(s, "$u", 2))
                return 0;
        code = strtol(s + 2, &end, 16);
        if (*end != '$' || code < 0x20 || code > 0x7e)
                return 0;
        *ret = (char)code;
        return (size_t)(end + 1 - s);
}

static void undo_rust_escapes(char *s)
{
        char *to = s;

        s[strlen(s) - 19] = '\0';
        while (*s) {
                size_t n = *s == '$' ? rust_escape(s, to) : 0;

                if (n) {
                        s += n;
                        to++;
                } else if (s[0] == '.' && s[1] == '.') {
                        *to++ = ':';
                        *to++ = ':';
                        s += 2;
                } else if (s[0] == '_' && s[1] == '$') {
                        s++; /* stands before a leading escape only */
                } else {
                        *to++ = *s++;
                }
        }
        *to = '\0';
}

char *ifp_demangle(const char *symbol)
{
        demangle_fn cxx;
        char *name = NULL;
        int status;

        if (!strncmp(symbol, "_R", 2))
                name = ifp_demangle_rust(symbol);
        if (!name && !strncmp(symbol, "_Z", 2) && (cxx = find_cxx()))
                name = cxx(symbol, NULL, NULL, &status);
        if (!name)
                return strdup(symbol);
        if (has_rust_hash(name))
                undo_rust_escapes(name);
        return name;
}
