/* SPDX-License-Identifier: MIT */
/*
 * A daemon that is killed leaves its run files as they were: with a -wal
 * beside them, and with processes that live. Those that still do have been
 * adopted by now; how the others ended, nobody can tell any more, and so it
 * is written. Closing the file makes it one plain file again.
 */
#include "daemon/bury.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/runfile.h"
#include "daemon/server.h"
#include "daemon/text.h"

#define SUFFIX ".infprof-wal"

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

static int bury_process(const struct runfile_process *from, void *userdata)
{
        struct runfile_process row = *from;

        if (row.end != RUNFILE_END_LIVE)
                return 0;
        row.end = RUNFILE_END_UNKNOWN;
        if (!row.reason)
                row.reason = "the collector was killed while it ran";
        return runfile_put_process(userdata, &row);
}

static void bury(struct server *s, const char *path)
{
        _cleanup_(runfile_closep) struct runfile *from = NULL, *to = NULL;
        _cleanup_(freep) char *why = NULL;
        struct runfile_run row;

        if (runfile_open(&from, path, &why) || runfile_get_run(from, &row) || runs_find(s, row.id))
                return;
        if (row.end == RUNFILE_END_LIVE)
                row.end = RUNFILE_END_UNKNOWN;
        if (runfile_create(&to, path, &row, &why) || runfile_begin(to))
                return;
        if (runfile_each_process(from, bury_process, to))
                runfile_abort(to);
        else
                (void)runfile_commit(to, &why);
        from = runfile_close(from); /* a reader would keep the writer from tidying up */
}

void bury_all(struct server *s)
{
        _cleanup_(closedirp) DIR *d = s->state_dir ? opendir(s->state_dir) : NULL;
        struct dirent *e;

        while (d && (e = readdir(d))) {
                _cleanup_(freep) char *path = NULL;
                size_t n = strlen(e->d_name);

                if (n <= strlen(SUFFIX) || strcmp(e->d_name + n - strlen(SUFFIX), SUFFIX))
                        continue;
                path = text_format("%s/%.*s", s->state_dir, (int)(n - 4), e->d_name);
                if (path)
                        bury(s, path);
        }
}
