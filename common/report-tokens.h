/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.tokens/1" (doc/tokens.schema.json): what taking prompts in takes, and what
 * decoding does; tokens in time; and how a token's time grows with its KV cache, op by op. Built
 * from a run file and from nothing else: by the daemon for a live run, by the command for one that
 * is over. What is not known is null, never 0. Errors are those of common/runfile.h; `ret_why` is
 * one line, to be freed.
 */
#pragma once

#include <jansson.h>

struct runfile;

#define TOKENS_SCHEMA "infprof.tokens/1"

int report_tokens_new(json_t **ret, struct runfile *rf, char **ret_why);
int report_tokens_file(json_t **ret, const char *path, char **ret_why);
