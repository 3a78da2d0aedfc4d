/* SPDX-License-Identifier: MIT */
/*
 * infprof bench: a command run again and again, or what it does again and again within one run.
 * Parts of cmd-bench.c.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/trial.h"
#include "cli/view.h"

#define BENCH_SCHEMA "infprof.bench/1"

/* What is done in a run; the names in documents are bench_work_names. */
enum bench_work { BENCH_REQUESTS, BENCH_TOKENS, BENCH_CHARACTERS, BENCH_BATCHES, BENCH_N_WORK };
extern const char *const bench_work_names[BENCH_N_WORK];

/* What an iteration is. */
enum bench_per { BENCH_PROCESS, BENCH_TOKEN, BENCH_GRAPH, BENCH_OP, BENCH_MARKER };

struct bench_options {
        char **argv;
        uint64_t warmup;
        uint64_t runs;                                 /* 0: as many as seem right */
        uint64_t max_time_ns, memory_bytes, budget_ns; /* 0: none */
        double stable;                                 /* share of the median; 0: not asked for */
        enum bench_per per;
        const char *name;          /* of the op or marker */
        const char *kernels;       /* as infprof record has it; NULL: not given */
        bool profile;              /* each run is under the profiler */
        double work[BENCH_N_WORK]; /* of each run, as declared; NaN: not */
        bool as_json;
        const char *export;
};

/* -1: go on; else the exit code. */
int bench_parse(struct bench_options *ret, int argc, char **argv);

/* "token", "op mul_mat"; in buf[160]. */
const char *bench_per_text(char *buf, const struct bench_options *o);

struct bench_run {
        struct trial trial;
        double work[BENCH_N_WORK]; /* done in it; NaN: not known */
        double requests_ok;        /* of those that it told the end of; NaN: of none */
};

/* It did what it should: also where we ended it, since there was enough of it. */
static inline bool bench_succeeded(const struct bench_run *run)
{
        return trial_succeeded(&run->trial) || run->trial.end == TRIAL_ENOUGH;
}

/* The iterations of a process: see bench-series.c. */
struct bench_series {
        double *ns;
        size_t n, room;
        uint64_t left_out;    /* of other phases */
        uint64_t not_in_time; /* that were made, and have no place in time */
        uint64_t made;        /* calls of that phase that there were */
        const char *phase;    /* that they are of; NULL: any */
        double total_ns;      /* from the beginning of the first to the end of the last */
        bool overlap;         /* some of them went on at the same time */
};

struct bench {
        const struct bench_options *options;
        struct bench_run *runs; /* those measured */
        size_t n, room;
        uint64_t n_warmup; /* runs before them */
        size_t n_succeeded;
        uint64_t began_ns, ended_ns;
        int interrupted;   /* the signal; 0: not */
        bool cannot_run;   /* the command; the last of runs says why */
        bool stable;       /* the interval became as narrow as was asked for */
        size_t next_look;  /* at that many values it is asked again whether it is */
        unsigned n_narrow; /* how often in a row it was */
        char *trouble;     /* with the profiler */
        struct bench_series series;
};

/* Goes on until there is enough. Signals stay with trial_signal(), so that none comes before what
 * was measured is told. 0, or a negative errno after a line on stderr. */
int bench_run_all(struct bench *b);
void bench_done(struct bench *b);

/* The time of iterations so far (those that succeeded), in order; to be freed. NULL: no memory. */
double *bench_times(const struct bench *b, size_t *ret_n);

/* Is the median known as well as was asked for? To be asked again and again of a growing series; it
 * answers anew when it has grown enough. */
bool bench_is_stable(struct bench *b, const double *times, size_t n);

/* Of the last run, from its file: what it did. */
void bench_read_run(struct bench *b, const char *file);

/* The one run whose iterations are looked at. `to` has the file; as bench_run_all(). */
int bench_run_series(struct bench *b, struct trial_options *to);

/* A run, which is appended. *ret_goes_on: others may follow. 0, or a negative errno after a line.
 */
int bench_run_one(struct bench *b, const struct trial_options *to, bool *ret_goes_on);

/* A line on a terminal that tells how far it is; nothing elsewhere. */
void bench_progress(const struct bench *b, uint64_t elapsed_ns);
void bench_progress_end(void);

/* The document. NULL: no memory. */
json_t *bench_document(const struct bench *b);
json_t *bench_notes(const struct bench *b, const json_t *document);

bool bench_print(const struct view *v, const json_t *document);
