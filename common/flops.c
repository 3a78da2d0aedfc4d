/* SPDX-License-Identifier: MIT */
/*
 * The table of all ops whose work is known. The rules it names are in flops-rules.c,
 * flops-products.c and flops-blas.c. An op that is not here is unknown, never zero.
 *
 * FLOPs: a multiply-add is two. What makes a number from numbers is one: + - * /, a square root or
 * its reciprocal, exp, log, tanh, erf, sin, cos, min, max, comparing, abs, negating, rounding, and
 * turning one plain type into another. It is the arithmetic of the definition, whatever tables or
 * approximations an implementation has. Left out is what there is one of a row (a mean's division,
 * an epsilon, a reciprocal), and unpacking quantised operands inside of a product: the product is
 * what they are for. Masked and padded places count like all others. Integers that only say where
 * something is are no arithmetic.
 *
 * Bytes: the least traffic there can be. Each operand once, by its storage type, whether it is
 * repeated to another's extents or not; the result once, and once more as a source where the op
 * changes it in place. What an op does not touch is not counted: rows that are not looked up,
 * experts that are not used, a mask's rows beyond the scores'. Where two look-ups may meet at the
 * same row, each has its own, as long as there are so many; where an op may work in place and does
 * not tell, it copies: both are at most.
 *
 * Sources:
 *   ggml       ggml.c (operands) and ggml-cpu/ops.cpp, vec.h, unary-ops.cpp (arithmetic)
 *   roofline   Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009: operational intensity
 *              by the traffic between caches and memory, each operand once
 *   LAWN 41    Blackford, Dongarra, "Installation Guide for LAPACK", LAPACK Working Note 41,
 *              appendix C: products and sums of each routine; a complex product is 6, a sum 2
 */
#include "common/flops.h"

#include <string.h>

#include "common/amount.h"
#include "common/flops-private.h"

#define MAP(name, each, why)                                                                       \
        {                                                                                          \
                name, each, fits_map, flops_each, bytes_copy, NULL, why                            \
        }
#define UNARY(name, each, what) MAP(name, each, "ggml: vec.h, unary-ops.cpp, an element: " what)
#define GLU(name, each, what)                                                                      \
        {                                                                                          \
                name, each, fits_gated, flops_each, bytes_all, NULL,                               \
                        "ggml: ops.cpp, ggml_compute_forward_glu, a result: " what                 \
                        "; Shazeer 2020, "                                                         \
                        "arXiv:2002.05202"                                                         \
        }
#define BINARY(name, what)                                                                         \
        {                                                                                          \
                name, 1, fits_broadcast, flops_each, bytes_all, NULL,                              \
                        "ggml: binary-ops.cpp, one " what " a result"                              \
        }
#define COPY(name)                                                                                 \
        {                                                                                          \
                name, 0, fits_map, flops_convert, bytes_copy, NULL,                                \
                        "ggml: ops.cpp, ggml_compute_forward_dup; between types ggml-quants.c, "   \
                        "quantize_row_*_ref and dequantize_row_*"                                  \
        }
#define VIEW(name)                                                                                 \
        {                                                                                          \
                name, 0, fits_always, flops_none, bytes_none, NULL,                                \
                        "ggml: ggml-cpu.c, ggml_compute_forward does nothing for it"               \
        }
#define BLAS(name, what, why)                                                                      \
        {                                                                                          \
                name, what, fits_blas_sided, flops_blas, bytes_blas, NULL, why                     \
        }

