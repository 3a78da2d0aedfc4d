/* SPDX-License-Identifier: MIT */
/*
 * Ten tokens in 100 ms, ten passes, by two threads; and a prefill by one. What is in the run stands
 * in shapes[].
 */
#include "roof-fixture.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <infprof/segment.h>

#include "common/cleanup.h"
#include "common/runfile.h"

#define MS 1000000ull

const char *const roof_fixture_names[N_ROOF_FIXTURES] = {"whole",   "unmeasured", "nowhere",
                                                         "damaged", "foreign",    "crowded"};

static const char look[] =
        "{\"schema\": \"infprof.machine/1\", \"infprof\": \"0.1.0\", \"model\": \"Abacus 7\","
        " \"fingerprint\": \"" ROOF_FINGERPRINT "\", \"topology\": {\"packages\": 1, \"cores\": 2,"
        " \"cpus\": 2, \"numa_nodes\": 1, \"usable_cpus\": 2, \"quota_cpus\": null,"
        " \"core_kinds\": [], \"caches\": ["
        "{\"level\": 1, \"size_bytes\": 16384, \"line_bytes\": 64, \"count\": 2,"
        " \"shared_by_cpus\": 1},"
        "{\"level\": 2, \"size_bytes\": 1048576, \"line_bytes\": 64, \"count\": 2,"
        " \"shared_by_cpus\": 1},"
        "{\"level\": 3, \"size_bytes\": 16777216, \"line_bytes\": 64, \"count\": 1,"
        " \"shared_by_cpus\": 2}]},"
        " \"isa\": {\"tiers\": [\"scalar\", \"sse2\"], \"features\": []}}";

struct figure {
        const char *a, *b;
        int threads;
        double best;
};

static const struct figure computes[] = {
        {"f32", "scalar", 1, 10}, {"f32", "scalar", 2, 20}, {"f32", "scalar", 4, 30},
        {"f32", "sse2", 4, 300},  {"f32", "sse2", 1, 100},  {"f32", "sse2", 2, 200},
        {"int8", "sse2", 1, 400}, {"int8", "sse2", 2, 800},
};
static const struct figure bandwidths[] = {
        {"L1", "copy", 1, 800},    {"L1", "read", 1, 1000}, {"L1", "read", 2, 2000},
        {"L2", "read", 1, 500},    {"L2", "read", 2, 1000}, {"L3", "read", 1, 100},
        {"L3", "read", 2, 200},    {"L3", "copy", 2, 190},  {"memory", "read", 1, 10},
        {"memory", "read", 2, 16},
};

static json_t *build_figures(const struct figure *f, size_t n, const char *a, const char *b,
                             const char *unit)
{
        json_t *list = json_array();
        char median[32];

        snprintf(median, sizeof(median), "median_%s", unit);
        for (size_t i = 0; i < n; i++)
                json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:f, s:f, s:f}", a, f[i].a,
                                                      b, f[i].b, "threads", f[i].threads, unit,
                                                      f[i].best, median, f[i].best, "spread", 0.0));
        return list;
}

json_t *roof_fixture_machine(void)
{
        json_t *doc = json_loads(look, 0, NULL);

        json_object_set_new(
                doc, "ceilings",
                json_pack("{s:o, s:o}", "compute",
                          build_figures(computes, sizeof(computes) / sizeof(computes[0]), "type",
                                        "isa", "gflops"),
                          "bandwidth",
                          build_figures(bandwidths, sizeof(bandwidths) / sizeof(bandwidths[0]),
                                        "level", "op", "gbps")));
        json_object_set_new(doc, "measured_at", json_string("2026-11-20T19:45:00Z"));
        json_object_set_new(doc, "quick", json_false());
        json_object_set_new(doc, "noisy", json_false());
        return doc;
}

enum { OP_TOKEN = 1, OP_GRAPH, OP_MUL_MAT, OP_ADD, OP_SOFT_MAX, OP_BARRIER, OP_SSM, OP_GEMM };

#define F32(...)                                                                                   \
        {                                                                                          \
                .type = "f32", .block = 1, .bytes = 4, .ne = { __VA_ARGS__ }                       \
        }
#define Q8_0(...)                                                                                  \
        {                                                                                          \
                .type = "q8_0", .block = 32, .bytes = 34, .ne = { __VA_ARGS__ }                    \
        }

