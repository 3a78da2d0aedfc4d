/* SPDX-License-Identifier: MIT */
/*
 * Writes a model of the architecture "llama" with random weights, as a GGUF file. What such a model
 * says is noise; how it is computed is what a real one would cost. Matrices may be block-quantised;
 * vectors (the norms) are always f32. The same options give the same bytes.
 */
#include "gguf.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_BYTE_TOKENS = 256, N_SPECIAL = 3 };

enum token_type { TOKEN_NORMAL = 1, TOKEN_UNKNOWN = 2, TOKEN_CONTROL = 3, TOKEN_BYTE = 6 };

struct model {
        int dim, layers, heads, vocab, ffn, ctx;
        enum gguf_type type;
        uint64_t seed;
};

struct tensor {
        char name[64];
        int n_in, n_out; /* n_out is 0: a vector of ones */
        enum gguf_type type;
};

/* Tokens: unknown, begin, end, one for each byte, then words made of syllables, each one another.
 */
static void token_text(int i, char text[32])
{
        static const char *const special[N_SPECIAL] = {"<unk>", "<s>", "</s>"};
        static const char consonants[] = "bdfgklmnprstvz", vowels[] = "aeiou";
        unsigned rest;
        size_t n = 0;

        if (i < N_SPECIAL) {
                strcpy(text, special[i]);
                return;
        }
        if (i < N_SPECIAL + N_BYTE_TOKENS) {
                snprintf(text, 32, "<0x%02X>", (unsigned)(i - N_SPECIAL));
                return;
        }
        rest = (unsigned)(i - N_SPECIAL - N_BYTE_TOKENS);
        if (rest % 2 == 0) /* every other word begins with the mark for a space, U+2581 */
                n += (size_t)sprintf(text, "\xe2\x96\x81");
        for (rest /= 2;; rest = rest / 70 - 1) {
                text[n++] = consonants[rest / 5 % 14];
                text[n++] = vowels[rest % 5];
                if (rest < 70)
                        break;
        }
        text[n] = 0;
}

static int token_type(int i)
{
        if (i < N_SPECIAL)
                return i == 0 ? TOKEN_UNKNOWN : TOKEN_CONTROL;
        return i < N_SPECIAL + N_BYTE_TOKENS ? TOKEN_BYTE : TOKEN_NORMAL;
}

static void write_vocabulary(const struct model *m)
{
        char text[32];

        gguf_kv_string("tokenizer.ggml.model", "llama");
        gguf_kv_array("tokenizer.ggml.tokens", GGUF_STRING, (uint64_t)m->vocab);
        for (int i = 0; i < m->vocab; i++) {
                token_text(i, text);
                gguf_put_string(text);
        }
        gguf_kv_array("tokenizer.ggml.scores", GGUF_F32, (uint64_t)m->vocab);
        for (int i = 0; i < m->vocab; i++)
                gguf_put_f32(token_type(i) == TOKEN_NORMAL ? -(float)i : 0.0f);
        gguf_kv_array("tokenizer.ggml.token_type", GGUF_I32, (uint64_t)m->vocab);
        for (int i = 0; i < m->vocab; i++)
                gguf_put_u32((uint32_t)token_type(i));
        gguf_kv_u32("tokenizer.ggml.unknown_token_id", 0);
        gguf_kv_u32("tokenizer.ggml.bos_token_id", 1);
        gguf_kv_u32("tokenizer.ggml.eos_token_id", 2);
}

static void write_metadata(const struct model *m)
{
        gguf_kv_string("general.architecture", "llama");
        gguf_kv_string("general.name", "random weights");
        gguf_kv_u32("general.alignment", GGUF_ALIGN);
        gguf_kv_u32("llama.context_length", (uint32_t)m->ctx);
        gguf_kv_u32("llama.embedding_length", (uint32_t)m->dim);
        gguf_kv_u32("llama.block_count", (uint32_t)m->layers);
        gguf_kv_u32("llama.feed_forward_length", (uint32_t)m->ffn);
        gguf_kv_u32("llama.attention.head_count", (uint32_t)m->heads);
        gguf_kv_u32("llama.attention.head_count_kv", (uint32_t)m->heads);
        gguf_kv_f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        gguf_kv_u32("llama.rope.dimension_count", (uint32_t)(m->dim / m->heads));
        gguf_kv_u32("llama.vocab_size", (uint32_t)m->vocab);
        write_vocabulary(m);
}

