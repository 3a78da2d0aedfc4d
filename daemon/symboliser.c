/* SPDX-License-Identifier: MIT */
/*
 * The daemon's side of the symboliser, which is forked when the first question
 * comes. One question is under way at a time, and what comes back is checked as
 * if a stranger had sent it. Who gets no answer in time goes on with his work and
 * asks again later, so a slow file delays names, never the draining of rings.
 *
 * If the symboliser dies over a file, it is asked for symbols without DWARF there, and
 * if that kills it too, for nothing any more. Deaths in a row make it rest.
 */
#include "daemon/symboliser.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/clock.h"
#include "daemon/symboliser-private.h"
#include "daemon/text.h"

#define N_BAD         64u
#define MOST_REST_NS  60000000000ull
#define LEAST_REST_NS 500000000ull
#define DEATHS_FREE   2u  /* before it rests */
#define GOOD_AGAIN    64u /* answers after which deaths are forgotten */

static struct {
        pid_t pid; /* 0: none */
        int fd;
        uint64_t cpu_ns; /* of those that ended */
        bool busy;
        struct symboliser_asked asked; /* while busy, and of the answer that came last */
        uint32_t next_number;
        uint32_t n_deaths; /* in a row */
        uint32_t n_good;   /* answers since the last */
        uint64_t rests_until_ns;
        struct bad {
                uint64_t file; /* hash of its path */
                uint32_t deaths;
        } bad[N_BAD];
        uint32_t n_bad; /* goes round */
} it;

static uint64_t hash_of(const struct symboliser_asked *q)
{
        uint64_t h = q->has_path ? 14695981039346656037ull : (uint64_t)q->pid;

        for (const char *s = q->has_path ? q->path : ""; *s; s++)
                h = (h ^ (uint8_t)*s) * 1099511628211ull;
        return h;
}

static uint32_t deaths_of(const struct symboliser_asked *q)
{
        uint64_t file = hash_of(q);

        for (uint32_t i = 0; i < N_BAD; i++)
                if (it.bad[i].file == file)
                        return it.bad[i].deaths;
        return 0;
}

static void blame(const struct symboliser_asked *q)
{
        uint64_t file = hash_of(q);

        for (uint32_t i = 0; i < N_BAD; i++)
                if (it.bad[i].file == file) {
                        it.bad[i].deaths++;
                        return;
                }
        it.bad[it.n_bad++ % N_BAD] = (struct bad){file, 1};
}

/* ---- its life ---- */

static uint64_t ns(const struct timeval *t)
{
        return (uint64_t)t->tv_sec * 1000000000ull + (uint64_t)t->tv_usec * 1000;
}

/* Returns how it ended: if it was about to, by that. */
static int end_it(void)
{
        struct rusage ru = {0};
        int status = 0;

        close(it.fd);
        kill(it.pid, SIGKILL);
        while (wait4(it.pid, &status, 0, &ru) < 0 && errno == EINTR)
                ;
        it.cpu_ns += ns(&ru.ru_utime) + ns(&ru.ru_stime);
        it.pid = 0;
        it.busy = false;
        return status;
}

void symboliser_close(void)
{
        if (it.pid)
                (void)end_it();
}

