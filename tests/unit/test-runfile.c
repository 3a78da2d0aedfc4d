/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <infprof/segment.h>

#include "common/runfile.h"
#include "run-fixture.h"
#include "skip.h"

static char folder[] = "/tmp/test-runfile-XXXXXX";
static char file[256];

static const struct runfile_run a_run = {
        .id = "20261120-194500-1",
        .command = "./engine",
        .pid = 1,
        .started_at_ns = 1795201500000000000,
        .infprof_version = "0.1.0",
};

static int make_folder(void **state)
{
        if (!mkdtemp(folder))
                return -1;
        snprintf(file, sizeof(file), "%s/run.infprof", folder);
        return 0;
}

static int shell(const char *format, ...)
{
        char command[1024];
        va_list ap;

        va_start(ap, format);
        vsnprintf(command, sizeof(command), format, ap);
        va_end(ap);
        return system(command);
}

static int remove_folder(void **state)
{
        return shell("rm -r %s", folder);
}

static int clean(void **state)
{
        return shell("chmod 700 %s; rm -rf %s/*", folder, folder);
}

static struct runfile *create(const char *path)
{
        struct runfile *rf = NULL;
        char *why = NULL;

        if (runfile_create(&rf, path, &a_run, &why))
                fail_msg("%s", why);
        return rf;
}

static struct runfile *open_it(const char *path)
{
        struct runfile *rf = NULL;
        char *why = NULL;

        if (runfile_open(&rf, path, &why))
                fail_msg("%s", why);
        return rf;
}

static void expect_refused(int expected, const char *word)
{
        struct runfile *rf = NULL;
        char *why = NULL;

        assert_int_equal(runfile_open(&rf, file, &why), expected);
        assert_null(rf);
        assert_non_null(why);
        assert_null(strchr(why, '\n'));
        if (!strstr(why, word))
                fail_msg("'%s' is not in: %s", word, why);
        free(why);
}

static int count_op(const struct runfile_op *op, void *userdata)
{
        ++*(int *)userdata;
        return 0;
}

static int count_ops(const char *path)
{
        struct runfile *rf = open_it(path);
        int n = 0;

        assert_int_equal(runfile_each_op(rf, count_op, &n), 0);
        runfile_close(rf);
        return n;
}

static void put_ops(struct runfile *rf, unsigned from, unsigned to)
{
        assert_int_equal(runfile_begin(rf), 0);
        for (unsigned i = from; i < to; i++)
                assert_int_equal(runfile_put_op(rf, &(struct runfile_op){.op = i, .name = "an op"}),
                                 0);
        assert_int_equal(runfile_commit(rf, NULL), 0);
}

/* ---- rows ---- */

static int check_row(const struct runfile_op_phase *row, void *userdata)
{
        const struct runfile_op_phase *put = userdata;

        assert_int_equal(row->process, put->process);
        assert_int_equal(row->op, put->op);
        assert_int_equal(row->phase, put->phase);
        assert_int_equal(row->timed, put->timed);
        assert_int_equal(row->untimed, put->untimed);
        assert_int_equal(row->total_ns, put->total_ns);
        assert_int_equal(row->child_ns, put->child_ns);
        assert_int_equal(row->min_ns, put->min_ns);
        assert_int_equal(row->max_ns, put->max_ns);
        assert_true(row->sum_ns == put->sum_ns && row->sumsq_ns2 == put->sumsq_ns2);
        assert_int_equal(row->left, put->left);
        assert_int_equal(row->folded, put->folded);
        assert_memory_equal(&row->alloc, &put->alloc, sizeof(row->alloc));
        if (put->hist)
                assert_memory_equal(row->hist, put->hist, IFP_HIST_BUCKETS * sizeof(uint64_t));
        else
                assert_null(row->hist);
        return 0;
}

