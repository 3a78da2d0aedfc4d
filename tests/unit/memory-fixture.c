/* SPDX-License-Identifier: MIT */
#include "memory-fixture.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <infprof/segment.h>

#include "common/runfile.h"

#define SECOND 1000000000u
#define MIB    1048576u
#define ENGINE 0
#define WORKER 1

static const char base[] = "/opt/llama/libggml-base.so", llama[] = "/opt/llama/libllama.so";
static const char engine[] = "/opt/llama/engine", cxx[] = "/usr/lib/libstdc++.so.6";

/* Ops and frames have other numbers in the worker. */
enum { OP_DECODE = 2, OP_GRAPH = 3, WORKER_OP_GRAPH = 2, WORKER_OP_DECODE = 3 };

enum {
        FRAME_NEW,
        FRAME_NEW_GRAPH,
        FRAME_DECODE,
        FRAME_MAIN,
        FRAME_ALIGNED,
        FRAME_LOAD,
        FRAME_UNKNOWN,
        FRAME_TOKENIZE,
        N_FRAMES
};

static const struct runfile_frame frames[N_FRAMES] = {
        {.function = "operator new(unsigned long)", .library = cxx, .offset = 0x1c},
        {.function = "ggml_new_graph_custom",
         .library = base,
         .offset = 0x40,
         .file = "ggml/src/ggml.c",
         .line = 6512},
        {.function = "llama_decode", .library = llama, .offset = 0x80},
        {.function = "main", .library = engine, .offset = 0x200, .file = "main.c", .line = 12},
        {.function = "ggml_aligned_malloc", .library = base, .offset = 0x30, .inlined = true},
        {.function = "llama_model_load_from_file", .library = llama, .offset = 0x99},
        {.library = llama, .offset = 0x1234},
        {.function = "llama_tokenize", .library = llama, .offset = 0x11},
};

static int put_run_rows(struct runfile *rf, enum memory_fixture which)
{
        bool improved = which == MEMORY_FIXTURE_IMPROVED;
        struct runfile_process p = {
                .index = ENGINE,
                .uuid = "00000000000000000000000000005001",
                .pid = 5001,
                .ppid = 5000,
                .command = "./engine --serve",
                .exe = engine,
                .started_at_ns = 1795251600u * (uint64_t)SECOND,
                .duration_ns = 6ull * SECOND,
                .ticks_per_second = 2000000000u,
                .end = RUNFILE_END_CODE,
                .threads_peak = 2,
                .live_bytes = 33655800,
                .peak_bytes = 33800000,
                .prompt_tokens = 20,
                .generated_tokens = 100,
                .phase_ns = {0, SECOND, 0, 5ull * SECOND, 0},
                .heap_interval = 524288,
                .unwinding = 1,
                .samples = 16,
                .samples_other = 1,
                .samples_short = 1,
                .samples_untracked = 2,
                .unmaps = 1,
                .unmapped_bytes = 4096,
                .maps_failed = 1,
                .allocator = improved ? IFP_ALLOCATOR_JEMALLOC : IFP_ALLOCATOR_GLIBC,
                .allocator_library = improved ? "/usr/lib/libjemalloc.so.2" : "/usr/lib/libc.so.6",
                .allocator_cost_ns = 60000,
                .allocator_looks = 6,
        };
        int r = runfile_put_process(rf, &p);

        p.index = WORKER;
        p.uuid = "00000000000000000000000000005002";
        p.pid = 5002;
        p.ppid = 5001;
        p.command = "./engine --worker";
        p.started_at_ns += 2ull * SECOND;
        p.duration_ns = 3ull * SECOND;
        p.live_bytes = p.peak_bytes = 4096;
        p.prompt_tokens = p.generated_tokens = 0;
        p.samples = 6;
        p.samples_other = p.samples_short = p.samples_untracked = 0;
        p.unmaps = p.unmapped_bytes = p.maps_failed = 0;
        p.allocator_cost_ns = 30000;
        p.allocator_looks = 3;
        r |= runfile_put_process(rf, &p);

        for (uint32_t i = 0; i < 2; i++) {
                r |= runfile_put_op(
                        rf, &(struct runfile_op){.process = i, .op = 0, .name = "not in any op"});
                r |= runfile_put_op(rf, &(struct runfile_op){.process = i,
                                                             .op = i ? WORKER_OP_DECODE : OP_DECODE,
                                                             .name = "llama_decode",
                                                             .kernel = "llama_decode",
                                                             .library = llama,
                                                             .kind = IFP_KIND_CALL,
                                                             .threads = 1});
                r |= runfile_put_op(rf, &(struct runfile_op){.process = i,
                                                             .op = i ? WORKER_OP_GRAPH : OP_GRAPH,
                                                             .name = "graph",
                                                             .kernel = "ggml_graph_compute",
                                                             .library = base,
                                                             .kind = IFP_KIND_GRAPH,
                                                             .threads = 1});
        }
        return r;
}

