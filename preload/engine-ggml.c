/* SPDX-License-Identifier: MIT */
/*
 * ggml. What is above it is engine-llama.c's.
 *
 * A node of a graph becomes one span on each thread that computes it, under
 * the name ggml_op_desc gives it. Where a per-op function is called (or
 * ggml_cpu_extra_compute_forward computes the node itself, and says so), the
 * span is that outermost call. Where neither is seen (the per-op function is
 * static), it is a paired span: from the end of extra's call to the entry of the last
 * ggml_barrier before the next node, fused call or graph end; barriers before
 * that are waits inside it. Nodes that compute nothing (NONE, views, empty) have no span.
 *
 * Where a tensor keeps its op is found at run time, by building tensors with
 * the library's own functions: versions and forks differ.
 *
 * A ggml_barrier is an op of kind WAIT and, where more than one thread computes (the params of the
 * node say how many), a wait as well: with the op of the node it ends, for the last thread
 * to arrive. As long as no graph had more than one thread it takes the short way of an ordinary op.
 */
#include "preload/engine.h"
#include "preload/engine-ggml.h"
#include "preload/heap.h"
#include "preload/wait.h"

#define N_OPS     256 /* op numbers remembered */
#define N_SUBS    64  /* kinds of unary and glu ops */
#define NODE_SKIP 1u  /* remembered: computes nothing */

/* op number (and sub-op) -> number in the segment + 2; 0 unknown, NODE_SKIP */
static uint16_t node_ops[N_OPS], unary_ops[N_SUBS], glu_ops[N_SUBS];
static uint16_t fused_op;
static uint16_t experts_op; /* MUL_MAT_ID; 0: none so far */

struct describe {
        const void *tensor;
        const char *library;
        uint16_t result;
};

/* The op of a tensor by what the library says of it. */
static uint64_t describe(void *arg)
{
        static const char *const nothing[] = {"NONE", "RESHAPE", "VIEW", "PERMUTE", "TRANSPOSE"};
        struct describe *d = arg;
        const char *name;

        ifp_tls.busy++;
        ifp_tls.fast = NULL;
        name = ifp_ggml.op_desc ? ifp_ggml.op_desc(d->tensor) : NULL;
        d->result = NODE_SKIP;
        for (unsigned i = 0; name && i < sizeof(nothing) / sizeof(nothing[0]); i++)
                if (!ifp_strcmp(name, nothing[i]))
                        name = NULL;
        if (name)
                d->result = (uint16_t)(ifp_op(name, NULL, d->library, IFP_KIND_NODE, false, 1) + 2);
        if (name && d->result >= IFP_OP_FIRST + 2 && !ifp_strcmp(name, "MUL_MAT_ID"))
                experts_op = (uint16_t)(d->result - 2);
        ifp_fast_again(&ifp_tls);
        ifp_tls.busy--;
        return 0;
}

static uint64_t ask_empty(void *arg)
{
        return ifp_ggml.is_empty && ifp_ggml.is_empty(arg);
}

/* Number of a node's op in the segment; 0: the node computes nothing. */
static uint32_t node_op(const struct ifp_stub *stub, const void *tensor)
{
        struct describe d = {.tensor = tensor};
        uint16_t *slot = NULL;

        if (IFP_UNLIKELY(!ifp_ggml_layout.state))
                ifp_ggml_discover();
        if (IFP_LIKELY(ifp_ggml_layout.state == 1)) {
                int op = ifp_int_at(tensor, ifp_ggml_layout.op);
                int sub = ifp_int_at(tensor, ifp_ggml_layout.params);
                const int64_t *ne = (const void *)((const uint8_t *)tensor + ifp_ggml_layout.ne);

                if (!ne[0] || !ne[1] || !ne[2] || !ne[3])
                        return 0;
                if ((op == ifp_ggml_layout.unary || op == ifp_ggml_layout.glu) && sub >= 0 &&
                    sub < N_SUBS)
                        slot = op == ifp_ggml_layout.unary ? &unary_ops[sub] : &glu_ops[sub];
                else if (op >= 0 && op < N_OPS && op != ifp_ggml_layout.unary &&
                         op != ifp_ggml_layout.glu)
                        slot = &node_ops[op];
                if (IFP_LIKELY(slot && *slot))
                        return *slot == NODE_SKIP ? 0 : *slot - 2u;
        } else if (ifp_call_saved(ask_empty, (void *)(uintptr_t)tensor) & 0xff) {
                return 0;
        }
        d.library = ifp_seg->names + ifp_seg->objects[stub->object].path;
        ifp_call_saved(describe, &d);
        if (slot)
                *slot = d.result;
        return d.result == NODE_SKIP ? 0 : d.result - 2u;
}

