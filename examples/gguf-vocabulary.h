/* SPDX-License-Identifier: MIT */
/* The vocabulary of a GGUF file, as key-values. */
#pragma once

enum { N_BYTE_TOKENS = 256, N_SPECIAL = 3 };

/* With `n` tokens; N_SPECIAL + N_BYTE_TOKENS at the least. */
void gguf_write_vocabulary(int n);
