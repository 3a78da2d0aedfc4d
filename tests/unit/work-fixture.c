/* SPDX-License-Identifier: MIT */
/*
 * First what writes the rows of one table each, then the whole, then the ways. It is as long as
 * their figures are many: they stand here and nowhere else.
 */
#include "work-fixture.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <infprof/segment.h>

#include "common/runfile.h"

#define SECOND   1000000000ull
#define MS       1000000ull
#define US       1000ull
#define NOT_TOLD RUNFILE_NOT_TOLD

const char *const work_fixture_names[N_WORK_FIXTURES] = {
        "whole",  "lone",   "healthy", "pinned", "fine",    "crowded", "uneven",
        "convoy", "ousted", "small",   "bare",   "passing", "stamped", "shared"};

enum { OP_TOKEN = 2, OP_GRAPH = 3, OP_MUL_MAT = 4, OP_SOFTMAX = 5, OP_BARRIER = 6 };
enum { FRAME_LOCK, FRAME_TAKE, FRAME_BARRIER, FRAME_COMPUTE, FRAME_CREATE, FRAME_MAIN, N_FRAMES };

static const char engine[] = "/opt/engine/engine", ggml[] = "/opt/engine/libggml-cpu.so";
static const char libc[] = "/usr/lib/libc.so.6";

static const struct runfile_frame frames[N_FRAMES] = {
        {.function = "pthread_mutex_lock", .library = libc, .offset = 0x10},
        {.function = "take_request", .library = engine, .offset = 0x20, .file = "q.c", .line = 7},
        {.function = "ggml_barrier", .library = ggml, .offset = 0x30},
        {.function = "ggml_graph_compute", .library = ggml, .offset = 0x40},
        {.function = "pthread_create", .library = libc, .offset = 0x50},
        {.function = "main", .library = engine, .offset = 0x60},
};

static void hist_set(uint64_t *hist, uint64_t ns, uint64_t n)
{
        hist[ifp_hist_index(ns)] += n;
}

#define NO_WAITS 2001u /* spans of the process that kept none */

/* ---- what all have in common ---- */

static int put_process(struct runfile *rf, uint32_t index, uint64_t tokens, uint64_t spans)
{
        static const char *const uuids[] = {"00000000000000000000000000006001",
                                            "00000000000000000000000000006002"};
        struct runfile_process p = {
                .index = index,
                .uuid = uuids[index],
                .pid = 6001 + 100 * index,
                .ppid = 6000,
                .command = "./engine",
                .exe = engine,
                .started_at_ns = 1795251600 * SECOND,
                .duration_ns = 2 * SECOND,
                .ticks_per_second = SECOND,
                .end = RUNFILE_END_CODE,
                .waits = spans != NO_WAITS,
                .spans = spans,
                .generated_tokens = tokens,
        };
        static const struct runfile_op ops[] = {
                {.op = 0, .name = "not in any op"},
                {.op = OP_TOKEN, .name = "token", .kind = IFP_KIND_TOKEN},
                {.op = OP_GRAPH, .name = "graph", .kind = IFP_KIND_GRAPH, .library = ggml},
                {.op = OP_MUL_MAT, .name = "MUL_MAT", .kind = IFP_KIND_NODE, .library = ggml},
                {.op = OP_SOFTMAX, .name = "SOFT_MAX", .kind = IFP_KIND_NODE, .library = ggml},
                {.op = OP_BARRIER, .name = "ggml_barrier", .kind = IFP_KIND_WAIT, .library = ggml},
        };
        int r = runfile_put_process(rf, &p);

        for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
                struct runfile_op op = ops[i];

                op.process = index;
                r |= runfile_put_op(rf, &op);
        }
        for (uint32_t i = 0; i < N_FRAMES; i++) {
                struct runfile_frame f = frames[i];

                f.process = index;
                f.frame = index ? N_FRAMES - 1 - i : i; /* other numbers in the other process */
                r |= runfile_put_frame(rf, &f);
        }
        return r;
}

static struct runfile_thread a_thread(uint32_t thread, const char *name, int64_t site)
{
        struct runfile_thread t = {
                .thread = thread,
                .tid = 6001 + thread,
                .parent_tid = thread ? 6001 : 0,
                .name = name,
                .ended_ns = UINT64_MAX,
                .site = site,
                .cpu_ns = NOT_TOLD,
                .running_ns = NOT_TOLD,
                .runnable_ns = NOT_TOLD,
                .fault_ns = NOT_TOLD,
                .syscall_ns = NOT_TOLD,
                .voluntary = NOT_TOLD,
                .involuntary = NOT_TOLD,
                .migrations = NOT_TOLD,
                .minor_faults = NOT_TOLD,
                .major_faults = NOT_TOLD,
                .syscalls = NOT_TOLD,
                .cpu = NOT_TOLD,
        };

        for (int i = 0; i < IFP_N_BLOCK_KINDS; i++)
                t.blocked_ns[i] = NOT_TOLD;
        return t;
}

static int put_op(struct runfile *rf, uint32_t thread, uint32_t op, uint64_t calls, uint64_t ns)
{
        return runfile_put_thread_op(rf, &(struct runfile_thread_op){.thread = thread,
                                                                     .op = op,
                                                                     .phase = IFP_PHASE_DECODE,
                                                                     .timed = calls,
                                                                     .total_ns = ns,
                                                                     .min_ns = UINT64_MAX});
}

