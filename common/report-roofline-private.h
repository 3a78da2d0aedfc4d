/* SPDX-License-Identifier: MIT */
/* What the files of the roofline's document share. */
#pragma once

#include "common/report-private.h"

/* `levels`, `working_set` and `cache` of a row. */
void roofline_put_levels(json_t *o, const struct report_roof *r, const struct report_shape *s,
                         const struct work_amount *each, const struct roof *roof, double gflops);
void roofline_put_cache(json_t *o, const struct report_roof *r, const struct report_shape *s,
                        const struct work_amount *each);
