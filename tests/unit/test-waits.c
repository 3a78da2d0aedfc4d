/* SPDX-License-Identifier: MIT */
/* daemon/waits.c, thread-waits.c, site.c, resume-waits.c and flush-waits.c: from a segment to the
 * rows of a run file. */
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
        w->p->clock.ns_per_tick = 0.5;
        w->p->clock.refine_ticks = UINT64_MAX;
        w->p->run = w->run;
        w->now = clock_mono_ns();
}

static int setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));
        struct runfile_run row;
        char *why = NULL;
        int fd;

        strcpy(w->path, "/tmp/test-waits-XXXXXX");
        fd = mkstemp(w->path);
        assert_true(fd >= 0);
        close(fd);
        unlink(w->path);
        fake_new(&w->f, 8);
        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        w->run = run_new("20261120-194500-1", "test", getpid(), clock_real_ns());
        run_describe(w->run, &row);
        assert_int_equal(runfile_create(&w->run->file, w->path, &row, &why), 0);
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

#define MOST 64

struct rows {
        struct runfile_wait waits[MOST];
        char frames[MOST][64], libraries[MOST][64];
        uint64_t middle[MOST]; /* how many waits took 1000 ticks */
        struct runfile_wait_by by[MOST];
        struct runfile_thread_wait threads[MOST];
        struct runfile_wait_now now[MOST];
        struct runfile_spawn spawns[MOST];
        uint64_t cost_middle[MOST], life_middle[MOST];
        char spawn_frames[MOST][64];
        uint32_t n_waits, n_by, n_threads, n_now, n_spawns, n_stacks, n_frames;
};

static int collect_wait(const struct runfile_wait *row, void *userdata)
{
        struct rows *r = userdata;

        snprintf(r->frames[r->n_waits], sizeof(r->frames[0]), "%s", row->frames);
        snprintf(r->libraries[r->n_waits], sizeof(r->libraries[0]), "%s",
                 row->object_library ? row->object_library : "-");
        r->middle[r->n_waits] = row->hist ? row->hist[ifp_hist_index(1000)] : 0;
        r->waits[r->n_waits++] = *row;
        return 0;
}

static int collect_spawn(const struct runfile_spawn *row, void *userdata)
{
        struct rows *r = userdata;

        snprintf(r->spawn_frames[r->n_spawns], sizeof(r->spawn_frames[0]), "%s", row->frames);
        r->cost_middle[r->n_spawns] = row->cost_hist ? row->cost_hist[ifp_hist_index(500)] : 0;
        r->life_middle[r->n_spawns] = row->life_hist ? row->life_hist[ifp_hist_index(90000)] : 0;
        r->spawns[r->n_spawns++] = *row;
        return 0;
}

#define COLLECT(kind, array, count)                                                                \
        static int collect_##kind(const struct runfile_##kind *row, void *userdata)                \
        {                                                                                          \
                struct rows *r = userdata;                                                         \
                                                                                                   \
                r->array[r->count++] = *row;                                                       \
                return 0;                                                                          \
        }
COLLECT(wait_by, by, n_by)
COLLECT(thread_wait, threads, n_threads)
COLLECT(wait_now, now, n_now)

static int count_stack(const struct runfile_stack *row, void *userdata)
{
        (void)row;
        ((struct rows *)userdata)->n_stacks++;
        return 0;
}

static int count_frame(const struct runfile_frame *row, void *userdata)
{
        (void)row;
        ((struct rows *)userdata)->n_frames++;
        return 0;
}

static const struct rows *read_file(struct world *w)
{
        static struct rows r;
        struct runfile *rf;
        char *why = NULL;

        memset(&r, 0, sizeof(r));
        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_wait(rf, collect_wait, &r), 0);
        assert_int_equal(runfile_each_wait_by(rf, collect_wait_by, &r), 0);
        assert_int_equal(runfile_each_thread_wait(rf, collect_thread_wait, &r), 0);
        assert_int_equal(runfile_each_wait_now(rf, collect_wait_now, &r), 0);
        assert_int_equal(runfile_each_spawn(rf, collect_spawn, &r), 0);
        assert_int_equal(runfile_each_stack(rf, count_stack, &r), 0);
        assert_int_equal(runfile_each_frame(rf, count_frame, &r), 0);
        runfile_close(rf);
        return &r;
}

