/* SPDX-License-Identifier: MIT */
/*
 * The symboliser as the daemon asks it: about this very process, about what is not the file it was,
 * and about files that stop or kill whoever reads them.
 */
#include "daemon/symboliser.h"

#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/clock.h"
#include "skip.h"

#define LONG_US 10000000u

static char folder[] = "/tmp/infprof-test-symboliser-XXXXXX";
static char self[4096], map_path[64];
static uint64_t base;

__attribute__((noinline)) uint64_t a_function(int x);
uint64_t a_function(int x)
{
        return (uint64_t)(uintptr_t)__builtin_return_address(0) + (uint64_t)x;
}

/* Of its first byte but one: within it however short. */
static uint64_t within(void)
{
        return (uint64_t)(uintptr_t)a_function + 1;
}

static int find_base(struct dl_phdr_info *info, size_t size, void *arg)
{
        (void)size;
        *(uint64_t *)arg = info->dlpi_addr;
        return 1; /* the first is the program */
}

static int begin(void **state)
{
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        (void)state;
        dl_iterate_phdr(find_base, &base);
        snprintf(map_path, sizeof(map_path), "/tmp/perf-%d.map", (int)getpid());
        return n > 0 && mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
        char command[128];

        (void)state;
        symboliser_close();
        unlink(map_path);
        snprintf(command, sizeof(command), "rm -r %s", folder);
        return system(command) ? -1 : 0;
}

/* The name of the function with code of its own, kept until the next question; NULL: unknown. */
static const char *name_of(const struct symboliser_question *q, char *library, size_t size)
{
        static char name[4096];
        struct symbol s[SYMBOL_MOST];
        char *where;
        uint32_t n;
        uint64_t until = clock_mono_ns() + 20000000000ull;
        int r;

        do /* it rests when it was killed too often */
                r = symboliser_find(q, LONG_US, s, &n, &where);
        while (r == SYMBOL_E_LATER && clock_mono_ns() < until);
        assert_int_not_equal(r, SYMBOL_E_LATER);
        assert_true(r >= 0);
        if (library)
                snprintf(library, size, "%s", where ? where : "");
        free(where);
        if (r)
                return NULL;
        assert_true(n > 0 && n <= SYMBOL_MOST);
        snprintf(name, sizeof(name), "%s", s[n - 1].function ? s[n - 1].function : "");
        symbols_done(s, n);
        return name;
}

static struct symboliser_question about_us(const char *path)
{
        return (struct symboliser_question){
                .path = path, .address = within(), .base = base, .pid = getpid()};
}

static void assert_works(void)
{
        struct symboliser_question q = about_us(self);

        assert_string_equal(name_of(&q, NULL, 0), "a_function");
}

static bool shell(const char *commands)
{
        char line[9000];

        snprintf(line, sizeof(line), "cd %s && { %s; } 2>/dev/null", folder, commands);
        return system(line) == 0;
}

static void a_path(char ret[128], const char *name)
{
        snprintf(ret, 128, "%s/%s", folder, name);
}

static void copy_of_self(char ret[128], const char *name)
{
        char command[8192];

        a_path(ret, name);
        snprintf(command, sizeof(command), "cp '%s' %s", self, name);
        assert_true(shell(command));
}

static void this_process(void **state)
{
        (void)state;
        assert_works();
        assert_works();
}

static void another_file_than_was_loaded(void **state)
{
        struct symboliser_question q = about_us("/bin/sh");
        char path[128];

        (void)state;
        assert_null(name_of(&q, NULL, 0));
        copy_of_self(path, "same");
        q.path = path; /* another file, but the same program */
        assert_string_equal(name_of(&q, NULL, 0), "a_function");
        q.base += 4096; /* what lies there is not the beginning of it */
        q.address += 4096;
        assert_null(name_of(&q, NULL, 0));
        q.pid = 0; /* nobody is there to be asked */
        assert_string_equal(name_of(&q, NULL, 0), "a_function");
}

static void an_object_nobody_spoke_of(void **state)
{
        struct symboliser_question q = about_us(NULL);
        char library[4096];

        (void)state;
        assert_null(name_of(&q, library, sizeof(library)));
        q.is_now = true;
        assert_string_equal(name_of(&q, library, sizeof(library)), "a_function");
        assert_string_equal(library, self);
        q.address = (uint64_t)(uintptr_t)&q; /* no code */
        assert_null(name_of(&q, library, sizeof(library)));
}

