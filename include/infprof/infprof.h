/* SPDX-License-Identifier: MIT */
/*
 * Markers: what an engine tells infprof of itself. C11 and C++17, this header alone: nothing is
 * linked. Without the profiler each of these is a test of a pointer; the manual is infprof.h(3).
 *
 *     INFPROF_SCOPE("forward_pass");            until the scope is left, however that is
 *     infprof_begin("sample"); ... infprof_end("sample");
 *     infprof_count("tokens", 1);               adds to a counter; "tokens" and "prompt_tokens"
 *                                               are those of the token figures
 *     infprof_phase("prefill");                 "load", "prefill", "decode", "idle", "unknown"
 *     infprof_result(ok);                       a request is over, and how
 *     infprof_text("prompt 17, 4k context");    what this thread is about from now on
 *     infprof_mark("cache full");               an instant
 *     infprof_tile_begin(INFPROF_TILE_MIDI, row, col); ... infprof_tile_end(elements, flops);
 *
 * Names are literals; infprof_begin_named() and its like take any string. Markers are of the thread
 * that begins them, and nest: one that ends closes those that were begun in it and are open still.
 *
 * Defined before this header is included: INFPROF_OFF leaves all of them out; INFPROF_NO_SDT those
 * probes (provider "infprof": begin, end) which are there where <sys/sdt.h> is.
 */
#ifndef INFPROF_H
#define INFPROF_H

#include <stdint.h>

#define INFPROF_TILE_MACRO 0 /* meant for the last level of cache */
#define INFPROF_TILE_MIDI  1 /* for the second */
#define INFPROF_TILE_MICRO 2 /* for the first */

/* One place in the code that names something. What follows its name the profiler writes. */
struct infprof_site {
        const char *name;
        const uint8_t *on; /* 0 there: markers of this name are switched off */
        uint32_t number;   /* 0: not asked for yet */
        uint32_t reserved;
};

#if !defined(INFPROF_OFF) && defined(__GNUC__) && defined(__ELF__)

__attribute__((unused)) static const uint8_t infprof_on = 1; /* until it is asked */
#define INFPROF_SITE(literal)                                                                      \
        {                                                                                          \
                "" literal, &infprof_on, 0, 0                                                      \
        }
#ifdef __cplusplus
#define INFPROF_NULL nullptr
#else
#define INFPROF_NULL ((void *)0)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the profiler exports, and other languages find by name (dlsym). Here they are weak: NULL
 * without it.
 */
#define INFPROF_WEAK __attribute__((weak, visibility("default")))
INFPROF_WEAK void infprof_begin(const char *name);
INFPROF_WEAK void infprof_end(const char *name);
INFPROF_WEAK void infprof_count(const char *name, uint64_t n);
INFPROF_WEAK void infprof_phase(const char *name);
INFPROF_WEAK void infprof_result(int ok);
INFPROF_WEAK void infprof_text(const char *text);
INFPROF_WEAK void infprof_mark(const char *name);
INFPROF_WEAK void infprof_tile_begin(int level, uint32_t row, uint32_t col);
INFPROF_WEAK void infprof_tile_end(uint64_t elements, uint64_t flops);
/* The same where names are numbered once for each place in the code. */
INFPROF_WEAK void infprof_site_begin(struct infprof_site *site);
INFPROF_WEAK void infprof_site_end(struct infprof_site *site);
INFPROF_WEAK void infprof_site_count(struct infprof_site *site, uint64_t n);

#ifdef __cplusplus
}
#endif

/*
 * The address of a weak function by the loader's word. A program at a fixed address (no PIE) would
 * else have it from its linker, which knows of no profiler.
 */
#if defined(__x86_64__) && !defined(__PIC__) && !defined(__ILP32__)
#define INFPROF_REACH(function)                                                                    \
        __extension__({                                                                            \
                __typeof__(&function) infprof_at;                                                  \
                __asm__(".weak " #function "\n\tmovq " #function "@GOTPCREL(%%rip), %0"            \
                        : "=r"(infprof_at));                                                       \
                infprof_at;                                                                        \
        })
#else
#define INFPROF_REACH(function) (&function)
#endif

/* `arguments` in parentheses. */
#define INFPROF_CALL(function, arguments)                                                          \
        __extension__({                                                                            \
                __typeof__(&function) infprof_to = INFPROF_REACH(function);                        \
                if (__builtin_expect(!!infprof_to, 0))                                             \
                        infprof_to arguments;                                                      \
        })

#if !defined(INFPROF_NO_SDT) && defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
/* The name in a register: what a compiler would else write down not every reader understands. */
#define INFPROF_PROBE(which, name)                                                                 \
        __extension__({                                                                            \
                const char *infprof_name = (name);                                                 \
                __asm__ volatile("" : "+r"(infprof_name));                                         \
                STAP_PROBE1(infprof, which, infprof_name);                                         \
        })