static const uint64_t address = 0x1010;

/* ---- the table ---- */

static void a_wait_becomes_a_row(void **state)
{
        struct world *w = *state;
        uint32_t stack = fake_stack(&w->f, w->op, IFP_PHASE_DECODE, &address, 1), i;
        const struct rows *r;

        w->f.seg->objects[0] = (struct ifp_object){.base = 0x500000,
                                                   .start = 0x500000,
                                                   .end = 0x600000,
                                                   .path = fake_name(&w->f, "/lib/engine.so"),
                                                   .opened = 1};
        w->f.seg->live.n_objects = 1;
        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x5f0010, stack, w->op, IFP_PHASE_DECODE);
        w->f.seg->waits[i].flags = IFP_WAIT_SPINS;
        fake_waited(&w->f, i, 1000, 1);
        fake_waited(&w->f, i, 1000, 1);
        fake_waited(&w->f, i, 50, -1);
        w->f.seg->waits[i].last = 7;
        w->f.seg->waits[i].timeouts = 1;
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_waits, 1);
        assert_int_equal(r->waits[0].wait, i);
        assert_int_equal(r->waits[0].kind, IFP_WAIT_MUTEX);
        assert_int_equal(r->waits[0].op, w->op);
        assert_int_equal(r->waits[0].phase, IFP_PHASE_DECODE);
        assert_int_equal(r->waits[0].thread, 0);
        assert_int_equal(r->waits[0].object, 0x5f0010);
        assert_string_equal(r->libraries[0], "/lib/engine.so");
        assert_int_equal(r->waits[0].object_offset, 0xf0010);
        assert_true(r->waits[0].spins);
        assert_false(r->waits[0].shared);
        assert_string_equal(r->frames[0], "0");
        assert_int_equal(r->waits[0].count, 3);
        assert_int_equal(r->waits[0].total_ns, 1025);
        assert_int_equal(r->waits[0].min_ns, 25);
        assert_int_equal(r->waits[0].max_ns, 500);
        assert_int_equal(r->waits[0].last, 7);
        assert_int_equal(r->waits[0].timeouts, 1);
        assert_int_equal(r->waits[0].unknown, 1);
        assert_int_equal(r->waits[0].unknown_ns, 25);
        assert_int_equal(r->middle[0], 2);
        assert_int_equal(r->n_by, 1);
        assert_int_equal(r->by[0].thread, 1);
        assert_int_equal(r->by[0].count, 2);
        assert_int_equal(r->by[0].total_ns, 1000);
        assert_int_equal(r->n_threads, 1);
        assert_int_equal(r->threads[0].thread, 0);
        assert_int_equal(r->threads[0].kind, IFP_WAIT_MUTEX);
        assert_int_equal(r->threads[0].count, 3);
        assert_int_equal(r->threads[0].total_ns, 1025);
        /* its stack has names, and is none of those that memory was sampled at */
        assert_int_equal(r->n_stacks, 0);
        assert_int_equal(r->n_frames, 1);
}

static void an_entry_is_taken_when_it_is_complete(void **state)
{
        struct world *w = *state;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        i = fake_wait(&w->f, 0, IFP_WAIT_COND, 0, 0, 0, 0);
        fake_waited(&w->f, i, 10, -1);
        w->f.seg->waits[i].hash = 0;
        w->f.seg->waits[i].kind = 99; /* not yet written */
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->n_waits, 0);
        w->f.seg->waits[i].kind = IFP_WAIT_COND;
        w->f.seg->waits[i].hash = 5;
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->n_waits, 1);
        w->f.seg->live.n_waits = IFP_MAX_WAITS + 100; /* some were refused */
        w->f.seg->live.waits_other = 3;
        tick(w);
        assert_int_equal(w->p->waits.n, IFP_MAX_WAITS);
        assert_int_equal(w->p->waits.other, 3);
}

