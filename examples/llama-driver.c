/* SPDX-License-Identifier: MIT */
/*
 * Drives a real llama.cpp: loads a model, feeds a prompt, generates, and times itself while it
 * does. The text goes to stdout and is a function of the options alone; what was measured goes to
 * stderr and, as JSON, to --stats. End-of-text tokens are not obeyed: as many tokens come as were
 * asked for.
 */
#include "llama-api.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
        const char *lib, *model, *prompt, *stats;
        int threads, tokens, rounds;
        uint32_t seed;
        bool sampler, quiet, verbose, ids, positions;
};

struct stats {
        uint64_t prompt_tokens, generated_tokens;
        uint64_t prefill_calls, prefill_ns;
        uint64_t decode_calls, decode_ns; /* llama_decode with one token */
        uint64_t generate_ns; /* from the prompt's end to the last decode's, with sampling */
        uint64_t ttft_ns;     /* of the first round */
};

struct engine {
        struct llama_api api;
        void *model, *ctx, *chain;
        const void *vocab;
        int n_vocab;
        int32_t *positions; /* of a batch's tokens, said to llama.cpp; NULL: it counts for itself */
        int32_t next;       /* position */
};

static const char usage[] =
        "usage: llama-driver --lib DIR --model FILE [options]\n"
        "  --threads N     (1)\n"
        "  --prompt TEXT   (\"Once upon a time\")\n"
        "  --tokens N      to generate in a round (64)\n"
        "  --rounds N      the same prompt again, from an empty cache (1)\n"
        "  --sampler       sample with llama's sampler chain instead of greedily\n"
        "  --seed N        of the sampler (1)\n"
        "  --ids           print token ids instead of text\n"
        "  --positions     say the position of each token, as servers do\n"
        "  --stats FILE    write what was measured as JSON\n"
        "  --quiet, --verbose   no line of figures; llama's own log\n";

static _Noreturn void die(int code, const char *what, const char *which)
{
        fprintf(stderr, "llama-driver: %s: %s\n", what, which);
        exit(code);
}

static uint64_t now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void no_log(int level, const char *text, void *user)
{
}

static long number(const char *option, const char *text, long min, long max)
{
        char *end, what[80];

        errno = 0;
        long n = strtol(text, &end, 10);
        if (end == text || *end || errno || n < min || n > max) {
                snprintf(what, sizeof(what), "%s wants a number from %ld to %ld, not", option, min,
                         max);
                die(2, what, text);
        }
        return n;
}

static void parse(struct options *o, int argc, char **argv)
{
        static const struct option longs[] = {
                {"lib", 1, NULL, 'L'},    {"model", 1, NULL, 'm'},     {"threads", 1, NULL, 'j'},
                {"prompt", 1, NULL, 'p'}, {"tokens", 1, NULL, 'n'},    {"rounds", 1, NULL, 'r'},
                {"seed", 1, NULL, 's'},   {"stats", 1, NULL, 'S'},     {"sampler", 0, NULL, 'c'},
                {"quiet", 0, NULL, 'q'},  {"verbose", 0, NULL, 'v'},   {"ids", 0, NULL, 'i'},
                {"help", 0, NULL, 'h'},   {"positions", 0, NULL, 'P'}, {0},
        };
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, "+:", longs, NULL)) != -1) {
                switch (c) {
                case 'L':
                        o->lib = optarg;
                        break;
                case 'm':
                        o->model = optarg;
                        break;
                case 'j':
                        o->threads = (int)number("--threads", optarg, 1, 512);
                        break;
                case 'p':
                        o->prompt = optarg;
                        break;
                case 'n':
                        o->tokens = (int)number("--tokens", optarg, 1, 1000000);
                        break;
                case 'r':
                        o->rounds = (int)number("--rounds", optarg, 1, 1000000);
                        break;
                case 's':
                        o->seed = (uint32_t)number("--seed", optarg, 0, INT_MAX);
                        break;
                case 'S':
                        o->stats = optarg;
                        break;
                case 'c':
                        o->sampler = true;
                        break;
                case 'q':
                        o->quiet = true;
                        break;
                case 'v':
                        o->verbose = true;
                        break;
                case 'i':
                        o->ids = true;
                        break;
                case 'P':
                        o->positions = true;
                        break;
                case 'h':
                        fputs(usage, stdout);
                        exit(0);
                case ':':
                        die(2, "option wants a value", argv[optind - 1]);
                default:
                        die(2, "unknown option", argv[optind - 1]);
                }
        }
        if (optind < argc)
                die(2, "takes no arguments but options", argv[optind]);
        if (!o->lib || !o->model)
                die(2, "missing option", o->lib ? "--model FILE" : "--lib DIR");
}

