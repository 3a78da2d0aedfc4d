/* SPDX-License-Identifier: MIT */
/*
 * The symboliser's side. It was forked from the daemon, which has one thread, and
 * keeps nothing of it but the socket. Each question has 3 s of CPU time and 20 s on the clock
 * (an open may hang), and all together a limit of memory; whoever goes beyond is killed by
 * the kernel, and the daemon asks less of that file.
 */
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/mapped.h"
#include "daemon/perf-map.h"
#include "daemon/procfs.h"
#include "daemon/symboliser-private.h"

#define CPU_S        3
#define CLOCK_S      20
#define MOST_BYTES   (1ull << 30) /* of memory that is not a file's; files are mapped privately */
#define ENOUGH_BYTES (48u << 20)  /* resident: then all files are closed */
#define IDLE_MS      5000
#define N_PERF_MAPS  4u

static struct symboliser_told told;
static size_t n_text;

/* ---- answering ---- */

static void tell(const char *s, size_t most)
{
        size_t n = strnlen(s, most);

        if (n + 1 > sizeof(told.text) - n_text)
                n = 0;
        memcpy(told.text + n_text, s, n);
        told.text[n_text + n] = '\0';
        n_text += n + 1;
}

static void tell_all(const struct symbol *s, uint32_t n, const char *library)
{
        told.n = n;
        told.has_library = library != NULL;
        if (library)
                tell(library, PATH_MAX - 1);
        for (uint32_t i = 0; i < n; i++) {
                told.rows[i] = (struct symboliser_row){.offset = s[i].offset,
                                                       .line = s[i].line,
                                                       .inlined = s[i].inlined,
                                                       .has_file = s[i].file != NULL};
                tell(s[i].function ? s[i].function : "", SYMBOLISER_MOST_NAME - 1);
                if (s[i].file)
                        tell(s[i].file, SYMBOLISER_MOST_FILE - 1);
        }
}

static void answer_in_object(const struct symboliser_asked *q)
{
        struct symbol_place place = {.path = q->path,
                                     .address = q->address - q->base,
                                     .pid = q->pid,
                                     .base = q->base,
                                     .without_dwarf = q->without_dwarf};
        struct symbol s[SYMBOL_MOST];
        uint32_t n = 0;

        told.result = symbols_find_place(&place, s, &n);
        if (told.result)
                return;
        tell_all(s, n, NULL);
        symbols_done(s, n);
}

static struct perf_map *perf_map_of(pid_t pid, uint64_t started_ns)
{
        static struct {
                pid_t pid;
                struct perf_map *map;
        } maps[N_PERF_MAPS];
        static uint32_t next;

        for (uint32_t i = 0; i < N_PERF_MAPS; i++)
                if (maps[i].map && maps[i].pid == pid)
                        return maps[i].map;
        next = (next + 1) % N_PERF_MAPS;
        perf_map_free(maps[next].map);
        maps[next].map = perf_map_new(pid, started_ns);
        maps[next].pid = pid;
        return maps[next].map;
}

/* Code that was generated; or in an object that the segment does not have, or not yet. */
static void answer_in_none(const struct symboliser_asked *q)
{
        struct perf_map *map = perf_map_of(q->pid, q->started_ns);
        _cleanup_(freep) char *path = NULL;
        struct symbol s[SYMBOL_MOST] = {{0}};
        struct symbol_place place = {.in_file = true, .without_dwarf = q->without_dwarf};
        uint64_t start;
        uint32_t n = 0;

        told.result = SYMBOL_E_UNKNOWN;
        if (map && perf_map_find(map, q->address, q->is_over, &s[0].function, &start)) {
                s[0].offset = q->address - start;
                told.result = 0;
                tell_all(s, 1, NULL);
                symbols_done(s, 1);
                return;
        }
        if (!q->is_now || !mapped_find(q->pid, q->address, &path, &start, &place.address))
                return;
        place.path = path;
        told.result = symbols_find_place(&place, s, &n);
        if (told.result) { /* at least where it lies */
                s[0] = (struct symbol){.offset = place.address};
                n = 1;
        }
        tell_all(s, n, path);
        symbols_done(s, n);
}

static void answer(const struct symboliser_asked *q)
{
        told.number = q->number;
        told.n = told.has_library = 0;
        n_text = 0;
        if (q->has_path)
                answer_in_object(q);
        else
                answer_in_none(q);
}

/* ---- living ---- */

static uint64_t private_pages(int field)
{
        unsigned long v[7] = {0};
        char buf[256];

        if (procfs_read("/proc/self/statm", buf, sizeof(buf)) <= 0)
                return 0;
        sscanf(buf, "%lu %lu %lu %lu %lu %lu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]);
        return field == 1 ? v[1] - v[2] : v[field];
}

static void bind_memory(void)
{
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        struct rlimit l = {.rlim_cur = private_pages(5) * page + MOST_BYTES,
                           .rlim_max = RLIM_INFINITY};

        (void)setrlimit(RLIMIT_DATA, &l);
        l = (struct rlimit){0};
        (void)setrlimit(RLIMIT_CORE, &l);
}

static void bind_time(unsigned cpu_s, unsigned clock_s)
{
        struct itimerval cpu = {.it_value.tv_sec = cpu_s}, clock = {.it_value.tv_sec = clock_s};

        (void)setitimer(ITIMER_PROF, &cpu, NULL);
        (void)setitimer(ITIMER_REAL, &clock, NULL);
}

/* Nothing of the daemon's may be kept alive by us, and none of its handlers be ours. */
static int settle(int fd)
{
        sigset_t none;

        (void)prctl(PR_SET_NAME, "infprof-symbols");
        for (int s = 1; s < NSIG; s++)
                signal(s, SIG_DFL);
        signal(SIGINT, SIG_IGN); /* of a terminal: the daemon says when we end */
        signal(SIGPIPE, SIG_IGN);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (dup2(fd, 3) < 0)
                _exit(1);
        (void)close_range(4, ~0u, 0);
        unsetenv("DEBUGINFOD_URLS");
        bind_memory();
        return 3;
}

_Noreturn void symboliser_serve(int fd)
{
        static struct symboliser_asked q;
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), before;

        fd = settle(fd);
        before = private_pages(1);
        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                ssize_t n;

                if (!poll(&p, 1, IDLE_MS)) {
                        symbols_forget();
                        poll(&p, 1, -1);
                }
                n = recv(fd, &q, sizeof(q), 0);
                if (n < (ssize_t)offsetof(struct symboliser_asked, path))
                        _exit(0);
                q.path[PATH_MAX - 1] = '\0';
                bind_time(CPU_S, CLOCK_S);
                answer(&q);
                bind_time(0, 0);
                if (send(fd, &told, offsetof(struct symboliser_told, text) + n_text, MSG_NOSIGNAL) <
                    0)
                        _exit(0);
                if ((private_pages(1) - before) * page > ENOUGH_BYTES)
                        symbols_forget();
        }
}
