/* SPDX-License-Identifier: MIT */
/*
 * A thread remembers the calls it made by their integers, compared in full. A signal handler may
 * make calls of its own in between: who writes an entry claims it, and a handler that finds it
 * claimed leaves it; who reads one takes its shape first and looks at the end whether it still is
 * that.
 */
#include "preload/call-args.h"

#include "preload/shape.h"
#include "preload/table.h"

#define N_SEEN                                                                                     \
        (sizeof(((struct ifp_lane *)0)->calls_seen) / sizeof(((struct ifp_lane *)0)->calls_seen[0]))

struct seen {
        uint64_t thread; /* start_ticks of its lane: which of its threads, a fork child's apart */
        int64_t args[IFP_ARGS_MAX];
        uint16_t op, shape;
        uint32_t claim;
};
_Static_assert(sizeof(struct seen) == sizeof(((struct ifp_lane *)0)->calls_seen[0]),
               "as the lane has them");

/* Somebody else says that `bytes` lie there. Asked again for each page. */
static bool is_readable(uint64_t at, uint64_t bytes)
{
        static uint64_t known;
        uint64_t page = at & ~4095ull;

        if (at % bytes)
                return false;
        if (IFP_LIKELY(page == *(volatile uint64_t *)&known))
                return true;
        if (IFP_SYS(rt_sigprocmask, -1, page, NULL, 8) == -EFAULT)
                return false;
        *(volatile uint64_t *)&known = page;
        return true;
}

static inline bool read_arg(const struct ifp_arg *a, uint64_t sp, int64_t *ret)
{
        uint64_t at = sp + (uint64_t)(int64_t)a->offset;

        if (a->how & IFP_ARG_ADDRESS) {
                at = *(const uint64_t *)at;
                if (at < 4096 || (a->how & IFP_ARG_DOUBTFUL &&
                                  !is_readable(at, (a->how & IFP_ARG_TYPE) == IFP_ARG_64 ? 8 : 4)))
                        return false;
        }
        switch (a->how & IFP_ARG_TYPE) {
        case IFP_ARG_I32:
                *ret = *(const int32_t *)at;
                break;
        case IFP_ARG_U32:
                *ret = *(const uint32_t *)at;
                break;
        case IFP_ARG_64:
                *ret = *(const int64_t *)at;
                break;
        default:
                *ret = *(const uint8_t *)at;
                break;
        }
        return true;
}

static bool is_inside(struct ifp_lane *lane, uint64_t sp)
{
        for (uint64_t i = lane->top; i; i = ifp_open_prev(lane, ifp_open_at(lane, i)))
                if (ifp_open_at(lane, i)->shape && ifp_open_at(lane, i)->sp != sp)
                        return true;
        return false;
}

static uint32_t make(const struct ifp_call *call, uint32_t op, const int64_t *args)
{
        struct ifp_shape shape;

        shape.op = (uint16_t)op;
        shape.parts = 1;
        shape.formula = 0;
        shape.n_operands = shape.n_params = 0;
        for (uint32_t i = 0; i < IFP_SHAPE_OPERANDS; i++)
                shape.at[i] = (struct ifp_operand){0};
        return call->shape(call, args, &shape) ? ifp_shape(&shape) : 0;
}

/* The number of the shape of a call whose stub's frame is `sp`; 0: none. */
static uint32_t shape_of(struct ifp_tls *tls, const struct ifp_call *call, uint32_t op, uint64_t sp)
{
        uint64_t thread = tls->lane->start_ticks, mixed = op;
        int64_t args[IFP_ARGS_MAX];
        uint32_t shape, i;
        struct seen *s;

        if (ifp_seg->header.flags & IFP_HEADER_NO_SHAPES || is_inside(tls->lane, sp))
                return 0;
        for (i = 0; i < call->n; i++) {
                if (!read_arg(&call->at[i], sp, &args[i]))
                        return 0;
                mixed = (mixed << 9 | mixed >> 55) ^ (uint64_t)args[i];
        }
        s = (struct seen *)(void *)tls->lane->calls_seen[(ifp_mix(0, mixed) >> 32) % N_SEEN];
        shape = *(volatile uint16_t *)&s->shape;
        if (IFP_LIKELY(shape && s->op == op && s->thread == thread)) {
                for (i = 0; i < call->n && s->args[i] == args[i]; i++)
                        ;
                __atomic_signal_fence(__ATOMIC_SEQ_CST);
                if (IFP_LIKELY(i == call->n && *(volatile uint16_t *)&s->shape == shape))
                        return shape;
        }
        shape = make(call, op, args);
        if (!shape || *(volatile uint32_t *)&s->claim)
                return shape;
        s->claim = 1;
        s->shape = 0;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        s->thread = thread;
        s->op = (uint16_t)op;
        for (i = 0; i < call->n; i++)
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
                o->shape = (uint16_t)shape_of(tls, call, stub->op, sp);
                o->arg = o->shape;
        }
        return o;
}
