/* SPDX-License-Identifier: MIT */
/*
 * Of a folder, the run files are taken by name and the bundles by content, and then what `infprof
 * ab` wrote about them. A name that is there as it stands is that file, even with commas in it.
 */
#include "cli/diff-sides.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "cli/cmd.h"
#include "cli/run-find.h"
#include "common/cleanup.h"

#define SUFFIX ".infprof"

static bool is_folder(const char *path)
{
        struct stat st;

        return !stat(path, &st) && S_ISDIR(st.st_mode);
}

bool diff_side_is_one(const char *side)
{
        return !is_folder(side) && (!access(side, F_OK) || !strchr(side, ','));
}

static int failed(const char *verb, int r, char *why)
{
        cmd_error(verb, "%s", why ? why : strerror(r < 0 ? -r : EIO));
        free(why);
        return r > 0 || r == -EINVAL ? CMD_NOTHING : CMD_NO;
}

static int is_seen(const struct dirent *d)
{
        return d->d_name[0] != '.';
}

/* A run file by its name, a bundle by its content. */
static bool is_run(const char *path)
{
        size_t n = strlen(path), suffix = strlen(SUFFIX);

        return (n > suffix && !strcmp(path + n - suffix, SUFFIX)) || bundle_is(path);
}

static int add_file(const char *verb, const char *path, bool many, struct diff_set *set)
{
        struct bundle b = {.fd = -1};
        size_t before = set->n;
        char *why = NULL;
        int r = bundle_is(path) ? bundle_open(&b, path, &why) : 0;

        if (r > 0 && many) {
                diff_set_leave_out(set, path, why ? why : "it cannot be read");
                free(why);
                return CMD_DONE;
        }
        if (!r)
                r = diff_set_add(set, b.fd >= 0 ? b.path : path, many, &why);
        if (!r && b.fd >= 0 && set->n > before)
                r = diff_set_name(set, path);
        if (b.fd >= 0)
                why = bundle_why(&b, why);
        bundle_close(&b);
        return r ? failed(verb, r, why) : CMD_DONE;
}

static int add_folder(const char *verb, const char *folder, struct diff_set *set)
{
        _cleanup_(freep) char *trials = NULL;
        struct dirent **list = NULL;
        int n = scandir(folder, &list, is_seen, alphasort), r = CMD_DONE;

        for (int i = 0; i < n; i++) {
                _cleanup_(freep) char *path = NULL;

                if (!r && asprintf(&path, "%s/%s", folder, list[i]->d_name) >= 0 && is_run(path))
                        r = add_file(verb, path, true, set);
                free(list[i]);
        }
        free(list);
        if (n < 0) {
                cmd_error(verb, "'%s' cannot be read: %s", folder, strerror(errno));
                return CMD_NOTHING;
        }
        if (r || asprintf(&trials, "%s/" DIFF_TRIALS, folder) < 0)
                return r;
        if (!access(trials, F_OK)) {
                char *why = NULL;
                int e = diff_set_add_trials(set, trials, &why);

                if (e)
                        return failed(verb, e, why);
        }
        return CMD_DONE;
}

static int add(const char *verb, const char *what, bool many, struct diff_set *set)
{
        _cleanup_(freep) char *file = NULL;
        int r;

        if (is_folder(what))
                return add_folder(verb, what, set);
        r = run_find_file(verb, what, &file);
        return r ? r : add_file(verb, file, many, set);
}

int diff_side_load(const char *verb, const char *side, struct diff_set *ret)
{
        _cleanup_(freep) char *copy = strdup(side);
        char *rest = copy, *word;
        bool one = is_folder(side) || diff_side_is_one(side);
        int r = 0;

        if (diff_set_init(ret) || !copy) {
                cmd_error(verb, "out of memory");
                return CMD_NO;
        }
        if (one)
                r = add(verb, side, false, ret);
        while (!one && !r && (word = strsep(&rest, ",")))
                if (*word)
                        r = add(verb, word, true, ret);
        if (r)
                return r;
        diff_set_settle(ret);
        if (!ret->n) {
                const json_t *first = json_array_get(ret->left_out, 0);
                const char *why = json_string_value(json_object_get(first, "why"));

                if (!why && is_folder(side))
                        why = "no run file (*" SUFFIX ") and no bundle is in it";
                cmd_error(verb, "'%.60s%s' has no run that can be compared%s%s", side,
                          strlen(side) > 60 ? "..." : "", why ? ": " : "", why ? why : "");
                return CMD_NOTHING;
        }
        return CMD_DONE;
}
