/* SPDX-License-Identifier: MIT */
/*
 * Everything there is to say about tabs, tables and columns. A new tab is a line in
 * each of the two tables at the end, with its columns above them, and a name in top-tabs.h.
 */
#include "cli/top-tabs.h"

static const struct top_column op_columns[] = {
        {"OP", "name", TOP_CELL_TEXT, 14, 36, 0},
        {"CALLS/S", "calls_per_second", TOP_CELL_COUNT, 7, 7, 1},
        {"TOTAL%", "total_share", TOP_CELL_SHARE, 6, 6, 4},
        {"SELF%", "self_share", TOP_CELL_SHARE, 5, 6, 2},
        {"MEAN", "mean_ns", TOP_CELL_DURATION, 6, 7, 3},
        {"P50", "p50_ns", TOP_CELL_DURATION, 6, 7, 7},
        {"P95", "p95_ns", TOP_CELL_DURATION, 6, 7, 8},
        {"P99", "p99_ns", TOP_CELL_DURATION, 6, 7, 5},
        {"MAX", "max_ns", TOP_CELL_DURATION, 6, 7, 6},
        {"LAST MIN", "spark", TOP_CELL_SPARK, 9, 60, 9},
};

static const struct top_column thread_columns[] = {
        {"THREAD", "name", TOP_CELL_TEXT, 15, 16, 0},
        {"TID", "tid", TOP_CELL_ID, 7, 7, 4},
        {"NOW", "now_text", TOP_CELL_TEXT, 8, 8, 5},
        {"RUN%", "split.running", TOP_CELL_SHARE, 5, 6, 1},
        {"RUNNABLE%", "split.runnable", TOP_CELL_SHARE, 9, 9, 3},
        {"WAIT%", "split.waiting", TOP_CELL_SHARE, 5, 6, 2},
        {"LAST SEC", "split", TOP_CELL_SPLIT, 10, 20, 7},
        {"WAITS FOR", "waiting_text", TOP_CELL_TEXT, 14, 40, 6},
        {"FOR", "waiting.for_ns", TOP_CELL_DURATION, 6, 7, 8},
        {"CPU", "cpu", TOP_CELL_ID, 3, 3, 12},
        {"MOVES", "migrations", TOP_CELL_COUNT, 6, 6, 11},
        {"SPANS", "spans", TOP_CELL_COUNT, 6, 6, 10},
        {"IN OPS%", "share", TOP_CELL_SHARE, 7, 7, 9},
        {"ALLOCS", "alloc_calls", TOP_CELL_COUNT, 6, 6, 14},
        {"SPAWNED BY", "spawned_by", TOP_CELL_SCOPED, 14, 60, 13},
};

static const struct top_column spawn_columns[] = {
        {"SPAWNED BY", "function", TOP_CELL_TEXT, 20, 60, 0},
        {"COUNT", "count", TOP_CELL_COUNT, 6, 6, 1},
        {"/S", "per_second", TOP_CELL_COUNT, 6, 6, 2},
        {"OFFSET", "offset", TOP_CELL_HEX, 10, 14, 4},
        {"LIBRARY", "library", TOP_CELL_TEXT, 18, 60, 3},
};

static const struct top_column memory_op_columns[] = {
        {"OP", "name", TOP_CELL_TEXT, 16, 36, 0},
        {"ALLOC/S", "calls_per_second", TOP_CELL_COUNT, 7, 7, 1},
        {"BYTES/S", "bytes_per_second", TOP_CELL_BYTES, 7, 7, 2},
        {"FREE/S", "frees_per_second", TOP_CELL_COUNT, 6, 7, 5},
        {"NET/S", "net_bytes_per_second", TOP_CELL_BYTES, 6, 7, 4},
        {"ALLOCS", "calls", TOP_CELL_COUNT, 6, 7, 6},
        {"BYTES", "asked_bytes", TOP_CELL_BYTES, 6, 7, 7},
        {"NET", "net_bytes", TOP_CELL_BYTES, 6, 7, 3},
        {"LAST MIN", "spark", TOP_CELL_SPARK, 9, 60, 9},
};

static const struct top_column memory_phase_columns[] = {
        {"PHASE", "name", TOP_CELL_TEXT, 16, 36, 0},
        {"ALLOC/S", "calls_per_second", TOP_CELL_COUNT, 7, 7, 1},
        {"BYTES/S", "bytes_per_second", TOP_CELL_BYTES, 7, 7, 2},
        {"FREE/S", "frees_per_second", TOP_CELL_COUNT, 6, 7, 5},
        {"NET/S", "net_bytes_per_second", TOP_CELL_BYTES, 6, 7, 4},
        {"ALLOCS", "calls", TOP_CELL_COUNT, 6, 7, 6},
        {"BYTES", "asked_bytes", TOP_CELL_BYTES, 6, 7, 7},
        {"NET", "net_bytes", TOP_CELL_BYTES, 6, 7, 3},
        {"FAILED", "failed_calls", TOP_CELL_COUNT, 6, 7, 8},
};

