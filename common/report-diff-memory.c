/* SPDX-License-Identifier: MIT */
#include "common/report-diff-memory.h"

int report_diff_memory(json_t **ret, const json_t *a, const json_t *b, char **ret_why)
{
        *ret = json_pack("{s:s,s:{}}", "schema", DIFF_SCHEMA, "memory");
        return 0;
}
