/* SPDX-License-Identifier: MIT */
/*
 * Which layer of a model a node belongs to, and which part of it, by names: `blk.7.ffn_up.weight`
 * of a weight, `Qcur-7` or `Kcur-7 (reshaped)` of a node, `cache_k_l7 (view)` of what is kept. A
 * node without a telling name is of the layer that its sources are of.
 */
#include "preload/engine-ggml.h"
#include "preload/layer.h"

#define NAME_BYTES 64u /* of a name, the NUL included */

/* A number that ends here or before a blank or a point, + 1; else 0. */
static uint32_t number_at(const char *s)
{
        uint32_t v = 0;
        const char *c = s;

        for (; *c >= '0' && *c <= '9' && v < 10000; c++)
                v = v * 10 + (uint32_t)(*c - '0');
        return c > s && v < 10000 && (!*c || *c == ' ' || *c == '.') ? v + 1 : 0;
}

static bool begins(const char *s, const char *with)
{
        while (*with && *s == *with) {
                s++;
                with++;
        }
        return !*with;
}

static bool contains(const char *s, const char *what)
{
        for (; *s; s++)
                if (begins(s, what))
                        return true;
        return false;
}

static uint32_t layer_in(const char *name)
{
        uint32_t found = 0;

        if (begins(name, "blk."))
                return number_at(name + 4);
        for (const char *c = name; *c; c++) {
                uint32_t n = 0;

                if (*c == '-')
                        n = number_at(c + 1);
                else if (begins(c, "_l") && begins(name, "cache"))
                        n = number_at(c + 2);
                if (n)
                        found = n;
        }
        return found;
}

static enum ifp_part part_in(const char *name)
{
        static const char *const attention[] = {"attn", "Qcur",    "Kcur",    "Vcur",
                                                "kq",   "cache_k", "cache_v", "kv_cmpr"};

        if (begins(name, "ffn_inp")) /* what attention gave, added to what it was given */
                return IFP_PART_REST;
        if (contains(name, "ffn"))
                return IFP_PART_MLP;
        for (unsigned i = 0; i < sizeof(attention) / sizeof(attention[0]); i++)
                if (contains(name, attention[i]))
                        return IFP_PART_ATTENTION;
        if (contains(name, "embd"))
                return IFP_PART_EMBEDDING;
        if (begins(name, "result") || begins(name, "output"))
                return IFP_PART_OUTPUT;
        return IFP_PART_REST;
}

/* A copy, for its end is not to be relied on. */
static void read_name(char *to, const void *tensor)
{
        ifp_copy(to, (const uint8_t *)tensor + ifp_ggml_layout.name, NAME_BYTES);
        to[NAME_BYTES - 1] = '\0';
}

static bool tells(const char *name)
{
        return layer_in(name) || part_in(name) != IFP_PART_REST;
}

uint32_t ifp_ggml_layer(uint32_t op, uint32_t shape, const void *const *tensors, uint32_t n)
{
        uint32_t layer = 0;
        enum ifp_part part = IFP_PART_REST;
        char name[NAME_BYTES];
        bool told = false;

        for (uint32_t i = 0; i < n && !(told && layer); i++) {
                if (!tensors[i])
                        continue;
                read_name(name, tensors[i]);
                if (!tells(name))
                        continue;
                if (!told)
                        part = part_in(name);
                if (!layer)
                        layer = layer_in(name);
                told = true;
                if (part == IFP_PART_EMBEDDING || part == IFP_PART_OUTPUT) {
                        layer = 0; /* its source may be of the last one */
                        break;
                }
        }
        return ifp_layer(op, layer, part, shape);
}

/* ggml_get_name answers where the name lies in a tensor. */
void ifp_ggml_find_name(const void *tensor)
{
        const char *name = ifp_ggml.get_name ? ifp_ggml.get_name(tensor) : NULL;
        uint64_t at = (uint64_t)(uintptr_t)name - (uint64_t)(uintptr_t)tensor;

        ifp_ggml_layout.name = name && at < 1024 && !(at & 7) ? (uint32_t)at : 0;
}