static void only_what_moved_is_written_again(void **state)
{
        struct world *w = *state;
        uint32_t a, b;

        fake_lane_begin(&w->f, 0, 100);
        a = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x10, 0, 0, 0);
        b = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x20, 0, 0, 0);
        fake_waited(&w->f, a, 10, -1);
        fake_waited(&w->f, b, 10, -1);
        tick(w);
        flush(w);
        w->p->waits.list[a].object = 0x99; /* shows whether its row is put anew */
        w->p->waits.list[b].object = 0x99;
        fake_waited(&w->f, b, 10, -1);
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->waits[0].object, 0x10);
        assert_int_equal(read_file(w)->waits[1].object, 0x99);
}

static void waits_of_several_threads_are_nobodys(void **state)
{
        struct world *w = *state;
        uint32_t one, two, shared, late;

        /* a thread that lived between two looks: it alone can have waited */
        fake_lane_begin(&w->f, 0, 100);
        one = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x10, 0, 0, 0);
        two = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x20, 0, 0, 0);
        shared = fake_wait(&w->f, IFP_STACK_SHARED, IFP_WAIT_COND, 0x30, 0, 0, 0);
        fake_waited(&w->f, one, 10, -1);
        fake_waited(&w->f, two, 10, -1);
        fake_waited(&w->f, shared, 10, -1);
        fake_lane_end(&w->f, 0);
        tick(w);
        /* the next one has the lane */
        fake_lane_begin(&w->f, 0, 101);
        fake_waited(&w->f, two, 30, -1);
        late = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x40, 0, 0, 0);
        fake_waited(&w->f, late, 10, -1);
        tick(w);
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->waits[0].thread, 0);
        assert_int_equal(read_file(w)->waits[1].thread, -1);
        assert_int_equal(read_file(w)->waits[2].thread, -1);
        assert_int_equal(read_file(w)->waits[3].thread, 1);
        assert_int_equal(read_file(w)->waits[1].count, 2);
        /* each thread has its own */
        assert_int_equal(read_file(w)->n_threads, 2);
        assert_int_equal(read_file(w)->threads[0].count, 2);
        assert_int_equal(read_file(w)->threads[0].total_ns, 10);
        assert_int_equal(read_file(w)->threads[1].count, 2);
        assert_int_equal(read_file(w)->threads[1].total_ns, 20);
}

static void whom_it_waited_for_is_a_thread(void **state)
{
        struct world *w = *state;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        i = fake_wait(&w->f, 0, IFP_WAIT_JOIN, 0, 0, 0, 0);
        for (int k = 0; k < 6; k++) { /* one lane, a thread after the other */
                fake_lane_begin(&w->f, 1, 200 + k);
                fake_waited(&w->f, i, 1000, 1);
                fake_lane_end(&w->f, 1);
                tick(w);
        }
        w->f.seg->waits[i].by[3].gen = 77; /* one that was never seen */
        w->f.seg->waits[i].by[3].lane = 3;
        w->p->waits.list[i].by[3].gen = 77;
        w->p->waits.list[i].by[3].lane = 3;
        w->p->waits.list[i].by[3].thread = -1;
        fake_waited(&w->f, i, 1, -1);
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->n_by, 4);
        for (int k = 0; k < 3; k++) {
                assert_int_equal(read_file(w)->by[k].thread, k + 1);
                assert_int_equal(read_file(w)->by[k].total_ns, 500);
        }
        assert_int_equal(read_file(w)->by[3].thread, -1);
        assert_int_equal(read_file(w)->waits[0].others, 2);
        assert_int_equal(read_file(w)->waits[0].others_ns, 1000);
}

