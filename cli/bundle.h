/* SPDX-License-Identifier: MIT */
/*
 * A bundle: a run, and what a report of a bug needs besides, in one archive.
 *
 *   infprof-ID/manifest.json       what is in it, with sizes and checksums: infprof.bundle/1
 *   infprof-ID/report.txt          the report, to be read
 *   infprof-ID/report.json         the same, as infprof.report/1
 *   infprof-ID/surroundings.json   of this: what the run ran in
 *   infprof-ID/machine.json        infprof.machine/1, where it is known
 *   infprof-ID/run.infprof         the run file
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUNDLE_SCHEMA   "infprof.bundle/1"
#define BUNDLE_MANIFEST "manifest.json"
#define BUNDLE_RUN      "run.infprof"
#define BUNDLE_MOST_RUN ((uint64_t)1 << 30) /* bytes of a run file */

/*
 * Puts `run` into a bundle at `path`, with the texts that the engine told or without; the exit
 * code, after a few lines on stderr in any case.
 */
int bundle_write(const char *verb, const char *run, const char *path, bool force, bool texts);

/* What was taken out of one: a file without a name, which is gone with us. */
struct bundle {
        int fd;
        const char *name; /* of the bundle */
        char path[64];    /* as runfile_open() takes it */
};

enum {
        BUNDLE_E_FOREIGN = 1, /* it is no bundle, or a damaged one */
};

/* Does the file at `path` begin as an archive does? */
bool bundle_is(const char *path);

/*
 * Takes the run file out; `path` must outlive it. 0; BUNDLE_E_FOREIGN; -errno. *ret_why is one line
 * then, to be freed.
 */
int bundle_open(struct bundle *ret, const char *path, char **ret_why);
void bundle_close(struct bundle *b);

/* A line about that run file, which has no name, as one about the bundle; takes it over. */
char *bundle_why(const struct bundle *b, char *why);
