/* SPDX-License-Identifier: MIT */
/* The forms of infprof.check/1. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A line for each condition. False: no memory. */
bool check_print(const json_t *document, unsigned width, FILE *f);

/* As the XML that CI systems read from JUnit: a test case for each condition; what is not known is
 * a failure. */
void check_junit(FILE *f, const json_t *document);