static void a_place_may_go_to_another(void **state)
{
        struct world *w = *state;
        struct ifp_wait *e;
        uint32_t i;

        for (uint32_t k = 0; k < 7; k++)
                fake_lane_begin(&w->f, k, 100 + (int)k);
        i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0, 0, 0, 0);
        for (int k = 1; k < 5; k++)
                fake_waited(&w->f, i, 1000 * (uint64_t)k, k);
        tick(w);
        e = &w->f.seg->waits[i];
        e->by[0].gen = 0; /* on its way to the thread on lane 5 */
        e->others = 1;
        e->others_ticks = 1000;
        tick(w);
        assert_int_equal(w->p->waits.list[i].by[0].thread, 1);
        e->by[0].lane = 5;
        e->by[0].count = 1;
        e->by[0].ticks = 600;
        e->by[0].gen = w->f.seg->lanes[5].gen;
        e->count++;
        e->ticks += 600;
        tick(w);
        flush(w);
        assert_int_equal(w->p->waits.list[i].by_moved[0], 600);
        assert_int_equal(read_file(w)->n_by, 4);
        assert_int_equal(read_file(w)->by[0].thread, 5);
        assert_int_equal(read_file(w)->by[0].total_ns, 300);
        assert_int_equal(read_file(w)->by[1].thread, 2);
        assert_int_equal(read_file(w)->waits[0].others, 1);
}

static int collect_last(const struct runfile_thread_wait *row, void *userdata)
{
        *(struct runfile_thread_wait *)userdata = *row;
        return 0;
}

static struct runfile_thread_wait last_thread(struct world *w)
{
        struct runfile_thread_wait last = {0};
        struct runfile *rf;
        char *why = NULL;

        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_thread_wait(rf, collect_last, &last), 0);
        runfile_close(rf);
        assert_int_equal(last.thread, PROCESS_MAX_THREADS);
        return last;
}

static void threads_beyond_the_table_share_their_waits(void **state)
{
        struct world *w = *state;
        uint64_t n, fullest, later = 0;
        const char *why;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 1);
        i = fake_wait(&w->f, 1, IFP_WAIT_COND, 0, 0, 0, 0);
        w->now += 1;
        assert_int_equal(process_round(w->p, w->now, &n, &fullest, &why), 0);
        for (uint32_t k = 1; k < PROCESS_MAX_THREADS + 50; k++) {
                fake_lane_begin(&w->f, 1, (int)(100 + k));
                fake_waited(&w->f, i, 2, -1);
                fake_lane_end(&w->f, 1);
                assert_int_equal(process_round(w->p, w->now, &n, &fullest, &why), 0);
        }
        fake_lane_begin(&w->f, 1, 9999);
        fake_waited(&w->f, i, 2, -1);
        tick(w);
        flush(w);
        assert_int_equal(w->p->n_threads, PROCESS_MAX_THREADS);
        later = last_thread(w).count;
        assert_int_equal(later, 51);
        assert_int_equal(thread_of_lane(w->p, 1, PROCESS_MAX_THREADS + 45), PROCESS_MAX_THREADS);
        assert_int_equal(thread_of_lane(w->p, 1, PROCESS_MAX_THREADS - 5), PROCESS_MAX_THREADS - 5);
}

static void whom_a_wait_in_progress_is_for(void **state)
{
        struct world *w = *state;
        struct ifp_lane_waits *l = &w->f.seg->lanes[0].waits;
        const struct rows *r;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x77, 0, 0, 0);
        l->by = w->f.seg->lanes[1].gen | 1ull << 32;
        fake_wait_begin(&w->f, 0, i);
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_now, 1);
        assert_int_equal(r->now[0].by_thread, 1);
        /* a thread that had the lane before, and is not known */
        fake_wait_end(&w->f, 0);
        l->by = (w->f.seg->lanes[1].gen + 7) | 1ull << 32;
        fake_wait_begin(&w->f, 0, i);
        tick(w);
        assert_int_equal(w->p->threads[0]->now.by, -1);
        /* a join that began before the lane was there */
        fake_wait_end(&w->f, 0);
        l->by = 0;
        w->f.seg->lanes[1].waits.thread = 0x7000 >> 6;
        fake_wait_begin(&w->f, 0, i);
        l->object = 0x7000;
        tick(w);
        assert_int_equal(w->p->threads[0]->now.by, -1);
        l->kind = IFP_WAIT_JOIN;
        tick(w);
        assert_int_equal(w->p->threads[0]->now.by, 1);
        l->thread = 0x7000 >> 6; /* which of the two is not known */
        tick(w);
        assert_int_equal(w->p->threads[0]->now.by, -1);
}

