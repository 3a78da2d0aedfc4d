/* SPDX-License-Identifier: MIT */
/* Results of conditions, for people and for CI systems. */
#include "cli/check.h"

#include <math.h>
#include <string.h>

#include "cli/svg.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/check.h"

static const char *value_text(char *buf, const json_t *o, const char *member)
{
        const json_t *v = json_object_get(o, member);
        const char *unit = text_string(o, "unit", "");

        return check_value_text(buf,
                                (struct check_value){json_is_number(v) ? json_number_value(v) : NAN,
                                                     !strcmp(unit, "ns")      ? CHECK_NS
                                                     : !strcmp(unit, "bytes") ? CHECK_BYTES
                                                                              : CHECK_PLAIN});
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
        bool done;

        if (!t)
                return false;
        json_array_foreach(json_object_get(document, "conditions"), i, o)
        {
                const char *verdict = text_string(o, "verdict", "?");
                char a[CHECK_VALUE_SIZE], b[CHECK_VALUE_SIZE];
                const char *cells[] = {strcmp(verdict, "pass") != 0 ? "FAIL" : "pass",
                                       value_text(a, o, "value"), text_string(o, "comparison", ""),
                                       value_text(b, o, "limit"), text_string(o, "condition", "")};

                table_add(t, cells);
        }
        done = table_print(t, f, width);
        table_free(t);
        json_array_foreach(json_object_get(document, "conditions"), i, o)
        {
                if (*text_string(o, "why", ""))
                        fprintf(f, "%s: %s\n", text_string(o, "condition", ""),
                                text_string(o, "why", ""));
        }
        return done;
}

void check_junit(FILE *f, const json_t *document)
{
        long long failed = json_integer_value(json_object_get(document, "failed")) +
                           json_integer_value(json_object_get(document, "unknown"));
        const json_t *o;
        size_t i;

        fprintf(f,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<testsuite name=\"infprof check\" tests=\"%zu\" failures=\"%lld\">\n",
                json_array_size(json_object_get(document, "conditions")), failed);
        json_array_foreach(json_object_get(document, "conditions"), i, o)
        {
                char a[CHECK_VALUE_SIZE], b[CHECK_VALUE_SIZE];
                bool passed = !strcmp(text_string(o, "verdict", ""), "pass");

                fputs("  <testcase classname=\"infprof.", f);
                svg_escaped(f, text_string(json_object_get(document, "run"), "id", "?"));
                fputs("\" name=\"", f);
                svg_escaped(f, text_string(o, "condition", ""));
                fputs(passed ? "\"/>\n" : "\">\n    <failure message=\"", f);
                if (passed)
                        continue;
                fprintf(f, "value %s, limit %s", value_text(a, o, "value"),
                        value_text(b, o, "limit"));
                if (*text_string(o, "why", "")) {
                        fputs(": ", f);
                        svg_escaped(f, text_string(o, "why", ""));
                }
                fputs("\"/>\n  </testcase>\n", f);
        }
        fputs("</testsuite>\n", f);
}
