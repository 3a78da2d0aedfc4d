/* SPDX-License-Identifier: MIT */
/*
 * Finds llama.cpp at run time. The libraries are opened RTLD_LOCAL and every function is taken with
 * dlsym, as a language binding would do it: nothing of llama.cpp is in the global scope, and none
 * of the driver's own calls go through a PLT.
 */
#include "llama-api.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

static char error[1100];

static const char *failed(const char *what, const char *why)
{
        snprintf(error, sizeof(error), "%s: %s", what, why ? why : "unknown error");
        return error;
}

/* Names carry a version in some builds: libllama.so, libllama.v0.5.0.so. */
static void *open_one(const char *dir, const char *name)
{
        char pattern[512];
        glob_t found;
        void *handle = NULL;

        snprintf(pattern, sizeof(pattern), "%s/%s.*so*", dir, name);
        if (glob(pattern, 0, NULL, &found) != 0) {
                snprintf(pattern, sizeof(pattern), "%s/%s.so", dir, name);
                if (glob(pattern, 0, NULL, &found) != 0) {
                        failed(pattern, "no such library");
                        return NULL;
                }
        }
        handle = dlopen(found.gl_pathv[0], RTLD_NOW | RTLD_LOCAL);
        if (!handle)
                failed("cannot open", dlerror());
        globfree(&found);
        return handle;
}

const char *llama_api_open(struct llama_api *api, const char *dir)
{
        void *llama, *ggml;
        const struct {
                const char *name;
                void *slot;
        } wanted[] = {
                {"llama_log_set", &api->log_set},
                {"llama_backend_init", &api->backend_init},
                {"llama_backend_free", &api->backend_free},
                {"llama_model_default_params", &api->model_default_params},
                {"llama_model_load_from_file", &api->model_load},
                {"llama_model_free", &api->model_free},
                {"llama_model_get_vocab", &api->model_get_vocab},
                {"llama_vocab_n_tokens", &api->vocab_n_tokens},
                {"llama_context_default_params", &api->context_default_params},
                {"llama_init_from_model", &api->init_from_model},
                {"llama_free", &api->free},
                {"llama_n_ctx", &api->n_ctx},
                {"llama_set_n_threads", &api->set_n_threads},
                {"llama_get_memory", &api->get_memory},
                {"llama_memory_clear", &api->memory_clear},
                {"llama_tokenize", &api->tokenize},
                {"llama_token_to_piece", &api->token_to_piece},
                {"llama_batch_get_one", &api->batch_get_one},
                {"llama_decode", &api->decode},
                {"llama_get_logits_ith", &api->get_logits_ith},
                {"llama_sampler_chain_default_params", &api->sampler_chain_default_params},
                {"llama_sampler_chain_init", &api->sampler_chain_init},
                {"llama_sampler_chain_add", &api->sampler_chain_add},
                {"llama_sampler_init_top_k", &api->sampler_init_top_k},
                {"llama_sampler_init_temp", &api->sampler_init_temp},
                {"llama_sampler_init_dist", &api->sampler_init_dist},
                {"llama_sampler_sample", &api->sampler_sample},
                {"llama_sampler_free", &api->sampler_free},
                {"ggml_backend_load_all_from_path", &api->load_all_from_path},
        };

        if (!(llama = open_one(dir, "libllama")) || !(ggml = open_one(dir, "libggml")))
                return error;
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
                bool base = strncmp(wanted[i].name, "ggml_", 5) == 0;
                void *found = dlsym(base ? ggml : llama, wanted[i].name);

                if (!found)
                        return failed(wanted[i].name, "not in this version of the library");
                memcpy(wanted[i].slot, &found, sizeof(found));
        }
        return NULL;
}
