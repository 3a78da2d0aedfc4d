/* SPDX-License-Identifier: MIT */
/* Members of a JSON document by their path, for tests of documents. Include cmocka.h first. */
#pragma once

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "threads.1.name" */
static inline json_t *at(json_t *o, const char *path)
{
        char key[64];
        size_t n;

        for (const char *p = path; *p; p += n + (p[n] == '.')) {
                n = strcspn(p, ".");
                snprintf(key, sizeof(key), "%.*s", (int)n, p);
                o = json_is_array(o) ? json_array_get(o, (size_t)atoi(key))
                                     : json_object_get(o, key);
                if (!o)
                        fail_msg("no %s", path);
        }
        return o;
}

static inline void is(json_t *o, const char *path, double expected)
{
        json_t *v = at(o, path);
        double got = json_number_value(v);

        if (!json_is_number(v) || fabs(got - expected) > 1e-9 * fabs(expected))
                fail_msg("%s is %.17g, not %.17g", path, json_is_number(v) ? got : NAN, expected);
}

static inline void is_near(json_t *o, const char *path, double expected, double relative)
{
        json_t *v = at(o, path);
        double got = json_number_value(v);

        if (!json_is_number(v) || fabs(got - expected) > relative * fabs(expected))
                fail_msg("%s is %.17g, not about %.17g", path, json_is_number(v) ? got : NAN,
                         expected);
}

static inline void is_null(json_t *o, const char *path)
{
        if (!json_is_null(at(o, path)))
                fail_msg("%s is not null", path);
}

static inline void is_text(json_t *o, const char *path, const char *expected)
{
        const char *got = json_string_value(at(o, path));

        if (!got || strcmp(got, expected))
                fail_msg("%s is \"%s\", not \"%s\"", path, got ? got : "(none)", expected);
}

static inline void is_size(json_t *o, const char *path, size_t expected)
{
        json_t *v = at(o, path);
        size_t got = json_is_array(v) ? json_array_size(v) : json_object_size(v);

        if (got != expected)
                fail_msg("%s has %zu, not %zu", path, got, expected);
}

static inline bool has_text(json_t *array, const char *text)
{
        json_t *v;
        size_t i;

        json_array_foreach(array, i, v)
        {
                if (strstr(json_string_value(v), text))
                        return true;
        }
        return false;
}
