/* SPDX-License-Identifier: MIT */
/*
 * Where a tensor of ggml keeps its op, and where its type, extents, strides and sources: found at
 * run time, by building tensors with the library's own functions, since versions and forks differ.
 * With that, the shape and the layer of a node: which of the segment's they are, is remembered by
 * the tensor's address, and compared each time (the shape in full), for graphs are built anew in
 * the same memory.
 */
#include "preload/engine-ggml.h"
#include "preload/shape.h"

struct ifp_ggml ifp_ggml;
struct ifp_ggml_layout ifp_ggml_layout;

/* ---- the layout -------------------------------------------------------------------- */

static bool extents_at(const void *tensor, uint32_t offset)
{
        const int64_t *ne = (const void *)((const uint8_t *)tensor + offset);

        return ne[0] == 7 && ne[1] == 5 && ne[2] == 3 && ne[3] == 2;
}

/*
 * Numbers that differ as the ops do, small enough to be asked the name of: only
 * then is the library asked, whose table has no bounds check.
 */
static bool is_op_at(uint32_t i, const void *plain, const void *sqr, const void *mul,
                     const void *neg, const void *silu)
{
        int a = ifp_int_at(sqr, i), b = ifp_int_at(mul, i), c = ifp_int_at(neg, i);

        return !ifp_int_at(plain, i) && a > 0 && b > 0 && c > 0 && a < 80 && b < 80 && c < 128 &&
               a != b && b != c && a != c && ifp_int_at(silu, i) == c &&
               !ifp_strcmp(ifp_ggml.op_name(a), "SQR") && !ifp_strcmp(ifp_ggml.op_name(b), "MUL") &&
               !ifp_strcmp(ifp_ggml.op_name(c), "UNARY");
}

static bool find_layout(void *ctx)
{
        void *plain = ifp_ggml.new_tensor_4d(ctx, 0, 7, 5, 3, 2), *sqr, *mul, *neg, *silu, *glu;
        uint32_t i;

        if (!plain)
                return false;
        sqr = ifp_ggml.sqr(ctx, plain);
        mul = ifp_ggml.mul(ctx, plain, plain);
        neg = ifp_ggml.neg(ctx, plain);
        silu = ifp_ggml.silu(ctx, plain);
        for (i = 0; i < 160; i += 4)
                if (is_op_at(i, plain, sqr, mul, neg, silu))
                        break;
        if (i == 160)
                return false;
        ifp_ggml_layout.op = i;
        for (i = ifp_ggml_layout.op + 4; i < ifp_ggml_layout.op + 64; i += 4)
                if (ifp_int_at(neg, i) == ifp_ggml.get_unary_op(neg) &&
                    ifp_int_at(silu, i) == ifp_ggml.get_unary_op(silu) &&
                    ifp_int_at(neg, i) != ifp_int_at(silu, i))
                        break;
        if (i == ifp_ggml_layout.op + 64)
                return false;
        ifp_ggml_layout.params = i;
        for (i = 0; i < 128; i += 8)
                if (extents_at(plain, i) && extents_at(sqr, i))
                        break;
        if (i == 128)
                return false;
        ifp_ggml_layout.ne = i;
        ifp_ggml_layout.unary = ifp_int_at(neg, ifp_ggml_layout.op);
        glu = ifp_ggml.swiglu ? ifp_ggml.swiglu(ctx, plain)
                              : NULL; /* versions before mid-2025 have none */
        ifp_ggml_layout.glu = glu ? ifp_int_at(glu, ifp_ggml_layout.op) : -1;
        return true;
}

static bool strides_at(const void *tensor, uint32_t offset, uint64_t bytes)
{
        const uint64_t *nb = ifp_words_at(tensor, offset);

        return nb[0] == bytes && nb[1] == 7 * bytes && nb[2] == 35 * bytes && nb[3] == 105 * bytes;
}

static bool sources_at(const void *tensor, uint32_t offset, const void *a, const void *b)
{
        const uint64_t *src = ifp_words_at(tensor, offset);

        return src[0] == (uintptr_t)a && src[1] == (uintptr_t)b;
}

