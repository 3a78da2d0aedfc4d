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

/* Embedded in what an engine knows of a kernel: its want has the address of `hook`. */
struct ifp_call {
        struct ifp_hook hook; /* enter is ifp_call_enter */
        uint8_t n;
        bool plain; /* all are i32, and lie there themselves: the most frequent case */
        struct ifp_arg at[IFP_ARGS_MAX];
        /* What the op was done on, all but its op and parts; false: that cannot be. */
        bool (*shape)(const struct ifp_call *call, const int64_t *args, struct ifp_shape *ret);
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
