/* SPDX-License-Identifier: MIT */
/*
 * Demangled names are read here as text, with brackets that pair: what is between them is left
 * out, but for names that are made of brackets themselves. A name that is not as
 * expected comes out longer than it had to be, never empty.
 */
#include "common/function-name.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char *function_library(const char *path)
{
        const char *slash = path ? strrchr(path, '/') : NULL;

        return slash && slash[1] ? slash + 1 : path;
}

static bool is_word(char c)
{
        return isalnum((unsigned char)c) || c == '_';
}

/* The length of "operator<<" and the others that are made of brackets, at the beginning of s; 0. */
static size_t operator_length(const char *s, const char *begin)
{
        static const char *const marks[] = {"()", "[]", "<=>", "<<=", ">>=", "->*", "->",
                                            "<<", ">>", "<=",  ">=",  "<",   ">",   NULL};
        size_t n = strlen("operator");

        if (strncmp(s, "operator", n) != 0 || (s > begin && is_word(s[-1])))
                return 0;
        for (const char *const *m = marks; *m; m++)
                if (!strncmp(s + n, *m, strlen(*m)))
                        return n + strlen(*m);
        return 0;
}

/* Behind the bracket that closes the one at s; the end of the text where none does. */
static const char *skip_pair(const char *s)
{
        int depth = 0;

        for (; *s; s++) {
                if (strchr("(<[{", *s))
                        depth++;
                else if (strchr(")]}", *s) || (*s == '>' && s[-1] != '-'))
                        depth--;
                if (!depth)
                        return s + 1;
        }
        return s;
}

static void drop_end(char *s, const char *end)
{
        size_t n = strlen(s), m = strlen(end);

        if (n > m && !strcmp(s + n - m, end))
                s[n - m] = '\0';
}

char *function_brief(const char *function)
{
        static const char anonymous[] = "(anonymous namespace)";
        char *out = malloc(strlen(function) + 1), *to = out, *name = out;
        const char *s = function;
        size_t n;

        if (!out)
                return NULL;
        if (*s == '<') /* Rust: <T as Trait>::f */
                return strcpy(out, s);
        while (*s) {
                n = operator_length(s, function);
                if (!n && !strncmp(s, anonymous, strlen(anonymous)))
                        n = strlen(anonymous);
                if (n) {
                        to = mempcpy(to, s, n);
                        s += n;
                } else if (*s == '(' || *s == '<' || *s == '[')
                        s = skip_pair(s);
                else
                        *to++ = *s++;
        }
        *to = '\0';
        drop_end(out, " const");
        drop_end(out, " ");
        for (char *p = out; *p; p++) { /* the return type */
                if (!strncmp(p, "operator ", 9) || !strncmp(p, anonymous, strlen(anonymous)))
                        p += *p == 'o' ? 8 : strlen(anonymous) - 1;
                else if (*p == ' ' && p[1])
                        name = p + 1;
        }
        if (!*name)
                return strcpy(out, function);
        memmove(out, name, strlen(name) + 1);
        return out;
}

static bool begins_with_any(const char *s, const char *const *list)
{
        for (; s && *list; list++)
                if (!strncmp(s, *list, strlen(*list)))
                        return true;
        return false;
}

static bool is_any(const char *s, const char *const *list)
{
        for (; s && *list; list++)
                if (!strcmp(s, *list))
                        return true;
        return false;
}

bool function_is_plumbing(const char *function, const char *library)
{
        static const char *const libraries[] = {"libc.so",     "libc-2.",     "libstdc++.",
                                                "libc++.",     "libc++abi.",  "libgcc_s.",
                                                "libpthread",  "ld-linux",    "libjemalloc.",
                                                "libmimalloc", "libtcmalloc", "libtbbmalloc",
                                                "libinfprof.", NULL};
        static const char *const prefixes[] = {
                "std::",      "__gnu_cxx::", "operator new", "operator delete", "alloc::",
                "core::",     "__rust_",     "__rdl_",       "__rg_",           "<alloc::",
                "<core::",    "<std::",      "je_",          "mi_malloc",       "mi_calloc",
                "mi_realloc", "mi_zalloc",   "mi_new",       "mi_heap_",        "tc_malloc",
                "tc_new",     NULL};
        static const char *const names[] = {"malloc",       "calloc",         "realloc",
                                            "reallocarray", "posix_memalign", "memalign",
                                            "valloc",       "aligned_alloc",  "pvalloc",
                                            "mallocx",      "rallocx",        "xmalloc",
                                            "xcalloc",      "xrealloc",       "g_malloc",
                                            "g_malloc0",    "g_realloc",      NULL};
        char *name;
        bool is;

        if (begins_with_any(function_library(library), libraries))
                return true;
        if (!function)
                return false;
        name = function_brief(function);
        is = begins_with_any(name, prefixes) || is_any(name, names);
        free(name);
        return is;
}