/* As they stood at a mark, or (-1) at the end. */
struct stand {
        uint32_t process;
        int mark;
        uint32_t op, phase;
        struct runfile_alloc alloc;
};

static const struct stand stands[] = {
        {ENGINE, 0, 0, IFP_PHASE_LOAD, {10, 33555000, 33556000, 2, 1000, 0, 3, 67108864}},
        {ENGINE, 1, 0, IFP_PHASE_LOAD, {10, 33555000, 33556000, 2, 1000, 0, 3, 67108864}},
        {ENGINE, 1, OP_DECODE, IFP_PHASE_DECODE, {100, 10000, 10400, 100, 10400, 0, 0, 0}},
        {ENGINE, 1, OP_GRAPH, IFP_PHASE_DECODE, {200, 200000, 201600, 150, 151200, 0, 0, 0}},
        {ENGINE, 2, 0, IFP_PHASE_LOAD, {10, 33555000, 33556000, 2, 1000, 0, 3, 67108864}},
        {ENGINE, 2, OP_DECODE, IFP_PHASE_DECODE, {200, 20000, 20800, 200, 20800, 0, 0, 0}},
        {ENGINE, 2, OP_GRAPH, IFP_PHASE_DECODE, {500, 500000, 504000, 300, 302400, 1, 0, 0}},
        {ENGINE, -1, 0, IFP_PHASE_LOAD, {10, 33555000, 33556000, 2, 1000, 0, 3, 67108864}},
        {ENGINE, -1, OP_DECODE, IFP_PHASE_DECODE, {400, 40000, 41600, 400, 41600, 0, 0, 0}},
        {ENGINE, -1, OP_GRAPH, IFP_PHASE_DECODE, {800, 800000, 806400, 700, 705600, 1, 0, 0}},
        {WORKER, 0, 0, IFP_PHASE_LOAD, {5, 5000, 5120, 0, 0, 0, 0, 0}},
        {WORKER, 0, WORKER_OP_DECODE, IFP_PHASE_DECODE, {10, 1000, 1040, 10, 1040, 0, 0, 0}},
        {WORKER, 1, 0, IFP_PHASE_LOAD, {5, 5000, 5120, 1, 1024, 0, 0, 0}},
        {WORKER, 1, WORKER_OP_DECODE, IFP_PHASE_DECODE, {60, 6000, 6240, 60, 6240, 0, 0, 0}},
        {WORKER, -1, 0, IFP_PHASE_LOAD, {5, 5000, 5120, 1, 1024, 0, 0, 0}},
        {WORKER, -1, WORKER_OP_DECODE, IFP_PHASE_DECODE, {100, 10000, 10400, 100, 10400, 0, 0, 0}},
};

