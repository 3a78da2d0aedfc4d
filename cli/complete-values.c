/* SPDX-License-Identifier: MIT */
/*
 * Runs, ops, marks and processes, as they are now. A person waits with a finger on Tab: what cannot
 * be had at once is not offered, and nothing that goes wrong is said. Files are read here; only for
 * processes the daemon is asked, and given a moment.
 */
#include "cli/complete.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/api-client.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/paths.h"
#include "common/report.h"
#include "common/runfile.h"

#define SUFFIX      ".infprof"
#define MOST_RUNS   1000 /* offered */
#define MOST_TOLD   16   /* of these, with what they are of: their files are opened */
#define MOST_NAMES  2000
#define PATIENCE_MS 100 /* for the daemon's answer */
#define MOST_ABOUT  60

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

static bool begins(const char *s, const char *with)
{
        return !strncmp(s, with, strlen(with));
}

static bool ends(const char *s, const char *with)
{
        size_t n = strlen(s), m = strlen(with);

        return n > m && !strcmp(s + n - m, with);
}

/* A line has a candidate and what it is; so neither may have another line in it. */
static bool is_line(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < 0x20 || *s == 0x7f)
                        return false;
        return true;
}

void complete_offer(const struct complete_word *w, const char *candidate, const char *about)
{
        static json_t *offered; /* once is enough */

        if (!*candidate || !begins(candidate, w->text) || !is_line(candidate) ||
            json_object_get(offered, candidate))
                return;
        offered = offered ? offered : json_object();
        json_object_set_new(offered, candidate, json_true());
        printf("%s%s", w->before, candidate);
        if (about && *about && is_line(about)) {
                _cleanup_(freep) char *cut = text_clean(about, MOST_ABOUT);

                printf("\t%s", cut ? cut : "");
        }
        putchar('\n');
}

/* ---- runs ---- */

static int newest_first(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*b)->d_name, (*a)->d_name);
}

static int is_run_file(const struct dirent *d)
{
        return d->d_name[0] != '.' && ends(d->d_name, SUFFIX);
}

/* Those in the state directory, by name, which begins with the time. */
static int list_runs(char **ret_dir, struct dirent ***ret)
{
        *ret = NULL;
        return ifp_state_dir(false, ret_dir, NULL)
                       ? 0
                       : scandir(*ret_dir, ret, is_run_file, newest_first);
}

void complete_runs(const struct complete_word *w, bool latest)
{
        _cleanup_(freep) char *dir = NULL;
        struct dirent **list;
        int n = list_runs(&dir, &list), told = 0;

        if (latest)
                complete_offer(w, "latest", "the newest run");
        for (int i = 0; i < n; i++) {
                _cleanup_(json_decrefp) json_t *summary = NULL;
                _cleanup_(freep) char *path = NULL;

                if (asprintf(&path, "%s/%s", dir, list[i]->d_name) < 0)
                        continue;
                list[i]->d_name[strlen(list[i]->d_name) - strlen(SUFFIX)] = '\0';
                if (i < MOST_RUNS && begins(list[i]->d_name, w->text)) {
                        if (told++ < MOST_TOLD)
                                (void)report_summary(path, &summary, NULL);
                        complete_offer(w, list[i]->d_name, text_string(summary, "command", NULL));
                }
                free(list[i]);
        }
        free(list);
}

/* ---- what is in a run ---- */

static char *newest_file(void)
{
        _cleanup_(freep) char *dir = NULL;
        struct dirent **list;
        int n = list_runs(&dir, &list);
        char *file = NULL;

        if (n > 0 && asprintf(&file, "%s/%s", dir, list[0]->d_name) < 0)
                file = NULL;
        while (n-- > 0)
                free(list[n]);
        free(list);
        return file;
}

static struct runfile *open_run(const struct complete_word *w)
{
        _cleanup_(freep) char *file = NULL, *dir = NULL;
        struct runfile *rf = NULL;