/* ---- nodes ------------------------------------------------------------------ */

/* Inside a node that a direct call computes? A paired one does not count. */
static bool in_node(const struct ifp_tls *tls, struct ifp_lane *lane)
{
        for (uint64_t i = lane->top; i; i = ifp_open_prev(lane, ifp_open_at(lane, i))) {
                uint8_t kind = ifp_seg->ops[ifp_open_op(ifp_open_at(lane, i))].kind;

                if (kind == IFP_KIND_NODE && i != tls->paired)
                        return true;
                if (kind == IFP_KIND_GRAPH || kind == IFP_KIND_CALL)
                        return false;
        }
        return false;
}

static bool is_on(uint32_t op)
{
        return *(volatile uint8_t *)&ifp_seg->switches[op];
}

static struct ifp_open *open_node(struct ifp_tls *tls, uint32_t op, uint64_t sp,
                                  struct ifp_ggml_node node)
{
        struct ifp_open *o = ifp_open_push(tls, tls->lane, op, ifp_phase, sp, 0);

        if (IFP_UNLIKELY(!o)) {
                ifp_local_add(&tls->lane->time[op][ifp_phase].untimed, 1);
                return NULL;
        }
        o->shape = node.shape;
        o->layer = node.layer;
        o->arg = node.shape;
        return o;
}

static struct ifp_ggml_node shape_of(const struct ifp_tls *tls, uint32_t op, const void *tensor)
{
        return ifp_ggml_layout.shapes ? ifp_ggml_node_shape(tls, op, tensor)
                                      : (struct ifp_ggml_node){0};
}

static void barriers_wait(void);

/* struct ggml_compute_params { int ith, nth; ... } */
static void begin_node(struct ifp_tls *tls, const struct ifp_args *args, uint32_t op)
{
        const int *params = (const void *)args->rdi;

        tls->node_op = (uint16_t)op;
        if (IFP_LIKELY(tls->n_threads == params[1]))
                return;
        tls->n_threads = params[1] > 0 && params[1] <= UINT16_MAX ? (uint16_t)params[1] : 1;
        if (tls->n_threads > 1)
                barriers_wait();
}

static struct ifp_open *enter_node(struct ifp_tls *tls, const struct ifp_stub *stub,
                                   const struct ifp_args *args, uint64_t sp)
{
        const void *tensor = (const void *)args->rsi;
        uint32_t op = node_op(stub, tensor);
        struct ifp_ggml_node node;

        begin_node(tls, args, op);
        if (!op || !is_on(op))
                return NULL;
        node = shape_of(tls, op, tensor);
        if (IFP_UNLIKELY(op == experts_op) && !*(const int *)args->rdi && ifp_ggml_layout.shapes)
                ifp_ggml_experts(tensor, node.layer, ifp_phase);
        return open_node(tls, op, sp, node);
}

/*
 * ggml_compute_forward_X(params, dst). Mostly extra has just opened a paired
 * span for the same node: the direct one takes its entry over.
 */
static struct ifp_open *forward_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                      const struct ifp_args *args, uint64_t sp)
{
        const void *tensor = (const void *)args->rsi;
        struct ifp_open *o;

        if (tls->paired) {
                if (tls->paired_of == tensor && (o = ifp_paired_take(tls, tls->lane, sp)))
                        return o;
                ifp_paired_finish(tls, tls->lane);
        } else if (in_node(tls, tls->lane)) {
                return NULL;
        }
        return enter_node(tls, stub, args, sp);
}

static uint64_t name_fused(void *arg)
{
        const struct ifp_stub *stub = arg;

        fused_op = (uint16_t)ifp_op("RMS_NORM+MUL", NULL,
                                    ifp_seg->names + ifp_seg->objects[stub->object].path,
                                    IFP_KIND_NODE, false, 1);
        return 0;
}