/* The time of the barrier's own op: self times of others are without it. */
static int put_barrier_op(struct runfile *rf, uint64_t calls, uint64_t ns)
{
        return runfile_put_op_phase(rf, &(struct runfile_op_phase){.op = OP_BARRIER,
                                                                   .phase = IFP_PHASE_DECODE,
                                                                   .timed = calls,
                                                                   .total_ns = ns,
                                                                   .min_ns = UINT64_MAX});
}

static int put_wait(struct runfile *rf, struct runfile_wait w)
{
        static uint64_t hist[IFP_HIST_BUCKETS];

        memset(hist, 0, sizeof(hist));
        if (w.count)
                hist_set(hist, w.total_ns / w.count, w.count);
        w.hist = hist;
        w.frames = w.frames ? w.frames : "";
        if (!w.min_ns)
                w.min_ns = UINT64_MAX;
        return runfile_put_wait(rf, &w);
}

/* At the barrier that spins, after MUL_MAT; wait `1 + thread`. */
static struct runfile_wait a_meeting(uint32_t thread, uint64_t count, uint64_t total_ns,
                                     uint64_t last)
{
        return (struct runfile_wait){.wait = 1 + thread,
                                     .kind = IFP_WAIT_BARRIER,
                                     .op = OP_MUL_MAT,
                                     .phase = IFP_PHASE_DECODE,
                                     .thread = thread,
                                     .object = 0x7000,
                                     .spins = true,
                                     .frames = "2,3",
                                     .count = count,
                                     .total_ns = total_ns,
                                     .last = last};
}

static int put_by(struct runfile *rf, uint32_t wait, uint32_t slot, int64_t thread, uint64_t count,
                  uint64_t ns)
{
        return runfile_put_wait_by(
                rf, &(struct runfile_wait_by){0, wait, slot, thread, OP_MUL_MAT, count, ns});
}

static int put_kernel(struct runfile *rf, uint32_t view, uint64_t cpus)
{
        static uint64_t run_queue[IFP_HIST_BUCKETS], io[IFP_HIST_BUCKETS];
        struct runfile_kernel k = {
                .view = view,
                .cpus = cpus,
                .why = view == RUNFILE_VIEW_BPF ? NULL : "no capability CAP_BPF",
        };

        if (view == RUNFILE_VIEW_BPF) {
                memset(run_queue, 0, sizeof(run_queue));
                memset(io, 0, sizeof(io));
                hist_set(run_queue, 100, 900);
                hist_set(run_queue, 50000, 100);
                hist_set(io, 40000, 10);
                k.events = 100000;
                k.cost_ns = 10 * MS;
                k.io_count = 10;
                k.io_bytes = 40960;
                k.io_ns = 400000;
                k.load_io_count = 8;
                k.load_io_bytes = 32768;
                k.load_io_ns = 320000;
                k.run_queue_hist = run_queue;
                k.io_hist = io;
        }
        return runfile_put_kernel(rf, &k);
}

/* Rows in us of a step, as often as there are steps: each is like the other. */
static int put_ledger(struct runfile *rf, uint64_t steps, bool kernel,
                      const uint64_t rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER])
{
        static uint64_t hist[IFP_HIST_BUCKETS];
        uint64_t wall[IFP_N_LEDGER_WHO] = {0};
        int r = 0;

        for (uint32_t who = 0; who < IFP_N_LEDGER_WHO; who++)
                for (uint32_t row = 0; row < IFP_N_LEDGER; row++) {
                        uint64_t ns = rows[who][row] * US;

                        memset(hist, 0, sizeof(hist));
                        hist_set(hist, ns, steps);
                        wall[who] += ns;
                        r |= runfile_put_ledger_row(
                                rf, &(struct runfile_ledger_row){.who = who,
                                                                 .row = row,
                                                                 .total_ns = ns * steps,
                                                                 .hist = hist});
                }
        memset(hist, 0, sizeof(hist));
        hist_set(hist, wall[IFP_LEDGER_OWN], steps);
        r |= runfile_put_ledger(rf,
                                &(struct runfile_ledger){.steps = steps,
                                                         .tokens = steps,
                                                         .wall_ns = wall[IFP_LEDGER_OWN] * steps,
                                                         .all_ns = wall[IFP_LEDGER_ALL] * steps,
                                                         .kernel = kernel,
                                                         .hist = hist});
        return r;
}

static int put_ledger_thread(struct runfile *rf, uint32_t thread, uint64_t steps, uint32_t row,
                             uint64_t us)
{
        return runfile_put_ledger_thread(
                rf, &(struct runfile_ledger_thread){0, thread, row, us * US * steps, steps});
}

static int put_site(struct runfile *rf, uint32_t site, const char *function, uint64_t count)
{
        return runfile_put_site(rf, &(struct runfile_site){0, site, function, engine, 0x60, count});
}

