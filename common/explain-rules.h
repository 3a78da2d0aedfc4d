/* SPDX-License-Identifier: MIT */
/* The table of rules: explain-rules.c. Private to common/report-explain.c and its tests. */
#pragma once

#include "common/report-explain-private.h"

#define EXPLAIN_RULES 17

const char *explain_rule_id(size_t rule);
/* By the facts and the documents in them. */
void explain_rule(size_t rule, const struct facts *f, struct judgement *j);
