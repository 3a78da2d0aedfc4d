/* SPDX-License-Identifier: MIT */
/* The kernels of libcalls.so: one for each way in which the x86-64 ABI passes and returns things.
 */
#pragma once

#include <complex.h>
#include <stdint.h>

/* ints_N(1001, 1002, ...): N integers, those beyond six on the stack */
#define P1  long a1
#define P2  P1, long a2
#define P3  P2, long a3
#define P4  P3, long a4
#define P5  P4, long a5
#define P6  P5, long a6
#define P7  P6, long a7
#define P8  P7, long a8
#define P9  P8, long a9
#define P10 P9, long a10
#define P11 P10, long a11
#define P12 P11, long a12
#define P13 P12, long a13
#define P14 P13, long a14
#define P15 P14, long a15
#define P16 P15, long a16
#define P17 P16, long a17
#define P18 P17, long a18
#define P19 P18, long a19
#define P20 P19, long a20
#define P21 P20, long a21
#define P22 P21, long a22
#define P23 P22, long a23
#define P24 P23, long a24
#define P25 P24, long a25
#define P26 P25, long a26
#define P27 P26, long a27
#define P28 P27, long a28
#define P38                                                                                        \
        P28, long a29, long a30, long a31, long a32, long a33, long a34, long a35, long a36,       \
                long a37, long a38
#define P48                                                                                        \
        P38, long a39, long a40, long a41, long a42, long a43, long a44, long a45, long a46,       \
                long a47, long a48
#define S1  a1
#define S2  S1 * 3 + a2
#define S3  (S2) * 3 + a3
#define S4  (S3) * 3 + a4
#define S5  (S4) * 3 + a5
#define S6  (S5) * 3 + a6
#define S7  (S6) * 3 + a7
#define S8  (S7) * 3 + a8
#define S9  (S8) * 3 + a9
#define S10 (S9) * 3 + a10
#define S11 (S10) * 3 + a11
#define S12 (S11) * 3 + a12
#define S13 (S12) * 3 + a13
#define S14 (S13) * 3 + a14
#define S15 (S14) * 3 + a15
#define S16 (S15) * 3 + a16
#define S17 (S16) * 3 + a17
#define S18 (S17) * 3 + a18
#define S19 (S18) * 3 + a19
#define S20 (S19) * 3 + a20
#define S21 (S20) * 3 + a21
#define S22 (S21) * 3 + a22
#define S23 (S22) * 3 + a23
#define S24 (S23) * 3 + a24
#define S25 (S24) * 3 + a25
#define S26 (S25) * 3 + a26
#define S27 (S26) * 3 + a27
#define S28 (S27) * 3 + a28
#define S38                                                                                        \
        (S28) + a29 * 5 - a30 * 7 + a31 * 11 - a32 * 13 + a33 * 17 - a34 * 19 + a35 * 23 -         \
                a36 * 29 + a37 * 31 - a38 * 37
#define S48                                                                                        \
        (S38) + a39 * 5 - a40 * 7 + a41 * 11 - a42 * 13 + a43 * 17 - a44 * 19 + a45 * 23 -         \
                a46 * 29 + a47 * 31 - a48 * 37
#define V1  1001
#define V2  V1, 1002
#define V3  V2, 1003
#define V4  V3, 1004
#define V5  V4, 1005
#define V6  V5, 1006
#define V7  V6, 1007
#define V8  V7, 1008
#define V9  V8, 1009
#define V10 V9, 1010
#define V11 V10, 1011
#define V12 V11, 1012
#define V13 V12, 1013
#define V14 V13, 1014
#define V15 V14, 1015
#define V16 V15, 1016
#define V17 V16, 1017
#define V18 V17, 1018
#define V19 V18, 1019
#define V20 V19, 1020
#define V21 V20, 1021
#define V22 V21, 1022
#define V23 V22, 1023
#define V24 V23, 1024
#define V25 V24, 1025
#define V26 V25, 1026
#define V27 V26, 1027
#define V28 V27, 1028
#define V38 V28, 1029, 1030, 1031, 1032, 1033, 1034, 1035, 1036, 1037, 1038
#define V48 V38, 1039, 1040, 1041, 1042, 1043, 1044, 1045, 1046, 1047, 1048

/* clang-format off */
#define EACH_INTS(X)                                                                               \
        X(1)                                                                                       \
        X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17)    \
                X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(38) X(48)
/* clang-format on */
long ints_0(void);
#define X(n) long ints_##n(P##n);
EACH_INTS(X)
#undef X

double doubles_20(double, double, double, double, double, double, double, double, double, double,
                  double, double, double, double, double, double, double, double, double, double);
float floats_12(float, float, float, float, float, float, float, float, float, float, float, float);
double mixed(int, double, long, float, char, double, short, double, long, double, long, double,
             long, double, long, double, long, double, long, double, const char *, long double,
             long double);
int print_like(char *to, unsigned long size, const char *format, ...);
double sum_like(int n, ...);

struct s8 {
        float a, b;
};
struct s16 {
        long a;
        double b;
};
struct s24 {
        long a, b, c;
};
struct s56 {
        int32_t n;
        void *p[6];
};
struct s160 {
        long v[20];
};
struct f2 {
        float a, b;
};
struct d2 {
        double a, b;
};
struct l1 {
        long double a;
};
long takes_s16(struct s16 s, struct s16 t);
long takes_s24(struct s24 s);
long takes_s56(struct s56 s, int more);
long takes_s160(struct s160 s);
long takes_l1(struct l1 s, long double t);
struct s16 gives_s16(long a);
struct s24 gives_s24(long a);
struct s160 gives_s160(long a, struct s160 s);
struct f2 gives_f2(float a);
struct d2 gives_d2(double a);
long double gives_ld(long double a, long double b);
float _Complex gives_cf(float _Complex z);
double _Complex gives_cd(double _Complex z);
long double _Complex gives_cl(long double _Complex z);
__int128 gives_i128(__int128 a, long b, long c, long d, long e, __int128 f);
_Bool gives_bool(int a);
void gives_nothing(long *to);
int sets_errno(int e);
int red_zone(int rounds);

/* What a kernel sees of the processor as it begins, and what it leaves there. calls-probe.S */
struct seen {
        uint64_t rax, rdi, rsi, rdx, rcx, r8, r9, rbx, r12, r13, r14, r15, rsp, flags;
        uint32_t mxcsr;
        uint16_t fpu_control, fpu_status;
        uint64_t stack[20];
        uint64_t vector[8][2];
};
void probe_seen(void); /* writes *probe_into */
extern struct seen *probe_into;

/* calls-vector.c, one build for each width */
#define VECTOR_API(bits)                                                                           \
        typedef double vec##bits __attribute__((vector_size(bits / 8)));                           \
        vec##bits vec##bits##_12(vec##bits, vec##bits, vec##bits, vec##bits, vec##bits, vec##bits, \
                                 vec##bits, vec##bits, vec##bits, vec##bits, vec##bits,            \
                                 vec##bits);                                                       \
        vec##bits vec##bits##_mixed(long, vec##bits, long, long, long, long, long, long,           \
                                    vec##bits, double, vec##bits, vec##bits, vec##bits, vec##bits, \
                                    vec##bits, long, vec##bits, long, vec##bits);                  \
        double vec##bits##_variadic(int n, ...);
