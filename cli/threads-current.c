/* SPDX-License-Identifier: MIT */
/*
 * Waits in progress, added to those that are over: a thread that has hung in a lock for a minute
 * has waited for a minute, though that wait has not ended.
 */
#include "cli/threads-view-private.h"

#include <string.h>

#include "cli/rows.h"
#include "cli/text.h"

/* As the shim puts kinds of waits together. */
static const char *group_of(const char *kind)
{
        if (!strcmp(kind, "barrier"))
                return "barrier";
        return !strcmp(kind, "mutex") || !strcmp(kind, "rwlock") || !strcmp(kind, "spinlock")
                       ? "lock"
                       : "other";
}

static void add(json_t *object, const char *member, json_int_t ns)
{
        if (json_is_object(object))
                json_object_set_new(
                        object, member,
                        json_integer(ns + json_integer_value(json_object_get(object, member))));
}

/* The group of threads that this one is of. */
static json_t *find_group(json_t *groups, const json_t *thread)
{
        json_t *group;
        size_t i;

        json_array_foreach(groups, i, group)
        {
                if (json_equal(json_object_get(group, "name"), json_object_get(thread, "name")) &&
                    json_equal(json_object_get(group, "site"), json_object_get(thread, "site")))
                        return group;
        }
        return NULL;
}

json_t *threads_with_current(const json_t *document)
{
        json_t *copy = json_deep_copy(document), *thread, *group;
        size_t i;

        json_array_foreach(json_object_get(copy, "threads"), i, thread)
        {
                const json_t *waiting = json_object_get(thread, "waiting");
                json_int_t ns = json_integer_value(json_object_get(waiting, "for_ns"));
                const char *kind = text_string(waiting, "kind", NULL);
                json_t *waits = json_object_get(thread, "waits");

                if (!kind || ns <= 0)
                        continue;
                if (json_is_object(waits) && !json_object_get(waits, kind))
                        json_object_set_new(waits, kind, json_object());
                add(json_object_get(waits, kind), "total_ns", ns);
                add(json_object_get(thread, "wait_ns"), group_of(kind), ns);
                group = find_group(json_object_get(copy, "groups"), thread);
                add(json_object_get(group, "wait_ns"), group_of(kind), ns);
        }
        return copy;
}
