/* SPDX-License-Identifier: MIT */
/* Markers as an engine sets them, and as it should not: markers WHAT [N]. */
#include <infprof/infprof.h>

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile kept;
static int n = 100;

static void inner(void)
{
        INFPROF_SCOPE("inner");
        free(kept);
        kept = malloc(1000);
}

static void *nest(void *unused)
{
        (void)unused;
        for (int i = 0; i < n; i++) {
                INFPROF_SCOPE("outer");
                for (int k = 0; k < 3; k++)
                        inner();
                infprof_begin("by hand");
                infprof_count("things", 5);
                infprof_end("by hand");
        }
        return NULL;
}

/* One after the other: `kept` is one. */
static void threads(void)
{
        for (int i = 0; i < 4; i++) {
                pthread_t t;

                pthread_create(&t, NULL, nest, NULL);
                pthread_join(t, NULL);
        }
}

static int early_return(int i)
{
        infprof_begin("forgotten");
        if (i >= 0)
                return i;
        infprof_end("forgotten");
        return 0;
}

static void left(void)
{
        for (int i = 0; i < n; i++) {
                INFPROF_SCOPE("outer");
                early_return(i);
        }
        infprof_begin("to the end");
}

static void twice(void)
{
        for (int i = 0; i < n; i++) {
                infprof_begin("once");
                infprof_end("once");
                infprof_end("once");
        }
        infprof_end("never begun");
}

static void *end_it(void *unused)
{
        (void)unused;
        infprof_end("elsewhere");
        return NULL;
}

static void other_thread(void)
{
        pthread_t t;

        infprof_begin("elsewhere");
        pthread_create(&t, NULL, end_it, NULL);
        pthread_join(t, NULL);
}

/* What the parent has begun the child ends too, as it leaves the scope. */
static void forks(void)
{
        INFPROF_SCOPE("around fork");
        pid_t pid = fork();

        if (!pid) {
                for (int i = 0; i < n; i++) {
                        INFPROF_SCOPE("in the child");
                        infprof_count("things", 2);
                }
                return;
        }
        waitpid(pid, NULL, 0);
        for (int i = 0; i < n; i++) {
                INFPROF_SCOPE("in the parent");
        }
}

static jmp_buf back;

static void jump(void)
{
        INFPROF_SCOPE("jumped out of");
        longjmp(back, 1);
}

__attribute__((noinline)) static void land(void)
{
        if (!setjmp(back))
                jump();
}

static void jumps(void)
{
        for (int i = 0; i < n; i++) {
                INFPROF_SCOPE("outer");
                land();
        }
}

static void names(void)
{
        char name[64];

        for (int i = 0; i < n; i++) {
                snprintf(name, sizeof(name), "request %d", i);
                infprof_begin_named(name);
                infprof_count_named(name, 1);
                infprof_end_named(name);
        }
        for (int i = 0; i < 10; i++) {
                INFPROF_SCOPE("after them all");
        }
}

static void down(int depth)
{
        INFPROF_SCOPE("deep");
        if (depth > 1)
                down(depth - 1);
}

/* 1 MiB stays each time; within, 16 MiB more for a moment. */
static void memory(void)
{
        static void *blocks[1000];

        for (int i = 0; i < n; i++) {
                INFPROF_SCOPE("grows");
                char *volatile much = malloc(16u << 20);

                much[4096] = (char)i;
                free(much);
                blocks[i % 1000] = malloc(1u << 20);
        }
        for (int i = 0; i < n; i++) {
                INFPROF_SCOPE("shrinks");
                free(blocks[i % 1000]);
                blocks[i % 1000] = NULL;
        }
}

static void spend(long us)
{
        struct timeval from, now;

        gettimeofday(&from, NULL);
        do
                gettimeofday(&now, NULL);
        while ((now.tv_sec - from.tv_sec) * 1000000 + now.tv_usec - from.tv_usec < us);
}

static void tokens(void)
{
        for (int r = 0; r < 3; r++) {
                INFPROF_SCOPE("request");
                infprof_text("prompt of seven");
                spend(4000);
                infprof_count("prompt_tokens", 7);
                for (int i = 0; i < n; i++) {
                        spend(1000);
                        infprof_count("tokens", 1);
                }
                infprof_result(r != 1);
                infprof_mark("request over");
        }
}

