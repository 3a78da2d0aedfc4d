/* SPDX-License-Identifier: MIT */
/*
 * Names, inlined functions and lines of this very program, as it was linked and with its symbols
 * taken elsewhere: into a file beside it, compressed into a section of its own, or away.
 */
#include "daemon/symbol.h"

#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/perf-map.h"
#include "skip.h"

static char folder[] = "/tmp/infprof-test-symbol-XXXXXX";
static char self[4096];
static uint64_t address; /* as linked, within innermost */

static volatile int zero;

/* Returns the address of an instruction of its own, in whatever it was inlined into. */
static inline __attribute__((always_inline)) uint64_t innermost(int x)
{
        uint64_t here;

        zero += x;
        __asm__ volatile("lea 0(%%rip), %0" : "=r"(here));
        zero -= x;
        return here;
}

static inline __attribute__((always_inline)) uint64_t middle(int x)
{
        return innermost(x + 1);
}

__attribute__((noinline)) uint64_t outermost_function(int x);
uint64_t outermost_function(int x)
{
        uint64_t here = middle(x * 2);

        zero += x;
        return here;
}

static int find_base(struct dl_phdr_info *info, size_t size, void *arg)
{
        (void)size;
        *(uint64_t *)arg = info->dlpi_addr;
        return 1; /* the first is the program */
}

static int begin(void **state)
{
        uint64_t base = 0;
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        (void)state;
        dl_iterate_phdr(find_base, &base);
        address = outermost_function(1) - base;
        return n > 0 && mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
        char command[128];

        (void)state;
        symbols_forget();
        snprintf(command, sizeof(command), "rm -r %s", folder);
        return system(command) ? -1 : 0;
}

/* The program in the folder, after what the shell did to it; false: a tool is missing. */
static bool made(const char *name, const char *commands, char path[128])
{
        char line[8192];

        snprintf(path, 128, "%s/%s", folder, name);
        snprintf(line, sizeof(line), "cd %s && cp '%s' %s && { %s; } 2>/dev/null", folder, self,
                 name, commands);
        return system(line) == 0;
}

static void assert_inlined(const char *path)
{
        struct symbol s[SYMBOL_MOST];
        uint32_t n = 0;

        assert_int_equal(symbols_find(path, address, s, &n), 0);
        assert_int_equal(n, 3);
        assert_string_equal(s[0].function, "innermost");
        assert_string_equal(s[1].function, "middle");
        assert_string_equal(s[2].function, "outermost_function");
        assert_true(s[0].inlined && s[1].inlined && !s[2].inlined);
        for (int i = 0; i < 3; i++) {
                assert_non_null(s[i].file);
                assert_non_null(strstr(s[i].file, "test-symbol.c"));
        }
        assert_true(s[0].line < s[1].line && s[1].line < s[2].line && s[0].line > 20);
        assert_true(s[2].offset > 0 && s[2].offset < 200);
        symbols_done(s, n);
}

static void assert_name_only(const char *path, const char *name)
{
        struct symbol s[SYMBOL_MOST];
        uint32_t n = 0;

        assert_int_equal(symbols_find(path, address, s, &n), 0);
        assert_int_equal(n, 1);
        assert_string_equal(s[0].function, name);
        assert_null(s[0].file);
        symbols_done(s, n);
}

static void as_it_is_linked(void **state)
{
        (void)state;
        assert_inlined(self);
        assert_inlined(self); /* again, from the file kept open */
}

static void with_its_debug_information_beside_it(void **state)
{
        char path[128];

        (void)state;
        if (!made("linked",
                  "objcopy --only-keep-debug linked linked.debug && strip linked && "
                  "objcopy --remove-section=.note.gnu.build-id --add-gnu-debuglink=linked.debug "
                  "linked",
                  path))
                SKIP_HERE("no objcopy here");
        assert_inlined(path);
}

/* As distributions do it: the table of symbols, compressed, in a section. */
static void with_its_symbols_in_a_section(void **state)
{
        char path[128];

        (void)state;
        if (!made("mini",
                  "objcopy -S --remove-section .comment mini table && "
                  "nm mini --format=posix --defined-only | awk '{print $1}' >keep && "
                  "objcopy --only-keep-debug mini full && "
                  "objcopy -S --keep-symbols=keep full table && xz table && strip mini && "
                  "objcopy --add-section .gnu_debugdata=table.xz mini",
                  path))
                SKIP_HERE("no objcopy or xz here");
        assert_name_only(path, "outermost_function");
}

