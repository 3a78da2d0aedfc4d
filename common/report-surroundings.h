/* SPDX-License-Identifier: MIT */
/* What a run ran in: the state of its machine, its environment, the libraries it loaded. */
#pragma once

#include <jansson.h>

struct runfile;

/* The member `surroundings` of infprof.report/1. What is not known is null. 0, or as of
 * common/runfile.h. */
int report_surroundings(json_t **ret, struct runfile *rf, char **ret_why);