static void a_wait_in_progress_is_told(void **state)
{
        struct world *w = *state;
        const struct rows *r;
        const char *why;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x77, 0, 0, 0);
        tick(w);
        fake_wait_begin(&w->f, 0, i);
        usleep(2000);
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_now, 1);
        assert_int_equal(r->now[0].by_thread, -1);
        assert_int_equal(r->now[0].thread, 0);
        assert_int_equal(r->now[0].kind, IFP_WAIT_COND);
        assert_int_equal(r->now[0].object, 0x77);
        assert_int_equal(r->now[0].wait, i);
        assert_true(r->now[0].since_ns > 0);
        assert_true(r->now[0].for_ns > 500000);
        assert_int_equal(w->p->waits.list[i].n_waiting, 1);
        assert_true(w->p->waits.list[i].progress_ticks > 0);
        fake_wait_end(&w->f, 0);
        w->p->dirty = false;
        tick(w);
        assert_true(w->p->dirty);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_now, 1);
        assert_int_equal(r->now[0].kind, 0);
        assert_int_equal(r->now[0].wait, -1);
        assert_int_equal(w->p->waits.list[i].n_waiting, 0);
        /* what nothing moves in is not written each second */
        w->p->dirty = false;
        w->now += 1000000000;
        assert_int_equal(process_tick(w->p, w->now, &why), 0);
        assert_false(w->p->dirty);
}

static void a_thread_that_dies_in_a_wait_is_seen_in_it(void **state)
{
        struct world *w = *state;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x77, 0, 0, 0);
        fake_wait_begin(&w->f, 0, i);
        fake_wait_begin(&w->f, 1, i);
        tick(w);
        fake_lane_end(&w->f, 1); /* ended, and so did its wait */
        process_end(w->p, RUNFILE_END_SIGNAL, 9, w->now);
        flush(w);
        assert_int_equal(read_file(w)->n_now, 2 - 1);
        assert_int_equal(read_file(w)->now[0].thread, 0);
        assert_int_equal(read_file(w)->now[0].kind, IFP_WAIT_COND);
}

/* ---- from second to second ---- */

static void what_moves_is_known_with_what_goes_on(void **state)
{
        struct world *w = *state;
        const struct wait *e;
        const struct thread *t;
        const struct wait_course *kind;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x77, 0, 0, 0);
        fake_waited(&w->f, i, 1000, 1);
        tick(w);
        fake_waited(&w->f, i, 300, 1);
        fake_waited(&w->f, i, 50, -1);
        tick(w);
        e = &w->p->waits.list[i];
        t = w->p->threads[0];
        kind = &w->p->kinds[IFP_WAIT_COND];
        assert_int_equal(e->course.count_at_tick - e->course.count_before, 2);
        assert_int_equal(e->course.ticks_at_tick - e->course.ticks_before, 350);
        assert_int_equal(e->by_moved[0], 300);
        assert_int_equal(t->course.waited[IFP_WAIT_COND], 350);
        assert_int_equal(kind->count_at_tick - kind->count_before, 2);
        fake_wait_begin(&w->f, 0, i);
        usleep(1000);
        tick(w);
        assert_true(t->course.waited[IFP_WAIT_COND] > 100000);
        assert_int_equal(kind->count_at_tick - kind->count_before, 0);
        /* it turns out shorter than it looked: nothing moved, and nothing runs backwards */
        fake_wait_end(&w->f, 0);
        fake_waited(&w->f, i, 5, -1);
        tick(w);
        assert_int_equal(t->course.waited[IFP_WAIT_COND], 0);
        assert_int_equal(kind->count_at_tick - kind->count_before, 1);
}

static void a_thread_that_came_and_went_has_moved(void **state)
{
        struct world *w = *state;
        const struct wait_course *kind = &w->p->kinds[IFP_WAIT_COND];
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        tick(w);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 1, IFP_WAIT_COND, 0x77, 0, 0, 0);
        fake_waited(&w->f, i, 300, 0);
        fake_lane_end(&w->f, 1);
        tick(w);
        assert_int_equal(kind->count_at_tick - kind->count_before, 1);
        assert_int_equal(kind->ticks_at_tick - kind->ticks_before, 300);
        tick(w);
        assert_int_equal(kind->count_at_tick - kind->count_before, 0);
        assert_int_equal(kind->ticks_at_tick - kind->ticks_before, 0);
}