static int put_spawn(struct runfile *rf, struct runfile_spawn s)
{
        static uint64_t cost[IFP_HIST_BUCKETS], life[IFP_HIST_BUCKETS];

        memset(cost, 0, sizeof(cost));
        memset(life, 0, sizeof(life));
        if (s.count)
                hist_set(cost, s.cost_ns / s.count, s.count);
        if (s.ended)
                hist_set(life, s.life_ns / s.ended, s.ended);
        s.cost_hist = cost;
        s.life_hist = life;
        s.frames = s.frames ? s.frames : "4,5";
        return runfile_put_spawn(rf, &s);
}

/* ---- the whole: 100 tokens of 10 ms ---- */

static int put_slow(struct runfile *rf)
{
        /* it took 40 ms: 30 more, of which 25 in page faults */
        static const uint64_t own[IFP_N_LEDGER] = {
                [IFP_LEDGER_COMPUTE] = 9000, [IFP_LEDGER_BARRIER] = 3000,
                [IFP_LEDGER_LOCK] = 500,     [IFP_LEDGER_RUNNABLE] = 1300,
                [IFP_LEDGER_FAULT] = 25100,  [IFP_LEDGER_SYSCALL] = 100,
                [IFP_LEDGER_ALLOC] = 100,    [IFP_LEDGER_OUTSIDE] = 700,
                [IFP_LEDGER_PROFILER] = 100, [IFP_LEDGER_UNACCOUNTED] = 90};
        int r = runfile_put_slow_token(rf, &(struct runfile_slow_token){.slot = 3,
                                                                        .number = 42,
                                                                        .start_ns = SECOND,
                                                                        .wall_ns = 40 * MS,
                                                                        .all_ns = 100 * MS,
                                                                        .tokens = 1,
                                                                        .threads = 3,
                                                                        .allocs = 8,
                                                                        .alloc_bytes = 808,
                                                                        .spawns = 0,
                                                                        .waits = 15,
                                                                        .voluntary = 20,
                                                                        .involuntary = 3,
                                                                        .migrations = 0,
                                                                        .minor_faults = 6000,
                                                                        .major_faults = 0,
                                                                        .syscalls = 40});

        /* 10 us short of the wall time: rounding, and it is made whole */
        for (uint32_t i = 0; i < IFP_N_LEDGER; i++)
                r |= runfile_put_slow_token_row(
                        rf, &(struct runfile_slow_token_row){0, 3, IFP_LEDGER_OWN, i, own[i] * US});
        return r;
}

static int put_whole_kernel(struct runfile *rf)
{
        static uint64_t hist[IFP_HIST_BUCKETS];
        int r = put_kernel(rf, RUNFILE_VIEW_BPF, 2);

        memset(hist, 0, sizeof(hist));
        hist_set(hist, 2000, 99);
        hist_set(hist, 500000, 1);
        r |= runfile_put_syscall(rf,
                                 &(struct runfile_syscall){0, 202, 100, 698000, 501000, 3, hist});
        r |= runfile_put_syscall(rf, &(struct runfile_syscall){0, 9999, 1, 5000, 5000, 0, NULL});
        r |= runfile_put_preempt(rf,
                                 &(struct runfile_preempt){0, 0, 77, "cc1\xff", false, 20, 8 * MS});
        r |= runfile_put_preempt(
                rf, &(struct runfile_preempt){0, 1, 6001, "engine", true, 30, 30 * MS});
        r |= runfile_put_preempt(rf, &(struct runfile_preempt){0, 2, 0, NULL, false, 5, MS});
        r |= runfile_put_kernel_op(rf, &(struct runfile_kernel_op){0, OP_MUL_MAT, IFP_PHASE_DECODE,
                                                                   50 * MS, 0, 5 * MS, 1000, 0, 100,
                                                                   MS, 500});
        r |= runfile_put_kernel_op(rf, &(struct runfile_kernel_op){0, 0, IFP_PHASE_LOAD, MS,
                                                                   90 * MS, MS, 10, 5, 60, MS, 20});
        return r;
}

static int put_whole_threads(struct runfile *rf)
{
        static const char *const names[] = {"engine", "pool\xff", "io"};
        int r = 0;

        for (uint32_t i = 0; i < 3; i++) {
                struct runfile_thread t = a_thread(i, names[i], i ? (int64_t)i - 1 : -1);

                t.spans = i < 2 ? 1500 : 0;
                t.cpu_ns = i < 2 ? 900 * MS : 2 * MS;
                t.running_ns = i < 2 ? 890 * MS : 2 * MS;
                t.runnable_ns = i < 2 ? 40 * MS : MS;
                t.fault_ns = 10 * MS;
                t.syscall_ns = 10 * MS;
                t.voluntary = 500;
                t.involuntary = i < 2 ? 25 : 0;
                t.migrations = 7;
                t.minor_faults = 1000;
                t.major_faults = 0;
                t.syscalls = 100;
                t.cpu = i % 2;
                for (int k = 0; k < IFP_N_BLOCK_KINDS && i < 2; k++)
                        t.blocked_ns[k] = k == IFP_BLOCK_FUTEX ? 60 * MS : 0;
                r |= runfile_put_thread(rf, &t);
        }
        r |= put_op(rf, 0, OP_TOKEN, 100, SECOND) | put_op(rf, 0, OP_MUL_MAT, 1000, 550 * MS) |
             put_op(rf, 0, OP_SOFTMAX, 500, 50 * MS) | put_op(rf, 1, OP_MUL_MAT, 1000, 750 * MS) |
             put_op(rf, 1, OP_SOFTMAX, 500, 30 * MS);
        r |= runfile_put_thread_wait(
                rf, &(struct runfile_thread_wait){0, 0, IFP_WAIT_BARRIER, 900, 180 * MS});
        r |= runfile_put_thread_wait(
                rf, &(struct runfile_thread_wait){0, 0, IFP_WAIT_MUTEX, 200, 50 * MS});
        r |= runfile_put_thread_wait(
                rf, &(struct runfile_thread_wait){0, 1, IFP_WAIT_BARRIER, 100, 20 * MS});
        r |= runfile_put_thread_wait(
                rf, &(struct runfile_thread_wait){0, 2, IFP_WAIT_COND, 10, 700 * MS});
        r |= runfile_put_wait_now(rf, &(struct runfile_wait_now){0, 0, 0, 0, 0, 0, -1, -1});
        r |= runfile_put_wait_now(rf, &(struct runfile_wait_now){0, 2, IFP_WAIT_COND, 0x5000,
                                                                 800 * MS, 1200 * MS, 4, 0});
        return r;
}

