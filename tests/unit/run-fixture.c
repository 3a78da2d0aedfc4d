/* SPDX-License-Identifier: MIT */
#include "run-fixture.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/runfile.h"

#define TICKS_PER_SECOND 2000000000u /* two ticks a ns */
#define N_THREADS        3
#define N_LAYERS         4
#define N_TOKENS         40

enum op {
        OP_NONE,
        OP_OTHER,
        OP_DECODE,
        OP_GRAPH,
        OP_RMS_NORM,
        OP_MUL_MAT,
        OP_SOFT_MAX,
        OP_BARRIER,
        OP_VEC_DOT,
        OP_SAMPLE,
        OP_TOKEN,
        OP_TTFT,
        N_OPS,
};

static const char ggml[] = "/opt/llama/libggml-base.so";
static const char cpu[] = "/opt/llama/libggml-cpu-haswell.so";
static const char llama[] = "/opt/llama/libllama.so";

static const struct runfile_op op_table[N_OPS] = {
        [OP_NONE] = {.op = OP_NONE, .name = "not in any op"},
        [OP_OTHER] = {.op = OP_OTHER, .name = "other ops"},
        [OP_DECODE] = {.op = OP_DECODE,
                       .name = "llama_decode",
                       .kernel = "llama_decode",
                       .library = llama,
                       .kind = IFP_KIND_CALL},
        [OP_GRAPH] = {.op = OP_GRAPH,
                      .name = "graph",
                      .kernel = "ggml_graph_compute",
                      .library = ggml,
                      .kind = IFP_KIND_GRAPH},
        [OP_RMS_NORM] = {.op = OP_RMS_NORM,
                         .name = "RMS_NORM",
                         .kernel = "ggml_compute_forward_rms_norm",
                         .library = cpu,
                         .kind = IFP_KIND_NODE},
        [OP_MUL_MAT] = {.op = OP_MUL_MAT,
                        .name = "MUL_MAT",
                        .kernel = "ggml_compute_forward_mul_mat",
                        .library = cpu,
                        .kind = IFP_KIND_NODE},
        [OP_SOFT_MAX] = {.op = OP_SOFT_MAX,
                         .name = "SOFT_MAX",
                         .kernel = "ggml_compute_forward_soft_max",
                         .library = cpu,
                         .kind = IFP_KIND_NODE},
        [OP_BARRIER] = {.op = OP_BARRIER,
                        .name = "ggml_barrier",
                        .kernel = "ggml_barrier",
                        .library = ggml,
                        .kind = IFP_KIND_WAIT},
        [OP_VEC_DOT] = {.op = OP_VEC_DOT,
                        .name = "ggml_vec_dot_q8_0_q8_0",
                        .kernel = "ggml_vec_dot_q8_0_q8_0",
                        .library = cpu,
                        .hot = true},
        [OP_SAMPLE] =
                {.op = OP_SAMPLE,
                 .name = "demo::Sampler<float>::pick(std::vector<float> const&, unsigned int)",
                 .kernel = "_ZN4demo7SamplerIfE4pickERKSt6vectorIfSaIfEEj",
                 .library = "/opt/llama/driver"},
        [OP_TOKEN] = {.op = OP_TOKEN, .name = "token", .kind = IFP_KIND_TOKEN},
        [OP_TTFT] = {.op = OP_TTFT, .name = "time to first token", .kind = IFP_KIND_TTFT},
};

struct cell {
        uint64_t timed, untimed, total, child, min, max; /* ticks */
        double sum, sumsq;                               /* ns */
        struct runfile_alloc alloc;
        uint64_t hist[IFP_HIST_BUCKETS];
};

struct fixture {
        struct cell cells[N_THREADS][N_OPS][IFP_N_PHASES];
        struct runfile_alloc thread_alloc[N_THREADS];
        uint64_t thread_spans[N_THREADS];
        uint64_t seed;
        uint64_t *mul_mat; /* each duration in ns */
        size_t n_mul_mat;
        struct fixture_truth truth;
};

