/* SPDX-License-Identifier: MIT */
/*
 * Every row of the table has its golden cases here, worked out by hand beside them. A shape is
 * written as the result, "<", and its sources with "x" between; "-" is a source that is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/flops.h"

#define UNKNOWN UINT64_MAX

static void operand(struct shape_operand *o, const char *text)
{
        static const struct {
                const char *type;
                uint32_t block, block_bytes;
        } types[] = {
                {"f32", 1, 4},      {"f16", 1, 2},      {"bf16", 1, 2},     {"i32", 1, 4},
                {"i64", 1, 8},      {"f64", 1, 8},      {"cf32", 1, 8},     {"cf64", 1, 16},
                {"q4_0", 32, 18},   {"q4_1", 32, 20},   {"q5_0", 32, 22},   {"q5_1", 32, 24},
                {"q8_0", 32, 34},   {"q2_K", 256, 84},  {"q3_K", 256, 110}, {"q4_K", 256, 144},
                {"q5_K", 256, 176}, {"q6_K", 256, 210}, {"iq4_nl", 32, 18},
        };
        size_t name = strcspn(text, "[");

        memset(o, 0, sizeof(*o));
        if (!strcmp(text, "-"))
                return;
        memcpy(o->type, text, name);
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                if (!strcmp(o->type, types[i].type)) {
                        o->block = types[i].block;
                        o->block_bytes = types[i].block_bytes;
                }
        if (!strcmp(o->type, "?"))
                o->type[0] = '\0';
        else
                assert_true(o->block > 0);
        for (int i = 0; i < 4; i++)
                o->ne[i] = 1;
        text += name;
        for (int i = 0; i < 4 && (*text == '[' || *text == ','); i++)
                o->ne[i] = strtoull(text + 1, (char **)&text, 10);
        assert_string_equal(text, "]");
}

static struct shape shape(const char *op, const char *text)
{
        struct shape s = {.n = 0};
        char copy[512], *rest = copy, *word;

        assert_true(strlen(op) < sizeof(s.op) && strlen(text) < sizeof(copy));
        strcpy(s.op, op);
        strcpy(copy, text);
        while ((word = strsep(&rest, " ")))
                if (*word && strcmp(word, "<") && strcmp(word, "x")) {
                        assert_true(s.n < SHAPE_MAX);
                        operand(&s.at[s.n++], word);
                }
        return s;
}

struct golden {
        const char *op, *shape;
        uint64_t flops, bytes;
        bool at_most;
        uint32_t n_params;
        int64_t params[SHAPE_PARAMS];
};

static const struct golden golden[] = {
        /* 2*4*3*2 = 48; 4*(12+8+6) = 104 */
        {"MUL_MAT", "f32[3,2] < f32[4,3] x f32[4,2]", 48, 104},
        /* 2*288*768 = 442368; 768*(288/32)*18 = 124416, 288*4 = 1152, 768*4 = 3072 */
        {"MUL_MAT", "f32[768,1] < q4_0[288,768] x f32[288,1]", 442368, 128640},
        /* 2*64*2*3 = 768; 2*2*34 = 136, 64*3*4 = 768, 2*3*4 = 24 */
        {"MUL_MAT", "f32[2,3] < q8_0[64,2] x f32[64,3]", 768, 928},
        /* 2*512*2 = 2048; 2*2*144 = 576, 512*4 = 2048, 8 */
        {"MUL_MAT", "f32[2,1] < q4_K[512,2] x f32[512,1]", 2048, 2632},
        /* 2*256*3 = 1536; 3*210 = 630, 1024, 12 */
        {"MUL_MAT", "f32[3,1] < q6_K[256,3] x f32[256,1]", 1536, 1666},
        /* GQA: K of 2 heads for 8. 2*4*5*3*8 = 960; 4*5*2*2 = 80, 4*3*8*4 = 384, 5*3*8*4 = 480 */
        {"MUL_MAT", "f32[5,3,8] < f16[4,5,2] x f32[4,3,8]", 960, 944},
        /* Batches: 2*2*2*2*4*6 = 384; 4*2*2*4 = 64, 4*4*6*4 = 384, 384 */
        {"MUL_MAT", "f32[2,2,4,6] < f32[2,2,2,2] x f32[2,2,4,6]", 384, 832},
        /* The type is not known, the product is. */
        {"MUL_MAT", "f32[3,2] < ?[4,3] x f32[4,2]", 48, UNKNOWN},
        /* 33 is no whole number of blocks. */
        {"MUL_MAT", "f32[3,2] < q4_0[33,3] x f32[33,2]", 396, UNKNOWN},

        /* One token, 2 of 8 experts: 2*4*3*2 = 48; 2*4*3*4 = 96, 16, 8, 3*2*4 = 24 */
        {"MUL_MAT_ID", "f32[3,2,1] < f32[4,3,8] x f32[4,1,1] x i32[2,1]", 48, 144},
        /* 3 tokens: 2*4*3*2*3 = 144; 6*48 = 288, 4*2*3*4 = 96, 24, 3*2*3*4 = 72 */
        {"MUL_MAT_ID", "f32[3,2,3] < f32[4,3,8] x f32[4,2,3] x i32[2,3]", 144, 480, true},
        /* 5 tokens use 10 of 4 experts, so all: 2*32*3*2*5 = 1920; 4*3*18 = 216, 32*5*4 = 640,
           40, 3*2*5*4 = 120 */
        {"MUL_MAT_ID", "f32[3,2,5] < q4_0[32,3,4] x f32[32,1,5] x i32[2,5]", 1920, 1016, true},

        /* 2*3*5*4 = 120; 4*(12+20+15) = 188 */
        {"OUT_PROD", "f32[3,5] < f32[3,4] x f32[5,4]", 120, 188},
        /* a of one head for two: 2*3*5*4*2 = 240; 4*(12+40+30) = 328 */
        {"OUT_PROD", "f32[3,5,2] < f32[3,4,1] x f32[5,4,2]", 240, 328},

        /* 3 queries, 5 keys, 4 heads: 60 scores; 4*8*60 = 1920 and 5*60 = 300;
           8*3*4*4 = 384, twice 8*5*2*2 = 160, 384 */
        {"FLASH_ATTN_EXT", "f32[8,4,3] < f32[8,3,4] x f16[8,5,2] x f16[8,5,2]", 2220, 1088},
        /* With a mask of 32 rows, 3 of them used: 60 more; 5*3*2 = 30 */
        {"FLASH_ATTN_EXT", "f32[8,4,3] < f32[8,3,4] x f16[8,5,2] x f16[8,5,2] x f16[5,32]", 2280,
         1118},
        /* No mask but sinks: 4 for each of 3*4 rows; 4*4 = 16 */
        {"FLASH_ATTN_EXT", "f32[8,4,3] < f32[8,3,4] x f16[8,5,2] x f16[8,5,2] x - x f32[4]", 2268,
         1104},
        /* V of another size: 2*(8+6)*60 = 1680, 300; 384, 160, 6*5*2*2 = 120, 6*4*3*4 = 288 */
        {"FLASH_ATTN_EXT", "f32[6,4,3] < f32[8,3,4] x f16[8,5,2] x f16[6,5,2]", 1980, 952},

        /* 2*3*3*2 = 36 for 4*4*5*2 = 160 results; 4*(90+ 6*6*2*2=144 +160) = 1576 */
        {"CONV_2D", "f32[4,4,5,2] < f32[3,3,2,5] x f32[6,6,2,2]", 5760, 1576},
        /* 2*3*3 = 18 for 4*4*5 = 80; 4*(45+180+80) = 1220 */
        {"CONV_2D_DW", "f32[4,4,5] < f32[3,3,1,5] x f32[6,6,5]", 1440, 1220},
        /* 2*3*2 = 12 for 5*4 = 20 data; stride 2: 4*2+3 = 11; 4*(24+20+22) = 264 */
        {"CONV_TRANSPOSE_1D", "f32[11,2] < f32[3,2,4] x f32[5,4]", 240, 264},
        /* 2*2*2*3 = 24 for 2*2*5 = 20 data; 4*(60+20+48) = 512 */
        {"CONV_TRANSPOSE_2D", "f32[4,4,3] < f32[2,2,3,5] x f32[2,2,5]", 480, 512},
        /* 2*4 for 3*2*2 = 12; 4*(5*3*2=30 + 12 + 12) = 216 */
        {"SSM_CONV", "f32[3,2,2] < f32[5,3,2] x f32[4,3]", 96, 216},
        /* state 4, dim 2, heads 3, tokens 5, 2 sequences of 7 kept: x has 60;
           5*4*60 = 1200; states 4*2*3*2 = 48, x 60, dt 30, A 3, B and C 4*5*2 = 40 each,
           ids 2, the result 60+48 = 108: 331*4 */
        {"SSM_SCAN",
         "f32[108] < f32[4,2,3,7] x f32[2,3,5,2] x f32[3,5,2] x f32[1,3] x f32[4,1,5,2]", 1200,
         1324},
        /* A decay for each: 7*4*60 = 1680; A has 12: 340*4 */
        {"SSM_SCAN",
         "f32[108] < f32[4,2,3,7] x f32[2,3,5,2] x f32[3,5,2] x f32[4,3] x f32[4,1,5,2]", 1680,
         1360},
        /* size 4, 2 heads, 3 tokens, 1 sequence: 7*4*(4*2*3) = 672; k v r td 24 each, tf 8, the
           result 8*(3+4) = 56, the state 8*4 = 32: 192*4 */
        {"RWKV_WKV6", "f32[8,7] < f32[4,2,3] x f32[4,2,3] x f32[4,2,3] x f32[4,2] x f32[4,2,3]",
         672, 768},
        /* 9*4*24 = 864; r w k v a b 24 each, 56, 32: 232*4 */
        {"RWKV_WKV7", "f32[8,7] < f32[4,2,3] x f32[4,2,3] x f32[4,2,3] x f32[4,2,3] x f32[4,2,3]",
         864, 928},
        /* 5*4*24 = 480; k v q g 24 each, the state 32, 56: 184*4 */
        {"GATED_LINEAR_ATTN",
         "f32[8,7] < f32[4,2,3] x f32[4,2,3] x f32[4,2,3] x f32[4,2,3] x f32[32]", 480, 736},

        /* 6*20; 4*40 */
        {"SOFT_MAX", "f32[5,4] < f32[5,4]", 120, 160},
        /* A mask of 6 rows, 4 of them used: 7*40 = 280; 320 + 5*4*2 = 40 */
        {"SOFT_MAX", "f32[5,4,2] < f32[5,4,2] x f16[5,6]", 280, 360},
        /* Sinks: 6*40 + 4*8 = 272; 320 + 8 */
        {"SOFT_MAX", "f32[5,4,2] < f32[5,4,2] x - x f32[2]", 272, 328},
        {"RMS_NORM", "f32[5,4] < f32[5,4]", 60, 160},              /* 3*20; 4*40 */
        {"RMS_NORM+MUL", "f32[5,4] < f32[5,4] x f32[5]", 80, 180}, /* 4*20; 160 + 20 */
        {"RMS_NORM+MUL", "f32[5,4] < f32[5,4]", 80, UNKNOWN},      /* by what? */
        {"NORM", "f32[5,4] < f32[5,4]", 100, 160},                 /* 5*20 */
        {"GROUP_NORM", "f32[5,2,4] < f32[5,2,4]", 200, 320},       /* 5*40; 4*80 */
        {"L2_NORM", "f32[5,4] < f32[5,4]", 60, 160},               /* 3*20 */
        /* 8 of 10 are turned, 2 heads, 3 tokens: 3*8*6 = 144; 4*(60+3+60) */
        {"ROPE", "f32[10,2,3] < f32[10,2,3] x i32[3]", 144, 492, false, 4, {0, 8, 0, 0}},
        /* Without params all of them: 3*60; and factors: 4*(60+3+5+60) */
        {"ROPE", "f32[10,2,3] < f32[10,2,3] x i32[3] x f32[5]", 180, 512},
        {"ROPE", "f32[10,2,3] < f32[10,2,3] x i32[3]", UNKNOWN, 492, false, 2, {0, 12}},
        {"SUM", "f32[1] < f32[5,4]", 20, 84},        /* 4*21 */
        {"SUM_ROWS", "f32[1,4] < f32[5,4]", 20, 96}, /* 4*24 */
        {"MEAN", "f32[1,4] < f32[5,4]", 20, 96},
        {"ARGMAX", "i32[4] < f32[5,4]", 20, 96},
        {"CUMSUM", "f32[5,4] < f32[5,4]", 20, 160},
        {"ARGSORT", "i32[5,4] < f32[5,4]", UNKNOWN, 160},
        {"TOP_K", "i32[2,4] < f32[5,4]", UNKNOWN, 112}, /* 4*(20+8) */

        /* 3 of 100 rows: 3*64*4 = 768, 12, 768 */
        {"GET_ROWS", "f32[64,3] < f32[64,100] x i32[3]", 0, 1548, true},
        {"GET_ROWS", "f32[64,1] < f32[64,100] x i32[1]", 0, 516}, /* 256 + 4 + 256 */
        /* 2 an element; 2*18 = 36, 4, 256 */
        {"GET_ROWS", "f32[64,1] < q4_0[64,100] x i32[1]", 128, 296},
        /* 1 an element; 2*34 = 68 */
        {"GET_ROWS", "f32[64,1] < q8_0[64,100] x i32[1]", 64, 328},
        /* 3 look-ups in 2 rows: 2*128 = 256, 12, 768; 1 an element */
        {"GET_ROWS", "f32[64,3] < f16[64,2] x i32[3]", 192, 1036, true},
        /* Batches: ids [3,2]: 6*16, 24, 6*16 */
        {"GET_ROWS", "f32[4,3,2] < f32[4,9,2] x i32[3,2]", 0, 216, true},
        {"GET_ROWS", "f32[32,1] < iq4_nl[32,9] x i32[1]", UNKNOWN, 150}, /* 18 + 4 + 128 */
        /* 2 rows of a cache of 100, into f16: 128 elements; 512, 16, 2*128 */
        {"SET_ROWS", "f16[64,100] < f32[64,2] x i64[2] x f16[64,100]", 128, 784},
        /* 4 an element into q8_0: 2*2*34 = 136 */
        {"SET_ROWS", "q8_0[64,100] < f32[64,2] x i64[2]", 512, 664},
        /* params: how, k0, stride, padding. 3*8; 4*(16+8) */
        {"POOL_1D", "f32[4,2] < f32[8,2]", 16, 96, false, 4, {0, 2, 2, 0}},
        /* 2*3 places for 4*2 results; 4*(8*6+8) */
        {"POOL_2D", "f32[4,2] < f32[8,6]", 48, 224, false, 4, {1, 2, 3, 2}},
        /* 12 results; 4*36 */
        {"ADD", "f32[4,3] < f32[4,3] x f32[4,3]", 12, 144},
        /* One row for all: 4*(12+4+12) */
        {"ADD", "f32[4,3] < f32[4,3] x f32[4]", 12, 112},
        {"SUB", "f32[4,3] < f32[4,3] x f32[4,3]", 12, 144},
        {"MUL", "f32[4,3] < f32[4,3] x f32[4,1]", 12, 112},
        {"DIV", "f32[4,3] < f32[4,3] x f32[1,3]", 12, 108}, /* 4*(12+3+12) */
        {"ADD1", "f32[4,3] < f32[4,3] x f32[1]", 12, 100},  /* 4*25 */
        /* 4 of each: 4*2*1 = 8; 2 rows 32, a 32, ids 8, 32 */
        {"ADD_ID", "f32[4,2,1] < f32[4,2,1] x f32[4,8] x i32[2,1]", 8, 104},
        /* 3 tokens look up 6 of 4 rows: 24; 64, a 96, ids 24, 96 */
        {"ADD_ID", "f32[4,2,3] < f32[4,2,3] x f32[4,4] x i32[2,3]", 24, 280, true},
        {"ACC", "f32[4,3] < f32[4,3] x f32[4,1]", 4, 112, true}, /* 4*(12+4+12) */
        {"SCALE", "f32[4,3] < f32[4,3]", 12, 96},
        {"CLAMP", "f32[4,3] < f32[4,3]", 24, 96},
        {"SQR", "f32[4,3] < f32[4,3]", 12, 96},
        {"SQRT", "f32[4,3] < f32[4,3]", 12, 96},
        {"LOG", "f32[4,3] < f32[4,3]", 12, 96},
        {"SIN", "f32[4,3] < f32[4,3]", 12, 96},
        {"COS", "f32[4,3] < f32[4,3]", 12, 96},
        {"ABS", "f32[4,3] < f32[4,3]", 12, 96},
        {"SGN", "f32[4,3] < f32[4,3]", 12, 96},
        {"NEG", "f16[4,3] < f16[4,3]", 12, 48},
        {"STEP", "f32[4,3] < f32[4,3]", 12, 96},
        {"TANH", "f32[4,3] < f32[4,3]", 12, 96},
        {"ELU", "f32[4,3] < f32[4,3]", 24, 96},
        {"RELU", "f32[4,3] < f32[4,3]", 12, 96},
        {"LEAKY_RELU", "f32[4,3] < f32[4,3]", 48, 96},
        {"SIGMOID", "f32[4,3] < f32[4,3]", 48, 96},     /* - exp + / */
        {"GELU", "f32[4,3] < f32[4,3]", 108, 96},       /* 9: * * + * * tanh + * *  */
        {"GELU_QUICK", "f32[4,3] < f32[4,3]", 60, 96},  /* 5: * exp + / * */
        {"GELU_ERF", "f32[4,3] < f32[4,3]", 60, 96},    /* 5: * erf + * * */
        {"SILU", "f32[4,3] < f32[4,3]", 48, 96},        /* 4: - exp + / */
        {"HARDSWISH", "f32[4,3] < f32[4,3]", 60, 96},   /* 5: + / max min * */
        {"HARDSIGMOID", "f32[4,3] < f32[4,3]", 48, 96}, /* 4: + / max min */
        {"EXP", "f32[4,3] < f32[4,3]", 12, 96},
        {"EXPM1", "f32[4,3] < f32[4,3]", 12, 96},
        {"SOFTPLUS", "f32[4,3] < f32[4,3]", 48, 96}, /* 4: > exp + log */
        {"FLOOR", "f32[4,3] < f32[4,3]", 12, 96},
        {"CEIL", "f32[4,3] < f32[4,3]", 12, 96},
        {"ROUND", "f32[4,3] < f32[4,3]", 12, 96},
        {"TRUNC", "f32[4,3] < f32[4,3]", 12, 96},
        /* Both in one, or two: 12 results, 24 elements in; 4*36 */
        {"REGLU", "f32[4,3] < f32[8,3]", 24, 144},
        {"GEGLU", "f32[4,3] < f32[4,3] x f32[4,3]", 120, 144},
        {"SWIGLU", "f32[4,3] < f32[4,3] x f32[4,3]", 60, 144},
        {"SWIGLU", "f32[4,3] < f32[8,3]", 60, 144},
        /* 10: min, max min, - * exp + /, +, * */
        {"SWIGLU_OAI", "f32[4,3] < f32[4,3] x f32[4,3]", 120, 144},
        {"GEGLU_ERF", "f32[4,3] < f32[8,3]", 72, 144},
        {"GEGLU_QUICK", "f32[4,3] < f32[8,3]", 72, 144},
        /* 6 a pair, 4 pairs a step, 3 steps; 4*(3+24) */
        {"TIMESTEP_EMBEDDING", "f32[8,3] < f32[3]", 72, 108},
        {"UPSCALE", "f32[8,6] < f32[4,3]", 0, 240, false, 1, {0}}, /* 4*(48+12) */
        {"UPSCALE", "f32[8,6] < f32[4,3]", UNKNOWN, 240, false, 1, {1}},
        {"UPSCALE", "f32[8,6] < f32[4,3]", UNKNOWN, 240},

        /* The second source is where the result goes, and not read. */
        {"CPY", "f32[32,2] < f32[32,2] x f32[32,2]", 0, 512},
        {"CPY", "f16[64] < f32[32,2] x f16[64]", 64, 384}, /* 256 + 128 */
        {"CPY", "q4_0[32,2] < f32[32,2]", 256, 292},       /* 4 an element; 256 + 36 */
        {"CPY", "q4_1[32,2] < f32[32,2]", 320, 296},       /* 5; 40 */
        {"CPY", "q5_0[32,2] < f32[32,2]", 256, 300},       /* 4; 44 */
        {"CPY", "q5_1[32,2] < f32[32,2]", 320, 304},       /* 5; 48 */
        {"CPY", "q8_0[32,2] < f16[32,2]", 320, 196},       /* 1 + 4; 128 + 68 */
        {"CPY", "f32[32,2] < q5_1[32,2]", 128, 304},       /* 2 */
        {"CPY", "f16[32,2] < q8_0[32,2]", 128, 196},       /* 1 + 1 */
        {"CPY", "f32[256] < q4_K[256]", 512, 1168},        /* 2; 1024 + 144 */
        {"CPY", "f32[256] < q6_K[256]", 512, 1234},        /* 2; 210 */
        {"CPY", "q4_K[256] < f32[256]", UNKNOWN, 1168},    /* a search */
        {"CPY", "iq4_nl[32] < f32[32]", UNKNOWN, 146},     /* 128 + 18 */
        {"CPY", "f32[32] < ?[32]", UNKNOWN, UNKNOWN},
        {"CPY", "q8_0[32] < q8_0[32]", 0, 68},
        {"CONT", "f32[3,4] < f32[4,3]", 0, 96},
        {"DUP", "f32[4,3] < f32[4,3]", 0, 96},
        {"SET", "f32[4,3] < f32[4,3] x f32[4]", 0, 112, true},
        {"CONCAT", "f32[4,5] < f32[4,3] x f32[4,2]", 0, 160},
        {"REPEAT", "f32[4,6] < f32[4,3]", 0, 144}, /* 4*(12+24) */
        {"PAD", "f32[5,3] < f32[4,3]", 0, 108},    /* 4*(12+15) */
        {"PAD_REFLECT_1D", "f32[6,3] < f32[4,3]", 0, 120},
        {"ROLL", "f32[4,3] < f32[4,3]", 0, 96},
        /* 3*3*2 = 18 for 4*4 places: 288 into f16; 576 + 6*6*2*4 = 288 */
        {"IM2COL", "f16[18,4,4] < f16[3,3,2,5] x f32[6,6,2]", 288, 864},
        {"IM2COL", "f32[6,4] < f32[3,2,5] x f32[6,2]", 0, 144}, /* 4*(24+12) */
        {"DIAG_MASK_INF", "f32[4,3] < f32[4,3]", 0, 96, true},
        {"DIAG_MASK_ZERO", "f32[4,3] < f32[4,3]", 0, 96, true},
        {"FILL", "f32[4,3] < f32[4,3]", 0, 48},
        {"ARANGE", "f32[5]", 10, 20},
        {"NONE", "f32[5]", 0, 0},
        {"RESHAPE", "f32[12] < f32[4,3]", 0, 0},
        {"VIEW", "f32[2] < f32[4,3]", 0, 0},
        {"PERMUTE", "f32[3,4] < f32[4,3]", 0, 0},
        {"TRANSPOSE", "f32[3,4] < f32[4,3]", 0, 0},

        /* m, n, k. 2*2*3*4 = 48; 8*(8+12+6) = 208 */
        {"gemm", "f64[1]", 48, 208, false, 3, {2, 3, 4}},
        {"gemm", "cf32[1]", 192, 208, false, 3, {2, 3, 4}}, /* 8*24 */
        {"gemm", "f64[1]", 0, 0, false, 3, {2, 0, 4}},      /* the reference returns at once */
        {"gemm", "f64[1]", 0, 0, false, 3, {0, 3, 4}},
        {"gemm", "f64[1]", 0, 48, false, 3, {2, 3, 0}}, /* C by beta: 8*6 */
        /* 2*2*2*3 = 24; 4*(3+6+6); from the right 2*2*3*3 = 36; 4*(6+6+6) */
        {"symm", "f32[1]", 24, 60, false, 4, {2, 3, 0, 0}},
        {"symm", "f32[1]", 36, 72, false, 4, {2, 3, 0, 1}},
        {"syrk", "f64[1]", 48, 144, false, 3, {0, 3, 4}},    /* 4*3*4; 8*(12+6) */
        {"syr2k", "f64[1]", 75, 240, false, 3, {0, 3, 4}},   /* 36 + 36 + 3; 8*(24+6) */
        {"syr2k", "cf64[1]", 294, 480, false, 3, {0, 3, 4}}, /* 6*36 + 2*39; 16*30 */
        /* 3*3 products, 3*1 sums; 4*(3+6+6); from the right 2*6, 2*3; 4*(6+12) */
        {"trmm", "f32[1]", 12, 60, false, 4, {2, 3, 0, 0}},
        {"trmm", "f32[1]", 18, 72, false, 4, {2, 3, 0, 1}},
        {"trmm", "cf32[1]", 60, 120, false, 4, {2, 3, 0, 0}}, /* 6*9 + 2*3; 8*15 */
        {"trsm", "f32[1]", 12, 60, false, 4, {2, 3, 0, 0}},
        {"gemv", "f32[1]", 12, 44, false, 2, {2, 3}}, /* 4*(6+2+3) */
        {"ger", "f32[1]", 12, 68, false, 2, {2, 3}},  /* 4*(12+2+3) */
        {"symv", "f32[1]", 18, 48, false, 2, {0, 3}}, /* 2*9; 4*(6+3+3) */
        {"trmv", "f32[1]", 9, 48, false, 2, {0, 3}},  /* 6 + 3; 4*(6+6) */
        {"trsv", "f32[1]", 9, 48, false, 2, {0, 3}},
        {"axpy", "f64[1]", 10, 120, false, 2, {0, 5}}, /* 2*5; 8*15 */
        {"dot", "f64[1]", 10, 80, false, 2, {0, 5}},
        {"scal", "f64[1]", 5, 80, false, 2, {0, 5}},
        {"scal", "cf64[1]", 30, 160, false, 2, {0, 5}}, /* 6*5 */
        {"copy", "f64[1]", 0, 80, false, 2, {0, 5}},
        {"zero", "f64[1]", 0, 40, false, 2, {0, 5}},
        {"nrm2", "f64[1]", 10, 40, false, 2, {0, 5}},
        {"nrm2", "cf64[1]", 20, 80, false, 2, {0, 5}},
        {"asum", "f64[1]", 10, 40, false, 2, {0, 5}},
        {"iamax", "f64[1]", 10, 40, false, 2, {0, 5}},
        {"gemmt", "f64[1]", 48, 240, false, 3, {0, 3, 4}}, /* 4*3*4; 8*(12+12+6) */
        /* one below the diagonal of 4 x 3: 6; 4*(6+4+3); all of 3 x 3: 9; 4*(9+6) */
        {"gbmv", "f32[1]", 12, 52, false, 4, {4, 3, 1, 0}},
        {"gbmv", "f32[1]", 18, 60, false, 4, {3, 3, 9, 9}},
        {"gbmv", "f32[1]", 0, 0, false, 4, {5, 0, 1, 1}},
        {"gbmv",
         "f32[1]",
         6 * (1LL << 40) - 4,
         20 * (1LL << 40) - 8,
         false,
         4,
         {1LL << 40, 1LL << 40, 1, 1}},                  /* 3n - 2, twice; 4*(3n - 2 + 2n) */
        {"sbmv", "f32[1]", 20, 60, false, 3, {4, 4, 1}}, /* 4 + 3 + 3, twice; 4*(4 + 3 + 8) */
        {"tbmv", "f32[1]", 10, 60, false, 3, {4, 4, 1}}, /* 7 + 3; 4*(7+8) */
        {"tbsv", "f32[1]", 10, 60, false, 3, {4, 4, 1}},
        {"syr", "f32[1]", 12, 60, false, 2, {0, 3}},     /* 2*6; 4*(12+3) */
        {"syr2", "f32[1]", 24, 72, false, 2, {0, 3}},    /* 4*6; 4*(12+6) */
        {"axpby", "f32[1]", 15, 60, false, 2, {0, 5}},   /* 10 + 5 */
        {"axpby", "cf32[1]", 70, 120, false, 2, {0, 5}}, /* 6*10 + 2*5 */
        {"swap", "f32[1]", 0, 80, false, 2, {0, 5}},
        {"rot", "f32[1]", 30, 80, false, 2, {0, 5}},
        {"rot", "cf32[1]", 60, 160, false, 2, {0, 5}},
        {"rscal", "cf32[1]", 10, 80, false, 2, {0, 5}},
        {"gbmv", "f32[1]", UNKNOWN, UNKNOWN, false, 3, {4, 3, 1}},
        {"gemm", "f64[1]", UNKNOWN, UNKNOWN, false, 2, {2, 3}},
        {"symm", "f64[1]", UNKNOWN, UNKNOWN, false, 3, {2, 3, 4}}, /* which side? */
        {"gemm", "?[1]", UNKNOWN, UNKNOWN, false, 3, {2, 3, 4}},
        {"gemm", "f64[1]", UNKNOWN, UNKNOWN, false, 3, {2, -3, 4}},
        {"trmm", "f64[1]", UNKNOWN, UNKNOWN, false, 4, {2, 3, 4, 2}},
};

