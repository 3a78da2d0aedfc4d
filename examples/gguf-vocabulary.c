/* SPDX-License-Identifier: MIT */
/* A vocabulary for a model whose words do not matter. */
#include "gguf-vocabulary.h"

#include <stdio.h>
#include <string.h>

#include "gguf.h"

enum token_type { TOKEN_NORMAL = 1, TOKEN_UNKNOWN = 2, TOKEN_CONTROL = 3, TOKEN_BYTE = 6 };

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

void gguf_write_vocabulary(int n)
{
        char text[32];

        gguf_kv_string("tokenizer.ggml.model", "llama");
        gguf_kv_array("tokenizer.ggml.tokens", GGUF_STRING, (uint64_t)n);
        for (int i = 0; i < n; i++) {
                token_text(i, text);
                gguf_put_string(text);
        }
        gguf_kv_array("tokenizer.ggml.scores", GGUF_F32, (uint64_t)n);
        for (int i = 0; i < n; i++)
                gguf_put_f32(token_type(i) == TOKEN_NORMAL ? -(float)i : 0.0f);
        gguf_kv_array("tokenizer.ggml.token_type", GGUF_I32, (uint64_t)n);
        for (int i = 0; i < n; i++)
                gguf_put_u32((uint32_t)token_type(i));
        gguf_kv_u32("tokenizer.ggml.unknown_token_id", 0);
        gguf_kv_u32("tokenizer.ggml.bos_token_id", 1);
        gguf_kv_u32("tokenizer.ggml.eos_token_id", 2);
}