static int put_allocs(struct runfile *rf, enum memory_fixture which)
{
        int r = 0;

        for (size_t i = 0; i < sizeof(stands) / sizeof(stands[0]); i++) {
                const struct stand *s = &stands[i];
                struct runfile_op_phase row = {.process = s->process,
                                               .op = s->op,
                                               .phase = s->phase,
                                               .min_ns = UINT64_MAX,
                                               .alloc = s->alloc};
                struct runfile_mark_op mark = {s->process, (uint32_t)s->mark, s->op, s->phase,
                                               s->alloc};

                if (which == MEMORY_FIXTURE_IMPROVED && s->process == ENGINE && s->op == OP_GRAPH)
                        row.alloc = (struct runfile_alloc){80, 80000, 80640, 80, 80640, 0, 0, 0};
                r |= s->mark < 0 ? runfile_put_op_phase(rf, &row) : runfile_put_mark_op(rf, &mark);
        }
        for (uint32_t t = 0; t < 3; t++) {
                static const struct runfile_alloc of[] = {
                        {410, 33595000, 33597600, 402, 42600, 0, 3, 67108864},
                        {800, 800000, 806400, 700, 705600, 1, 0, 0},
                        {105, 15000, 15520, 101, 11424, 0, 0, 0}};

                r |= runfile_put_thread(
                        rf, &(struct runfile_thread){.process = t / 2,
                                                     .thread = t % 2,
                                                     .tid = t < 2 ? 5001 + t * 10 : 5002,
                                                     .name = t == 1 ? "graph" : "engine",
                                                     .ended_ns = UINT64_MAX,
                                                     .site = -1,
                                                     .cpu_ns = UINT64_MAX,
                                                     .alloc = of[t]});
        }
        return r;
}

/* Classes of 64 to 127, 512 to 1,023 and 2^25 bytes and up. */
static int put_classes(struct runfile *rf)
{
        static const struct runfile_mark_class rows[] = {
                {ENGINE, UINT32_MAX, 6, 400, 40000, 41600, 400},
                {ENGINE, UINT32_MAX, 9, 809, 801000, 808000, 702},
                {ENGINE, UINT32_MAX, 25, 1, 33554000, 33554400, 0},
                {WORKER, UINT32_MAX, 6, 100, 10000, 10400, 100},
                {WORKER, UINT32_MAX, 9, 5, 5000, 5120, 1},
                {ENGINE, 1, 6, 100, 10000, 10400, 100},
                {ENGINE, 1, 9, 209, 201000, 203200, 152},
                {ENGINE, 1, 25, 1, 33554000, 33554400, 0},
                {ENGINE, 2, 6, 200, 20000, 20800, 200},
                {ENGINE, 2, 9, 509, 501000, 505600, 302},
                {ENGINE, 2, 25, 1, 33554000, 33554400, 0},
                {WORKER, 0, 6, 10, 1000, 1040, 10},
                {WORKER, 0, 9, 5, 5000, 5120, 0},
                {WORKER, 1, 6, 60, 6000, 6240, 60},
                {WORKER, 1, 9, 5, 5000, 5120, 1},
        };
        int r = 0;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct runfile_mark_class *c = &rows[i];
                struct runfile_size_class row = {c->process,     c->size_class,   c->calls,
                                                 c->asked_bytes, c->usable_bytes, c->frees};

                r |= c->mark == UINT32_MAX ? runfile_put_size_class(rf, &row)
                                           : runfile_put_mark_class(rf, c);
        }
        return r;
}