/* Tensors. */

static uint64_t tensor_bytes(const struct tensor *t)
{
        return gguf_row_bytes(t->type, t->n_in) * (uint64_t)(t->n_out ? t->n_out : 1);
}

static void describe(struct tensor *t, const struct model *m, int layer, const char *name, int n_in,
                     int n_out)
{
        if (layer < 0)
                snprintf(t->name, sizeof(t->name), "%s.weight", name);
        else
                snprintf(t->name, sizeof(t->name), "blk.%d.%s.weight", layer, name);
        t->n_in = n_in;
        t->n_out = n_out;
        t->type = n_out ? m->type : GGUF_T_F32;
}

static struct tensor *list_tensors(const struct model *m, int *ret_n)
{
        struct tensor *list = calloc((size_t)m->layers * 9 + 3, sizeof(*list)), *t = list;

        if (!list)
                gguf_die(1, "out of memory", "tensors");
        describe(t++, m, -1, "token_embd", m->dim, m->vocab);
        for (int i = 0; i < m->layers; i++) {
                describe(t++, m, i, "attn_norm", m->dim, 0);
                describe(t++, m, i, "attn_q", m->dim, m->dim);
                describe(t++, m, i, "attn_k", m->dim, m->dim);
                describe(t++, m, i, "attn_v", m->dim, m->dim);
                describe(t++, m, i, "attn_output", m->dim, m->dim);
                describe(t++, m, i, "ffn_norm", m->dim, 0);
                describe(t++, m, i, "ffn_gate", m->dim, m->ffn);
                describe(t++, m, i, "ffn_up", m->dim, m->ffn);
                describe(t++, m, i, "ffn_down", m->ffn, m->dim);
        }
        describe(t++, m, -1, "output_norm", m->dim, 0);
        describe(t++, m, -1, "output", m->dim, m->vocab);
        *ret_n = (int)(t - list);
        return list;
}

static void write_table(const struct tensor *tensors, int n)
{
        uint64_t offset = 0;

        for (int i = 0; i < n; i++) {
                const struct tensor *t = &tensors[i];

                gguf_put_string(t->name);
                gguf_put_u32(t->n_out ? 2 : 1);
                gguf_put_u64((uint64_t)t->n_in);
                if (t->n_out)
                        gguf_put_u64((uint64_t)t->n_out);
                gguf_put_u32(t->type);
                gguf_put_u64(offset);
                offset += (tensor_bytes(t) + GGUF_ALIGN - 1) / GGUF_ALIGN * GGUF_ALIGN;
        }
}

static float random_weight(uint64_t *state, float scale)
{
        uint64_t z = *state += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        return ((float)(z >> 40) / (float)(1 << 23) - 1.0f) * scale;
}

static void write_matrix(const struct tensor *t, uint64_t *seed)
{
        float scale = sqrtf(3.0f / (float)t->n_in), block[GGUF_BLOCK];

        for (int64_t n = (int64_t)t->n_in * t->n_out / GGUF_BLOCK; n > 0; n--) {
                for (int i = 0; i < GGUF_BLOCK; i++)
                        block[i] = random_weight(seed, scale);
                gguf_put_block(t->type, block);
        }
}

static void write_data(const struct tensor *t, uint64_t *seed)
{
        gguf_align();
        if (t->n_out)
                write_matrix(t, seed);
        else
                for (int i = 0; i < t->n_in; i++)
                        gguf_put_f32(1.0f);
}

static void write_model(const struct model *m, const char *path)
{
        uint64_t seed = m->seed;
        int n;
        struct tensor *tensors = list_tensors(m, &n);

        gguf_open(path, (uint64_t)n);
        write_metadata(m);
        write_table(tensors, n);
        for (int i = 0; i < n; i++)
                write_data(&tensors[i], &seed);
        gguf_close(path);
        free(tensors);
}

/* Options. */

static const char usage[] = "usage: make-gguf [--preset tiny|small] [options] -o FILE\n"
                            "  --dim N --layers N --heads N --vocab N --ffn N --ctx N\n"
                            "  --type f32|q8_0|q4_0   of the matrices\n"
                            "  --seed N               of the weights\n"
                            "later options override earlier ones; tiny is 0.6 MB, small 27 MB\n";

