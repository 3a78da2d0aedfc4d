/* SPDX-License-Identifier: MIT */
/* daemon/heap*.c, mark.c and flush-heap.c: from a segment to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "daemon/flush.h"
#include "daemon/frames.h"
#include "daemon/mark.h"
#include "daemon/process.h"
#include "fake-segment.h"

struct world {
        struct fake f;
        struct tally_scratch scratch;
        struct process *p;
        struct run *run;
        char path[64];
        uint32_t op;
        uint64_t now;
};

static void attach(struct world *w, bool adopted)
{
        struct segment s;
        const char *why = NULL;

        assert_int_equal(segment_open(&s, dup(w->f.fd), &why), 0);
        assert_int_equal(process_new(&w->p, &s, getpid(), -1, adopted, &w->scratch, &why), 0);
        w->p->heap.frames = frames_new();
        assert_non_null(w->p->heap.frames);
        frames_hurry(w->p->heap.frames); /* addresses lie nowhere: no name is waited for */
        w->p->run = w->run;
        w->now = clock_mono_ns();
}

static void open_run(struct world *w)
{
        struct runfile_run row;
        char *why = NULL;

        w->run = run_new("20261120-194500-1", "test", getpid(), clock_real_ns());
        run_describe(w->run, &row);
        assert_int_equal(runfile_create(&w->run->file, w->path, &row, &why), 0);
}

static int setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));
        int fd;

        strcpy(w->path, "/tmp/test-heap-XXXXXX");
        fd = mkstemp(w->path);
        assert_true(fd >= 0);
        close(fd);
        unlink(w->path);
        fake_new(&w->f, 8);
        w->f.seg->header.heap_interval = 1000;
        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        open_run(w);
        attach(w, false);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        static const char *const ends[] = {"", "-wal", "-shm"};
        struct world *w = *state;

        process_free(w->p);
        run_free(w->run);
        tally_scratch_done(&w->scratch);
        fake_free(&w->f);
        for (int i = 0; i < 3; i++) {
                char name[80];

                snprintf(name, sizeof(name), "%s%s", w->path, ends[i]);
                unlink(name);
        }
        free(w);
        return 0;
}

static int look(struct world *w, const char **ret_why)
{
        uint64_t n, fullest;
        int r;

        *ret_why = NULL;
        w->now += 1000000000;
        r = process_round(w->p, w->now, &n, &fullest, ret_why);
        return r ? r : process_tick(w->p, w->now, ret_why);
}

static void tick(struct world *w)
{
        const char *why;

        assert_int_equal(look(w, &why), 0);
}

static void flush(struct world *w)
{
        char *why = NULL;

        w->p->dirty = true;
        assert_int_equal(flush_run(w->run, w->p, &why), 0);
}

/* ---- what the file has ---- */

struct rows {
        struct runfile_size_class classes[IFP_SIZE_CLASSES];
        struct runfile_stack stacks[64];
        char frames[64][256];
        struct runfile_memory memory;
        struct runfile_arena arenas[IFP_MAX_ARENAS];
        struct runfile_token_alloc tokens;
        struct runfile_token_point points[64];
        struct runfile_mark marks[16];
        char names[16][128];
        struct runfile_mark_op mark_ops[64];
        struct runfile_mark_stack mark_stacks[64];
        struct runfile_mark_class mark_classes[64];
        struct runfile_process process;
        struct runfile_op_phase op_phase;
        uint32_t n_classes, n_stacks, n_memory, n_arenas, n_tokens, n_points, n_marks, n_mark_ops,
                n_mark_stacks, n_mark_classes, n_frames;
        uint32_t least_frame, last_frame;
};

#define COLLECT(kind, array, count)                                                                \
        static int collect_##kind(const struct runfile_##kind *row, void *userdata)                \
        {                                                                                          \
                struct rows *r = userdata;                                                         \
                                                                                                   \
                r->array[r->count++] = *row;                                                       \
                return 0;                                                                          \
        }
