/* SPDX-License-Identifier: MIT */
/*
 * A command's words with values in the places of names. A brace that begins no {name} is left as it
 * is, so that JSON and shell words pass; only {{ is another brace.
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep-grid.h"
#include "common/cleanup.h"

struct words {
        char **w;
        size_t n;
};

static int push(struct words *to, char *word)
{
        char **more = word ? realloc(to->w, (to->n + 2) * sizeof(*more)) : NULL;

        if (!more) {
                free(word);
                return -ENOMEM;
        }
        to->w = more;
        more[to->n++] = word;
        more[to->n] = NULL;
        return 0;
}

/* The length of "{name}" or "{name...}" at `s`; 0: it is none. */
static size_t reference(const char *s, char name[SWEEP_NAME], bool *ret_words)
{
        size_t n = 1;

        if (*s != '{' || (!isalpha((unsigned char)s[1]) && s[1] != '_'))
                return 0;
        while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '-')
                n++;
        if (n > SWEEP_NAME)
                return 0;
        memcpy(name, s + 1, n - 1);
        name[n - 1] = '\0';
        *ret_words = !strncmp(s + n, "...", 3);
        if (*ret_words)
                n += 3;
        return s[n] == '}' ? n + 1 : 0;
}

static int unknown(const struct sweep_grid *g, const char *name, const char *word, char **ret_why)
{
        const char *near = sweep_grid_near(g, name);
        int r;

        if (near)
                r = asprintf(ret_why,
                             "no parameter is named %s, which '%s' asks for; did you mean {%s}?",
                             name, word, near);
        else
                r = asprintf(
                        ret_why,
                        "no parameter is named %s, which '%s' asks for; give -P %s=V,V,..., or "
                        "write {{%s} for what is no parameter",
                        name, word, name, name);
        return r < 0 ? (*ret_why = NULL, -ENOMEM) : -EINVAL;
}

/* The value of a word that is {name...} and nothing else: its parts. */
static int split(struct words *to, const char *value)
{
        int r = 0;

        for (size_t n; !r && *value; value += n) {
                value += strspn(value, " \t\n");
                n = strcspn(value, " \t\n");
                if (n)
                        r = push(to, strndup(value, n));
        }
        return r;
}

static int put_word(const struct sweep_grid *g, size_t point, const char *word, bool *used,
                    struct words *to, char **ret_why)
{
        _cleanup_(freep) char *text = NULL;
        char name[SWEEP_NAME];
        size_t bytes, n;
        bool words;
        FILE *f = open_memstream(&text, &bytes);

        if (!f)
                return -ENOMEM;
        for (const char *s = word; *s; s += n) {
                size_t p;

                n = reference(s, name, &words);
                if (!n) {
                        putc(*s, f);
                        n = 1 + (s[0] == '{' && s[1] == '{');
                        continue;
                }
                p = sweep_grid_find(g, name);
                if (p == SIZE_MAX || (words && (s != word || s[n]))) {
                        fclose(f);
                        if (p == SIZE_MAX)
                                return unknown(g, name, word, ret_why);
                        if (asprintf(ret_why,
                                     "{%s...} has to be a word of its own, not part of '%s'", name,
                                     word) < 0)
                                *ret_why = NULL;
                        return *ret_why ? -EINVAL : -ENOMEM;
                }
                if (used)
                        used[p] = true;
                if (words) {
                        fclose(f);
                        return split(to, sweep_grid_value(g, point, p));
                }
                fputs(sweep_grid_value(g, point, p), f);
        }
        if (fclose(f) == EOF)
                return -ENOMEM;
        return push(to, steal_ptr(text));
}

int sweep_words(const struct sweep_grid *g, size_t point, char *const *words, bool *used,
                char ***ret, char **ret_why)
{
        struct words to = {0};
        int r = 0;

        *ret_why = NULL;
        for (char *const *w = words; !r && *w; w++)
                r = put_word(g, point, *w, used, &to, ret_why);
        if (!r && !to.w)
                r = (to.w = calloc(1, sizeof(*to.w))) ? 0 : -ENOMEM;
        if (r) {
                sweep_words_free(to.w);
                return r;
        }
        *ret = to.w;
        return 0;
}

char **sweep_words_free(char **words)
{
        for (char **w = words; w && *w; w++)
                free(*w);
        free(words);
        return NULL;
}
