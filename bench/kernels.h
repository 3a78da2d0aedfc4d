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
#define BENCH_OPS(X)                                                                               \
        X(00)                                                                                      \
        X(01)                                                                                      \
        X(02) X(03) X(04) X(05) X(06) X(07) X(08) X(09) X(10) X(11) X(12) X(13) X(14) X(15) X(16)  \
                X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29)      \
                        X(30) X(31) X(32) X(33) X(34) X(35) X(36) X(37) X(38) X(39)
#define N_BENCH_OPS   40
#define DECLARE_OP(n) void op_##n(void);
BENCH_OPS(DECLARE_OP)