        if (!w->run || !strcmp(w->run, "latest"))
                file = newest_file();
        else if (!strchr(w->run, '/') && !ifp_state_dir(false, &dir, NULL) &&
                 asprintf(&file, "%s/%s" SUFFIX, dir, w->run) >= 0 && access(file, F_OK) < 0)
                free(steal_ptr(file));
        if (!file && w->run)
                file = strdup(w->run);
        return file && !runfile_open(&rf, file, NULL) ? rf : NULL;
}

struct names {
        const struct complete_word *w;
        json_t *seen; /* of several processes, one each */
};

static void offer_name(struct names *n, const char *name, const char *about)
{
        if (!name || json_object_get(n->seen, name) || json_object_size(n->seen) >= MOST_NAMES)
                return;
        json_object_set_new(n->seen, name, json_true());
        complete_offer(n->w, name, about);
}

static int take_op(const struct runfile_op *op, void *userdata)
{
        offer_name(userdata, op->op ? op->name : NULL, op->kernel);
        return 0;
}

static int take_mark(const struct runfile_mark *mark, void *userdata)
{
        offer_name(userdata, mark->name, "mark");
        return 0;
}

static void offer_ops(const struct complete_word *w)
{
        _cleanup_(runfile_closep) struct runfile *rf = open_run(w);
        struct names n = {.w = w, .seen = json_object()};

        if (rf)
                (void)runfile_each_op(rf, take_op, &n);
        json_decref(n.seen);
}

static void offer_marks(const struct complete_word *w)
{
        _cleanup_(runfile_closep) struct runfile *rf = open_run(w);
        struct names n = {.w = w, .seen = json_object()};

        if (rf)
                (void)runfile_each_mark(rf, take_mark, &n);
        json_decref(n.seen);
}

/* ---- processes ---- */

static void offer_processes(const struct complete_word *w)
{
        _cleanup_(json_decrefp) json_t *status = NULL;
        const json_t *p;
        char pid[32];
        size_t i;

        if (w->text[strspn(w->text, "0123456789")])
                return;
        api_hurry(PATIENCE_MS);
        if (api_get("/v1/status", &status, NULL))
                return;
        json_array_foreach(json_object_get(status, "processes"), i, p)
        {
                if (strcmp(text_string(p, "state", ""), "live") != 0)
                        continue;
                snprintf(pid, sizeof(pid), "%.0f", text_number(p, "pid"));
                complete_offer(w, pid, text_string(p, "command", NULL));
        }
}

/* ---- by the word of --help ---- */

/* Is `word` one of the bar-separated parts of `metavar`? */
static bool names(const char *metavar, const char *word)
{
        size_t n = strlen(word);

        for (const char *p = metavar; p; p = strchr(p, '|')) {
                p += *p == '|';
                if (!strncmp(p, word, n) && (!p[n] || p[n] == '|'))
                        return true;
        }
        return false;
}

bool complete_values(const struct complete_word *w, const char *option, const char *metavar)
{
        const char *words = complete_known(w->verb, option);

        if (words && *words >= 'a' && *words <= 'z')
                return complete_list(w, words), false;
        metavar = words ? words : metavar;
        if (!metavar)
                return false;
        if (*metavar >= 'a' && *metavar <= 'z')
                return complete_list(w, metavar), false;
        if (names(metavar, "PID"))
                offer_processes(w);
        if (names(metavar, "GLOB") || names(metavar, "OP"))
                offer_ops(w);
        if (names(metavar, "MARK"))
                offer_marks(w);
        if (names(metavar, "ID"))
                complete_runs(w, false);
        if ((names(metavar, "RUN") || names(metavar, "A") || names(metavar, "B")) &&
            complete_run(w, w->verb && !strcmp(w->verb, "diff"))) /* of flame, A and B are runs */
                return true;
        return names(metavar, "FILE") || names(metavar, "FOLDER") || names(metavar, "DIR") ||
               names(metavar, "PATH");
}
