/* SPDX-License-Identifier: MIT */
/* daemon/segment.c: what is taken for a segment, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/segment.h"
#include "fake-segment.h"

static void a_good_one_is_taken(void **state)
{
        struct segment s;
        struct fake f;
        const char *why = NULL;

        fake_new(&f, 4);
        assert_int_equal(segment_open(&s, dup(f.fd), &why), 0);
        assert_int_equal(s.bytes, ifp_segment_bytes(4));
        assert_int_equal(s.header.pid, getpid());
        assert_int_equal(s.map->live.n_ops, IFP_OP_FIRST);
        segment_close(&s);
        segment_close(&s);
        fake_free(&f);
}

#define SPOILED(spoil)                                                                             \
        do {                                                                                       \
                struct segment s_;                                                                 \
                struct fake f;                                                                     \
                const char *why = NULL;                                                            \
                                                                                                   \
                fake_new(&f, 4);                                                                   \
                spoil;                                                                             \
                assert_int_equal(segment_open(&s_, f.fd, &why), SEGMENT_E_BAD);                    \
                assert_non_null(why);                                                              \
                fake_free(&f);                                                                     \
        } while (0)

static void headers_that_lie_are_refused(void **state)
{
        SPOILED(f.seg->header.magic ^= 1);
        SPOILED(f.seg->header.abi = 0);
        SPOILED(f.seg->header.compat = IFP_ABI_VERSION + 1);
        SPOILED(f.seg->header.record_bytes = 16);
        SPOILED(f.seg->header.ring_slots *= 2);
        SPOILED(f.seg->header.max_ops = UINT32_MAX);
        SPOILED(f.seg->header.lane_bytes = 64);
        SPOILED(f.seg->header.lanes_offset = 0);
        SPOILED(f.seg->header.n_lanes = 0);
        SPOILED(f.seg->header.n_lanes = IFP_MAX_LANES + 1);
        SPOILED(f.seg->header.n_lanes = UINT32_MAX);
        SPOILED(f.seg->header.n_lanes = 5);
        SPOILED((f.seg->header.n_lanes = 5, f.seg->header.segment_bytes = ifp_segment_bytes(5)));
        SPOILED(f.seg->header.segment_bytes = 0);
        SPOILED(f.seg->header.segment_bytes = UINT64_MAX);
        SPOILED(f.seg->header.ticks_per_second = 0);
        SPOILED(f.seg->header.ticks_per_second = UINT64_MAX);
}

static int memfd(off_t size, int seals)
{
        int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_int_equal(ftruncate(fd, size), 0);
        if (seals)
                assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
        return fd;
}

static void refuse(int fd)
{
        struct segment s;
        const char *why = NULL;

        assert_true(fd >= 0);
        assert_int_equal(segment_open(&s, fd, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        close(fd);
}

static void other_descriptors_are_refused(void **state)
{
        int pair[2];

        assert_int_equal(pipe(pair), 0);
        refuse(pair[0]);
        close(pair[1]);
        refuse(open("/dev/null", O_RDWR));
        refuse(open("/proc/self/exe", O_RDONLY));
        refuse(memfd(0, F_SEAL_SHRINK));
        refuse(memfd(4096, F_SEAL_SHRINK));
        refuse(memfd((off_t)ifp_segment_bytes(4), 0)); /* could be cut short under our hands */
        refuse(memfd((off_t)ifp_segment_bytes(4), F_SEAL_SHRINK | F_SEAL_GROW));
}

static void one_that_cannot_be_written_is_refused(void **state)
{
        struct segment s;
        struct fake f;
        const char *why = NULL;
        char path[64];
        int fd;

        fake_new(&f, 2);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", f.fd);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_true(segment_open(&s, fd, &why) != 0);
        close(fd);
        fake_free(&f);
}

