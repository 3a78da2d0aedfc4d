/* SPDX-License-Identifier: MIT */
/*
 * Any text is a condition or is told, in one line with a column, not to be one; a condition has a
 * verdict on any documents. They are what comes behind the first NUL.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const json_t *get(void *userdata, enum check_run run, const char *document)
{
        (void)run;
        (void)document;
        return userdata;
}

static const json_t *schema(void *userdata, const char *document)
{
        static json_t *o;

        (void)userdata;
        (void)document;
        if (!o)
                o = json_loads(
                        "{\"properties\": {\"ops\": {\"items\": {\"$ref\": \"#\"}}, \"run\": "
                        "{\"anyOf\": [{\"$ref\": \"#/properties/ops\"}, {\"type\": \"null\"}]}, "
                        "\"self\": {\"additionalProperties\": {\"$ref\": \"#\"}}}}",
                        0, NULL);
        return o;
}

static void is_told(const char *why)
{
        if (!why || !strstr(why, "column "))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = strndup((const char *)data, size), *why = NULL;
        size_t n = text ? strlen(text) : 0;
        struct check_result result;
        struct check *c = NULL;
        json_t *o = NULL;
        int r;

        if (!text)
                return 0;
        if (n < size)
                o = json_loadb((const char *)data + n + 1, size - n - 1, 0, NULL);
        r = check_parse(&c, text, &why);
        if (r)
                is_told(why);
        if (!r && o) {
                r = check_run(&result, c,
                              &(struct check_source){get, o, true, n % 2 ? schema : NULL}, &why);
                if (r)
                        is_told(why);
                else if ((result.left.number != result.left.number ||
                          result.right.number != result.right.number) &&
                         result.verdict != CHECK_UNKNOWN)
                        abort();
                else if ((result.verdict == CHECK_UNKNOWN) != (result.why[0] != '\0'))
                        abort();
        }
        check_free(c);
        json_decref(o);
        free(text);
        free(why);
        return 0;
}
