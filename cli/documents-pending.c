/* SPDX-License-Identifier: MIT */
/*
 * Until common/ builds these documents of run files, a run that is over has none of them; the
 * daemon's are shown.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/report-explain.h"

#define PENDING(name)                                                                              \
        int report_##name##_file(json_t **ret, const char *path, char **ret_why)                   \
        {                                                                                          \
                *ret_why = strdup("this document is not made of run files yet");                   \
                return -ENOSYS;                                                                    \
        }

PENDING(explain)
