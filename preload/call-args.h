/* SPDX-License-Identifier: MIT */
/*
 * The integers a kernel was called with, read where the calling convention has them, and the shape
 * they make: remembered by the integers, so that it is made once.
 */
#pragma once

#include "preload/shim.h"

#pragma GCC visibility push(hidden)

#define IFP_ARGS_MAX 10u /* integers of a call that are looked at */

enum {
        IFP_ARG_I32 = 0,
        IFP_ARG_U32 = 1,
        IFP_ARG_64 = 2,
        IFP_ARG_CHAR = 3,
        IFP_ARG_TYPE = 3,     /* the bits of these */
        IFP_ARG_ADDRESS = 4,  /* the argument says where it lies, as in Fortran */
        IFP_ARG_DOUBTFUL = 8, /* and somebody who may be wrong says that */
};

struct ifp_arg {
        int16_t offset; /* from the stub's frame to the register as saved, or to the stack argument
                         */
        uint8_t how;
};

/* Where the integer argument number `i` lies, of those that are no floating-point numbers. */
static inline int16_t ifp_arg_offset(uint32_t i)
{
        return (int16_t)(i < 6 ? -8 * (int)(i + 1) : 16 + 8 * (int)(i - 6)); /* stub-*.S */
}

/* The bits of the first two floating-point arguments. The shim's own code has no vector registers,
 * so that they are there until somebody else's is called. */
#if defined(__x86_64__)
static inline uint64_t ifp_vector_argument_0(void)
{
        uint64_t bits;

        __asm__ volatile("movq %%xmm0, %0" : "=r"(bits));
        return bits;
}

static inline uint64_t ifp_vector_argument_1(void)
{
        uint64_t bits;

        __asm__ volatile("movq %%xmm1, %0" : "=r"(bits));
        return bits;
}
#elif defined(__aarch64__)
static inline uint64_t ifp_vector_argument_0(void)
{
        uint64_t bits;

        __asm__ volatile("fmov %0, d0" : "=r"(bits));
        return bits;
}

static inline uint64_t ifp_vector_argument_1(void)
{
        uint64_t bits;

        __asm__ volatile("fmov %0, d1" : "=r"(bits));
        return bits;
}
#else
#error "which registers have floating-point arguments?"
#endif

enum ifp_scalar_type {
        IFP_SCALAR_NONE,
        IFP_SCALAR_F32,
        IFP_SCALAR_F64,
        IFP_SCALAR_CF32,
        IFP_SCALAR_CF64
};

/* A floating-point argument. */
struct ifp_scalar {
        uint8_t type;   /* enum ifp_scalar_type */
        uint8_t vector; /* number of the register that has it, 0 or 1, if at is 0 */
        int16_t at;     /* as of ifp_arg: what lies there says where it lies */
};

/* What becomes of the result where a product counts for nothing: by the second factor. */
enum ifp_scaled { IFP_NOT_SCALED, IFP_SCALED, IFP_ZEROED, IFP_LEFT_ALONE };

/* Embedded in what an engine knows of a kernel: its want has the address of `hook`. */
struct ifp_call {
        struct ifp_hook hook; /* enter is ifp_call_enter */
        uint8_t n;
        bool plain; /* all are i32, and lie there themselves: the most frequent case */
        struct ifp_arg at[IFP_ARGS_MAX];
        /* The factor of a product, which is not made where it is 0, and of what is there before. */
        struct ifp_scalar alpha, beta;
        uint8_t no_beta; /* enum ifp_scaled: what becomes of the result where there is none */
        /* What the op was done on, all but its op and parts; false: that cannot be. */
        bool (*shape)(const struct ifp_call *call, const int64_t *args, enum ifp_scaled scaled,
                      struct ifp_shape *ret);
};

/* Another one that is looked at. */
static inline void ifp_call_add(struct ifp_call *call, int16_t offset, uint8_t how)
{
        call->plain = (!call->n || call->plain) && how == IFP_ARG_I32;
        call->at[call->n++] = (struct ifp_arg){offset, how};
}

/*
 * Opens a span of the stub's own op, with the shape of the call. A call inside of one that has a
 * shape has none of its own: its work is part of that.
 */
struct ifp_open *ifp_call_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                const struct ifp_args *args, uint64_t sp);

#pragma GCC visibility pop
