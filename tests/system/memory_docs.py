# SPDX-License-Identifier: MIT
"""Documents infprof.memory/1 that never were, for tests of the verbs that draw or export stacks."""

import random

RUN = "20261120-194500-4711"
LIBLLAMA = "/opt/llama/libllama.so"
LIBCPU = "/opt/llama/libggml-cpu-haswell.so"
LIBBASE = "/opt/llama/libggml-base.so"
LIBSTD = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
EXE = "/opt/llama/llama-driver"


def frame(function, library=EXE, offset=0x10, file=None, line=None, inlined=False):
    return {"function": function, "library": library, "file": file, "line": line, "offset": offset,
            "inlined": inlined}


def stack(frames, alloc_bytes, alloc_objects=1.0, inuse=0.0, op=None, phase="decode", category=None, **more):
    """`frames` innermost first; `inuse` is the share of it that is in use."""
    values = {"alloc_objects": alloc_objects, "alloc_bytes": alloc_bytes, "alloc_bytes_stderr": alloc_bytes / 20,
              "inuse_objects": alloc_objects * inuse, "inuse_bytes": alloc_bytes * inuse,
              "inuse_bytes_stderr": abs(alloc_bytes * inuse / 20), "asked_bytes": alloc_bytes * 0.97,
              "lifetime_ns": 125000}
    return {"op": op, "phase": phase, "category": category, "frames": frames, "cut": False, "one": False,
            "other": False, "samples": max(1, int(alloc_bytes) >> 19), "short_share": 0.5,
            **{key: round(value) for key, value in values.items()}, **more}


def document(stacks, **more):
    return {
        "schema": "infprof.memory/1",
        "run": {"id": RUN, "command": "./llama-driver -m model.gguf -n 512", "pid": 4711,
                "started_at": "2026-11-20T19:45:00.250000000Z", "duration_ns": 12_500_000_000, "end": "code",
                "exit": {"code": 0}, "processes": []},
        "heap_interval_bytes": 524288, "estimates": True, "window": None,
        "samples": {"taken": sum(s["samples"] for s in stacks), "other": 0, "one_frame": 0, "untracked": 0,
                    "cut_stacks": 0, "stacks": len(stacks), "unwinding": "libunwind"},
        "stacks": stacks, "categories": [], "notes": [], **more,
    }


