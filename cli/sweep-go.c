/* SPDX-License-Identifier: MIT */
/*
 * The runs of a sweep, one after the other. What a run told is in the state file before the next
 * one begins, so nothing that was measured is lost, whatever ends us; a run that was under way then
 * is made again.
 */
#include "cli/sweep-go.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/sweep-place.h"
#include "cli/text.h"
#include "common/cleanup.h"

/* While nothing is known that a run could be held against, one that takes longer than our patience
 * is put back, and the next one has its turn; patience doubles with each of these. */
#define PATIENCE_NS 2e9

struct going {
        struct sweep *s;
        const char *folder;
        size_t *points; /* of a round */
        bool tells;     /* there is a terminal, and somebody may look */
        double patience_ns;
        bool put_back; /* what was run last */
        int signal;
};

char *sweep_run_file(const char *folder, size_t i)
{
        char *path;

        return asprintf(&path, "%s/run-%04zu.infprof", folder, i) < 0 ? NULL : path;
}

/* Nobody else measures into the folder; until we end. */
static int lock(const char *folder)
{
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
                int e = errno;

                if (fd >= 0)
                        close(fd);
                cmd_error("sweep", "cannot have %s for us: %s", folder,
                          e == EWOULDBLOCK ? "another infprof sweep is at work there"
                                           : strerror(e));
                return -e;
        }
        return fd;
}

static void tell(const struct going *g, unsigned round, size_t left, size_t point)
{
        _cleanup_(freep) char *label = NULL, *line = NULL, *short_line = NULL;
        const struct sweep *s = g->s;

        if (!g->tells)
                return;
        label = sweep_grid_label(&s->grid, point);
        if (asprintf(&line, "sweep: round %u of %zu, %zu more in it; %zu run%s made; now %s",
                     round + 1, s->n_runs, left, s->n, s->n == 1 ? "" : "s",
                     label ? label : "?") < 0)
                return;
        short_line = text_clean(line, 79);
        fprintf(stderr, "\r\033[K%s", short_line ? short_line : "");
}

static void tell_no_more(const struct going *g)
{
        if (g->tells)
                fputs("\r\033[K", stderr);
}

/* Why a run did not end well, for people; NULL where it did. */
static char *why_not(const struct sweep *s, const struct sweep_run *run, const struct trial *t,
                     const struct trial_options *o)
{
        char end[128], took[TEXT_CELL], *text = NULL;
        const char *words = t->last_words;

        (void)s;
        if (sweep_run_ok(run))
                return NULL;
        trial_say_end(t, o, end, sizeof(end));
        if (run->cut)
                snprintf(end, sizeof(end), "cut after %s: others take a fraction of that",
                         text_duration(took, run->limit_ns));
        if (run->cut || !*words)
                text = strdup(end);
        else if (asprintf(&text, "%s: %s", end, words) < 0)
                text = NULL;
        for (char *p = text; p && *p; p++)
                if ((unsigned char)*p >= 0x80 || (unsigned char)*p < 0x20)
                        *p = '?';
        return text;
}

/* What else is to be known of it; NULL: nothing. */
static char *trouble_of(const struct trial *t)
{
        char *text = NULL;

        if (*t->trouble)
                return strdup(t->trouble);
        if (t->n_left &&
            asprintf(&text,
                     "it left %zu process%s behind, which go%s on and may take what "
                     "later runs want",
                     t->n_left, t->n_left == 1 ? "" : "es", t->n_left == 1 ? "es" : "") < 0)
                return NULL;
        return text;
}

static int out_of_memory(void)
{
        cmd_error("sweep", "out of memory");
        return -ENOMEM;
}

