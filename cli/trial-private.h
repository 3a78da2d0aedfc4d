/* SPDX-License-Identifier: MIT */
/* What the files of a trial share. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "cli/trial-noise.h"
#include "cli/trial-tree.h"
#include "cli/trial.h"

struct record_run;

/* What the command's process tells before it executes: memory that both have. */
struct told {
        uint64_t began_ns;
        uint64_t own_bytes;                  /* resident at the most until then: a copy of us */
        uint64_t own_user_ns, own_system_ns; /* what it took until then */
        int error;                           /* 0: it executed */
        int refused;                         /* index in refusals */
};

struct job {
        const struct trial_options *options;
        struct record_run *record; /* NULL: not under the profiler */
        struct told *told;
        int go[2]; /* the command's process is held until we write; once it executed, it reads no
                      more. -1: closed */
        int words; /* standard error; -1: nowhere */
        struct trial_tree tree;
        struct trial_noise noise;
        pid_t pid;
        bool over;
        int status;
        struct rusage usage;
        uint64_t ended_ns;
        uint64_t last_look_ns, seen_ns;
        double byte_ns; /* resident, integrated */
};

uint64_t trial_now_ns(void);
uint64_t trial_timeval_ns(const struct timeval *tv);

/* trial-watch.c: signals that end a trial; one that came while another was answered is kept. */
void trial_signals(sigset_t *ret);
void trial_keep_signal(int number);
const sigset_t *trial_mask(void); /* as it was before we watched */

/* trial-command.c: the process that becomes the command, and what it says. */
__attribute__((noreturn)) void trial_become(const struct job *j);
const char *trial_refusal(int refused);
int trial_open_words(const struct trial_options *o); /* a negative errno where a file was named */
void trial_forget_old_words(const struct job *j);
void trial_note_words(const struct job *j, struct trial *t);

int trial_run_job(struct job *j, struct trial *t);
int trial_run_recorded(struct job *j, struct trial *t); /* trial-record.c */
