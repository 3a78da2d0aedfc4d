/* SPDX-License-Identifier: MIT */
/*
 * C++ names are left to __cxa_demangle of libstdc++, which is loaded when the
 * first such name comes along: nothing else here needs it. Old Rust names are C++
 * names in form, with "$LT$" and the like for what C++ cannot say and a hash at
 * the end. Rust's v0 scheme is its own: demangle-rust.c.
 */
#include "common/demangle.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/demangle-rust.h"

#define MAX_SYMBOL 4096

typedef char *(*cxa_demangle_fn)(const char *, char *, size_t *, int *);

static char *demangle_cxx(const char *symbol)
{
        static cxa_demangle_fn cxa_demangle;
        static bool tried;
        int status = -1;

        if (!tried) {
                void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);

                if (!library)
                        library = dlopen("libc++abi.so.1", RTLD_LAZY | RTLD_LOCAL);
                if (library)
                        cxa_demangle = (cxa_demangle_fn)dlsym(library, "__cxa_demangle");
                tried = true;
        }
        return cxa_demangle ? cxa_demangle(symbol, NULL, NULL, &status) : NULL;
}

/* "::h" and sixteen hex digits at the end. */
static bool has_rust_hash(const char *name)
{
        size_t n = strlen(name);

        return n > 19 && !strncmp(name + n - 19, "::h", 3) &&
               strspn(name + n - 16, "0123456789abcdef") == 16;
}

/* One escape of the old Rust scheme at `p`: its bytes, and in `to` what it stands for. 0: none. */
static size_t rust_escape(const char *p, char to[5])
{
        static const struct {
                const char *escape, *text;
        } escapes[] = {
                {"$LT$", "<"}, {"$GT$", ">"}, {"$LP$", "("}, {"$RP$", ")"}, {"$BP$", "*"},
                {"$RF$", "&"}, {"$C$", ","},  {"$SP$", "@"}, {"..", "::"},
        };
        unsigned long c;
        char *end;

        for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
                if (!strncmp(p, escapes[i].escape, strlen(escapes[i].escape))) {
                        strcpy(to, escapes[i].text);
                        return strlen(escapes[i].escape);
                }
        if (strncmp(p, "$u", 2) || strspn(p + 2, "0123456789abcdef") == 0)
                return 0;
        c = strtoul(p + 2, &end, 16);
        if (*end != '$' || c < 0x20 || c >= 0x7f)
                return 0;
        to[0] = (char)c;
        to[1] = '\0';
        return (size_t)(end + 1 - p);
}

/* In place: what comes out is never longer. */
static void tidy_rust(char *name)
{
        char *to = name, text[5];

        name[strlen(name) - 19] = '\0';
        for (const char *p = name; *p;) {
                size_t n;

                /* a component that begins with an escape has an underscore before it */
                if (*p == '_' && p[1] == '$' && (p == name || p[-1] == ':'))
                        p++;
                n = rust_escape(p, text);
                if (!n) {
                        *to++ = *p++;
                        continue;
                }
                memcpy(to, text, strlen(text));
                to += strlen(text);
                p += n;
        }
        *to = '\0';
}

/* The mangled part of `symbol` alone, which has no '@' in it. */
static char *demangle_bare(const char *symbol)
{
        char *name;

        if (!strncmp(symbol, "_R", 2))
                return ifp_demangle_rust(symbol);
        if (strncmp(symbol, "_Z", 2))
                return NULL;
        name = demangle_cxx(symbol);
        if (name && has_rust_hash(name))
                tidy_rust(name);
        return name;
}

char *ifp_demangle(const char *symbol)
{
        _cleanup_(freep) char *bare = NULL, *name = NULL;
        const char *version = strchrnul(symbol, '@');
        char *whole;

        if (strlen(symbol) > MAX_SYMBOL)
                return strdup(symbol);
        bare = strndup(symbol, (size_t)(version - symbol));
        if (!bare)
                return NULL;
        name = demangle_bare(bare);
        if (!name)
                return strdup(symbol);
        return asprintf(&whole, "%s%s", name, version) < 0 ? NULL : whole;
}