COLLECT(size_class, classes, n_classes)
COLLECT(arena, arenas, n_arenas)
COLLECT(token_point, points, n_points)
COLLECT(mark_op, mark_ops, n_mark_ops)
COLLECT(mark_stack, mark_stacks, n_mark_stacks)
COLLECT(mark_class, mark_classes, n_mark_classes)

static int collect_stack(const struct runfile_stack *row, void *userdata)
{
        struct rows *r = userdata;

        snprintf(r->frames[r->n_stacks], sizeof(r->frames[0]), "%s", row->frames);
        r->stacks[r->n_stacks++] = *row;
        return 0;
}

static int collect_mark(const struct runfile_mark *row, void *userdata)
{
        struct rows *r = userdata;

        snprintf(r->names[r->n_marks], sizeof(r->names[0]), "%s", row->name);
        r->marks[r->n_marks++] = *row;
        return 0;
}

static int collect_memory(const struct runfile_memory *row, void *userdata)
{
        struct rows *r = userdata;

        r->memory = *row;
        r->n_memory++;
        return 0;
}

static int collect_token_alloc(const struct runfile_token_alloc *row, void *userdata)
{
        struct rows *r = userdata;

        r->tokens = *row;
        r->n_tokens++;
        assert_int_equal(row->calls_hist[3], 4);
        assert_int_equal(row->bytes_hist[40], 4);
        return 0;
}

static int collect_frame(const struct runfile_frame *row, void *userdata)
{
        struct rows *r = userdata;

        if (!r->n_frames++)
                r->least_frame = row->frame;
        r->last_frame = row->frame;
        return 0;
}

static int collect_process(const struct runfile_process *row, void *userdata)
{
        struct rows *r = userdata;

        r->process = *row;
        return 0;
}

static int collect_op_phase(const struct runfile_op_phase *row, void *userdata)
{
        struct rows *r = userdata;

        r->op_phase = *row;
        return 0;
}

static struct rows *read_file(struct world *w)
{
        static struct rows r;
        struct runfile *rf;
        char *why = NULL;

        memset(&r, 0, sizeof(r));
        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_size_class(rf, collect_size_class, &r), 0);
        assert_int_equal(runfile_each_stack(rf, collect_stack, &r), 0);
        assert_int_equal(runfile_each_frame(rf, collect_frame, &r), 0);
        assert_int_equal(runfile_each_memory(rf, collect_memory, &r), 0);
        assert_int_equal(runfile_each_arena(rf, collect_arena, &r), 0);
        assert_int_equal(runfile_each_token_alloc(rf, collect_token_alloc, &r), 0);
        assert_int_equal(runfile_each_token_point(rf, collect_token_point, &r), 0);
        assert_int_equal(runfile_each_mark(rf, collect_mark, &r), 0);
        assert_int_equal(runfile_each_mark_op(rf, collect_mark_op, &r), 0);
        assert_int_equal(runfile_each_mark_stack(rf, collect_mark_stack, &r), 0);
        assert_int_equal(runfile_each_mark_class(rf, collect_mark_class, &r), 0);
        assert_int_equal(runfile_each_process(rf, collect_process, &r), 0);
        assert_int_equal(runfile_each_op_phase(rf, collect_op_phase, &r), 0);
        runfile_close(rf);
        return &r;
}

/* ---- counts ---- */

