/* SPDX-License-Identifier: MIT */
/*
 * An allow-list: of an environment nobody can tell what in it is private, but of these names it is
 * known what they are for. Sorted by who reads them. A name that asks to be hidden (secret.c) is
 * hidden although its beginning stands here: LLAMA_ARG_ has LLAMA_ARG_API_KEY.
 */
#include "common/env-list.h"

#include <string.h>

#include "common/secret.h"

#define OWN_ID "INFPROF_RUN" /* another in each run, and the run's id anyway */

const char *const env_list[] = {
        /* the loader and libc */
        "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_BIND_NOW", "LD_AUDIT", "LD_HWCAP_MASK",
        "GLIBC_TUNABLES", "MALLOC_*", "LANG", "LC_ALL", "LC_NUMERIC",
        /* allocators */
        "JEMALLOC_*", "MIMALLOC_*", "TCMALLOC_*",
        /* threads */
        "OMP_*", "GOMP_*", "KMP_*", "LIBOMP_*", "TBB_*", "RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS",
        "TOKIO_WORKER_THREADS", "GOMAXPROCS", "GOGC", "GODEBUG", "GOMEMLIMIT",
        /* arithmetic */
        "OPENBLAS_*", "GOTO_NUM_THREADS", "MKL_*", "BLIS_*", "ATLAS_*", "VECLIB_*", "ONEDNN_*",
        "DNNL_*", "NUMEXPR_*", "ARMPL_*", "FLEXIBLAS*",
        /* engines */
        "GGML_*", "LLAMA_*", "ORT_*", "TORCH_*", "PYTORCH_*", "ATEN_*", "TF_NUM_*", "TF_ENABLE_*",
        "TF_XLA_*", "XNNPACK_*", "OV_*", "OPENVINO_*", "VLLM_*", "OLLAMA_*", "CUDA_VISIBLE_DEVICES",
        "TRANSFORMERS_OFFLINE",
        /* interpreters, where they change how threads or memory go */
        "PYTHONMALLOC", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONUNBUFFERED", "NODE_OPTIONS",
        "UV_THREADPOOL_SIZE", "JULIA_NUM_THREADS",
        /* us, and whoever runs jobs */
        "INFPROF_*", "CI", "SLURM_CPUS_*", "SLURM_CPU_BIND*", "SLURM_MEM_*", NULL};

static bool matches(const char *pattern, const char *name, size_t n)
{
        size_t length = strlen(pattern);

        if (length && pattern[length - 1] == '*')
                return n >= length - 1 && !strncmp(name, pattern, length - 1);
        return n == length && !strncmp(name, pattern, n);
}

enum env_verdict env_list_look(const char *name, size_t n, const char *value)
{
        if (matches(OWN_ID, name, n))
                return ENV_NOT_LISTED;
        for (size_t i = 0; env_list[i]; i++)
                if (matches(env_list[i], name, n))
                        return secret_variable(name, n) || secret_value(value) ? ENV_SECRET
                                                                               : ENV_LISTED;
        return ENV_NOT_LISTED;
}
