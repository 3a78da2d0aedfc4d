/* SPDX-License-Identifier: MIT */
/*
 * The run file: opening, transactions, and what is said when something is
 * wrong with it. Rows are in runfile-rows.c, the tables in runfile-schema.c.
 *
 * A writer keeps the database in WAL mode while it writes, so that readers
 * never wait for it nor it for them, and turns it back into one plain file when it
 * closes. A reader holds one read transaction from open to close: all that it
 * reads is of one instant. Whatever the file holds was written by somebody else, so
 * SQLite is told not to trust the schema.
 */
#include "common/runfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <infprof/version.h>

#include "common/runfile-private.h"

#define BUSY_MS       2000
#define BUSY_CLOSE_MS 200
#define SYNC_EVERY_NS 2000000000ull /* what a power cut may take */
#define MAX_VALUE     (64 << 20)    /* bytes of one string or blob */

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int runfile_explain(char **ret_why, int r, const char *format, ...)
{
        va_list ap;
        char *text = NULL;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        /* names of a damaged file's tables may be in it */
        for (char *p = text; p && *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        *p = '?';
        if (ret_why)
                *ret_why = text;
        else
                free(text);
        return r;
}

int runfile_verdict(sqlite3 *db, int rc)
{
        int e = db ? sqlite3_system_errno(db) : 0;

        switch (rc & 0xff) {
        case SQLITE_OK:
        case SQLITE_DONE:
        case SQLITE_ROW:
                return 0;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_FULL:
                return RUNFILE_E_FULL;
        case SQLITE_IOERR:
                if (e == ENOSPC || e == EDQUOT)
                        return RUNFILE_E_FULL;
                if (rc == SQLITE_IOERR_SHORT_READ || rc == SQLITE_IOERR_CORRUPTFS)
                        return RUNFILE_E_FOREIGN;
                return e ? -e : -EIO;
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
        case SQLITE_ERROR: /* our SQL does not fit the schema that is there */
        case SQLITE_MISMATCH:
        case SQLITE_CONSTRAINT:
        case SQLITE_TOOBIG:
        case SQLITE_FORMAT:
                return RUNFILE_E_FOREIGN;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_READONLY:
                return -EROFS;
        case SQLITE_PERM:
        case SQLITE_AUTH:
                return -EACCES;
        case SQLITE_CANTOPEN:
                return e ? -e : -ENOENT;
        default:
                return -EIO;
        }
}

/* Which table or column our SQL missed: "no such table: op". */
static const char *missing(sqlite3 *db, char *buf, size_t size)
{
        static const char *const kinds[] = {"table", "column"};
        const char *said = sqlite3_errmsg(db);
        char before[32];

        for (size_t i = 0; i < 2; i++) {
                size_t n = (size_t)snprintf(before, sizeof(before), "no such %s: ", kinds[i]);

                if (strncmp(said, before, n) != 0)
                        continue;
                snprintf(buf, size, "its %s %s is missing", kinds[i], said + n);
                return buf;
        }
        return "a table or a column that it should have is missing";
}

/* What SQLite says, for people who know nothing of it; in buf[SAYING] or elsewhere. */
#define SAYING 128
static const char *plain_words(sqlite3 *db, char *buf)
{
        switch (db ? sqlite3_errcode(db) & 0xff : SQLITE_OK) {
        case SQLITE_NOTADB:
                return "it does not begin as one does";
        case SQLITE_CORRUPT:
                return "its parts do not fit together";
        case SQLITE_ERROR:
                return missing(db, buf, SAYING);
        case SQLITE_MISMATCH:
        case SQLITE_CONSTRAINT:
        case SQLITE_FORMAT:
        case SQLITE_TOOBIG:
                return "it holds what none does";
        default:
                return "its end is missing";
        }
}

int runfile_explain_verdict(struct runfile *rf, int r, char **ret_why)
{
        char words[SAYING];

        switch (r) {
        case RUNFILE_E_FULL:
                return runfile_explain(
                        ret_why, r,
                        "run file '%s': no room left on its disk; what was written until "
                        "then stays readable; make room or use another place",
                        rf->path);
        case RUNFILE_E_FOREIGN:
                return runfile_explain(ret_why, r,
                                       "'%s' is truncated or damaged: %s; it cannot be used",
                                       rf->path, plain_words(rf->db, words));
        case -EBUSY:
                return runfile_explain(
                        ret_why, r, "run file '%s': somebody else holds it; try again", rf->path);
        default:
                return runfile_explain(ret_why, r, "run file '%s': %s", rf->path, strerror(-r));
        }
}

static int execute(struct runfile *rf, const char *sql)
{
        return runfile_verdict(rf->db, sqlite3_exec(rf->db, sql, NULL, NULL, NULL));
}

/* The one integer that `sql` answers. */
static int query_integer(struct runfile *rf, const char *sql, int64_t *ret)
{
        _cleanup_(finalizep) sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(rf->db, sql, -1, &st, NULL);

        if (rc == SQLITE_OK)
                rc = sqlite3_step(st);
        if (rc != SQLITE_ROW)
                return rc == SQLITE_DONE ? RUNFILE_E_FOREIGN : runfile_verdict(rf->db, rc);
        *ret = sqlite3_column_int64(st, 0);
        return 0;
}

static struct runfile *runfile_alloc(const char *path)
{
        struct runfile *rf = calloc(1, sizeof(*rf));

        if (rf && !(rf->path = strdup(path))) {
                free(rf);
                rf = NULL;
        }
        return rf;
}

int runfile_open_database(struct runfile *rf, const char *name, int flags)
{
        static const int settings[][2] = {
                {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                {SQLITE_DBCONFIG_DQS_DML, 0},        {SQLITE_DBCONFIG_DQS_DDL, 0},
                {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        };
        int r;

        sqlite3_close(rf->db);
        rf->db = NULL;
        r = sqlite3_open_v2(name, &rf->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                            NULL);
        if (r != SQLITE_OK)
                return runfile_verdict(rf->db, r);
        sqlite3_busy_timeout(rf->db, BUSY_MS);
        sqlite3_limit(rf->db, SQLITE_LIMIT_LENGTH, MAX_VALUE);
        for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
                (void)sqlite3_db_config(rf->db, settings[i][0], settings[i][1], NULL);
        return execute(rf, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;");
}

/* Is what is open a run file, and one that we understand? */
static int check_identity(struct runfile *rf, char **ret_why)
{
        int64_t application, version;
        int r;

        r = query_integer(rf, "PRAGMA application_id", &application);
        if (!r)
                r = query_integer(rf, "PRAGMA user_version", &version);
        if (r)
                return runfile_explain_verdict(rf, r, ret_why);
        if (application != RUNFILE_APPLICATION_ID)
                return runfile_explain(
                        ret_why, RUNFILE_E_FOREIGN,
                        "'%s' is a database, but not an infprof run file; give a file that "
                        "`infprof record` wrote",
                        rf->path);
        if (version > RUNFILE_SCHEMA)
                return runfile_explain(
                        ret_why, RUNFILE_E_NEWER,
                        "'%s' has run file version %lld and was written by a newer infprof; "
                        "this one (" IFP_VERSION ") reads version %d: use the newer one",
                        rf->path, (long long)version, RUNFILE_SCHEMA);
        if (version > 0 && version < RUNFILE_SCHEMA)
                return runfile_explain(
                        ret_why, RUNFILE_E_FOREIGN,
                        "'%s' has run file version %lld and was written by an older infprof; "
                        "this one (" IFP_VERSION ") reads version %d: record the run again",
                        rf->path, (long long)version, RUNFILE_SCHEMA);
        if (version != RUNFILE_SCHEMA)
                return runfile_explain(
                        ret_why, RUNFILE_E_FOREIGN,
                        "'%s' has run file version %lld, which never was; it is damaged", rf->path,
                        (long long)version);
        return 0;
}

/* ---- to write ---- */

/* 0: `path` is there, with nothing in it yet; 1: with something. */
static int make_file(struct runfile *rf, char **ret_why)
{
        struct stat st;
        int fd, r;

        fd = open(rf->path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0 || fstat(fd, &st) < 0) {
                r = errno == ENOSPC || errno == EDQUOT ? RUNFILE_E_FULL : -errno;
                closep(&fd);
                return runfile_explain_verdict(rf, r, ret_why);
        }
        close(fd);
        if (!S_ISREG(st.st_mode))
                return runfile_explain(ret_why, -EINVAL,
                                       "'%s' is not a regular file; a run needs one", rf->path);
        return st.st_size > 0;
}

static int make_schema(struct runfile *rf, const struct runfile_run *run)
{
        _cleanup_(freep) char *sql = runfile_schema_sql();
        int r;

        if (!sql)
                return -ENOMEM;
        r = execute(rf, "BEGIN IMMEDIATE");
        if (!r)
                r = execute(rf, sql);
        if (!r)
                r = runfile_put_run(rf, run);
        if (!r)
                r = execute(rf, "COMMIT");
        return r;
}

static int check_same_run(struct runfile *rf, const struct runfile_run *run, char **ret_why)
{
        struct runfile_run there;
        int r = check_identity(rf, ret_why);

        if (r)
                return r;
        r = runfile_get_run(rf, &there);
        if (r)
                return runfile_explain(ret_why, r, "%s", runfile_why(rf));
        if (strcmp(there.id, run->id))
                return runfile_explain(ret_why, -EEXIST,
                                       "'%s' holds another run, %s; remove it or give another name",
                                       rf->path, there.id);
        r = runfile_put_run(rf, run);
        return r ? runfile_explain_verdict(rf, r, ret_why) : 0;
}

int runfile_create(struct runfile **ret, const char *path, const struct runfile_run *run,
                   char **ret_why)
{
        _cleanup_(runfile_closep) struct runfile *rf = runfile_alloc(path);
        int r, there;

        if (!rf)
                return -ENOMEM;
        there = make_file(rf, ret_why);
        if (there < 0 || there > 1)
                return there;
        r = runfile_open_database(rf, path, SQLITE_OPEN_READWRITE);
        if (r)
                return runfile_explain_verdict(rf, r, ret_why);
        if (there) {
                r = check_same_run(rf, run, ret_why);
                if (r)
                        return r;
        } else {
                r = make_schema(rf, run);
                if (r) {
                        runfile_explain_verdict(rf, r, ret_why);
                        unlink(path);
                        return r;
                }
        }
        r = execute(rf, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
        if (r)
                return runfile_explain_verdict(rf, r, ret_why);
        rf->writer = true;
        *ret = steal_ptr(rf);
        return 0;
}

int runfile_begin(struct runfile *rf)
{
        uint64_t now = now_ns();
        bool sync = now - rf->synced_ns >= SYNC_EVERY_NS;
        int r;

        /* In WAL mode NORMAL leaves commits in the page cache; FULL carries them to the disk. */
        r = execute(rf, sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
        if (!r)
                r = execute(rf, "BEGIN IMMEDIATE");
        if (r) {
                rf->failed = r; /* which the commit will say */
                return r;
        }
        if (sync)
                rf->synced_ns = now;
        rf->in_transaction = true;
        rf->failed = 0;
        return 0;
}

int runfile_commit(struct runfile *rf, char **ret_why)
{
        int r = rf->failed;

        if (!r)
                r = execute(rf, "COMMIT");
        if (r) {
                runfile_explain_verdict(rf, r, ret_why);
                runfile_abort(rf);
                return r;
        }
        rf->in_transaction = false;
        return 0;
}

void runfile_abort(struct runfile *rf)
{
        /* SQLite itself may have rolled back already */
        if (!sqlite3_get_autocommit(rf->db))
                (void)execute(rf, "ROLLBACK");
        rf->in_transaction = false;
        rf->failed = 0;
}

/* ---- to read ---- */

/* True: a writer is at work, or left something behind, beside the file: not beside a link to it. */
static bool has_sidecar(const char *path)
{
        static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
        _cleanup_(freep) char *real = realpath(path, NULL);

        for (size_t i = 0; i < 3; i++) {
                _cleanup_(freep) char *name = NULL;

                if (asprintf(&name, "%s%s", real ? real : path, suffixes[i]) < 0 ||
                    !access(name, F_OK))
                        return true;
        }
        return false;
}

/* Opens a file that nobody writes, without looking for a journal or taking a lock. */
static int open_unchanging(struct runfile *rf)
{
        _cleanup_(freep) char *uri = NULL;
        size_t size;
        FILE *f = open_memstream(&uri, &size);

        if (!f)
                return -ENOMEM;
        fputs("file:", f);
        for (const unsigned char *p = (const unsigned char *)rf->path; *p; p++)
                fprintf(f, *p > ' ' && *p < 0x7f && !strchr("%?#", *p) ? "%c" : "%%%02x", *p);
        fputs("?immutable=1", f);
        if (fclose(f))
                return -ENOMEM;
        return runfile_open_database(rf, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

static int copy_file(const char *from, const char *to)
{
        _cleanup_(closep) int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
        char buffer[65536];
        ssize_t n;

        if (in < 0)
                return -errno;
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out < 0)
                return -errno;
        while ((n = read(in, buffer, sizeof(buffer))) > 0)
                if (write(out, buffer, (size_t)n) != n)
                        return -ENOSPC;
        return n < 0 ? -errno : 0;
}

/*
 * A file whose writer died leaves its last part in the -wal beside it. Where
 * that cannot be opened in place (a read-only directory, no room), a copy can.
 */
static int open_copy(struct runfile *rf)
{
        static const char *const suffixes[] = {"", "-wal", "-journal"};
        const char *tmp = getenv("TMPDIR");
        _cleanup_(freep) char *dir = NULL, *copy = NULL, *real = realpath(rf->path, NULL);
        int r = 0;

        if (asprintf(&dir, "%s/infprof-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0 || !mkdtemp(dir) ||
            asprintf(&copy, "%s/run", dir) < 0)
                return -errno;
        for (size_t i = 0; i < 3 && !r; i++) {
                _cleanup_(freep) char *from = NULL, *to = NULL;

                if (asprintf(&from, "%s%s", real ? real : rf->path, suffixes[i]) < 0 ||
                    asprintf(&to, "%s%s", copy, suffixes[i]) < 0)
                        return -ENOMEM;
                r = copy_file(from, to);
                if (r == -ENOENT && i)
                        r = 0;
        }
        if (!r)
                r = runfile_open_database(rf, copy, SQLITE_OPEN_READWRITE);
        /* A private connection needs no index beside it, and folds the -wal in at once. */
        if (!r)
                r = execute(rf, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE;");
        unlink(copy);
        for (size_t i = 0; i < 3; i++) {
                static const char *const sidecars[] = {"-wal", "-shm", "-journal"};
                _cleanup_(freep) char *name = NULL;

                if (asprintf(&name, "%s%s", copy, sidecars[i]) >= 0)
                        unlink(name);
        }
        rmdir(dir);
        return r;
}

/* Is there something that may be a database at all? */
static int check_bytes(struct runfile *rf, char **ret_why)
{
        _cleanup_(closep) int fd = open(rf->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        char magic[16];
        struct stat st;

        if (fd < 0 && errno == ENOENT)
                return runfile_explain(ret_why, RUNFILE_E_ABSENT,
                                       "no run file '%s'; `infprof runs` lists what there is",
                                       rf->path);
        if (fd < 0 || fstat(fd, &st) < 0)
                return runfile_explain_verdict(rf, -errno, ret_why);
        if (!S_ISREG(st.st_mode))
                return runfile_explain(
                        ret_why, RUNFILE_E_FOREIGN,
                        "'%s' is not a file; give a file that `infprof record` wrote", rf->path);
        if (!st.st_size)
                return runfile_explain(ret_why, RUNFILE_E_FOREIGN,
                                       "'%s' is empty; nothing was recorded in it", rf->path);
        if (read(fd, magic, sizeof(magic)) != sizeof(magic) ||
            memcmp(magic, "SQLite format 3", sizeof(magic)))
                return runfile_explain(ret_why, RUNFILE_E_FOREIGN,
                                       "'%s' is not an infprof run file; give a file that "
                                       "`infprof record` wrote",
                                       rf->path);
        return 0;
}

/* SQLite takes the missing end of a last page for zeroes; we do not. */
static int check_whole(struct runfile *rf)
{
        int64_t page_bytes;
        struct stat st;
        int r = query_integer(rf, "PRAGMA page_size", &page_bytes);

        if (r)
                return r;
        if (stat(rf->path, &st) < 0)
                return -errno;
        return page_bytes > 0 && st.st_size % page_bytes ? RUNFILE_E_FOREIGN : 0;
}

/* Opens what is named, by the way that leaves the least behind, and fixes the instant. */
static int open_some_way(struct runfile *rf)
{
        static const char snapshot[] = "BEGIN; SELECT count(*) FROM sqlite_master";
        int r;

        if (runfile_has_no_name(rf->path)) {
                r = runfile_open_map(rf);
                if (!r)
                        r = execute(rf, snapshot);
                return r ? r : check_whole(rf);
        }
        if (!has_sidecar(rf->path)) {
                r = open_unchanging(rf);
                if (!r)
                        r = execute(rf, snapshot);
                return r ? r : check_whole(rf);
        }
        r = runfile_open_database(rf, rf->path, SQLITE_OPEN_READONLY);
        if (!r)
                r = execute(rf, snapshot);
        if (r >= 0 && r != RUNFILE_E_FULL)
                return r;
        r = open_copy(rf);
        return r ? r : execute(rf, snapshot);
}

int runfile_open(struct runfile **ret, const char *path, char **ret_why)
{
        _cleanup_(runfile_closep) struct runfile *rf = runfile_alloc(path);
        int r;

        if (!rf)
                return -ENOMEM;
        r = check_bytes(rf, ret_why);
        if (r)
                return r;
        r = open_some_way(rf);
        if (r)
                return runfile_explain_verdict(rf, r, ret_why);
        r = check_identity(rf, ret_why);
        if (r)
                return r;
        *ret = steal_ptr(rf);
        return 0;
}

const char *runfile_why(struct runfile *rf)
{
        return rf->why ? rf->why : "out of memory";
}

struct runfile *runfile_close(struct runfile *rf)
{
        if (!rf)
                return NULL;
        if (rf->in_transaction)
                runfile_abort(rf);
        for (int i = 0; i < N_TABLES; i++)
                sqlite3_finalize(rf->put[i]);
        if (rf->writer) {
                /* Not fatal: the -wal stays and is read with the file. */
                sqlite3_busy_timeout(rf->db, BUSY_CLOSE_MS);
                (void)execute(rf, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;");
        }
        sqlite3_close(rf->db);
        if (rf->map)
                munmap(rf->map, rf->map_bytes);
        for (size_t i = 0; i < sizeof(rf->found_text) / sizeof(rf->found_text[0]); i++)
                free(rf->found_text[i]);
        for (size_t i = 0; i < sizeof(rf->run_text) / sizeof(rf->run_text[0]); i++)
                free(rf->run_text[i]);
        free(rf->why);
        free(rf->path);
        free(rf);
        return NULL;
}
