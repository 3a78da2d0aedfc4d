/* SPDX-License-Identifier: MIT */
/*
 * What an engine says that it is about (infprof_text()) is often what a user asked of it. A copy of
 * a run that is to be given away goes without: each text is replaced, so that when it was told and
 * by whom stays, and then the whole is written anew, for SQLite leaves in free pages what was
 * there.
 */
#include <errno.h>

#include "common/runfile-private.h"

static int count(sqlite3 *db, const char *sql, int64_t *ret)
{
        _cleanup_(finalizep) sqlite3_stmt *s = NULL;
        int r = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

        if (r == SQLITE_OK)
                r = sqlite3_step(s);
        if (r != SQLITE_ROW)
                return r == SQLITE_DONE ? SQLITE_CORRUPT : r;
        *ret = sqlite3_column_int64(s, 0);
        return SQLITE_OK;
}

/* Runs of before there were texts have no such table. */
static int count_texts(sqlite3 *db, int64_t *ret)
{
        int64_t tables;
        int r = count(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'instant'", &tables);

        *ret = 0;
        return r != SQLITE_OK || !tables
                       ? r
                       : count(db, "SELECT count(*) FROM instant WHERE kind = 1", ret);
}

static int replace(sqlite3 *db, int64_t *ret_texts)
{
        int r = count_texts(db, ret_texts);

        if (r != SQLITE_OK || !*ret_texts)
                return r;
        return sqlite3_exec(db,
                            "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON;"
                            "UPDATE instant SET text = '" RUNFILE_NO_TEXT "' WHERE kind = 1;"
                            "VACUUM;",
                            NULL, NULL, NULL);
}

int runfile_bytes_texts(const uint8_t *bytes, size_t n, uint64_t *ret_texts)
{
        struct runfile copy = {0};
        int64_t texts = 0;
        int r = runfile_open_database(&copy, ":memory:", SQLITE_OPEN_READWRITE);

        if (!r)
                r = runfile_verdict(copy.db,
                                    sqlite3_deserialize(copy.db, "main", (unsigned char *)bytes,
                                                        (sqlite3_int64)n, (sqlite3_int64)n,
                                                        SQLITE_DESERIALIZE_READONLY));
        if (!r)
                r = runfile_verdict(copy.db, count_texts(copy.db, &texts));
        sqlite3_close(copy.db);
        *ret_texts = (uint64_t)texts;
        return r;
}

int runfile_bytes_drop_texts(uint8_t **bytes, size_t *n, uint64_t *ret_texts)
{
        struct runfile copy = {0};
        sqlite3_int64 after = 0;
        uint8_t *without = NULL;
        int64_t texts = 0;
        int r = runfile_open_database(&copy, ":memory:", SQLITE_OPEN_READWRITE);

        if (!r) { /* SQLite has them now, whatever comes */
                r = sqlite3_deserialize(
                        copy.db, "main", *bytes, (sqlite3_int64)*n, (sqlite3_int64)*n,
                        SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
                *bytes = NULL;
                r = runfile_verdict(copy.db, r);
        }
        if (!r)
                r = runfile_verdict(copy.db, replace(copy.db, &texts));
        if (!r) {
                without = sqlite3_serialize(copy.db, "main", &after, 0);
                r = without ? 0 : -ENOMEM;
        }
        sqlite3_close(copy.db);
        if (r)
                return r;
        *bytes = without;
        *n = (size_t)after;
        *ret_texts = (uint64_t)texts;
        return 0;
}
