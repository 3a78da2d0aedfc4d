/* SPDX-License-Identifier: MIT */
/*
 * Rows of a lane only grow, over all the threads that had it, from the start of the process: so the
 * sum over all lanes is that of the process, also for a daemon that came later. Rows that were
 * never touched are holes of the memfd; they are not read.
 */
#include "daemon/shapes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"

_Static_assert(offsetof(struct ifp_lane, shapes) % sizeof(struct ifp_shape_row) == 0 &&
                       offsetof(struct ifp_lane, layers) % sizeof(struct ifp_shape_row) == 0 &&
                       4096 % sizeof(struct ifp_shape_row) == 0,
               "no row lies across two pages");

static int take_types(struct process *p, const char **ret_why)
{
        struct shapes *s = &p->shapes;
        uint32_t n = __atomic_load_n(&p->segment.map->live.n_types, __ATOMIC_ACQUIRE);

        if (n > IFP_MAX_TYPES)
                return segment_bad(ret_why, "the counts of its tables lie");
        for (uint32_t i = s->n_types ? s->n_types : 1; i < n; i++) {
                int r;

                segment_copy_words(&s->type[i], &p->segment.map->types[i], sizeof(s->type[i]));
                r = segment_name(&p->segment, &p->counts, s->type[i].name, &s->types[i], ret_why);
                if (r)
                        return r;
                s->n_types = i + 1;
        }
        return 0;
}

static int check(struct process *p, const struct ifp_shape *s, const char **ret_why)
{
        if (s->n_operands > IFP_SHAPE_OPERANDS || s->n_params > IFP_SHAPE_PARAMS || !s->parts ||
            !(s->n_operands || s->n_params || s->formula))
                return segment_bad(ret_why, "a shape has operands that cannot be");
        for (uint32_t i = 0; i < s->n_operands; i++) {
                if (s->at[i].type && s->at[i].type >= p->shapes.n_types)
                        return segment_bad(ret_why, "a shape is of a type that does not exist");
                if (s->at[i].align > 7)
                        return segment_bad(ret_why, "a shape has operands that cannot be");
        }
        return process_check_op(p, s->op, "a shape belongs to an op that does not exist", ret_why);
}

static int grow(struct shapes *s, uint32_t n)
{
        struct shape *list;
        uint32_t room = n * 2;

        if (n <= s->room)
                return 0;
        list = realloc(s->list, room * sizeof(*list));
        if (!list)
                return -ENOMEM;
        memset(list + s->room, 0, (room - s->room) * sizeof(*list));
        s->list = list;
        s->room = room;
        return 0;
}

static int take_new(struct process *p, const char **ret_why)
{
        struct shapes *s = &p->shapes;
        uint32_t n = __atomic_load_n(&p->segment.map->live.n_shapes, __ATOMIC_ACQUIRE);
        bool types_taken = false;
        int r;

        s->full = n >= IFP_MAX_SHAPES;
        if (n > IFP_MAX_SHAPES)
                n = IFP_MAX_SHAPES;
        r = grow(s, n);
        for (uint32_t i = 1; !r && i < n; i++) {
                const struct ifp_shape *from = &p->segment.map->shapes[i];

                if (s->list[i].known || !__atomic_load_n(&from->hash, __ATOMIC_ACQUIRE))
                        continue;
                if (!types_taken) { /* after hash: they were there before it */
                        r = segment_count(&p->segment, &p->counts, ret_why);
                        if (!r)
                                r = take_types(p, ret_why);
                        types_taken = true;
                }
                segment_copy_words(&s->list[i].is, from, sizeof(*from));
                if (!r)
                        r = check(p, &s->list[i].is, ret_why);
                if (!r && s->list[i].is.formula)
                        r = segment_name(&p->segment, &p->counts, s->list[i].is.formula,
                                         &s->list[i].formula, ret_why);
                s->list[i].known = !r;
        }
        if (!r && n > s->n)
                s->n = n;
        return r;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
        uint64_t s;

        return __builtin_add_overflow(a, b, &s) || s > INT64_MAX ? INT64_MAX : s;
}

