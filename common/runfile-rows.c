/* SPDX-License-Identifier: MIT */
/*
 * Rows of a run file, to and from their structs. What is read was written by
 * somebody else: type and range of each value are checked.
 */
#include "common/runfile-private.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "common/hist.h"

static int bind_row(sqlite3_stmt *st, const struct table *t, const void *row)
{
        int rc = SQLITE_OK;

        for (uint32_t i = 0; i < t->n_columns && rc == SQLITE_OK; i++) {
                const struct column *c = &t->columns[i];
                const void *field = (const char *)row + c->offset;
                int at = (int)i + 1;
                const char *text;
                uint64_t u;
                int64_t s;
                uint8_t *blob;
                size_t size;

                switch (c->type) {
                case COLUMN_U32:
                        rc = sqlite3_bind_int64(st, at, *(const uint32_t *)field);
                        break;
                case COLUMN_I32:
                        rc = sqlite3_bind_int64(st, at, *(const int32_t *)field);
                        break;
                case COLUMN_BOOL:
                        rc = sqlite3_bind_int64(st, at, *(const bool *)field);
                        break;
                case COLUMN_U64:
                case COLUMN_U64_OR_NONE:
                        u = *(const uint64_t *)field;
                        if (c->type == COLUMN_U64_OR_NONE && u == UINT64_MAX)
                                rc = sqlite3_bind_null(st, at);
                        else if (u > INT64_MAX) /* SQL has no such integer, nor has the world */
                                rc = SQLITE_RANGE;
                        else
                                rc = sqlite3_bind_int64(st, at, (int64_t)u);
                        break;
                case COLUMN_I64:
                case COLUMN_I64_OR_NONE:
                        s = *(const int64_t *)field;
                        if (c->type == COLUMN_I64_OR_NONE && s == -1)
                                rc = sqlite3_bind_null(st, at);
                        else
                                rc = sqlite3_bind_int64(st, at, s);
                        break;
                case COLUMN_F64:
                        rc = sqlite3_bind_double(st, at, *(const double *)field);
                        break;
                case COLUMN_TEXT:
                case COLUMN_TEXT_OR_NONE:
                        text = *(const char *const *)field;
                        if (!text && c->type == COLUMN_TEXT)
                                text = "";
                        rc = sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
                        break;
                case COLUMN_HIST:
                        if (!*(const uint64_t *const *)field) {
                                rc = sqlite3_bind_null(st, at);
                        } else if (hist_encode(*(const uint64_t *const *)field, &blob, &size)) {
                                rc = SQLITE_NOMEM;
                        } else {
                                rc = sqlite3_bind_blob(st, at, blob, (int)size, free);
                        }
                        break;
                }
        }
        return rc;
}

static int put_row(struct runfile *rf, enum table_id id, const void *row)
{
        const struct table *t = &runfile_tables[id];
        int rc = SQLITE_OK, r;

        if (rf->in_transaction && rf->failed)
                return rf->failed;
        if (!rf->put[id]) {
                _cleanup_(freep) char *sql = runfile_put_sql(t);

                if (!sql)
                        return -ENOMEM;
                rc = sqlite3_prepare_v3(rf->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &rf->put[id],
                                        NULL);
        }
        if (rc == SQLITE_OK)
                rc = bind_row(rf->put[id], t, row);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(rf->put[id]);
        r = rc == SQLITE_RANGE ? -ERANGE : runfile_verdict(rf->db, rc);
        if (rf->put[id]) {
                sqlite3_reset(rf->put[id]);
                sqlite3_clear_bindings(rf->put[id]);
        }
        if (r && rf->in_transaction)
                rf->failed = r;
        return r;
}