static const struct {
        uint32_t op, parts, phase;
        uint64_t calls, total_ns, child_ns;
        struct {
                const char *type;
                uint32_t block, bytes;
                uint64_t ne[4]; /* 0: 1 */
        } at[4];
} shapes[] = {
        /* 2^31 FLOPs at 100 GFLOP/s, 12 MiB: bound by compute, in 30 ms */
        {OP_MUL_MAT,
         1,
         IFP_PHASE_PREFILL,
         1,
         30 * MS,
         0,
         {F32(1024, 1024), F32(1024, 1024), F32(1024, 1024)}},
        /* 17,858,560 bytes at 16 GB/s, ten times: bound by memory, in 2 ms each */
        {OP_MUL_MAT,
         2,
         IFP_PHASE_DECODE,
         20,
         40 * MS,
         0,
         {F32(4096, 1), Q8_0(4096, 4096), F32(4096, 1)}},
        /* so little that it is overhead */
        {OP_ADD, 2, IFP_PHASE_DECODE, 20, 10000, 0, {F32(64, 1), F32(64, 1), F32(64, 1)}},
        /* waits most of its time */
        {OP_SOFT_MAX,
         2,
         IFP_PHASE_DECODE,
         20,
         60 * MS,
         50 * MS,
         {F32(1024, 1024), F32(1024, 1024)}},
        /* more work than there is in the world */
        {OP_MUL_MAT,
         1,
         IFP_PHASE_DECODE,
         1,
         MS,
         0,
         {F32(1ull << 40, 1ull << 40), F32(1ull << 40, 1ull << 40), F32(1ull << 40, 1ull << 40)}},
        /* no time at all */
        {OP_ADD, 1, IFP_PHASE_DECODE, 5, 0, 0, {F32(32, 1), F32(32, 1), F32(32, 1)}},
        /* faster than one thread can be, and a library: by two, in 12 ms */
        {OP_GEMM,
         1,
         IFP_PHASE_UNKNOWN,
         1,
         12 * MS,
         0,
         {F32(1024, 1024), F32(1024, 1024), F32(1024, 1024)}},
        /* no formula */
        {OP_SSM, 1, IFP_PHASE_DECODE, 10, MS, 0, {F32(8, 8), F32(8, 8)}},
};

static int put_shapes(struct runfile *rf)
{
        int r = 0;

        for (uint32_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
                r |= runfile_put_shape(
                        rf, &(struct runfile_shape){.shape = i + 1,
                                                    .op = shapes[i].op,
                                                    .formula = shapes[i].op == OP_GEMM ? "MUL_MAT"
                                                                                       : NULL,
                                                    .parts = shapes[i].parts});
                for (uint32_t k = 0; k < 4 && shapes[i].at[k].type; k++) {
                        const uint64_t *ne = shapes[i].at[k].ne;

                        r |= runfile_put_operand(
                                rf, &(struct runfile_operand){.shape = i + 1,
                                                              .position = k,
                                                              .type = shapes[i].at[k].type,
                                                              .block = shapes[i].at[k].block,
                                                              .block_bytes = shapes[i].at[k].bytes,
                                                              .ne0 = ne[0],
                                                              .ne1 = ne[1],
                                                              .ne2 = ne[2] ? ne[2] : 1,
                                                              .ne3 = ne[3] ? ne[3] : 1});
                }
                r |= runfile_put_shape_phase(
                        rf, &(struct runfile_shape_phase){.shape = i + 1,
                                                          .phase = shapes[i].phase,
                                                          .calls = shapes[i].calls,
                                                          .total_ns = shapes[i].total_ns,
                                                          .child_ns = shapes[i].child_ns});
        }
        return r;
}

static int put_op(struct runfile *rf, uint32_t op, const char *name, enum ifp_kind kind,
                  uint32_t phase, uint64_t calls, uint64_t total_ns, uint64_t child_ns)
{
        int r = runfile_put_op(rf, &(struct runfile_op){.op = op, .name = name, .kind = kind});

        if (calls)
                r |= runfile_put_op_phase(rf, &(struct runfile_op_phase){.op = op,
                                                                         .phase = phase,
                                                                         .timed = calls,
                                                                         .total_ns = total_ns,
                                                                         .child_ns = child_ns,
                                                                         .min_ns = UINT64_MAX});
        return r;
}

