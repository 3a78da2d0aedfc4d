/* SPDX-License-Identifier: MIT */
/*
 * A thread remembers the calls it made by their integers, compared in full. A signal handler may
 * make calls of its own in between: who writes an entry claims it, and a handler that finds it
 * claimed leaves it; who reads one takes its shape first and looks at the end whether it still is
 * that.
 */
#include "preload/call-args.h"

#include "preload/shape.h"

#define N_SEEN                                                                                     \
        (sizeof(((struct ifp_lane *)0)->calls_seen) / sizeof(((struct ifp_lane *)0)->calls_seen[0]))

/* Odd numbers at random: which place of the table, a sum of products says. */
static const uint64_t spread[IFP_ARGS_MAX] = {
        0xf2a74de452e6b439, 0xe513270e269e0d37, 0x8c5c7fd0a6a3a451, 0xd23f0824128b2f33,
        0x9818e811892f902b, 0x9531985d5d9dc9f9, 0xe8e25d940ed90475, 0xb6f675cc81e74ef5,
        0x9600a35a099950d9, 0xeb0d549b6f03675b};

struct seen {
        uint64_t thread; /* start_ticks of its lane: which of its threads, a fork child's apart */
        int64_t args[IFP_ARGS_MAX];
        uint16_t op, shape;
        uint32_t claim;
};
_Static_assert(sizeof(struct seen) == sizeof(((struct ifp_lane *)0)->calls_seen[0]),
               "as the lane has them");

/* Somebody else says that `bytes` lie there. A thread asks again for each page. */
static bool is_readable(uint64_t at, uint64_t bytes)
{
        return !(at % bytes) && ifp_page_readable(&ifp_tls.lane->readable, at);
}

/* What lies at an address; false: nothing that could be read. */
static bool read_at(const struct ifp_arg *a, uint64_t at, int64_t *ret)
{
        uint8_t type = a->how & IFP_ARG_TYPE;

        if (at < 4096 ||
            (a->how & IFP_ARG_DOUBTFUL && !is_readable(at, type == IFP_ARG_64 ? 8 : 4)))
                return false;
        if (IFP_LIKELY(type == IFP_ARG_I32))
                *ret = *(const int32_t *)at;
        else if (type == IFP_ARG_CHAR)
                *ret = *(const uint8_t *)at;
        else if (type == IFP_ARG_64)
                *ret = *(const int64_t *)at;
        else
                *ret = *(const uint32_t *)at;
        return true;
}

static inline bool read_arg(const struct ifp_arg *a, uint64_t sp, int64_t *ret)
{
        uint64_t word = *(const uint64_t *)(sp + (uint64_t)(int64_t)a->offset);

        if (IFP_LIKELY(a->how == (IFP_ARG_ADDRESS | IFP_ARG_I32) && word >= 4096))
                *ret = *(const int32_t *)word;
        else if (a->how & IFP_ARG_ADDRESS)
                return read_at(a, word, ret);
        else
                *ret = a->how == IFP_ARG_I32   ? (int32_t)word
                       : a->how == IFP_ARG_U32 ? (int64_t)(uint32_t)word
                                               : (int64_t)word;
        return true;
}

/* Is it open inside of an op that has a shape? */
static inline bool is_inside(struct ifp_lane *lane, const struct ifp_open *o)
{
        for (uint64_t i = ifp_open_prev(lane, o); i; i = ifp_open_prev(lane, o)) {
                o = ifp_open_at(lane, i);
                if (o->shape)
                        return true;
        }
        return false;
}

/*
 * The bits of a scalar; of a complex one both parts. Vector registers are as the caller left them:
 * neither the way here nor anything on it touches them.
 */
static inline bool scalar_bits(const struct ifp_scalar *s, uint64_t sp, uint64_t ret[2])
{
        bool wide = s->type == IFP_SCALAR_F64 || s->type == IFP_SCALAR_CF64;
        uint64_t word;

        ret[1] = 0;
        if (!s->at) {
                ret[0] = s->vector ? ifp_vector_argument_1() : ifp_vector_argument_0();
                if (!wide)
                        ret[0] &= UINT32_MAX;
                return true;
        }
        word = *(const uint64_t *)(sp + (uint64_t)(int64_t)s->at);
        if (word < 4096)
                return false;
        ret[0] = wide ? *(const uint64_t *)word : *(const uint32_t *)word;
        if (s->type == IFP_SCALAR_CF64)
                ret[1] = ((const uint64_t *)word)[1];
        else if (s->type == IFP_SCALAR_CF32)
                ret[1] = ((const uint32_t *)word)[1];
        return true;
}