static int put_whole_waits(struct runfile *rf)
{
        struct runfile_wait first = a_meeting(0, 900, 180 * MS, 100),
                            second = a_meeting(1, 100, 20 * MS, 900);
        int r = put_barrier_op(rf, 1000, 200 * MS);

        first.min_ns = second.min_ns = 1000;
        first.max_ns = 900 * US;
        second.max_ns = 300 * US;
        r |= put_wait(rf, first) | put_by(rf, 1, 0, 1, 900, 180 * MS);
        r |= put_wait(rf, second) | put_by(rf, 2, 0, 0, 100, 20 * MS);
        r |= put_wait(rf, (struct runfile_wait){.wait = 3,
                                                .kind = IFP_WAIT_MUTEX,
                                                .phase = IFP_PHASE_DECODE,
                                                .thread = 0,
                                                .object = 0x404040,
                                                .object_library = engine,
                                                .object_offset = 0x40,
                                                .frames = "0,1,5",
                                                .count = 200,
                                                .total_ns = 50 * MS,
                                                .min_ns = 10 * US,
                                                .max_ns = 2 * MS,
                                                .left = 1,
                                                .unknown = 30,
                                                .unknown_ns = 5 * MS,
                                                .others = 20,
                                                .others_ns = 5 * MS});
        r |= put_by(rf, 3, 0, 2, 150, 40 * MS);
        r |= put_wait(rf, (struct runfile_wait){.wait = 4,
                                                .kind = IFP_WAIT_COND,
                                                .thread = 2,
                                                .object = 0x5000,
                                                .one = true,
                                                .frames = "5",
                                                .count = 10,
                                                .total_ns = 700 * MS,
                                                .timeouts = 2});
        /* the same place in the other process */
        r |= put_wait(rf, (struct runfile_wait){.process = 1,
                                                .wait = 1,
                                                .kind = IFP_WAIT_MUTEX,
                                                .phase = IFP_PHASE_DECODE,
                                                .thread = 0,
                                                .object = 0x404040,
                                                .shared = true,
                                                .frames = "5,4,0",
                                                .count = 50,
                                                .total_ns = 10 * MS,
                                                .min_ns = 200 * US,
                                                .max_ns = 200 * US});
        r |= runfile_put_thread_wait(
                rf, &(struct runfile_thread_wait){1, 0, IFP_WAIT_MUTEX, 50, 10 * MS});
        return r;
}

static int put_whole(struct runfile *rf)
{
        static const uint64_t rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER] = {
                {6000, 2000, 500, 0, 300, 100, 100, 100, 0, 700, 100, 100},
                {8000, 100, 500, 0, 300, 100, 100, 100, 0, 700, 100, 0},
                {13800, 3700, 500, 10000, 800, 100, 100, 100, 0, 700, 100, 100}};
        struct runfile_thread other = a_thread(0, "engine", -1);
        int r = put_process(rf, 0, 100, 3000) | put_process(rf, 1, 0, 10);

        other.process = 1;
        other.tid = 6101;
        r |= runfile_put_thread(rf, &other);
        r |= put_site(rf, 0, "make_pool", 1) | put_site(rf, 1, NULL, 1) |
             put_site(rf, 2, "fork_it", 1);
        r |= put_spawn(rf,
                       (struct runfile_spawn){
                               .site = 0, .count = 1, .live = 1, .peak = 1, .cost_ns = 30 * US});
        r |= put_spawn(rf, (struct runfile_spawn){.site = 1,
                                                  .count = 1,
                                                  .live = 1,
                                                  .peak = 1,
                                                  .cost_ns = 20 * US,
                                                  .frames = ""});
        r |= put_spawn(rf,
                       (struct runfile_spawn){
                               .site = 2, .kind = IFP_SPAWN_FORK, .count = 1, .cost_ns = 400 * US});
        r |= put_whole_threads(rf) | put_whole_waits(rf) | put_whole_kernel(rf);
        r |= put_ledger(rf, 100, true, rows) | put_slow(rf);
        r |= put_ledger_thread(rf, 0, 100, IFP_LEDGER_COMPUTE, 6000) |
             put_ledger_thread(rf, 0, 100, IFP_LEDGER_BARRIER, 2000) |
             put_ledger_thread(rf, 1, 100, IFP_LEDGER_COMPUTE, 7800);
        r |= runfile_put_note(rf, &(struct runfile_note){0, "a note"});
        return r;
}