static void a_lane_that_is_new_since_is_waited_for(void **state)
{
        struct world *w = *state;
        const char *why;
        uint32_t i;

        tick(w);
        fake_lane_begin(&w->f, 6, 100); /* seven lanes, and no round since */
        i = fake_wait(&w->f, 6, IFP_WAIT_COND, 0x77, 0, 0, 0);
        fake_waited(&w->f, i, 1000, -1);
        w->now += 1000000000;
        assert_int_equal(process_tick(w->p, w->now, &why), 0);
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->n_waits, 1);
        assert_int_equal(read_file(w)->waits[0].thread, 0);
}

/* ---- spawns ---- */

static void a_site_has_its_spawns(void **state)
{
        struct world *w = *state;
        uint32_t stack = fake_stack(&w->f, w->op, IFP_PHASE_DECODE, &address, 1), a, b;
        const struct rows *r;

        a = fake_site(&w->f, IFP_SPAWN_THREAD, 0x1010, stack, w->op, IFP_PHASE_DECODE);
        b = fake_site(&w->f, IFP_SPAWN_OMP, 0x2020, 0, 0, 0);
        fake_spawn(&w->f, a, 500, 90000, 30000);
        fake_spawn(&w->f, a, 500, 90000, 30000);
        w->f.seg->sites[b].count = 5;
        w->f.seg->sites[b].team = 20;
        w->f.seg->sites[b].live = 1;
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_spawns, 2);
        assert_int_equal(r->spawns[a].kind, IFP_SPAWN_THREAD);
        assert_int_equal(r->spawns[a].op, w->op);
        assert_int_equal(r->spawns[a].phase, IFP_PHASE_DECODE);
        assert_string_equal(r->spawn_frames[a], "0");
        assert_int_equal(r->spawns[a].count, 2);
        assert_int_equal(r->spawns[a].peak, 1);
        assert_int_equal(r->spawns[a].ended, 2);
        assert_int_equal(r->spawns[a].cost_ns, 500);
        assert_int_equal(r->spawns[a].life_ns, 90000);
        assert_int_equal(r->spawns[a].cpu_ns, 60000);
        assert_int_equal(r->cost_middle[a], 2);
        assert_int_equal(r->life_middle[a], 2);
        assert_int_equal(r->spawns[b].kind, IFP_SPAWN_OMP);
        assert_int_equal(r->spawns[b].count, 5);
        assert_int_equal(r->spawns[b].team, 20);
        assert_int_equal(r->spawns[b].live, 1);
        assert_int_equal(r->n_stacks, 0);
}

/* ---- the end, and the next daemon ---- */

static void the_end_keeps_histograms(void **state)
{
        struct world *w = *state;
        uint32_t i, site = fake_site(&w->f, IFP_SPAWN_THREAD, 0x1010, 0, 0, 0);
        uint32_t stack = fake_stack(&w->f, w->op, 0, &address, 1);
        const struct rows *r;

        fake_lane_begin(&w->f, 0, 100);
        i = fake_wait(&w->f, 0, IFP_WAIT_BARRIER, 0x10, stack, 0, 0);
        fake_waited(&w->f, i, 1000, -1);
        tick(w);
        flush(w);
        fake_waited(&w->f, i, 1000, -1);
        fake_spawn(&w->f, site, 500, 90000, 1);
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_null(w->p->segment.map);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->waits[0].count, 2);
        assert_int_equal(r->middle[0], 2);
        assert_int_equal(r->waits[0].min_ns, 500);
        assert_int_equal(r->life_middle[0], 1);
        assert_int_equal(r->threads[0].count, 2);
        assert_null(w->p->waits.list[i].hist.blob); /* let go, */
        flush(w);
        r = read_file(w);
        assert_int_equal(r->middle[0], 2); /* and yet there */
        assert_int_equal(r->life_middle[0], 1);
        assert_string_equal(r->frames[0], "0");
}