static void classes_are_summed_over_lanes_and_the_crowd(void **state)
{
        struct world *w = *state;
        struct rows *r;

        for (int i = 0; i < 3; i++) { /* one lane, three threads */
                fake_lane_begin(&w->f, 0, 10 + i);
                fake_alloc(&w->f, 0, w->op, 0, 100, 104);
                fake_lane_end(&w->f, 0);
                tick(w);
        }
        fake_lane_begin(&w->f, 1, 20);
        fake_alloc(&w->f, 1, 0, IFP_PHASE_DECODE, 120, 127);
        fake_alloc(&w->f, 1, 0, IFP_PHASE_DECODE, 128, 128);
        fake_release(&w->f, 1, 0, IFP_PHASE_DECODE, 104);
        fake_alloc(&w->f, 7, 0, 0, 1, 24); /* the crowd's */
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_classes, 3);
        assert_int_equal(r->classes[0].size_class, 4);
        assert_int_equal(r->classes[0].calls, 1);
        assert_int_equal(r->classes[1].size_class, 6);
        assert_int_equal(r->classes[1].calls, 4);
        assert_int_equal(r->classes[1].asked_bytes, 420);
        assert_int_equal(r->classes[1].usable_bytes, 439);
        assert_int_equal(r->classes[1].frees, 1);
        assert_int_equal(r->classes[2].size_class, 7);
        assert_int_equal(r->n_memory, 1);
        assert_int_equal(r->memory.calls, 6);
        assert_int_equal(r->memory.frees, 1);
        assert_int_equal(r->memory.asked_bytes, 549);
        assert_int_equal(r->memory.live_bytes, 3 * 104 + 127 + 128 + 24 - 104);
        assert_true(r->memory.rss == RUNFILE_NOT_TOLD || r->memory.rss > 0);
        assert_int_equal(r->memory.allocated, RUNFILE_NOT_TOLD);
}

static void maps_are_counted_by_op(void **state)
{
        struct world *w = *state;
        struct ifp_alloc_row *row = &w->f.seg->lanes[0].alloc[w->op][IFP_PHASE_LOAD];
        struct rows *r;

        fake_lane_begin(&w->f, 0, 1);
        row->maps = 2;
        row->mapped_bytes = 8192;
        w->f.seg->live.unmaps = 1;
        w->f.seg->live.unmapped_bytes = 4096;
        w->f.seg->live.maps_failed = 3;
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->op_phase.op, w->op);
        assert_int_equal(r->op_phase.alloc.maps, 2);
        assert_int_equal(r->op_phase.alloc.mapped_bytes, 8192);
        assert_int_equal(r->memory.mapped_bytes, 8192);
        assert_int_equal(r->process.unmaps, 1);
        assert_int_equal(r->process.unmapped_bytes, 4096);
        assert_int_equal(r->process.maps_failed, 3);
        assert_int_equal(r->process.heap_interval, 1000);
        row->mapped_bytes = 12288; /* mremap, growing */
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->op_phase.alloc.mapped_bytes, 12288);
}

/* ---- live ---- */

static void become_child(struct world *w, int64_t inherited)
{
        process_free(w->p);
        memset(w->f.seg->header.parent_uuid, 7, sizeof(w->f.seg->header.parent_uuid));
        w->f.seg->live.live_bytes = w->f.seg->live.peak_bytes = inherited;
        attach(w, false);
}

static void a_fork_child_has_what_its_parent_had(void **state)
{
        struct world *w = *state;

        become_child(w, 5000);
        fake_lane_begin(&w->f, 0, 1);
        tick(w);
        assert_int_equal(w->p->now.live_bytes, 5000);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        tick(w);
        assert_int_equal(w->p->now.live_bytes, 5104);
        fake_flush(&w->f, 0); /* known in two places now, and counted once */
        tick(w);
        assert_int_equal(w->p->now.live_bytes, 5104);
        fake_release(&w->f, 0, w->op, 0, 4000); /* of the parent's */
        tick(w);
        assert_int_equal(w->p->now.live_bytes, 1104);
        assert_int_equal(w->p->now.peak_bytes, 5104);
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_int_equal(w->p->now.live_bytes, 1104);
}

static void a_fork_child_seen_late_has_it_too(void **state)
{
        struct world *w = *state;

        become_child(w, 5000);
        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, 0, 300, 300);
        fake_flush(&w->f, 0);
        fake_alloc(&w->f, 7, w->op, 0, 50, 50); /* the crowd's */
        fake_flush(&w->f, 7);
        fake_alloc(&w->f, 0, w->op, 0, 7, 7);
        process_free(w->p);
        attach(w, true);
        assert_int_equal(process_resume(w->p, NULL, 0, &(const char *){NULL}), 0);
        tick(w);
        assert_int_equal(w->p->now.live_bytes, 5357);
}

