/* SPDX-License-Identifier: MIT */
/*
 * A verb is asked by being run with --help, in a child whose stdout is a pipe. The linker leads
 * each call of getopt_long() here, and the first one tells the verb's own table, each option in a
 * line that begins as no help does; what is printed then has the lines of usage, the name of each
 * option's value and a line about it.
 */
#include "cli/complete.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

#define MOST_HELP 65536
#define TABLE     '\001' /* begins a line of the table: -x, whether it takes a value, its name */
#define LEADING   '\002' /* begins the line which says that options end at the first operand */

/* ---- in the child ---- */

static bool asked; /* for the table, which was not told yet */

int __real_getopt_long(int argc, char *const *argv, const char *brief, const struct option *options,
                       int *index);
int __wrap_getopt_long(int argc, char *const *argv, const char *brief, const struct option *options,
                       int *index);

int __wrap_getopt_long(int argc, char *const *argv, const char *brief, const struct option *options,
                       int *index)
{
        for (const struct option *o = options; asked && o->name; o++) {
                bool is_brief =
                        o->val > 0 && o->val < 128 && isalnum(o->val) && strchr(brief, o->val);

                printf("%c%c%d%s\n", TABLE, is_brief ? o->val : '-', o->has_arg, o->name);
        }
        if (asked && brief[0] == '+')
                printf("%c\n", LEADING);
        asked = false;
        return __real_getopt_long(argc, argv, brief, options, index);
}

_Noreturn static void tell(const struct cmd_verb *verb, const int pipe[2])
{
        char *argv[] = {(char *)verb->name, (char[]){"--help"}, NULL};
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        dup2(pipe[1], STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(pipe[0]);
        close(pipe[1]);
        asked = true;
        (void)verb->run(2, argv);
        fflush(stdout);
        _exit(0);
}

static char *read_help(const struct cmd_verb *verb)
{
        char *text = malloc(MOST_HELP);
        size_t n = 0;
        ssize_t got;
        int pair[2];
        pid_t pid;

        if (!text || pipe(pair) < 0)
                return free(text), NULL;
        fflush(stdout);
        pid = fork();
        if (!pid)
                tell(verb, pair);
        close(pair[1]);
        while (pid > 0 && n < MOST_HELP - 1 &&
               (got = read(pair[0], text + n, MOST_HELP - 1 - n)) > 0)
                n += (size_t)got;
        close(pair[0]);
        if (pid > 0)
                waitpid(pid, NULL, 0);
        text[n] = '\0';
        return text;
}

/* ---- in the parent ---- */

static void read_table(struct complete_verb *v, const char *line)
{
        if (line[0] == LEADING) {
                v->leading = true;
                return;
        }
        if (v->n_options == COMPLETE_MOST_OPTIONS || strlen(line) < 4)
                return;
        v->options[v->n_options] =
                (struct complete_option){.name = strdup(line + 3),
                                         .brief = line[1] == '-' ? '\0' : line[1],
                                         .has_arg = line[2] - '0'};
        v->n_options += v->options[v->n_options].name != NULL;
}

static struct complete_option *find_option(struct complete_verb *v, const char *name, size_t n)
{
        for (size_t i = 0; i < v->n_options; i++)
                if (!strncmp(v->options[i].name, name, n) && !v->options[i].name[n])
                        return &v->options[i];
        return NULL;
}

/* The value of an option, "FIELD" or "[=SHARE]"; what follows it is returned. */
static const char *read_metavar(struct complete_option *o, const char *p)
{
        size_t n;

        if (*p != '[' && *p != '=' && (*p != ' ' || p[1] == ' ' || !o->has_arg))
                return p;
        p += strspn(p, " =[");
        n = strcspn(p, " ]");
        if (n && p[n - 1] == ',') /* another option follows */
                n--;
        o->metavar = strndup(p, n);
        return p + n + (p[n] == ']');
}

/* "  -s, --sort FIELD    self (the default), ...", or several: "  -k, --kernels SPEC, --op OP". */
static void read_option(struct complete_verb *v, const char *line)
{
        const char *p = line + strspn(line, " ");

        if (p == line || *p != '-')
                return;
        while (p && (p = strstr(p, "--"))) {
                size_t n = strcspn(p + 2, " =[,");
                struct complete_option *o = find_option(v, p + 2, n);

                if (!o || o->about)
                        return;
                p = read_metavar(o, p + 2 + n);
                if (!strncmp(p, ", --", 4)) {
                        o->about = strdup("");
                        continue;
                }
                p += strspn(p, " ");
                n = strlen(p);
                while (n && strchr(" ,;:", p[n - 1]))
                        n--;
                o->about = strndup(p, n);
                return;
        }
}

/* Is it one of the things in brackets that are options, as in [OPTION...], [--json], [--op GLOB]?
 */
static bool is_option_word(const char *word)
{
        word += *word == '[';
        return word[0] == '-' || !strncmp(word, "OPTION", 6);
}

static void add_slot(struct complete_verb *v, const char *word, size_t n, unsigned line)
{
        struct complete_slot *s = &v->slots[v->n_slots];
        bool optional = *word == '[';

        word += optional;
        n -= optional;
        while (n && strchr(".]", word[n - 1]))
                n--;
        if (!n || v->n_slots == COMPLETE_MOST_SLOTS)
                return;
        *s = (struct complete_slot){.word = strndup(word, n),
                                    .repeats = !strncmp(word + n, "...", 3),
                                    .optional = optional,
                                    .line = line};
        v->n_slots += s->word != NULL;
}

/* The words behind the verb. What belongs to options is left out, with the values of these. */
static void read_usage(struct complete_verb *v, const char *line, unsigned number)
{
        const char *p = strstr(line, "infprof ");
        bool in_option = false;
        size_t n;

        if (!p)
                return;
        p += strlen("infprof ");
        p += strcspn(p, " "); /* the verb */
        for (; *(p += strspn(p, " ")); p += n) {
                bool is_value = in_option && !strchr("[-|", *p);

                n = strcspn(p, " ");
                in_option = false;
                if (is_value || *p == '|')
                        continue;
                if (!is_option_word(p))
                        add_slot(v, p, n, number);
                else
                        in_option = !memchr(p, ']', n) && strspn(p, "-") < n;
        }
}

bool complete_verb_read(struct complete_verb *ret, const struct cmd_verb *verb)
{
        _cleanup_(freep) char *help = NULL;
        char *rest, *line;
        unsigned number = 0;
        bool usage = false;

        *ret = (struct complete_verb){0};
        help = read_help(verb);
        rest = help;
        while (rest && (line = strsep(&rest, "\n"))) {
                bool more = usage && !strncmp(line, "       infprof ", 15);

                usage = more || !strncmp(line, "usage: ", 7);
                if (usage)
                        read_usage(ret, line, number++);
                else if (*line == TABLE || *line == LEADING)
                        read_table(ret, line);
                else
                        read_option(ret, line);
        }
        return ret->n_options || ret->n_slots;
}

void complete_verb_done(struct complete_verb *v)
{
        for (size_t i = 0; i < v->n_options; i++) {
                free(v->options[i].name);
                free(v->options[i].metavar);
                free(v->options[i].about);
        }
        for (size_t i = 0; i < v->n_slots; i++)
                free(v->slots[i].word);
}
