/* SPDX-License-Identifier: MIT */
/*
 * Where the engine's own threads spend their time, stamped by themselves: for each pass and thread,
 * so many ticks in each row. A clock is its thread's own. A thread that waits while a pass ends is
 * told by the one that decides, before it wakes, when that was, and splits its waiting there: so
 * the rows of a thread that lives through a pass sum up to the pass.
 *
 * A step is a decode pass and what is outside of passes before it: from the end of the pass before
 * to its own end. Prefills are not in the sums.
 *
 * A thread may be put off the CPU between any two instructions: who else stamps the same calls may
 * see it in another row. How long threads were kept waiting for a CPU, in any row, is the kernel's
 * word (run_delay of schedstat), over the whole of the run.
 */
#include "tiny.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct tk_clock tiny_still;
struct tk_clock *tiny_clock = &tiny_still;

static const char *const row_names[TK_N_ROWS] = {
        "compute", "barrier", "lock", "join", "sleep", "alloc", "spawn", "outside", "pass",
};

/* Memory that malloc knows nothing about. */
static void *map(size_t bytes)
{
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (p == MAP_FAILED)
                abort();
        return p;
}

static uint64_t *rows_of(const struct tiny_ledger *l, int thread, int pass)
{
        return l->rows + ((size_t)thread * (l->n_passes + 1) + pass) * TK_N_ROWS;
}

void tiny_ledger_init(struct tiny_ledger *l, bool on, int n_threads, int n_texts, int n_tokens)
{
        *l = (struct tiny_ledger){.on = on,
                                  .n_threads = n_threads,
                                  .n_passes = n_texts * n_tokens,
                                  .n_tokens = n_tokens};
        l->clocks = map((size_t)n_threads * sizeof(*l->clocks));
        tiny_clock = &l->clocks[0];
        if (!on)
                return;
        size_t n = (size_t)l->n_passes + 1;
        l->rows = map(n * n_threads * TK_N_ROWS * sizeof(*l->rows));
        l->spawns = map(n * sizeof(*l->spawns));
        l->delays = map((size_t)n_threads * sizeof(*l->delays));
        tiny_ledger_delay(l, 0);
        l->start_ns = tk_now_ns();
        l->start = tk_ticks();
        tiny_ledger_begin(l, 0, TK_ROW_OUTSIDE);
}

/* Of this thread, so far; UINT64_MAX: the kernel does not say. */
static uint64_t run_delay(void)
{
        char text[64];
        uint64_t ns = UINT64_MAX;
        int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        if (fd >= 0)
                close(fd);
        text[n > 0 ? n : 0] = 0;
        return sscanf(text, "%*u %" SCNu64, &ns) == 1 ? ns : UINT64_MAX;
}

void tiny_ledger_delay(struct tiny_ledger *l, int thread)
{
        uint64_t now = l->on ? run_delay() : 0;

        if (l->on && l->delays[thread] != UINT64_MAX)
                l->delays[thread] = now == UINT64_MAX ? now : now - l->delays[thread];
}

void tiny_ledger_begin(struct tiny_ledger *l, int thread, enum tk_row row)
{
        struct tk_clock *c = &l->clocks[thread];

        if (!l->on)
                return;
        *c = (struct tk_clock){.rows = rows_of(l, thread, l->pass), .last = tk_ticks(), .row = row};
}

void tiny_ledger_end(struct tiny_ledger *l, int thread)
{
        tk_turn(&l->clocks[thread], TK_ROW_OUTSIDE);
        l->clocks[thread].rows = NULL;
}

void tiny_ledger_go(struct tiny_ledger *l, int thread, int pass)
{
        struct tk_clock *c = &l->clocks[thread];

        tk_turn(c, TK_ROW_OUTSIDE);
        if (c->rows)
                c->rows = rows_of(l, thread, pass);
}

void tiny_ledger_next(struct tiny_ledger *l)
{
        tiny_ledger_go(l, 0, l->pass + 1);
        l->passed = l->clocks[0].last;
        l->pass++;
}

void tiny_ledger_follow(struct tiny_ledger *l, int thread)
{
        struct tk_clock *c = &l->clocks[thread];

        if (!c->rows)
                return;
        if (l->passed > c->last) {
                c->rows[c->row] += l->passed - c->last;
                c->last = l->passed;
        }
        c->rows = rows_of(l, thread, l->pass);
}

void tiny_ledger_spawned(struct tiny_ledger *l)
{
        if (l->on)
                l->spawns[l->pass]++;
}

/* ---- on paper */

static double ns_per_tick; /* of the whole run */

static uintmax_t ns(uint64_t ticks)
{
        return (uintmax_t)((double)ticks * ns_per_tick + 0.5);
}

static void write_rows(FILE *f, const char *name, const uint64_t *rows)
{
        uint64_t sum = 0;

        fprintf(f, "\"%s\": {", name);
        for (int r = 0; r < TK_N_ROWS; r++) {
                fprintf(f, "%s\"%s\": %ju", r ? ", " : "", row_names[r], ns(rows[r]));
                sum += rows[r];
        }
        fprintf(f, "}, \"%s_ns\": %ju", name, ns(sum));
}

