/* SPDX-License-Identifier: MIT */
/*
 * Two commands run in turns, A B B A A B B A: what drifts while they run (the machine's warmth,
 * what others do) drifts over both. A run that fails is kept as such and counted; a signal ends all
 * of it, and what was measured stands.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/ab.h"
#include "cli/cmd.h"
#include "cli/text.h"
#include "common/cleanup.h"

static int no_memory(void)
{
        cmd_error("ab", "out of memory");
        return CMD_NO;
}

/* --- folders --- */

static int make_folder(const char *path)
{
        if (!mkdir(path, 0777))
                return 0;
        cmd_error("ab", "'%s' cannot be made: %s%s", path, strerror(errno),
                  errno == EEXIST ? "; name another one with -o" : "");
        return CMD_NO;
}

static int make_folders(struct ab *ab)
{
        const char *given = ab->options->output;
        time_t now = time(NULL);
        struct tm tm;
        char name[64];
        int r;

        localtime_r(&now, &tm);
        strftime(name, sizeof(name), "infprof-ab-%Y%m%d-%H%M%S", &tm);
        ab->folder = strdup(given ? given : name);
        if (!ab->folder || asprintf(&ab->sides[0].folder, "%s/a", ab->folder) < 0 ||
            asprintf(&ab->sides[1].folder, "%s/b", ab->folder) < 0)
                return no_memory();
        r = make_folder(ab->folder);
        for (int side = 0; side < 2 && !r; side++) {
                r = make_folder(ab->sides[side].folder);
                ab->sides[side].runs = calloc(ab->options->runs + 1, sizeof(struct ab_run));
                if (!ab->sides[side].runs)
                        return no_memory();
        }
        return r;
}

/* Nothing is left behind. */
static void remove_all(const struct ab *ab)
{
        for (int side = 0; side < 2; side++) {
                const struct ab_side *s = &ab->sides[side];
                char path[4200];

                for (size_t i = 0; i < s->n; i++) {
                        snprintf(path, sizeof(path), "%s/%s", s->folder, s->runs[i].file);
                        if (s->runs[i].file[0])
                                trial_forget(&s->runs[i].trial, path);
                }
                snprintf(path, sizeof(path), "%s/" DIFF_TRIALS, s->folder);
                unlink(path);
                rmdir(s->folder);
        }
        rmdir(ab->folder);
}

/* --- one run --- */

/* On one line of the terminal, gone in the end. */
static void show_progress(const struct ab *ab, int side, bool warmup)
{
        size_t done = ab->sides[0].n + ab->sides[1].n, all = 2 * ab->options->runs;
        double sum = 0;
        char left[TEXT_CELL];

        if (!isatty(STDERR_FILENO))
                return;
        for (int s = 0; s < 2; s++)
                for (size_t i = 0; i < ab->sides[s].n; i++)
                        sum += (double)ab->sides[s].runs[i].trial.wall_ns;
        if (warmup)
                fprintf(stderr, "\r\033[Kwarm-up of %c", "AB"[side]);
        else if (!done)
                fprintf(stderr, "\r\033[Krun 1 of %zu, %c", all, "AB"[side]);
        else
                fprintf(stderr, "\r\033[Krun %zu of %zu, %c; %s left", done + 1, all, "AB"[side],
                        text_duration(left, sum / (double)done * (double)(all - done)));
        fflush(stderr);
}

static void hide_progress(void)
{
        if (isatty(STDERR_FILENO))
                fputs("\r\033[K", stderr);
}

