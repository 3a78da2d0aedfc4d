/* SPDX-License-Identifier: MIT */
/*
 * Any JSON is a sweep's state or is told, in a line, not to be one; of a state all follows that is
 * told of it, and what is written of it is read as the same again. Any text is a parameter or not,
 * and words with names in them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep-place.h"
#include "cli/sweep-rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_told(int r, const char *why)
{
        if (r && r != -ENOMEM && !why)
                abort();
}

static void follow(struct sweep *s)
{
        size_t n = sweep_grid_points(&s->grid), axis = sweep_axis(s, NULL);
        size_t cross = sweep_crossover_axis(s);
        size_t *points = calloc(n, sizeof(*points));
        struct sweep_row *rows = sweep_rows(s);
        struct sweep_crossover c;
        struct sweep_knee k;

        for (unsigned round = 0; points && round < s->n_runs && round < 4; round++)
                if (sweep_plan(s, round, points) > n)
                        abort();
        if (rows && sweep_best(s, rows) != SIZE_MAX && sweep_best(s, rows) >= n)
                abort();
        if (rows && axis != SIZE_MAX && sweep_knee(&k, s, rows, axis, 0) && k.at >= n)
                abort();
        if (rows && cross != SIZE_MAX)
                sweep_crossover(&c, s, rows, cross, 0,
                                s->grid.parameters[sweep_grid_find(&s->grid, s->compare)].n - 1, 0);
        sweep_cut_ns(s, n - 1);
        free(points);
        free(rows);
}

static void state(const uint8_t *data, size_t size)
{
        json_t *o = json_loadb((const char *)data, size, 0, NULL), *written, *again;
        struct sweep s, t;
        char *why = NULL;
        int r = o ? sweep_decode(&s, o, &why) : 1;

        is_told(o ? r : 0, why);
        free(why);
        if (!r) {
                if (s.n < 200 && sweep_grid_points(&s.grid) < 200)
                        follow(&s);
                written = sweep_encode(&s);
                if (written && sweep_decode(&t, written, &why))
                        abort();
                again = written ? sweep_encode(&t) : NULL;
                if (written && !json_equal(written, again))
                        abort();
                if (written)
                        sweep_done(&t);
                json_decref(written);
                json_decref(again);
        }
        if (o)
                sweep_done(&s);
        json_decref(o);
}

static void grammar(const uint8_t *data, size_t size)
{
        char *text = strndup((const char *)data, size), *why = NULL, **words = NULL;
        struct sweep_grid g = {0};
        struct sweep_place place;
        int r = text ? sweep_grid_take(&g, text, &why) : 1;

        is_told(text ? r : 0, why);
        free(why);
        if (text && !r) {
                char *list[] = {text, NULL};

                g.parameters[0].kind = size % 2 ? SWEEP_CPUS : SWEEP_NUMA;
                is_told(sweep_place(&place, &g, 0, &why), why);
                free(why);
                r = sweep_words(&g, sweep_grid_points(&g) - 1, list, NULL, &words, &why);
                is_told(r, why);
                free(why);
                if (!r)
                        sweep_words_free(words);
        }
        sweep_grid_done(&g);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        state(data, size);
        grammar(data, size);
        return 0;
}