static void who_was_not_forked_has_nothing_from_before(void **state)
{
        struct world *w = *state;

        w->f.seg->live.live_bytes = 777; /* a lie that would not be one in a child */
        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        tick(w);
        assert_int_equal(w->p->now.live_bytes, 104);
}

/* ---- stacks ---- */

static void sums_leave_their_fixed_point(void **state)
{
        static const uint64_t addresses[] = {0x1010, 0x2020, 0x3030};
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, IFP_PHASE_DECODE, addresses, 3);
        struct ifp_stack *s = &w->f.seg->stacks[i];
        struct rows *r;

        s->flags = IFP_STACK_CUT;
        s->samples = 4;
        s->freed_own.samples = 1;
        s->freed_else.samples = 1;
        s->alloc_objects = 40 << 16 | 0x8000;
        s->freed_own.objects = 10 << 16;
        s->freed_else.objects = 5 << 16;
        s->alloc_bytes = 4000;
        s->freed_own.bytes = 1000;
        s->freed_else.bytes = 500;
        s->asked_bytes = 3900;
        s->freed_own.short_objects = 10 << 16;
        s->freed_else.lifetime_ticks = w->f.seg->header.ticks_per_second / 1000;
        s->alloc_objects_var = 90;
        s->alloc_bytes_var = 3 << 16;
        s->freed_own.bytes_var = s->freed_else.bytes_var = 1 << 14;
        s->inherited_objects = 2 << 16;
        s->inherited_bytes = 64;
        w->f.seg->stacks[0].samples = 2;
        w->f.seg->stacks[0].flags = IFP_STACK_ONE;
        w->f.seg->live.unwinding = 1;
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_stacks, 2);
        r->stacks[0] = r->stacks[1];
        strcpy(r->frames[0], r->frames[1]);
        assert_int_equal(r->stacks[0].stack, i);
        assert_int_equal(r->stacks[0].op, w->op);
        assert_int_equal(r->stacks[0].phase, IFP_PHASE_DECODE);
        assert_true(r->stacks[0].cut && !r->stacks[0].one);
        assert_string_equal(r->frames[0], "0,1,2");
        assert_int_equal(r->n_frames, 3);
        assert_int_equal(r->stacks[0].samples, 4);
        assert_true(r->stacks[0].alloc_objects == 40.5);
        assert_int_equal(r->stacks[0].samples_freed, 2);
        assert_true(r->stacks[0].freed_objects == 15);
        assert_true(r->stacks[0].alloc_bytes == 4000);
        assert_true(r->stacks[0].freed_bytes == 1500);
        assert_true(r->stacks[0].asked_bytes == 3900);
        assert_true(r->stacks[0].short_objects == 10);
        assert_true(r->stacks[0].lifetime_ns > 0.9e6 && r->stacks[0].lifetime_ns < 1.1e6);
        assert_true(r->stacks[0].alloc_objects_var == 90);
        assert_true(r->stacks[0].alloc_bytes_var == 3e6);
        assert_true(r->stacks[0].freed_bytes_var == 0.5e6);
        assert_true(r->stacks[0].inherited_objects == 2);
        assert_true(r->stacks[0].inherited_bytes == 64);
        assert_int_equal(r->process.samples, 6);
        assert_int_equal(r->process.samples_other, 2);
        assert_int_equal(r->process.unwinding, 1);
}

static void an_entry_is_taken_when_it_is_complete(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);
        struct ifp_stack *s = &w->f.seg->stacks[i];

        s->hash = 0;
        s->phase = 99; /* nobody looks at it yet */
        tick(w);
        assert_false(w->p->heap.stacks[i].known);
        s->phase = 1;
        s->samples = 1;
        s->hash = 5;
        tick(w);
        assert_true(w->p->heap.stacks[i].known);
        assert_int_equal(w->p->heap.stacks[i].sums.samples, 1);
        assert_true(w->p->heap.stacks[i].resolved);
}

