/* SPDX-License-Identifier: MIT */
/* What the files on ggml know of each other. */
#pragma once

#include "preload/shim.h"

#pragma GCC visibility push(hidden)

struct ifp_ggml_init {
        size_t mem_size;
        void *mem_buffer;
        bool no_alloc;
};

/* The library's own functions; NULL: it has no such. */
struct ifp_ggml {
        uint64_t base; /* of the object they are in; 0: none */
        const char *(*op_desc)(const void *tensor);
        const char *(*op_name)(int op);
        bool (*is_empty)(const void *tensor);
        void *(*init)(struct ifp_ggml_init args);
        void (*free)(void *ctx);
        void *(*new_tensor_4d)(void *ctx, int type, int64_t, int64_t, int64_t, int64_t);
        void *(*sqr)(void *ctx, void *a);
        void *(*mul)(void *ctx, void *a, void *b);
        void *(*neg)(void *ctx, void *a);
        void *(*silu)(void *ctx, void *a);
        void *(*swiglu)(void *ctx, void *a);
        int (*get_unary_op)(const void *tensor);
        const char *(*type_name)(int type);
        int64_t (*blck_size)(int type);
        size_t (*type_size)(int type);
        const char *(*get_name)(const void *tensor);
        void *(*get_data)(const void *tensor);
};
extern struct ifp_ggml ifp_ggml;

/* Offsets in a tensor. */
struct ifp_ggml_layout {
        uint32_t state; /* 0 not tried, 1 known, 2 cannot be known */
        uint32_t op, params, ne;
        int unary, glu;         /* op numbers whose name lies in params; -1: none */
        bool shapes;            /* these are known, too: */
        uint32_t type, nb, src; /* src: of the first of several */
        uint32_t name, data;    /* 0: not known */
};
extern struct ifp_ggml_layout ifp_ggml_layout;

static inline int ifp_int_at(const void *tensor, uint32_t offset)
{
        return *(const int *)(const void *)((const uint8_t *)tensor + offset);
}

static inline const uint64_t *ifp_words_at(const void *tensor, uint32_t offset)
{
        return (const void *)((const uint8_t *)tensor + offset);
}

/* Finds the layout, if that was not tried yet. */
void ifp_ggml_discover(void);
/* Another library: its tensors may be others. */
void ifp_ggml_anew(void);

/* Numbers in the segment's tables; 0: no room, or not known. */
struct ifp_ggml_node {
        uint16_t shape, layer;
};

/*
 * The shape and the layer of an op on these tensors, the result first, NULL for a source that is
 * not there, which the threads of the graph do together.
 */
struct ifp_ggml_node ifp_ggml_shape(const struct ifp_tls *tls, uint32_t op,
                                    const void *const *tensors, uint32_t n);
/* The same of a node with its own sources. */
struct ifp_ggml_node ifp_ggml_node_shape(const struct ifp_tls *tls, uint32_t op,
                                         const void *tensor);

/* Finds where a tensor keeps its name. Without it layers are not known. */
void ifp_ggml_find_name(const void *tensor);
/* By the names of an op's tensors; 0: no room. */
uint32_t ifp_ggml_layer(uint32_t op, uint32_t shape, const void *const *tensors, uint32_t n);

/* The number of a tensor's type in the segment; 0: not known. */
uint32_t ifp_ggml_type(const void *tensor);

/* MUL_MAT_ID begins in that layer (index in layers; 0: none): which experts it is done with. On one
 * thread of those that do it. */
void ifp_ggml_experts(const void *tensor, uint32_t layer, uint32_t phase);

#pragma GCC visibility pop