static uint64_t any(struct fixture *f, uint64_t below)
{
        f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
        return (f->seed >> 33) % below;
}

static void span(struct fixture *f, int thread, enum op op, int phase, uint64_t ticks,
                 uint64_t child)
{
        struct cell *c = &f->cells[thread][op][phase];
        double ns = (double)ticks / 2;

        if (!c->timed || ticks < c->min)
                c->min = ticks;
        if (ticks > c->max)
                c->max = ticks;
        c->timed++;
        c->total += ticks;
        c->child += child;
        c->sum += ns;
        c->sumsq += ns * ns;
        c->hist[ifp_hist_index(ticks)]++;
        if (op == OP_TOKEN || op == OP_TTFT)
                return;
        f->thread_spans[thread]++;
        f->truth.spans++;
        f->truth.in_ops_ns += (ticks - child) / 2;
        if (op == OP_MUL_MAT)
                f->mul_mat[f->n_mul_mat++] = ticks / 2;
}

static void allocate(struct fixture *f, int thread, enum op op, int phase, uint64_t bytes,
                     bool also_free)
{
        uint64_t usable = (bytes + 23) / 16 * 16 - 8;
        struct runfile_alloc a = {1, bytes, usable, also_free, also_free ? usable : 0, 0};
        struct runfile_alloc *to[] = {&f->cells[thread][op][phase].alloc, &f->thread_alloc[thread]};

        for (int i = 0; i < 2; i++) {
                to[i]->calls += a.calls;
                to[i]->asked_bytes += a.asked_bytes;
                to[i]->usable_bytes += a.usable_bytes;
                to[i]->frees += a.frees;
                to[i]->freed_bytes += a.freed_bytes;
        }
        f->truth.alloc_calls += a.calls;
        f->truth.alloc_bytes += a.asked_bytes;
        f->truth.usable_bytes += a.usable_bytes;
        f->truth.free_calls += a.frees;
        f->truth.freed_bytes += a.freed_bytes;
}

/* The nodes of one layer on one thread; the ticks they took. Even, as all ticks here: whole ns. */
static uint64_t layer(struct fixture *f, int thread, int phase, uint64_t scale)
{
        static const enum op nodes[] = {OP_RMS_NORM, OP_MUL_MAT, OP_SOFT_MAX, OP_MUL_MAT,
                                        OP_MUL_MAT};
        uint64_t sum = 0;

        for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
                uint64_t base = nodes[i] == OP_MUL_MAT ? 60000 : 2400;
                uint64_t ticks = 2 * (scale * (base + any(f, base / 8)) / 2), dots = 0;

                if (nodes[i] == OP_MUL_MAT) {
                        struct cell *hot = &f->cells[thread][OP_VEC_DOT][phase];

                        /* 64 dot products, two of them with stamps */
                        for (int k = 0; k < 2; k++) {
                                uint64_t dot = 2 * (200 + any(f, 40));

                                span(f, thread, OP_VEC_DOT, phase, dot, 0);
                                dots += dot;
                        }
                        hot->untimed += 62;
                }
                span(f, thread, nodes[i], phase, ticks, dots);
                sum += ticks;
                ticks = 2 * (150 + any(f, 400));
                span(f, thread, OP_BARRIER, phase, ticks, 0);
                sum += ticks;
        }
        return sum;
}

/* llama_decode with `tokens` tokens; its ticks. */
static uint64_t decode(struct fixture *f, int phase, uint64_t tokens)
{
        uint64_t graph = 0, ticks;

        for (int i = 0; i < N_LAYERS; i++) {
                graph += layer(f, 0, phase, tokens);
                (void)layer(f, 1, phase, tokens);
        }
        allocate(f, 0, OP_GRAPH, phase, 4096, true);
        ticks = graph + 2 * (900 + any(f, 100));
        span(f, 0, OP_GRAPH, phase, ticks, graph);
        graph = ticks;
        ticks += 2 * (4000 + any(f, 500));
        allocate(f, 0, OP_DECODE, phase, 100, true);
        span(f, 0, OP_DECODE, phase, ticks, graph);
        return ticks;
}

