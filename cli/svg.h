/* SPDX-License-Identifier: MIT */
/* What pictures have in common. */
#pragma once

#include <stdio.h>

/* Text as it may stand in an element or an attribute. */
void svg_escaped(FILE *out, const char *s);
