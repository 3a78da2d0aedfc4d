/* SPDX-License-Identifier: MIT */
/* daemon/outside*.c: what /proc says, as it was said by several kernels and by the malicious. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/runfile.h"
#include "daemon/clock.h"
#include "daemon/outside.h"

#define KIB    1024ull
#define MIB    (1024 * KIB)
#define SECOND 1000000000ull
#define NOT    RUNFILE_NOT_TOLD

static const char rollup[] = "562b25536000-7ffea90ce000 ---p 00000000 00:00 0    [rollup]\n"
                             "Rss:               10000 kB\n"
                             "Pss:                6000 kB\n"
                             "Pss_Dirty:           112 kB\n"
                             "Pss_Anon:            112 kB\n"
                             "Pss_File:             91 kB\n"
                             "Pss_Shmem:            40 kB\n"
                             "Anonymous:          3000 kB\n"
                             "LazyFree:              0 kB\n"
                             "AnonHugePages:      2048 kB\n"
                             "ShmemPmdMapped:     4096 kB\n"
                             "FilePmdMapped:         0 kB\n"
                             "Shared_Hugetlb:        0 kB\n"
                             "Private_Hugetlb:    1024 kB\n"
                             "Swap:                 12 kB\n"
                             "SwapPss:               4 kB\n";
static const char status[] = "Name:\tVmRSS: 1 kB\n"
                             "VmRSS:\t    9000 kB\n"
                             "RssAnon:\t    2500 kB\n"
                             "RssFile:\t    6420 kB\n"
                             "RssShmem:\t      80 kB\n"
                             "VmSwap:\t      16 kB\n";

static void assert_look(struct outside_look got, struct outside_look wanted)
{
        assert_int_equal(got.rss, wanted.rss);
        assert_int_equal(got.pss, wanted.pss);
        assert_int_equal(got.anonymous, wanted.anonymous);
        assert_int_equal(got.file, wanted.file);
        assert_int_equal(got.huge, wanted.huge);
        assert_int_equal(got.swap, wanted.swap);
}

static void rollup_is_read(void **state)
{
        assert_look(outside_parse(rollup, status),
                    (struct outside_look){10000 * KIB, 6000 * KIB, 3000 * KIB, 6920 * KIB,
                                          7168 * KIB, 12 * KIB});
}

static void what_is_denied_is_not_told(void **state)
{
        assert_look(outside_parse(NULL, status),
                    (struct outside_look){9000 * KIB, NOT, 2500 * KIB, 6420 * KIB, NOT, 16 * KIB});
        assert_look(outside_parse(NULL, NULL), (struct outside_look){NOT, NOT, NOT, NOT, NOT, NOT});
        /* no shared memory is told: of files only if there is none */
        assert_int_equal(outside_parse(rollup, NULL).file, NOT);
        assert_int_equal(outside_parse("Rss: 9 kB\nAnonymous: 2 kB\nPss_Shmem: 0 kB", NULL).file,
                         7 * KIB);
        /* of two instants: not below 0 */
        assert_int_equal(outside_parse("Rss: 9 kB\nAnonymous: 8 kB\n", "RssShmem: 5 kB\n").file, 0);
        /* not a number that anything can hold */
        assert_int_equal(outside_parse("Rss: 99999999999999999999999 kB\n", NULL).rss, NOT);
        assert_int_equal(outside_parse("Rss:\nPss", NULL).rss, NOT);
}

static void faults_whatever_the_name(void **state)
{
        uint64_t minor, major, start;

        assert_true(outside_parse_stat("12 (a) R 1 (b) S 1 2 3 4 -1 4194304 111 222 33 444 5 6 7 8 "
                                       "20 0 1 0 987654 1000 200",
                                       &minor, &major, &start));
        assert_int_equal(minor, 111);
        assert_int_equal(major, 33);
        assert_int_equal(start, 987654);
        assert_false(outside_parse_stat("", &minor, &major, &start));
        assert_false(outside_parse_stat("12 (a", &minor, &major, &start));
        assert_false(outside_parse_stat("12 (a) R 1 2 3", &minor, &major, &start));
}

