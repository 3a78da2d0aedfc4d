/* SPDX-License-Identifier: MIT */
/*
 * The live screen of infprof top.
 */
#pragma once

#include "cli/top-source.h"
#include "cli/top-view.h"

/* Shows it until the user leaves; the exit code. A signal that ends it ends the process as well. */
int top_screen(struct top_source *source, struct top_view *view);
