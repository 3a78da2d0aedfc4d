/* SPDX-License-Identifier: MIT */
/*
 * The file format (ggml's docs/gguf.md) and the two block formats of ggml-common.h in use here. A
 * file is a header, key-values, the table of tensors, and their data, each at a multiple of 32
 * bytes.
 */
#include "gguf.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *out;
static uint64_t written;
static uint64_t n_kv;
static long n_kv_at;

_Noreturn void gguf_die(int code, const char *what, const char *which)
{
        fprintf(stderr, "make-gguf: %s: %s\n", what, which);
        exit(code);
}

void gguf_put(const void *data, size_t size)
{
        if (fwrite(data, 1, size, out) != size)
                gguf_die(1, "cannot write", strerror(errno));
        written += size;
}

void gguf_put_u32(uint32_t v)
{
        gguf_put(&v, sizeof(v));
}

void gguf_put_u64(uint64_t v)
{
        gguf_put(&v, sizeof(v));
}

void gguf_put_f32(float v)
{
        gguf_put(&v, sizeof(v));
}

void gguf_put_string(const char *s)
{
        gguf_put_u64(strlen(s));
        gguf_put(s, strlen(s));
}

void gguf_align(void)
{
        static const char zeros[GGUF_ALIGN];

        gguf_put(zeros, (GGUF_ALIGN - written % GGUF_ALIGN) % GGUF_ALIGN);
}

/* Key-values. */

static void put_key(const char *key, enum gguf_kv type)
{
        gguf_put_string(key);
        gguf_put_u32(type);
        n_kv++;
}

void gguf_kv_u32(const char *key, uint32_t v)
{
        put_key(key, GGUF_U32);
        gguf_put_u32(v);
}

void gguf_kv_f32(const char *key, float v)
{
        put_key(key, GGUF_F32);
        gguf_put_f32(v);
}

void gguf_kv_string(const char *key, const char *v)
{
        put_key(key, GGUF_STRING);
        gguf_put_string(v);
}

void gguf_kv_array(const char *key, enum gguf_kv type, uint64_t n)
{
        put_key(key, GGUF_ARRAY);
        gguf_put_u32(type);
        gguf_put_u64(n);
}

size_t gguf_row_bytes(enum gguf_type type, int n)
{
        switch (type) {
        case GGUF_T_F32:
                return (size_t)n * 4;
        case GGUF_T_Q8_0:
                return (size_t)n / GGUF_BLOCK * (2 + GGUF_BLOCK);
        case GGUF_T_Q4_0:
                return (size_t)n / GGUF_BLOCK * (2 + GGUF_BLOCK / 2);
        }
        return 0;
}

/* Of a positive number, or zero, in the range of a half's normal and subnormal values; round to
 * even. */
static uint16_t to_half(float f)
{
        uint32_t bits;

        memcpy(&bits, &f, sizeof(bits));
        int exponent = (int)(bits >> 23) - 127 + 15;
        uint32_t mantissa = bits & 0x7fffff;
        int drop = 13;

        if (exponent <= 0) {
                if (exponent < -10)
                        return 0;
                mantissa |= 0x800000;
                drop += 1 - exponent;
                exponent = 0;
        }
        uint32_t half = ((uint32_t)exponent << 10) + (mantissa >> drop);
        uint32_t rest = mantissa & ((1u << drop) - 1), middle = 1u << (drop - 1);
        if (rest > middle || (rest == middle && (half & 1)))
                half++;
        return (uint16_t)half;
}

/* q8_0: a half d, then 32 signed bytes q; the weight is d q. */
static void put_q8_0(const float w[GGUF_BLOCK])
{
        int8_t q[GGUF_BLOCK];
        float max = 0;

        for (int i = 0; i < GGUF_BLOCK; i++)
                max = fmaxf(max, fabsf(w[i]));
        float d = max / 127.0f;
        uint16_t half = to_half(d);
        for (int i = 0; i < GGUF_BLOCK; i++)
                q[i] = (int8_t)(d > 0 ? lrintf(w[i] / d) : 0);
        gguf_put(&half, sizeof(half));
        gguf_put(q, sizeof(q));
}

/* q4_0: a half d, then 16 bytes, byte i holding q[i] low and q[i + 16] high; the weight is d (q -
 * 8). */
static void put_q4_0(const float w[GGUF_BLOCK])
{
        uint8_t q[GGUF_BLOCK], packed[GGUF_BLOCK / 2];
        float max = 0;

        for (int i = 0; i < GGUF_BLOCK; i++)
                max = fmaxf(max, fabsf(w[i]));
        float d = max / 8.0f;
        uint16_t half = to_half(d);
        for (int i = 0; i < GGUF_BLOCK; i++)
                q[i] = (uint8_t)fminf(15.0f, d > 0 ? rintf(w[i] / d) + 8.0f : 8.0f);
        for (int i = 0; i < GGUF_BLOCK / 2; i++)
                packed[i] = (uint8_t)(q[i] | q[i + GGUF_BLOCK / 2] << 4);
        gguf_put(&half, sizeof(half));
        gguf_put(packed, sizeof(packed));
}

void gguf_put_block(enum gguf_type type, const float *w)
{
        if (type == GGUF_T_Q8_0)
                put_q8_0(w);
        else if (type == GGUF_T_Q4_0)
                put_q4_0(w);
        else
                gguf_put(w, GGUF_BLOCK * sizeof(*w));
}

void gguf_open(const char *path, uint64_t n_tensors)
{
        out = fopen(path, "we");
        if (!out)
                gguf_die(1, path, strerror(errno));
        gguf_put("GGUF", 4);
        gguf_put_u32(3);
        gguf_put_u64(n_tensors);
        n_kv_at = ftell(out);
        gguf_put_u64(0);
}

void gguf_close(const char *path)
{
        gguf_align();
        if (fseek(out, n_kv_at, SEEK_SET) != 0)
                gguf_die(1, path, strerror(errno));
        gguf_put_u64(n_kv);
        if (fclose(out) != 0)
                gguf_die(1, path, strerror(errno));
}