/* The result of the product, what is normalised, and what it is multiplied by. */
static struct ifp_ggml_node fused_shape(const struct ifp_tls *tls, const struct ifp_args *args)
{
        const uint64_t *norm, *mul;
        const void *tensors[3] = {(const void *)args->rdx};

        if (!ifp_ggml_layout.shapes)
                return (struct ifp_ggml_node){0};
        norm = ifp_words_at((const void *)args->rsi, ifp_ggml_layout.src);
        mul = ifp_words_at((const void *)args->rdx, ifp_ggml_layout.src);
        tensors[1] = (const void *)norm[0];
        tensors[2] = (const void *)mul[mul[0] == args->rsi];
        return tensors[1] && tensors[2] ? ifp_ggml_shape(tls, fused_op, tensors, 3)
                                        : (struct ifp_ggml_node){0};
}

/* ggml_compute_forward_rms_norm_mul_fused(params, dst_rms_norm, dst_mul): two nodes in one */
static struct ifp_open *fused_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                    const struct ifp_args *args, uint64_t sp)
{
        if (tls->paired)
                ifp_paired_finish(tls, tls->lane);
        else if (in_node(tls, tls->lane))
                return NULL;
        if (!fused_op)
                ifp_call_saved(name_fused, stub);
        begin_node(tls, args, fused_op);
        return is_on(fused_op) ? open_node(tls, fused_op, sp, fused_shape(tls, args)) : NULL;
}

/* bool ggml_cpu_extra_compute_forward(params, tensor): the beginning of every node */
static struct ifp_open *extra_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                    const struct ifp_args *args, uint64_t sp)
{
        if (tls->paired)
                ifp_paired_finish(tls, tls->lane);
        else if (in_node(tls, tls->lane))
                return NULL;
        tls->paired_of = (const void *)args->rsi;
        return enter_node(tls, stub, args, sp);
}

static bool extra_leave(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *o,
                        uint64_t end, uint64_t rax)
{
        (void)stub;
        if (rax & 0xff)
                return true; /* it computed the node */
        ifp_paired_begin(tls, tls->lane, o, end);
        return false;
}

/* ---- barriers --------------------------------------------------------------- */

/* The node that a barrier belongs to: the one around it, else the one computed last. */
static uint32_t barrier_op(const struct ifp_tls *tls, struct ifp_lane *lane)
{
        for (uint64_t i = lane->top; i; i = ifp_open_prev(lane, ifp_open_at(lane, i))) {
                uint32_t op = ifp_open_op(ifp_open_at(lane, i));

                if (ifp_seg->ops[op].kind == IFP_KIND_NODE)
                        return op;
                if (ifp_seg->ops[op].kind != IFP_KIND_KERNEL)
                        break;
        }
        return tls->node_op;
}

/* While a paired span is open, each barrier may be its end. */
static struct ifp_open *barrier_enter(struct ifp_tls *tls, struct ifp_stub *stub,
                                      const struct ifp_args *args, uint64_t sp)
{
        struct ifp_lane *lane = tls->lane;
        uint32_t op = barrier_op(tls, lane);
        struct ifp_open *o;

        if (tls->paired && lane->top == tls->paired) {
                tls->paired_child = ifp_open_at(lane, lane->top)->child & IFP_TICKS_MASK;
                tls->paired_end = ifp_ticks();
        }
        o = ifp_hook_push(tls, stub, sp);
        if (o && tls->n_threads > 1 && ifp_waits_on) {
                struct ifp_barrier_call call = {.object = (const void *)args->rdi,
                                                .shown = args->rdi,
                                                .sp = sp,
                                                .n_threads = tls->n_threads,
                                                .op = op,
                                                .one_of_many = true}; /* a pool for one graph */

                ifp_barrier_enter(tls, &call);
        }
        return o;
}

static bool barrier_leave(struct ifp_tls *tls, struct ifp_stub *stub, struct ifp_open *o,
                          uint64_t end, uint64_t rax)
{
        (void)stub;
        (void)end;
        (void)rax;
        ifp_barrier_leave(tls, o->sp);
        return true;
}

