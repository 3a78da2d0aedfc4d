/* SPDX-License-Identifier: MIT */
/*
 * heap-phases N [BYTES]: a prompt of 8 and N tokens. Token i makes i % 4 blocks besides the two in
 * k_inner; with BYTES, one more of so many bytes for each token stays.
 */
#include "heap-phases.h"

int main(int argc, char **argv)
{
        static struct phases_truth t;
        int32_t token[8] = {0}, pos[8] = {0};
        struct llama_batch batch = {.n_tokens = 8, .token = token, .pos = pos};
        long n = argc > 1 ? atol(argv[1]) : 0;
        char text[4][512], line[4096];
        int length;

        phases_truth = &t;
        t.kept_bytes = argc > 2 ? atol(argv[2]) : 0;
        llama_decode(NULL, batch);
        batch.n_tokens = 1;
        for (long i = 0; i < n; i++) {
                t.per_token = i % 4;
                llama_decode(NULL, batch);
        }
        heap_text(text[0], sizeof(text[0]), &t.prefill);
        heap_text(text[1], sizeof(text[1]), &t.decode);
        heap_text(text[2], sizeof(text[2]), &t.inner_prefill);
        heap_text(text[3], sizeof(text[3]), &t.inner_decode);
        length = snprintf(line, sizeof(line),
                          "{\"tokens\": %ld, \"llama_decode\": {\"prefill\": %s, \"decode\": %s}, "
                          "\"k_inner\": {\"prefill\": %s, \"decode\": %s}}\n",
                          n, text[0], text[1], text[2], text[3]);
        return write(1, line, (size_t)length) != length;
}