static void rows_come_back_and_replace(void **state)
{
        uint64_t hist[IFP_HIST_BUCKETS] = {[0] = 1, [100] = 7, [IFP_HIST_BUCKETS - 1] = 1};
        struct runfile_op_phase row = {
                .process = 3,
                .op = 2047,
                .phase = IFP_PHASE_DECODE,
                .timed = 9,
                .untimed = INT64_MAX,
                .total_ns = 5,
                .child_ns = 4,
                .min_ns = UINT64_MAX,
                .max_ns = 3,
                .sum_ns = 1e300,
                .sumsq_ns2 = 0.1,
                .left = 1,
                .folded = 2,
                .alloc = {1, 2, 3, 4, 5, 6},
                .hist = hist,
        };
        struct runfile *rf = create(file), *reader;

        assert_int_equal(runfile_put_op_phase(rf, &row), 0);
        reader = open_it(file);
        assert_int_equal(runfile_each_op_phase(reader, check_row, &row), 0);
        runfile_close(reader);
        row.timed = 10;
        row.hist = NULL;
        row.min_ns = 0;
        assert_int_equal(runfile_put_op_phase(rf, &row), 0);
        reader = open_it(file);
        assert_int_equal(runfile_each_op_phase(reader, check_row, &row), 0);
        runfile_close(reader);
        row.total_ns = 1ull << 63;
        assert_int_equal(runfile_put_op_phase(rf, &row), -ERANGE);
        runfile_close(rf);
}

static void processes_are_found_again(void **state)
{
        struct runfile *rf = create(file);
        struct runfile_process p = {.index = 7,
                                    .uuid = "beef",
                                    .command = "x y",
                                    .exe = "/x",
                                    .spans = 42},
                               found;

        assert_int_equal(runfile_put_process(rf, &p), 0);
        rf = runfile_close(rf);
        rf = create(file);
        assert_true(runfile_find_process(rf, "beef", &found));
        assert_int_equal(found.index, 7);
        assert_int_equal(found.spans, 42);
        assert_string_equal(found.command, "x y");
        assert_null(found.reason);
        assert_false(runfile_find_process(rf, "dead", &found));
        runfile_close(rf);
}

/* ---- files ---- */

static void finished_run_is_one_private_file(void **state)
{
        struct stat st;
        struct runfile *rf = create(file);

        put_ops(rf, 0, 100);
        runfile_close(rf);
        assert_int_equal(shell("test \"$(ls -A %s)\" = run.infprof", folder), 0);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(count_ops(file), 100);
        assert_int_equal(shell("test \"$(ls -A %s)\" = run.infprof", folder), 0);
        assert_int_equal(shell("cmp -s %s %s", file, file), 0);
}

static void readers_see_whole_transactions(void **state)
{
        struct runfile *rf = create(file), *reader;
        int n = 0;

        put_ops(rf, 0, 10);
        assert_int_equal(count_ops(file), 10);
        assert_int_equal(runfile_begin(rf), 0);
        assert_int_equal(runfile_put_op(rf, &(struct runfile_op){.op = 10, .name = "x"}), 0);
        assert_int_equal(count_ops(file), 10);
        assert_int_equal(runfile_commit(rf, NULL), 0);
        assert_int_equal(count_ops(file), 11);

        reader = open_it(file);
        put_ops(rf, 20, 30);
        assert_int_equal(runfile_each_op(reader, count_op, &n), 0);
        assert_int_equal(n, 11); /* one instant, though more was written */
        runfile_close(rf);       /* with a reader in the way */
        runfile_close(reader);
        assert_int_equal(count_ops(file), 21);

        rf = create(file);
        assert_int_equal(runfile_begin(rf), 0);
        assert_int_equal(runfile_put_op(rf, &(struct runfile_op){.op = 99, .name = "x"}), 0);
        runfile_abort(rf);
        runfile_close(rf);
        assert_int_equal(count_ops(file), 21);
        assert_int_equal(shell("test \"$(ls -A %s)\" = run.infprof", folder), 0);
}

static void other_run_is_not_overwritten(void **state)
{
        struct runfile_run other = a_run;
        struct runfile *rf = create(file);
        char *why = NULL;

        put_ops(rf, 0, 5);
        runfile_close(rf);
        other.id = "20261120-194500-2";
        assert_int_equal(runfile_create(&rf, file, &other, &why), -EEXIST);
        assert_non_null(strstr(why, a_run.id));
        free(why);
        assert_int_equal(count_ops(file), 5);
}

static void foreign_files_are_not_overwritten(void **state)
{
        struct runfile *rf = NULL;
        char *why = NULL;

        assert_int_equal(shell("echo precious > %s", file), 0);
        assert_int_equal(runfile_create(&rf, file, &a_run, &why), RUNFILE_E_FOREIGN);
        free(why);
        assert_int_equal(shell("grep -q precious %s", file), 0);
}

