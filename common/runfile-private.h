/* SPDX-License-Identifier: MIT */
/*
 * What runfile.c (opening, transactions) and runfile-rows.c (rows) share.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "common/cleanup.h"
#include "common/runfile-schema.h"
#include "common/runfile.h"

#define RUNFILE_TEXTS 8 /* of a row that is kept; no such table has more */

struct runfile {
        sqlite3 *db;
        char *path;
        bool writer;
        bool in_transaction;
        int failed; /* the first failure since begin */
        uint64_t synced_ns;
        char *why; /* of the last failed read */
        sqlite3_stmt *put[N_TABLES];
        void *map; /* of a file without a name; NULL: it has one */
        size_t map_bytes;
        struct runfile_process found; /* and its strings, as runfile_find_process gave them */
        char *found_text[RUNFILE_TEXTS];
        struct runfile_run run;
        bool has_run;
        char *run_text[RUNFILE_TEXTS];
        uint32_t n_hists;                      /* of the row being read, so far */
        uint64_t buckets[2][IFP_HIST_BUCKETS]; /* of the row last read: it has at most two
                                                  histograms */
};

DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize, finalizep);

int runfile_open_database(struct runfile *rf, const char *name, int flags);

/* common/runfile-memory.c: one that lies in an open file. */
bool runfile_has_no_name(const char *path);
int runfile_open_map(struct runfile *rf);

/* What a failure of SQLite means to us. */
int runfile_verdict(sqlite3 *db, int rc);

/* Sets *ret_why to one line; returns `r`. */
__attribute__((format(printf, 3, 4))) int runfile_explain(char **ret_why, int r, const char *format,
                                                          ...);
int runfile_explain_verdict(struct runfile *rf, int r, char **ret_why);
