/* SPDX-License-Identifier: MIT */
/* hot N: N calls of each hot kernel, from the program, a table and signal handlers. */
#include "truth.h"

#include <atomic>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

extern "C" {
double ggml_vec_dot_sum(long a, long b, long c, long d, long e, long f, long g, long h, double i,
                        long j, long k, double l);
long quantize_row_hop(long x);
long ggml_gemv_deep(long n, long (*again)(long));
}

static double (*volatile table[1])(long, long, long, long, long, long, long, long, double, long,
                                   long, double) = {ggml_vec_dot_sum};
static std::atomic<long> n_handled;

static void handler(int)
{
        table[0](1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
        quantize_row_hop(1);
        n_handled++;
}

static long again(long n)
{
        return ggml_gemv_deep(n, again);
}

int main(int argc, char **argv)
{
        struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
        long n = argc > 1 ? atol(argv[1]) : 1000, thrown = 0;
        double sum = 0;

        signal(SIGALRM, handler);
        setitimer(ITIMER_REAL, &often, NULL);
        for (long i = 0; i < n; i++)
                sum += table[0](i, 2, 3, 4, 5, 6, 7, 8, 9.5, 10, i, 12.5) -
                       ggml_vec_dot_sum(1, i, 3, 4, 5, 6, 7, 8, 9.5, 10, 11, (double)i);
        for (long i = 0; i < n; i++) {
                try {
                        sum += (double)quantize_row_hop(i);
                } catch (long) {
                        thrown++;
                }
        }
        setitimer(ITIMER_REAL, &never, NULL);
        for (long depth = 1; depth < 1000; depth *= 5)
                for (int i = 0; i < 20; i++)
                        truth_calls("ggml_gemv_deep", ggml_gemv_deep(depth, again));
        truth_calls("ggml_vec_dot_sum", 2 * n + n_handled);
        truth_calls("quantize_row_hop", n + n_handled);
        truth_value("sum", (long long)sum);
        truth_value("thrown", thrown);
        truth_print();
        return 0;
}