static void add(uint64_t *sum, const uint64_t *rows)
{
        for (int r = 0; r < TK_N_ROWS; r++)
                sum[r] += rows[r];
}

static bool decodes(const struct tiny_ledger *l, int pass)
{
        return pass % l->n_tokens != 0;
}

/* What the thread that decides did in a pass: where each writes texts of its own, whoever it was.
 */
static void of_pass(const struct tiny_ledger *l, int pass, uint64_t *ret_own, uint64_t *ret_all)
{
        for (int t = 0; t < l->n_threads; t++) {
                add(ret_all, rows_of(l, t, pass));
                if (t == 0 || l->coarse)
                        add(ret_own, rows_of(l, t, pass));
        }
}

static void write_sums(FILE *f, const struct tiny_ledger *l)
{
        uint64_t own[TK_N_ROWS] = {0}, all[TK_N_ROWS] = {0};
        int n = 0;

        for (int p = 0; p < l->n_passes; p++) {
                if (!decodes(l, p))
                        continue;
                of_pass(l, p, own, all);
                n++;
        }
        fprintf(f, "{\"steps\": %d,\n ", n);
        write_rows(f, "own", own);
        fprintf(f, ",\n ");
        write_rows(f, "all", all);
}

/* Of threads that live for one op it is not known. */
static void write_delay(FILE *f, const char *name, const struct tiny_pool *pool, int n)
{
        uint64_t sum = 0;
        bool known = n == 1 || pool->spawn == TINY_SPAWN_POOL;

        for (int t = 0; t < n; t++) {
                known &= pool->ledger->delays[t] != UINT64_MAX;
                sum += pool->ledger->delays[t];
        }
        if (known)
                fprintf(f, ",\n \"%s_delay_ns\": %" PRIu64, name, sum);
        else
                fprintf(f, ",\n \"%s_delay_ns\": null", name);
}

static void write_threads(FILE *f, const struct tiny_ledger *l)
{
        fprintf(f, ",\n \"threads\": [");
        for (int t = 0; t < l->n_threads; t++) {
                uint64_t sum[TK_N_ROWS] = {0};

                for (int p = 0; p < l->n_passes; p++)
                        if (decodes(l, p))
                                add(sum, rows_of(l, t, p));
                fprintf(f, "%s\n  {", t ? "," : "");
                write_rows(f, "rows", sum);
                fprintf(f, "}");
        }
        fprintf(f, "]");
}

static void write_meet(FILE *f, const struct tiny_meet *m)
{
        fprintf(f, "\"barriers\": %ju, \"last\": %ju, \"barrier_ns\": %ju", (uintmax_t)m->n,
                (uintmax_t)m->last, ns(m->ticks));
}

/* By kernel: of all passes, prefills too. */
static void write_workers(FILE *f, const struct tiny_pool *pool)
{
        fprintf(f, ",\n \"workers\": [");
        for (int i = 0; i < pool->n_threads; i++) {
                const struct tk_ctx *ctx = &pool->ctx[i];
                const char *comma = "";

                fprintf(f, "%s\n  {", i ? "," : "");
                for (int k = 0; k < TK_N_KERNELS; k++) {
                        if (!ctx->ticks[k])
                                continue;
                        fprintf(f, "%s\"%s\": {\"compute_ns\": %ju, ", comma, tk_kernel_names[k],
                                ns(ctx->ticks[k]));
                        write_meet(f, &pool->meets[i].after[k]);
                        fprintf(f, "}");
                        comma = ",\n   ";
                }
                fprintf(f, "}");
        }
        fprintf(f, "]");
}

static void write_each(FILE *f, const struct tiny_ledger *l)
{
        const char *comma = "";

        fprintf(f, ",\n \"each\": [");
        for (int p = 0; p < l->n_passes; p++) {
                uint64_t own[TK_N_ROWS] = {0}, all[TK_N_ROWS] = {0};

                if (!decodes(l, p))
                        continue;
                of_pass(l, p, own, all);
                fprintf(f, "%s\n  {\"text\": %d, \"token\": %d, \"spawns\": %u, ", comma,
                        p / l->n_tokens, p % l->n_tokens, l->spawns[p]);
                write_rows(f, "own", own);
                fprintf(f, ", ");
                write_rows(f, "all", all);
                fprintf(f, "}");
                comma = ",";
        }
        fprintf(f, "]}\n");
}

int tiny_ledger_write(const char *path, const struct tiny_pool *pool)
{
        const struct tiny_ledger *l = pool->ledger;
        FILE *f = fopen(path, "we");

        if (!f)
                return -errno;
        ns_per_tick = (double)(tk_now_ns() - l->start_ns) / (double)(tk_ticks() - l->start);
        tiny_ledger_delay(pool->ledger, 0);
        write_sums(f, l);
        write_delay(f, "own", pool, l->coarse ? l->n_threads : 1);
        write_delay(f, "all", pool, l->n_threads);
        write_threads(f, l);
        write_workers(f, pool);
        write_each(f, l);
        int failed = ferror(f);
        return fclose(f) != 0 || failed ? -EIO : 0;
}