static void the_kernels_own_library(void **state)
{
        uint64_t vdso = getauxval(AT_SYSINFO_EHDR);
        struct symboliser_question q = {.path = "linux-vdso.so.1", .base = vdso, .pid = getpid()};
        char library[4096];
        uint32_t found = 0;

        (void)state;
        if (!vdso)
                SKIP_HERE("no vdso here");
        for (uint64_t at = 0; at < 8192 && !found; at += 16) {
                const char *name;

                q.address = vdso + at;
                name = name_of(&q, NULL, 0);
                found += name && strstr(name, "clock_gettime");
        }
        assert_int_equal(found, 1);
        q.path = NULL;
        q.is_now = true;
        assert_non_null(strstr(name_of(&q, library, sizeof(library)), "clock_gettime"));
        assert_string_equal(library, "[vdso]");
}

static void generated_code(void **state)
{
        void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct symboliser_question q = {.address = (uint64_t)(uintptr_t)code + 20,
                                        .pid = getpid(),
                                        .started_ns = clock_real_ns() - 60000000000ull,
                                        .is_now = true};
        FILE *f = fopen(map_path, "w");
        char library[4096];

        (void)state;
        assert_non_null(f);
        fprintf(f, "%llx 40 LazyCompile:~churn /a b.js:3\n", (unsigned long long)(uintptr_t)code);
        fclose(f);
        symboliser_close(); /* what it may know of the list */
        assert_string_equal(name_of(&q, library, sizeof(library)), "LazyCompile:~churn /a b.js:3");
        assert_string_equal(library, "");
        f = fopen(map_path, "a"); /* more of it is told at the end */
        assert_non_null(f);
        fprintf(f, "%llx 40 late\n", (unsigned long long)(uintptr_t)code + 0x100);
        fclose(f);
        q.address += 0x100;
        assert_null(name_of(&q, library, sizeof(library)));
        q.is_over = true;
        assert_string_equal(name_of(&q, library, sizeof(library)), "late");
        symboliser_close();
        q.started_ns += 120000000000ull; /* then the list is another process's */
        assert_null(name_of(&q, library, sizeof(library)));
}

/* As a compiler does to a library that is in use; but with its time put back. */
static void a_file_that_is_cut_while_it_is_read(void **state)
{
        struct symboliser_question q;
        char path[128];

        (void)state;
        copy_of_self(path, "cut");
        q = about_us(path);
        assert_string_equal(name_of(&q, NULL, 0), "a_function");
        assert_true(shell("touch -r cut as && : >cut && touch -r as cut"));
        for (uint64_t i = 1; i < 64; i++) { /* until a page is touched that is not there */
                q.address = base + i * 64;
                (void)name_of(&q, NULL, 0);
        }
        q.address = within();
        assert_null(name_of(&q, NULL, 0));
        assert_works();
}

static void a_pipe_for_debug_information(void **state)
{
        struct symboliser_question q;
        struct symbol s[SYMBOL_MOST];
        uint64_t began;
        char path[128], *library;
        uint32_t n;

        (void)state;
        copy_of_self(path, "piped");
        if (!shell("echo x >pipe && objcopy --strip-all --remove-section=.note.gnu.build-id "
                   "--add-gnu-debuglink=pipe piped && rm pipe && mkfifo pipe"))
                SKIP_HERE("no objcopy here");
        q = about_us(path);
        q.pid = 0;
        began = clock_mono_ns();
        assert_int_equal(symboliser_find(&q, 100000, s, &n, &library), SYMBOL_E_LATER);
        assert_int_equal(symboliser_find(&q, 0, s, &n, &library), SYMBOL_E_LATER);
        assert_true(clock_mono_ns() - began < 5000000000ull);
        symboliser_close();
        assert_works();
}

/* Our only child. */
static void kill_it(void)
{
        char path[64];
        FILE *f;
        int pid = 0;

        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
        f = fopen(path, "r");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%d", &pid), 1);
        fclose(f);
        assert_int_equal(kill(pid, SIGKILL), 0);
}

static void it_is_killed(void **state)
{
        (void)state;
        assert_works();
        for (int i = 0; i < 2; i++) {
                kill_it();
                assert_works();
        }
}

static void many_questions(void **state)
{
        struct symboliser_question q = about_us(self);
        uint64_t began = clock_mono_ns();
        uint32_t named = 0;

        (void)state;
        for (uint32_t i = 0; i < 2000; i++) {
                q.address = within() - 4096 + 7 * (i % 1200);
                named += name_of(&q, NULL, 0) != NULL;
        }
        print_message("# %.1f us a question\n", (double)(clock_mono_ns() - began) / 2000e3);
        assert_true(named > 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(this_process),
                cmocka_unit_test(another_file_than_was_loaded),
                cmocka_unit_test(an_object_nobody_spoke_of),
                cmocka_unit_test(the_kernels_own_library),
                cmocka_unit_test(generated_code),
                cmocka_unit_test(a_file_that_is_cut_while_it_is_read),
                cmocka_unit_test(a_pipe_for_debug_information),
                cmocka_unit_test(it_is_killed),
                cmocka_unit_test(many_questions),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