static const struct runfile_stack stacks[] = {
        /* no room in the table */
        {.process = ENGINE,
         .stack = 0,
         .frames = "",
         .samples = 1,
         .samples_freed = 1,
         .alloc_objects = 100,
         .freed_objects = 100,
         .alloc_bytes = 50000,
         .freed_bytes = 50000,
         .asked_bytes = 49000,
         .short_objects = 100,
         .lifetime_ns = 1000,
         .alloc_objects_var = 9900,
         .freed_objects_var = 9900,
         .alloc_bytes_var = 2475000000,
         .freed_bytes_var = 2475000000},
        /* the model: so large that it was certain to be sampled */
        {.process = ENGINE,
         .stack = 1,
         .phase = IFP_PHASE_LOAD,
         .frames = "4,5,3",
         .samples = 4,
         .alloc_objects = 4,
         .alloc_bytes = 33554432,
         .asked_bytes = 33554000},
        {.process = ENGINE,
         .stack = 2,
         .op = OP_GRAPH,
         .phase = IFP_PHASE_DECODE,
         .frames = "1,2,3",
         .samples = 10,
         .samples_freed = 4,
         .alloc_objects = 1000,
         .freed_objects = 400,
         .alloc_bytes = 1000000,
         .freed_bytes = 400000,
         .asked_bytes = 990000,
         .short_objects = 100,
         .lifetime_ns = 4000000,
         .alloc_objects_var = 90000,
         .freed_objects_var = 40000,
         .alloc_bytes_var = 4e10,
         .freed_bytes_var = 1.6e10},
        {.process = ENGINE,
         .stack = 3,
         .phase = IFP_PHASE_DECODE,
         .frames = "6",
         .one = true,
         .samples = 1,
         .alloc_objects = 50,
         .alloc_bytes = 20000,
         .asked_bytes = 20000,
         .alloc_objects_var = 2450,
         .alloc_bytes_var = 4e8},
        /* the same place in the worker, where frames have other numbers */
        {.process = WORKER,
         .stack = 1,
         .op = WORKER_OP_GRAPH,
         .phase = IFP_PHASE_DECODE,
         .frames = "6,5,4",
         .samples = 5,
         .samples_freed = 5,
         .alloc_objects = 500,
         .freed_objects = 500,
         .alloc_bytes = 500000,
         .freed_bytes = 500000,
         .asked_bytes = 490000,
         .short_objects = 350,
         .lifetime_ns = 5000000,
         .alloc_objects_var = 45000,
         .freed_objects_var = 45000,
         .alloc_bytes_var = 3e10,
         .freed_bytes_var = 3e10},
        /* forked while this was in use */
        {.process = WORKER,
         .stack = 2,
         .phase = IFP_PHASE_LOAD,
         .frames = "7,0,4",
         .cut = true,
         .samples = 1,
         .alloc_objects = 2,
         .alloc_bytes = 8192,
         .asked_bytes = 8000,
         .alloc_objects_var = 2,
         .alloc_bytes_var = 33554432,
         .inherited_objects = 3,
         .inherited_bytes = 3072},
};

/* Of the engine's graph and the worker's, at "steady" and at the last "warm"; the model is whole.
 */
static const struct runfile_mark_stack mark_stacks[] = {
        {.process = ENGINE,
         .mark = 1,
         .stack = 1,
         .samples = 4,
         .alloc_objects = 4,
         .alloc_bytes = 33554432,
         .asked_bytes = 33554000},
        {.process = ENGINE,
         .mark = 2,
         .stack = 1,
         .samples = 4,
         .alloc_objects = 4,
         .alloc_bytes = 33554432,
         .asked_bytes = 33554000},
        {.process = ENGINE,
         .mark = 1,
         .stack = 2,
         .samples = 3,
         .samples_freed = 0,
         .alloc_objects = 300,
         .alloc_bytes = 300000,
         .asked_bytes = 297000,
         .alloc_objects_var = 27000,
         .alloc_bytes_var = 1.2e10},
        {.process = ENGINE,
         .mark = 2,
         .stack = 2,
         .samples = 7,
         .samples_freed = 4,
         .alloc_objects = 700,
         .freed_objects = 400,
         .alloc_bytes = 700000,
         .freed_bytes = 400000,
         .asked_bytes = 693000,
         .short_objects = 100,
         .lifetime_ns = 4000000,
         .alloc_objects_var = 63000,
         .freed_objects_var = 40000,
         .alloc_bytes_var = 2.8e10,
         .freed_bytes_var = 1.6e10},
        {.process = WORKER,
         .mark = 0,
         .stack = 1,
         .samples = 2,
         .alloc_objects = 200,
         .alloc_bytes = 200000,
         .asked_bytes = 196000,
         .alloc_objects_var = 18000,
         .alloc_bytes_var = 1.2e10},
        {.process = WORKER,
         .mark = 1,
         .stack = 1,
         .samples = 2,
         .samples_freed = 2,
         .alloc_objects = 200,
         .freed_objects = 200,
         .alloc_bytes = 200000,
         .freed_bytes = 200000,
         .asked_bytes = 196000,
         .short_objects = 100,
         .lifetime_ns = 2000000,
         .alloc_objects_var = 18000,
         .freed_objects_var = 18000,
         .alloc_bytes_var = 1.2e10,
         .freed_bytes_var = 1.2e10},
        {.process = WORKER,
         .mark = 1,
         .stack = 2,
         .samples = 1,
         .alloc_objects = 2,
         .alloc_bytes = 8192,
         .asked_bytes = 8000,
         .alloc_objects_var = 2,
         .alloc_bytes_var = 33554432},
};

