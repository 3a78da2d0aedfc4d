/* SPDX-License-Identifier: MIT */
/*
 * As many multiply-adds as a core can do: twelve sums that do not depend on each other, so that the
 * latency of one is hidden behind the others (4 cycles, two a cycle, on what is built today). Where
 * the ISA has no fused one it is a product and a sum. Sums neither grow nor vanish: x * m + b has
 * a fixed point near 1.
 */
#include "cli/machine.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define SUMS 12u

static bool always(void)
{
        return true;
}

#ifdef __x86_64__
#define HAS(name, feature)                                                                         \
        static bool name(void)                                                                     \
        {                                                                                          \
                return __builtin_cpu_supports(feature);                                            \
        }
HAS(has_avx512, "avx512f")
HAS(has_vnni, "avx512vnni")
HAS(has_bf16, "avx512bf16")

static bool has_fma(void)
{
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* The loop over the sums is unrolled, so that they stay in registers. */
#define KERNEL(name, isa, vec, elem, set1, step)                                                   \
        MACHINE_BARE __attribute__((target(isa))) static double name(uint64_t n)                   \
        {                                                                                          \
                union {                                                                            \
                        vec v;                                                                     \
                        elem e[sizeof(vec) / sizeof(elem)];                                        \
                } all;                                                                             \
                vec a0 = set1(1.01), a1 = set1(1.02), a2 = set1(1.03), a3 = set1(1.04),            \
                    a4 = set1(1.05), a5 = set1(1.06), a6 = set1(1.07), a7 = set1(1.08),            \
                    a8 = set1(1.09), a9 = set1(1.10), aa = set1(1.11), ab = set1(1.12);            \
                vec m = set1(0.999999), b = set1(0.000001);                                        \
                double sum = 0;                                                                    \
                                                                                                   \
                __asm__ volatile("" : "+x"(m), "+x"(b));                                           \
                for (uint64_t i = 0; i < n; i++) {                                                 \
                        a0 = step(a0, m, b);                                                       \
                        a1 = step(a1, m, b);                                                       \
                        a2 = step(a2, m, b);                                                       \
                        a3 = step(a3, m, b);                                                       \
                        a4 = step(a4, m, b);                                                       \
                        a5 = step(a5, m, b);                                                       \
                        a6 = step(a6, m, b);                                                       \
                        a7 = step(a7, m, b);                                                       \
                        a8 = step(a8, m, b);                                                       \
                        a9 = step(a9, m, b);                                                       \
                        aa = step(aa, m, b);                                                       \
                        ab = step(ab, m, b);                                                       \
                        __asm__ volatile(""                                                        \
                                         : "+x"(a0), "+x"(a1), "+x"(a2), "+x"(a3), "+x"(a4),       \
                                           "+x"(a5), "+x"(a6), "+x"(a7), "+x"(a8), "+x"(a9),       \
                                           "+x"(aa), "+x"(ab));                                    \
                }                                                                                  \
                vec each[SUMS] = {a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, aa, ab};                 \
                for (unsigned i = 0; i < SUMS; i++) {                                              \
                        all.v = each[i];                                                           \
                        sum += (double)all.e[0];                                                   \
                }                                                                                  \
                return sum;                                                                        \
        }

#define MULTIPLY_ADD(a, m, b)    ((a) * (m) + (b))
#define F32(x)                   ((float)(x))
#define F64(x)                   ((double)(x))
#define MULTIPLY_ADD_PS(a, m, b) _mm_add_ps(_mm_mul_ps(a, m), b)
#define MULTIPLY_ADD_PD(a, m, b) _mm_add_pd(_mm_mul_pd(a, m), b)

KERNEL(f32_scalar, "sse2", float, float, F32, MULTIPLY_ADD)
KERNEL(f64_scalar, "sse2", double, double, F64, MULTIPLY_ADD)
KERNEL(f32_sse, "sse2", __m128, float, _mm_set1_ps, MULTIPLY_ADD_PS)
KERNEL(f64_sse, "sse2", __m128d, double, _mm_set1_pd, MULTIPLY_ADD_PD)
KERNEL(f32_avx2, "avx2,fma", __m256, float, _mm256_set1_ps, _mm256_fmadd_ps)
KERNEL(f64_avx2, "avx2,fma", __m256d, double, _mm256_set1_pd, _mm256_fmadd_pd)
KERNEL(f32_avx512, "avx512f", __m512, float, _mm512_set1_ps, _mm512_fmadd_ps)
KERNEL(f64_avx512, "avx512f", __m512d, double, _mm512_set1_pd, _mm512_fmadd_pd)

/* Four products of bytes are added to each 32-bit sum, which may wrap around. */
#define BYTES(x)           _mm512_set1_epi8((char)(int)(x))
#define DOT_BYTES(a, m, b) _mm512_dpbusd_epi32(a, m, b)
KERNEL(i8_avx512, "avx512f,avx512bw,avx512vnni", __m512i, int, BYTES, DOT_BYTES)

/* Two products of bf16 are added to each f32. */
#define SUM_F32(x)        _mm512_set1_ps((float)(x))
#define DOT_BF16(a, m, b) _mm512_dpbf16_ps(a, (__m512bh)(m), (__m512bh)(b))
KERNEL(bf16_avx512, "avx512f,avx512bf16", __m512, float, SUM_F32, DOT_BF16)
#endif

const struct machine_compute machine_computes[] = {
#ifdef __x86_64__
        {"f32", "scalar", f32_scalar, 2 * SUMS, always},
        {"f32", "sse2", f32_sse, 2 * SUMS * 4, always},
        {"f32", "avx2", f32_avx2, 2 * SUMS * 8, has_fma},
        {"f32", "avx512", f32_avx512, 2 * SUMS * 16, has_avx512},
        {"f64", "scalar", f64_scalar, 2 * SUMS, always},
        {"f64", "sse2", f64_sse, 2 * SUMS * 2, always},
        {"f64", "avx2", f64_avx2, 2 * SUMS * 4, has_fma},
        {"f64", "avx512", f64_avx512, 2 * SUMS * 8, has_avx512},
        {"bf16", "avx512", bf16_avx512, 2 * SUMS * 32, has_bf16},
        {"int8", "avx512", i8_avx512, 2 * SUMS * 64, has_vnni},
#endif
};
const size_t machine_n_computes = sizeof(machine_computes) / sizeof(machine_computes[0]);
