/* SPDX-License-Identifier: MIT */
/* Ops whose arguments the user has declared: INFPROF_OPS. */
#pragma once

#include "preload/engine.h"

#pragma GCC visibility push(hidden)

/* Reads what is declared, and hands on a want for each. */
void ifp_declared_each(void (*add)(const struct ifp_want *w));

#pragma GCC visibility pop
