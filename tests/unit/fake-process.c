/* SPDX-License-Identifier: MIT */
/* What a test needs around a process; of what the process has, it asserts nothing. */
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
#include "fake-process.h"

struct world *world_new(uint32_t n_lanes)
{
        struct world *w = calloc(1, sizeof(*w));
        struct runfile_run row;
        char *why = NULL;
        int fd;

        assert_non_null(w);
        strcpy(w->path, "/tmp/test-process-XXXXXX");
        fd = mkstemp(w->path);
        assert_true(fd >= 0);
        close(fd);
        unlink(w->path);
        fake_new(&w->f, n_lanes);
        w->run = run_new("20261120-194500-1", "test", getpid(), clock_real_ns());
        run_describe(w->run, &row);
        assert_int_equal(runfile_create(&w->run->file, w->path, &row, &why), 0);
        return w;
}

int world_teardown(void **state)
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

void world_attach(struct world *w, bool adopted)
{
        struct segment s;
        const char *why = NULL;

        assert_int_equal(segment_open(&s, dup(w->f.fd), &why), 0);
        assert_int_equal(process_new(&w->p, &s, getpid(), -1, adopted, &w->scratch, &why), 0);
        w->p->heap.frames = frames_new();
        assert_non_null(w->p->heap.frames);
        frames_hurry(w->p->heap.frames); /* addresses lie nowhere: no name is waited for */
        if (w->ns_per_tick > 0) {
                w->p->clock.ns_per_tick = w->ns_per_tick;
                w->p->clock.refine_ticks = UINT64_MAX;
        }
        w->p->run = w->run;
        w->now = clock_mono_ns();
}

void world_resume(struct world *w)
{
        struct runfile *rf;
        const char *why;
        char *no = NULL;

        process_free(w->p);
        world_attach(w, true);
        assert_int_equal(runfile_open(&rf, w->path, &no), 0);
        assert_int_equal(process_resume(w->p, rf, 0, &why), 0);
        runfile_close(rf);
}

int world_look(struct world *w, const char **ret_why)
{
        uint64_t n, fullest;
        int r;

        *ret_why = NULL;
        w->now += 1000000000;
        r = process_round(w->p, w->now, &n, &fullest, ret_why);
        return r ? r : process_tick(w->p, w->now, ret_why);
}

void world_tick(struct world *w)
{
        const char *why;

        assert_int_equal(world_look(w, &why), 0);
}

void world_flush(struct world *w)
{
        char *why = NULL;

        w->p->dirty = true;
        assert_int_equal(flush_run(w->run, w->p, &why), 0);
}

void world_lie(struct world *w, void *word, size_t bytes, uint64_t value)
{
        uint64_t was = 0;
        const char *why;

        memcpy(&was, word, bytes);
        memcpy(word, &value, bytes);
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        memcpy(word, &was, bytes);
        world_tick(w);
}
