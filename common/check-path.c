/* SPDX-License-Identifier: MIT */
/*
 * Paths into documents, and into the schemas of documents: of what is null here, or is left out,
 * the schema knows which members it may have, so that a name that was mistyped is told from a
 * figure that the run has not.
 */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check-private.h"
#include "common/cleanup.h"
#include "common/near.h"

#define SCHEMA_DEPTH 32 /* of references and alternatives */

/* ---- names that are near ------------------------------------------------------------ */

void check_offer(struct check_near *near, const char *name)
{
        size_t far = near_distance(near->word, name), longest = strlen(near->word), i;

        if (strstr(name, near->word) && longest > 2)
                far = 1;
        if (far == SIZE_MAX || far > (longest > 6 ? longest / 3 : 2))
                return;
        for (i = 0; i < near->n; i++)
                if (!strcmp(near->names[i], name))
                        return;
        for (i = near->n; i && near->far[i - 1] > far; i--)
                if (i < CHECK_NEAR_MOST) {
                        near->far[i] = near->far[i - 1];
                        near->names[i] = near->names[i - 1];
                }
        if (i == CHECK_NEAR_MOST)
                return;
        near->far[i] = far;
        near->names[i] = name;
        near->n += near->n < CHECK_NEAR_MOST;
}

int check_no_such(const struct check_look *l, const char *what, const struct check_near *near)
{
        char list[256] = "";
        int shown = check_shown(near->word);

        for (size_t i = 0; i < near->n; i++)
                snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%.*s",
                         i ? ", " : "; near: ", check_shown(near->names[i]), near->names[i]);
        return asprintf(l->ret_why, "there is no %s '%.*s%s'%s%s", what, shown, near->word,
                        near->word[shown] ? "..." : "",
                        l->run == CHECK_BASELINE ? " in the baseline run" : "", list) < 0
                       ? -ENOMEM
                       : CHECK_E_MALFORMED;
}

/* ---- values -------------------------------------------------------------------------- */

char *check_path_text(const struct check_name *name)
{
        char *text = NULL;
        size_t bytes = 0;
        FILE *f = open_memstream(&text, &bytes);

        for (size_t i = 0; f && i < name->n; i++)
                if (name->steps[i].of_list)
                        fprintf(f, "['%s']", name->steps[i].name);
                else
                        fprintf(f, "%s%s", i ? "." : "", name->steps[i].name);
        if (f && fclose(f) == EOF) {
                free(text);
                text = NULL;
        }
        return text;
}

struct check_value check_no_figure(const struct check_look *l, const char *member, const char *what)
{
        int shown = check_shown(what);

        if (!*l->why)
                snprintf(l->why, l->size, "the %srun has no figure for %.*s%s",
                         l->run == CHECK_BASELINE ? "baseline " : "", shown, what,
                         what[shown] ? "..." : "");
        return (struct check_value){NAN, check_unit_of_member(member), CHECK_EXACT};
}

bool check_take(struct check_value *ret, const struct check_look *l, const json_t *v,
                const char *member, const char *what)
{
        *ret = (struct check_value){.unit = check_unit_of_member(member)};
        if (json_is_boolean(v))
                ret->number = json_is_true(v);
        else if (json_is_number(v))
                ret->number = json_number_value(v);
        else if (json_is_null(v))
                *ret = check_no_figure(l, member, what);
        else
                return false;
        if (json_is_integer(v) && json_integer_value(v) == INT64_MAX)
                ret->bound = CHECK_AT_LEAST;
        return true;
}

/* ---- documents ----------------------------------------------------------------------- */

static const char *name_of(const json_t *element)
{
        static const char *const keys[] = {"name", "id", "row", "kind", "shape", "op"};

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                const char *s = json_string_value(json_object_get(element, keys[i]));

                if (s)
                        return s;
        }
        return NULL;
}

const json_t *check_element(const json_t *list, const char *word, struct check_near *near)
{
        const json_t *e;
        char *end;
        unsigned long number = strtoul(word, &end, 10);
        size_t i;

        json_array_foreach(list, i, e)
        {
                const char *name = name_of(e);

                if (name && !strcmp(name, word))
                        return e;
                if (name)
                        check_offer(near, name);
        }
        return *word && !*end ? json_array_get(list, number) : NULL;
}

static const json_t *member_of(const json_t *object, const char *word, struct check_near *near)
{
        const json_t *v;
        const char *key;

        json_object_foreach((json_t *)(uintptr_t)object, key, v)
        {
                if (!strcmp(key, word))
                        return v;
                check_offer(near, key);
        }
        return NULL;
}