static int put_ops(struct runfile *rf)
{
        return put_op(rf, OP_TOKEN, "token", IFP_KIND_TOKEN, IFP_PHASE_DECODE, 10, 100 * MS, 0) |
               put_op(rf, OP_GRAPH, "graph", IFP_KIND_GRAPH, IFP_PHASE_DECODE, 10, 99 * MS, 0) |
               put_op(rf, OP_GRAPH, "graph", IFP_KIND_GRAPH, IFP_PHASE_PREFILL, 1, 31 * MS, 0) |
               put_op(rf, OP_MUL_MAT, "MUL_MAT", IFP_KIND_NODE, IFP_PHASE_PREFILL, 1, 30 * MS, 0) |
               put_op(rf, OP_MUL_MAT, "MUL_MAT", IFP_KIND_NODE, IFP_PHASE_DECODE, 21, 41 * MS, 0) |
               put_op(rf, OP_ADD, "ADD", IFP_KIND_NODE, IFP_PHASE_DECODE, 25, 10000, 0) |
               put_op(rf, OP_SOFT_MAX, "SOFT_MAX", IFP_KIND_NODE, IFP_PHASE_DECODE, 20, 60 * MS,
                      50 * MS) |
               put_op(rf, OP_BARRIER, "ggml_barrier", IFP_KIND_WAIT, IFP_PHASE_DECODE, 20, 50 * MS,
                      0) |
               put_op(rf, OP_GEMM, "my_gemm", IFP_KIND_KERNEL, IFP_PHASE_UNKNOWN, 1, 12 * MS, 0) |
               put_op(rf, OP_SSM, "SSM_SCAN", IFP_KIND_NODE, IFP_PHASE_DECODE, 10, MS, 0);
}

/* In SOFT_MAX; and behind MUL_MAT, whose time does not hold it. */
static int put_waits(struct runfile *rf)
{
        struct runfile_wait w = {.wait = 0,
                                 .kind = IFP_WAIT_BARRIER,
                                 .op = OP_SOFT_MAX,
                                 .phase = IFP_PHASE_DECODE,
                                 .frames = "",
                                 .count = 20,
                                 .total_ns = 50 * MS,
                                 .min_ns = UINT64_MAX};
        int r = runfile_put_wait(rf, &w);

        w.wait = 1;
        w.op = OP_MUL_MAT;
        w.behind = true;
        return r | runfile_put_wait(rf, &w);
}

static int put_machine(struct runfile *rf, enum roof_fixture which)
{
        json_t *doc = roof_fixture_machine();
        _cleanup_(freep) char *text = json_dumps(doc, JSON_COMPACT);
        struct runfile_machine row = {.fingerprint = ROOF_FINGERPRINT, .document = text};

        json_decref(doc);
        switch (which) {
        case ROOF_NOWHERE:
                return 0;
        case ROOF_UNMEASURED:
                row.document = look;
                break;
        case ROOF_DAMAGED:
                if (text)
                        text[strlen(text) / 2] = '\0';
                break;
        case ROOF_FOREIGN:
                row.fingerprint = "fedcba9876543210";
                break;
        default:
                break;
        }
        return runfile_put_machine(rf, &row);
}

int roof_fixture_write(const char *path, enum roof_fixture which)
{
        const struct runfile_run run = {
                .id = "20261120-194500-7001",
                .command = "./engine",
                .pid = 7001,
                .started_at_ns = 1795201500ull * 1000 * MS,
                .duration_ns = 200 * MS,
                .end = RUNFILE_END_CODE,
                .infprof_version = "0.1.0",
                .machine = "Abacus 7, 2 CPUs, Linux 6.1",
        };
        const struct runfile_process process = {
                .uuid = "00000000000000000000000000007001",
                .pid = 7001,
                .command = "./engine",
                .exe = "/opt/engine/engine",
                .started_at_ns = run.started_at_ns,
                .duration_ns = run.duration_ns,
                .ticks_per_second = 1000 * MS,
                .end = RUNFILE_END_CODE,
                .waits = true,
                .generated_tokens = 10,
        };
        struct runfile *rf = NULL;
        char *why = NULL;
        int r = runfile_create(&rf, path, &run, &why);

        if (!r)
                r = runfile_begin(rf);
        if (!r) {
                r = runfile_put_process(rf, &process) | put_ops(rf) | put_shapes(rf) |
                    put_waits(rf) | put_machine(rf, which);
                if (which == ROOF_CROWDED)
                        r |= runfile_put_kernel(
                                rf, &(struct runfile_kernel){.view = RUNFILE_VIEW_PROC, .cpus = 1});
                r |= runfile_commit(rf, &why);
        }
        if (why)
                fprintf(stderr, "%s\n", why);
        free(why);
        runfile_close(rf);
        return r;
}
