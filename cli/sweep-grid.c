/* SPDX-License-Identifier: MIT */
/*
 * Parameters and their values. What a name or a value is, is said here and nowhere else; all of it
 * may come from a state file that somebody else wrote, so everything is bounded.
 */
#include "cli/sweep-grid.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/near.h"

#define MOST_PARAMETERS 16u
#define VALUE_BYTES     4096u

__attribute__((format(printf, 2, 3))) static int wrong(char **ret_why, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        if (vasprintf(ret_why, format, ap) < 0)
                *ret_why = NULL;
        va_end(ap);
        return *ret_why ? -EINVAL : -ENOMEM;
}

static bool is_name(const char *s)
{
        size_t n = 0;

        if (!isalpha((unsigned char)*s) && *s != '_')
                return false;
        while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '-')
                n++;
        return !s[n] && n < SWEEP_NAME;
}

/* A finite number, and nothing behind it. */
static bool number(const char *s, double *ret)
{
        char *end;

        if (!*s || isspace((unsigned char)*s))
                return false;
        *ret = strtod(s, &end);
        return !*end && isfinite(*ret);
}

/* ---- values --------------------------------------------------------------------------- */

static int push(struct sweep_parameter *p, const char *value, size_t n, char **ret_why)
{
        char **more;

        for (size_t i = 0; i < p->n; i++)
                if (!strncmp(p->values[i], value, n) && !p->values[i][n])
                        return wrong(ret_why, "%s has the value '%s' twice", p->name, p->values[i]);
        if (p->n == SWEEP_MOST_VALUES)
                return wrong(ret_why, "%s has more than %u values", p->name, SWEEP_MOST_VALUES);
        if (n > VALUE_BYTES)
                return wrong(ret_why, "a value of %s is longer than %u bytes", p->name,
                             VALUE_BYTES);
        more = realloc(p->values, (p->n + 1) * sizeof(*more));
        if (!more)
                return -ENOMEM;
        p->values = more;
        more[p->n] = strndup(value, n);
        if (!more[p->n])
                return -ENOMEM;
        p->n++;
        return 0;
}

static int push_number(struct sweep_parameter *p, double value, char **ret_why)
{
        char text[40];

        snprintf(text, sizeof(text), "%.12g", value);
        return push(p, text, strlen(text), ret_why);
}