#endif
#endif
#ifndef INFPROF_PROBE
#define INFPROF_PROBE(which, name) ((void)0)
#endif

#define INFPROF_PASTE2(a, b) a##b
#define INFPROF_PASTE(a, b)  INFPROF_PASTE2(a, b)
#define INFPROF_AT_SITE(function, literal, arguments)                                              \
        __extension__({                                                                            \
                static struct infprof_site infprof_here = INFPROF_SITE(literal);                   \
                INFPROF_CALL(function, arguments);                                                 \
        })

/* Names that are known only as the program runs: looked up with each call. */
static inline void infprof_begin_named(const char *name)
{
        INFPROF_PROBE(begin, name);
        INFPROF_CALL(infprof_begin, (name));
}
static inline void infprof_end_named(const char *name)
{
        INFPROF_PROBE(end, name);
        INFPROF_CALL(infprof_end, (name));
}
static inline void infprof_count_named(const char *name, uint64_t n)
{
        INFPROF_CALL(infprof_count, (name, n));
}

/* Null: it was not begun, and is not to be ended. */
static inline struct infprof_site *infprof_scope_begin(struct infprof_site *site)
{
        __typeof__(&infprof_site_begin) to = INFPROF_REACH(infprof_site_begin);

        INFPROF_PROBE(begin, site->name);
        if (__builtin_expect(!to || !*site->on, 1))
                return INFPROF_NULL;
        to(site);
        return site;
}

static inline void infprof_scope_end(struct infprof_site *const *site)
{
        if (__builtin_expect(!!*site, 0))
                INFPROF_CALL(infprof_site_end, (*site));
}

#ifdef __cplusplus
struct infprof_scope {
        struct infprof_site *site;
        explicit infprof_scope(struct infprof_site *s) : site(infprof_scope_begin(s))
        {
        }
        ~infprof_scope()
        {
                infprof_scope_end(&site);
        }
        infprof_scope(const infprof_scope &) = delete;
        infprof_scope &operator=(const infprof_scope &) = delete;
};
#define INFPROF_SCOPE_AT(literal, n)                                                               \
        static struct infprof_site INFPROF_PASTE(infprof_site_, n) = INFPROF_SITE(literal);        \
        struct infprof_scope INFPROF_PASTE(infprof_scope_, n)(&INFPROF_PASTE(infprof_site_, n))
#else
#define INFPROF_SCOPE_AT(literal, n)                                                               \
        static struct infprof_site INFPROF_PASTE(infprof_site_, n) = INFPROF_SITE(literal);        \
        struct infprof_site *INFPROF_PASTE(infprof_scope_, n)                                      \
                __attribute__((cleanup(infprof_scope_end), unused)) =                              \
                        infprof_scope_begin(&INFPROF_PASTE(infprof_site_, n))
#endif
#define INFPROF_SCOPE(name) INFPROF_SCOPE_AT(name, __COUNTER__)

#define infprof_begin(name)                                                                        \
        __extension__({                                                                            \
                static struct infprof_site infprof_here = INFPROF_SITE(name);                      \
                (void)infprof_scope_begin(&infprof_here);                                          \
        })
#define infprof_end(name)                                                                          \
        __extension__({                                                                            \
                INFPROF_PROBE(end, name);                                                          \
                INFPROF_AT_SITE(infprof_site_end, name, (&infprof_here));                          \
        })
#define infprof_count(name, n)      INFPROF_AT_SITE(infprof_site_count, name, (&infprof_here, (n)))
#define infprof_phase(name)         INFPROF_CALL(infprof_phase, (name))
#define infprof_result(ok)          INFPROF_CALL(infprof_result, (ok))
#define infprof_text(text)          INFPROF_CALL(infprof_text, (text))
#define infprof_mark(name)          INFPROF_CALL(infprof_mark, (name))
#define infprof_tile_begin(l, r, c) INFPROF_CALL(infprof_tile_begin, (l, r, c))
#define infprof_tile_end(e, f)      INFPROF_CALL(infprof_tile_end, (e, f))

#else /* INFPROF_OFF, or a compiler that cannot */

#define INFPROF_SCOPE(name)          ((void)0)
#define infprof_begin(name)          ((void)(name))
#define infprof_end(name)            ((void)(name))
#define infprof_begin_named(name)    ((void)(name))
#define infprof_end_named(name)      ((void)(name))
#define infprof_count(name, n)       ((void)(name), (void)(n))
#define infprof_count_named(name, n) ((void)(name), (void)(n))
#define infprof_phase(name)          ((void)(name))
#define infprof_result(ok)           ((void)(ok))
#define infprof_text(text)           ((void)(text))
#define infprof_mark(name)           ((void)(name))
#define infprof_tile_begin(l, r, c)  ((void)(l), (void)(r), (void)(c))
#define infprof_tile_end(e, f)       ((void)(e), (void)(f))

#endif

#endif