static void a_cut_keeps_what_it_had(void **state)
{
        struct world *w = *state;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        i = fake_wait(&w->f, 0, IFP_WAIT_BARRIER, 0x10, 0, 0, 0);
        fake_waited(&w->f, i, 1000, -1);
        tick(w);
        process_cut(w->p, "a test");
        flush(w);
        assert_int_equal(read_file(w)->waits[0].count, 1);
        assert_int_equal(read_file(w)->middle[0], 1);
}

static void the_next_daemon_goes_on(void **state)
{
        struct world *w = *state;
        struct runfile *rf;
        const struct rows *r;
        const char *why;
        char *no = NULL;
        uint32_t i, k;

        fake_lane_begin(&w->f, 0, 100); /* the lane's first, and lives on */
        fake_lane_begin(&w->f, 1, 101);
        fake_lane_end(&w->f, 1);
        tick(w);
        fake_lane_begin(&w->f, 1, 102); /* the second, lives on */
        i = fake_wait(&w->f, 1, IFP_WAIT_COND, 0x10, 0, 0, 0);
        k = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x20, 0, 0, 0);
        fake_waited(&w->f, i, 1000, 0);
        fake_waited(&w->f, k, 1000, -1);
        fake_lane_begin(&w->f, 2, 103);
        fake_wait_begin(&w->f, 2, i);
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->n_now, 1);

        /* nobody watches, and one more comes and goes */
        fake_waited(&w->f, i, 1000, 0);
        fake_wait_end(&w->f, 2);
        fake_lane_end(&w->f, 2);
        process_free(w->p);
        attach(w, true);
        assert_int_equal(runfile_open(&rf, w->path, &no), 0);
        assert_int_equal(process_resume(w->p, rf, 0, &why), 0);
        runfile_close(rf);
        fake_waited(&w->f, i, 1000, 0);
        tick(w);
        flush(w);
        r = read_file(w);
        assert_int_equal(r->n_waits, 2);
        assert_int_equal(r->waits[0].count, 3);
        assert_int_equal(r->waits[0].thread, 2);
        assert_int_equal(r->waits[1].count, 1);
        assert_int_equal(r->waits[1].thread, 0);
        assert_int_equal(r->middle[0], 3);
        assert_int_equal(r->by[0].thread, 0);
        assert_int_equal(r->by[0].count, 3);
        assert_int_equal(r->n_threads, 3);
        assert_int_equal(r->threads[0].thread, 0);
        assert_int_equal(r->threads[0].count, 1);
        assert_int_equal(r->threads[1].thread, 2);
        assert_int_equal(r->threads[1].count, 2);
        assert_int_equal(r->threads[2].count, 1); /* while no daemon watched */
        assert_int_equal(r->now[0].kind, 0);
}

/* ---- lies ---- */

static void lie(struct world *w, void *word, size_t bytes, uint64_t value)
{
        uint64_t was = 0;
        const char *why;

        memcpy(&was, word, bytes);
        memcpy(word, &value, bytes);
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        memcpy(word, &was, bytes);
        tick(w);
}
#define LIE(word, value) lie(w, &(word), sizeof(word), value)

static void lies_are_caught(void **state)
{
        struct world *w = *state;
        struct ifp_segment *seg = w->f.seg;
        struct ifp_wait *e;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 1);
        fake_lane_begin(&w->f, 1, 2);
        i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x10, 0, w->op, 0);
        fake_waited(&w->f, i, 1000, 1);
        e = &seg->waits[i];
        tick(w);
        LIE(e->count, 0);
        LIE(e->ticks, 999);
        LIE(e->fold, seg->live.n_blocks + 1);
        LIE(e->by[0].lane, 8);
        LIE(e->by[0].op, w->op + 1);
        LIE(seg->live.n_waits, 1);
        LIE(seg->lanes[0].waits.count[IFP_WAIT_MUTEX], 0);
        LIE(seg->lanes[0].waits.ticks[IFP_WAIT_MUTEX], 1);
        seg->lanes[0].waits.since = 1;
        LIE(seg->lanes[0].waits.kind, IFP_N_WAIT_KINDS);
        LIE(seg->lanes[0].waits.entry, IFP_MAX_WAITS);
        LIE(seg->lanes[0].waits.by, 1ull | 1ull << 63);
        LIE(seg->lanes[0].waits.by, 1 | (uint64_t)seg->header.n_lanes << 32);
}