#define N_GOLDEN (sizeof(golden) / sizeof(golden[0]))

static void golden_cases(void **state)
{
        int wrong = 0;

        for (size_t i = 0; i < N_GOLDEN; i++) {
                const struct golden *g = &golden[i];
                struct shape s = shape(g->op, g->shape);
                struct work_amount w;
                uint64_t flops, bytes;

                s.n_params = g->n_params;
                memcpy(s.params, g->params, sizeof(s.params));
                w = flops_of(&s);
                flops = w.flops_known ? w.flops : UNKNOWN;
                bytes = w.bytes_known ? w.bytes : UNKNOWN;
                if (flops == g->flops && bytes == g->bytes && w.bytes_at_most == g->at_most &&
                    !w.saturated && (w.flops_known || !w.flops) && (w.bytes_known || !w.bytes))
                        continue;
                print_error("%s %s: %lld FLOPs, %lld bytes%s\n", g->op, g->shape, (long long)flops,
                            (long long)bytes, w.bytes_at_most ? " at most" : "");
                wrong++;
        }
        assert_int_equal(wrong, 0);
}

static void every_row_has_its_case_and_source(void **state)
{
        size_t n = 0;

        for (const char *op; (op = flops_op(n)); n++) {
                bool found = false, known = false;

                for (size_t i = 0; i < N_GOLDEN; i++)
                        if (!strcmp(golden[i].op, op)) {
                                found = true;
                                known |= golden[i].flops != UNKNOWN || golden[i].bytes != UNKNOWN;
                        }
                if (!found || !known)
                        fail_msg("%s has no golden case", op);
                assert_non_null(flops_source(op));
                assert_true(strlen(flops_source(op)) > 10);
                assert_null(strchr(flops_source(op), '\n'));
                for (size_t i = 0; i < n; i++)
                        assert_string_not_equal(flops_op(i), op);
        }
        assert_true(n > 100);
        assert_null(flops_op(n + 1));
        assert_null(flops_op(SIZE_MAX));
}