/* ---- ways to cut the work: 200 tokens each ---- */

#define TOKENS 200

struct team {
        uint32_t threads;
        uint64_t cpus, running_ms, runnable_ms; /* of a thread */
        uint64_t migrations;                    /* of a thread */
        uint64_t compute_us[8];                 /* a token, of each */
        bool barrier;                           /* that spins, after each of 10 MUL_MAT a token */
        uint64_t wait_us[8];                    /* a token at it, of each */
        uint64_t last[8];                       /* of 10 a token */
};

static int put_team(struct runfile *rf, const struct team *t)
{
        uint64_t waits = 0;
        int r = put_kernel(rf, RUNFILE_VIEW_BPF, t->cpus);

        r |= put_site(rf, 0, "make_pool", t->threads - 1);
        if (t->threads > 1)
                r |= put_spawn(rf, (struct runfile_spawn){.site = 0,
                                                          .phase = IFP_PHASE_LOAD,
                                                          .count = t->threads - 1,
                                                          .live = t->threads - 1,
                                                          .peak = t->threads - 1,
                                                          .cost_ns = 20 * US * (t->threads - 1)});
        for (uint32_t i = 0; i < t->threads; i++) {
                struct runfile_thread row = a_thread(i, i ? "pool" : "engine", i ? 0 : -1);
                uint64_t count = (10 - t->last[i]) * TOKENS, ns = t->wait_us[i] * US * TOKENS;

                row.running_ns = t->running_ms * MS;
                row.runnable_ns = t->runnable_ms * MS;
                row.migrations = t->migrations;
                for (int k = 0; k < IFP_N_BLOCK_KINDS; k++) /* the rest of its 2 s */
                        row.blocked_ns[k] = k == IFP_BLOCK_FUTEX
                                                    ? 2 * SECOND - row.running_ns - row.runnable_ns
                                                    : 0;
                r |= runfile_put_thread(rf, &row);
                r |= put_op(rf, i, OP_MUL_MAT, 10 * TOKENS, t->compute_us[i] * US * TOKENS);
                r |= put_ledger_thread(rf, i, TOKENS, IFP_LEDGER_COMPUTE, t->compute_us[i]);
                if (!t->barrier)
                        continue;
                waits += t->wait_us[i];
                r |= put_wait(rf, a_meeting(i, count, ns, t->last[i] * TOKENS));
                r |= runfile_put_thread_wait(
                        rf, &(struct runfile_thread_wait){0, i, IFP_WAIT_BARRIER, count, ns});
                for (uint32_t k = 0; k < t->threads; k++)
                        if (k != i && t->last[k] && t->wait_us[i] && k < IFP_WAIT_BY + i)
                                r |= put_by(rf, 1 + i, k % IFP_WAIT_BY, k, t->last[k] * TOKENS,
                                            ns * t->last[k] / 10);
        }
        r |= put_op(rf, 0, OP_TOKEN, TOKENS, MS * TOKENS);
        if (t->barrier)
                r |= put_barrier_op(rf, 10 * TOKENS, waits * US * TOKENS);
        return r;
}