static const struct flops_row table[] = {
        /* Products. */
        {"MUL_MAT", 0, fits_mul_mat, flops_mul_mat, bytes_all, NULL,
         "2mnp: LAWN 41 (gemm); kipply, Transformer Inference Arithmetic, 2022; bytes: roofline; "
         "ggml: ggml.c, ggml_mul_mat"},
        {"MUL_MAT_ID", 0, fits_mul_mat_id, flops_mul_mat, bytes_mul_mat_id, at_most_mul_mat_id,
         "2mnp for each expert of each token, reading the experts used: Fedus et al., Switch "
         "Transformers, arXiv:2101.03961; ggml: ggml.c, ggml_mul_mat_id"},
        {"OUT_PROD", 0, fits_out_prod, flops_out_prod, bytes_all, NULL,
         "2mnp: LAWN 41 (gemm); ggml: ggml.c, ggml_out_prod"},
        {"FLASH_ATTN_EXT", 5, fits_flash_attn, flops_flash_attn, bytes_flash_attn, NULL,
         "4 n kv d a head: Dao, FlashAttention-2, arXiv:2307.08691, 4.1; and a score's scale, max, "
         "subtraction, exp, sum; ggml: ops.cpp, ggml_compute_forward_flash_attn_ext_f16"},
        {"CONV_2D", 0, fits_conv_2d, flops_conv_2d, bytes_all, NULL,
         "2 KW KH C a result: Sze et al., Efficient Processing of Deep Neural Networks, Proc. IEEE "
         "105(12), 2017; ggml: ggml.c, ggml_conv_2d_direct"},
        {"CONV_2D_DW", 0, fits_conv_2d_dw, flops_conv_2d, bytes_all, NULL,
         "2 KW KH a result: Howard et al., MobileNets, arXiv:1704.04861; ggml: ggml.c, "
         "ggml_conv_2d_dw_direct"},
        {"CONV_TRANSPOSE_1D", 0, fits_conv_transpose_1d, flops_conv_transpose_1d, bytes_all, NULL,
         "2 K O an element of the data: Dumoulin, Visin, arXiv:1603.07285, 4; ggml: ggml.c, "
         "ggml_conv_transpose_1d"},
        {"CONV_TRANSPOSE_2D", 0, fits_conv_transpose_2d, flops_conv_transpose_2d, bytes_all, NULL,
         "2 KW KH O an element of the data: Dumoulin, Visin, arXiv:1603.07285, 4; ggml: ggml.c, "
         "ggml_conv_transpose_2d_p0"},
        {"SSM_CONV", 0, fits_ssm_conv, flops_ssm_conv, bytes_all, NULL,
         "2 width a result: ggml: ops.cpp, ggml_compute_forward_ssm_conv_f32; Gu, Dao, Mamba, "
         "arXiv:2312.00752"},
        {"SSM_SCAN", 5, fits_ssm_scan, flops_ssm_scan, bytes_ssm_scan, NULL,
         "an element of the state and token: s = s dA + B x, y += C s; with a decay of its own, "
         "also exp(dt A): Gu, Dao, Mamba, arXiv:2312.00752; ggml: ops.cpp, "
         "ggml_compute_forward_ssm_scan_f32"},
        {"RWKV_WKV6", 7, fits_linear_attn, flops_linear_attn, bytes_rwkv, NULL,
         "an element of the state and token: kv = k v, y += (kv u + s) r, s = s w + kv: Peng et "
         "al., Eagle and Finch, arXiv:2404.05892; ggml: ops.cpp, "
         "ggml_compute_forward_rwkv_wkv6_f32"},
        {"RWKV_WKV7", 9, fits_linear_attn, flops_linear_attn, bytes_rwkv, NULL,
         "an element of the state and token: sa += a s, s = s w + k v + sa b, y += s r: Peng et "
         "al., RWKV-7 Goose, arXiv:2503.14456; ggml: ops.cpp, ggml_compute_forward_rwkv_wkv7_f32"},
        {"GATED_LINEAR_ATTN", 5, fits_linear_attn, flops_linear_attn, bytes_all, NULL,
         "an element of the state and token: s = s g + k v, y += s q: Yang et al., Gated Linear "
         "Attention, arXiv:2312.06635; ggml: ops.cpp, ggml_compute_forward_gla_f32"},

        /* By rows. */
        {"SOFT_MAX", 6, fits_map, flops_soft_max, bytes_soft_max, NULL,
         "an element: scale, max, subtraction, exp, sum, division; a mask's addition: Milakov, "
         "Gimelshein, arXiv:1805.02867; ggml: ops.cpp, ggml_compute_forward_soft_max_f32"},
        MAP("RMS_NORM", 3,
            "an element: square and sum, scale: Zhang, Sennrich, arXiv:1910.07467; ggml: ops.cpp, "
            "ggml_compute_forward_rms_norm_f32"),
        {"RMS_NORM+MUL", 4, fits_norm_mul, flops_each, bytes_norm_mul, NULL,
         "RMS_NORM, and one product an element; between them nothing goes through memory; ggml: "
         "ops.cpp, ggml_compute_forward_rms_norm_mul_fused"},
        MAP("NORM", 5,
            "an element: sum, less the mean, square and sum, scale: Ba et al., arXiv:1607.06450; "
            "ggml: ops.cpp, ggml_compute_forward_norm_f32"),
        MAP("GROUP_NORM", 5,
            "as NORM, by groups of channels: Wu, He, arXiv:1803.08494; ggml: ops.cpp, "
            "ggml_compute_forward_group_norm_f32"),
        MAP("L2_NORM", 3,
            "an element: square and sum, scale; ggml: ops.cpp, ggml_compute_forward_l2_norm_f32"),
        {"ROPE", 3, fits_map, flops_rope, bytes_all, NULL,
         "an element that is turned: two products, one sum, by angles that all heads share: Su et "
         "al., RoFormer, arXiv:2104.09864, (34); ggml: ops.cpp, ggml_compute_forward_rope"},
        {"SUM", 1, fits_reduce_all, flops_each_source, bytes_copy, NULL,
         "ggml: ops.cpp, ggml_compute_forward_sum, one sum an element"},
        {"SUM_ROWS", 1, fits_reduce, flops_each_source, bytes_copy, NULL,
         "ggml: ops.cpp, ggml_compute_forward_sum_rows, one sum an element"},
        {"MEAN", 1, fits_reduce, flops_each_source, bytes_copy, NULL,
         "ggml: ops.cpp, ggml_compute_forward_mean, one sum an element"},
        {"ARGMAX", 1, fits_reduce, flops_each_source, bytes_copy, NULL,
         "ggml: ops.cpp, ggml_compute_forward_argmax, one comparison an element"},
        MAP("CUMSUM", 1, "ggml: ops.cpp, ggml_compute_forward_cumsum, one sum an element"),
        {"ARGSORT", 0, fits_sort, flops_unknown, bytes_copy, NULL,
         "comparisons depend on the data, so they are not known; ggml: ops.cpp, "
         "ggml_compute_forward_argsort"},
        {"TOP_K", 0, fits_sort, flops_unknown, bytes_copy, NULL,
         "comparisons depend on the data, so they are not known; ggml: ops.cpp, "
         "ggml_compute_forward_top_k"},
        {"GET_ROWS", 0, fits_get_rows, flops_get_rows, bytes_get_rows, at_most_get_rows,
         "the rows that are looked up, into the result's type; ggml: ops.cpp, "
         "ggml_compute_forward_get_rows, ggml-quants.c, dequantize_row_*"},
        {"SET_ROWS", 0, fits_set_rows, flops_convert, bytes_set_rows, NULL,
         "the rows that are put, from the source's type; ggml: ops.cpp, "
         "ggml_compute_forward_set_rows, ggml-quants.c, quantize_row_*_ref"},
        {"POOL_1D", 1, fits_pool, flops_pool, bytes_copy, NULL,
         "one sum or max for each place of the window; ggml: ops.cpp, "
         "ggml_compute_forward_pool_1d"},
        {"POOL_2D", 2, fits_pool, flops_pool, bytes_copy, NULL,
         "one sum or max for each place of the window; ggml: ops.cpp, "
         "ggml_compute_forward_pool_2d"},

        /* Element by element. */
        BINARY("ADD", "sum"),
        BINARY("SUB", "difference"),
        BINARY("MUL", "product"),
        BINARY("DIV", "quotient"),
        BINARY("ADD1", "sum"),
        {"ADD_ID", 1, fits_add_id, flops_each, bytes_add_id, at_most_add_id,
         "one sum a result, reading the rows that are looked up; ggml: ops.cpp, "
         "ggml_compute_forward_add_id"},
        {"ACC", 1, fits_set, flops_each_added, bytes_all, at_most_always,
         "one sum an element that is added; ggml: ops.cpp, ggml_compute_forward_acc"},
        MAP("SCALE", 1, "ggml: ops.cpp, ggml_compute_forward_scale, one product an element"),
        MAP("CLAMP", 2, "ggml: ops.cpp, ggml_compute_forward_clamp, a min and a max an element"),
        UNARY("SQR", 1, "x x"),
        UNARY("SQRT", 1, "sqrt(x)"),
        UNARY("LOG", 1, "log(x)"),
        UNARY("SIN", 1, "sin(x)"),
        UNARY("COS", 1, "cos(x)"),
        UNARY("ABS", 1, "|x|"),
        UNARY("SGN", 1, "a comparison"),
        UNARY("NEG", 1, "-x"),
        UNARY("STEP", 1, "a comparison"),
        UNARY("TANH", 1, "tanh(x)"),
        UNARY("ELU", 2, "x > 0 ? x : expm1(x)"),
        UNARY("RELU", 1, "max(x, 0)"),
        UNARY("LEAKY_RELU", 4, "max(x, 0) + a min(x, 0)"),
        UNARY("SIGMOID", 4, "1 / (1 + exp(-x))"),
        UNARY("GELU", 9, "x/2 (1 + tanh(c x (1 + a x x))): Hendrycks, Gimpel, arXiv:1606.08415"),
        UNARY("GELU_QUICK", 5, "x (1 / (1 + exp(-1.702 x))): Hendrycks, Gimpel, arXiv:1606.08415"),
        UNARY("GELU_ERF", 5, "x/2 (1 + erf(c x)): Hendrycks, Gimpel, arXiv:1606.08415"),
        UNARY("SILU", 4, "x / (1 + exp(-x))"),
        UNARY("HARDSWISH", 5, "x min(1, max(0, (x + 3) / 6))"),
        UNARY("HARDSIGMOID", 4, "min(1, max(0, (x + 3) / 6))"),
        UNARY("EXP", 1, "exp(x)"),
        UNARY("EXPM1", 1, "expm1(x)"),
        UNARY("SOFTPLUS", 4, "x > 20 ? x : log(1 + exp(x))"),
        UNARY("FLOOR", 1, "rounding"),
        UNARY("CEIL", 1, "rounding"),
        UNARY("ROUND", 1, "rounding"),
        UNARY("TRUNC", 1, "rounding"),
        GLU("REGLU", 2, "RELU(x) g"),
        GLU("GEGLU", 10, "GELU(x) g"),
        GLU("SWIGLU", 5, "SILU(x) g"),
        GLU("SWIGLU_OAI", 10, "x = min(x, l), g = min(max(g, -l), l), x / (1 + exp(a -x)) (g + 1)"),
        GLU("GEGLU_ERF", 6, "GELU_ERF(x) g"),
        GLU("GEGLU_QUICK", 6, "GELU_QUICK(x) g"),
        {"TIMESTEP_EMBEDDING", 3, fits_timestep, flops_each, bytes_copy, NULL,
         "a pair: exp(c j / h), times the step, its cos and its sin: Ho et al., arXiv:2006.11239; "
         "ggml: ops.cpp, ggml_compute_forward_timestep_embedding_f32"},
        {"UPSCALE", 0, fits_scaled, flops_upscale, bytes_copy, NULL,
         "the nearest is copied, what other ways interpolate is not known; ggml: ops.cpp, "
         "ggml_compute_forward_upscale_f32"},

        /* What is only moved. */
        COPY("CPY"),
        COPY("CONT"),
        COPY("DUP"),
        {"SET", 0, fits_set, flops_none, bytes_all, at_most_always,
         "a copy with a part replaced; ggml: ops.cpp, ggml_compute_forward_set"},
        {"CONCAT", 0, fits_concat, flops_none, bytes_all, NULL,
         "both are copied; ggml: ops.cpp, ggml_compute_forward_concat"},
        {"REPEAT", 0, fits_repeat, flops_none, bytes_copy, NULL,
         "read once, written as often as it is repeated; ggml: ops.cpp, "
         "ggml_compute_forward_repeat"},
        {"PAD", 0, fits_larger, flops_none, bytes_copy, NULL,
         "a copy with room around; ggml: ops.cpp, ggml_compute_forward_pad"},
        {"PAD_REFLECT_1D", 0, fits_larger, flops_none, bytes_copy, NULL,
         "a copy with more at both ends; ggml: ops.cpp, ggml_compute_forward_pad_reflect_1d"},
        {"ROLL", 0, fits_map, flops_none, bytes_copy, NULL,
         "a copy; ggml: ops.cpp, ggml_compute_forward_roll"},
        {"IM2COL", 0, fits_im2col, flops_im2col, bytes_im2col, NULL,
         "the data is copied into the result's type, the kernel's extents say where; ggml: "
         "ops.cpp, ggml_compute_forward_im2col"},
        {"DIAG_MASK_INF", 0, fits_map, flops_none, bytes_copy, at_most_always,
         "a copy with a part replaced; ggml: ops.cpp, ggml_compute_forward_diag_mask_f32"},
        {"DIAG_MASK_ZERO", 0, fits_map, flops_none, bytes_copy, at_most_always,
         "a copy with a part replaced; ggml: ops.cpp, ggml_compute_forward_diag_mask_f32"},
        {"FILL", 0, fits_result, flops_none, bytes_result, NULL,
         "written only; ggml: ops.cpp, ggml_compute_forward_fill"},
        {"ARANGE", 2, fits_result, flops_each, bytes_result, NULL,
         "start + step i; ggml: ops.cpp, ggml_compute_forward_arange_f32"},
        VIEW("NONE"),
        VIEW("RESHAPE"),
        VIEW("VIEW"),
        VIEW("PERMUTE"),
        VIEW("TRANSPOSE"),

        /* BLAS. */
        BLAS("gemm", BLAS_GEMM, "LAWN 41: mnk products and sums"),
        BLAS("symm", BLAS_SYMM, "LAWN 41: m m n products and sums; from the right m n n"),
        BLAS("syrk", BLAS_SYRK, "LAWN 41: k n (n + 1) / 2 products and sums"),
        BLAS("syr2k", BLAS_SYR2K, "LAWN 41: k n n products, k n n + n sums"),
        BLAS("trmm", BLAS_TRMM, "LAWN 41: n m (m + 1) / 2 products, n m (m - 1) / 2 sums"),
        BLAS("trsm", BLAS_TRMM, "LAWN 41: n m (m + 1) / 2 products, n m (m - 1) / 2 sums"),
        BLAS("gemv", BLAS_GEMV,
             "LAWN 41: m n products and sums; what alpha and beta cost is left "
             "out"),
        BLAS("ger", BLAS_GER, "LAWN 41: m n products and sums; what alpha costs is left out"),
        BLAS("symv", BLAS_SYMV,
             "LAWN 41: n n products and sums; what alpha and beta cost is left "
             "out"),
        BLAS("trmv", BLAS_TRMV, "LAWN 41: n (n + 1) / 2 products, n (n - 1) / 2 sums"),
        BLAS("trsv", BLAS_TRMV, "LAWN 41: n (n + 1) / 2 products, n (n - 1) / 2 sums"),
        BLAS("axpy", BLAS_AXPY,
             "Lawson et al., BLAS, TOMS 5(3), 1979: n products and sums; bytes: "
             "McCalpin, STREAM, 1995"),
        BLAS("dot", BLAS_DOT, "Lawson et al., BLAS, TOMS 5(3), 1979: n products and sums"),
        BLAS("scal", BLAS_SCAL,
             "Lawson et al., BLAS, TOMS 5(3), 1979: n products; bytes: "
             "McCalpin, STREAM, 1995"),
        BLAS("copy", BLAS_COPY,
             "Lawson et al., BLAS, TOMS 5(3), 1979; bytes: McCalpin, STREAM, "
             "1995"),
        BLAS("zero", BLAS_ZERO,
             "Dongarra et al., BLAS 3, TOMS 16(1), 1990: where alpha and beta are 0 the result is "
             "set to 0"),
        BLAS("gemmt", BLAS_GEMMT, "as LAWN 41 of syrk: k n (n + 1) / 2 products and sums"),
        {"gbmv", BLAS_GBMV, fits_blas, flops_blas, bytes_blas, NULL,
         "LAWN 41: a product and a sum an element of the band; what alpha and beta cost is left "
         "out"},
        BLAS("sbmv", BLAS_SBMV,
             "LAWN 41: a product and a sum an element of the band, half of which is stored; what "
             "alpha and beta cost is left out"),
        BLAS("tbmv", BLAS_TBMV, "LAWN 41: a product an element of the band, and n sums less"),
        BLAS("tbsv", BLAS_TBMV, "LAWN 41: a product an element of the band, and n sums less"),
        BLAS("syr", BLAS_SYR,
             "LAWN 41: n (n + 1) / 2 products and sums; what alpha costs is left out"),
        BLAS("syr2", BLAS_SYR2,
             "LAWN 41: n (n + 1) products and sums; what alpha costs is left out"),
        BLAS("axpby", BLAS_AXPBY, "as axpy: 2 n products, n sums"),
        BLAS("swap", BLAS_SWAP, "Lawson et al., BLAS, TOMS 5(3), 1979: moves only"),
        BLAS("rot", BLAS_ROT,
             "Lawson et al., BLAS, TOMS 5(3), 1979: 4 n products, 2 n sums, by real numbers"),
        BLAS("rscal", BLAS_REAL_SCAL,
             "Lawson et al., BLAS, TOMS 5(3), 1979, csscal and zdscal: 2 n products of reals"),
        BLAS("iamax", BLAS_SUM,
             "Lawson et al., BLAS, TOMS 5(3), 1979: n abs (of complex ones 2 n, and n sums) and "
             "comparisons"),
        BLAS("nrm2", BLAS_SUM,
             "Lawson et al., BLAS, TOMS 5(3), 1979: n squares and sums, without "
             "scaling"),
        BLAS("asum", BLAS_SUM, "Lawson et al., BLAS, TOMS 5(3), 1979: n abs and sums"),
};