static struct ifp_hook barrier = {.rare = true, .enter = barrier_enter, .leave = barrier_leave};

/* From now on all barriers come by here. */
static void barriers_wait(void)
{
        if (!barrier.rare || !ifp_waits_on)
                return;
        __atomic_store_n(&barrier.rare, false, __ATOMIC_SEQ_CST);
        for (uint32_t i = 0; i < IFP_MAX_STUBS; i++)
                if (ifp_stubs[i].hook == &barrier)
                        __atomic_store_n(&ifp_stubs[i].plain_op, 0, __ATOMIC_RELEASE);
}

/* ---- the table --------------------------------------------------------------------- */

static const struct ifp_hook forward = {.names = true, .enter = forward_enter};
static const struct ifp_hook fused = {.names = true, .enter = fused_enter};
static const struct ifp_hook extra = {.names = true, .enter = extra_enter, .leave = extra_leave};

#define GGML  "libggml*.so*"
#define INNER .level = 1, .hot = 1, .stack_bytes = 32, .kind = IFP_KIND_KERNEL

static struct ifp_want wants[] = {
        {GGML, "ggml_compute_forward_rms_norm_mul_fused", .kind = IFP_KIND_NODE, .hook = &fused},
        {GGML, "ggml_compute_forward_*", .kind = IFP_KIND_NODE, .hook = &forward, .direct = 1},
        {GGML, "ggml_cpu_extra_compute_forward", .kind = IFP_KIND_NODE, .hook = &extra},
        {GGML, "ggml_barrier", .kind = IFP_KIND_WAIT, .hook = &barrier},
        {GGML, "ggml_graph_compute", .kind = IFP_KIND_GRAPH},
        {GGML, "ggml_backend_sched_graph_compute_async", .kind = IFP_KIND_CALL},
        {GGML, "ggml_backend_graph_compute_async", .kind = IFP_KIND_CALL},
        {GGML, "ggml_backend_tensor_copy", .kind = IFP_KIND_KERNEL},
        {GGML, "ggml_vec_dot_*", INNER},
        {GGML, "ggml_gemm_*", INNER},
        {GGML, "ggml_gemv_*", INNER},
        {GGML, "_ZN4ggml3cpu6repack4gem*", INNER},
        {GGML, "quantize_row_*", INNER},
};

#define FIND(field, symbol) IFP_ELF_FUNCTION(e, ifp_ggml.field, symbol)

static void opened(const struct ifp_elf *e)
{
        if (!ifp_elf_find(e, "ggml_op_desc", NULL))
                return;
        ifp_ggml.base = e->base;
        FIND(op_desc, "ggml_op_desc");
        FIND(op_name, "ggml_op_name");
        FIND(is_empty, "ggml_is_empty");
        FIND(init, "ggml_init");
        FIND(free, "ggml_free");
        FIND(new_tensor_4d, "ggml_new_tensor_4d");
        FIND(sqr, "ggml_sqr");
        FIND(mul, "ggml_mul");
        FIND(neg, "ggml_neg");
        FIND(silu, "ggml_silu");
        FIND(swiglu, "ggml_swiglu");
        FIND(get_unary_op, "ggml_get_unary_op");
        FIND(type_name, "ggml_type_name");
        FIND(blck_size, "ggml_blck_size");
        FIND(type_size, "ggml_type_size");
        FIND(get_name, "ggml_get_name");
        FIND(get_data, "ggml_get_data");
        ifp_ggml_anew();
        for (uint32_t i = 0; i < N_OPS; i++)
                node_ops[i] = 0;
        for (uint32_t i = 0; i < N_SUBS; i++)
                unary_ops[i] = glu_ops[i] = 0;
        fused_op = experts_op = 0;
}

static void closed(const struct ifp_elf *e)
{
        if (ifp_ggml.base != e->base)
                return;
        ifp_ggml.base = 0;
        ifp_ggml.op_desc = NULL;
        ifp_ggml_layout.state = 2;
        ifp_ggml_layout.shapes = false;
}

const struct ifp_engine ifp_engine_ggml = {
        .name = "ggml",
        .wants = wants,
        .n_wants = sizeof(wants) / sizeof(wants[0]),
        .opened = opened,
        .closed = closed,
};
