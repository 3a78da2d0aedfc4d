/* SPDX-License-Identifier: MIT */
/* The engines known. A new one is a file, and a line here. */
#include "preload/engine.h"

#pragma GCC visibility push(hidden)
extern const struct ifp_engine ifp_engine_blas, ifp_engine_ggml, ifp_engine_llama,
        ifp_engine_openmp;
#pragma GCC visibility pop

const struct ifp_engine *const ifp_engines[] = {
        &ifp_engine_ggml,
        &ifp_engine_llama,
        &ifp_engine_openmp,
        &ifp_engine_blas,
};
const uint32_t ifp_n_engines = sizeof(ifp_engines) / sizeof(ifp_engines[0]);
