/* SPDX-License-Identifier: MIT */
/* An op with its shape, in a narrow column. */
#pragma once

/*
 * "MUL_MAT q8_0[288,768] x f32[288,1]" in at most `cells` columns: blanks go first, then types,
 * then brackets, so that extents, which tell rows apart, are left. All else is cut as by
 * text_clean(). To be freed.
 */
char *shape_text_cut(const char *s, unsigned cells);