static void load(struct engine *e, const struct options *o)
{
        struct llama_api *a = &e->api;
        const char *trouble = llama_api_open(a, o->lib);

        if (trouble)
                die(1, "no llama.cpp", trouble);
        if (!o->verbose)
                a->log_set(no_log, NULL);
        a->load_all_from_path(o->lib);
        a->backend_init();
        e->model = a->model_load(o->model, a->model_default_params());
        if (!e->model)
                die(1, "llama.cpp cannot load the model", o->model);
        e->vocab = a->model_get_vocab(e->model);
        e->n_vocab = a->vocab_n_tokens(e->vocab);
}

static int32_t *tokenize(struct engine *e, const char *text, int *ret_n)
{
        int32_t length = (int32_t)strlen(text);
        int32_t room = 3 * length + 8; /* a space becomes a sign of three bytes */
        int32_t *tokens = calloc((size_t)room, sizeof(*tokens));

        if (!tokens)
                die(1, "out of memory", "prompt");
        *ret_n = e->api.tokenize(e->vocab, text, length, tokens, room, true, false);
        if (*ret_n <= 0)
                die(1, "llama.cpp finds no tokens in the prompt", text);
        return tokens;
}

static void start(struct engine *e, const struct options *o, int n_positions)
{
        struct llama_api *a = &e->api;
        struct llama_params params = a->context_default_params();

        if (params.n_ctx == 512 &&
            n_positions > 512) /* else this is not the member we think it is */
                params.n_ctx = (uint32_t)(n_positions + 255) & ~255u;
        e->ctx = a->init_from_model(e->model, params);
        if (!e->ctx)
                die(1, "llama.cpp cannot make a context for", o->model);
        if ((int)a->n_ctx(e->ctx) < n_positions)
                die(1, "prompt and tokens do not fit", "ask for fewer tokens, in more rounds");
        a->set_n_threads(e->ctx, o->threads, o->threads);
        if (!o->sampler)
                return;
        e->chain = a->sampler_chain_init(a->sampler_chain_default_params());
        a->sampler_chain_add(e->chain, a->sampler_init_top_k(40));
        a->sampler_chain_add(e->chain, a->sampler_init_temp(0.8f));
        a->sampler_chain_add(e->chain, a->sampler_init_dist(o->seed));
}

static uint64_t decode(struct engine *e, int32_t *tokens, int n)
{
        struct llama_batch batch = e->api.batch_get_one(tokens, n);
        char code[16];

        if (e->positions) {
                for (int i = 0; i < n; i++)
                        e->positions[i] = e->next++;
                batch.pos = e->positions;
        }
        uint64_t from = now_ns();
        int r = e->api.decode(e->ctx, batch);
        uint64_t ns = now_ns() - from;

        snprintf(code, sizeof(code), "%d", r);
        if (r != 0)
                die(1, "llama_decode failed", code);
        return ns;
}

static int32_t pick(struct engine *e)
{
        int32_t best = 0;

        if (e->chain)
                return e->api.sampler_sample(e->chain, e->ctx, -1);
        const float *logits = e->api.get_logits_ith(e->ctx, -1);
        if (!logits)
                die(1, "llama.cpp gives no logits", "for the last token");
        for (int32_t i = 1; i < e->n_vocab; i++)
                if (logits[i] > logits[best])
                        best = i;
        return best;
}

