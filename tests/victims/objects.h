/* SPDX-License-Identifier: MIT */
/* libobj-*.so: one source, built with every linker and binding that engines are built with. */
#pragma once

#define NOINLINE __attribute__((noinline))

long k_step(long x);
long k_inner(long x);
long k_chosen(long x);                   /* an IFUNC */
long k_from_table(long x);               /* reached through pointers in data only */
extern long (*const obj_table[3])(long); /* k_step, k_inner, k_from_table */

struct obj_counts {
        long step, inner, chosen, from_table, sum;
};
/* Calls the kernels from inside the library, n times each way. */
void obj_run(long n, struct obj_counts *counts);
long (*obj_pointer(void))(long);
