/* SPDX-License-Identifier: MIT */
/*
 * The tables of a run file: one list of columns each, from which the SQL, the
 * writing and the reading of a row are all derived. Private to common/runfile*.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNFILE_APPLICATION_ID 0x49465031 /* "IFP1" */

enum column_type {
        COLUMN_U32,
        COLUMN_I32,
        COLUMN_U64,
        COLUMN_U64_OR_NONE, /* UINT64_MAX in C is NULL in SQL */
        COLUMN_I64,
        COLUMN_I64_OR_NONE, /* -1 in C is NULL in SQL */
        COLUMN_F64,
        COLUMN_BOOL,
        COLUMN_TEXT,
        COLUMN_TEXT_OR_NONE,
        COLUMN_HIST,
};

struct column {
        const char *name;
        uint32_t offset; /* in the row's struct */
        enum column_type type;
        uint32_t max; /* greatest value of a U32, 0: any */
        const char *comment;
};

struct table {
        const char *name;
        const char *comment;
        const struct column *columns;
        uint32_t n_columns;
        uint32_t n_keys; /* the first so many columns are the primary key */
        size_t row_bytes;
};

enum table_id {
        TABLE_RUN,
        TABLE_PROCESS,
        TABLE_OP,
        TABLE_OP_PHASE,
        TABLE_THREAD,
        TABLE_THREAD_OP,
        TABLE_SHAPE,
        TABLE_OPERAND,
        TABLE_SHAPE_PARAM,
        TABLE_SHAPE_PHASE,
        TABLE_LAYER,
        TABLE_EXPERTS,
        TABLE_TOLD,
        TABLE_MARKER,
        TABLE_COUNTER,
        TABLE_TILE,
        TABLE_INSTANT,
        TABLE_SITE,
        TABLE_SECOND,
        TABLE_SIZE_CLASS,
        TABLE_FRAME,
        TABLE_STACK,
        TABLE_MEMORY,
        TABLE_ARENA,
        TABLE_MAPPED_FILE,
        TABLE_TOKEN_ALLOC,
        TABLE_TOKEN_POINT,
        TABLE_KV,
        TABLE_KV_PIECE,
        TABLE_KV_BIN,
        TABLE_KV_OP,
        TABLE_SPAN,
        TABLE_MARK,
        TABLE_MARK_OP,
        TABLE_MARK_CLASS,
        TABLE_MARK_STACK,
        TABLE_THREAD_WAIT,
        TABLE_WAIT,
        TABLE_WAIT_BY,
        TABLE_WAIT_NOW,
        TABLE_SPAWN,
        TABLE_LEDGER,
        TABLE_LEDGER_ROW,
        TABLE_LEDGER_THREAD,
        TABLE_SLOW_TOKEN,
        TABLE_SLOW_TOKEN_ROW,
        TABLE_KERNEL,
        TABLE_KERNEL_OP,
        TABLE_SYSCALL,
        TABLE_PREEMPT,
        TABLE_OFF_CPU,
        TABLE_NOTE,
        TABLE_MACHINE,
        TABLE_SURROUNDINGS,
        TABLE_CONFINES,
        TABLE_ENVIRONMENT,
        TABLE_LIBRARY,
        N_TABLES,
};

extern const struct table runfile_tables[N_TABLES];

/* SQL, to be freed; NULL: no memory. */
char *runfile_schema_sql(void); /* makes everything in an empty database */
char *runfile_put_sql(const struct table *t);
char *runfile_select_sql(const struct table *t);