static bool parses(const char *text, struct outside_mapping *ret)
{
        static char line[512];

        snprintf(line, sizeof(line), "%s", text);
        return outside_parse_mapping(line, ret);
}

static void lines_of_maps(void **state)
{
        struct outside_mapping m;

        assert_true(parses("7f00-8f00 r-xp 00001000 fe:1a 247134   /a b/c \n", &m));
        assert_int_equal(m.start, 0x7f00);
        assert_int_equal(m.end, 0x8f00);
        assert_int_equal(m.offset, 0x1000);
        assert_int_equal(m.device, 0xfe0000001aull);
        assert_int_equal(m.inode, 247134);
        assert_true(m.code);
        assert_string_equal(m.path, "/a b/c ");
        assert_true(parses("1-2 r--p 0 0:1 2 /x", &m));
        assert_false(m.code);
        assert_false(parses("7f00-8f00 rw-p 00000000 00:00 0 \n", &m));
        assert_false(parses("7f00-8f00 rw-p 00000000 00:00 0\n", &m));
        assert_false(parses("7f00-8f00 rw-p 00000000 00:00 0    [anon:/x.gguf]\n", &m));
        assert_false(parses("8f00-7f00 r--p 0 0:1 2 /x", &m));
        assert_false(parses("7f00-8f00 r--p ffffffffffffffff 0:1 2 /x", &m));
        assert_false(parses("", &m));
        assert_false(parses("/x.gguf", &m));
}

static void models_and_libraries_by_name(void **state)
{
        assert_true(outside_is_model("/m/x.gguf"));
        assert_true(outside_is_model("/m/x.GGUF (deleted)"));
        assert_true(outside_is_model("/m/x.safetensors"));
        assert_true(outside_is_model("/m/pytorch_model.bin"));
        assert_false(outside_is_model("/m/x.gguf.txt"));
        assert_false(outside_is_model("/m/gguf"));
        assert_true(outside_is_library("/usr/lib/libx.so"));
        assert_true(outside_is_library("/usr/lib/libx.so.1.2"));
        assert_true(outside_is_library("/usr/lib/libx.so (deleted)"));
        assert_false(outside_is_library("/usr/lib.so/model"));
        assert_false(outside_is_library("/m/x.sort"));
        assert_false(outside_is_library("/m/x.gguf"));
}

static void read_files(struct outside *o, const char *maps, const char *numa)
{
        FILE *a = fmemopen((void *)(uintptr_t)maps, strlen(maps), "r");
        FILE *b = numa ? fmemopen((void *)(uintptr_t)numa, strlen(numa), "r") : NULL;

        outside_read_files(o, a, b);
        fclose(a);
        if (b)
                fclose(b);
}

static const char maps[] = "10000000-11000000 r--s 00000000 fe:00 10 /m/large\n"
                           "11000000-11001000 r--s 01000000 fe:00 10 /m/large\n"
                           "20000000-20001000 r--p 00000000 fe:00 11 /m/small.gguf\n"
                           "20001000-20002000 r--p 00000000 fe:01 11 /m/small.txt\n"
                           "30000000-32000000 r--p 00000000 fe:00 12 /l/libbig.so.1\n"
                           "40000000-42000000 rw-s 00000000 00:01 13 /memfd:infprof (deleted)\n"
                           "50000000-52000000 rw-s 00000000 00:06 14 /dev/nvidia0\n"
                           "60000000-60001000 r--p 00000000 fe:00 15 /b/engine\n"
                           "60001000-62000000 r-xp 00001000 fe:00 15 /b/engine\n"
                           "70000000-72000000 r--p 00000000 fe:00 16 /m/new\\012line (deleted)\n"
                           "80000000-80001000 r--p 10000000 fe:00 17 /m/window\n"
                           "90000000-90001000 rw-p 00000000 00:00 0 [heap]\n";