static int put_stacks(struct runfile *rf, enum memory_fixture which)
{
        int r = 0;

        for (uint32_t i = 0; i < N_FRAMES; i++) {
                struct runfile_frame f = frames[i];

                f.frame = i;
                r |= runfile_put_frame(rf, &f);
                f.process = WORKER;
                f.frame = N_FRAMES - 1 - i;
                r |= runfile_put_frame(rf, &f);
        }
        for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
                struct runfile_stack s = stacks[i];

                if (which == MEMORY_FIXTURE_IMPROVED && s.process == ENGINE && s.stack == 2) {
                        s.samples = s.samples_freed = 1;
                        s.alloc_objects = s.freed_objects = 100;
                        s.alloc_bytes = s.freed_bytes = 100000;
                        s.alloc_bytes_var = s.freed_bytes_var = 4e9;
                }
                /* "one" is gone, and there is a new one */
                if (which == MEMORY_FIXTURE_IMPROVED && s.one) {
                        s.one = false;
                        s.frames = "0,7,3";
                }
                r |= runfile_put_stack(rf, &s);
        }
        for (size_t i = 0; i < sizeof(mark_stacks) / sizeof(mark_stacks[0]); i++)
                r |= runfile_put_mark_stack(rf, &mark_stacks[i]);
        return r;
}

static int put_marks(struct runfile *rf)
{
        static const struct runfile_mark marks[] = {
                {ENGINE, 0, "warm", SECOND, 33555000},
                {ENGINE, 1, "steady", 3ull * SECOND, 33605400},
                {ENGINE, 2, "warm", 4ull * SECOND, 33756600},
                {WORKER, 0, "steady", 3ull * SECOND, 5120},
                {WORKER, 1, "warm", 4ull * SECOND, 4096},
        };
        int r = 0;

        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
                r |= runfile_put_mark(rf, &marks[i]);
        return r;
}