static bool near(double a, double b)
{
        return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* What stands between the values so far and the last one, which comes behind the dots. */
static int fill(struct sweep_parameter *p, const char *last, char **ret_why)
{
        size_t n = p->n;
        double v[3], to, factor, step;
        bool grows;
        int r = 0;

        for (size_t i = 0; i < 3 && i < n; i++)
                if (!number(p->values[n - 1 - i], &v[i]))
                        n = 0;
        if (n < 2 || !number(last, &to))
                return wrong(ret_why,
                             "... in the values of %s stands between numbers, two at least before "
                             "it: 1,2,...,8 or 1,2,4,...,128",
                             p->name);
        factor = v[0] / v[1];
        step = v[0] - v[1];
        grows = n >= 3 && v[2] > 0 && v[1] > 0 && !near(factor, 1) && near(factor, v[1] / v[2]) &&
                !near(step, v[1] - v[2]);
        if (step == 0 || (step > 0) != (to > v[0]))
                return wrong(ret_why, "%s never comes to %s: it goes by %g from %g", p->name, last,
                             step, v[0]);
        for (double x = grows ? v[0] * factor : v[0] + step; !r;
             x = grows ? x * factor : x + step) {
                if (near(x, to) || (step > 0) != (x < to))
                        break;
                r = push_number(p, x, ret_why);
        }
        return r;
}

static int take_value(struct sweep_parameter *p, const char *value, size_t n, bool *dots,
                      char **ret_why)
{
        _cleanup_(freep) char *text = strndup(value, n);
        bool filling = *dots;
        int r = 0;

        if (!text)
                return -ENOMEM;
        *dots = !strcmp(text, "...");
        if (*dots)
                return filling ? wrong(ret_why, "... twice in the values of %s", p->name) : 0;
        if (filling)
                r = fill(p, text, ret_why);
        return r ? r : push(p, text, n, ret_why);
}

static int take_list(struct sweep_parameter *p, const char *list, char **ret_why)
{
        _cleanup_(freep) char *value = malloc(strlen(list) + 1);
        bool dots = false;
        size_t n = 0;
        int r = 0;

        if (!value)
                return -ENOMEM;
        for (const char *s = list; !r; s++) {
                if (*s == '\\' && (s[1] == ',' || s[1] == '\\')) {
                        value[n++] = *++s;
                } else if (*s && *s != ',') {
                        value[n++] = *s;
                } else {
                        r = take_value(p, value, n, &dots, ret_why);
                        n = 0;
                        if (!*s)
                                break;
                }
        }
        if (!r && dots)
                r = wrong(ret_why, "... in the values of %s needs a value behind it", p->name);
        return r;
}

/* ---- parameters ------------------------------------------------------------------------ */

static void parameter_done(struct sweep_parameter *p)
{
        for (size_t i = 0; i < p->n; i++)
                free(p->values[i]);
        free(p->values);
        free(p->name);
        *p = (struct sweep_parameter){0};
}

/* Its name is good, and not there yet. */
static int begin(struct sweep_parameter *ret, const struct sweep_grid *g, const char *name,
                 enum sweep_kind kind, char **ret_why)
{
        if (!is_name(name))
                return wrong(ret_why,
                             "'%s' is no name of a parameter: a letter, then letters, digits, _ or "
                             "-, %u at most",
                             name, SWEEP_NAME - 1);
        if (sweep_grid_find(g, name) != SIZE_MAX)
                return wrong(ret_why, "parameter %s is given twice", name);
        if (g->n == MOST_PARAMETERS)
                return wrong(ret_why, "more than %u parameters", MOST_PARAMETERS);
        *ret = (struct sweep_parameter){.name = strdup(name), .kind = kind};
        return ret->name ? 0 : -ENOMEM;
}

/* Takes `p`, if `r` is 0. */
static int end(struct sweep_grid *g, struct sweep_parameter *p, int r, char **ret_why)
{
        struct sweep_parameter *more = NULL;

        if (!r && sweep_grid_points(g) * p->n > SWEEP_MOST_POINTS)
                r = wrong(ret_why,
                          "the grid has more than %u points; leave values out, or make sweeps of "
                          "some of the parameters",
                          SWEEP_MOST_POINTS);
        if (!r)
                more = realloc(g->parameters, (g->n + 1) * sizeof(*more));
        if (!more) {
                parameter_done(p);
                return r ? r : -ENOMEM;
        }
        g->parameters = more;
        more[g->n++] = *p;
        return 0;
}

int sweep_grid_add(struct sweep_grid *g, const char *name, enum sweep_kind kind, const char *list,
                   char **ret_why)
{
        struct sweep_parameter p;
        int r;

        *ret_why = NULL;
        r = begin(&p, g, name, kind, ret_why);
        return r ? r : end(g, &p, take_list(&p, list, ret_why), ret_why);
}

int sweep_grid_add_values(struct sweep_grid *g, const char *name, enum sweep_kind kind,
                          const char *const *values, size_t n, char **ret_why)
{
        struct sweep_parameter p;
        int r;

        *ret_why = NULL;
        r = begin(&p, g, name, kind, ret_why);
        if (r)
                return r;
        if (!n)
                r = wrong(ret_why, "%s has no values", name);
        for (size_t i = 0; !r && i < n; i++)
                r = push(&p, values[i], strlen(values[i]), ret_why);
        return end(g, &p, r, ret_why);
}

int sweep_grid_take(struct sweep_grid *g, const char *text, char **ret_why)
{
        const char *equals = strchr(text, '=');
        _cleanup_(freep) char *name = equals ? strndup(text, (size_t)(equals - text)) : NULL;

        *ret_why = NULL;
        if (!equals)
                return wrong(ret_why, "'%s' has no values: NAME=V,V,...", text);
        return name ? sweep_grid_add(g, name, SWEEP_PLAIN, equals + 1, ret_why) : -ENOMEM;
}

void sweep_grid_done(struct sweep_grid *g)
{
        for (size_t i = 0; i < g->n; i++)
                parameter_done(&g->parameters[i]);
        free(g->parameters);
        *g = (struct sweep_grid){0};
}

/* ---- points --------------------------------------------------------------------------- */

size_t sweep_grid_points(const struct sweep_grid *g)
{
        size_t n = 1;

        for (size_t i = 0; i < g->n; i++)
                n *= g->parameters[i].n; /* never more than the most */
        return n;
}

/* By how much a point's number grows with one value of the parameter. */
static size_t stride(const struct sweep_grid *g, size_t parameter)
{
        size_t n = 1;

        for (size_t i = parameter + 1; i < g->n; i++)
                n *= g->parameters[i].n;
        return n;
}

size_t sweep_grid_index(const struct sweep_grid *g, size_t point, size_t parameter)
{
        return point / stride(g, parameter) % g->parameters[parameter].n;
}

const char *sweep_grid_value(const struct sweep_grid *g, size_t point, size_t parameter)
{
        return g->parameters[parameter].values[sweep_grid_index(g, point, parameter)];
}

size_t sweep_grid_at(const struct sweep_grid *g, size_t point, size_t parameter, size_t index)
{
        size_t by = stride(g, parameter);

        return point - sweep_grid_index(g, point, parameter) * by + index * by;
}

size_t sweep_grid_find(const struct sweep_grid *g, const char *name)
{
        for (size_t i = 0; i < g->n; i++)
                if (!strcmp(g->parameters[i].name, name))
                        return i;
        return SIZE_MAX;
}

const char *sweep_grid_near(const struct sweep_grid *g, const char *name)
{
        const char *found = NULL;
        size_t least = SIZE_MAX;

        for (size_t i = 0; i < g->n; i++) {
                const char *other = g->parameters[i].name;
                size_t d = near_distance(name, other);

                if (d < least && d < 1 + strlen(other) / 2) {
                        least = d;
                        found = other;
                }
        }
        return found;
}

bool sweep_grid_numeric(const struct sweep_grid *g, size_t parameter, double *ret)
{
        const struct sweep_parameter *p = &g->parameters[parameter];
        double before = -HUGE_VAL, v;

        for (size_t i = 0; i < p->n; i++) {
                if (!number(p->values[i], &v) || v <= before)
                        return false;
                if (ret)
                        ret[i] = v;
                before = v;
        }
        return true;
}

char *sweep_grid_label(const struct sweep_grid *g, size_t point)
{
        char *text = NULL;
        size_t bytes;
        FILE *f = open_memstream(&text, &bytes);

        if (!f)
                return NULL;
        for (size_t i = 0; i < g->n; i++)
                fprintf(f, "%s%s=%s", i ? " " : "", g->parameters[i].name,
                        sweep_grid_value(g, point, i));
        if (!g->n)
                putc('-', f);
        if (fclose(f) != EOF)
                return text;
        free(text);
        return NULL;
}
