/* SPDX-License-Identifier: MIT */
/*
 * What this machine can do: the document infprof.machine/1, kept in a file and read again. The file
 * is somebody else's word: all that is used of it is checked.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#define MACHINE_SCHEMA "infprof.machine/1"

/* Where that of the machine with this fingerprint is kept. As ifp_state_dir(), which see. */
int machine_path(bool make, const char *fingerprint, char **ret_path, char **ret_why);

/*
 * 0; -ENOENT: there is none; -EINVAL: it is damaged, or another machine's; else a negative errno.
 * `ret_why` is then one line, to be freed, but for -ENOENT.
 */
int machine_load(const char *path, const char *fingerprint, json_t **ret, char **ret_why);

/* What is wrong with a document, a literal; NULL: it can be used. Of the machine with that
 * fingerprint (NULL: of any); `measured`: its ceilings must be there, else they may be missing. */
const char *machine_fault(const json_t *doc, const char *fingerprint, bool measured);
