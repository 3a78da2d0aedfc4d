/* SPDX-License-Identifier: MIT */
/*
 * A small inference engine that counts for itself everything a profiler would claim to have
 * counted. Tokens are sampled from the model's own distribution with a seeded generator, so that
 * the output is a function of the options, whatever the number of threads.
 */
#include "tiny.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct options {
        int threads, tokens, layers, dim, prompt, pace_ms;
        int mixed; /* blocks a token; 0: none */
        uint64_t seed, repeat, keep, fail;
        bool kv_grow;
        int repeat_kernel; /* TK_N_KERNELS: none */
        enum tiny_spawn spawn;
        enum tk_alloc alloc;
        const char *truth, *spans;
};

static const char usage[] =
        "usage: tinyengine [options]\n"
        "  --threads N            workers (1)\n"
        "  --tokens N             tokens to generate (32)\n"
        "  --prompt N             tokens of prompt (8)\n"
        "  --layers N, --dim N    size of the model (4, 128; dim a multiple of 16)\n"
        "  --seed N               of weights, prompt and sampling (1)\n"
        "  --spawn pool|op        workers for the run, or threads for each op (pool)\n"
        "  --alloc none|op|arena|mixed\n"
        "                         where kernels take scratch memory (none); mixed: as none, and\n"
        "                         blocks of all sizes are allocated with each token\n"
        "  --keep N               with op: each Nth scratch block is never freed\n"
        "  --fail N               with op: before each Nth, more is asked for than there is\n"
        "  --mixed N              with mixed: so many blocks with each token (200)\n"
        "  --kv fixed|grow        grow: a block is kept for each token (fixed)\n"
        "  --pace MS              sleep after each token (0)\n"
        "  --repeat-kernel K:N    generate nothing; each worker calls kernel K N times\n"
        "  --truth FILE           write what was counted, as JSON\n"
        "  --spans FILE           stamp every kernel call, write the times as JSON\n";

static _Noreturn void bad(const char *what, const char *value)
{
        fprintf(stderr, "tinyengine: %s: '%s' (see --help)\n", what, value);
        exit(2);
}

static long number(const char *option, const char *text, long min, long max)
{
        char *end;
        errno = 0;
        long n = strtol(text, &end, 10);
        char what[80];

        if (end == text || *end || errno || n < min || n > max) {
                snprintf(what, sizeof(what), "--%s wants a number from %ld to %ld", option, min,
                         max);
                bad(what, text);
        }
        return n;
}

static int choice(const char *option, const char *text, const char *const names[])
{
        char what[80];

        for (int i = 0; names[i]; i++)
                if (strcmp(text, names[i]) == 0)
                        return i;
        snprintf(what, sizeof(what), "--%s has no such choice", option);
        bad(what, text);
}

static void parse_repeat(struct options *o, char *text)
{
        char *colon = strchr(text, ':'), *name = text;

        if (!colon)
                bad("--repeat-kernel wants KERNEL:COUNT", text);
        *colon = 0;
        for (int k = 0; k < TK_N_KERNELS; k++)
                if (strcmp(name, tk_kernel_names[k]) == 0)
                        o->repeat_kernel = k;
        if (o->repeat_kernel == TK_N_KERNELS)
                bad("--repeat-kernel knows no kernel of this name", name);
        o->repeat = (uint64_t)number("repeat-kernel", colon + 1, 1, LONG_MAX);
}

