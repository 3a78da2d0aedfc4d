/* SPDX-License-Identifier: MIT */
/*
 * Calls every kernel of libcalls.so three times: the first call of a stub, the second and the
 * third go different ways through it. `calls 512` adds the vectors which this processor must have.
 */
#include "calls.h"
#include "calls-main.h"
#include "truth.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/time.h>

void call_with(const struct seen *in, struct seen *out, void *fn, uint64_t shift);

static void integers(void)
{
        truth_value("ints_0", COUNTED(ints_0)());
#define X(n) truth_value("ints_" #n, COUNTED(ints_##n)(V##n));
        EACH_INTS(X)
#undef X
}

static void floating(void)
{
        char text[256] = "";

        truth_value("doubles_20",
                    (long long)(8 * COUNTED(doubles_20)(1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5,
                                                        10.5, 11.5, 12.5, 13.5, 14.5, 15.5, 16.5,
                                                        17.5, 18.5, 19.5, 20.5)));
        truth_value("floats_12",
                    (long long)(8 * COUNTED(floats_12)(1.5f, 2.5f, 3.5f, 4.5f, 5.5f, 6.5f, 7.5f,
                                                       8.5f, 9.5f, 10.5f, 11.5f, 12.5f)));
        truth_value("mixed", (long long)(8 * COUNTED(mixed)(1, 2.5, 3, 4.5f, 'x', 5.5, -6, 7.5, 8,
                                                            9.5, 10, 11.5, 12, 13.5, 14, 15.5, 16,
                                                            17.5, 18, 19.5, "abc", 20.5L, 21.5L)));
        truth_value("print_like",
                    COUNTED(print_like)(text, sizeof(text),
                                        "%d %s %.3f %c %ld %.2Lf %g %g %g %g %g %g %g %g %x %lx", 1,
                                        "two", 3.25, '4', 5L, 6.75L, 7.5, 8.5, 9.5, 10.5, 11.5,
                                        12.5, 13.5, 14.5, 15, 16L));
        for (const char *c = text; *c; c++)
                truth_value("printed", *c);
        truth_value("sum_like",
                    (long long)(8 * COUNTED(sum_like)(16, 1L, 2.5, 3L, 4.5, 5L, 6.5, 7L, 8.5, 9L,
                                                      10.5, 11L, 12.5, 13L, 14.5, 15L, 16.5)));
}

static void structs(void)
{
        struct s160 big, back;
        struct s24 s24;
        struct s16 s16;
        struct f2 f2;
        struct d2 d2;
        long to = 0;

        for (int i = 0; i < 20; i++)
                big.v[i] = 100 + i;
        truth_value("takes_s16", COUNTED(takes_s16)((struct s16){1, 2}, (struct s16){3, 4}));
        truth_value("takes_s24", COUNTED(takes_s24)((struct s24){1, 2, 3}));
        truth_value("takes_s56", COUNTED(takes_s56)((struct s56){7,
                                                                 {(void *)1, (void *)2, (void *)3,
                                                                  (void *)4, (void *)5, (void *)6}},
                                                    8));
        truth_value("takes_s160", COUNTED(takes_s160)(big));
        truth_value("takes_l1", COUNTED(takes_l1)((struct l1){12345.25L}, 17.5L));
        s16 = COUNTED(gives_s16)(5);
        truth_value("gives_s16", s16.a * 1000 + (long)s16.b);
        s24 = COUNTED(gives_s24)(5);
        truth_value("gives_s24", s24.a * 10000 + s24.b * 100 + s24.c);
        back = COUNTED(gives_s160)(3, big);
        for (int i = 0; i < 20; i++)
                truth_value("gives_s160", back.v[i] * (i + 1));
        f2 = COUNTED(gives_f2)(1.25f);
        truth_value("gives_f2", (long)(f2.a * 1000 + f2.b));
        d2 = COUNTED(gives_d2)(1.25);
        truth_value("gives_d2", (long)(d2.a * 1000 + d2.b * 4));
        COUNTED(gives_nothing)(&to);
        truth_value("gives_nothing", to);
        truth_value("gives_bool", COUNTED(gives_bool)(4) * 2 + COUNTED(gives_bool)(3));
}

static void wide(void)
{
        float _Complex cf = COUNTED(gives_cf)(1.5f + 2.5f * I);
        double _Complex cd = COUNTED(gives_cd)(1.5 + 2.5 * I);
        long double _Complex cl = COUNTED(gives_cl)(1.5L + 2.5L * I);
        __int128 i = COUNTED(gives_i128)((__int128)1 << 70, 2, 3, 4, 5, (__int128)7 << 66);

        truth_value("gives_cf", (long)(crealf(cf) * 1000 + cimagf(cf) * 8));
        truth_value("gives_cd", (long)(creal(cd) * 1000 + cimag(cd) * 8));
        truth_value("gives_cl", (long)(creall(cl) * 1000 + cimagl(cl) * 8));
        truth_value("gives_i128", (long long)(i >> 64) * 1000 + (long long)i);
        truth_value("gives_ld", (long)(COUNTED(gives_ld)(1234567890123456.25L, 3.5L) * 4));
}

