/* SPDX-License-Identifier: MIT */
/*
 * Reading rule files: one line at a time, one byte after the other; nothing is taken for text
 * before it has been looked at. The first error ends it, and says where.
 */
#include "common/categories.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/categories-private.h"
#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-model.h"
#include "common/report-private.h"

#define MAX_BYTES (1u << 20)

DEFINE_CLEANUP(struct categories *, categories_free, categories_freep);

struct parser {
        struct categories *c;
        const char *file; /* for errors */
        const char *line, *end, *at;
        size_t number;
        bool builtin; /* is included already, or is what is being read */
        char **ret_why;
};

__attribute__((format(printf, 1, 2))) static char *format(const char *text, ...)
{
        char *s = NULL;
        va_list ap;

        va_start(ap, text);
        if (vasprintf(&s, text, ap) < 0)
                s = NULL;
        va_end(ap);
        for (char *p = s; p && *p; p++)
                if ((unsigned char)*p < ' ' || *p == 0x7f)
                        *p = '?';
        return s;
}

/* Counts characters: bytes that do not go on with one. */
static size_t column(const struct parser *p, const char *at)
{
        size_t n = 1;

        for (const char *s = p->line; s < at; s++)
                n += ((unsigned char)*s & 0xc0) != 0x80;
        return n;
}

static int wrong(struct parser *p, const char *at, const char *what)
{
        if (p->ret_why)
                *p->ret_why = format("%s:%zu:%zu: %s", p->file, p->number, column(p, at), what);
        return CATEGORIES_E_MALFORMED;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static void skip_blanks(struct parser *p)
{
        while (p->at < p->end && is_blank(*p->at))
                p->at++;
}

static bool at_end(const struct parser *p)
{
        return p->at == p->end || *p->at == '#';
}

/* No control characters, and UTF-8. */
static int check_text(struct parser *p, const char *from, const char *to)
{
        _cleanup_(freep) char *copy = NULL, *clean = NULL;
        size_t good = 0;

        for (const char *s = from; s < to; s++) {
                _cleanup_(freep) char *what = NULL;

                if (((unsigned char)*s >= ' ' && *s != 0x7f) || *s == '\t')
                        continue;
                what = format("a control character (0x%02x) cannot stand here", (unsigned char)*s);
                return what ? wrong(p, s, what) : -ENOMEM;
        }
        copy = strndup(from, (size_t)(to - from));
        clean = copy ? fmt_utf8(copy) : NULL;
        if (!clean)
                return -ENOMEM;
        if (!strcmp(copy, clean))
                return 0;
        while (copy[good] == clean[good])
                good++;
        return wrong(p, from + good, "expected UTF-8 text");
}

/* What the words of a pattern are read into: quotes taken off, the separator found. */
struct word {
        char *text;
        size_t n, colon; /* where the separator stands; SIZE_MAX: nowhere */
        const char *begin, *colon_at;
};

static int read_word(struct parser *p, struct word *w)
{
        const char *quote = NULL;

        *w = (struct word){
                .text = malloc((size_t)(p->end - p->at) + 1), .colon = SIZE_MAX, .begin = p->at};
        if (!w->text)
                return -ENOMEM;
        for (; p->at < p->end && (quote || (!is_blank(*p->at) && *p->at != '#')); p->at++) {
                if (*p->at == '"') {
                        quote = quote ? NULL : p->at;
                        continue;
                }
                if (*p->at == ':' && !quote && w->colon == SIZE_MAX) {
                        if (p->at + 1 < p->end && p->at[1] == ':') {
                                w->text[w->n++] = *p->at++;
                        } else {
                                w->colon = w->n;
                                w->colon_at = p->at;
                        }
                }
                w->text[w->n++] = *p->at;
        }
        w->text[w->n] = '\0';
        return quote ? wrong(p, quote,
                             "expected a second '\"' on this line: what begins here does "
                             "not end")
                     : check_text(p, w->begin, p->at);
}

static bool is_phase(const char *glob)
{
        if (strpbrk(glob, "*?"))
                return true;
        for (int i = 0; i < IFP_N_PHASES; i++)
                if (!strcmp(glob, report_phase_names[i]))
                        return true;
        return false;
}

/* From the word: [LIBRARY:]FUNCTION, op:NAME, phase:NAME */
static int make_pattern(struct parser *p, const struct word *w, struct pattern *ret)
{
        const char *rest = w->colon == SIZE_MAX ? w->text : w->text + w->colon + 1;
        size_t n = w->colon == SIZE_MAX ? 0 : w->colon;

        if (!w->n)
                return wrong(p, w->begin, "expected a pattern between the quotes");
        if (w->colon == 0)
                return wrong(p, w->begin, "expected a library, 'op' or 'phase' before ':'");
        if (!*rest)
                return wrong(p, w->colon_at + 1, "expected a name after ':'; '*' is any");
        ret->kind = PATTERN_FUNCTION;
        if (n == 2 && !strncmp(w->text, "op", 2))
                ret->kind = PATTERN_OP;
        else if (n == 5 && !strncmp(w->text, "phase", 5))
                ret->kind = PATTERN_PHASE;
        else if (w->colon != SIZE_MAX && !(ret->library = strndup(w->text, n)))
                return -ENOMEM;
        if (ret->kind == PATTERN_PHASE && !is_phase(rest))
                return wrong(p, w->colon_at + 1,
                             "expected a phase: unknown, load, prefill, decode or idle");
        ret->glob = strdup(rest);
        return ret->glob ? 0 : -ENOMEM;
}

static int read_patterns(struct parser *p, struct rule *rule)
{
        for (skip_blanks(p); !at_end(p); skip_blanks(p)) {
                struct pattern *pattern;
                struct word w;
                int r = read_word(p, &w);

                if (!r) {
                        pattern = GROW(&rule->patterns, &rule->n, &rule->room);
                        r = pattern ? make_pattern(p, &w, pattern) : -ENOMEM;
                }
                free(w.text);
                if (r)
                        return r;
        }
        return rule->n ? 0 : wrong(p, p->at, "expected a pattern after '='");
}

static int read_rule(struct parser *p, const char *equals)
{
        const char *begin = p->at, *end = equals;
        struct rule *rule;
        int r;

        while (end > begin && is_blank(end[-1]))
                end--;
        if (end == begin)
                return wrong(p, begin, "expected the name of a category before '='");
        r = check_text(p, begin, end);
        if (r)
                return r;
        rule = GROW(&p->c->rules, &p->c->n, &p->c->room);
        if (!rule || !(rule->name = strndup(begin, (size_t)(end - begin))))
                return -ENOMEM;
        p->at = equals + 1;
        return read_patterns(p, rule);
}

static int read_text(struct parser *p, const char *text, size_t size);

static int include_builtin(struct parser *p)
{
        struct parser inner = {.c = p->c, .file = "builtin", .builtin = true};

        if (p->builtin)
                return wrong(p, p->line, "the built-in rules are included already");
        p->builtin = true;
        return read_text(&inner, categories_builtin_text, categories_builtin_size);
}

static bool take_word(struct parser *p, const char *word)
{
        size_t n = strlen(word);

        if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) ||
            (p->at + n < p->end && !is_blank(p->at[n]) && p->at[n] != '#'))
                return false;
        p->at += n;
        skip_blanks(p);
        return true;
}