static void large_files_and_models_are_kept(void **state)
{
        struct outside o;

        outside_init(&o, 0);
        read_files(&o, maps, NULL);
        assert_int_equal(o.n_files, 4);
        assert_string_equal(o.files[0].path, "/m/large");
        assert_int_equal(o.files[0].mapped_bytes, 16 * MIB + 4 * KIB);
        assert_int_equal(o.files[0].size, 16 * MIB + 4 * KIB);
        assert_int_equal(o.files[0].resident_bytes, NOT);
        assert_string_equal(o.files[1].path, "/m/small.gguf");
        assert_string_equal(o.files[2].path, "/m/new?line (deleted)");
        assert_string_equal(o.files[2].raw, "/m/new\nline (deleted)");
        assert_string_equal(o.files[3].path, "/m/window");
        assert_int_equal(o.files[3].mapped_bytes, 4 * KIB);
        assert_int_equal(o.files[3].size, 256 * MIB + 4 * KIB);
        assert_null(o.files[0].nodes);
        assert_true(o.files_changed);
        outside_done(&o);
}

static void what_is_gone_stays_as_it_was(void **state)
{
        struct outside o;

        outside_init(&o, 0);
        read_files(&o, maps, NULL);
        o.files_changed = false;
        o.files[0].written = o.files[1].written = true;
        read_files(&o, "20000000-20002000 r--p 00000000 fe:00 11 /m/small.gguf\n", NULL);
        assert_int_equal(o.n_files, 4);
        assert_false(o.files[0].mapped);
        assert_true(o.files[0].written);
        assert_int_equal(o.files[0].mapped_bytes, 16 * MIB + 4 * KIB);
        assert_true(o.files[1].mapped);
        assert_false(o.files[1].written);
        assert_int_equal(o.files[1].mapped_bytes, 8 * KIB);
        assert_true(o.files_changed);
        outside_done(&o);
}

static void pages_by_node(void **state)
{
        static const char numa[] =
                "10000000 default file=/m/large mapped=4097 active=0 N0=4000 N1=96 "
                "kernelpagesize_kB=4\n"
                "11000000 default file=/m/large mapped=1 N1=1 kernelpagesize_kB=4\n"
                "20000000 default file=/m/small.gguf\n"
                "70000000 bind:0 file=/m/new\\012N1\\0757\\040(deleted) mapped=2 N70=1 N10=2\n"
                "12345 default file=/other N0=5\n"
                "nonsense\n";
        struct outside o;

        outside_init(&o, 0);
        read_files(&o, maps, numa);
        assert_string_equal(o.files[0].nodes, "N0=4000 N1=97");
        assert_null(o.files[1].nodes);
        assert_string_equal(o.files[2].nodes, "N10=2");
        o.files[0].written = true;
        read_files(&o, maps, NULL); /* not asked this time: stays */
        assert_string_equal(o.files[0].nodes, "N0=4000 N1=97");
        assert_true(o.files[0].written);
        outside_done(&o);
}

static void too_many_are_left_out(void **state)
{
        struct outside o;
        char *text;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        for (unsigned int i = 0; i < 3000; i++)
                fprintf(f, "%x000-%x000 r--p 00000000 fe:00 %u /m/%u.gguf\n", i + 1, i + 2, i + 1,
                        i);
        fclose(f);
        outside_init(&o, 0);
        read_files(&o, text, NULL);
        assert_int_equal(o.n_files, OUTSIDE_MOST_FILES);
        outside_done(&o);
        free(text);
}

/* ---- this process itself ---- */

static void the_first_look_comes_soon_and_the_next_after_a_second(void **state)
{
        struct outside o;
        struct outside_look l = {0}, again;

        outside_init(&o, SECOND);
        assert_false(outside_look(&o, getpid(), SECOND, &l));
        assert_false(outside_look(&o, getpid(), SECOND + SECOND / 20, &l));
        o.quiet_until_ns = 0;
        assert_true(outside_look(&o, getpid(), SECOND + SECOND / 5, &l));
        assert_true(l.rss > MIB && l.rss < 1024 * MIB);
        assert_true(l.anonymous <= l.rss && l.anonymous > 0);
        assert_true(l.minor_faults > 0 && l.minor_faults != NOT);
        o.quiet_until_ns = 0;
        o.last.rss = 1;
        assert_true(outside_look(&o, getpid(), SECOND * 2, &again));
        assert_int_equal(again.rss, 1); /* the same one */
        assert_true(outside_look(&o, getpid(), SECOND * 3, &again));
        assert_true(again.rss > MIB);
        outside_done(&o);
}

