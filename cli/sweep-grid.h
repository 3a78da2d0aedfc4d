/* SPDX-License-Identifier: MIT */
/*
 * What a sweep goes over: parameters with their values, and the points of their grid, all
 * combinations. A point is a number: the last parameter changes fastest.
 *
 * A list of values reads V,V,...: the dots go on as those before them do, by a factor where three
 * have one (1,2,4,...,128), else by a step (1,2,...,8). \, is a comma that belongs to a value.
 *
 * 0; -EINVAL with one line in *ret_why, to be freed; -ENOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SWEEP_MOST_POINTS 4096u
#define SWEEP_MOST_VALUES 1024u
#define SWEEP_NAME        64u /* bytes of a name, with the NUL */

enum sweep_kind {
        SWEEP_PLAIN, /* its values go where {name} is */
        SWEEP_CPUS,  /* CPUs that the command may use; this and the next are asked of the kernel, */
        SWEEP_NUMA,  /* and {name} may be there as well */
};

struct sweep_parameter {
        char *name;
        enum sweep_kind kind;
        char **values;
        size_t n;
};

struct sweep_grid {
        struct sweep_parameter *parameters;
        size_t n;
};

/* A parameter more. A name is a letter and then letters, digits, _ or -. */
int sweep_grid_add(struct sweep_grid *g, const char *name, enum sweep_kind kind, const char *list,
                   char **ret_why);
/* The same of values as they are. */
int sweep_grid_add_values(struct sweep_grid *g, const char *name, enum sweep_kind kind,
                          const char *const *values, size_t n, char **ret_why);
/* The same of "NAME=LIST". */
int sweep_grid_take(struct sweep_grid *g, const char *text, char **ret_why);
void sweep_grid_done(struct sweep_grid *g);

size_t sweep_grid_points(const struct sweep_grid *g); /* 1 without parameters */
/* Which of the parameter's values. */
size_t sweep_grid_index(const struct sweep_grid *g, size_t point, size_t parameter);
const char *sweep_grid_value(const struct sweep_grid *g, size_t point, size_t parameter);
/* The point beside it, that has another value of one parameter. */
size_t sweep_grid_at(const struct sweep_grid *g, size_t point, size_t parameter, size_t index);
/* SIZE_MAX: there is none of that name. */
size_t sweep_grid_find(const struct sweep_grid *g, const char *name);
/* The name that is most like it; NULL: none is near. */
const char *sweep_grid_near(const struct sweep_grid *g, const char *name);

/* Are all values of a parameter numbers, and do they ascend? NULL-safe: `ret` takes them. */
bool sweep_grid_numeric(const struct sweep_grid *g, size_t parameter, double *ret);

/* "threads=4 batch=2"; "-" without parameters; to be freed. */
char *sweep_grid_label(const struct sweep_grid *g, size_t point);

/*
 * Words in which {name} stands for a value. {name...} alone is as many words as the value has
 * between blanks, none where it is empty. {{ is a brace; any other brace is what it is. `used`
 * (one for each parameter) is set where one is named.
 */
int sweep_words(const struct sweep_grid *g, size_t point, char *const *words, bool *used,
                char ***ret, char **ret_why);
char **sweep_words_free(char **words);
