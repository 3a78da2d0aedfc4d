/* SPDX-License-Identifier: MIT */
/*
 * Verdicts on a run. Each is a function of the facts (explain-*.c): it finds, or finds not, or
 * cannot know, and says why; what it finds has numbers of this run. Private to
 * common/report-explain.c and explain-*.c.
 */
#pragma once

#include "common/fmt.h"
#include "common/report-private.h"
#include "common/report-work-private.h"

/*
 * What several verdicts go by. Times are sums over all decode steps, in ns; NaN: not known. Without
 * a ledger nothing is known of the rows, but for the pace.
 */
struct facts {
        struct work *w;
        json_t *report, *memory, *roofline; /* documents of the run */
        json_t *machine;                    /* that it was on; NULL: not known */
        const char *said;                   /* a verdict on threads that was found; NULL: none */
        struct barriers barriers;
        bool waits_known;                            /* of some process */
        bool has_ledger, has_kernel;                 /* kernel: its rows are in the ledger */
        double tokens, wall;                         /* NaN: no token was decoded */
        double own[IFP_N_LEDGER], all[IFP_N_LEDGER]; /* of the thread that decodes; of all */
        double threads_ns;                           /* all of ALL */
        json_t *token_growth;                        /* infprof.tokens/1 */
        const char *blas_core;                       /* of some process; NULL: not known */
        double run_ns;                               /* from the first to the last of the run */
        uint64_t cpus;                               /* that the process may use; 0: not known */
        double team;    /* threads that compute in the same phase, at one time */
        double passing; /* of these: threads that come and go; how many live at a time is seldom so
                         */
        double demand;  /* CPUs they would have used, on average, had there been enough: at least */
        double demand_most; /* and at most: without the kernel's word a wait may be for a CPU */
        double watched;  /* part of the lives of threads that compute that the kernel's view saw */
        double runnable; /* share of the time they wanted a CPU that they did not have one */
        bool short_of_cpus;      /* so that who waits may wait for a thread that has none */
        bool runnable_in_decode; /* it is of decode steps; else of the threads' whole lives */
        double spin_ns;          /* waiting at barriers that spin */
        double asleep_ns;        /* in all other waits */
        double compute_cpu; /* of all threads, without what they stood in line for a CPU: told by
                               the kernel, or an estimate */
        double serial;      /* what only the thread that decodes can do: outside, allocation */
        double texts;       /* the same, if texts were worked at side by side, one a CPU */
        double ideal;       /* the least the steps could take on these CPUs */
};

int facts_find(struct facts *f, struct work *w);
/* A wait at a barrier that spins; of decode steps, where there are any. */
bool facts_is_spin(const struct facts *f, const struct work_wait *e);
void facts_done(struct facts *f);

enum judged { JUDGED_NO, JUDGED_YES, JUDGED_UNKNOWN };

struct judgement {
        enum judged judged;
        char why[256];
        json_t *finding;
        json_t *evidence; /* part of it */
        double factor;    /* NaN: not known */
        bool small; /* it was found, and is known to be less than EXPLAIN_GAIN_MIN would be told */
};

/* What would bring less is no finding, unless what is wrong is how often something happens. */
#define EXPLAIN_GAIN_MIN 1.03

/* How much was seen. */
enum confidence { CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH };

__attribute__((format(printf, 2, 3))) void judge_no(struct judgement *j, const char *format, ...);
__attribute__((format(printf, 2, 3))) void judge_unknown(struct judgement *j, const char *format,
                                                         ...);

/* Were waits recorded? If not, that is the judgement. */
bool judge_waits(struct judgement *j, const struct facts *f);
/* "1 CPU", "2 CPUs" */
const char *explain_cpus(const struct facts *f, char *buf, size_t size);

/* Begins a finding. */
__attribute__((format(printf, 2, 3))) void judge_yes(struct judgement *j, const char *format, ...);
/* Units: "ns", "count", "bytes", "share", "GFLOP/s", "GB/s", "tokens/s", "1/token", "1/s",
 * "factor". NaN is left out.
 */
__attribute__((format(printf, 4, 5))) void judge_evidence(struct judgement *j, double value,
                                                          const char *unit, const char *format,
                                                          ...);
__attribute__((format(printf, 2, 3))) void judge_cause(struct judgement *j, const char *format,
                                                       ...);
__attribute__((format(printf, 2, 3))) void judge_remedy(struct judgement *j, const char *format,
                                                        ...);
/* `ns`: of all decode steps, NaN: not known; `share`: of what, says the text. */
__attribute__((format(printf, 5, 6))) void judge_cost(struct judgement *j, const struct facts *f,
                                                      double ns, double share, const char *format,
                                                      ...);
/* `wall`: what all steps together would take; NaN: not known. The text says how that is known. */
__attribute__((format(printf, 4, 5))) void judge_gain(struct judgement *j, const struct facts *f,
                                                      double wall, const char *format, ...);
void judge_confidence(struct judgement *j, const struct facts *f, enum confidence most);

/* Found, but small: no finding, with what it would bring or take as the reason. */
void judge_small(struct judgement *j);

/* The verdicts. */
void explain_oversubscribed(const struct facts *f, struct judgement *j);
void explain_spin_wait(const struct facts *f, struct judgement *j);
void explain_spawn_churn(const struct facts *f, struct judgement *j);
void explain_imbalance(const struct facts *f, struct judgement *j);
void explain_lock_convoy(const struct facts *f, struct judgement *j);
void explain_preempted(const struct facts *f, struct judgement *j);
void explain_migrations(const struct facts *f, struct judgement *j);
void explain_small_work_units(const struct facts *f, struct judgement *j);

/* Threads are short of CPUs: that is why nothing follows from what they wait for. */
void judge_short_of_cpus(struct judgement *j, const struct facts *f);
bool explain_is_collector(const struct work_preempt *p); /* or one of its helpers, or a command */
/* In ns: all threads ran, or could have run and had no CPU. 0: not known. */
double explain_wanted(const struct work *w);

/* Text in buffers of the caller. */
#define EXPLAIN_TEXT 320
const char *explain_ns(char *buf, double ns); /* as fmt_ns; "an unknown time" for NaN */
const char *explain_place(const struct model_site *s, char *buf, size_t size);
/* The innermost function that is no part of the C library, of a wait's site; NULL: not known. */
const char *explain_function(const struct work *w, const uint32_t *frames, size_t n);