void shapes_add_lane(struct process *p, uint32_t lane, size_t table, uint32_t n,
                     shape_sums_fn sums_of, void *userdata)
{
        const struct ifp_shape_row *rows =
                (const void *)((const uint8_t *)&p->segment.map->lanes[lane] + table);
        uint64_t begin = segment_lane_offset(lane) + table;
        uint64_t end = begin + (uint64_t)n * IFP_N_PHASES * sizeof(*rows), from, to;

        for (uint64_t at = begin; segment_next_data(&p->segment, at, end, &from, &to); at = to) {
                for (uint64_t i = (from - begin) / sizeof(*rows); i < (to - begin) / sizeof(*rows);
                     i++) {
                        struct shape_sums *s = sums_of(userdata, (uint32_t)(i / IFP_N_PHASES),
                                                       (uint32_t)(i % IFP_N_PHASES));

                        s->calls = sum(s->calls, __atomic_load_n(&rows[i].calls, __ATOMIC_RELAXED));
                        s->total = sum(s->total, __atomic_load_n(&rows[i].total, __ATOMIC_RELAXED));
                        s->child = sum(s->child, __atomic_load_n(&rows[i].child, __ATOMIC_RELAXED));
                }
        }
}

static struct shape_sums *sums_of(void *list, uint32_t number, uint32_t phase)
{
        struct shape *s = list;

        return &s[number].phase[phase];
}

static int take_core(struct process *p, const char **ret_why)
{
        uint32_t at = __atomic_load_n(&p->segment.map->live.blas_core, __ATOMIC_ACQUIRE);
        int r;

        if (!at || p->shapes.blas_core)
                return 0;
        r = segment_count(&p->segment, &p->counts, ret_why); /* the name may be newer */
        if (!r)
                r = segment_name(&p->segment, &p->counts, at, &p->shapes.blas_core, ret_why);
        p->dirty |= !r;
        return r;
}

int shapes_take(struct process *p, const char **ret_why)
{
        struct shapes *s = &p->shapes;
        int r;

        s->state = __atomic_load_n(&p->segment.map->live.shapes, __ATOMIC_RELAXED);
        r = take_core(p, ret_why);
        if (!r)
                r = take_new(p, ret_why);
        if (r)
                return r;
        for (uint32_t i = 1; i < s->n; i++)
                memset(s->list[i].phase, 0, sizeof(s->list[i].phase));
        for (uint32_t i = 0; i < p->counts.n_lanes && s->n > 1; i++)
                shapes_add_lane(p, i, offsetof(struct ifp_lane, shapes), s->n, sums_of, s->list);
        for (uint32_t i = 1; i < s->n; i++)
                for (uint32_t k = 0; k < IFP_N_PHASES; k++)
                        p->dirty |= s->list[i].phase[k].calls &&
                                    s->list[i].phase[k].calls + 1 != s->list[i].written[k];
        return 0;
}

void shapes_note(struct process *p)
{
        const char *text = NULL;
        char *line;

        if (p->shapes.state == IFP_SHAPES_UNKNOWN)
                text = "where the engine's tensors keep their type, extents and sources was not "
                       "found: shapes, and with them flops and bytes, are not known";
        else if (p->shapes.full)
                text = "more shapes came up than the table holds: calls with those that came "
                       "later have none";
        line = text ? strdup(text) : NULL;
        if (line)
                p->notes[p->n_notes++] = line;
}

void shapes_done(struct shapes *s)
{
        for (uint32_t i = 0; i < IFP_MAX_TYPES; i++)
                free(s->types[i]);
        free(s->blas_core);
        for (uint32_t i = 0; i < s->room; i++)
                free(s->list[i].formula);
        free(s->list);
        *s = (struct shapes){0};
}
