/* SPDX-License-Identifier: MIT */
#include "cli/diff-show.h"

#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/diff-flame.h"
#include "cli/diff-sides.h"
#include "cli/diff-view.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "common/cleanup.h"

#define LEAST_ROWS 3

static bool print(const struct view *v, size_t rows, const void *userdata)
{
        return diff_print(v, rows, userdata);
}

static int show(const struct diff_request *request, const struct diff_set *sets)
{
        _cleanup_(json_decrefp) json_t *document = NULL;

        if (report_diff_sets(&document, &sets[0], &sets[1], request->by)) {
                cmd_error(request->verb, "out of memory");
                return CMD_NO;
        }
        if (request->flame) {
                int r = diff_flame(request->verb, document, request->flame);

                if (r || !strcmp(request->flame, "-"))
                        return r;
        }
        if (request->as_json)
                return cmd_print_json(request->verb, document);
        if (!screen_print(&(struct view){stdout, table_output_width(), NULL}, request->rows,
                          LEAST_ROWS, print, document)) {
                cmd_error(request->verb, "out of memory");
                return CMD_NO;
        }
        return cmd_finish(request->verb, CMD_DONE);
}

int diff_show(const struct diff_request *request)
{
        struct diff_set sets[2] = {0};
        int r = diff_side_load(request->verb, request->a, &sets[0]);

        if (!r)
                r = diff_side_load(request->verb, request->b, &sets[1]);
        if (!r)
                r = show(request, sets);
        diff_set_done(&sets[0]);
        diff_set_done(&sets[1]);
        return r;
}