static void nothing_is_known(const struct shape *s)
{
        struct work_amount w = flops_of(s);

        assert_false(w.flops_known || w.bytes_known || w.saturated || w.bytes_at_most);
        assert_true(!w.flops && !w.bytes);
}

static void what_is_not_in_the_table(void **state)
{
        static const char *const ops[] = {"",      "MUL_MA",  "MUL_MATT",           "mul_mat",
                                          "XIELU", "CONV_3D", "CROSS_ENTROPY_LOSS", "GEMM",
                                          "dgemm"};
        struct shape s;

        for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
                s = shape(ops[i], "f32[3,2] < f32[4,3] x f32[4,2]");
                nothing_is_known(&s);
                assert_null(flops_source(ops[i]));
        }
        memset(s.op, 'A', sizeof(s.op)); /* and no NUL */
        nothing_is_known(&s);
}

static void what_an_op_cannot_have(void **state)
{
        static const struct {
                const char *op, *shape;
        } cases[] = {
                {"MUL_MAT", ""},
                {"MUL_MAT", "f32[3,2]"},
                {"MUL_MAT", "f32[3,2] < f32[4,3]"},
                {"MUL_MAT", "f32[3,2] < - x f32[4,2]"},
                {"MUL_MAT", "f32[3,2] < f32[4,3] x f32[5,2]"},
                {"MUL_MAT", "f32[3,3] < f32[4,3] x f32[4,2]"},
                {"MUL_MAT", "f32[3,2,3] < f32[4,3,2] x f32[4,2,3]"},
                {"MUL_MAT", "f32[3,2] < f32[4,3,0] x f32[4,2]"},
                {"MUL_MAT", "f32[0,2] < f32[4,0] x f32[4,2]"},
                {"MUL_MAT", "f32[18446744073709551615,2] < f32[4,18446744073709551615] x f32[4,2]"},
                {"MUL_MAT_ID", "f32[3,2,1] < f32[4,3,8] x f32[4,1,1]"},
                {"MUL_MAT_ID", "f32[3,2,1] < f32[4,3,8] x f32[4,1,1] x i32[2,2]"},
                {"MUL_MAT_ID", "f32[3,3,1] < f32[4,3,8] x f32[4,2,1] x i32[3,1]"},
                {"OUT_PROD", "f32[3,5] < f32[3,4] x f32[5,3]"},
                {"FLASH_ATTN_EXT", "f32[8,4,3] < f32[8,3,4] x f16[7,5,2] x f16[8,5,2]"},
                {"FLASH_ATTN_EXT", "f32[8,4,3] < f32[8,3,4] x f16[8,5,3] x f16[8,5,3]"},
                {"FLASH_ATTN_EXT", "f32[8,3,4] < f32[8,3,4] x f16[8,5,2] x f16[8,5,2]"},
                {"CONV_2D", "f32[4,4,5] < f32[3,3,2,5] x f32[6,6,3]"},
                {"CONV_2D_DW", "f32[4,4,5] < f32[3,3,2,5] x f32[6,6,5]"},
                {"CONV_TRANSPOSE_1D", "f32[11,3] < f32[3,2,4] x f32[5,4]"},
                {"CONV_TRANSPOSE_2D", "f32[4,4,3] < f32[2,2,3,4] x f32[2,2,5]"},
                {"SSM_CONV", "f32[3,2,2] < f32[3,3,2] x f32[4,3]"},
                {"SSM_SCAN", "f32[108] < f32[4,2,3,7] x f32[2,3,5,2] x f32[3,5,2]"},
                {"RWKV_WKV6", "f32[8,3] < f32[4,2,3] x f32[4,2,3] x f32[4,2,3] x f32[4,2] x "
                              "f32[4,2,3]"},
                {"SOFT_MAX", "f32[5,4] < f32[5,5]"},
                {"SUM_ROWS", "f32[5,4] < f32[5,4]"},
                {"SUM", "f32[2] < f32[5,4]"},
                {"GET_ROWS", "f32[64,3] < f32[64,100] x i32[2]"},
                {"GET_ROWS", "f32[32,3] < f32[64,100] x i32[3]"},
                {"SET_ROWS", "f32[64,100] < f32[64,2] x i64[3]"},
                {"ADD", "f32[4,3] < f32[4,3] x f32[3]"},
                {"ADD", "f32[4,3] < f32[4,3]"},
                {"ADD", "f32[4,3] < f32[4,4] x f32[4]"},
                {"SWIGLU", "f32[4,3] < f32[4,3]"},
                {"SWIGLU", "f32[4,3] < f32[4,3] x f32[8,3]"},
                {"SILU", "f32[4,3] < f32[3,3]"},
                {"POOL_2D", "f32[4,2] < f32[8,6]"},
                {"CPY", "f32[4,3] < f32[4,4]"},
                {"CONCAT", "f32[4,5] < f32[4,3] x f32[4,3]"},
                {"REPEAT", "f32[4,5] < f32[4,3]"},
                {"PAD", "f32[4,2] < f32[4,3]"},
                {"IM2COL", "f16[17,4,4] < f16[3,3,2,5] x f32[6,6,2]"},
                {"SET", "f32[4,3] < f32[4,3] x f32[4,4]"},
                {"gemm", ""},
        };
        struct shape s;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                s = shape(cases[i].op, cases[i].shape);
                if (flops_of(&s).flops_known || flops_of(&s).bytes_known)
                        print_error("%s %s\n", cases[i].op, cases[i].shape);
                nothing_is_known(&s);
        }
        s = shape("MUL_MAT", "f32[3,2] < f32[4,3] x f32[4,2]");
        s.n = SHAPE_MAX + 1;
        nothing_is_known(&s);
        s.n = UINT32_MAX;
        nothing_is_known(&s);
        s.n = 3;
        s.n_params = UINT32_MAX;
        nothing_is_known(&s);
        s.n_params = 0;
        assert_true(flops_of(&s).flops_known);
}