/* 0 to go on; 1 that was the last; or a negative errno. */
static int run_one(struct ab *ab, int side, bool warmup)
{
        const struct ab_options *o = ab->options;
        struct ab_side *s = &ab->sides[side];
        struct trial_options to = {.argv = o->argv[side],
                                   .time_ns = o->time_ns,
                                   .numa_policy = -1,
                                   .record_args = o->record_args};
        _cleanup_(freep) char *path = NULL;
        struct ab_run run = {0};
        int r;

        snprintf(run.file, sizeof(run.file), warmup ? ".warm-up.infprof" : "%04zu.infprof",
                 s->n + 1);
        if (asprintf(&path, "%s/%s", s->folder, run.file) < 0)
                return -ENOMEM;
        to.record = o->bare ? NULL : path;
        show_progress(ab, side, warmup);
        r = trial_run(&run.trial, &to);
        if (r < 0)
                return r;
        s->ran |= run.trial.end != TRIAL_NOT_RUN;
        if (run.trial.trouble[0] && !ab->trouble[0])
                snprintf(ab->trouble, sizeof(ab->trouble), "%s", run.trial.trouble);
        if (run.trial.end == TRIAL_INTERRUPTED || run.trial.end == TRIAL_NOT_RUN || warmup) {
                if (to.record)
                        trial_forget(&run.trial, path);
                ab->signal = run.trial.end == TRIAL_INTERRUPTED ? run.trial.code : 0;
                ab->refused = run.trial.end == TRIAL_NOT_RUN ? side : ab->refused;
                if (ab->refused >= 0)
                        s->runs[s->n] = run; /* why */
                return ab->signal || ab->refused >= 0;
        }
        if (o->bare || access(path, F_OK) < 0)
                run.file[0] = '\0';
        s->n_failed += !trial_succeeded(&run.trial);
        s->runs[s->n++] = run;
        return ab_write_trials(ab, side);
}

/* A B B A ... */
static int run_all(struct ab *ab)
{
        const struct ab_options *o = ab->options;
        int r = 0;

        for (uint64_t i = 0; i < 2 * o->warmup && !r; i++)
                r = run_one(ab, (int)(i & 1), true);
        for (uint64_t i = 0; i < 2 * o->runs && !r; i++)
                r = run_one(ab, (int)((i ^ i >> 1) & 1), false);
        return r;
}

void ab_say_kept(const struct ab *ab, char *buf, size_t n)
{
        if (ab->sides[0].n && ab->sides[1].n)
                snprintf(buf, n, "%zu and %zu runs are kept; infprof diff %s/a %s/b",
                         ab->sides[0].n, ab->sides[1].n, ab->folder, ab->folder);
        else
                snprintf(buf, n, "%zu and %zu runs are kept in %s", ab->sides[0].n, ab->sides[1].n,
                         ab->folder);
}

/* A command that cannot be run at all leaves nothing; one that could, what was measured. */
static bool keeps_any(const struct ab *ab)
{
        return (ab->sides[0].n || ab->sides[1].n) &&
               (ab->refused < 0 || ab->sides[ab->refused].ran);
}

static int say_refused(const struct ab *ab)
{
        const struct ab_side *s = &ab->sides[ab->refused];
        char how[160], kept[4200];

        trial_say_end(&s->runs[s->n].trial, &(struct trial_options){0}, how, sizeof(how));
        ab_say_kept(ab, kept, sizeof(kept));
        cmd_error("ab", "cannot run %s%s: %s%s%s", ab->options->argv[ab->refused][0],
                  s->ran ? " any more" : "", strncmp(how, "not run: ", 9) ? how : how + 9,
                  keeps_any(ab) ? "; " : "", keeps_any(ab) ? kept : "");
        return CMD_NOTHING;
}

static int say_not_made(const struct ab *ab, int r)
{
        char kept[4200];

        ab_say_kept(ab, kept, sizeof(kept));
        cmd_error("ab", "no %srun can be made: %s%s%s", keeps_any(ab) ? "further " : "",
                  strerror(-r), keeps_any(ab) ? "; " : "", keeps_any(ab) ? kept : "");
        return CMD_NO;
}

int ab_run(struct ab *ret, const struct ab_options *options)
{
        int r;

        *ret = (struct ab){.options = options, .refused = -1};
        r = make_folders(ret);
        if (r)
                return r;
        trial_watch();
        r = run_all(ret);
        trial_unwatch();
        hide_progress();
        if (!keeps_any(ret))
                remove_all(ret);
        if (r < 0)
                return say_not_made(ret, r);
        return ret->refused >= 0 ? say_refused(ret) : CMD_DONE;
}

void ab_done(struct ab *ab)
{
        for (int side = 0; side < 2; side++) {
                free(ab->sides[side].folder);
                free(ab->sides[side].runs);
        }
        free(ab->folder);
}