static const struct top_column memory_site_columns[] = {
        {"SITE", "name", TOP_CELL_SCOPED, 24, 48, 0},
        {"BYTES/S", "bytes_per_second", TOP_CELL_BYTES, 7, 7, 1},
        {"ALLOC/S", "calls_per_second", TOP_CELL_COUNT, 7, 7, 6},
        {"IN USE", "inuse_bytes", TOP_CELL_BYTES, 6, 7, 2},
        {"BYTES", "alloc_bytes", TOP_CELL_BYTES, 6, 7, 4},
        {"CALLED BY", "caller", TOP_CELL_SCOPED, 20, 48, 3},
        {"OP", "op", TOP_CELL_TEXT, 12, 24, 5},
        {"LIBRARY", "library", TOP_CELL_TEXT, 14, 30, 7},
};

static const struct top_column wait_object_columns[] = {
        {"KIND", "kind", TOP_CELL_TEXT, 9, 9, 0},
        {"OBJECT", "object_text", TOP_CELL_TEXT, 18, 36, 1},
        {"WAITED/S", "ns_per_second", TOP_CELL_DURATION, 8, 8, 1},
        {"WAITS/S", "count_per_second", TOP_CELL_COUNT, 7, 7, 2},
        {"MEAN", "mean_ns", TOP_CELL_DURATION, 6, 7, 3},
        {"NOW", "waiting", TOP_CELL_COUNT, 3, 3, 4},
        {"FOR WHOM", "by_text", TOP_CELL_TEXT, 20, 48, 2},
        {"TOTAL", "total_ns", TOP_CELL_DURATION, 6, 7, 5},
        {"WAITS", "count", TOP_CELL_COUNT, 6, 7, 6},
        {"THREADS", "threads", TOP_CELL_COUNT, 7, 7, 7},
};

static const struct top_column wait_site_columns[] = {
        {"SITE", "function_text", TOP_CELL_SCOPED, 22, 48, 0},
        {"KIND", "kind", TOP_CELL_TEXT, 9, 9, 1},
        {"WAITED/S", "ns_per_second", TOP_CELL_DURATION, 8, 8, 1},
        {"WAITS/S", "count_per_second", TOP_CELL_COUNT, 7, 7, 2},
        {"TOTAL", "total_ns", TOP_CELL_DURATION, 6, 7, 4},
        {"WAITS", "count", TOP_CELL_COUNT, 6, 7, 6},
        {"OP", "op", TOP_CELL_TEXT, 12, 24, 3},
        {"PHASE", "phase", TOP_CELL_TEXT, 7, 7, 5},
        {"CALLED BY", "caller", TOP_CELL_SCOPED, 20, 48, 7},
        {"LIBRARY", "library", TOP_CELL_TEXT, 14, 30, 8},
};

static const struct top_column wait_now_columns[] = {
        {"THREAD", "name", TOP_CELL_TEXT, 15, 16, 0},
        {"TID", "tid", TOP_CELL_ID, 7, 7, 2},
        {"FOR", "for_ns", TOP_CELL_DURATION, 6, 7, 1},
        {"KIND", "kind", TOP_CELL_TEXT, 9, 9, 1},
        {"OBJECT", "object_text", TOP_CELL_TEXT, 18, 36, 3},
        {"HELD BY", "holder_text", TOP_CELL_TEXT, 20, 48, 4},
};

static const struct top_column wait_kind_columns[] = {
        {"KIND", "kind", TOP_CELL_TEXT, 9, 9, 0},
        {"WAITED/S", "ns_per_second", TOP_CELL_DURATION, 8, 8, 1},
        {"WAITS/S", "count_per_second", TOP_CELL_COUNT, 7, 7, 2},
        {"TOTAL", "total_ns", TOP_CELL_DURATION, 7, 7, 3},
        {"WAITS", "count", TOP_CELL_COUNT, 7, 7, 4},
};

static const struct top_column ledger_row_columns[] = {
        {"ROW", "row", TOP_CELL_TEXT, 11, 11, 0},
        {"DECODING", "own.mean_ns", TOP_CELL_DURATION, 8, 8, 1},
        {"SHARE", "own.share", TOP_CELL_SHARE, 5, 6, 1},
        {"OF A TOKEN", "own.share", TOP_CELL_BAR, 20, 40, 4},
        {"CRITICAL", "critical.mean_ns", TOP_CELL_DURATION, 8, 8, 2},
        {"CRIT%", "critical.share", TOP_CELL_SHARE, 5, 6, 2},
        {"THREADS", "all.mean_ns", TOP_CELL_DURATION, 7, 8, 3},
        {"THR%", "all.share", TOP_CELL_SHARE, 5, 6, 3},
};

