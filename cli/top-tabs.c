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
        {"TID", "tid", TOP_CELL_ID, 7, 7, 1},
        {"STATE", "state", TOP_CELL_TEXT, 5, 5, 5},
        {"SPANS", "spans", TOP_CELL_COUNT, 6, 6, 4},
        {"BUSY", "busy_ns", TOP_CELL_DURATION, 6, 7, 3},
        {"BUSY%", "share", TOP_CELL_SHARE, 5, 6, 2},
        {"CPU", "cpu_ns", TOP_CELL_DURATION, 6, 7, 6},
        {"ALLOCS", "alloc_calls", TOP_CELL_COUNT, 6, 6, 7},
        {"SPAWNED BY", "spawned_by", TOP_CELL_TEXT, 14, 60, 8},
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
                               .sort = 5,
                               .filtered = "name spawned_by",
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
};

const struct top_tab_kind top_tabs[TOP_N_TABS] = {
        [TOP_OPS] = {"ops", TOP_TABLE_OPS, 1},
        [TOP_THREADS] = {"threads", TOP_TABLE_THREADS, 1},
        [TOP_SPAWNS] = {"spawns", TOP_TABLE_SPAWNS, 1},
        [TOP_MEMORY] = {"memory", TOP_TABLE_MEMORY_OPS, 3},
};