static void a_full_table_is_no_lie(void **state)
{
        struct world *w = *state;
        struct rows *r;

        w->f.seg->live.n_stacks = IFP_MAX_STACKS + 10;
        w->f.seg->live.n_frames = IFP_MAX_FRAMES + 10;
        w->f.seg->stacks[0].samples = 9;
        w->f.seg->stacks[0].alloc_bytes = 900;
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_stacks, 1);
        assert_int_equal(r->stacks[0].stack, 0);
        assert_string_equal(r->frames[0], "");
        assert_int_equal(r->process.samples_other, 9);
}

static void only_what_moved_is_written_again(void **state)
{
        static const uint64_t addresses[] = {0x1010, 0x2020};
        struct world *w = *state;
        uint32_t a = fake_stack(&w->f, w->op, 0, addresses, 1);
        uint32_t b = fake_stack(&w->f, w->op, 0, addresses, 2);

        w->f.seg->stacks[a].samples = w->f.seg->stacks[b].samples = 1;
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->n_stacks, 2);
        assert_string_equal(read_file(w)->frames[1], "0,1");
        w->f.seg->stacks[b].freed_else.samples = 1;
        w->p->heap.stacks[a].sums.alloc_bytes = 1; /* so that a row written in vain would show */
        w->p->heap.stacks[a].written++;
        w->f.seg->stacks[a].alloc_bytes = 1;
        tick(w);
        flush(w);
        assert_true(read_file(w)->stacks[0].alloc_bytes == 0);
        assert_int_equal(read_file(w)->stacks[1].samples_freed, 1);
}

static void frames_of_a_writing_that_failed_are_written_again(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;

        w->f.seg->stacks[fake_stack(&w->f, w->op, 0, &address, 1)].samples = 1;
        tick(w);
        assert_int_equal(runfile_begin(w->run->file), 0);
        assert_int_equal(frames_flush(w->p->heap.frames, w->run->file, 0), 0);
        runfile_abort(w->run->file);
        flush(w);
        assert_int_equal(read_file(w)->n_frames, 1);
}

static void the_shim_is_not_on_stacks(void **state)
{
        static const uint64_t addresses[] = {0x50010, 0x2020};
        struct world *w = *state;
        uint32_t i;

        w->f.seg->objects[0] =
                (struct ifp_object){.start = 0x50000,
                                    .end = 0x60000,
                                    .path = fake_name(&w->f, "/usr/lib/libinfprof.so"),
                                    .opened = 1};
        w->f.seg->live.n_objects = 1;
        i = fake_stack(&w->f, w->op, 0, addresses, 2);
        w->f.seg->stacks[i].samples = 1;
        tick(w);
        assert_true(w->p->heap.stacks[i].resolved);
        assert_int_equal(w->p->heap.stacks[i].n_frames, 1);
}

static void numbers_beyond_all_measure_are_bounded(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);
        struct rows *r;

        memset(&w->f.seg->stacks[i].samples, 0xff,
               sizeof(struct ifp_stack) - offsetof(struct ifp_stack, samples));
        w->f.seg->stacks[i].alloc_objects = 5; /* and less than was freed */
        w->f.seg->stacks[0].samples = UINT64_MAX;
        fake_lane_begin(&w->f, 0, 1);
        memset(w->f.seg->lanes[0].memory.calls, 0xee, sizeof(uint64_t) * 4 * IFP_SIZE_CLASSES);
        memset(&w->f.seg->lanes[0].alloc[w->op][0], 0xee, sizeof(struct ifp_alloc_row));
        memset(&w->f.seg->live.samples_short, 0xff, 5 * sizeof(uint64_t));
        tick(w);
        assert_int_equal(mark_take(w->p, 0, "m", 1), 0);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->process.samples, INT64_MAX);
        assert_int_equal(r->process.samples_other, INT64_MAX);
        assert_int_equal(r->stacks[0].samples, INT64_MAX);
        r->stacks[0] = r->stacks[1];
        assert_true(r->stacks[0].freed_objects <=
                    r->stacks[0].alloc_objects + r->stacks[0].inherited_objects);
        assert_int_equal(r->classes[0].calls, INT64_MAX);
}