static const struct top_column ledger_slow_columns[] = {
        {"TOKEN", "number", TOP_CELL_ID, 8, 8, 0},
        {"AT", "at_ns", TOP_CELL_DURATION, 6, 7, 3},
        {"TOOK", "wall_ns", TOP_CELL_DURATION, 6, 7, 1},
        {"X MEDIAN", "times_median", TOP_CELL_COUNT, 8, 8, 1},
        {"MOSTLY", "most", TOP_CELL_TEXT, 11, 11, 2},
        {"THAT", "most_ns", TOP_CELL_DURATION, 6, 7, 2},
        {"TOKENS", "tokens", TOP_CELL_COUNT, 6, 6, 4},
};

#define NO_WAITS "nothing was waited for yet"

#define COLUMNS(list) .columns = list, .n_columns = sizeof(list) / sizeof((list)[0])

const struct top_table_kind top_tables[TOP_N_TABLES] = {
        [TOP_TABLE_OPS] = {.member = "ops",
                           COLUMNS(op_columns),
                           .sort = 3,
                           .split = "threads",
                           .split_by = "threads",
                           .filtered = "name",
                           .empty = "nothing yet; infprof record --kernels names further "
                                    "functions to time"},
        [TOP_TABLE_THREADS] = {.member = "threads",
                               COLUMNS(thread_columns),
                               .sort = 3,
                               .tie = {"share"},
                               .filtered = "name spawned_by now_text waiting_text",
                               .empty = "nothing yet"},
        [TOP_TABLE_SPAWNS] = {.member = "sites",
                              .part_of = "spawns",
                              COLUMNS(spawn_columns),
                              .sort = 1,
                              .filtered = "function library",
                              .empty = "nothing yet"},
        [TOP_TABLE_MEMORY_OPS] = {.name = "by op",
                                  .member = "ops",
                                  .part_of = "memory",
                                  COLUMNS(memory_op_columns),
                                  .sort = 2,
                                  .tie = {"asked_bytes"},
                                  .split = "phases",
                                  .split_by = "phases",
                                  .filtered = "name",
                                  .empty = "nothing was allocated yet"},
        [TOP_TABLE_MEMORY_PHASES] = {.name = "by phase",
                                     .member = "phases",
                                     .part_of = "memory",
                                     COLUMNS(memory_phase_columns),
                                     .sort = 2,
                                     .tie = {"asked_bytes"},
                                     .empty = "nothing was allocated yet"},
        [TOP_TABLE_MEMORY_SITES] = {.name = "by site",
                                    .member = "sites",
                                    .part_of = "memory",
                                    COLUMNS(memory_site_columns),
                                    .sort = 1,
                                    .tie = {"inuse_bytes", "alloc_bytes"},
                                    .filtered = "name caller op library function",
                                    .empty = "nothing was sampled yet; infprof record "
                                             "--heap-interval samples more often"},
        [TOP_TABLE_WAIT_OBJECTS] = {.name = "by object",
                                    .member = "objects",
                                    .part_of = "waits",
                                    COLUMNS(wait_object_columns),
                                    .sort = 2,
                                    .tie = {"total_ns"},
                                    .filtered = "kind object_text by_text",
                                    .empty = NO_WAITS},
        [TOP_TABLE_WAIT_SITES] = {.name = "by site",
                                  .member = "sites",
                                  .part_of = "waits",
                                  COLUMNS(wait_site_columns),
                                  .sort = 2,
                                  .tie = {"total_ns"},
                                  .filtered = "kind function_text caller op library",
                                  .empty = NO_WAITS},
        [TOP_TABLE_WAIT_NOW] = {.name = "now",
                                .member = "now",
                                .part_of = "waits",
                                COLUMNS(wait_now_columns),
                                .sort = 2,
                                .filtered = "name kind object_text holder_text",
                                .empty = "no thread waits at this moment"},
        [TOP_TABLE_WAIT_KINDS] = {.name = "by kind",
                                  .member = "kinds",
                                  .part_of = "waits",
                                  COLUMNS(wait_kind_columns),
                                  .sort = 1,
                                  .tie = {"total_ns"},
                                  .empty = NO_WAITS},
        [TOP_TABLE_LEDGER_ROWS] = {.name = "a token",
                                   .member = "rows",
                                   .part_of = "ledger",
                                   COLUMNS(ledger_row_columns),
                                   .sort = 1,
                                   .empty = "no token was decoded yet"},
        [TOP_TABLE_LEDGER_SLOW] =
                {.name = "slow tokens",
                 .member = "slow",
                 .part_of = "ledger",
                 COLUMNS(ledger_slow_columns),
                 .sort = 2,
                 .empty = "no token took three times as long as the one in the middle"},
};

const struct top_tab_kind top_tabs[TOP_N_TABS] = {
        [TOP_OPS] = {"ops", TOP_TABLE_OPS, 1},
        [TOP_THREADS] = {"threads", TOP_TABLE_THREADS, 1},
        [TOP_SPAWNS] = {"spawns", TOP_TABLE_SPAWNS, 1},
        [TOP_MEMORY] = {"memory", TOP_TABLE_MEMORY_OPS, 3},
        [TOP_WAITS] = {"waits", TOP_TABLE_WAIT_OBJECTS, 4},
        [TOP_LEDGER] = {"ledger", TOP_TABLE_LEDGER_ROWS, 2},
};