def llama(seed=1):
    """Like the real thing: C++ names, inlined functions, ops at the leaves, some hundred stacks."""
    rng = random.Random(seed)
    main = [frame("main", line=212, file="/src/llama-driver.c"), frame("__libc_start_call_main", "/usr/lib/libc.so.6"),
            frame("__libc_start_main_impl", "/usr/lib/libc.so.6"), frame("_start")]
    vector = "std::vector<{0}, std::allocator<{0}> >::{1}"
    grow = [
        frame("operator new(unsigned long)", LIBSTD),
        frame("std::__new_allocator<float>::allocate(unsigned long, void const*)", LIBLLAMA, inlined=True,
              file="/usr/include/c++/12/bits/new_allocator.h", line=137),
        frame(vector.format("float", "_M_default_append(unsigned long)"), LIBLLAMA,
              file="/usr/include/c++/12/bits/vector.tcc", line=642)]
    string = [frame("operator new(unsigned long)", LIBSTD),
              frame("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_create("
                    "unsigned long&, unsigned long)", LIBSTD),
              frame("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_append("
                    "char const*, unsigned long)", LIBSTD)]
    load = [frame("llama_model_loader::load_all_data(ggml_context*, std::unordered_map<unsigned int, "
                  "ggml_backend_buffer*, std::hash<unsigned int>, std::equal_to<unsigned int> >&, bool (*)(float, "
                  "void*), void*)", LIBLLAMA, file="/src/llama-model-loader.cpp", line=901),
            frame("llama_model::load_tensors(llama_model_loader&)", LIBLLAMA, file="/src/llama-model.cpp", line=4410),
            frame("llama_model_load_from_file_impl(std::string const&, std::vector<std::string>&, "
                  "llama_model_params)", LIBLLAMA), frame("llama_model_load_from_file", LIBLLAMA)]
    decode = [frame("llama_context::process_ubatch(llama_ubatch const&, llm_graph_type, llama_memory_context_i*, "
                    "ggml_status&)", LIBLLAMA, file="/src/llama-context.cpp", line=760),
              frame("llama_context::decode(llama_batch const&)", LIBLLAMA, file="/src/llama-context.cpp", line=1043),
              frame("llama_decode", LIBLLAMA)]
    graph = [frame("ggml_graph_compute_thread", LIBCPU), frame("ggml_graph_compute", LIBCPU),
             frame("ggml_backend_cpu_graph_compute", LIBCPU), frame("ggml_backend_sched_graph_compute_async", LIBBASE),
             frame("llama_context::graph_compute(ggml_cgraph*, bool)", LIBLLAMA)]
    tokenize = [frame("llm_tokenizer_spm_session::tokenize(std::string const&, std::vector<int, std::allocator<int> "
                      ">&)", LIBLLAMA),
                frame("llama_vocab::impl::tokenize(std::string const&, bool, bool) const", LIBLLAMA),
                frame("llama_tokenize", LIBLLAMA)]
    mib = 1 << 20
    stacks = [
        stack([frame("ggml_aligned_malloc", LIBBASE), frame("ggml_backend_cpu_buffer_type_alloc_buffer", LIBBASE)]
              + load + main, 412.3 * mib, 3, 1, phase="load", category="model loading"),
        stack([frame("ggml_aligned_malloc", LIBBASE), frame("llama_kv_cache_unified::llama_kv_cache_unified("
               "llama_model const&, std::function<bool (int)>&&, ggml_type, ggml_type, bool, bool, bool, unsigned "
               "int, unsigned int, unsigned int, unsigned int, llama_swa_type)", LIBLLAMA),
               frame("llama_model::create_memory(llama_memory_params const&, llama_cparams&) const", LIBLLAMA),
               frame("llama_context::llama_context(llama_model const&, llama_context_params)", LIBLLAMA),
               frame("llama_init_from_model", LIBLLAMA)] + main, 128.0 * mib, 2, 1, phase="load",
              category="KV cache"),
        stack(string + load + main, 38.4 * mib, 90200.0, 0.3, phase="load", category="model loading"),
        stack(grow + tokenize + main, 61.2 * mib, 40111.0, 0.01, phase="prefill", category="tokenisation"),
        stack(string + tokenize + main, 22.1 * mib, 31000.0, 0, phase="prefill", category="tokenisation"),
        stack([], 3.1 * mib, 17.0, 0.5, phase="unknown", other=True),
        stack([frame(None, "/opt/closed/libvendor.so.3", 0x4af10)], 2.5 * mib, 12.0, 0.5, phase="unknown", one=True),
        stack([frame(None, "[jit]", 0x7f001234)] * 3 + [frame("node::Start", "/usr/bin/node")], 5.0 * mib, 60.0, 0.5,
              phase="idle", cut=True),
    ]
    for op, weight in (("MUL_MAT", 90), ("SOFT_MAX", 12), ("ROPE", 6), ("FLASH_ATTN_EXT", 31), ("GET_ROWS", 3)):
        worker = f"ggml_compute_forward_{op.lower()}"
        for phase, share in (("prefill", 0.35), ("decode", 0.65)):
            stacks.append(stack([frame("posix_memalign_wrapper", LIBCPU, inlined=True), frame(worker, LIBCPU)] + graph
                                + decode + main, weight * share * mib, weight * 77.0 * share, 0, op, phase,
                                "scratch"))
    for i in range(120):
        tail = [frame(f"llm_graph_input_{rng.randrange(40)}::set_input(llama_ubatch const*)", LIBLLAMA),
                frame(f"llm_build_step<{rng.randrange(30)}, float>::operator()() const", LIBLLAMA, inlined=True),
                frame("llama_model::build_graph(llm_graph_params const&) const", LIBLLAMA)]
        stacks.append(stack(grow + tail + decode + main, rng.expovariate(1) * mib, 40.0, rng.random() * 0.2,
                            phase="decode", category="graph building"))
    return document(sorted(stacks, key=lambda s: -s["alloc_bytes"]))
