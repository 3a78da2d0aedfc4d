/* SPDX-License-Identifier: MIT */
/*
 * Files that can stand for runs: run files and bundles, and for a side of a difference folders of
 * them, several joined by commas. Where one path is being typed, the shell finds its way; behind a
 * comma it would take all of it for one name, so that is done here.
 */
#include "cli/complete.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/bundle.h"
#include "common/cleanup.h"

#define SUFFIX     ".infprof"
#define MOST_NAMES 2000

static bool is_run_file(const char *path)
{
        size_t n = strlen(path), suffix = strlen(SUFFIX);

        return (n > suffix && !strcmp(path + n - suffix, SUFFIX)) || bundle_is(path);
}

static void offer(const struct complete_word *w, const char *path, bool folders)
{
        _cleanup_(freep) char *folder = NULL;
        struct stat st;

        if (strncmp(path, w->text, strlen(w->text)) != 0 || stat(path, &st))
                return;
        if (!S_ISDIR(st.st_mode) && is_run_file(path))
                complete_offer(w, path, "file");
        if (S_ISDIR(st.st_mode) && folders && asprintf(&folder, "%s/", path) >= 0)
                complete_offer(w, folder, "folder");
}

static void offer_all(const struct complete_word *w, bool folders)
{
        const char *slash = strrchr(w->text, '/');
        int n_folder = slash ? (int)(slash + 1 - w->text) : 0, n = 0;
        _cleanup_(freep) char *in = slash ? strndup(w->text, (size_t)n_folder) : strdup(".");
        _cleanup_(closedirp) DIR *d = in ? opendir(in) : NULL;
        struct dirent *e;

        while (d && (e = readdir(d)) && n++ < MOST_NAMES) {
                _cleanup_(freep) char *path = NULL;

                if (e->d_name[0] != '.' &&
                    asprintf(&path, "%.*s%s", n_folder, w->text, e->d_name) >= 0)
                        offer(w, path, folders);
        }
}

/* Does it look as if a path was being typed? */
static bool is_path(const char *text)
{
        return strchr(text, '/') || text[0] == '.' || text[0] == '~';
}

bool complete_run(const struct complete_word *w, bool set)
{
        const char *comma = set ? strrchr(w->text, ',') : NULL;
        struct complete_word last = *w;
        _cleanup_(freep) char *before = NULL;

        if (!comma && is_path(w->text))
                return true;
        if (comma &&
            asprintf(&before, "%s%.*s", w->before, (int)(comma + 1 - w->text), w->text) < 0)
                return false;
        if (comma) {
                last.text = comma + 1;
                last.before = before;
        }
        if (!is_path(last.text))
                complete_runs(&last, true);
        offer_all(&last, set);
        return false;
}
