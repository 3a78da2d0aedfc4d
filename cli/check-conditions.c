/* SPDX-License-Identifier: MIT */
/*
 * Conditions as they are given: arguments, and files with one a line. A line that is no condition
 * is kept with what is wrong with it, so that the others are looked at.
 */
#include "cli/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "common/cleanup.h"

#define LINE_MAX_BYTES 4096

static int no_memory(void)
{
        cmd_error("check", "out of memory");
        return CMD_NO;
}

static int append(struct check_conditions *c, const char *text, size_t n, const char *file,
                  size_t line, const char *wrong)
{
        struct check_condition *one;

        if (c->n == c->room) {
                size_t room = c->room ? 2 * c->room : 16;
                struct check_condition *more = realloc(c->all, room * sizeof(*more));

                if (!more)
                        return no_memory();
                c->all = more;
                c->room = room;
        }
        one = &c->all[c->n];
        *one = (struct check_condition){.text = strndup(text, n), .wrong = wrong};
        if ((file ? asprintf(&one->place, "%s:%zu", file, line)
                  : asprintf(&one->place, "condition %zu", line)) < 0)
                one->place = NULL;
        c->n++;
        return one->text && one->place ? 0 : no_memory();
}

int check_conditions_add(struct check_conditions *c, const char *text)
{
        return append(c, text, strlen(text), NULL, ++c->n_given, NULL);
}

/* A condition's length: up to a comment, without blanks at its end. */
static size_t length(const char *line)
{
        char quote = 0;
        size_t n = 0;

        for (; line[n] && (quote || line[n] != '#'); n++)
                if (quote ? line[n] == quote : line[n] == '\'' || line[n] == '"')
                        quote = quote ? 0 : line[n];
        while (n && strchr(" \t\r\n", line[n - 1]))
                n--;
        return n;
}

/* The rest of a line that is too long. */
static void pass_over(FILE *f)
{
        int c;

        do
                c = getc(f);
        while (c != EOF && c != '\n');
}

int check_conditions_add_file(struct check_conditions *c, const char *path)
{
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        char line[LINE_MAX_BYTES];
        size_t number = 0;
        int e = 0;

        if (!f) {
                cmd_error("check", "cannot open %s: %s", path, strerror(errno));
                return CMD_USAGE;
        }
        while (!e && fgets(line, sizeof(line), f)) {
                const char *at = line + strspn(line, " \t"), *wrong = NULL;
                size_t n = length(at);

                number++;
                if (strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n') {
                        pass_over(f);
                        wrong = "the line is too long: 4094 bytes are the most";
                }
                if (n)
                        e = append(c, at, n, path, number, wrong);
        }
        if (ferror(f)) {
                cmd_error("check", "cannot read %s: %s", path, strerror(errno));
                return CMD_USAGE;
        }
        return e;
}

void check_conditions_done(struct check_conditions *c)
{
        for (size_t i = 0; i < c->n; i++) {
                free(c->all[i].text);
                free(c->all[i].place);
        }
        free(c->all);
}