/* At each second; at 5 the worker was looked at no more. */
static int put_looks(struct runfile *rf, enum memory_fixture which)
{
        bool improved = which == MEMORY_FIXTURE_IMPROVED;
        int r = 0;

        for (uint64_t second = 0; second < 6; second++) {
                struct runfile_memory m = {
                        .process = ENGINE,
                        .second = second,
                        .rss = (100 + second) * MIB,
                        .pss = (90 + second) * MIB,
                        .anonymous = (60 + second) * MIB,
                        .file = 40 * MIB,
                        .huge = 0,
                        .swap = 0,
                        .minor_faults = 1000 * (second + 1),
                        .major_faults = second,
                        .live_bytes = 33555000 + (int64_t)(20160 * second),
                        .calls = 10 + 240 * second,
                        .asked_bytes = 33555000 + 168000 * second,
                        .frees = 2 + 220 * second,
                        .mapped_bytes = 67108864,
                        .allocated = (uint64_t)33600000 + 20160 * second,
                        .active = 48 * MIB,
                        .metadata = improved ? MIB : RUNFILE_NOT_TOLD,
                        .resident = improved ? 50 * MIB : RUNFILE_NOT_TOLD,
                        .mapped = improved ? 64 * MIB : RUNFILE_NOT_TOLD,
                        .retained = improved ? 2 * MIB : RUNFILE_NOT_TOLD,
                        .free_bytes = improved ? RUNFILE_NOT_TOLD : 14 * MIB,
                        .releasable = improved ? RUNFILE_NOT_TOLD : MIB,
                };

                r |= runfile_put_memory(rf, &m);
                if (second < 2 || second > 4)
                        continue;
                m.process = WORKER;
                m.rss = 20 * MIB;
                m.pss = 10 * MIB;
                m.anonymous = 4 * MIB;
                m.file = 16 * MIB;
                m.minor_faults = 100 * (second - 1);
                m.major_faults = 0;
                m.live_bytes = 4096;
                m.calls = 35 * (second - 1);
                m.asked_bytes = 5000 * (second - 1);
                m.frees = 33 * (second - 1);
                m.mapped_bytes = 0;
                m.allocated = MIB;
                m.active = 2 * MIB;
                if (improved)
                        m.resident = 3 * MIB;
                r |= runfile_put_memory(rf, &m);
        }
        r |= runfile_put_arena(rf, &(struct runfile_arena){ENGINE, 0, 33000000, 40 * MIB,
                                                           RUNFILE_NOT_TOLD, RUNFILE_NOT_TOLD});
        r |= runfile_put_arena(rf, &(struct runfile_arena){ENGINE, 1, 700800, 8 * MIB,
                                                           RUNFILE_NOT_TOLD, RUNFILE_NOT_TOLD});
        for (uint32_t i = 0; i < 2; i++)
                r |= runfile_put_mapped_file(
                        rf, &(struct runfile_mapped_file){i, "/models/tiny.gguf", 64 * MIB,
                                                          i ? 32 * MIB : 64 * MIB, 48 * MIB,
                                                          i ? NULL : "N0=12288"});
        return r;
}

/* 99 tokens of 8 allocations and 808 bytes, one of 400 and 40,000; live bytes grow by 2 KiB. */
static int put_tokens(struct runfile *rf)
{
        static uint64_t calls[IFP_HIST_BUCKETS], bytes[IFP_HIST_BUCKETS];
        int r;

        calls[ifp_hist_index(8)] = bytes[ifp_hist_index(808)] = 99;
        calls[ifp_hist_index(400)] = bytes[ifp_hist_index(40000)] = 1;
        r = runfile_put_token_alloc(
                rf, &(struct runfile_token_alloc){ENGINE, 100, 0, 1192, 119992, calls, bytes});
        for (uint64_t i = 0; i < 100; i++)
                r |= runfile_put_token_point(rf, &(struct runfile_token_point){
                                                         ENGINE, 21 + i, SECOND + i * (SECOND / 20),
                                                         33555000 + (int64_t)(2048 * i), 8 * i});
        return r;
}

int memory_fixture_write(const char *path, enum memory_fixture which)
{
        const struct runfile_run run = {
                .id = which == MEMORY_FIXTURE ? "20261121-090000-5001" : "20261121-100000-5001",
                .command = "./engine --serve",
                .pid = 5001,
                .started_at_ns = 1795251600u * (uint64_t)SECOND,
                .duration_ns = 6ull * SECOND,
                .end = RUNFILE_END_CODE,
                .infprof_version = "0.1.0",
                .machine = "Abacus 7, 2 CPUs, Linux 6.1",
        };
        struct runfile *rf = NULL;
        char *why = NULL;
        int r = runfile_create(&rf, path, &run, &why);

        if (!r)
                r = runfile_begin(rf);
        if (!r) {
                r = put_run_rows(rf, which) | put_allocs(rf, which) | put_classes(rf) |
                    put_stacks(rf, which) | put_marks(rf) | put_looks(rf, which) | put_tokens(rf);
                r |= runfile_commit(rf, &why);
        }
        if (why)
                fprintf(stderr, "%s\n", why);
        free(why);
        runfile_close(rf);
        return r;
}