/* Four tokens a step; the prompt is counted before it is taken in. */
static void steps(void)
{
        spend(20000);
        for (int r = 0; r < 2; r++) {
                infprof_phase("prefill");
                infprof_count("prompt_tokens", 100);
                spend(10000);
                infprof_phase("decode");
                for (int i = 0; i < n; i++) {
                        spend(2000);
                        infprof_count("tokens", 4);
                }
                infprof_result(1);
        }
        infprof_count("many", UINT64_MAX);
        infprof_count("many", 5);
}

/* Nobody tells when anything begins. */
static void bare(void)
{
        char name[3000];

        spend(20000);
        for (int i = 0; i < n; i++) {
                spend(1000);
                infprof_count("tokens", 1);
        }
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        infprof_begin_named(name);
        infprof_end_named(name);
}

static void tiles(void)
{
        for (uint32_t i = 0; i < 4; i++) {
                infprof_tile_begin(INFPROF_TILE_MACRO, i, 0);
                for (uint32_t k = 0; k < 8; k++) {
                        infprof_tile_begin(INFPROF_TILE_MICRO, i, k);
                        spend(i == 2 && k == 5 ? 20000 : 100);
                        infprof_tile_end(64, 128);
                }
                infprof_tile_end(512, 1024);
        }
        infprof_tile_end(1, 1);
        infprof_tile_begin(INFPROF_TILE_MIDI, 1, 1);
        infprof_tile_begin(INFPROF_TILE_MIDI, 1, 2);
        infprof_tile_begin(7, 0, 0);
}

static volatile sig_atomic_t handled;

static void handler(int number)
{
        (void)number;
        INFPROF_SCOPE("in a handler");
        infprof_count("handled", 1);
        handled++;
}

/* How often a handler ran it says itself; some come while the shim is busy and tell nothing. */
static void signals(void)
{
        struct itimerval often = {{0, 50}, {0, 50}}, never = {0};
        int ended = 0;

        signal(SIGALRM, handler);
        setitimer(ITIMER_REAL, &often, NULL);
        for (int i = 0; i < n; i++) {
                INFPROF_SCOPE("outer");
                inner();
                infprof_count("things", 1);
                ended++;
        }
        setitimer(ITIMER_REAL, &never, NULL);
        printf("%d %d\n", ended, (int)handled);
}

static void many_instants(void)
{
        for (int i = 0; i < n; i++)
                infprof_mark("again and again");
        infprof_text(
                "\xff\xfe is not UTF-8, and this one is much longer than what is kept of a text, "
                "which is less than a hundred bytes");
        infprof_text(NULL);
        infprof_mark("");
        infprof_begin_named(NULL);
        infprof_end_named(NULL);
        infprof_count_named("", 3);
        infprof_phase("no such phase");
}

/* As other languages do. */
static void by_name(void)
{
        void (*begin)(const char *) = (void (*)(const char *))dlsym(RTLD_DEFAULT, "infprof_begin");
        void (*end)(const char *) = (void (*)(const char *))dlsym(RTLD_DEFAULT, "infprof_end");

        for (int i = 0; i < n && begin && end; i++) {
                begin("found by name");
                end("found by name");
        }
        printf("%s\n", begin ? "found" : "absent");
}

int main(int argc, char **argv)
{
        const char *what = argc > 1 ? argv[1] : "";

        n = argc > 2 ? atoi(argv[2]) : n;
        if (!strcmp(what, "nest"))
                nest(NULL);
        else if (!strcmp(what, "threads"))
                threads();
        else if (!strcmp(what, "left"))
                left();
        else if (!strcmp(what, "twice"))
                twice();
        else if (!strcmp(what, "other-thread"))
                other_thread();
        else if (!strcmp(what, "fork"))
                forks();
        else if (!strcmp(what, "jump"))
                jumps();
        else if (!strcmp(what, "names"))
                names();
        else if (!strcmp(what, "deep"))
                down(n);
        else if (!strcmp(what, "memory"))
                memory();
        else if (!strcmp(what, "tokens"))
                tokens();
        else if (!strcmp(what, "steps"))
                steps();
        else if (!strcmp(what, "bare"))
                bare();
        else if (!strcmp(what, "tiles"))
                tiles();
        else if (!strcmp(what, "signals"))
                signals();
        else if (!strcmp(what, "instants"))
                many_instants();
        else if (!strcmp(what, "by-name"))
                by_name();
        else
                return 2;
        return 0;
}