static int read_line(struct parser *p)
{
        const char *stop, *equals;

        skip_blanks(p);
        if (at_end(p))
                return 0;
        stop = memchr(p->at, '#', (size_t)(p->end - p->at));
        stop = stop ? stop : p->end;
        equals = memchr(p->at, '=', (size_t)(stop - p->at));
        if (equals)
                return read_rule(p, equals);
        if (take_word(p, "include")) {
                if (!take_word(p, "builtin"))
                        return wrong(p, p->at, "expected 'builtin' after 'include'");
                if (!at_end(p))
                        return wrong(p, p->at, "expected nothing more after 'include builtin'");
                return include_builtin(p);
        }
        while (stop > p->at && is_blank(stop[-1]))
                stop--;
        return wrong(p, stop, "expected '=' and patterns: a rule is NAME = PATTERN [PATTERN...]");
}

static int read_text(struct parser *p, const char *text, size_t size)
{
        const char *end = text + size;
        int r = 0;

        for (p->number = 1; text < end && !r; p->number++) {
                const char *newline = memchr(text, '\n', (size_t)(end - text));

                p->line = p->at = text;
                p->end = newline ? newline : end;
                text = newline ? newline + 1 : end;
                if (p->end > p->line && p->end[-1] == '\r')
                        p->end--;
                r = read_line(p);
        }
        return r;
}

int categories_parse(struct categories **ret, const char *name, const char *text, size_t size,
                     char **ret_why)
{
        _cleanup_(categories_freep) struct categories *c = calloc(1, sizeof(*c));
        struct parser p = {.c = c,
                           .file = name,
                           .builtin = text == categories_builtin_text,
                           .ret_why = ret_why};
        int r;

        if (ret_why)
                *ret_why = NULL;
        r = c ? read_text(&p, text, size) : -ENOMEM;
        if (r < 0 && ret_why)
                *ret_why = format("%s: %s", name, strerror(-r));
        if (!r)
                *ret = steal_ptr(c);
        return r;
}

/* All of a file, MAX_BYTES at most; a pipe will do. */
static int read_file(int fd, char **ret, size_t *ret_size)
{
        _cleanup_(freep) char *text = malloc(MAX_BYTES + 1);
        size_t n = 0;

        if (!text)
                return -ENOMEM;
        while (n <= MAX_BYTES) {
                ssize_t got = read(fd, text + n, MAX_BYTES + 1 - n);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (!got)
                        break;
                n += (size_t)got;
        }
        if (n > MAX_BYTES)
                return -EFBIG;
        *ret = steal_ptr(text);
        *ret_size = n;
        return 0;
}

int categories_load(struct categories **ret, const char *path, char **ret_why)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        _cleanup_(freep) char *text = NULL;
        size_t size = 0;
        int r = fd < 0 ? -errno : read_file(fd, &text, &size);

        if (!r)
                return categories_parse(ret, path, text, size, ret_why);
        if (ret_why)
                *ret_why = r == -EFBIG ? format("%s: larger than 1 MiB: no file of rules", path)
                                       : format("cannot read %s: %s", path, strerror(-r));
        return r == -ENOENT ? CATEGORIES_E_ABSENT : r;
}