/* A mask with fewer rows than scores: how much of it is read is not known. */
static void masks_that_are_too_small(void **state)
{
        struct shape s = shape("SOFT_MAX", "f32[5,4] < f32[5,4] x f16[5,3]");

        assert_true(flops_of(&s).flops_known);
        assert_false(flops_of(&s).bytes_known);
}

static void too_much_to_tell(void **state)
{
        struct shape s = shape("MUL_MAT", "f32[4294967296,4294967296] < f32[4294967296,4294967296] "
                                          "x f32[4294967296,4294967296]");
        struct work_amount w = flops_of(&s);

        assert_true(w.flops_known && w.bytes_known && w.saturated);
        assert_true(w.flops == INT64_MAX && w.bytes == INT64_MAX);

        /* 2 (2^62 - 1) can be told, 2 2^62 cannot; what is told beside it is right all the same. */
        s = shape("MUL_MAT", "f32[1] < f32[4611686018427387903] x f32[4611686018427387903]");
        w = flops_of(&s);
        assert_true(w.flops_known && w.flops == 9223372036854775806u);
        s = shape("MUL_MAT", "f16[1] < q4_0[4611686018427387904] x q4_0[4611686018427387904]");
        w = flops_of(&s);
        assert_true(w.flops_known && w.flops == INT64_MAX && w.saturated);
        assert_true(w.bytes_known && w.bytes == 2 * (4611686018427387904u / 32 * 18) + 2);

        s = shape("gemm", "f64[1]");
        s.n_params = 3;
        s.params[0] = s.params[1] = s.params[2] = INT64_MAX;
        w = flops_of(&s);
        assert_true(w.flops_known && w.flops == INT64_MAX && w.saturated);
        assert_true(w.bytes_known && w.bytes == INT64_MAX);
}

