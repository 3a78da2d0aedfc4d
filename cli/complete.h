/* SPDX-License-Identifier: MIT */
/*
 * What could stand where the cursor is: infprof complete, which the completions of shells ask. What
 * a verb takes is read from the verb itself (its table of options and its --help), so that a new
 * one needs nothing here.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/cmd.h"

/* ---- complete-verb.c: what a verb takes ---- */

#define COMPLETE_MOST_OPTIONS 64
#define COMPLETE_MOST_SLOTS   16

/* An option, and what its --help says of its value ("GLOB"; NULL: nothing) and of itself. */
struct complete_option {
        char *name;
        char brief; /* -x; 0: there is none */
        int has_arg;
        char *metavar, *about;
};

/* A word of a line of usage: "RUN", "RUN|PID", "rm", "CMD". */
struct complete_slot {
        char *word;
        bool repeats, optional;
        unsigned line; /* of usage: each has words of its own */
};

struct complete_verb {
        struct complete_option options[COMPLETE_MOST_OPTIONS];
        size_t n_options;
        bool leading; /* options end at the first operand */
        struct complete_slot slots[COMPLETE_MOST_SLOTS];
        size_t n_slots;
};

/* false: it tells nothing. */
bool complete_verb_read(struct complete_verb *ret, const struct cmd_verb *verb);
void complete_verb_done(struct complete_verb *v);

/* ---- complete-values.c: what could be there ---- */

/* What is being completed, and what goes before it in each candidate ("--by="). */
struct complete_word {
        const char *verb, *text, *before;
        const char *run; /* named on the line; NULL: the latest is meant */
};

/* Prints a candidate if the word begins it. */
void complete_offer(const struct complete_word *w, const char *candidate, const char *about);

/*
 * Prints what a value of that kind can be: by the words that --help uses ("RUN", "GLOB", "on|off"),
 * and, where `option` is not NULL, by what is known of it. true: it is for the shell to offer
 * files.
 */
bool complete_values(const struct complete_word *w, const char *option, const char *metavar);

/* The runs in the state directory, and `latest`, where that is possible. */
void complete_runs(const struct complete_word *w, bool latest);

/* ---- complete-files.c: what could be a run, or a set of them ---- */

/* Prints them; true: a path is being typed, and the shell is to offer files. */
bool complete_run(const struct complete_word *w, bool set);

/* ---- complete-words.c: what is known of an option ---- */

/* Its words, apart by blanks, or the word that --help would use ("FILE"); NULL: nothing is known.
 */
const char *complete_known(const char *verb, const char *option);

/* Prints those of `words`, apart by blanks or bars, that could stand behind the last comma. */
void complete_list(const struct complete_word *w, const char *words);