static void a_thread_beyond_all_measure_is_written_too(void **state)
{
        struct world *w = *state;
        struct ifp_lane *l = &w->f.seg->lanes[0];

        fake_lane_begin(&w->f, 0, 1);
        l->start_ticks = UINT64_MAX - 1;
        l->time[w->op][0].timed = 1ull << 63;
        l->time[w->op][0].total = UINT64_MAX;
        fake_lane_end(&w->f, 0);
        l->cpu_ns = 1ull << 63;
        l->end_ticks = UINT64_MAX;
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        flush(w);
        assert_int_equal(read_file(w)->process.spans, INT64_MAX);
        assert_int_equal(read_file(w)->process.lost, INT64_MAX);
}

/* ---- what is told under a sequence count ---- */

static void tell_allocator(struct world *w)
{
        struct ifp_allocator *a = &w->f.seg->allocator;

        a->kind = IFP_ALLOCATOR_JEMALLOC;
        a->library = fake_name(&w->f, "/usr/lib/libjemalloc.so.2");
        a->n_arenas = 2;
        a->ticks = ifp_ticks();
        a->n_looks++;
        a->cost_ns = 1234;
        a->allocated = 1000;
        a->active = 2000;
        a->metadata = a->mapped = a->retained = a->free_bytes = a->releasable = IFP_NOT_TOLD;
        a->resident = 3000;
        a->arenas[1] = (struct ifp_arena){10, 20, IFP_NOT_TOLD, 40};
}

static void the_allocator_is_heard_when_it_has_finished(void **state)
{
        struct world *w = *state;
        struct ifp_allocator *a = &w->f.seg->allocator;
        struct rows *r;

        tell_allocator(w);
        tick(w);
        a->seq = 1;
        a->allocated = 99;
        a->n_looks = 2;
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->memory.allocated, 1000);
        assert_int_equal(r->memory.resident, 3000);
        assert_int_equal(r->memory.metadata, RUNFILE_NOT_TOLD);
        assert_int_equal(r->n_arenas, 2);
        assert_int_equal(r->arenas[1].active, 20);
        assert_int_equal(r->arenas[1].resident, RUNFILE_NOT_TOLD);
        assert_int_equal(r->process.allocator, IFP_ALLOCATOR_JEMALLOC);
        assert_int_equal(r->process.allocator_looks, 1);
        assert_int_equal(r->process.allocator_cost_ns, 1234);
        a->seq = 2;
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->memory.allocated, 99);
}

static void add_point(struct world *w, uint64_t token)
{
        struct ifp_tokens *t = &w->f.seg->tokens;

        t->points[t->n_points] = (struct ifp_token_point){.token = token,
                                                          .ticks = ifp_ticks(),
                                                          .live_bytes = (int64_t)token * -10,
                                                          .calls = token * 2};
        t->n_points++;
}

static void points_are_written_once(void **state)
{
        struct world *w = *state;
        struct ifp_tokens *t = &w->f.seg->tokens;
        struct rows *r;

        t->n = 4;
        t->calls = 12;
        t->asked_bytes = 160;
        t->calls_hist[3] = t->bytes_hist[40] = 4;
        for (uint64_t i = 1; i <= 4; i++)
                add_point(w, i);
        tick(w);
        flush(w);
        assert_int_equal(w->p->heap.tokens.n_points, 0);
        t->seq = 1; /* every second goes */
        t->points[0] = t->points[1];
        t->points[1] = t->points[3];
        t->n_points = 2;
        tick(w);
        t->seq = 2;
        add_point(w, 6);
        tick(w);
        assert_int_equal(w->p->heap.tokens.n_points, 1);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_points, 5);
        assert_int_equal(r->points[4].token, 6);
        assert_int_equal(r->points[4].live_bytes, -60);
        assert_int_equal(r->points[4].calls, 12);
        assert_true(r->points[4].at_ns > r->points[0].at_ns);
        assert_int_equal(r->n_tokens, 1);
        assert_int_equal(r->tokens.n, 4);
        assert_int_equal(r->tokens.calls, 12);
        assert_int_equal(r->tokens.asked_bytes, 160);
}