/* None of the rules reads what is not there, whatever the shape: a sanitizer would see it. */
static void all_rows_bear_all_shapes(void **state)
{
        static const uint64_t extents[] = {0, 1, 2, 3, 32, 256, INT64_MAX, UINT64_MAX};
        uint32_t seed = 1;

        for (int round = 0; round < 400; round++) {
                const char *op;

                for (size_t i = 0; (op = flops_op(i)); i++) {
                        struct shape s = {.n = (uint32_t)round % (SHAPE_MAX + 2)};

                        strcpy(s.op, op);
                        for (int j = 0; j < SHAPE_MAX; j++) {
                                operand(&s.at[j], round % 3 ? "f32[1]" : "q4_0[1]");
                                for (int k = 0; k < 4; k++) {
                                        seed = seed * 1664525 + 1013904223;
                                        s.at[j].ne[k] = extents[(seed >> 16) % 8];
                                }
                        }
                        s.n_params = (uint32_t)round % (SHAPE_PARAMS + 2);
                        for (int j = 0; j < SHAPE_PARAMS; j++)
                                s.params[j] = (int64_t)extents[(seed >> (8 + j)) % 8];
                        assert_true(flops_of(&s).flops <= INT64_MAX);
                        assert_true(flops_of(&s).bytes <= INT64_MAX);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(golden_cases),
                cmocka_unit_test(every_row_has_its_case_and_source),
                cmocka_unit_test(what_is_not_in_the_table),
                cmocka_unit_test(what_an_op_cannot_have),
                cmocka_unit_test(masks_that_are_too_small),
                cmocka_unit_test(too_much_to_tell),
                cmocka_unit_test(all_rows_bear_all_shapes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
