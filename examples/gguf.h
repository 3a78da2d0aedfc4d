/* SPDX-License-Identifier: MIT */
/*
 * Writing one GGUF file, version 3, front to back. All of it ends the program with one line when
 * the file cannot be written.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { GGUF_ALIGN = 32, GGUF_BLOCK = 32 };

enum gguf_kv { GGUF_U32 = 4, GGUF_I32 = 5, GGUF_F32 = 6, GGUF_STRING = 8, GGUF_ARRAY = 9 };
enum gguf_type { GGUF_T_F32 = 0, GGUF_T_Q4_0 = 2, GGUF_T_Q8_0 = 8 };

_Noreturn void gguf_die(int code, const char *what, const char *which);

void gguf_open(const char *path, uint64_t n_tensors);
/* How many key-values there were is filled in here. */
void gguf_close(const char *path);

void gguf_put(const void *data, size_t size);
void gguf_put_u32(uint32_t v);
void gguf_put_u64(uint64_t v);
void gguf_put_f32(float v);
void gguf_put_string(const char *s);
void gguf_align(void);

void gguf_kv_u32(const char *key, uint32_t v);
void gguf_kv_f32(const char *key, float v);
void gguf_kv_string(const char *key, const char *v);
/* To be followed by n values of the type. */
void gguf_kv_array(const char *key, enum gguf_kv type, uint64_t n);

size_t gguf_row_bytes(enum gguf_type type, int n);
/* Quantise GGUF_BLOCK weights and write them. */
void gguf_put_block(enum gguf_type type, const float *w);
