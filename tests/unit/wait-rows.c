/* SPDX-License-Identifier: MIT */
/* Rows are kept as they come, in the order of the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wait-rows.h"

static int collect_wait(const struct runfile_wait *row, void *userdata)
{
        struct wait_rows *r = userdata;

        snprintf(r->frames[r->n_waits], sizeof(r->frames[0]), "%s", row->frames);
        snprintf(r->libraries[r->n_waits], sizeof(r->libraries[0]), "%s",
                 row->object_library ? row->object_library : "-");
        r->middle[r->n_waits] = row->hist ? row->hist[ifp_hist_index(1000)] : 0;
        r->waits[r->n_waits++] = *row;
        return 0;
}

static int collect_spawn(const struct runfile_spawn *row, void *userdata)
{
        struct wait_rows *r = userdata;

        snprintf(r->spawn_frames[r->n_spawns], sizeof(r->spawn_frames[0]), "%s", row->frames);
        r->cost_middle[r->n_spawns] = row->cost_hist ? row->cost_hist[ifp_hist_index(500)] : 0;
        r->life_middle[r->n_spawns] = row->life_hist ? row->life_hist[ifp_hist_index(90000)] : 0;
        r->spawns[r->n_spawns++] = *row;
        return 0;
}

#define COLLECT(kind, array, count)                                                                \
        static int collect_##kind(const struct runfile_##kind *row, void *userdata)                \
        {                                                                                          \
                struct wait_rows *r = userdata;                                                    \
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
        ((struct wait_rows *)userdata)->n_stacks++;
        return 0;
}

static int count_frame(const struct runfile_frame *row, void *userdata)
{
        (void)row;
        ((struct wait_rows *)userdata)->n_frames++;
        return 0;
}

const struct wait_rows *wait_rows(const struct world *w)
{
        static struct wait_rows r;
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