/* One column into its field; false: what stands there cannot have been put. */
static bool read_column(struct runfile *rf, sqlite3_stmt *st, int i, const struct column *c,
                        void *field)
{
        int type = sqlite3_column_type(st, i);
        int64_t v = sqlite3_column_int64(st, i);

        switch (c->type) {
        case COLUMN_U32:
                *(uint32_t *)field = (uint32_t)v;
                return type == SQLITE_INTEGER && v >= 0 && v <= (c->max ? c->max : UINT32_MAX);
        case COLUMN_I32:
                *(int32_t *)field = (int32_t)v;
                return type == SQLITE_INTEGER && v >= INT32_MIN && v <= INT32_MAX;
        case COLUMN_BOOL:
                *(bool *)field = v;
                return type == SQLITE_INTEGER && (v == 0 || v == 1);
        case COLUMN_U64_OR_NONE:
                *(uint64_t *)field = type == SQLITE_NULL ? UINT64_MAX : (uint64_t)v;
                return type == SQLITE_NULL || (type == SQLITE_INTEGER && v >= 0);
        case COLUMN_U64:
                *(uint64_t *)field = (uint64_t)v;
                return type == SQLITE_INTEGER && v >= 0;
        case COLUMN_I64_OR_NONE:
                *(int64_t *)field = type == SQLITE_NULL ? -1 : v;
                return type == SQLITE_NULL || type == SQLITE_INTEGER;
        case COLUMN_I64:
                *(int64_t *)field = v;
                return type == SQLITE_INTEGER;
        case COLUMN_F64:
                *(double *)field = sqlite3_column_double(st, i);
                return type == SQLITE_FLOAT && *(double *)field >= 0 && *(double *)field <= DBL_MAX;
        case COLUMN_TEXT:
        case COLUMN_TEXT_OR_NONE:
                *(const char **)field = (const char *)sqlite3_column_text(st, i);
                return type == SQLITE_TEXT ||
                       (type == SQLITE_NULL && c->type == COLUMN_TEXT_OR_NONE);
        case COLUMN_HIST: {
                const void *blob = sqlite3_column_blob(st, i);
                uint64_t *buckets = rf->buckets[rf->n_hists++ % 2];

                *(const uint64_t **)field = type == SQLITE_NULL ? NULL : buckets;
                if (type == SQLITE_NULL)
                        return true;
                return type == SQLITE_BLOB &&
                       !hist_decode(blob ? blob : "", (size_t)sqlite3_column_bytes(st, i), buckets);
        }
        }
        return false;
}

static int read_row(struct runfile *rf, sqlite3_stmt *st, const struct table *t, void *row)
{
        memset(row, 0, t->row_bytes);
        rf->n_hists = 0;
        for (uint32_t i = 0; i < t->n_columns; i++) {
                const struct column *c = &t->columns[i];

                if (!read_column(rf, st, (int)i, c, (char *)row + c->offset))
                        return runfile_explain(
                                &rf->why, RUNFILE_E_FOREIGN,
                                "'%s' is damaged: table %s holds an impossible value in "
                                "column %s; it cannot be used",
                                rf->path, t->name, c->name);
        }
        return 0;
}

union any_row {
        struct runfile_run run;
        struct runfile_process process;
        struct runfile_op op;
        struct runfile_op_phase op_phase;
        struct runfile_thread thread;
        struct runfile_thread_op thread_op;
        struct runfile_shape shape;
        struct runfile_operand operand;
        struct runfile_shape_param shape_param;
        struct runfile_shape_phase shape_phase;
        struct runfile_layer layer;
        struct runfile_experts experts;
        struct runfile_told told;
        struct runfile_marker marker;
        struct runfile_counter counter;
        struct runfile_tile tile;
        struct runfile_instant instant;
        struct runfile_site site;
        struct runfile_second second;
        struct runfile_size_class size_class;
        struct runfile_frame frame;
        struct runfile_stack stack;
        struct runfile_memory memory;
        struct runfile_arena arena;
        struct runfile_mapped_file mapped_file;
        struct runfile_token_alloc token_alloc;
        struct runfile_token_point token_point;
        struct runfile_kv kv;
        struct runfile_kv_piece kv_piece;
        struct runfile_kv_bin kv_bin;
        struct runfile_kv_op kv_op;
        struct runfile_span span;
        struct runfile_mark mark;
        struct runfile_mark_op mark_op;
        struct runfile_mark_class mark_class;
        struct runfile_mark_stack mark_stack;
        struct runfile_note note;
        struct runfile_machine machine;
        struct runfile_surroundings surroundings;
        struct runfile_confines confines;
        struct runfile_environment environment;
        struct runfile_library library;
};

static void forget_why(struct runfile *rf)
{
        free(rf->why);
        rf->why = NULL;
}

static int each_row(struct runfile *rf, enum table_id id, int (*fn)(const void *, void *),
                    void *userdata)
{
        const struct table *t = &runfile_tables[id];
        _cleanup_(freep) char *sql = runfile_select_sql(t);
        _cleanup_(finalizep) sqlite3_stmt *st = NULL;
        union any_row row;
        int rc, r;

        forget_why(rf);
        if (!sql)
                return -ENOMEM;
        rc = sqlite3_prepare_v2(rf->db, sql, -1, &st, NULL);
        if (rc != SQLITE_OK)
                return runfile_explain_verdict(rf, runfile_verdict(rf->db, rc), &rf->why);
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
                r = read_row(rf, st, t, &row);
                if (!r)
                        r = fn(&row, userdata);
                if (r)
                        return r;
        }
        r = runfile_verdict(rf->db, rc);
        return r ? runfile_explain_verdict(rf, r, &rf->why) : 0;
}