static void errnos(void)
{
        int kept = 0;

        errno = 77;
        kept += COUNTED(sets_errno)(77);
        kept += errno == 78;
        truth_value("errno kept", kept);
}

#define VECTORS(bits)                                                                              \
        do {                                                                                       \
                truth_calls("vec" #bits "_12", 1);                                                 \
                truth_value("vec" #bits "_12", (long long)(vector_##bits##_twelve() * 4));         \
                truth_calls("vec" #bits "_mixed", 1);                                              \
                truth_value("vec" #bits "_mixed", (long long)(vector_##bits##_mixed() * 4));       \
                truth_calls("vec" #bits "_variadic", 1);                                           \
                truth_value("vec" #bits "_variadic", (long long)(vector_##bits##_variadic() * 4)); \
        } while (0)

/* What the kernel found must be what was put there, and the other way round. */
static int differs(const struct seen *in, const struct seen *got, const struct seen *out)
{
        int n = 0;

        n += memcmp(in, got, offsetof(struct seen, rsp)) != 0;
        n += (got->flags & 0x400) != 0 || (out->flags & 0x400) != 0;
        n += (in->mxcsr & ~0x3fu) != (got->mxcsr & ~0x3fu);
        n += in->fpu_control != got->fpu_control;
        n += (got->fpu_status & 0x3800) != 0; /* the x87 stack comes empty */
        n += memcmp(in->stack, got->stack, sizeof(in->stack)) != 0;
        n += memcmp(in->vector, got->vector, sizeof(in->vector)) != 0;
        n += out->rax != 0x1122334455667788 || out->rdx != 0x99aabbccddeeff00;
        n += memcmp(&out->rbx, &in->rbx, 5 * sizeof(in->rbx)) != 0;
        n += out->rsp != 0;
        n += (out->mxcsr & ~0x3fu) != 0x3f80 || out->fpu_control != 0x077f;
        n += (out->fpu_status & 0x3800) != 0x3000; /* two results on it */
        n += out->rdi != 1000000 || out->rsi != 3141592;
        n += out->vector[0][0] != out->rax || out->vector[1][0] != out->rdx;
        return n;
}

static void probe(uint64_t shift)
{
        struct seen in, got = {0}, out = {0};
        uint64_t *word = (uint64_t *)(void *)&in;

        for (unsigned i = 0; i < sizeof(in) / 8; i++)
                word[i] = 0x0101010101010101ull * (i + 1);
        in.mxcsr = 0xdf80; /* flush to zero, round up, denormals are zero */
        in.fpu_control = 0x0b7f;
        probe_into = &got;
        truth_calls("probe_seen", 1);
        call_with(&in, &out, (void *)(uintptr_t)probe_seen, shift);
        truth_value("differs", differs(&in, &got, &out));
        /* call_with aligns to 64, less the shift; the call pushes 8 */
        truth_value("rsp modulo 64", (long long)((got.rsp + 8 + shift) % 64));
}

static volatile sig_atomic_t n_handled;

static void handler(int number)
{
        (void)number;
        n_handled += ints_48(V48) != 0;
}

/* Signals that call kernels arrive while a leaf uses its red zone. */
static void red_zones(void)
{
        struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
        struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
        int broken = 0, rounds = 0;

        sigaction(SIGALRM, &sa, NULL);
        setitimer(ITIMER_REAL, &often, NULL);
        while (n_handled < 50 && rounds++ < 100000)
                broken += red_zone(1000);
        setitimer(ITIMER_REAL, &never, NULL);
        truth_calls("red_zone", rounds);
        truth_calls("ints_48", n_handled);
        truth_value("red zone broken", broken);
}

static void *everything(void *arg)
{
        const char *width = arg;

        for (int i = 0; i < 3; i++) {
                integers();
                floating();
                structs();
                wide();
                errnos();
                VECTORS(128);
                if (!strcmp(width, "256") || !strcmp(width, "512"))
                        VECTORS(256);
                if (!strcmp(width, "512"))
                        VECTORS(512);
                for (uint64_t shift = 0; shift < 64; shift += 8)
                        probe(shift);
        }
        return NULL;
}

int main(int argc, char **argv)
{
        char *width = argc > 1 ? argv[1] : "128";
        pthread_t thread;

        if (argc > 2 && !strcmp(argv[2], "signals")) {
                red_zones();
        } else if (argc > 2) { /* thread, or stack: one that is ours */
                pthread_attr_t attr;

                pthread_attr_init(&attr);
                if (!strcmp(argv[2], "stack"))
                        pthread_attr_setstack(&attr, (char *)malloc(1 << 20) + 1000, 1000000);
                if (pthread_create(&thread, &attr, everything, width))
                        return 1;
                pthread_join(thread, NULL);
        } else {
                everything(width);
        }
        truth_print();
        return 0;
}