static void without_debug_information(void **state)
{
        char path[128];

        (void)state;
        if (!made("plain", "strip -g plain", path))
                SKIP_HERE("no strip here");
        assert_name_only(path, "outermost_function");
}

/* Symbols as C++ and both schemes of Rust write them. */
static void mangled(void **state)
{
        static const char *const pairs[][2] = {
                {"_ZN3foo3barEi", "foo::bar(int)"},
                {"_ZN3foo3bar17h0123456789abcdefE", "foo::bar"},
                {"_RNvC6_123foo3bar", "123foo::bar"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
                char commands[256], path[128];

                snprintf(commands, sizeof(commands),
                         "objcopy -g --redefine-sym outermost_function=%s mangled", pairs[i][0]);
                if (!made("mangled", commands, path))
                        SKIP_HERE("no objcopy here");
                assert_name_only(path, pairs[i][1]);
        }
}

static void stripped(void **state)
{
        struct symbol s[SYMBOL_MOST];
        char path[128];
        uint32_t n = 0;

        (void)state;
        if (!made("bare", "strip bare", path))
                SKIP_HERE("no strip here");
        assert_int_equal(symbols_find(path, address, s, &n), SYMBOL_E_UNKNOWN);
        assert_int_equal(n, 0);
}

static void what_is_no_program(void **state)
{
        struct symbol s[SYMBOL_MOST];
        uint32_t n = 0;
        char path[128];
        FILE *f;

        (void)state;
        assert_int_equal(symbols_find("/nowhere", 1, s, &n), SYMBOL_E_UNKNOWN);
        assert_int_equal(symbols_find("/dev/zero", 1, s, &n), SYMBOL_E_UNKNOWN);
        assert_int_equal(symbols_find(folder, 1, s, &n), SYMBOL_E_UNKNOWN);
        snprintf(path, sizeof(path), "%s/fifo", folder);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(symbols_find(path, 1, s, &n), SYMBOL_E_UNKNOWN);
        snprintf(path, sizeof(path), "%s/text", folder);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs("\177ELF\2\1\1 and no more", f);
        fclose(f);
        assert_int_equal(symbols_find(path, 1, s, &n), SYMBOL_E_UNKNOWN);
        for (uint64_t a = 0; a < 100; a++)
                assert_int_equal(symbols_find(self, UINT64_MAX - a * 4096, s, &n),
                                 SYMBOL_E_UNKNOWN);
}

static void code_that_was_generated(void **state)
{
        char text[] = "1000 20 first\n2000 10 old\n2000 10 LazyCompile:~churn /a b.js:3\nzz 1 bad\n"
                      "3000 0 empty\nffffffffffffffff 10 beyond\n4000 10 not whole";
        struct perf_map *m = perf_map_new(-1, 0);
        uint64_t start = 0;
        char *name = NULL;

        (void)state;
        assert_non_null(m);
        perf_map_parse(m, text);
        assert_true(perf_map_find(m, 0x101f, false, &name, &start));
        assert_string_equal(name, "first");
        assert_int_equal(start, 0x1000);
        free(name);
        assert_true(perf_map_find(m, 0x2000, false, &name, &start));
        assert_string_equal(name, "LazyCompile:~churn /a b.js:3");
        free(name);
        assert_false(perf_map_find(m, 0x1020, false, &name, &start));
        assert_false(perf_map_find(m, 0xfff, false, &name, &start));
        assert_false(perf_map_find(m, 0x3000, false, &name, &start));
        assert_false(perf_map_find(m, 0x4000, false, &name, &start));
        perf_map_free(m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(as_it_is_linked),
                cmocka_unit_test(with_its_debug_information_beside_it),
                cmocka_unit_test(with_its_symbols_in_a_section),
                cmocka_unit_test(without_debug_information),
                cmocka_unit_test(mangled),
                cmocka_unit_test(stripped),
                cmocka_unit_test(what_is_no_program),
                cmocka_unit_test(code_that_was_generated),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