uint64_t symboliser_cpu_ns(void)
{
        struct timespec t = {0};
        clockid_t clock;

        if (it.pid && !clock_getcpuclockid(it.pid, &clock))
                (void)clock_gettime(clock, &t);
        return it.cpu_ns + (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* It is gone, or not to be believed. Who was killed from outside says nothing about a file. */
static void died(bool lied)
{
        bool busy = it.busy;
        int status = end_it();
        uint64_t rest = LEAST_REST_NS;

        if (lied || (busy && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)))
                blame(&it.asked);
        it.n_good = 0;
        if (++it.n_deaths <= DEATHS_FREE)
                return;
        for (uint32_t i = DEATHS_FREE; i < it.n_deaths && rest < MOST_REST_NS; i++)
                rest *= 2;
        it.rests_until_ns = clock_mono_ns() + rest;
}

static int start(void)
{
        int pair[2];

        if (it.pid)
                return 0;
        if (clock_mono_ns() < it.rests_until_ns)
                return SYMBOL_E_LATER;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return SYMBOL_E_LATER;
        it.pid = fork();
        if (!it.pid)
                symboliser_serve(pair[1]);
        close(pair[1]);
        if (it.pid < 0) {
                it.pid = 0;
                close(pair[0]);
                return SYMBOL_E_LATER;
        }
        it.fd = pair[0];
        return 0;
}

/* ---- questions ---- */

static bool is_same(const struct symboliser_asked *a, const struct symboliser_asked *b)
{
        return a->address == b->address && a->base == b->base && a->pid == b->pid &&
               a->has_path == b->has_path && (!a->has_path || !strcmp(a->path, b->path));
}

static int ask(const struct symboliser_asked *q)
{
        size_t n = offsetof(struct symboliser_asked, path) + strlen(q->path) + 1;

        it.asked = *q;
        it.asked.number = ++it.next_number;
        if (send(it.fd, &it.asked, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n) {
                died(false);
                return SYMBOL_E_LATER;
        }
        it.busy = true;
        return 0;
}

/* The next string of an answer; NULL: it has no more. */
static char *take_text(const char **at, const char *end)
{
        const char *nul = memchr(*at, 0, (size_t)(end - *at));
        char *s;

        if (!nul)
                return NULL;
        s = text_copy(*at, (size_t)(nul - *at));
        *at = nul + 1;
        return s;
}

static bool take_row(const struct symboliser_row *row, const char **at, const char *end,
                     struct symbol *ret)
{
        *ret = (struct symbol){.offset = row->offset,
                               .line = row->line <= INT32_MAX ? row->line : 0,
                               .inlined = row->inlined,
                               .function = take_text(at, end)};
        if (ret->function && !*ret->function) {
                free(ret->function);
                ret->function = NULL;
        } else if (!ret->function)
                return false;
        if (row->has_file)
                ret->file = take_text(at, end);
        return !row->has_file || ret->file;
}

static int take(const struct symboliser_told *t, size_t n, struct symbol *ret, uint32_t *ret_n,
                char **ret_library)
{
        const char *at = t->text, *end = (const char *)t + n;
        char *library = NULL;

        if (n < offsetof(struct symboliser_told, text) || t->n > SYMBOL_MOST ||
            (t->result && t->result != SYMBOL_E_UNKNOWN))
                return SYMBOL_E_UNKNOWN;
        if (t->has_library && !(library = take_text(&at, end)))
                return SYMBOL_E_UNKNOWN;
        for (uint32_t i = 0; i < t->n; i++)
                if (!take_row(&t->rows[i], &at, end, &ret[i])) {
                        symbols_done(ret, i + 1);
                        free(library);
                        return SYMBOL_E_UNKNOWN;
                }
        *ret_n = t->n;
        *ret_library = library;
        return t->n ? 0 : SYMBOL_E_UNKNOWN;
}

static bool is_told(uint64_t wait_us)
{
        struct timespec t = {.tv_sec = (time_t)(wait_us / 1000000),
                             .tv_nsec = (long)(wait_us % 1000000) * 1000};
        struct pollfd p = {.fd = it.fd, .events = POLLIN};

        return ppoll(&p, 1, &t, NULL) > 0;
}

/* false: there was none, and never will be. */
static bool hear(struct symboliser_told *ret, size_t *ret_n)
{
        ssize_t n = recv(it.fd, ret, sizeof(*ret), MSG_DONTWAIT);

        if (n < (ssize_t)sizeof(ret->number) || ret->number != it.asked.number) {
                died(n > 0);
                return false;
        }
        it.busy = false;
        if (++it.n_good == GOOD_AGAIN)
                it.n_deaths = 0;
        *ret_n = (size_t)n;
        return true;
}

int symboliser_find(const struct symboliser_question *question, uint64_t wait_us,
                    struct symbol *ret, uint32_t *ret_n, char **ret_library)
{
        static struct symboliser_told told;
        static struct symboliser_asked q;
        uint64_t until = clock_mono_ns() + wait_us * 1000, now;
        size_t n;

        q = (struct symboliser_asked){.address = question->address,
                                      .base = question->base,
                                      .pid = question->pid,
                                      .started_ns = question->started_ns,
                                      .is_now = question->is_now,
                                      .is_over = question->is_over,
                                      .has_path = question->path != NULL};
        if (question->path && strlen(question->path) >= sizeof(q.path))
                return SYMBOL_E_UNKNOWN;
        strcpy(q.path, question->path ? question->path : "");
        *ret_library = NULL;
        *ret_n = 0;
        for (;;) {
                uint32_t deaths = deaths_of(&q);

                if (deaths > 1)
                        return SYMBOL_E_UNKNOWN;
                q.without_dwarf = deaths == 1;
                if (start()) {
                        (void)usleep(wait_us < 1000 ? (useconds_t)wait_us : 1000);
                        return SYMBOL_E_LATER;
                }
                if (!it.busy && ask(&q))
                        continue;
                now = clock_mono_ns();
                if (!is_told(now < until ? (until - now) / 1000 : 0))
                        return SYMBOL_E_LATER;
                if (hear(&told, &n) && is_same(&q, &it.asked))
                        return take(&told, n, ret, ret_n, ret_library);
        }
}