/* A writer that died: nobody closed, the last part is in the -wal. */
static void copy_after_crash(void)
{
        char elsewhere[300];
        struct runfile *rf;

        snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", folder);
        rf = create(elsewhere);
        put_ops(rf, 0, 50);
        assert_int_equal(
                shell("cd %s && cp elsewhere run.infprof && cp elsewhere-wal run.infprof-wal",
                      folder),
                0);
        runfile_close(rf);
        unlink(elsewhere);
}

static void crashed_writer_loses_nothing_committed(void **state)
{
        struct runfile *rf;

        copy_after_crash();
        assert_int_equal(count_ops(file), 50);
        rf = create(file); /* the next daemon */
        put_ops(rf, 50, 60);
        runfile_close(rf);
        assert_int_equal(count_ops(file), 60);
        assert_int_equal(shell("test \"$(ls -A %s)\" = run.infprof", folder), 0);
}

/* Gives up root for `fn` in a child: root may write anywhere. */
static void as_nobody(void (*fn)(void))
{
        pid_t pid = fork();
        int status;

        if (!pid) {
                if (!geteuid() && (setgid(65534) < 0 || setuid(65534) < 0))
                        _exit(1);
                fn();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void count_to_50(void)
{
        if (count_ops(file) != 50)
                _exit(1);
}

static void read_only_directory_serves_too(void **state)
{
        struct runfile *rf;

        copy_after_crash();
        assert_int_equal(shell("chmod 644 %s*; chmod 555 %s", file, folder), 0);
        as_nobody(count_to_50);
        assert_int_equal(shell("chmod 755 %s; rm %s*", folder, file), 0);
        rf = create(file);
        put_ops(rf, 0, 50);
        runfile_close(rf);
        assert_int_equal(shell("chmod 444 %s; chmod 555 %s", file, folder), 0);
        as_nobody(count_to_50);
        assert_int_equal(shell("test \"$(ls -A %s)\" = run.infprof", folder), 0);
}

static void bad_files_are_named(void **state)
{
        struct fixture_truth truth;
        sqlite3 *db;

        expect_refused(RUNFILE_E_ABSENT, "no run file");
        assert_int_equal(shell("touch %s", file), 0);
        expect_refused(RUNFILE_E_FOREIGN, "is empty");
        assert_int_equal(shell("echo hello > %s", file), 0);
        expect_refused(RUNFILE_E_FOREIGN, "not an infprof run file");
        assert_int_equal(shell("rm %s; mkdir %s", file, file), 0);
        expect_refused(RUNFILE_E_FOREIGN, "is not a file");
        assert_int_equal(shell("rmdir %s; mkfifo %s", file, file), 0);
        expect_refused(RUNFILE_E_FOREIGN, "is not a file");
        unlink(file);

        assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "CREATE TABLE run (id)", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        expect_refused(RUNFILE_E_FOREIGN, "not an infprof run file");
        unlink(file);

        assert_int_equal(fixture_write(file, &truth), 0);
        assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        expect_refused(RUNFILE_E_NEWER, "version 99");
}

static int ignore_op(const struct runfile_op *op, void *userdata)
{
        return 0;
}

static void truncated_files_are_named(void **state)
{
        struct fixture_truth truth;
        struct runfile *rf;
        struct stat st;
        char *why;
        int r;

        assert_int_equal(fixture_write(file, &truth), 0);
        assert_int_equal(stat(file, &st), 0);
        for (off_t size = 1; size < st.st_size; size += size < 5000 ? 499 : 4096) {
                unlink(file);
                assert_int_equal(fixture_write(file, &truth), 0);
                assert_int_equal(truncate(file, size), 0);
                why = NULL;
                rf = NULL;
                r = runfile_open(&rf, file, &why);
                if (!r) {
                        r = runfile_each_op(rf, ignore_op, NULL);
                        why = strdup(runfile_why(rf));
                }
                assert_int_equal(r, RUNFILE_E_FOREIGN);
                assert_non_null(why);
                assert_null(strchr(why, '\n'));
                free(why);
                runfile_close(rf);
        }
}

static void impossible_values_are_damage(void **state)
{
        static const char *const changes[] = {
                "UPDATE op SET kind = 99",
                "UPDATE op SET name = NULL, name = x'00'",
                "UPDATE op SET process = -1 WHERE op = 5",
                "UPDATE op SET hot = 2",
                "UPDATE op SET threads = 'many'",
        };
        struct fixture_truth truth;
        sqlite3 *db;

        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                struct runfile *rf;

                unlink(file);
                assert_int_equal(fixture_write(file, &truth), 0);
                assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
                assert_int_equal(sqlite3_exec(db, changes[i], NULL, NULL, NULL), SQLITE_OK);
                sqlite3_close(db);
                rf = open_it(file);
                assert_int_equal(runfile_each_op(rf, ignore_op, NULL), RUNFILE_E_FOREIGN);
                assert_non_null(strstr(runfile_why(rf), "impossible value"));
                runfile_close(rf);
        }
}

/* Writes to a file system of 512 KiB until it is full. */
static void fill_small_disk(void)
{
        char path[300], *why = NULL;
        struct runfile *rf = NULL;
        unsigned n_committed = 0;
        int r = 0;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", folder, "tmpfs", 0, "size=512k") < 0)
                _exit(77);
        snprintf(path, sizeof(path), "%s/run.infprof", folder);
        if (runfile_create(&rf, path, &a_run, &why))
                _exit(10);
        while (!r && n_committed < 100000) {
                r = runfile_begin(rf);
                for (unsigned i = 0; i < 100 && !r; i++)
                        r = runfile_put_op(rf, &(struct runfile_op){.op = n_committed + i,
                                                                    .name = "an op with a name"});
                r = runfile_commit(rf, &why);
                if (!r)
                        n_committed += 100;
        }
        if (r != RUNFILE_E_FULL || !why || !strstr(why, "no room left") || strchr(why, '\n'))
                _exit(11);
        if (!n_committed || count_ops(path) != (int)n_committed) /* while the writer has it */
                _exit(12);
        runfile_close(rf);
        if (count_ops(path) != (int)n_committed) /* and after */
                _exit(13);
        _exit(0);
}

static void full_disk_is_said_and_keeps_what_was_written(void **state)
{
        pid_t pid = fork();
        int status;

        if (!pid)
                fill_small_disk();
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                SKIP_HERE("mounting takes root, and a root file system of our own");
        assert_int_equal(status, 0);
}

static void no_place_to_write_is_said(void **state)
{
        struct runfile *rf = NULL;
        char path[300], *why = NULL;

        snprintf(path, sizeof(path), "%s/absent/run.infprof", folder);
        assert_int_equal(runfile_create(&rf, path, &a_run, &why), -ENOENT);
        assert_non_null(strstr(why, path));
        free(why);
        why = NULL;
        assert_int_equal(runfile_create(&rf, "/dev/null", &a_run, &why), -EINVAL);
        free(why);
}

/* ---- waits, spawns, the ledger, the kernel's view ---- */

/* The last row of a table, and how many there are. Histograms are held against `a_hist`. */
#define COLLECT(kind)                                                                              \
        static struct runfile_##kind last_##kind;                                                  \
        static unsigned n_##kind;                                                                  \
        static int take_##kind(const struct runfile_##kind *row, void *userdata)                   \
        {                                                                                          \
                last_##kind = *row;                                                                \
                n_##kind++;                                                                        \
                return check_##kind(row);                                                          \
        }
#define COLLECT_PLAIN(kind)                                                                        \
        static int check_##kind(const struct runfile_##kind *row)                                  \
        {                                                                                          \
                return 0;                                                                          \
        }                                                                                          \
        COLLECT(kind)
#define COLLECT_HIST(kind, ...)                                                                    \
        static int check_##kind(const struct runfile_##kind *row)                                  \
        {                                                                                          \
                const uint64_t *hists[] = {__VA_ARGS__};                                           \
                                                                                                   \
                for (size_t i = 0; i < sizeof(hists) / sizeof(hists[0]); i++)                      \
                        assert_memory_equal(hists[i], a_hist, sizeof(a_hist));                     \
                return 0;                                                                          \
        }                                                                                          \
        COLLECT(kind)

static uint64_t a_hist[IFP_HIST_BUCKETS];
static char last_frames[32], last_library[32];

COLLECT_PLAIN(thread_wait)
COLLECT_PLAIN(wait_by)
COLLECT_PLAIN(wait_now)
COLLECT_PLAIN(ledger_thread)
COLLECT_PLAIN(slow_token)
COLLECT_PLAIN(slow_token_row)
COLLECT_HIST(ledger, row->hist)
COLLECT_HIST(ledger_row, row->hist)

static int check_wait(const struct runfile_wait *row)
{
        assert_memory_equal(row->hist, a_hist, sizeof(a_hist));
        snprintf(last_frames, sizeof(last_frames), "%s", row->frames);
        snprintf(last_library, sizeof(last_library), "%s",
                 row->object_library ? row->object_library : "-");
        return 0;
}
COLLECT(wait)

static int check_spawn(const struct runfile_spawn *row)
{
        assert_memory_equal(row->cost_hist, a_hist, sizeof(a_hist));
        assert_null(row->life_hist);
        snprintf(last_frames, sizeof(last_frames), "%s", row->frames);
        return 0;
}
COLLECT(spawn)

/* Put twice, the second time otherwise: there is one row, and it is the second. */
#define PUT(kind, field, ...)                                                                      \
        do {                                                                                       \
                struct runfile_##kind row = {__VA_ARGS__};                                         \
                                                                                                   \
                row.field += 5;                                                                    \
                assert_int_equal(runfile_put_##kind(rf, &row), 0);                                 \
                row.field -= 5;                                                                    \
                assert_int_equal(runfile_put_##kind(rf, &row), 0);                                 \
        } while (0)
#define GET(kind)                                                                                  \
        do {                                                                                       \
                n_##kind = 0;                                                                      \
                assert_int_equal(runfile_each_##kind(rf, take_##kind, NULL), 0);                   \
                assert_int_equal(n_##kind, 1);                                                     \
        } while (0)

static void rows_of_waits_and_the_ledger_come_back(void **state)
{
        struct runfile *rf = create(file);
        char *why = NULL;

        a_hist[3] = 7;
        a_hist[IFP_HIST_BUCKETS - 1] = 1;
        assert_int_equal(runfile_begin(rf), 0);
        PUT(thread_wait, count, .process = 1, .thread = 2, .kind = IFP_WAIT_POLL, .count = 3,
            .total_ns = INT64_MAX);
        PUT(wait, total_ns, .process = 1, .wait = IFP_MAX_WAITS - 1, .kind = IFP_WAIT_BARRIER,
            .op = 7, .phase = 3, .thread = -1, .object = 0x7fff12345678,
            .object_library = "libx.so", .object_offset = 99, .spins = true, .one = true,
            .frames = "3,2,1", .count = 8, .total_ns = 1000, .min_ns = UINT64_MAX, .max_ns = 500,
            .left = 1, .timeouts = 2, .last = 3, .unknown = 4, .unknown_ns = 5, .others = 6,
            .others_ns = 7, .hist = a_hist);
        PUT(wait_by, count, .process = 1, .wait = 5, .slot = IFP_WAIT_BY - 1, .thread = -1, .op = 9,
            .count = 2, .total_ns = 60);
        PUT(wait_now, for_ns, .process = 1, .thread = 2, .kind = IFP_WAIT_COND, .object = 16,
            .since_ns = 100, .for_ns = 50, .wait = -1, .by_thread = 7);
        PUT(spawn, count, .process = 1, .site = 3, .kind = IFP_SPAWN_OMP, .op = 2, .phase = 1,
            .frames = "", .count = 9, .live = 1, .peak = 4, .ended = 8, .team = 32, .cost_ns = 10,
            .life_ns = 20, .cpu_ns = 30, .cost_hist = a_hist);
        PUT(ledger, steps, .process = 1, .steps = 8, .tokens = 16, .dropped = 1, .wall_ns = 800,
            .all_ns = 1600, .kernel = true, .hist = a_hist);
        PUT(ledger_row, total_ns, .process = 1, .who = IFP_LEDGER_ALL,
            .row = IFP_LEDGER_UNACCOUNTED, .total_ns = 77, .hist = a_hist);
        PUT(ledger_thread, steps, .process = 1, .thread = 2, .row = 0, .total_ns = 5, .steps = 8);
        PUT(slow_token, wall_ns, .process = 1, .slot = 15, .number = 40, .start_ns = 1,
            .wall_ns = 2, .all_ns = 3, .tokens = 4, .threads = 5, .allocs = 6, .alloc_bytes = 7,
            .spawns = 8, .waits = 9, .voluntary = 10, .involuntary = RUNFILE_NOT_TOLD);
        PUT(slow_token_row, ns, .process = 1, .slot = 15, .who = 1, .row = 2, .ns = 3);
        assert_int_equal(runfile_commit(rf, &why), 0);
        runfile_close(rf);

        rf = open_it(file);
        GET(thread_wait);
        assert_int_equal(last_thread_wait.kind, IFP_WAIT_POLL);
        assert_int_equal(last_thread_wait.count, 3);
        assert_int_equal(last_thread_wait.total_ns, INT64_MAX);
        GET(wait);
        assert_int_equal(last_wait.wait, IFP_MAX_WAITS - 1);
        assert_int_equal(last_wait.thread, -1);
        assert_int_equal(last_wait.object, 0x7fff12345678);
        assert_string_equal(last_library, "libx.so");
        assert_string_equal(last_frames, "3,2,1");
        assert_true(last_wait.spins && last_wait.one && !last_wait.shared);
        assert_int_equal(last_wait.total_ns, 1000);
        assert_true(last_wait.min_ns == UINT64_MAX);
        assert_int_equal(last_wait.others_ns, 7);
        GET(wait_by);
        assert_int_equal(last_wait_by.thread, -1);
        assert_int_equal(last_wait_by.slot, IFP_WAIT_BY - 1);
        assert_int_equal(last_wait_by.count, 2);
        GET(wait_now);
        assert_int_equal(last_wait_now.wait, -1);
        assert_int_equal(last_wait_now.for_ns, 50);
        assert_int_equal(last_wait_now.by_thread, 7);
        GET(spawn);
        assert_int_equal(last_spawn.kind, IFP_SPAWN_OMP);
        assert_int_equal(last_spawn.count, 9);
        assert_int_equal(last_spawn.team, 32);
        assert_string_equal(last_frames, "");
        GET(ledger);
        assert_int_equal(last_ledger.steps, 8);
        assert_true(last_ledger.kernel);
        GET(ledger_row);
        assert_int_equal(last_ledger_row.row, IFP_LEDGER_UNACCOUNTED);
        assert_int_equal(last_ledger_row.total_ns, 77);
        GET(ledger_thread);
        assert_int_equal(last_ledger_thread.steps, 8);
        GET(slow_token);
        assert_int_equal(last_slow_token.wall_ns, 2);
        assert_int_equal(last_slow_token.voluntary, 10);
        assert_true(last_slow_token.involuntary == RUNFILE_NOT_TOLD);
        GET(slow_token_row);
        assert_int_equal(last_slow_token_row.ns, 3);
        runfile_close(rf);
}

static void impossible_waits_are_damage(void **state)
{
        static const char *const changes[] = {"kind = 12",    "phase = 5",    "op = 2048",
                                              "wait = 16384", "hist = x'ff'", "count = -1"};
        struct runfile *rf = create(file);
        char *why = NULL, bad[300];

        snprintf(bad, sizeof(bad), "%s.bad", file);
        assert_int_equal(runfile_begin(rf), 0);
        PUT(wait, count, .wait = 1, .kind = IFP_WAIT_SEM, .frames = "", .hist = a_hist);
        assert_int_equal(runfile_commit(rf, &why), 0);
        runfile_close(rf);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                char sql[64];
                sqlite3 *db;

                snprintf(sql, sizeof(sql), "UPDATE wait SET %s", changes[i]);
                assert_int_equal(shell("cp %s %s", file, bad), 0);
                assert_int_equal(sqlite3_open(bad, &db), SQLITE_OK);
                assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
                sqlite3_close(db);
                rf = open_it(bad);
                assert_int_equal(runfile_each_wait(rf, take_wait, NULL), RUNFILE_E_FOREIGN);
                runfile_close(rf);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(rows_come_back_and_replace, clean),
                cmocka_unit_test_teardown(processes_are_found_again, clean),
                cmocka_unit_test_teardown(finished_run_is_one_private_file, clean),
                cmocka_unit_test_teardown(readers_see_whole_transactions, clean),
                cmocka_unit_test_teardown(other_run_is_not_overwritten, clean),
                cmocka_unit_test_teardown(foreign_files_are_not_overwritten, clean),
                cmocka_unit_test_teardown(crashed_writer_loses_nothing_committed, clean),
                cmocka_unit_test_teardown(read_only_directory_serves_too, clean),
                cmocka_unit_test_teardown(bad_files_are_named, clean),
                cmocka_unit_test_teardown(truncated_files_are_named, clean),
                cmocka_unit_test_teardown(impossible_values_are_damage, clean),
                cmocka_unit_test_teardown(rows_of_waits_and_the_ledger_come_back, clean),
                cmocka_unit_test_teardown(impossible_waits_are_damage, clean),
                cmocka_unit_test_teardown(full_disk_is_said_and_keeps_what_was_written, clean),
                cmocka_unit_test_teardown(no_place_to_write_is_said, clean),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
