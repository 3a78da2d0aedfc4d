/* SPDX-License-Identifier: MIT */
/*
 * Which rule a stack belongs to. Globs are matched in time that grows with text times pattern at
 * most, whatever a rule file holds, and a function's shorter names are found once a stack.
 */
#include "common/categories.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/categories-private.h"
#include "common/cleanup.h"

/* After a mismatch only the last star is tried again: what went before it has matched as early as
 * it can. */
static bool glob(const char *pattern, const char *text, size_t n)
{
        const char *end = text + n, *star = NULL, *again = NULL;

        while (text < end) {
                if (*pattern == '*') {
                        star = ++pattern;
                        again = text;
                } else if (*pattern == '?' || (*pattern && *pattern == *text)) {
                        pattern++;
                        text++;
                } else if (star) {
                        pattern = star;
                        text = ++again;
                } else {
                        return false;
                }
        }
        while (*pattern == '*')
                pattern++;
        return !*pattern;
}

/* The names a function goes by; each begins in its name in full. */
struct names {
        const char *full, *bare;        /* bare: without a return type */
        size_t n_full, n_named, n_bare; /* named: full without parameters */
        const char *library, *file;
};

static size_t skip(const char *s, const char *what)
{
        size_t n = strlen(what);

        return strncmp(s, what, n) ? 0 : n;
}

static bool goes_on(char c)
{
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
               (c >= 'A' && c <= 'Z');
}

/*
 * "void ns::f<int>(char) const" is also "ns::f<int>" and "void ns::f<int>". Parentheses of
 * "(anonymous namespace)" and "operator()" are part of a name, as is the blank of "operator new".
 */
static void split_name(struct names *n)
{
        const char *s = n->full;
        size_t i = 0, step;
        int depth = 0; /* of template arguments and what is in them */

        n->bare = s;
        for (; s[i] && (depth || s[i] != '(' || skip(s + i, "(anonymous namespace)")); i++) {
                if (depth) {
                        depth += s[i] == '<' || s[i] == '(';
                        depth -= s[i] == '>' || s[i] == ')';
                } else if (s[i] == '(') {
                        i += strlen("(anonymous namespace)") - 1;
                } else if ((step = skip(s + i, "operator")) && !goes_on(s[i + step]) &&
                           (!i || !goes_on(s[i - 1]))) {
                        i += step + skip(s + i + step, "()");
                        i += strcspn(s + i, "(");
                        break;
                } else if (s[i] == '<') {
                        depth++;
                } else if (s[i] == ' ') {
                        n->bare = s + i + 1;
                }
        }
        n->n_named = i;
        n->n_bare = i - (size_t)(n->bare - s);
}

static struct names names_of(const struct categories_frame *f)
{
        struct names n = {.full = f->function, .library = f->library};
        const char *slash = f->library ? strrchr(f->library, '/') : NULL;

        n.file = slash ? slash + 1 : f->library;
        if (n.full) {
                n.n_full = strlen(n.full);
                split_name(&n);
        }
        return n;
}

static bool match_frame(const struct pattern *p, const struct names *n)
{
        if (p->library) {
                const char *where = strchr(p->library, '/') ? n->library : n->file;

                if (!where || !glob(p->library, where, strlen(where)))
                        return false;
                if (!strcmp(p->glob, "*"))
                        return true; /* also of a function that is not known */
        }
        return n->full && (glob(p->glob, n->full, n->n_full) ||
                           (n->n_named != n->n_full && glob(p->glob, n->full, n->n_named)) ||
                           (n->bare != n->full && glob(p->glob, n->bare, n->n_bare)));
}

static bool match_pattern(const struct pattern *p, const struct categories_stack *s,
                          const struct names *names)
{
        switch (p->kind) {
        case PATTERN_OP:
                return s->op ? glob(p->glob, s->op, strlen(s->op)) : !strcmp(p->glob, "-");
        case PATTERN_PHASE:
                return s->phase && glob(p->glob, s->phase, strlen(s->phase));
        default:
                for (size_t i = 0; i < s->n_frames; i++)
                        if (match_frame(p, &names[i]))
                                return true;
                return false;
        }
}

const char *categories_match(const struct categories *c, const struct categories_stack *stack)
{
        _cleanup_(freep) struct names *names = calloc(stack->n_frames + 1, sizeof(*names));

        for (size_t i = 0; names && i < stack->n_frames; i++)
                names[i] = names_of(&stack->frames[i]);
        for (size_t i = 0; names && i < c->n; i++)
                for (size_t k = 0; k < c->rules[i].n; k++)
                        if (match_pattern(&c->rules[i].patterns[k], stack, names))
                                return c->rules[i].name;
        return NULL;
}

int categories_builtin(struct categories **ret)
{
        return categories_parse(ret, "builtin", categories_builtin_text, categories_builtin_size,
                                NULL);
}

struct categories *categories_free(struct categories *c)
{
        for (size_t i = 0; c && i < c->n; i++) {
                for (size_t k = 0; k < c->rules[i].n; k++) {
                        free(c->rules[i].patterns[k].glob);
                        free(c->rules[i].patterns[k].library);
                }
                free(c->rules[i].patterns);
                free(c->rules[i].name);
        }
        if (c)
                free(c->rules);
        free(c);
        return NULL;
}
