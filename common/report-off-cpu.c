/* SPDX-License-Identifier: MIT */
/*
 * Time off the CPU by stack, where the kernel's view was asked for it. Rows of several processes
 * stay apart: what is drawn of them is merged there.
 */
#include "common/report-work-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <infprof/kernel.h>

#include "common/cleanup.h"
#include "common/report-private.h"

#define LOOP 8 /* so many times the same, outermost */

struct off_row {
        json_t *o;
        uint64_t total_ns;
};

struct off_cpu {
        struct work *w;
        struct off_row *at;
        size_t n, room;
};

/* What the thread was off the CPU for; the last: it would have gone on. */
static const char *const blocks[IFP_N_BLOCK_KINDS + 1] = {"futex", "io",    "fault",    "sleep",
                                                          "poll",  "other", "preempted"};

/*
 * A chain of frame pointers that leads back to itself, as where a function uses that register for
 * something else, is one frame over and over up to the bound: no more is known of it than the once.
 */
static size_t without_loop(const uint32_t *frames, size_t n)
{
        size_t run = 1;

        while (run < n && frames[n - 1 - run] == frames[n - 1])
                run++;
        return run < LOOP ? n : n - run + 1;
}

/*
 * Such a chain may also lead to what is no address at all; what lies outside of that is nothing to
 * go by, either. On x86-64 and aarch64 the addresses of a process end below this.
 */
#define ADDRESSES_END (1ull << 56)

static size_t without_strays(const struct frames *all, const uint32_t *frames, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct frame *f = &all->at[frames[i]];

                if (!f->function && !f->library && f->offset >= ADDRESSES_END)
                        return i;
        }
        return n;
}

static bool starts_with(const char *s, const char *prefix)
{
        return !strncmp(s, prefix, strlen(prefix));
}

/* Does a thread begin here? Libraries of C have no names for where they call it from. */
static bool is_start(const json_t *frame, bool is_innermost)
{
        static const char *const names[] = {"main", "start_thread", "clone", "thread_start"};
        const char *function = json_string_value(json_object_get(frame, "function"));
        const char *library = json_string_value(json_object_get(frame, "library"));
        const char *slash = library ? strrchr(library, '/') : NULL;

        for (size_t i = 0; function && i < sizeof(names) / sizeof(*names); i++)
                if (!strcmp(function, names[i]))
                        return true;
        if (function && (starts_with(function, "_start") || starts_with(function, "__libc_") ||
                         starts_with(function, "clone3") || starts_with(function, "__clone")))
                return true;
        return slash && !is_innermost &&
               (starts_with(slash, "/libc.") || starts_with(slash, "/libpthread"));
}

/* Nothing is known of the address, so it may be none: frame pointers lead anywhere where there are
 * none. Code that a runtime generated has a name, from its list. */
static bool is_nowhere(const json_t *frame)
{
        const char *library = json_string_value(json_object_get(frame, "library"));

        return library && !strcmp(library, "[jit]") &&
               !json_is_string(json_object_get(frame, "function"));
}

static json_t *unknown(void)
{
        return json_pack("{s:n, s:s, s:i, s:n, s:n, s:b}", "function", "library", "[unknown]",
                         "offset", 0, "file", "line", "inlined", 0);
}

/* What is not known of a stack stands there as one frame, so that it is not taken for whole. */
static json_t *build_stack(struct frames *f, const uint32_t *ids, size_t n)
{
        json_t *all = frames_build(f, ids, n), *stack = json_array();
        bool was_unknown = false, is_innermost = true;
        size_t i;

        for (i = 0; i < n; i++) {
                json_t *frame = json_array_get(all, i);
                bool nowhere = is_nowhere(frame);

                if (!nowhere)
                        json_array_append(stack, frame);
                else if (!was_unknown)
                        json_array_append_new(stack, unknown());
                was_unknown = nowhere;
                /* those that are inlined are of the same address */
                is_innermost &= i + 1 >= n || json_is_true(json_object_get(frame, "inlined"));
        }
        if (!was_unknown && (!n || !is_start(json_array_get(all, n - 1), is_innermost)))
                json_array_append_new(stack, unknown());
        json_decref(all);
        return stack;
}

static int add(const struct runfile_off_cpu *row, void *userdata)
{
        struct off_cpu *all = userdata;
        struct work *w = all->w;
        const struct model_op *op = row->op ? model_op(&w->model, row->process, row->op) : NULL;
        _cleanup_(freep) uint32_t *frames = NULL;
        struct off_row *to;
        size_t n = 0;
        json_t *o;
        int r;

        if (work_process(w, "off_cpu", row->process) == NONE)
                return RUNFILE_E_FOREIGN;
        if (row->op && !op)
                return work_dangling(w, "off_cpu", "op", row->process, row->op);
        r = frames_read(&w->frames, w->rf, "off_cpu", row->process, row->stack, row->frames,
                        &frames, &n, &w->why);
        if (r)
                return r;
        n = without_loop(frames, without_strays(&w->frames, frames, n));
        to = GROW(&all->at, &all->n, &all->room);
        if (!to)
                return -ENOMEM;
        o = json_object();
        report_set(o, "block", json_string(blocks[row->block]));
        report_set(o, "op", report_text(op ? op->name : NULL));
        report_set(o, "phase", json_string(report_phase_names[row->phase]));
        report_set(o, "frames", build_stack(&w->frames, frames, n));
        report_set(o, "count", report_integer(row->count));
        report_set(o, "total_ns", report_integer(row->total_ns));
        *to = (struct off_row){o, row->total_ns};
        return 0;
}

static int compare(const void *a, const void *b)
{
        const struct off_row *p = a, *q = b;

        return (p->total_ns < q->total_ns) - (p->total_ns > q->total_ns);
}

int work_off_cpu(struct work *w, json_t **ret)
{
        struct off_cpu all = {.w = w};
        json_t *array = json_array();
        int r = runfile_each_off_cpu(w->rf, add, &all);

        if (!r && all.n)
                qsort(all.at, all.n, sizeof(*all.at), compare);
        for (size_t i = 0; i < all.n; i++)
                json_array_append_new(array, all.at[i].o);
        free(all.at);
        if (r)
                json_decref(array);
        else
                *ret = array;
        return r;
}