/* Zero of either sign, in both parts. */
static inline bool is_zero(const struct ifp_scalar *s, uint64_t sp)
{
        uint64_t bits[2];

        if (!scalar_bits(s, sp, bits))
                return false;
        bits[0] |= bits[1];
        return !(s->type == IFP_SCALAR_F64 || s->type == IFP_SCALAR_CF64 ? bits[0] << 1
                                                                         : (uint32_t)bits[0] << 1);
}

static bool is_one(const struct ifp_scalar *s, uint64_t sp)
{
        bool wide = s->type == IFP_SCALAR_F64 || s->type == IFP_SCALAR_CF64;
        uint64_t bits[2];

        return scalar_bits(s, sp, bits) && bits[0] == (wide ? 0x3ff0000000000000 : 0x3f800000) &&
               !(wide ? bits[1] << 1 : (uint32_t)bits[1] << 1);
}

static enum ifp_scaled scaled_by(const struct ifp_call *call, uint64_t sp)
{
        if (!call->beta.type)
                return call->no_beta;
        return is_zero(&call->beta, sp)  ? IFP_ZEROED
               : is_one(&call->beta, sp) ? IFP_LEFT_ALONE
                                         : IFP_SCALED;
}

static uint32_t make(const struct ifp_call *call, uint32_t op, const int64_t *args,
                     enum ifp_scaled scaled)
{
        struct ifp_shape shape;

        shape.op = (uint16_t)op;
        shape.parts = 1;
        shape.formula = 0;
        shape.n_operands = shape.n_params = 0;
        for (uint32_t i = 0; i < IFP_SHAPE_OPERANDS; i++)
                shape.at[i] = (struct ifp_operand){0};
        return call->shape(call, args, scaled, &shape) ? ifp_shape(&shape) : 0;
}

/* The number of the shape of a call that is open as `o`; 0: none. */
static inline uint32_t shape_of(struct ifp_tls *tls, const struct ifp_call *call, uint32_t op,
                                const struct ifp_open *o)
{
        uint64_t thread = tls->lane->start_ticks, mixed = op * spread[0];
        uint32_t n = call->n, shape, i;
        int64_t args[IFP_ARGS_MAX], differ = 0;
        uint64_t sp = o->sp;
        struct seen *s;

        if (ifp_seg->header.flags & IFP_HEADER_NO_SHAPES || is_inside(tls->lane, o))
                return 0;
        for (i = 0; i < n; i++) {
                const struct ifp_arg *a = &call->at[i];

                if (IFP_LIKELY(call->plain))
                        args[i] = *(const int32_t *)(sp + (uint64_t)(int64_t)a->offset);
                else if (!read_arg(a, sp, &args[i]))
                        return 0;
                mixed += (uint64_t)args[i] * spread[i];
        }
        if (call->alpha.type && IFP_UNLIKELY(is_zero(&call->alpha, sp)))
                return make(call, op, args, scaled_by(call, sp)); /* seldom: not remembered */
        s = (struct seen *)(void *)tls->lane->calls_seen[(mixed >> 32) % N_SEEN];
        shape = *(volatile uint16_t *)&s->shape;
        if (IFP_LIKELY(shape && s->op == op && s->thread == thread)) {
                for (i = 0; i < n; i++)
                        differ |= s->args[i] ^ args[i];
                __atomic_signal_fence(__ATOMIC_SEQ_CST);
                if (IFP_LIKELY(!differ && *(volatile uint16_t *)&s->shape == shape))
                        return shape;
        }
        shape = make(call, op, args, IFP_NOT_SCALED);
        if (!shape || *(volatile uint32_t *)&s->claim)
                return shape;
        s->claim = 1;
        s->shape = 0;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        s->thread = thread;
        s->op = (uint16_t)op;
        for (i = 0; i < n; i++)
                s->args[i] = args[i];
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        s->shape = (uint16_t)shape;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        s->claim = 0;
        return shape;
}

struct ifp_open *ifp_call_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                const struct ifp_args *args, uint64_t sp)
{
        const struct ifp_call *call = (const void *)stub->hook; /* its first member */
        struct ifp_open *o = ifp_hook_push(tls, stub, sp);

        (void)args;
        if (IFP_LIKELY(o)) {
                o->shape = (uint16_t)shape_of(tls, call, stub->op, o);
                o->arg = o->shape;
        }
        return o;
}
