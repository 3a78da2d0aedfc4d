/* SPDX-License-Identifier: MIT */
/*
 * One run of a command, as bench, ab and sweep make them: within limits, measured from outside, and
 * under the profiler or not.
 *
 * The command is in a session of its own, without a terminal, its standard input empty; so is
 * everything it starts, and what exceeds a limit is ended with all that belongs to it. A SIGINT,
 * SIGTERM or SIGHUP that we get ends it likewise, and is answered by TRIAL_INTERRUPTED.
 *
 * We become the parent of what loses its own (PR_SET_CHILD_SUBREAPER), and wait for any child that
 * ends while a trial goes on. What a trial leaves behind goes on, unless it was stopped.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trial_options {
        char **argv;      /* the command; ends with NULL */
        char **env;       /* NAME=VALUE, above what we have ourselves; ends with NULL, or NULL */
        uint64_t time_ns; /* limits; 0: none */
        uint64_t memory_bytes; /* resident, of all its processes together */
        const cpu_set_t *cpus; /* NULL: as we are */
        size_t cpus_size;      /* of *cpus, in bytes */
        int numa_policy;       /* MPOL_* for set_mempolicy(2); 0, -1: as we are */
        uint64_t numa_nodes;   /* its mask */
        const char *record;    /* the file of the run that is kept; NULL: not under the profiler */
        char **record_args;    /* further options of infprof record; ends with NULL, or NULL */
        const char *output;    /* where its standard output and error go; NULL: nowhere */
        /* Asked four times a second while it goes on; true: that was enough, it is stopped. */
        bool (*tick)(void *userdata, uint64_t elapsed_ns);
        void *userdata;
};

enum trial_end {
        TRIAL_EXITED,      /* code: exit code */
        TRIAL_KILLED,      /* code: signal */
        TRIAL_OVER_TIME,   /* stopped by us */
        TRIAL_OVER_MEMORY, /* stopped by us */
        TRIAL_NOT_RUN,     /* code: errno of exec */
        TRIAL_INTERRUPTED, /* code: signal that we got */
        TRIAL_ENOUGH,      /* stopped, since options.tick said so */
};

struct trial {
        enum trial_end end;
        int code;
        uint64_t began_ns;           /* CLOCK_MONOTONIC */
        uint64_t wall_ns;            /* from exec to the end of the command */
        uint64_t user_ns, system_ns; /* of it and all its children that were waited for */
        uint64_t peak_bytes;         /* resident, of all its processes together, sampled; at least
                                        what the kernel tells of the largest, where that is more
                                        than a copy of us. 0: too small and too short to tell */
        uint64_t mean_bytes;         /* resident, over time; 0: too short to tell */
        double others;        /* CPUs that processes beside it took on average; NaN: not known */
        double stolen;        /* CPUs that the hypervisor took; NaN: not known */
        uint64_t throttled;   /* throttle events of the CPUs meanwhile; 0 also where not told */
        uint64_t quota_stops; /* times that a CPU quota stopped our control group; likewise */
        size_t n_left;        /* processes it left behind (they go on) */
        const char *refused;  /* of TRIAL_NOT_RUN: what failed, "exec", "affinity" ... */
        char trouble[256];    /* with the profiler: the run in `record` is not there, or not whole,
                                 or nothing is in it; "" where all is well */
        char run_id[64];      /* of the run in `record`; "" where none is kept */
        char last_words[256]; /* the last line it wrote on standard error, for people */
};

/*
 * From here on SIGINT, SIGTERM and SIGHUP are kept for trial_run() (which does this, too) and for
 * trial_signal(); trial_unwatch() makes them end us again.
 */
void trial_watch(void);
void trial_unwatch(void);

/* One of them that has come and was not answered yet, or 0. */
int trial_signal(void);

/* exit code 0 */
bool trial_succeeded(const struct trial *t);

/* "exit code 3", "killed by SIGSEGV", "stopped after 10 s: over its time" ... */
void trial_say_end(const struct trial *t, const struct trial_options *options, char *buf, size_t n);

/* Takes away a run's file, and what stands for it in the state directory. */
void trial_forget(const struct trial *t, const char *record);

/*
 * 0, whatever became of the command; a negative errno where it could not even be tried: -EINVAL is
 * an option of infprof record that makes no sense, -ECANCELED that it cannot record, both after a
 * line on stderr.
 */
int trial_run(struct trial *ret, const struct trial_options *options);
