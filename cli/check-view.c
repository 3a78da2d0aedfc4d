/* SPDX-License-Identifier: MIT */
/* Results of conditions, for people and for CI systems. */
#include "cli/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/svg.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/check.h"

static bool is(const json_t *o, const char *verdict)
{
        return !strcmp(text_string(o, "verdict", ""), verdict);
}

/* "value" or "limit" */
static const char *value_text(char *buf, const json_t *o, const char *member)
{
        const json_t *v = json_object_get(o, member);
        const char *unit = text_string(o, "unit", ""),
                   *bound = text_string(o, *member == 'v' ? "value_is" : "limit_is", "");

        return check_value_text(buf,
                                (struct check_value){json_is_number(v) ? json_number_value(v) : NAN,
                                                     !strcmp(unit, "ns")      ? CHECK_NS
                                                     : !strcmp(unit, "bytes") ? CHECK_BYTES
                                                                              : CHECK_PLAIN,
                                                     !strcmp(bound, "at least")  ? CHECK_AT_LEAST
                                                     : !strcmp(bound, "at most") ? CHECK_AT_MOST
                                                                                 : CHECK_EXACT});
}

bool check_print(const json_t *document, unsigned width, FILE *f)
{
        static const struct table_column columns[] = {{.title = ""},
                                                      {.title = "value", .right = true},
                                                      {.title = ""},
                                                      {.title = "limit", .right = true},
                                                      {.title = "condition", .flexible = true}};
        struct table *t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
        const json_t *o;
        size_t i;
        bool done, any = false;

        if (!t)
                return false;
        json_array_foreach(json_object_get(document, "conditions"), i, o)
        {
                char a[CHECK_VALUE_SIZE], b[CHECK_VALUE_SIZE];
                const char *cells[] = {is(o, "pass") ? "pass" : "FAIL", value_text(a, o, "value"),
                                       text_string(o, "comparison", ""), value_text(b, o, "limit"),
                                       text_string(o, "condition", "")};

                if (is(o, "malformed"))
                        continue;
                table_add(t, cells);
                any = true;
        }
        done = !any || table_print(t, f, width);
        table_free(t);
        json_array_foreach(json_object_get(document, "conditions"), i, o)
        {
                const char *why = text_string(o, "why", "");
                char *condition;

                if (!*why || is(o, "malformed"))
                        continue;
                condition = text_clean(text_string(o, "condition", ""), 60);
                if (!condition)
                        return false;
                fprintf(f, "%s: %s\n", condition, why);
                free(condition);
        }
        return done;
}

/* How a condition that is not met is told in a test case. */
static void put_failure(FILE *f, const json_t *o)
{
        const char *why = text_string(o, "why", "");
        char a[CHECK_VALUE_SIZE], b[CHECK_VALUE_SIZE];

        if (is(o, "malformed")) {
                fputs("    <error message=\"", f);
        } else {
                fprintf(f, "    <failure message=\"value %s, limit %s%s", value_text(a, o, "value"),
                        value_text(b, o, "limit"), *why ? ": " : "");
        }
        svg_escaped(f, why);
        fputs("\"/>\n", f);
}

void check_junit(FILE *f, const json_t *document)
{
        long long failed = json_integer_value(json_object_get(document, "failed")) +
                           json_integer_value(json_object_get(document, "unknown"));
        const json_t *o;
        size_t i;

        fprintf(f,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<testsuite name=\"infprof check\" tests=\"%zu\" failures=\"%lld\" "
                "errors=\"%lld\">\n",
                json_array_size(json_object_get(document, "conditions")), failed,
                (long long)json_integer_value(json_object_get(document, "malformed")));
        json_array_foreach(json_object_get(document, "conditions"), i, o)
        {
                fputs("  <testcase classname=\"infprof.", f);
                svg_escaped(f, text_string(json_object_get(document, "run"), "id", "?"));
                fputs("\" name=\"", f);
                svg_escaped(f, text_string(o, "condition", ""));
                if (is(o, "pass")) {
                        fputs("\"/>\n", f);
                        continue;
                }
                fputs("\">\n", f);
                put_failure(f, o);
                fputs("  </testcase>\n", f);
        }
        fputs("</testsuite>\n", f);
}