static void lies_of_a_new_entry_are_caught(void **state)
{
        struct world *w = *state;
        struct ifp_segment *seg = w->f.seg;
        const char *why;
        struct {
                size_t at, bytes;
                uint64_t value;
        } lies[] = {
#define FIELD(f, v) {offsetof(struct ifp_wait, f), sizeof(seg->waits[0].f), v}
                FIELD(kind, 0),
                FIELD(kind, IFP_N_WAIT_KINDS),
                FIELD(phase, IFP_N_PHASES),
                FIELD(op, w->op + 1u),
                FIELD(lane, 8),
                FIELD(lane, UINT16_MAX - 1),
                FIELD(stack, 1),
                FIELD(stack, UINT32_MAX),
        };
        uint32_t i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x10, 0, w->op, 0);
        struct ifp_wait was = seg->waits[i];

        fake_lane_begin(&w->f, 0, 1);
        for (size_t k = 0; k < sizeof(lies) / sizeof(lies[0]); k++) {
                memcpy((char *)&seg->waits[i] + lies[k].at, &lies[k].value, lies[k].bytes);
                assert_int_equal(look(w, &why), SEGMENT_E_BAD);
                assert_non_null(why);
                seg->waits[i] = was;
        }
        tick(w);
}

static void lies_of_a_site_are_caught(void **state)
{
        struct world *w = *state;
        struct ifp_site *s = &w->f.seg->sites[fake_site(&w->f, IFP_SPAWN_FORK, 16, 0, 0, 0)];
        struct ifp_site was = *s;
        const char *why;

        s->kind = IFP_N_SPAWN_KINDS;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->phase = IFP_N_PHASES;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->stack = 1;
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->op = (uint16_t)(w->op + 1);
        assert_int_equal(look(w, &why), SEGMENT_E_BAD);
        *s = was;
        tick(w);
        LIE(s->cost_fold, 1);
        LIE(s->life_fold, UINT32_MAX);
}

static void a_program_that_keeps_no_waits_has_none(void **state)
{
        struct world *w = *state;

        w->p->segment.header.flags = 0;
        fake_lane_begin(&w->f, 0, 100);
        w->f.seg->live.n_waits = 500; /* not even looked at */
        tick(w);
        flush(w);
        assert_int_equal(read_file(w)->n_waits, 0);
        assert_int_equal(w->p->waits.n, 0);
        assert_null(w->p->ledger);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_wait_becomes_a_row),
                CASE(an_entry_is_taken_when_it_is_complete),
                CASE(only_what_moved_is_written_again),
                CASE(waits_of_several_threads_are_nobodys),
                CASE(whom_it_waited_for_is_a_thread),
                CASE(a_place_may_go_to_another),
                CASE(threads_beyond_the_table_share_their_waits),
                CASE(a_wait_in_progress_is_told),
                CASE(whom_a_wait_in_progress_is_for),
                CASE(a_thread_that_dies_in_a_wait_is_seen_in_it),
                CASE(what_moves_is_known_with_what_goes_on),
                CASE(a_thread_that_came_and_went_has_moved),
                CASE(a_lane_that_is_new_since_is_waited_for),
                CASE(a_site_has_its_spawns),
                CASE(the_end_keeps_histograms),
                CASE(a_cut_keeps_what_it_had),
                CASE(the_next_daemon_goes_on),
                CASE(lies_are_caught),
                CASE(lies_of_a_new_entry_are_caught),
                CASE(lies_of_a_site_are_caught),
                CASE(a_program_that_keeps_no_waits_has_none),
        };

        return cmocka_run_group_tests_name("waits", tests, NULL, NULL);
}
