/* SPDX-License-Identifier: MIT */
/* libggml-victim.so: kernels by the names of those that are called so often that few are timed. */
extern "C" {
double ggml_vec_dot_sum(long a, long b, long c, long d, long e, long f, long g, long h, double i,
                        long j, long k, double l);
long quantize_row_hop(long x);
long ggml_gemv_deep(long n, long (*again)(long));
}

double ggml_vec_dot_sum(long a, long b, long c, long d, long e, long f, long g, long h, double i,
                        long j, long k, double l)
{
        __asm__ volatile("");
        return (double)(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * j +
                        10 * k) +
               i * l;
}

long quantize_row_hop(long x)
{
        if (x % 10 == 3)
                throw x;
        return x + 1;
}

long ggml_gemv_deep(long n, long (*again)(long))
{
        long r = n ? again(n - 1) : 0;

        __asm__ volatile("");
        return r + 1;
}