/* What a team of a pool makes of a token, 1 ms unless they have too much or too little to do. */
static const struct way {
        struct team team;
        uint64_t rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER]; /* us a token */
} ways[N_WORK_FIXTURES] = {
        [WORK_LONE] = {.team = {.threads = 1,
                                .cpus = 2,
                                .running_ms = 1900,
                                .runnable_ms = 5,
                                .migrations = 10,
                                .compute_us = {900},
                                .barrier = true},
                       .rows = {{900, 1, 0, 0, 2, 0, 0, 5, 0, 85, 5, 2},
                                {900, 1, 0, 0, 2, 0, 0, 5, 0, 85, 5, 2},
                                {900, 1, 0, 0, 2, 0, 0, 5, 0, 85, 5, 2}}},
        [WORK_STAMPED] = {.team = {.threads = 1,
                                   .cpus = 2,
                                   .running_ms = 1900,
                                   .runnable_ms = 5,
                                   .migrations = 10,
                                   .compute_us = {900},
                                   .barrier = true},
                          .rows = {{855, 1, 0, 0, 2, 0, 0, 5, 0, 85, 50, 2},
                                   {855, 1, 0, 0, 2, 0, 0, 5, 0, 85, 50, 2},
                                   {855, 1, 0, 0, 2, 0, 0, 5, 0, 85, 50, 2}}},
        [WORK_HEALTHY] = {.team = {.threads = 2,
                                   .cpus = 2,
                                   .running_ms = 1000,
                                   .runnable_ms = 10,
                                   .migrations = 20,
                                   .compute_us = {450, 450},
                                   .barrier = true,
                                   .wait_us = {20, 15},
                                   .last = {4, 6}},
                          .rows = {{450, 20, 0, 0, 3, 0, 0, 5, 0, 90, 5, 2},
                                   {465, 5, 0, 0, 3, 0, 0, 5, 0, 90, 5, 2},
                                   {900, 35, 0, 100, 6, 0, 0, 5, 0, 90, 7, 7}}},
        [WORK_CROWDED] = {.team = {.threads = 8,
                                   .cpus = 2,
                                   .running_ms = 450,
                                   .runnable_ms = 900,
                                   .migrations = 50,
                                   .compute_us = {115, 115, 115, 115, 115, 115, 115, 115},
                                   .barrier = true,
                                   .wait_us = {700, 700, 700, 700, 700, 700, 700, 700},
                                   .last = {2, 2, 1, 1, 1, 1, 1, 1}},
                          .rows = {{115, 700, 0, 0, 1090, 0, 0, 5, 0, 80, 5, 5},
                                   {400, 415, 0, 0, 1090, 0, 0, 5, 0, 80, 5, 5},
                                   {920, 5600, 0, 600, 8800, 0, 0, 5, 0, 80, 20, 15}}},
        [WORK_UNEVEN] = {.team = {.threads = 2,
                                  .cpus = 2,
                                  .running_ms = 1000,
                                  .runnable_ms = 10,
                                  .migrations = 20,
                                  .compute_us = {300, 900},
                                  .barrier = true,
                                  .wait_us = {600, 0},
                                  .last = {0, 10}},
                         .rows = {{300, 600, 0, 0, 3, 0, 0, 5, 0, 85, 5, 2},
                                  {900, 0, 0, 0, 3, 0, 0, 5, 0, 85, 5, 2},
                                  {1200, 600, 0, 100, 6, 0, 0, 5, 0, 85, 7, 7}}},
        [WORK_CONVOY] = {.team = {.threads = 4,
                                  .cpus = 4,
                                  .running_ms = 600,
                                  .runnable_ms = 10,
                                  .migrations = 20,
                                  .compute_us = {500, 500, 500, 500}},
                         .rows = {{500, 0, 400, 0, 3, 0, 0, 5, 0, 85, 5, 2},
                                  {900, 0, 0, 0, 3, 0, 0, 5, 0, 85, 5, 2},
                                  {2000, 0, 1600, 280, 12, 0, 0, 5, 0, 85, 9, 9}}},
        [WORK_OUSTED] = {.team = {.threads = 2,
                                  .cpus = 2,
                                  .running_ms = 1000,
                                  .runnable_ms = 300,
                                  .migrations = 20,
                                  .compute_us = {450, 450}},
                         .rows = {{450, 0, 0, 50, 300, 0, 0, 5, 0, 90, 5, 0},
                                  {450, 0, 0, 50, 300, 0, 0, 5, 0, 90, 5, 0},
                                  {900, 0, 0, 150, 650, 0, 0, 5, 0, 90, 5, 0}}},
        [WORK_SMALL] = {.team = {.threads = 2,
                                 .cpus = 2,
                                 .running_ms = 1000,
                                 .runnable_ms = 10,
                                 .migrations = 20,
                                 .compute_us = {20, 20},
                                 .barrier = true,
                                 .wait_us = {60, 60},
                                 .last = {5, 5}},
                        .rows = {{20, 60, 0, 0, 1, 0, 0, 1, 0, 10, 5, 3},
                                 {30, 50, 0, 0, 1, 0, 0, 1, 0, 10, 5, 3},
                                 {40, 120, 0, 20, 1, 0, 0, 1, 0, 10, 5, 3}}},
};

/* MUL_MAT of 16 x 2 by 16, f32, which two threads do together: 200 bytes. */
static int put_small_shape(struct runfile *rf)
{
        static const uint64_t extents[3][2] = {{2, 1}, {16, 2}, {16, 1}};
        int r = runfile_put_shape(
                rf, &(struct runfile_shape){.op = OP_MUL_MAT, .shape = 1, .parts = 2});

        for (uint32_t i = 0; i < 3; i++)
                r |= runfile_put_operand(rf, &(struct runfile_operand){.shape = 1,
                                                                       .position = i,
                                                                       .type = "f32",
                                                                       .block = 1,
                                                                       .block_bytes = 4,
                                                                       .ne0 = extents[i][0],
                                                                       .ne1 = extents[i][1],
                                                                       .ne2 = 1,
                                                                       .ne3 = 1});
        r |= runfile_put_op_phase(rf, &(struct runfile_op_phase){.op = OP_MUL_MAT,
                                                                 .phase = IFP_PHASE_DECODE,
                                                                 .timed = 2000,
                                                                 .total_ns = 4 * MS,
                                                                 .min_ns = 2 * US,
                                                                 .max_ns = 2 * US});
        return r |
               runfile_put_shape_phase(rf, &(struct runfile_shape_phase){.shape = 1,
                                                                         .phase = IFP_PHASE_DECODE,
                                                                         .calls = 2000,
                                                                         .total_ns = 4 * MS});
}

static int put_way(struct runfile *rf, enum work_fixture which)
{
        return (which == WORK_SMALL ? put_small_shape(rf) : 0) | put_process(rf, 0, TOKENS, 2000) |
               put_team(rf, &ways[which].team) | put_ledger(rf, TOKENS, true, ways[which].rows);
}