/* ---- marks ---- */

static void a_mark_keeps_its_instant(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);
        struct rows *r;

        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, IFP_PHASE_DECODE, 100, 104);
        w->f.seg->stacks[i].samples = 1;
        w->f.seg->stacks[i].alloc_bytes = 1040;
        tick(w);
        assert_int_equal(mark_take(w->p, 0, "before", 5), 0);
        fake_alloc(&w->f, 0, w->op, IFP_PHASE_DECODE, 100, 104);
        w->f.seg->stacks[i].alloc_bytes = 2080;
        tick(w);
        assert_int_equal(mark_take(w->p, 1, "before", 6), 0);
        assert_int_equal(mark_count(w->p), 2);
        flush(w);
        assert_int_equal(mark_count(w->p), 0);
        r = read_file(w);
        assert_int_equal(r->n_marks, 2);
        assert_string_equal(r->names[0], "before");
        assert_int_equal(r->marks[0].at_ns, 5);
        assert_int_equal(r->marks[0].live_bytes, 104);
        assert_int_equal(r->marks[1].mark, 1);
        assert_int_equal(r->marks[1].live_bytes, 208);
        assert_int_equal(r->n_mark_ops, 2);
        assert_int_equal(r->mark_ops[0].op, w->op);
        assert_int_equal(r->mark_ops[0].phase, IFP_PHASE_DECODE);
        assert_int_equal(r->mark_ops[0].alloc.calls, 1);
        assert_int_equal(r->mark_ops[1].alloc.calls, 2);
        assert_int_equal(r->n_mark_classes, 2);
        assert_int_equal(r->mark_classes[1].calls, 2);
        assert_int_equal(r->n_mark_stacks, 2);
        assert_true(r->mark_stacks[0].alloc_bytes == 1040);
        assert_true(r->mark_stacks[1].alloc_bytes == 2080);
}

/* ---- one daemon after the other ---- */

static void the_next_daemon_adds_nothing_twice(void **state)
{
        static const uint64_t addresses[] = {0x1010, 0x2020};
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, addresses, 2);
        const char *why = NULL;
        struct runfile *rf;
        char *text = NULL;
        struct rows *r;

        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        w->f.seg->stacks[i].samples = 1;
        tick(w);
        assert_int_equal(mark_take(w->p, 0, "first", 5), 0);
        flush(w);
        process_free(w->p);

        attach(w, true);
        assert_int_equal(runfile_open(&rf, w->path, &text), 0);
        assert_int_equal(process_resume(w->p, rf, 0, &why), 0);
        runfile_close(rf);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        w->f.seg->stacks[i].samples = 2;
        tick(w);
        assert_int_equal(mark_take(w->p, 1, "second", 9), 0);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_marks, 2);
        assert_string_equal(r->names[0], "first");
        assert_int_equal(r->mark_ops[0].alloc.calls, 1);
        assert_int_equal(r->mark_ops[1].alloc.calls, 2);
        assert_int_equal(r->n_classes, 1);
        assert_int_equal(r->classes[0].calls, 2);
        assert_int_equal(r->n_stacks, 1);
        assert_int_equal(r->stacks[0].samples, 2);
        /* what the first one wrote keeps its meaning until its row is written anew */
        assert_string_equal(r->frames[0], "2,3");
        assert_int_equal(r->least_frame, 0);
        assert_int_equal(r->n_frames, 4);
}