#define N_ROWS (sizeof(table) / sizeof(table[0]))

static const struct flops_row *find(const char *op, size_t length)
{
        for (size_t i = 0; i < N_ROWS; i++)
                if (strlen(table[i].op) == length && !memcmp(table[i].op, op, length))
                        return &table[i];
        return NULL;
}

static bool tell(uint64_t amount, uint64_t *ret, bool *ret_saturated)
{
        if (amount == AMOUNT_UNKNOWN)
                return false;
        *ret_saturated |= amount == AMOUNT_MANY;
        *ret = amount == AMOUNT_MANY ? INT64_MAX : amount;
        return true;
}

struct work_amount flops_of(const struct shape *s)
{
        const struct flops_row *row = find(s->op, strnlen(s->op, sizeof(s->op)));
        struct work_amount w = {0};

        if (!row || s->n > SHAPE_MAX || s->n_params > SHAPE_PARAMS || !row->fits(s))
                return w;
        w.flops_known = tell(row->flops(row, s), &w.flops, &w.saturated);
        w.bytes_known = tell(row->bytes(row, s), &w.bytes, &w.saturated);
        w.bytes_at_most = w.bytes_known && row->at_most && row->at_most(s);
        return w;
}

const char *flops_source(const char *op)
{
        const struct flops_row *row = find(op, strlen(op));

        return row ? row->source : NULL;
}

const char *flops_op(size_t i)
{
        return i < N_ROWS ? table[i].op : NULL;
}