/* A thread that comes and goes, of the one place there is. */
static int put_short_lived(struct runfile *rf, uint32_t thread, const char *name, uint64_t made_ns,
                           uint64_t lives_ns, uint64_t calls, uint64_t ns)
{
        struct runfile_thread t = a_thread(thread, name, 0);

        t.started_ns = made_ns;
        t.ended_ns = made_ns + lives_ns;
        return runfile_put_thread(rf, &t) | put_op(rf, thread, OP_MUL_MAT, calls, ns);
}

/*
 * A token takes 10 ms, of which 0.9 are compute: the main thread's half, and the half of a thread
 * that was made for this token, and is on the same CPU; `n_rows` of these have a row of their own.
 * No kernel's view.
 */
static int put_a_thread_per_token(struct runfile *rf, uint32_t n_rows)
{
        static const uint64_t rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER] = {
                {450, 9300, 0, 0, 0, 0, 0, 5, 45, 190, 5, 5},
                {5000, 4750, 0, 0, 0, 0, 0, 5, 45, 190, 5, 5},
                {900, 18500, 0, 0, 0, 0, 0, 5, 45, 190, 5, 155}};
        struct runfile_thread t = a_thread(0, "engine", -1);
        int r = put_process(rf, 0, TOKENS, 2000) | put_kernel(rf, RUNFILE_VIEW_NONE, 1);

        r |= runfile_put_thread(rf, &t) | put_op(rf, 0, OP_TOKEN, TOKENS, 10 * MS * TOKENS) |
             put_op(rf, 0, OP_MUL_MAT, 10 * TOKENS, 450 * US * TOKENS);
        r |= put_ledger_thread(rf, 0, TOKENS, IFP_LEDGER_COMPUTE, 450);
        for (uint32_t i = 1; i <= n_rows; i++)
                r |= put_short_lived(rf, i, "engine", (i - 1) * 10 * MS, 9700 * US, 10, 450 * US) |
                     put_ledger_thread(rf, i, 1, IFP_LEDGER_COMPUTE, 450);
        if (n_rows < TOKENS) {
                t = a_thread(RUNFILE_LATER, "(later threads)", -1);
                r |= runfile_put_thread(rf, &t) |
                     put_op(rf, RUNFILE_LATER, OP_MUL_MAT, 10 * (TOKENS - n_rows),
                            450 * US * (TOKENS - n_rows)) |
                     put_ledger_thread(rf, RUNFILE_LATER, TOKENS - n_rows, IFP_LEDGER_COMPUTE, 450);
        }
        r |= put_site(rf, 0, "ggml_graph_compute", TOKENS);
        r |= put_spawn(rf, (struct runfile_spawn){.site = 0,
                                                  .op = OP_GRAPH,
                                                  .phase = IFP_PHASE_DECODE,
                                                  .frames = "4,3",
                                                  .count = TOKENS,
                                                  .peak = 1,
                                                  .ended = TOKENS,
                                                  .cost_ns = 45 * US * TOKENS,
                                                  .life_ns = 9700 * US * TOKENS,
                                                  .cpu_ns = 5 * MS * TOKENS});
        r |= put_barrier_op(rf, 20 * TOKENS, 18500 * US * TOKENS);
        for (uint32_t i = 0; i < 2; i++) {
                struct runfile_wait w =
                        a_meeting(i, 5 * TOKENS, (i ? 9200 : 9300) * US * TOKENS, 5 * TOKENS);

                if (i) { /* the second lane had all the others */
                        w.thread = -1;
                } else {
                        w.others = w.count;
                        w.others_ns = w.total_ns;
                }
                r |= put_wait(rf, w);
        }
        r |= put_by(rf, 2, 0, 0, 5 * TOKENS, 9200 * US * TOKENS);
        return r | put_ledger(rf, TOKENS, false, rows);
}

static int put_pinned(struct runfile *rf)
{
        return put_a_thread_per_token(rf, TOKENS);
}

static int put_shared(struct runfile *rf)
{
        return put_a_thread_per_token(rf, TOKENS / 2);
}

/* 20 threads a token, two at a time, of 20 us of compute each; the main thread only waits. */
static int put_fine(struct runfile *rf)
{
        static const uint64_t rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER] = {
                {0, 0, 0, 400, 5, 0, 10, 5, 500, 60, 5, 15},
                {200, 0, 0, 200, 5, 0, 10, 5, 500, 60, 5, 15},
                {400, 0, 0, 400, 45, 0, 10, 5, 500, 60, 20, 160}};
        struct runfile_thread t = a_thread(0, "tiny", -1);
        int r = put_process(rf, 0, TOKENS, 4000) | put_kernel(rf, RUNFILE_VIEW_BPF, 2);

        r |= runfile_put_thread(rf, &t) | put_op(rf, 0, OP_TOKEN, TOKENS, MS * TOKENS);
        for (uint32_t i = 1; i <= 20 * TOKENS; i++)
                r |= put_short_lived(rf, i, "tiny", i * 100 * US, 30 * US, 1, 20 * US) |
                     put_ledger_thread(rf, i, 1, IFP_LEDGER_COMPUTE, 20);
        r |= put_site(rf, 0, "tiny_pool_run", 20 * TOKENS);
        r |= put_spawn(rf, (struct runfile_spawn){.site = 0,
                                                  .op = OP_GRAPH,
                                                  .phase = IFP_PHASE_DECODE,
                                                  .count = 20 * TOKENS,
                                                  .peak = 2,
                                                  .ended = 20 * TOKENS,
                                                  .cost_ns = 25 * US * 20 * TOKENS,
                                                  .life_ns = 30 * US * 20 * TOKENS,
                                                  .cpu_ns = 25 * US * 20 * TOKENS});
        r |= put_wait(rf, (struct runfile_wait){.wait = 1,
                                                .kind = IFP_WAIT_JOIN,
                                                .op = OP_GRAPH,
                                                .phase = IFP_PHASE_DECODE,
                                                .thread = 0,
                                                .frames = "5",
                                                .count = 20 * TOKENS,
                                                .total_ns = 400 * US * TOKENS,
                                                .others = 20 * TOKENS,
                                                .others_ns = 400 * US * TOKENS});
        return r | put_ledger(rf, TOKENS, true, rows);
}