static int number(const char *option, const char *text, long min, long max)
{
        char *end, what[80];

        errno = 0;
        long n = strtol(text, &end, 10);
        if (end == text || *end || errno || n < min || n > max) {
                snprintf(what, sizeof(what), "%s wants a number from %ld to %ld, not", option, min,
                         max);
                gguf_die(2, what, text);
        }
        return (int)n;
}

static enum gguf_type type_named(const char *name)
{
        if (strcmp(name, "f32") == 0)
                return GGUF_T_F32;
        if (strcmp(name, "q8_0") == 0)
                return GGUF_T_Q8_0;
        if (strcmp(name, "q4_0") == 0)
                return GGUF_T_Q4_0;
        gguf_die(2, "--type wants f32, q8_0 or q4_0, not", name);
}

static struct model preset_named(const char *name)
{
        if (strcmp(name, "tiny") == 0)
                return (struct model){.dim = 64,
                                      .layers = 2,
                                      .heads = 4,
                                      .vocab = 512,
                                      .ffn = 160,
                                      .ctx = 2048,
                                      .type = GGUF_T_F32,
                                      .seed = 1};
        if (strcmp(name, "small") == 0)
                return (struct model){.dim = 288,
                                      .layers = 6,
                                      .heads = 6,
                                      .vocab = 32000,
                                      .ffn = 768,
                                      .ctx = 2048,
                                      .type = GGUF_T_Q8_0,
                                      .seed = 1};
        gguf_die(2, "--preset wants tiny or small, not", name);
}

static const char *parse(struct model *m, int argc, char **argv)
{
        static const struct option longs[] = {
                {"preset", 1, NULL, 'P'}, {"dim", 1, NULL, 'd'},   {"layers", 1, NULL, 'l'},
                {"heads", 1, NULL, 'H'},  {"vocab", 1, NULL, 'v'}, {"ffn", 1, NULL, 'f'},
                {"ctx", 1, NULL, 'c'},    {"type", 1, NULL, 't'},  {"seed", 1, NULL, 's'},
                {"output", 1, NULL, 'o'}, {"help", 0, NULL, 'h'},  {0},
        };
        const char *file = NULL;
        int c;

        *m = preset_named("tiny");
        opterr = 0;
        while ((c = getopt_long(argc, argv, ":o:", longs, NULL)) != -1) {
                switch (c) {
                case 'P':
                        *m = preset_named(optarg);
                        break;
                case 'd':
                        m->dim = number("--dim", optarg, GGUF_BLOCK, 65536);
                        break;
                case 'l':
                        m->layers = number("--layers", optarg, 1, 1000);
                        break;
                case 'H':
                        m->heads = number("--heads", optarg, 1, 1024);
                        break;
                case 'v':
                        m->vocab = number("--vocab", optarg, N_SPECIAL + N_BYTE_TOKENS, 1000000);
                        break;
                case 'f':
                        m->ffn = number("--ffn", optarg, GGUF_BLOCK, 262144);
                        break;
                case 'c':
                        m->ctx = number("--ctx", optarg, 1, 1 << 20);
                        break;
                case 't':
                        m->type = type_named(optarg);
                        break;
                case 's':
                        m->seed = (uint64_t)number("--seed", optarg, 0, INT_MAX);
                        break;
                case 'o':
                        file = optarg;
                        break;
                case 'h':
                        fputs(usage, stdout);
                        exit(0);
                case ':':
                        gguf_die(2, "option wants a value", argv[optind - 1]);
                default:
                        gguf_die(2, "unknown option", argv[optind - 1]);
                }
        }
        if (optind < argc)
                gguf_die(2, "takes no arguments but options", argv[optind]);
        if (!file)
                gguf_die(2, "no file to write", "give -o FILE");
        if (m->dim % GGUF_BLOCK || m->ffn % GGUF_BLOCK)
                gguf_die(2, "--dim and --ffn must be", "multiples of 32");
        if (m->dim % m->heads || m->dim / m->heads % 2)
                gguf_die(2, "--heads must divide --dim into heads of", "an even size");
        return file;
}

int main(int argc, char **argv)
{
        struct model m;
        const char *file = parse(&m, argc, argv);

        write_model(&m, file);
        return 0;
}