/* The put and the walk of each table, with the types that belong to it. */
#define DEFINE_ROWS(name, id)                                                                      \
        struct each_##name {                                                                       \
                runfile_##name##_fn fn;                                                            \
                void *userdata;                                                                    \
        };                                                                                         \
        static int pass_##name(const void *row, void *userdata)                                    \
        {                                                                                          \
                struct each_##name *each = userdata;                                               \
                                                                                                   \
                return each->fn(row, each->userdata);                                              \
        }                                                                                          \
        int runfile_put_##name(struct runfile *rf, const struct runfile_##name *row)               \
        {                                                                                          \
                return put_row(rf, id, row);                                                       \
        }                                                                                          \
        int runfile_each_##name(struct runfile *rf, runfile_##name##_fn fn, void *userdata)        \
        {                                                                                          \
                struct each_##name each = {fn, userdata};                                          \
                                                                                                   \
                return each_row(rf, id, pass_##name, &each);                                       \
        }                                                                                          \
        struct rows_semicolon_##name

DEFINE_ROWS(process, TABLE_PROCESS);
DEFINE_ROWS(op, TABLE_OP);
DEFINE_ROWS(op_phase, TABLE_OP_PHASE);
DEFINE_ROWS(thread, TABLE_THREAD);
DEFINE_ROWS(thread_op, TABLE_THREAD_OP);
DEFINE_ROWS(shape, TABLE_SHAPE);
DEFINE_ROWS(operand, TABLE_OPERAND);
DEFINE_ROWS(shape_param, TABLE_SHAPE_PARAM);
DEFINE_ROWS(shape_phase, TABLE_SHAPE_PHASE);
DEFINE_ROWS(layer, TABLE_LAYER);
DEFINE_ROWS(experts, TABLE_EXPERTS);
DEFINE_ROWS(told, TABLE_TOLD);
DEFINE_ROWS(marker, TABLE_MARKER);
DEFINE_ROWS(counter, TABLE_COUNTER);
DEFINE_ROWS(tile, TABLE_TILE);
DEFINE_ROWS(instant, TABLE_INSTANT);
DEFINE_ROWS(site, TABLE_SITE);
DEFINE_ROWS(second, TABLE_SECOND);
DEFINE_ROWS(size_class, TABLE_SIZE_CLASS);
DEFINE_ROWS(frame, TABLE_FRAME);
DEFINE_ROWS(stack, TABLE_STACK);
DEFINE_ROWS(memory, TABLE_MEMORY);
DEFINE_ROWS(arena, TABLE_ARENA);
DEFINE_ROWS(mapped_file, TABLE_MAPPED_FILE);
DEFINE_ROWS(token_alloc, TABLE_TOKEN_ALLOC);
DEFINE_ROWS(token_point, TABLE_TOKEN_POINT);
DEFINE_ROWS(kv, TABLE_KV);
DEFINE_ROWS(kv_piece, TABLE_KV_PIECE);
DEFINE_ROWS(kv_bin, TABLE_KV_BIN);
DEFINE_ROWS(kv_op, TABLE_KV_OP);
DEFINE_ROWS(span, TABLE_SPAN);
DEFINE_ROWS(mark, TABLE_MARK);
DEFINE_ROWS(mark_op, TABLE_MARK_OP);
DEFINE_ROWS(mark_class, TABLE_MARK_CLASS);
DEFINE_ROWS(mark_stack, TABLE_MARK_STACK);
DEFINE_ROWS(thread_wait, TABLE_THREAD_WAIT);
DEFINE_ROWS(wait, TABLE_WAIT);
DEFINE_ROWS(wait_by, TABLE_WAIT_BY);
DEFINE_ROWS(wait_now, TABLE_WAIT_NOW);
DEFINE_ROWS(spawn, TABLE_SPAWN);
DEFINE_ROWS(ledger, TABLE_LEDGER);
DEFINE_ROWS(ledger_row, TABLE_LEDGER_ROW);
DEFINE_ROWS(ledger_thread, TABLE_LEDGER_THREAD);
DEFINE_ROWS(slow_token, TABLE_SLOW_TOKEN);
DEFINE_ROWS(slow_token_row, TABLE_SLOW_TOKEN_ROW);
DEFINE_ROWS(kernel, TABLE_KERNEL);
DEFINE_ROWS(kernel_op, TABLE_KERNEL_OP);
DEFINE_ROWS(syscall, TABLE_SYSCALL);
DEFINE_ROWS(preempt, TABLE_PREEMPT);
DEFINE_ROWS(off_cpu, TABLE_OFF_CPU);
DEFINE_ROWS(note, TABLE_NOTE);
DEFINE_ROWS(machine, TABLE_MACHINE);
DEFINE_ROWS(surroundings, TABLE_SURROUNDINGS);
DEFINE_ROWS(confines, TABLE_CONFINES);
DEFINE_ROWS(environment, TABLE_ENVIRONMENT);
DEFINE_ROWS(library, TABLE_LIBRARY);

int runfile_put_run(struct runfile *rf, const struct runfile_run *run)
{
        return put_row(rf, TABLE_RUN, run);
}

/* Copies the strings of a row, so that it can stay. */
static int keep_text(const struct table *t, void *row, char **texts)
{
        for (uint32_t i = 0, n = 0; i < t->n_columns; i++) {
                const struct column *c = &t->columns[i];
                const char **field = (const char **)(void *)((char *)row + c->offset);

                if (c->type != COLUMN_TEXT && c->type != COLUMN_TEXT_OR_NONE)
                        continue;
                if (n == RUNFILE_TEXTS)
                        return -EOVERFLOW;
                free(texts[n]);
                texts[n] = NULL;
                if (*field && !(texts[n] = strdup(*field)))
                        return -ENOMEM;
                *field = texts[n++];
        }
        return 0;
}

static int keep_run(const void *row, void *userdata)
{
        struct runfile *rf = userdata;

        rf->run = *(const struct runfile_run *)row;
        rf->has_run = true;
        return keep_text(&runfile_tables[TABLE_RUN], &rf->run, rf->run_text);
}

int runfile_get_run(struct runfile *rf, struct runfile_run *ret)
{
        int r;

        rf->has_run = false;
        r = each_row(rf, TABLE_RUN, keep_run, rf);
        if (r)
                return r;
        if (!rf->has_run)
                return runfile_explain(&rf->why, RUNFILE_E_FOREIGN,
                                       "'%s' is damaged: it names no run; it cannot be used",
                                       rf->path);
        *ret = rf->run;
        return 0;
}

struct search {
        struct runfile *rf;
        const char *uuid;
        bool found;
};

static int keep_process(const void *row, void *userdata)
{
        struct search *search = userdata;
        const struct runfile_process *p = row;
        struct runfile *rf = search->rf;

        if (strcmp(p->uuid, search->uuid))
                return 0;
        rf->found = *p;
        search->found = true;
        return keep_text(&runfile_tables[TABLE_PROCESS], &rf->found, rf->found_text);
}

bool runfile_find_process(struct runfile *rf, const char *uuid, struct runfile_process *ret)
{
        struct search search = {.rf = rf, .uuid = uuid};

        if (each_row(rf, TABLE_PROCESS, keep_process, &search) || !search.found)
                return false;
        *ret = rf->found;
        return true;
}

int runfile_token_ns(struct runfile *rf, uint64_t *ret_ns, uint64_t *ret_n_first)
{
        static const char sql[] = "SELECT ifnull(sum(r.total_ns - r.child_ns) FILTER (WHERE o.kind "
                                  "= ?1 AND r.phase = ?2), 0),"
                                  " ifnull(sum(r.timed) FILTER (WHERE o.kind = ?3), 0)"
                                  " FROM op_phase r JOIN op o USING (process, op)";
        _cleanup_(finalizep) sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(rf->db, sql, -1, &st, NULL);

        forget_why(rf);
        if (rc == SQLITE_OK) {
                sqlite3_bind_int(st, 1, IFP_KIND_TOKEN);
                sqlite3_bind_int(st, 2, IFP_PHASE_DECODE);
                sqlite3_bind_int(st, 3, IFP_KIND_TTFT);
                rc = sqlite3_step(st);
        }
        if (rc != SQLITE_ROW || sqlite3_column_int64(st, 0) < 0 || sqlite3_column_int64(st, 1) < 0)
                return runfile_explain_verdict(
                        rf, rc == SQLITE_ROW ? RUNFILE_E_FOREIGN : runfile_verdict(rf->db, rc),
                        &rf->why);
        *ret_ns = (uint64_t)sqlite3_column_int64(st, 0);
        *ret_n_first = (uint64_t)sqlite3_column_int64(st, 1);
        return 0;
}
