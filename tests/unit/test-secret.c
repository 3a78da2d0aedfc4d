/* SPDX-License-Identifier: MIT */
/* What of environments and command lines is kept, and what nobody may see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/env-list.h"
#include "common/secret.h"

static void variables(void **state)
{
        static const struct {
                const char *name, *value;
                enum env_verdict verdict;
        } cases[] = {
                {"OMP_NUM_THREADS", "4", ENV_LISTED},
                {"OMP", "4", ENV_NOT_LISTED},
                {"RAYON_NUM_THREADS", "4", ENV_LISTED},
                {"RAYON_NUM_THREADS2", "4", ENV_NOT_LISTED},
                {"GOMAXPROCS", "", ENV_LISTED},
                {"LD_PRELOAD", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", ENV_LISTED},
                {"LD_LIBRARY_PATH", "/nix/store/0c0v2x3gk3kz7y1i8r6hs7dpgxkb0v5v-glibc-2.38/lib",
                 ENV_LISTED},
                {"LLAMA_ARG_MODEL", "/m/Llama-3.2-1B-Instruct-Q4_K_M.gguf", ENV_LISTED},
                {"INFPROF_KERNELS", "my_*,your_kernel", ENV_LISTED},
                {"INFPROF_RUN", "20260101-101010-1", ENV_NOT_LISTED},
                {"HOME", "/home/me", ENV_NOT_LISTED},
                {"", "x", ENV_NOT_LISTED},
                {"AWS_SECRET_ACCESS_KEY", "x", ENV_NOT_LISTED},
                {"LLAMA_ARG_API_KEY", "x", ENV_SECRET},
                {"OLLAMA_Token", "x", ENV_SECRET},
                {"GGML_PASSWORD", "", ENV_SECRET},
                {"LLAMA_ARG_HF_REPO", "hf_AbCdEfGhIjKlMnOpQrStUvWx", ENV_SECRET},
                {"LLAMA_PROXY", "http://me:pa55@proxy:3128/", ENV_SECRET},
                {"LLAMA_PROXY", "http://proxy:3128/", ENV_LISTED},
                {"OMP_DISPLAY_ENV", "0123456789abcdef0123456789abcdef", ENV_SECRET},
                {"OMP_DISPLAY_ENV", "1,q8Rk2LmN0pQ4rT6vX8zB1dF3hJ5kL7nP", ENV_SECRET},
                {"GGML_AUTH", "x", ENV_SECRET},
                {"INFPROF_CRED", "x", ENV_SECRET},
                {"LLAMA_SIGNATURE", "x", ENV_SECRET},
                {"OLLAMA_PASS", "x", ENV_SECRET},
                {"VLLM_AUTHORS", "x", ENV_LISTED},
                {"VLLM_MAX_TOKENS_PER_EXPERT", "65536", ENV_LISTED},
                {"OLLAMA_KEEP_ALIVE", "5m", ENV_LISTED},
                {"LLAMA_ARG_MODEL_URL", "https://h/m.gguf?b=1&token=x", ENV_SECRET},
                {"LLAMA_ARG_MODEL_URL", "https://h/m.gguf?download=true", ENV_LISTED},
                {"VLLM_EXTRA", "{\"a\": 1, \"api_key\": \"x\"}", ENV_SECRET},
                {"OMP_PLACES", "{0:4},{4:4},{8:4},{12:4},{16:4},{20:4}", ENV_LISTED},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                enum env_verdict is =
                        env_list_look(cases[i].name, strlen(cases[i].name), cases[i].value);

                if (is != cases[i].verdict)
                        fail_msg("%s=%s is %d", cases[i].name, cases[i].value, (int)is);
        }
}

static void arguments(void **state)
{
        static const struct {
                const char *before, *argument, *shown;
        } cases[] = {
                {NULL, "./engine", "./engine"},
                {"--api-key", "abc", "***"},
                {"--api-key", "--verbose", "--verbose"},
                {NULL, "--api-key", "--api-key"},
                {NULL, "--api-key=abc", "--api-key=***"},
                {NULL, "--api_key=abc", "--api_key=***"},
                {NULL, "--api-key=", "--api-key="},
                {"-hft", "hf_x", "***"},
                {"-p", "Once upon a time", "Once upon a time"},
                {"--tokens", "128", "128"},
                {"--max-tokens", "12800000000", "12800000000"},
                {"--tokenizer", "some-name", "some-name"},
                {"--eos-token", "2", "2"},
                {"--keep", "all", "all"},
                {"-m", "/m/Llama-3.2-1B-Instruct-Q4_K_M.gguf",
                 "/m/Llama-3.2-1B-Instruct-Q4_K_M.gguf"},
                {NULL, "HF_TOKEN=abc", "HF_TOKEN=***"},
                {NULL, "OMP_NUM_THREADS=4", "OMP_NUM_THREADS=4"},
                {NULL, "OPENAI=sk-abcdefghijklmnop", "OPENAI=***"},
                {"-H", "Authorization: Bearer abc", "Authorization:***"},
                {NULL, "https://me:pa55@host/x", "https://me:***"},
                {NULL, "https://host:80/x", "https://host:80/x"},
                {NULL, "sk-abcdefghijklmnop", "***"},
                {NULL, "sk-short", "sk-short"},
                {"-3", "key", "key"},
                {"--override-kv", "tokenizer.ggml.eos=int:3", "tokenizer.ggml.eos=int:3"},
                /* headers */
                {"--header", "X-Api-Key: abc", "X-Api-Key:***"},
                {"-H", "x-amz-security-token: abc", "x-amz-security-token:***"},
                {NULL, "--header=Cookie: a=b", "--header=Cookie:***"},
                {NULL, "-HX-Auth: abc", "-HX-Auth:***"},
                {"-H", "Content-Type: application/json", "Content-Type: application/json"},
                {"-H", "X-Max-Tokens: 128", "X-Max-Tokens: 128"},
                /* JSON */
                {"-d", "{\"api_key\":\"abc\"}", "{\"api_key\":\"***"},
                {NULL, "{\"n\": 1, \"accessToken\" : \"abc\"}",
                 "{\"n\": 1, \"accessToken\" : \"***"},
                {NULL, "{\"password\": 123456}", "{\"password\": ***"},
                {NULL, "{'auth':['abc']}", "{'auth':***"},
                {NULL, "{\"max_tokens\": 64, \"key_length\": 128, \"prompt\": \"a key: b\"}",
                 "{\"max_tokens\": 64, \"key_length\": 128, \"prompt\": \"a key: b\"}"},
                {"-j", "{\"key\": {\"type\": \"string\"}}", "{\"key\": {\"type\": \"string\"}}"},
                /* URLs and forms */
                {NULL, "https://h/x?token=abc&b=1", "https://h/x?token=***"},
                {NULL, "https://h/x?a=1&sig=abc", "https://h/x?a=1&sig=***"},
                {NULL, "https://h/x?X-Amz-Signature=abc", "https://h/x?X-Amz-Signature=***"},
                {NULL, "--url=https://h/x?api_key=1", "--url=https://h/x?api_key=***"},
                {"-d", "name=me&password=abc", "name=me&password=***"},
                {NULL, "https://h/x?download=true&n=3", "https://h/x?download=true&n=3"},
                {NULL, "https://h/token/key", "https://h/token/key"},
                /* of curl */
                {"-u", "me:abc", "me:***"},
                {"--proxy-user", "me:abc", "me:***"},
                {NULL, "--user=me:abc", "--user=me:***"},
                {NULL, "-ume:abc", "-ume:***"},
                {"-u", "1000:1000", "1000:1000"},
                {"-u", "script.py", "script.py"},
                {"-ub", "512", "512"},
                {"--user-agent", "a:b", "a:b"},
                /* options */
                {"--cred", "abc", "***"},
                {"--authToken", "abc", "***"},
                {"--password", "1234", "***"},
                {"--api-key", "1234", "***"},
                {"--key", "1234", "1234"},
                {"-k", "40", "40"},
                {"--top-k", "40", "40"},
                {"--cache-type-k", "q8_0", "q8_0"},
                {"--n-keep", "64", "64"},
                {"--token-count", "12345678901", "12345678901"},
                {"--key-value", "q8_0", "q8_0"},
                {"--eos-token", "</s>", "</s>"},
                {"--author", "me", "me"},
                {"--token-ratio", "0.25", "0.25"},
                {"-ot", "token_embd.weight=CPU", "token_embd.weight=CPU"},
                {"--override-kv", "llama.attention.key_length=int:128",
                 "llama.attention.key_length=int:128"},
                {"-p", "Which key opens it? A token of love: yours.",
                 "Which key opens it? A token of love: yours."},
                /* a line for a shell */
                {"-c", "OMP_NUM_THREADS=4 HF_TOKEN=abc ./engine", "OMP_NUM_THREADS=4 HF_TOKEN=***"},
                {"-c", "./engine --n-keep 4 --api-key abc -v", "./engine --n-keep 4 --api-key ***"},
                {"-c", "curl -H 'X-Api-Key: abc' h", "curl -H 'X-Api-Key:***"},
                {"-c", "curl --header=X:y ghp_abcdefghijklmnop", "curl --header=X:y ***"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                size_t hidden = secret_argument(cases[i].before, cases[i].argument);
                char shown[128];

                snprintf(shown, sizeof(shown), "%.*s%s",
                         hidden ? (int)hidden - 1 : (int)strlen(cases[i].argument),
                         cases[i].argument, hidden ? SECRET_HIDDEN : "");
                if (strcmp(shown, cases[i].shown))
                        fail_msg("%s %s is shown as %s", cases[i].before ? cases[i].before : "",
                                 cases[i].argument, shown);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(variables),
                cmocka_unit_test(arguments),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