static void parse(struct options *o, int argc, char **argv)
{
        static const char *const spawns[] = {"pool", "op", NULL};
        static const char *const allocs[] = {"none", "op", "arena", "mixed", NULL};
        static const char *const kvs[] = {"fixed", "grow", NULL};
        static const struct option longs[] = {
                {"threads", 1, NULL, 'j'}, {"tokens", 1, NULL, 'n'},
                {"layers", 1, NULL, 'l'},  {"dim", 1, NULL, 'd'},
                {"spawn", 1, NULL, 'S'},   {"alloc", 1, NULL, 'A'},
                {"truth", 1, NULL, 't'},   {"spans", 1, NULL, 's'},
                {"seed", 1, NULL, 'r'},    {"prompt", 1, NULL, 'p'},
                {"pace", 1, NULL, 'P'},    {"repeat-kernel", 1, NULL, 'R'},
                {"keep", 1, NULL, 'k'},    {"fail", 1, NULL, 'f'},
                {"mixed", 1, NULL, 'm'},   {"kv", 1, NULL, 'K'},
                {"help", 0, NULL, 'h'},    {0},
        };
        enum { MIXED = TK_ALLOC_ARENA + 1 };
        int c, alloc = TK_ALLOC_NONE, mixed = 200;

        opterr = 0;
        while ((c = getopt_long(argc, argv, "+:", longs, NULL)) != -1) {
                switch (c) {
                case 'j':
                        o->threads = (int)number("threads", optarg, 1, 1024);
                        break;
                case 'n':
                        o->tokens = (int)number("tokens", optarg, 1, 10000000);
                        break;
                case 'l':
                        o->layers = (int)number("layers", optarg, 1, 1000);
                        break;
                case 'd':
                        o->dim = (int)number("dim", optarg, 16, 16384);
                        if (o->dim % 16)
                                bad("--dim wants a multiple of 16", optarg);
                        break;
                case 'r':
                        o->seed = (uint64_t)number("seed", optarg, 0, LONG_MAX);
                        break;
                case 'p':
                        o->prompt = (int)number("prompt", optarg, 1, 100000);
                        break;
                case 'P':
                        o->pace_ms = (int)number("pace", optarg, 0, 60000);
                        break;
                case 'S':
                        o->spawn = choice("spawn", optarg, spawns);
                        break;
                case 'A':
                        alloc = choice("alloc", optarg, allocs);
                        break;
                case 'k':
                        o->keep = (uint64_t)number("keep", optarg, 1, LONG_MAX);
                        break;
                case 'f':
                        o->fail = (uint64_t)number("fail", optarg, 1, LONG_MAX);
                        break;
                case 'm':
                        mixed = (int)number("mixed", optarg, 1, 10000000);
                        break;
                case 'K':
                        o->kv_grow = choice("kv", optarg, kvs) != 0;
                        break;
                case 't':
                        o->truth = optarg;
                        break;
                case 's':
                        o->spans = optarg;
                        break;
                case 'R':
                        parse_repeat(o, optarg);
                        break;
                case 'h':
                        fputs(usage, stdout);
                        exit(0);
                case ':':
                        bad("option wants a value", argv[optind - 1]);
                default:
                        bad("unknown option", argv[optind - 1]);
                }
        }
        o->alloc = alloc == MIXED ? TK_ALLOC_NONE : (enum tk_alloc)alloc;
        o->mixed = alloc == MIXED ? mixed : 0;
        if (optind < argc)
                bad("takes no arguments", argv[optind]);
}

static uint64_t cpu_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* Draw a token from the logits. The softmax is worker 0's, outside of any graph. */
static int sample(struct tk_ctx *ctx, float *logits, int vocab, uint64_t *rng)
{
        float u = (float)(next_random(rng) >> 40) / (float)(1 << 24), sum = 0;

        TK_CALL(ctx, TK_SOFTMAX, tk_softmax(ctx, logits, vocab));
        for (int i = 0; i < vocab; i++) {
                sum += logits[i];
                if (u < sum)
                        return i;
        }
        return vocab - 1;
}

/* A copy of what the pass from `pos` has left in the cache, a block for each token. */
static struct tiny_kv *keep_kv(struct tiny_kv *head, const struct tiny_model *model, int pos, int n)
{
        size_t bytes = tiny_model_kv_bytes(model);
        void *rows = tiny_malloc(bytes);

        if (!rows)
                abort();
        for (int i = 0; i < n; i++) {
                tiny_model_kv(model, pos + i, rows);
                head = tiny_kv_grow(head, rows, bytes);
        }
        tiny_free(rows);
        return head;
}

static void put_token(const struct options *o, int token, bool last)
{
        printf("%d%c", token, last ? '\n' : ' ');
        if (o->pace_ms) {
                fflush(stdout);
                usleep((useconds_t)o->pace_ms * 1000);
        }
}