/* Where a tensor keeps its type, its strides and its sources: f32 is 0 and f16 is 1. */
static bool find_operands(void *ctx)
{
        const void *plain = ifp_ggml.new_tensor_4d(ctx, 0, 7, 5, 3, 2), *sqr, *mul;
        const void *half = ifp_ggml.new_tensor_4d(ctx, 1, 7, 5, 3, 2);
        void *other = ifp_ggml.new_tensor_4d(ctx, 0, 7, 5, 3, 2);
        struct ifp_ggml_layout *l = &ifp_ggml_layout;

        if (!plain || !half || !other || !ifp_ggml.type_name || !ifp_ggml.blck_size ||
            !ifp_ggml.type_size || ifp_strcmp(ifp_ggml.type_name(0), "f32") ||
            ifp_strcmp(ifp_ggml.type_name(1), "f16"))
                return false;
        sqr = ifp_ggml.sqr(ctx, (void *)(uintptr_t)plain);
        mul = ifp_ggml.mul(ctx, (void *)(uintptr_t)plain, other);
        for (l->type = 0; l->type < 128; l->type += 4)
                if (!ifp_int_at(plain, l->type) && !ifp_int_at(other, l->type) &&
                    ifp_int_at(half, l->type) == 1)
                        break;
        for (l->nb = 0; l->nb < 128; l->nb += 8)
                if (strides_at(plain, l->nb, 4) && strides_at(half, l->nb, 2))
                        break;
        for (l->src = 0; l->src < 256; l->src += 8)
                if (sources_at(sqr, l->src, plain, NULL) && sources_at(mul, l->src, plain, other))
                        break;
        ifp_ggml_find_name(plain);
        return l->type < 128 && l->nb < 128 && l->src < 256;
}

/* Where a tensor says where its elements are: these have some. */
static void find_data(void)
{
        static uint8_t memory[16 << 10] __attribute__((aligned(64)));
        struct ifp_ggml_init args = {sizeof(memory), memory, false};
        void *ctx = ifp_ggml.get_data ? ifp_ggml.init(args) : NULL, *a, *b;

        ifp_ggml_layout.data = 0;
        if (!ctx)
                return;
        a = ifp_ggml.new_tensor_4d(ctx, 0, 7, 5, 3, 2);
        b = ifp_ggml.new_tensor_4d(ctx, 0, 7, 5, 3, 2);
        for (uint32_t i = 8; a && b && i < 336; i += 8)
                if (*ifp_words_at(a, i) == (uintptr_t)ifp_ggml.get_data(a) &&
                    *ifp_words_at(b, i) == (uintptr_t)ifp_ggml.get_data(b)) {
                        ifp_ggml_layout.data = i;
                        break;
                }
        ifp_ggml.free(ctx);
}

static uint64_t discover(void *unused)
{
        static uint8_t memory[64 << 10] __attribute__((aligned(64)));
        struct ifp_ggml_init args = {sizeof(memory), memory, true};
        void *ctx;

        (void)unused;
        if (ifp_ggml_layout.state)
                return 0;
        ifp_tls.busy++;
        ifp_tls.fast = NULL;
        ifp_ggml_layout.state = 2;
        if (ifp_ggml.op_name && ifp_ggml.init && ifp_ggml.free && ifp_ggml.new_tensor_4d &&
            ifp_ggml.sqr && ifp_ggml.mul && ifp_ggml.neg && ifp_ggml.silu &&
            ifp_ggml.get_unary_op) {
                ctx = ifp_ggml.init(args);
                if (ctx && find_layout(ctx))
                        ifp_ggml_layout.state = 1;
                if (ctx && !(ifp_seg->header.flags & IFP_HEADER_NO_SHAPES)) {
                        ifp_ggml_layout.shapes = ifp_ggml_layout.state == 1 && find_operands(ctx);
                        if (ifp_ggml_layout.shapes)
                                find_data();
                        ifp_seg->live.shapes =
                                ifp_ggml_layout.shapes ? IFP_SHAPES_READ : IFP_SHAPES_UNKNOWN;
                }
                if (ctx)
                        ifp_ggml.free(ctx);
        }
        ifp_fast_again(&ifp_tls);
        ifp_tls.busy--;
        return 0;
}

void ifp_ggml_discover(void)
{
        ifp_call_saved(discover, NULL);
}

/* ---- shapes ------------------------------------------------------------------------ */

#define N_SEEN   (sizeof(((struct ifp_lane *)0)->nodes_seen) / 8)
#define N_TYPES  256u
#define N_PARAMS 3u

/* Of a lane's thread: what the tensor seen last at such an address is; shape 0: none. */
union seen {
        struct {
                struct ifp_ggml_node node;
                uint32_t name; /* sum of its name and its first source's address */
        };
        uint64_t word; /* a handler may come in between */
};
_Static_assert(sizeof(union seen) == 8, "one word");

/* The engine's numbers of types as the segment's + 1; 0: not asked for. */
static uint16_t types[N_TYPES];