static void print_token(struct engine *e, const struct options *o, int32_t token)
{
        char piece[256];

        if (o->ids) {
                printf("%d ", token);
                return;
        }
        int n = e->api.token_to_piece(e->vocab, token, piece, sizeof(piece), 0, true);
        if (n > 0)
                fwrite(piece, 1, (size_t)n, stdout);
}

static void run_round(struct engine *e, const struct options *o, int32_t *prompt, int n_prompt,
                      struct stats *s)
{
        e->next = 0;
        uint64_t ns = decode(e, prompt, n_prompt);

        if (!s->ttft_ns)
                s->ttft_ns = ns;
        s->prompt_tokens += (uint64_t)n_prompt;
        s->prefill_calls++;
        s->prefill_ns += ns;

        uint64_t from = now_ns(), end = from;
        for (int i = 0; i < o->tokens; i++) {
                int32_t token = pick(e);
                s->generated_tokens++;
                print_token(e, o, token);
                if (i + 1 == o->tokens)
                        break;
                s->decode_ns += decode(e, &token, 1);
                s->decode_calls++;
                end = now_ns();
        }
        s->generate_ns += end - from;
        putchar('\n');
        e->api.memory_clear(e->api.get_memory(e->ctx), true);
}

static double per_second(const struct stats *s)
{
        return s->decode_calls ? (double)s->decode_calls * 1e9 / (double)s->generate_ns : 0;
}

static void write_stats(const char *path, const struct stats *s, int threads)
{
        FILE *f = fopen(path, "we");

        if (!f)
                die(1, path, strerror(errno));
        fprintf(f,
                "{\"prompt_tokens\": %" PRIu64 ", \"generated_tokens\": %" PRIu64
                ", \"prefill_calls\": %" PRIu64 ", \"prefill_ns\": %" PRIu64
                ", \"decode_calls\": %" PRIu64 ", \"decode_ns\": %" PRIu64
                ", \"generate_ns\": %" PRIu64 ", \"ttft_ns\": %" PRIu64
                ", \"tokens_per_second\": %.3f, \"threads\": %d}\n",
                s->prompt_tokens, s->generated_tokens, s->prefill_calls, s->prefill_ns,
                s->decode_calls, s->decode_ns, s->generate_ns, s->ttft_ns, per_second(s), threads);
        if (fclose(f) != 0)
                die(1, path, strerror(errno));
}

int main(int argc, char **argv)
{
        struct options o = {
                .prompt = "Once upon a time", .threads = 1, .tokens = 64, .rounds = 1, .seed = 1};
        struct engine e = {0};
        struct stats s = {0};
        int n_prompt;

        parse(&o, argc, argv);
        load(&e, &o);
        int32_t *prompt = tokenize(&e, o.prompt, &n_prompt);
        start(&e, &o, n_prompt + o.tokens);
        if (o.positions) {
                e.positions = calloc((size_t)n_prompt, sizeof(*e.positions));
                if (!e.positions)
                        die(1, "out of memory", "positions");
        }
        for (int i = 0; i < o.rounds; i++)
                run_round(&e, &o, prompt, n_prompt, &s);
        if (fflush(stdout) != 0)
                die(1, "cannot write the text", strerror(errno));

        if (!o.quiet)
                fprintf(stderr,
                        "llama-driver: %" PRIu64 " prompt tokens, %" PRIu64
                        " generated, %.1f tokens/s, %.3f ms/token, ttft %.3f ms\n",
                        s.prompt_tokens, s.generated_tokens, per_second(&s),
                        s.decode_calls ? (double)s.decode_ns / 1e6 / (double)s.decode_calls : 0,
                        (double)s.ttft_ns / 1e6);
        if (o.stats)
                write_stats(o.stats, &s, o.threads);
        if (e.chain)
                e.api.sampler_free(e.chain);
        e.api.free(e.ctx);
        e.api.model_free(e.model);
        e.api.backend_free();
        free(prompt);
        free(e.positions);
        return 0;
}
