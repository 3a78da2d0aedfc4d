/* SPDX-License-Identifier: MIT */
/*
 * Kernels to be hooked, in a library of their own. Those of one kind differ in nothing but their
 * name, so that what they cost differs by what the profiler does to them alone.
 */
#pragma once

/* Nothing at all. */
void empty_bare(void); /* never hooked */
void empty_plain(void);
void empty_args(void);
void empty_hot(void);
void empty_off(void);

/*
 * A chain of bench_steps multiplications, each waiting for the one before, across calls too: what a
 * call takes is the same whether or not the next one could begin before it is over.
 */
extern unsigned bench_steps;
void work_bare(void);
void work_full(void);
void work_hot(void);

/* Forty ops, as many as an engine's graph has. */
#define BENCH_TEN(X, t)                                                                            \
        X(t##0) X(t##1) X(t##2) X(t##3) X(t##4) X(t##5) X(t##6) X(t##7) X(t##8) X(t##9)
#define BENCH_OPS(X)  BENCH_TEN(X, 0) BENCH_TEN(X, 1) BENCH_TEN(X, 2) BENCH_TEN(X, 3)
#define N_BENCH_OPS   40
#define DECLARE_OP(n) void op_##n(void);
BENCH_OPS(DECLARE_OP)