void ifp_ggml_anew(void)
{
        ifp_ggml_layout.state = 0;
        ifp_ggml_layout.shapes = false;
        for (uint32_t i = 0; i < N_TYPES; i++)
                types[i] = 0;
}

static inline uint16_t type_of(const void *tensor)
{
        uint32_t number = (uint32_t)ifp_int_at(tensor, ifp_ggml_layout.type);

        return number < N_TYPES && types[number] ? (uint16_t)(types[number] - 1) : 0;
}

uint32_t ifp_ggml_type(const void *tensor)
{
        return type_of(tensor);
}

static inline bool is_asked(const void *tensor)
{
        uint32_t number = (uint32_t)ifp_int_at(tensor, ifp_ggml_layout.type);

        return number >= N_TYPES || types[number];
}

static inline uint8_t align_of(const void *tensor)
{
        uint64_t at = ifp_ggml_layout.data ? *ifp_words_at(tensor, ifp_ggml_layout.data) : 0;

        return at ? (uint8_t)(__builtin_ctzll(at | 64) + 1) : 0;
}

static inline bool is_same(const struct ifp_operand *a, const void *tensor)
{
        const uint64_t *ne, *nb;
        uint64_t differ;

        if (!tensor)
                return !a->nb[0]; /* one that is there has a stride */
        ne = ifp_words_at(tensor, ifp_ggml_layout.ne);
        nb = ifp_words_at(tensor, ifp_ggml_layout.nb);
        differ = (a->ne[0] ^ ne[0]) | (a->ne[1] ^ ne[1]) | (a->ne[2] ^ ne[2]) | (a->ne[3] ^ ne[3]) |
                 (a->nb[0] ^ nb[0]) | (a->nb[1] ^ nb[1]) | (a->nb[2] ^ nb[2]) | (a->nb[3] ^ nb[3]);

        return !differ && a->type == type_of(tensor) && a->align == align_of(tensor);
}

/* As ggml reads them. Three are all that formulas ask for, and the fourth is an offset with SET. */
static inline bool has_params(const struct ifp_shape *s, const void *tensor)
{
        uint32_t at = ifp_ggml_layout.params;

        return s->params[0] == ifp_int_at(tensor, at) &&
               s->params[1] == ifp_int_at(tensor, at + 4) &&
               s->params[2] == ifp_int_at(tensor, at + 8);
}

struct asked {
        const void *const *tensors;
        uint32_t n;
};

/* Asks the library for the types that were not seen yet. */
static uint64_t ask_types(void *arg)
{
        const struct asked *asked = arg;

        ifp_tls.busy++;
        ifp_tls.fast = NULL;
        for (uint32_t i = 0; i < asked->n; i++) {
                const void *tensor = asked->tensors[i];
                uint32_t number, type = 0;
                int64_t block;
                size_t bytes;

                if (!tensor || is_asked(tensor))
                        continue;
                number = (uint32_t)ifp_int_at(tensor, ifp_ggml_layout.type);
                block = ifp_ggml.blck_size((int)number);
                bytes = ifp_ggml.type_size((int)number);
                if (block > 0 && block <= UINT16_MAX && bytes && bytes <= UINT16_MAX)
                        type = ifp_type(ifp_ggml.type_name((int)number), (uint32_t)block,
                                        (uint32_t)bytes);
                types[number] = (uint16_t)(type + 1);
        }
        ifp_fast_again(&ifp_tls);
        ifp_tls.busy--;
        return 0;
}

/* By what is in them: in the table, or else put there. */
static uint32_t find(uint32_t op, uint32_t parts, const void *const *tensors, uint32_t n)
{
        struct asked asked = {tensors, n};
        struct ifp_shape shape;
        uint32_t i;

        shape.op = (uint16_t)op;
        shape.parts = (uint16_t)parts;
        shape.n_operands = (uint8_t)n;
        shape.formula = 0;
        shape.n_params = N_PARAMS;
        for (i = 0; i < N_PARAMS; i++)
                shape.params[i] = ifp_int_at(tensors[0], ifp_ggml_layout.params + 4 * i);
        for (i = 0; i < n && (!tensors[i] || is_asked(tensors[i])); i++)
                ;
        if (i < n)
                ifp_call_saved(ask_types, &asked);
        for (i = 0; i < n; i++) {
                struct ifp_operand *o = &shape.at[i];

                *o = (struct ifp_operand){0};
                if (!tensors[i])
                        continue;
                ifp_copy(o->ne, ifp_words_at(tensors[i], ifp_ggml_layout.ne), sizeof(o->ne));
                ifp_copy(o->nb, ifp_words_at(tensors[i], ifp_ggml_layout.nb), sizeof(o->nb));
                o->type = type_of(tensors[i]);
                o->align = align_of(tensors[i]);
        }
        return ifp_shape(&shape);
}

