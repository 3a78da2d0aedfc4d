/* SPDX-License-Identifier: MIT */
/* What machine this is, and what it can do at most: for run files. */
#pragma once

#include <stdbool.h>

struct runfile;

/* Begins to look. Before the daemon binds itself to some of the CPUs. */
void machine_open(void);
void machine_close(void);

/* Puts the row, once it is known what machine this is; `last`: that is waited for. True: it is in
 * the file, or will never be. */
bool machine_tell(struct runfile *rf, bool last);
