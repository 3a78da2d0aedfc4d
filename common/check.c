/* SPDX-License-Identifier: MIT */
/*
 * Working conditions out. A condition is a tree (check-parse.c); its names are looked up
 * (check-names.c), its figures may be bounds (check-value.c). What is wrong is told with the column
 * where it is; of what stands on the other side, where `baseline` is.
 */
#include "common/check-private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"

struct worker {
        const struct check *c;
        const struct check_source *from;
        enum check_run run;
        size_t column; /* where `baseline` is, of which this is; 0: it is where it stands */
        char *why;     /* of what is not known */
        size_t size;
        char **ret_why;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct worker *w, size_t column,
                                                        const char *format, ...)
{
        va_list ap;
        int e;

        va_start(ap, format);
        e = check_complain(w->ret_why, w->column ? w->column : column, format, ap);
        va_end(ap);
        return e;
}

static const char *const unit_names[] = {"a number without unit", "a time", "bytes"};

/* Do they go together? A 0 without unit goes with any. */
static bool same_unit(struct check_value *a, struct check_value *b)
{
        if (a->unit != b->unit && a->unit == CHECK_PLAIN && a->number == 0)
                a->unit = b->unit;
        if (a->unit != b->unit && b->unit == CHECK_PLAIN && b->number == 0)
                b->unit = a->unit;
        return a->unit == b->unit;
}

static int work(const struct worker *w, const struct check_part *p, struct check_value *ret);

static int work_name(const struct worker *w, const struct check_part *p, struct check_value *ret)
{
        _cleanup_(freep) char *what = NULL;
        int r = check_look_up(ret, &(struct check_look){.name = &p->name,
                                                        .from = w->from,
                                                        .run = w->run,
                                                        .why = w->why,
                                                        .size = w->size,
                                                        .ret_why = &what});

        return r == CHECK_E_MALFORMED ? refuse(w, p->column, "%s", what) : r;
}

static int work_baseline(const struct worker *w, const struct check_part *p,
                         struct check_value *ret)
{
        struct worker other = *w;
        const struct check_part *of = p->a;

        if (!w->from->has_baseline)
                return refuse(w, p->column, "there is no baseline; --baseline RUN gives one");
        other.run = CHECK_BASELINE;
        if (p->kind == CHECK_OTHER_SIDE) {
                of = check_asks_for_other_side(w->c->left) ? w->c->right : w->c->left;
                other.column = p->column;
        }
        return work(&other, of, ret);
}

static int work_pair(const struct worker *w, const struct check_part *p, struct check_value *ret)
{
        struct check_value a, b;
        int r = work(w, p->a, &a);

        if (!r)
                r = work(w, p->b, &b);
        if (r)
                return r;
        if (p->kind == CHECK_MULTIPLIED && a.unit && b.unit)
                return refuse(w, p->column, "%s cannot be multiplied by %s", unit_names[a.unit],
                              unit_names[b.unit]);
        if (p->kind == CHECK_DIVIDED && b.unit && a.unit != b.unit)
                return refuse(w, p->column, "%s cannot be divided by %s", unit_names[a.unit],
                              unit_names[b.unit]);
        if (p->kind == CHECK_DIVIDED && b.number == 0 && !*w->why)
                snprintf(w->why, w->size, "it is divided by 0");
        if ((p->kind == CHECK_ADDED || p->kind == CHECK_TAKEN) && !same_unit(&a, &b))
                return refuse(w, p->column, "%s and %s do not go together", unit_names[a.unit],
                              unit_names[b.unit]);
        *ret = check_value_pair(p->kind, a, b);
        return 0;
}

static int work(const struct worker *w, const struct check_part *p, struct check_value *ret)
{
        int r;

        switch (p->kind) {
        case CHECK_NUMBER:
                *ret = p->number;
                return 0;
        case CHECK_NAME:
                return work_name(w, p, ret);
        case CHECK_OTHER_SIDE:
        case CHECK_OF_BASELINE:
                return work_baseline(w, p, ret);
        case CHECK_NEGATED:
                r = work(w, p->a, ret);
                if (!r)
                        *ret = check_value_negated(*ret);
                return r;
        default:
                return work_pair(w, p, ret);
        }
}

/* What is no figure any more is not known. */
static void settle(struct check_value *v, char *why, size_t size)
{
        const char *because = NULL;

        if (isinf(v->number))
                because = "it is larger than a number can be";
        else if (v->bound == CHECK_ANY)
                because = "it is made of figures of which only bounds are known";
        else if (isnan(v->number))
                because = "it cannot be told";
        if (!because)
                return;
        *v = (struct check_value){NAN, v->unit, CHECK_EXACT};
        if (!*why)
                snprintf(why, size, "%s", because);
}

int check_run(struct check_result *ret, const struct check *c, const struct check_source *from,
              char **ret_why)
{
        struct check_result result = {.comparison = c->comparison};
        struct worker w = {.c = c,
                           .from = from,
                           .why = result.why,
                           .size = sizeof(result.why),
                           .ret_why = ret_why};
        int r = work(&w, c->left, &result.left);

        if (!r)
                r = work(&w, c->right, &result.right);
        if (r)
                return r;
        if (!same_unit(&result.left, &result.right))
                return refuse(&w, c->right->column, "%s is compared with %s",
                              unit_names[result.left.unit], unit_names[result.right.unit]);
        settle(&result.left, result.why, sizeof(result.why));
        settle(&result.right, result.why, sizeof(result.why));
        if (isnan(result.left.number) || isnan(result.right.number)) {
                result.verdict = CHECK_UNKNOWN;
        } else {
                result.verdict = check_value_compare(result.left, c->comparison, result.right);
                if (result.verdict == CHECK_UNKNOWN)
                        snprintf(result.why, sizeof(result.why),
                                 "a counter is at the end of its range: it is %s so much, and how "
                                 "much is not known",
                                 result.left.bound == CHECK_AT_MOST ||
                                                 (!result.left.bound &&
                                                  result.right.bound == CHECK_AT_MOST)
                                         ? "at most"
                                         : "at least");
        }
        *ret = result;
        return 0;
}
