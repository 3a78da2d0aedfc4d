/* SPDX-License-Identifier: MIT */
#include "common/categories.h"

#include <errno.h>
#include <stdlib.h>

struct categories {
        int unused;
};

int categories_parse(struct categories **ret, const char *name, const char *text, size_t size,
                     char **ret_why)
{
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

int categories_builtin(struct categories **ret)
{
        return categories_parse(ret, "", "", 0, NULL);
}

int categories_load(struct categories **ret, const char *path, char **ret_why)
{
        return categories_parse(ret, path, "", 0, ret_why);
}

const char *categories_match(const struct categories *c, const struct categories_stack *stack)
{
        return NULL;
}

struct categories *categories_free(struct categories *c)
{
        free(c);
        return NULL;
}