/* It is not in the document. Might it be there? */
static int absent(struct check_value *ret, const struct check_look *l, const json_t *at,
                  const json_t *schema, size_t first, size_t here, struct check_near *near,
                  const char *text)
{
        struct check_near of_schema = {0};
        bool possible = schema && !json_is_array(at) &&
                        check_schema_has(schema, l->name, first, json_is_null(at) ? SIZE_MAX : here,
                                         &of_schema);

        if (possible || (json_is_null(at) && !schema)) {
                *ret = check_no_figure(l, l->name->steps[l->name->n - 1].name, text);
                return 0;
        }
        if (here == 1)
                member_of(l->others, near->word, near);
        for (size_t i = 0; i < of_schema.n && of_schema.word == near->word; i++)
                check_offer(near, of_schema.names[i]);
        return check_no_such(l, here == 0 ? "quantity" : "member",
                             json_is_null(at) && of_schema.word ? &of_schema : near);
}

int check_walk(struct check_value *ret, const struct check_look *l, const json_t *document,
               const json_t *schema, size_t first)
{
        _cleanup_(freep) char *text = check_path_text(l->name);
        const struct check_name *name = l->name;
        const json_t *at = document;

        if (!text)
                return -ENOMEM;
        for (size_t i = first; i < name->n; i++) {
                const char *word = name->steps[i].name;
                struct check_near near = {.word = word};
                const json_t *next = name->steps[i].of_list || json_is_array(at)
                                             ? check_element(at, word, &near)
                                             : member_of(at, word, &near);

                if (!next)
                        return absent(ret, l, at, schema, first, i, &near, text);
                at = next;
        }
        if (check_take(ret, l, at, name->steps[name->n - 1].name, text))
                return 0;
        return asprintf(l->ret_why, "%.*s%s is no number", check_shown(text), text,
                        text[check_shown(text)] ? "..." : "") < 0
                       ? -ENOMEM
                       : CHECK_E_MALFORMED;
}

/* ---- schemas ------------------------------------------------------------------------- */

struct schema_look {
        const json_t *root;
        const struct check_name *name;
        size_t here, deepest;
        struct check_near near; /* of the step `deepest` */
};

/* "#/$defs/count" */
static const json_t *referred(const json_t *root, const char *to)
{
        char member[64];

        if (strncmp(to, "#/", 2) != 0)
                return NULL;
        for (to += 2; root; to += strcspn(to, "/") + 1) {
                snprintf(member, sizeof(member), "%.*s", (int)strcspn(to, "/"), to);
                root = json_object_get(root, member);
                if (!to[strcspn(to, "/")])
                        break;
        }
        return root;
}

static bool has(struct schema_look *s, const json_t *at, size_t i, unsigned depth);

static bool any_has(struct schema_look *s, const json_t *at, size_t i, unsigned depth)
{
        static const char *const keys[] = {"anyOf", "oneOf", "allOf"};
        const json_t *e;
        size_t j;

        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
                json_array_foreach(json_object_get(at, keys[k]), j, e)
                {
                        if (has(s, e, i, depth + 1))
                                return true;
                }
        return false;
}

static void offer_all(struct schema_look *s, const json_t *properties, size_t i)
{
        const json_t *v;
        const char *key;

        if (i > s->deepest || !s->near.word) {
                s->deepest = i;
                s->near = (struct check_near){.word = s->name->steps[i].name};
        }
        if (i < s->deepest)
                return;
        json_object_foreach((json_t *)(uintptr_t)properties, key, v) check_offer(&s->near, key);
}

/* May what `at` describes have the steps from `i` on? */
static bool has(struct schema_look *s, const json_t *at, size_t i, unsigned depth)
{
        const char *to = json_string_value(json_object_get(at, "$ref"));
        const json_t *properties = json_object_get(at, "properties"), *next,
                     *others = json_object_get(at, "additionalProperties");

        if (i == s->name->n || json_is_true(at))
                return true;
        if (depth == SCHEMA_DEPTH)
                return false;
        if (to && has(s, referred(s->root, to), i, depth + 1))
                return true;
        if (any_has(s, at, i, depth))
                return true;
        next = json_object_get(at, "items");
        if (next && has(s, next, i + 1, depth + 1))
                return true;
        if (s->name->steps[i].of_list)
                return false;
        next = json_object_get(properties, s->name->steps[i].name);
        if (next)
                return has(s, next, i + 1, depth + 1);
        if (i != s->here && json_is_object(others) && has(s, others, i + 1, depth + 1))
                return true;
        offer_all(s, properties, i);
        return false;
}

bool check_schema_has(const json_t *schema, const struct check_name *name, size_t first,
                      size_t here, struct check_near *ret_near)
{
        struct schema_look s = {.root = schema, .name = name, .here = here};
        bool found = has(&s, schema, first, 0);

        if (!found)
                *ret_near = s.near;
        return found;
}
