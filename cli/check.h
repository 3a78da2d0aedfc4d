/* SPDX-License-Identifier: MIT */
/* Parts of infprof check: conditions as they are given, where their figures come from, and the
 * forms of infprof.check/1. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/check.h"

struct check_condition {
        char *text;
        char *place;       /* "FILE:LINE", or "condition 2" of those given as arguments */
        const char *wrong; /* it cannot be read; NULL: it can */
};

struct check_conditions {
        struct check_condition *all;
        size_t n, room;
        size_t n_given; /* as arguments */
};

/* 0, or the exit code after one line on stderr. */
int check_conditions_add(struct check_conditions *c, const char *text);
int check_conditions_add_file(struct check_conditions *c, const char *path);
void check_conditions_done(struct check_conditions *c);

enum { CHECK_KINDS = 9 }; /* of documents */

struct check_documents {
        const char *run, *baseline;
        json_t *of[2][CHECK_KINDS];
        json_t *schemas[CHECK_KINDS];
        int failed; /* exit code, once one could not be had */
};

/* Those of struct check_source, with a struct check_documents as their userdata. */
const json_t *check_documents_get(void *userdata, enum check_run run, const char *name);
const json_t *check_documents_schema(void *userdata, const char *name);
void check_documents_done(struct check_documents *d);

/* A line for each condition that could be looked at. False: no memory. */
bool check_print(const json_t *document, unsigned width, FILE *f);

/* As the XML that CI systems read from JUnit: a test case for each condition. What is not known is
 * a failure, what is malformed an error. */
void check_junit(FILE *f, const json_t *document);