static void a_look_that_is_dear_is_rare(void **state)
{
        struct outside o;
        struct outside_look l;
        uint64_t now = clock_mono_ns();

        outside_init(&o, now - SECOND);
        assert_true(outside_look(&o, getpid(), now, &l));
        assert_true(o.quiet_until_ns > now);
        o.quiet_until_ns = now + 10 * SECOND;
        o.last.rss = 1;
        assert_true(outside_look(&o, getpid(), now + 9 * SECOND, &l));
        assert_int_equal(l.rss, 1);
        outside_done(&o);
}

static void another_process_of_that_number_is_not_it(void **state)
{
        struct outside o;
        struct outside_look l;
        uint64_t now = clock_mono_ns();

        outside_init(&o, now - SECOND);
        o.start = 1; /* a hundredth of a second after the machine */
        assert_false(outside_look(&o, getpid(), now, &l));
        outside_done(&o);
}

/* Goes on until a pass is through. */
static void take_all(struct outside *o, uint64_t now)
{
        o->due_files_ns = o->quiet_until_ns = 0;
        for (int i = 0; i < 1000 && (!i || o->pass.goes_on); i++) {
                outside_take(o, getpid(), now);
                o->pass.next_ns = 0;
        }
        assert_false(o->pass.goes_on);
        assert_int_equal(o->pass.fd, -1);
}

static struct outside_file *find(struct outside *o, const char *path)
{
        for (uint32_t i = 0; i < o->n_files; i++)
                if (!strcmp(o->files[i].path, path))
                        return &o->files[i];
        return NULL;
}

static void pages_of_a_file_are_counted(void **state)
{
        char dir[] = "/tmp/infprof-outside-XXXXXX", path[64];
        struct outside o;
        struct outside_file *f;
        char *p;
        int fd;

        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/model", dir);
        fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        assert_int_equal(ftruncate(fd, 80 * MIB + 100), 0);
        p = mmap(NULL, 80 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_ptr_not_equal(p, MAP_FAILED);
        for (uint64_t at = 60 * MIB; at < 80 * MIB; at += 4096) /* over the edge of a chunk */
                p[at] = 1;
        outside_init(&o, 0);
        take_all(&o, SECOND);
        f = find(&o, path);
        assert_non_null(f);
        assert_int_equal(f->size, 80 * MIB + 100);
        assert_int_equal(f->mapped_bytes, 80 * MIB);
        assert_in_range(f->resident_bytes, 20 * MIB, 40 * MIB);

        /* another file is at that path now */
        f->written = true;
        unlink(path);
        close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        take_all(&o, 2 * SECOND);
        assert_int_equal(f->resident_bytes, NOT);
        assert_int_equal(f->size, 80 * MIB + 100);
        assert_false(f->written);
        munmap(p, 80 * MIB);
        close(fd);
        outside_done(&o);
        unlink(path);
        rmdir(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rollup_is_read),
                cmocka_unit_test(what_is_denied_is_not_told),
                cmocka_unit_test(faults_whatever_the_name),
                cmocka_unit_test(lines_of_maps),
                cmocka_unit_test(models_and_libraries_by_name),
                cmocka_unit_test(large_files_and_models_are_kept),
                cmocka_unit_test(what_is_gone_stays_as_it_was),
                cmocka_unit_test(pages_by_node),
                cmocka_unit_test(too_many_are_left_out),
                cmocka_unit_test(the_first_look_comes_soon_and_the_next_after_a_second),
                cmocka_unit_test(a_look_that_is_dear_is_rare),
                cmocka_unit_test(another_process_of_that_number_is_not_it),
                cmocka_unit_test(pages_of_a_file_are_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