/* Of the first 32 bytes of its name; where that tells nothing, its first source does. */
static inline uint32_t name_sum(const void *tensor, const void *source)
{
        const uint64_t *w = ifp_words_at(tensor, ifp_ggml_layout.name);
        uint64_t h = (uintptr_t)source;

        if (!ifp_ggml_layout.name)
                return 0;
        h ^= w[0] ^ (w[1] << 17 | w[1] >> 47) ^ (w[2] << 31 | w[2] >> 33) ^
             (w[3] << 47 | w[3] >> 17);
        return (uint32_t)(h * 0x9fb21c651e98df25ull >> 32);
}

static inline uint64_t *slot_of(const struct ifp_tls *tls, const void *tensor)
{
        uint64_t at = (uintptr_t)tensor >> 4;

        return &tls->lane->nodes_seen[(at ^ at >> 12) % N_SEEN];
}

/* What was made of that tensor last, if its op, name, parameters and result are still the same;
 * NULL: it is another one. */
static inline const struct ifp_shape *remembered(const struct ifp_tls *tls, uint32_t op,
                                                 const void *tensor, union seen it, uint32_t name)
{
        const struct ifp_shape *s = &ifp_seg->shapes[it.node.shape];

        return IFP_LIKELY(it.node.shape && it.name == name && s->op == op &&
                          s->parts == tls->n_threads && has_params(s, tensor) &&
                          is_same(&s->at[0], tensor))
                       ? s
                       : NULL;
}

static struct ifp_ggml_node make(const struct ifp_tls *tls, uint32_t op, const void *const *tensors,
                                 uint32_t n, uint32_t name)
{
        union seen it;

        it.node.shape = (uint16_t)find(op, tls->n_threads, tensors, n);
        it.node.layer =
                (uint16_t)(ifp_ggml_layout.name ? ifp_ggml_layer(op, it.node.shape, tensors, n)
                                                : 0);
        it.name = name;
        *(volatile uint64_t *)slot_of(tls, tensors[0]) = it.word;
        return it.node;
}

struct ifp_ggml_node ifp_ggml_shape(const struct ifp_tls *tls, uint32_t op,
                                    const void *const *tensors, uint32_t n)
{
        uint32_t name = name_sum(tensors[0], tensors[1]), k = 1;
        const struct ifp_shape *s;
        union seen it;

        it.word = *(volatile uint64_t *)slot_of(tls, tensors[0]);
        s = remembered(tls, op, tensors[0], it, name);
        if (IFP_LIKELY(s && s->n_operands == n)) {
                while (k < n && is_same(&s->at[k], tensors[k]))
                        k++;
                if (IFP_LIKELY(k == n))
                        return it.node;
        }
        return make(tls, op, tensors, n, name);
}

/* Of a node whose sources are no longer those of its shape, or were never looked at. */
static struct ifp_ggml_node node_anew(const struct ifp_tls *tls, uint32_t op, const void *tensor,
                                      uint32_t name)
{
        const uint64_t *src = ifp_words_at(tensor, ifp_ggml_layout.src);
        const void *tensors[IFP_SHAPE_OPERANDS] = {tensor};
        uint32_t n = 1;

        for (uint32_t i = 1; i < IFP_SHAPE_OPERANDS; i++) {
                tensors[i] = (const void *)src[i - 1];
                if (tensors[i])
                        n = i + 1;
        }
        return make(tls, op, tensors, n, name);
}

struct ifp_ggml_node ifp_ggml_node_shape(const struct ifp_tls *tls, uint32_t op, const void *tensor)
{
        const uint64_t *src = ifp_words_at(tensor, ifp_ggml_layout.src);
        uint32_t name = name_sum(tensor, (const void *)src[0]), k = 1, n;
        uint64_t more = 0;
        const struct ifp_shape *s;
        union seen it;

        it.word = *(volatile uint64_t *)slot_of(tls, tensor);
        s = remembered(tls, op, tensor, it, name);
        if (IFP_UNLIKELY(!s))
                return node_anew(tls, op, tensor, name);
        for (n = s->n_operands; k < n && is_same(&s->at[k], (const void *)src[k - 1]); k++)
                ;
        for (uint32_t i = n; i < IFP_SHAPE_OPERANDS; i++)
                more |= src[i - 1];
        return IFP_LIKELY(k == n && !more) ? it.node : node_anew(tls, op, tensor, name);
}