static void counts_are_held_against_the_tables(void **state)
{
        struct segment_counts counts = {0};
        struct segment s;
        struct fake f;
        const char *why = NULL;

        fake_new(&f, 4);
        assert_int_equal(segment_open(&s, dup(f.fd), &why), 0);
        assert_int_equal(segment_count(&s, &counts, &why), 0);
        fake_op(&f, "one", IFP_KIND_KERNEL);
        assert_int_equal(segment_count(&s, &counts, &why), 0);
        assert_int_equal(counts.n_ops, IFP_OP_FIRST + 1);

        f.seg->live.n_ops = IFP_OP_FIRST; /* backwards */
        assert_int_equal(segment_count(&s, &counts, &why), SEGMENT_E_BAD);
        f.seg->live.n_ops = IFP_MAX_OPS + 1;
        assert_int_equal(segment_count(&s, &counts, &why), SEGMENT_E_BAD);
        f.seg->live.n_ops = IFP_OP_FIRST + 1;
        f.seg->live.n_lanes_used = 5;
        assert_int_equal(segment_count(&s, &counts, &why), SEGMENT_E_BAD);
        f.seg->live.n_lanes_used = 0;
        f.seg->live.n_sites = IFP_MAX_SITES + 1;
        assert_int_equal(segment_count(&s, &counts, &why), SEGMENT_E_BAD);
        f.seg->live.n_sites = 0;
        f.seg->live.n_objects = UINT32_MAX;
        assert_int_equal(segment_count(&s, &counts, &why), SEGMENT_E_BAD);
        f.seg->live.n_objects = 0;
        f.seg->live.names_bytes = IFP_NAMES_BYTES + 1;
        assert_int_equal(segment_count(&s, &counts, &why), SEGMENT_E_BAD);
        segment_close(&s);
        fake_free(&f);
}

static void names_are_bounded_and_clean(void **state)
{
        struct segment_counts counts = {0};
        struct segment s;
        struct fake f;
        const char *why = NULL;
        uint32_t plain, dirty, open_end;
        char *name;

        fake_new(&f, 2);
        plain = fake_name(&f, "f\xc3\xbcnf");
        dirty = fake_name(&f, "a\x1b[31m\xff");
        open_end = fake_name(&f, "open");
        f.seg->names[f.seg->live.names_bytes - 1] = 'X'; /* no NUL within the table */
        assert_int_equal(segment_open(&s, dup(f.fd), &why), 0);
        assert_int_equal(segment_count(&s, &counts, &why), 0);

        assert_int_equal(segment_name(&s, &counts, plain, &name, &why), 0);
        assert_string_equal(name, "f\xc3\xbcnf");
        free(name);
        assert_int_equal(segment_name(&s, &counts, dirty, &name, &why), 0);
        assert_string_equal(name, "a?[31m?");
        free(name);
        assert_int_equal(segment_name(&s, &counts, open_end, &name, &why), 0);
        assert_string_equal(name, "openX");
        free(name);
        assert_int_equal(segment_name(&s, &counts, counts.names_bytes, &name, &why), SEGMENT_E_BAD);
        assert_int_equal(segment_name(&s, &counts, UINT32_MAX, &name, &why), SEGMENT_E_BAD);
        segment_close(&s);
        fake_free(&f);
}

static void holes_are_not_read(void **state)
{
        uint64_t from, to, before;
        struct segment s;
        struct fake f;
        const char *why = NULL;

        fake_new(&f, 64);
        assert_int_equal(segment_open(&s, dup(f.fd), &why), 0);
        before = segment_resident(&s);
        assert_false(
                segment_next_data(&s, segment_lane_offset(3), segment_lane_offset(4), &from, &to));
        f.seg->lanes[3].time[100][0].timed = 1;
        assert_true(
                segment_next_data(&s, segment_lane_offset(3), segment_lane_offset(4), &from, &to));
        assert_true(from <= segment_lane_offset(3) + offsetof(struct ifp_lane, time[100]));
        assert_true(to - from <= 65536);
        assert_true(segment_resident(&s) - before <= 65536);
        segment_close(&s);
        fake_free(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_good_one_is_taken),
                cmocka_unit_test(headers_that_lie_are_refused),
                cmocka_unit_test(other_descriptors_are_refused),
                cmocka_unit_test(one_that_cannot_be_written_is_refused),
                cmocka_unit_test(counts_are_held_against_the_tables),
                cmocka_unit_test(names_are_bounded_and_clean),
                cmocka_unit_test(holes_are_not_read),
        };

        return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
