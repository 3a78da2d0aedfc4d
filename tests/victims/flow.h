/* SPDX-License-Identifier: MIT */
/* libflow.so: kernels that are left and entered in every way but the ordinary one. */
#pragma once

typedef long (*flow_fn)(long);

#ifdef __cplusplus
extern "C" {
#endif
long k_leaf(long x);
long k_call(flow_fn fn, long x);     /* calls fn(x) */
long k_call_too(flow_fn fn, long x); /* the same under another name */
long k_throw(long depth);            /* calls itself so often, then throws an int */
long k_catch(long depth);            /* calls k_throw(depth) and catches; 1 */
long k_recurse(long n);
long k_even(long n);
long k_odd(long n);
long k_tail_a(long n); /* jumps to k_tail_b(n - 1), that to k_tail_a(n - 2) */
long k_tail_b(long n);
void k_busy(long ns);
void k_parent(long own_ns, long child_ns, long *child_took); /* own, child, own */
#ifdef __cplusplus
}
namespace conv {
long apply(int a, double b);
}
#endif