static void generate(const struct options *o, struct tiny_model *model, struct tiny_pool *pool,
                     int vocab)
{
        uint64_t rng = o->seed * 2654435761u + 88172645463325252u, mixed_rng = rng;
        int *prompt = tiny_calloc(o->prompt, sizeof(*prompt)), *batch = prompt;
        int n_batch = o->prompt, pos = 0, token;
        const struct tiny_op *ops;
        struct tiny_kv *kv = NULL;

        if (!prompt)
                abort();
        for (int i = 0; i < o->prompt; i++)
                prompt[i] = (int)(next_random(&rng) % (uint64_t)vocab);
        for (int i = 0; i < o->tokens; i++) {
                int n_ops = tiny_model_graph(model, batch, n_batch, pos, &ops);
                tiny_pool_run(pool, ops, n_ops, 1);
                if (o->kv_grow)
                        kv = keep_kv(kv, model, pos, n_batch);
                tiny_mixed_step(&mixed_rng, o->mixed);
                pos += n_batch;
                token = sample(&pool->ctx[0], tiny_model_logits(model), vocab, &rng);
                put_token(o, token, i + 1 == o->tokens);
                batch = &token;
                n_batch = 1;
        }
        tiny_mixed_end();
        tiny_kv_free(kv);
        tiny_free(prompt);
}

static int saved(int r, const char *path)
{
        if (r < 0)
                fprintf(stderr, "tinyengine: cannot write '%s': %s\n", path, strerror(-r));
        return r < 0;
}

int main(int argc, char **argv)
{
        struct options o = {.threads = 1,
                            .tokens = 32,
                            .layers = 4,
                            .dim = 128,
                            .prompt = 8,
                            .seed = 1,
                            .repeat_kernel = TK_N_KERNELS};
        struct tiny_pool pool;

        parse(&o, argc, argv);
        bool repeat = o.repeat_kernel != TK_N_KERNELS;
        struct tiny_shape shape = {.dim = o.dim,
                                   .n_layers = o.layers,
                                   .head_dim = 16,
                                   .n_heads = o.dim / 16,
                                   .hidden = 3 * o.dim,
                                   .vocab = 512,
                                   .n_ctx = o.prompt + o.tokens,
                                   .n_batch = o.prompt};
        struct tiny_model *model = tiny_model_new(&shape, o.seed);
        if (!model) {
                fprintf(stderr, "tinyengine: no memory for a model of this size\n");
                return 1;
        }

        /* the most a kernel and those inside it hold at once: a packed batch, or two rows of scores
         */
        size_t floats = (size_t)shape.n_batch * shape.hidden + 2 * (size_t)shape.n_ctx + 1024;
        struct tk_ctx like = {
                .alloc = o.alloc, .keep = o.keep, .fail = o.fail, .stamp = o.spans != NULL};
        uint64_t start_ns = tk_now_ns(), start_cpu_ns = cpu_ns();
        tiny_pool_init(&pool, o.threads, o.spawn, &like, floats * sizeof(float));
        if (repeat) {
                struct tiny_op op = tiny_model_sample_op(model, o.repeat_kernel);
                tiny_pool_run(&pool, &op, 1, o.repeat);
        } else {
                generate(&o, model, &pool, shape.vocab);
        }

        struct tiny_truth truth = {
                .n_spawns = pool.n_spawns,
                .n_threads = o.threads,
                .n_tokens = repeat ? 0 : o.tokens,
                .n_prompt_tokens = repeat ? 0 : o.prompt,
                .kv_bytes_per_token =
                        o.kv_grow ? tiny_kv_block_bytes(tiny_model_kv_bytes(model)) : 0,
                .wall_ns = tk_now_ns() - start_ns,
                .cpu_ns = cpu_ns() - start_cpu_ns};
        if (!repeat)
                fprintf(stderr, "tinyengine: %d tokens, %.1f tokens/s\n", o.tokens,
                        o.tokens * 1e9 / (double)truth.wall_ns);
        tiny_pool_done(&pool);
        tiny_model_free(model);
        tk_gave(&tiny_outside, tiny_classes, pool.ctx); /* it goes when it has been written down */
        int failed = 0;
        if (o.truth)
                failed |= saved(tiny_truth_write(o.truth, &truth, pool.ctx, o.threads), o.truth);
        if (o.spans)
                failed |= saved(tiny_spans_write(o.spans, pool.ctx, o.threads), o.spans);
        free(pool.ctx);
        return failed;
}