static int put_convoy(struct runfile *rf)
{
        int r = put_way(rf, WORK_CONVOY);

        for (uint32_t i = 0; i < 4; i++) {
                r |= put_wait(rf, (struct runfile_wait){.wait = 1 + i,
                                                        .kind = IFP_WAIT_MUTEX,
                                                        .op = OP_MUL_MAT,
                                                        .phase = IFP_PHASE_DECODE,
                                                        .thread = i,
                                                        .object = 0x404040,
                                                        .frames = "0,1,5",
                                                        .count = 10 * TOKENS,
                                                        .total_ns = 400 * US * TOKENS});
                r |= put_by(rf, 1 + i, 0, i == 3 ? 0 : 3, 10 * TOKENS, 400 * US * TOKENS);
        }
        return r;
}

static int put_ousted(struct runfile *rf)
{
        int r = put_way(rf, WORK_OUSTED);

        r |= runfile_put_preempt(
                rf, &(struct runfile_preempt){0, 0, 77, "stress", false, 300, 500 * MS});
        r |= runfile_put_preempt(rf, &(struct runfile_preempt){0, 1, 6001, "pool", true, 3, MS});
        return r;
}

static int put_bare(struct runfile *rf)
{
        int r = put_process(rf, 0, 0, NO_WAITS);

        for (uint32_t i = 0; i < 3; i++) {
                struct runfile_thread t = a_thread(i, i ? "pool" : "engine", i ? 0 : -1);

                r |= runfile_put_thread(rf, &t);
        }
        return r | put_site(rf, 0, "make_pool", 2);
}

/*
 * The main thread, and twelve others that come one after the other, each with a row of its own.
 * They meet 180 times, two at a time: of them the others are last 120 times, and are waited for 1
 * us; the main thread 60 times, for 100 us.
 */
static int put_passing(struct runfile *rf)
{
        struct runfile_thread t = a_thread(0, "engine", -1);
        struct runfile_wait w = a_meeting(0, 120, 120 * US, 60);
        int r = put_process(rf, 0, 0, 2000) | put_kernel(rf, RUNFILE_VIEW_NONE, 2);

        r |= put_site(rf, 0, "work", 12);
        r |= runfile_put_thread(rf, &t) | put_op(rf, 0, OP_MUL_MAT, 10, 10 * MS);
        w.others = w.count;
        w.others_ns = w.total_ns;
        r |= put_wait(rf, w);
        for (uint32_t i = 1; i <= 12; i++)
                r |= put_short_lived(rf, i, "pool", i * 150 * MS, 140 * MS, 10, 10 * MS) |
                     put_wait(rf, a_meeting(i, 5, 500 * US, 10)) |
                     put_by(rf, 1 + i, 0, 0, 5, 500 * US);
        return r;
}

int work_fixture_write(const char *path, enum work_fixture which)
{
        static int (*const put[N_WORK_FIXTURES])(struct runfile *) = {
                [WORK_FIXTURE] = put_whole,   [WORK_PINNED] = put_pinned, [WORK_FINE] = put_fine,
                [WORK_CONVOY] = put_convoy,   [WORK_OUSTED] = put_ousted, [WORK_BARE] = put_bare,
                [WORK_PASSING] = put_passing, [WORK_SHARED] = put_shared}; /* the others: a way, and
                                                                              no more */
        const struct runfile_run run = {
                .id = "20261121-110000-6001",
                .command = "./engine",
                .pid = 6001,
                .started_at_ns = 1795251600 * SECOND,
                .duration_ns = 2 * SECOND,
                .end = RUNFILE_END_CODE,
                .infprof_version = "0.1.0",
                .machine = "Abacus 7, 2 CPUs, Linux 6.1",
        };
        struct runfile *rf = NULL;
        char *why = NULL;
        int r = runfile_create(&rf, path, &run, &why);

        if (!r)
                r = runfile_begin(rf);
        if (!r)
                r = (put[which] ? put[which](rf) : put_way(rf, which)) | runfile_commit(rf, &why);
        if (why)
                fprintf(stderr, "%s\n", why);
        free(why);
        runfile_close(rf);
        return r;
}