/* One run. `file`: where it is kept, NULL: nowhere. */
static int run_once(struct going *g, size_t point, const char *file, struct sweep_run *ret)
{
        struct sweep *s = g->s;
        _cleanup_(freep) char *why = NULL;
        struct trial_options o = {.numa_policy = -1, .record = file, .record_args = s->record};
        struct sweep_place place;
        struct trial t = {0};
        double cut = sweep_cut_ns(s, point);
        bool patient = cut > 0 || s->full || s->cut <= 0;
        int r = sweep_words(&s->grid, point, s->argv, NULL, &o.argv, &why);

        if (!r)
                r = sweep_words(&s->grid, point, s->env, NULL, &o.env, &why);
        if (!r)
                r = sweep_place(&place, &s->grid, point, &why);
        if (!r && !o.argv[0])
                r = (why = strdup("the command is empty")) ? -EINVAL : -ENOMEM;
        if (!r) {
                o.cpus = place.has_cpus ? &place.cpus : NULL;
                o.cpus_size = sizeof(place.cpus);
                o.numa_policy = place.policy;
                o.numa_nodes = place.nodes;
                o.memory_bytes = s->memory_bytes;
                o.time_ns = s->time_ns;
                if (!patient)
                        cut = g->patience_ns;
                if (cut > 0 && (!s->time_ns || cut < (double)s->time_ns))
                        o.time_ns = (uint64_t)cut;
                r = trial_run(&t, &o);
        }
        if (r)
                cmd_error("sweep", "cannot run it: %s", why ? why : strerror(-r));
        *ret = (struct sweep_run){.point = point,
                                  .end = t.end,
                                  .code = t.code,
                                  .cut = t.end == TRIAL_OVER_TIME && o.time_ns != s->time_ns,
                                  .limit_ns = (double)o.time_ns,
                                  .wall_ns = (double)t.wall_ns,
                                  .cpu_ns = (double)(t.user_ns + t.system_ns),
                                  .peak_bytes = t.peak_bytes ? (double)t.peak_bytes : NAN,
                                  .tokens = NAN,
                                  .tokens_per_second = NAN,
                                  .requests = NAN,
                                  .p50_ns = NAN,
                                  .p95_ns = NAN,
                                  .spawns = NAN,
                                  .waits = NAN,
                                  .allocations = NAN,
                                  .others = t.others,
                                  .recorded = file && !access(file, R_OK)};
        g->put_back = !patient && ret->cut;
        if (!r) {
                ret->why = why_not(s, ret, &t, &o);
                ret->trouble = trouble_of(&t);
        }
        sweep_words_free(o.argv);
        sweep_words_free(o.env);
        return r;
}

static void run_done(struct sweep_run *run)
{
        free(run->why);
        free(run->trouble);
}

static int save(const struct going *g)
{
        _cleanup_(freep) char *why = NULL;
        int r = sweep_save(g->s, g->folder, &why);

        if (r)
                cmd_error("sweep", "%s", why ? why : "out of memory");
        return r;
}

static int measure(struct going *g, unsigned round, size_t point)
{
        _cleanup_(freep) char *file = g->s->bare ? NULL : sweep_run_file(g->folder, g->s->n);
        struct sweep_run run;
        int r;

        if (!file && !g->s->bare)
                return out_of_memory();
        r = run_once(g, point, file, &run);
        run.round = round;
        if (!r && (run.end == TRIAL_INTERRUPTED || g->put_back)) {
                g->signal = g->put_back ? 0 : run.code;
                if (file)
                        unlink(file);
                run_done(&run);
                return 0;
        }
        if (!r && run.recorded)
                sweep_look(&run, g->s, file);
        if (!r)
                r = sweep_add(g->s, &run) ? out_of_memory() : 0;
        if (r) {
                run_done(&run);
                return r;
        }
        return save(g);
}

/* Unmeasured runs, so that files are in memory. */
static int warm_up(struct going *g)
{
        size_t n = sweep_grid_points(&g->s->grid);
        int r = 0;

        for (size_t i = 0; !r && !g->signal && i < g->s->n_warmup; i++) {
                struct sweep_run run;

                if (g->tells)
                        fprintf(stderr, "\r\033[Ksweep: warming up, %zu of %zu", i + 1,
                                g->s->n_warmup);
                r = run_once(g, i % n, NULL, &run);
                if (!r && run.end == TRIAL_INTERRUPTED)
                        g->signal = run.code;
                run_done(&run);
        }
        return r;
}

/* The first of these becomes the last. */
static void put_back(size_t *points, size_t n)
{
        size_t first = points[0];

        memmove(points, points + 1, (n - 1) * sizeof(*points));
        points[n - 1] = first;
}

static int go(struct going *g)
{
        struct sweep *s = g->s;
        int r = save(g);

        if (!r && !s->n)
                r = warm_up(g);
        for (unsigned round = 0; !r && !g->signal && round < s->n_runs; round++) {
                size_t n = sweep_plan(s, round, g->points);

                for (size_t i = 0; !r && !g->signal && i < n; i++) {
                        g->signal = trial_signal();
                        tell(g, round, n - i, g->points[i]);
                        if (!g->signal)
                                r = measure(g, round, g->points[i]);
                        if (!r && !g->signal && g->put_back) {
                                put_back(g->points + i, n - i);
                                g->patience_ns *= 2;
                                i--;
                        }
                }
        }
        tell_no_more(g);
        if (!r && !g->signal) {
                s->complete = true;
                r = save(g);
        }
        return r;
}

int sweep_go(struct sweep *s, const char *folder, int *ret_signal)
{
        struct going g = {.s = s,
                          .folder = folder,
                          .tells = isatty(STDERR_FILENO),
                          .patience_ns = PATIENCE_NS};
        int r, fd = lock(folder);

        *ret_signal = 0;
        if (fd < 0)
                return fd;
        g.points = calloc(sweep_grid_points(&s->grid), sizeof(*g.points));
        trial_watch();
        r = g.points ? go(&g) : out_of_memory();
        trial_unwatch();
        free(g.points);
        close(fd);
        *ret_signal = g.signal;
        return r;
}
