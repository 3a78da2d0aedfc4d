/* SPDX-License-Identifier: MIT */
/*
 * Barriers: how long the threads waited for the last of them, who that was, what it costs. One line
 * for each object, op and phase: a barrier that ends a node of a graph has the node's op.
 */
#include "cli/waits-view-private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

/* "61%" */
static const char *part_of(char *buf, const json_t *last)
{
        double share = text_number(last, "share");

        if (isnan(share))
                return strcpy(buf, "-");
        if (share > 0 && share < 0.005)
                return strcpy(buf, "<1%");
        snprintf(buf, FMT_SIZE, "%.0f%%", share * 100);
        return buf;
}

static json_t *row_of(const json_t *barrier)
{
        const json_t *last = json_array_get(json_object_get(barrier, "last"), 0);
        json_t *row = json_copy((json_t *)barrier);
        const char *phase = view_phase(barrier);
        char objects[32], op[128], text[160] = "-", who[96], share[FMT_SIZE];

        if (text_number(last, "times") > 0)
                snprintf(text, sizeof(text), "%s %s", part_of(share, last),
                         waits_thread(who, sizeof(who), last));
        if (text_number(barrier, "objects") > 1 && !text_string(barrier, "object", NULL)) {
                snprintf(objects, sizeof(objects), "%.0f of them", text_number(barrier, "objects"));
                json_object_set_new(row, "object", json_string(objects));
        }
        if (phase && strcmp(phase, "decode") != 0)
                snprintf(op, sizeof(op), "%.80s (%.16s)", text_string(barrier, "op", "-"), phase);
        else
                snprintf(op, sizeof(op), "%.80s", text_string(barrier, "op", "-"));
        json_object_set_new(row, "op_text", json_string(op));
        json_object_set_new(row, "last_text", json_string(text));
        json_object_set_new(
                row, "how",
                json_string(json_is_true(json_object_get(barrier, "spins")) ? "spins" : "sleeps"));
        return row;
}

#define PRICE_MIN 0.01 /* of a token: less is not worth the first line */

void waits_print_price(const struct page *p)
{
        const json_t *barrier, *dearest = NULL;
        double most = 0, share = NAN;
        char rate[TEXT_CELL], part[FMT_SIZE];
        size_t i;

        json_array_foreach(json_object_get(p->document, "barriers"), i, barrier)
        {
                double v = rows_number(barrier, "price.tokens_per_second");

                if (v > most) {
                        most = v;
                        dearest = barrier;
                }
        }
        if (dearest)
                share = rows_number(dearest, "price.share_of_token");
        if (!(share >= PRICE_MIN))
                return;
        view_say(&p->v, "price",
                 "waiting at the barrier that ends %s costs %s tokens/s, %s of a token",
                 text_string(dearest, "op", "no op"), text_count(rate, most),
                 fmt_share(part, share));
}

bool waits_print_barriers(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"waited", true, false, 0}, "wait_ns", ROWS_TIME},
                {{"met", true, false, 1}, "episodes", ROWS_COUNT},
                {{"threads", true, false, 2}, "threads", ROWS_COUNT},
                {{"imbalance", true, false, 0}, "imbalance", ROWS_FACTOR, NULL, true},
                {{"efficiency", true, false, 0}, "efficiency", ROWS_SHARE, NULL, true},
                {{"of a token", true, false, 4}, "price.share_of_token", ROWS_SHARE, NULL, true},
                {{"tokens/s", true, false, 0}, "price.tokens_per_second", ROWS_NUMBER, NULL, true},
                {{"how", false, false, 3}, "how", ROWS_TEXT},
                {{"object", false, false, 9}, "object", ROWS_TEXT, "-"},
                {{"op", false, false, 0}, "op_text", ROWS_TEXT},
                {{"last to arrive", false, true, 0}, "last_text", ROWS_TEXT},
        };
        const json_t *barriers = json_object_get(p->document, "barriers");
        size_t n = json_array_size(barriers), shown = view_shown(p->rows, n);
        _cleanup_(json_decrefp) json_t *rows = json_array();

        if (!n)
                return true;
        for (size_t i = 0; i < shown; i++)
                json_array_append_new(rows, row_of(json_array_get(barriers, i)));
        view_heading(&p->v, "barriers, by the op that they end");
        if (!ROWS_PRINT(&p->v, rows, shown, columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        view_line(
                &p->v, "waited: all threads together%s%s",
                isnan(rows_sum(barriers, "efficiency"))
                        ? ""
                        : "; imbalance: the longest busy time between two barriers, as a multiple "
                          "of the mean; efficiency: busy, of busy and waiting",
                isnan(rows_sum(barriers, "price.tokens_per_second"))
                        ? ""
                        : "; tokens/s: how many more there would be without it");
        return true;
}
