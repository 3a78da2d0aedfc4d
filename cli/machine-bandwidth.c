/* SPDX-License-Identifier: MIT */
/*
 * Reading, copying and the triad a = b + s c (McCalpin's STREAM), in the widest registers there
 * are. Arrays lie on pages, and are multiples of them. _nt: with stores that go around the caches
 * and so fetch nothing first; of ordinary ones that is traffic too, though STREAM does not count
 * it.
 */
#include "cli/machine.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

static bool has_avx512(void)
{
        return __builtin_cpu_supports("avx512f");
}

static bool has_avx2_only(void)
{
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !has_avx512();
}

static bool has_sse_only(void)
{
        return !has_avx512() && !has_avx2_only();
}

static bool always(void)
{
        return true;
}

#define READ(name, isa, vec, load, xor)                                                            \
        MACHINE_BARE __attribute__((target(isa))) static void name(void *const *arrays,            \
                                                                   size_t bytes)                   \
        {                                                                                          \
                const char *p = arrays[0];                                                         \
                vec a = load((const void *)p), b = a, c = a, d = a;                                \
                                                                                                   \
                for (size_t i = 0; i < bytes; i += 8 * sizeof(vec)) {                              \
                        const vec *v = (const void *)(p + i);                                      \
                                                                                                   \
                        a = xor(a, load(v));                                                       \
                        b = xor(b, load(v + 1));                                                   \
                        c = xor(c, load(v + 2));                                                   \
                        d = xor(d, load(v + 3));                                                   \
                        a = xor(a, load(v + 4));                                                   \
                        b = xor(b, load(v + 5));                                                   \
                        c = xor(c, load(v + 6));                                                   \
                        d = xor(d, load(v + 7));                                                   \
                }                                                                                  \
                a = xor(xor(a, b), xor(c, d));                                                     \
                __asm__ volatile("" : : "x"(a));                                                   \
        }

#define COPY(name, isa, vec, load, store)                                                          \
        MACHINE_BARE __attribute__((target(isa))) static void name(void *const *arrays,            \
                                                                   size_t bytes)                   \
        {                                                                                          \
                char *to = arrays[0];                                                              \
                const char *from = arrays[1];                                                      \
                                                                                                   \
                for (size_t i = 0; i < bytes; i += 4 * sizeof(vec)) {                              \
                        const vec *v = (const void *)(from + i);                                   \
                        vec *w = (void *)(to + i);                                                 \
                                                                                                   \
                        store(w, load(v));                                                         \
                        store(w + 1, load(v + 1));                                                 \
                        store(w + 2, load(v + 2));                                                 \
                        store(w + 3, load(v + 3));                                                 \
                }                                                                                  \
                __asm__ volatile("sfence" : : : "memory");                                         \
        }

#define TRIAD(name, isa, vec, load, store, set1, step)                                             \
        MACHINE_BARE __attribute__((target(isa))) static void name(void *const *arrays,            \
                                                                   size_t bytes)                   \
        {                                                                                          \
                double *a = arrays[0];                                                             \
                const double *b = arrays[1], *c = arrays[2];                                       \
                enum { N = sizeof(vec) / sizeof(double) };                                         \
                vec s = set1(3.0);                                                                 \
                                                                                                   \
                for (size_t i = 0; i < bytes / 8; i += 4 * N) {                                    \
                        store(a + i, step(load(c + i), s, load(b + i)));                           \
                        store(a + i + N, step(load(c + i + N), s, load(b + i + N)));               \
                        store(a + i + 2 * N, step(load(c + i + 2 * N), s, load(b + i + 2 * N)));   \
                        store(a + i + 3 * N, step(load(c + i + 3 * N), s, load(b + i + 3 * N)));   \
                }                                                                                  \
                __asm__ volatile("sfence" : : : "memory");                                         \
        }

#define MULTIPLY_ADD(a, m, b) _mm_add_pd(_mm_mul_pd(a, m), b)

READ(read_sse, "sse2", __m128i, _mm_load_si128, _mm_xor_si128)
COPY(copy_sse, "sse2", __m128i, _mm_load_si128, _mm_store_si128)
COPY(copy_sse_around, "sse2", __m128i, _mm_load_si128, _mm_stream_si128)
TRIAD(triad_sse, "sse2", __m128d, _mm_load_pd, _mm_store_pd, _mm_set1_pd, MULTIPLY_ADD)
TRIAD(triad_sse_around, "sse2", __m128d, _mm_load_pd, _mm_stream_pd, _mm_set1_pd, MULTIPLY_ADD)
READ(read_avx2, "avx2,fma", __m256i, _mm256_load_si256, _mm256_xor_si256)
COPY(copy_avx2, "avx2,fma", __m256i, _mm256_load_si256, _mm256_store_si256)
COPY(copy_avx2_around, "avx2,fma", __m256i, _mm256_load_si256, _mm256_stream_si256)
TRIAD(triad_avx2, "avx2,fma", __m256d, _mm256_load_pd, _mm256_store_pd, _mm256_set1_pd,
      _mm256_fmadd_pd)
TRIAD(triad_avx2_around, "avx2,fma", __m256d, _mm256_load_pd, _mm256_stream_pd, _mm256_set1_pd,
      _mm256_fmadd_pd)
READ(read_avx512, "avx512f", __m512i, _mm512_load_si512, _mm512_xor_si512)
COPY(copy_avx512, "avx512f", __m512i, _mm512_load_si512, _mm512_store_si512)
COPY(copy_avx512_around, "avx512f", __m512i, _mm512_load_si512, _mm512_stream_si512)
TRIAD(triad_avx512, "avx512f", __m512d, _mm512_load_pd, _mm512_store_pd, _mm512_set1_pd,
      _mm512_fmadd_pd)
TRIAD(triad_avx512_around, "avx512f", __m512d, _mm512_load_pd, _mm512_stream_pd, _mm512_set1_pd,
      _mm512_fmadd_pd)

/* libc may know a better way for the machine it is on. */
__attribute__((noinline)) static void copy_libc(void *const *arrays, size_t bytes)
{
        memcpy(arrays[0], arrays[1], bytes);
        __asm__ volatile("" : : : "memory");
}
#endif

const struct machine_traffic machine_traffics[] = {
#ifdef __x86_64__
        {"read", 1, read_avx512, false, has_avx512},
        {"read", 1, read_avx2, false, has_avx2_only},
        {"read", 1, read_sse, false, has_sse_only},
        {"copy", 2, copy_libc, false, always},
        {"copy", 2, copy_avx512, false, has_avx512},
        {"copy_nt", 2, copy_avx512_around, true, has_avx512},
        {"copy", 2, copy_avx2, false, has_avx2_only},
        {"copy_nt", 2, copy_avx2_around, true, has_avx2_only},
        {"copy", 2, copy_sse, false, has_sse_only},
        {"copy_nt", 2, copy_sse_around, true, has_sse_only},
        {"triad", 3, triad_avx512, false, has_avx512},
        {"triad_nt", 3, triad_avx512_around, true, has_avx512},
        {"triad", 3, triad_avx2, false, has_avx2_only},
        {"triad_nt", 3, triad_avx2_around, true, has_avx2_only},
        {"triad", 3, triad_sse, false, has_sse_only},
        {"triad_nt", 3, triad_sse_around, true, has_sse_only},
#endif
};
const size_t machine_n_traffics = sizeof(machine_traffics) / sizeof(machine_traffics[0]);