static void live(struct fixture *f)
{
        uint64_t ticks, token;

        allocate(f, 0, OP_NONE, IFP_PHASE_LOAD, 27 << 20, false);
        allocate(f, 0, OP_NONE, IFP_PHASE_LOAD, 1000, true);
        ticks = decode(f, IFP_PHASE_PREFILL, 16);
        span(f, 0, OP_TTFT, IFP_PHASE_PREFILL, ticks + 20000, 0);
        for (int i = 0; i < N_TOKENS; i++) {
                ticks = decode(f, IFP_PHASE_DECODE, 1);
                token = ticks;
                ticks = 2 * (3000 + any(f, 300));
                span(f, 0, OP_SAMPLE, IFP_PHASE_DECODE, ticks, 0);
                allocate(f, 0, OP_SAMPLE, IFP_PHASE_DECODE, 512, true);
                token += ticks + 2 * 1000;
                span(f, 0, OP_TOKEN, IFP_PHASE_DECODE, token, 0);
                f->truth.generated++;
                f->truth.token_ns += token / 2;
        }
}

static int compare_u64(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

static void sum_up_mul_mat(struct fixture *f)
{
        struct fixture_truth *t = &f->truth;
        double mean, squares = 0;
        size_t n = f->n_mul_mat;

        qsort(f->mul_mat, n, sizeof(*f->mul_mat), compare_u64);
        t->mul_mat_calls = n;
        for (size_t i = 0; i < n; i++)
                t->mul_mat_total_ns += f->mul_mat[i];
        mean = (double)t->mul_mat_total_ns / (double)n;
        for (size_t i = 0; i < n; i++)
                squares += ((double)f->mul_mat[i] - mean) * ((double)f->mul_mat[i] - mean);
        t->mul_mat_stddev_ns = sqrt(squares / (double)n);
        t->mul_mat_min_ns = f->mul_mat[0];
        t->mul_mat_max_ns = f->mul_mat[n - 1];
        t->mul_mat_p50_ns = f->mul_mat[(n + 1) / 2 - 1];
        t->mul_mat_p95_ns = f->mul_mat[(size_t)ceil(0.95 * (double)n) - 1];
        t->mul_mat_p99_ns = f->mul_mat[(size_t)ceil(0.99 * (double)n) - 1];
}

static int put_op(struct runfile *rf, const struct fixture *f, enum op op)
{
        struct runfile_op row = op_table[op];
        int r = 0;

        for (int t = 0; t < N_THREADS; t++) {
                bool called = false;

                for (int p = 0; p < IFP_N_PHASES; p++)
                        called |= f->cells[t][op][p].timed > 0;
                row.threads += called;
        }
        r |= runfile_put_op(rf, &row);
        for (unsigned p = 0; p < IFP_N_PHASES; p++) {
                struct runfile_op_phase sum = {.op = op, .phase = p, .min_ns = UINT64_MAX};
                uint64_t hist[IFP_HIST_BUCKETS] = {0};

                for (unsigned t = 0; t < N_THREADS; t++) {
                        const struct cell *c = &f->cells[t][op][p];
                        struct runfile_thread_op mine = {
                                .thread = t,
                                .op = op,
                                .phase = p,
                                .timed = c->timed,
                                .untimed = c->untimed,
                                .total_ns = c->total / 2,
                                .child_ns = c->child / 2,
                                .min_ns = c->timed ? c->min / 2 : UINT64_MAX,
                                .max_ns = c->max / 2,
                                .alloc = c->alloc,
                        };

                        if (!c->timed && !c->untimed && !c->alloc.calls)
                                continue;
                        if (op != OP_TOKEN && op != OP_TTFT)
                                r |= runfile_put_thread_op(rf, &mine);
                        sum.timed += mine.timed;
                        sum.untimed += mine.untimed;
                        sum.total_ns += mine.total_ns;
                        sum.child_ns += mine.child_ns;
                        if (mine.min_ns < sum.min_ns)
                                sum.min_ns = mine.min_ns;
                        if (mine.max_ns > sum.max_ns)
                                sum.max_ns = mine.max_ns;
                        sum.sum_ns += c->sum;
                        sum.sumsq_ns2 += c->sumsq;
                        sum.alloc.calls += c->alloc.calls;
                        sum.alloc.asked_bytes += c->alloc.asked_bytes;
                        sum.alloc.usable_bytes += c->alloc.usable_bytes;
                        sum.alloc.frees += c->alloc.frees;
                        sum.alloc.freed_bytes += c->alloc.freed_bytes;
                        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                                hist[i] += c->hist[i];
                }
                sum.hist = sum.timed ? hist : NULL;
                if (sum.timed || sum.untimed || sum.alloc.calls)
                        r |= runfile_put_op_phase(rf, &sum);
        }
        return r;
}

static int put_threads(struct runfile *rf, const struct fixture *f)
{
        static const char *const names[N_THREADS] = {"driver", "ggml-worker", "κάτι"};
        static const uint64_t started[N_THREADS] = {0, 3000000, 3500000};
        static const uint64_t ended[N_THREADS] = {UINT64_MAX, 40000000, 3700000};
        int r = 0;

        for (unsigned t = 0; t < N_THREADS; t++) {
                struct runfile_thread row = {
                        .thread = t,
                        .tid = 4711 + (int)t,
                        .parent_tid = t ? 4711 : 0,
                        .name = names[t],
                        .started_ns = started[t],
                        .ended_ns = ended[t],
                        .site = (int)t - 1,
                        .spans = f->thread_spans[t],
                        .cpu_ns = t == 0   ? 41000000
                                  : t == 1 ? 33000000
                                           : 90000,
                        .alloc = f->thread_alloc[t],
                };

                r |= runfile_put_thread(rf, &row);
        }
        r |= runfile_put_site(rf, &(struct runfile_site){.site = 0,
                                                         .function = "ggml_threadpool_new",
                                                         .library = ggml,
                                                         .offset = 0x1a2,
                                                         .count = 1});
        r |= runfile_put_site(rf, &(struct runfile_site){.site = 1,
                                                         .library = "/opt/llama/driver",
                                                         .offset = 0x4021,
                                                         .count = 1});
        return r;
}

static int put_processes(struct runfile *rf, const struct fixture *f)
{
        struct runfile_process main_process = {
                .index = 0,
                .uuid = "00112233445566778899aabbccddeeff",
                .pid = 4711,
                .ppid = 4710,
                .command = "./driver --model tiny.gguf --tokens 40",
                .exe = "/opt/llama/driver",
                .started_at_ns = 1795201500250000000,
                .duration_ns = 45000000,
                .ticks_per_second = TICKS_PER_SECOND,
                .end = RUNFILE_END_CODE,
                .spans = f->truth.spans,
                .folded = 12,
                .open = 0,
                .untimed = 0,
                .slots_patched = 640,
                .overhead_ns_per_span_x1000 = 21400,
                .stamp_ps = 9000,
                .segment_bytes = 3 << 20,
                .threads_peak = 3,
                .spawns = 2,
                .live_bytes = (int64_t)(f->truth.usable_bytes - f->truth.freed_bytes),
                .peak_bytes = (int64_t)(f->truth.usable_bytes - f->truth.freed_bytes) + 4104,
                .prompt_tokens = 16,
                .generated_tokens = f->truth.generated,
                .sequences = 1,
                .phase_ns = {1000000, 4000000, 10000000, 28000000, 2000000},
                .phase = IFP_PHASE_IDLE,
        };
        struct runfile_process other = {
                .index = 1,
                .uuid = "ffeeddccbbaa99887766554433221100",
                .pid = 4715,
                .ppid = 4711,
                .command = "uname -a",
                .exe = "/usr/bin/uname",
                .started_at_ns = 1795201500251000000,
                .duration_ns = 2000000,
                .ticks_per_second = TICKS_PER_SECOND,
                .end = RUNFILE_END_SIGNAL,
                .end_value = 15,
                .trivial = true,
                .segment_bytes = 200 << 10,
                .phase_ns = {2000000},
        };

        return runfile_put_process(rf, &main_process) | runfile_put_process(rf, &other);
}

static int put_variable(struct runfile *rf, uint32_t process, const char *name, const char *value)
{
        return runfile_put_environment(
                rf,
                &(struct runfile_environment){.process = process, .name = name, .value = value});
}

static int put_library(struct runfile *rf, uint32_t process, uint32_t object, const char *path,
                       const char *build_id)
{
        return runfile_put_library(rf, &(struct runfile_library){.process = process,
                                                                 .object = object,
                                                                 .path = path,
                                                                 .build_id = build_id});
}

static int put_surroundings(struct runfile *rf)
{
        const struct runfile_surroundings s = {
                .kernel = "Linux 6.1",
                .os = "Abacus OS",
                .governor = "powersave",
                .turbo = 1,
                .numa_balancing = RUNFILE_NOT_TOLD,
                .memory_bytes = 8ull << 30,
                .available_bytes = 6ull << 30,
                .load_1 = 250,
                .load_5 = 1500,
                .load_15 = 1000,
                .runnable = 1,
                .cpu_pressure = RUNFILE_NOT_TOLD,
        };
        const struct runfile_confines c = {.process = 0, .cpus = "0-1", .nice = -5};

        return runfile_put_surroundings(rf, &s) | runfile_put_confines(rf, &c) |
               put_variable(rf, 0, "OMP_NUM_THREADS", "2") |
               put_variable(rf, 0, "LLAMA_ARG_API_KEY", NULL) |
               put_variable(rf, 1, "OMP_NUM_THREADS", "1") |
               put_variable(rf, 1, "LLAMA_ARG_API_KEY", NULL) |
               put_library(rf, 0, 0, "/opt/llama/driver", "00ff") |
               put_library(rf, 0, 1, "/opt/llama/libggml.so", NULL) |
               put_library(rf, 1, 0, "/opt/llama/libggml.so", NULL) |
               put_library(rf, 1, 1, "/opt/llama/driver", "11ff");
}

int fixture_write(const char *path, struct fixture_truth *ret)
{
        static struct fixture f;
        const struct runfile_run run = {
                .id = "20261120-194500-4711",
                .command = "./driver --model tiny.gguf --tokens 40",
                .pid = 4711,
                .started_at_ns = 1795201500250000000,
                .duration_ns = 45000000,
                .end = RUNFILE_END_CODE,
                .infprof_version = "0.1.0",
                .machine = "Abacus 7, 2 CPUs, Linux 6.1",
                .daemon_cpu_ns = 1250000,
        };
        struct runfile *rf = NULL;
        char *why = NULL;
        int r;

        memset(&f, 0, sizeof(f));
        f.seed = 1;
        f.mul_mat = calloc(2 * N_LAYERS * 3 * (N_TOKENS + 1), sizeof(*f.mul_mat));
        if (!f.mul_mat)
                return -1;
        live(&f);
        sum_up_mul_mat(&f);
        free(f.mul_mat);

        r = runfile_create(&rf, path, &run, &why);
        if (!r)
                r = runfile_begin(rf);
        if (!r) {
                r = put_processes(rf, &f);
                for (enum op op = 0; op < N_OPS; op++)
                        r |= put_op(rf, &f, op);
                r |= put_threads(rf, &f);
                r |= put_surroundings(rf);
                r |= runfile_put_note(
                        rf, &(struct runfile_note){
                                    .process = RUNFILE_WHOLE_RUN,
                                    .text = "the pattern libfoo.so:gemm_* matched nothing"});
                r |= runfile_commit(rf, &why);
        }
        if (why)
                fprintf(stderr, "%s\n", why);
        free(why);
        runfile_close(rf);
        *ret = f.truth;
        return r;
}