static void the_end_lets_go_of_what_is_written(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);

        w->f.seg->stacks[i].samples = 3;
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_int_equal(w->p->heap.n_stacks, 2);
        flush(w);
        assert_int_equal(w->p->heap.n_stacks, 0);
        assert_int_equal(read_file(w)->stacks[0].samples, 3);
        assert_string_equal(read_file(w)->frames[0], "0");
        flush(w);
        assert_int_equal(read_file(w)->n_stacks, 1);
}

/* ---- lies ---- */

static void lie(struct world *w, uint64_t *word, uint64_t value)
{
        uint64_t was = *word;
        const char *why;

        *word = value;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        *word = was;
        tick(w);
}

static void lie32(struct world *w, uint32_t *word, uint32_t value)
{
        uint32_t was = *word;
        const char *why;

        *word = value;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        *word = was;
        tick(w);
}

static void lies_are_caught(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        struct ifp_segment *seg = w->f.seg;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);

        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        seg->stacks[i].samples = seg->stacks[i].freed_own.bytes = 5;
        seg->tokens.n = 4;
        seg->tokens.calls_hist[3] = seg->tokens.bytes_hist[40] = 4;
        tell_allocator(w);
        tick(w);
        lie(w, &seg->lanes[0].memory.calls[6], 0);
        lie(w, &seg->lanes[0].memory.usable_bytes[6], 103);
        lie(w, &seg->stacks[i].samples, 4);
        lie(w, &seg->stacks[i].freed_own.bytes, 4);
        lie(w, &seg->tokens.n, 3);
        lie32(w, &seg->live.n_stacks, 1);
        lie32(w, &seg->live.unwinding, 3);
        lie32(w, &seg->allocator.kind, IFP_N_ALLOCATORS);
        lie32(w, &seg->allocator.n_arenas, IFP_MAX_ARENAS + 1);
        lie32(w, &seg->allocator.library, IFP_NAMES_BYTES);
        lie32(w, &seg->tokens.n_points, IFP_TOKEN_POINTS + 1);
}

static void lies_of_a_new_stack_are_caught(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        struct ifp_stack *s = &w->f.seg->stacks[fake_stack(&w->f, w->op, 0, &address, 1)], was = *s;
        const char *why;

        s->n_frames = IFP_STACK_DEPTH + 1;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->first_frame = IFP_MAX_FRAMES;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->first_frame = UINT32_MAX;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->n_frames = 2; /* one of them is not handed out */
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->op = (uint16_t)(w->op + 1);
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->phase = IFP_N_PHASES;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        w->f.seg->objects[0] =
                (struct ifp_object){.start = 0x1000, .end = 0x2000, .path = IFP_NAMES_BYTES};
        w->f.seg->live.n_objects = 1;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        w->f.seg->objects[0].path = 0;
        tick(w);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(classes_are_summed_over_lanes_and_the_crowd),
                CASE(maps_are_counted_by_op),
                CASE(a_fork_child_has_what_its_parent_had),
                CASE(a_fork_child_seen_late_has_it_too),
                CASE(who_was_not_forked_has_nothing_from_before),
                CASE(sums_leave_their_fixed_point),
                CASE(an_entry_is_taken_when_it_is_complete),
                CASE(a_full_table_is_no_lie),
                CASE(only_what_moved_is_written_again),
                CASE(frames_of_a_writing_that_failed_are_written_again),
                CASE(the_shim_is_not_on_stacks),
                CASE(numbers_beyond_all_measure_are_bounded),
                CASE(a_thread_beyond_all_measure_is_written_too),
                CASE(the_allocator_is_heard_when_it_has_finished),
                CASE(points_are_written_once),
                CASE(a_mark_keeps_its_instant),
                CASE(the_next_daemon_adds_nothing_twice),
                CASE(the_end_lets_go_of_what_is_written),
                CASE(lies_are_caught),
                CASE(lies_of_a_new_stack_are_caught),
        };

        return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
