/* SPDX-License-Identifier: MIT */
/*
 * infprof complete: asked by the completions of shells (data/completion/), with the words of a line
 * up to the one that the cursor is at the end of. It prints what could stand there, one candidate a
 * line, with what it is behind a tab; and last a line that begins with a colon and tells the shell
 * what it has to do itself:
 *
 *   :none           nothing
 *   :files          offer files, too
 *   :command N      word N (1 is the verb) begins a command of its own: complete that
 *
 * Whatever goes wrong, there is just less to offer: nothing is said, and it does not wait.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/complete.h"
#include "cli/text.h"
#include "common/cleanup.h"

static void usage(void)
{
        puts("usage: infprof complete [--] [WORD...]\n"
             "\n"
             "Prints what could stand in place of the last WORD of a line that begins with "
             "infprof:\n"
             "a candidate a line, with what it is behind a tab, then a line with a colon. This is\n"
             "for the completions of shells; infprof(1) says more.\n"
             "\n"
             "  -h, --help   this help\n");
}

/* The words of a line behind "infprof"; the last is to be completed. */
struct line {
        char **words;
        int n;
        const struct complete_verb *verb;
        const char *operands[COMPLETE_MOST_SLOTS]; /* before the last word */
        int at[COMPLETE_MOST_SLOTS];               /* where they are */
        int n_operands;
        bool ended;                          /* there was a "--" */
        const struct complete_option *wants; /* the last word is its value */
};

/* As getopt_long() does: that name, or the only one that begins so. */
static const struct complete_option *find_long(const struct complete_verb *v, const char *name,
                                               size_t n)
{
        const struct complete_option *found = NULL;
        int n_found = 0;

        for (size_t i = 0; i < v->n_options; i++) {
                if (strncmp(v->options[i].name, name, n) != 0)
                        continue;
                if (!v->options[i].name[n])
                        return &v->options[i];
                found = &v->options[i];
                n_found++;
        }
        return n_found == 1 ? found : NULL;
}

/* -xyz: the value of the last may be the next word. */
static const struct complete_option *find_brief(const struct complete_verb *v, const char *letters)
{
        for (; *letters; letters++)
                for (size_t i = 0; i < v->n_options; i++)
                        if (v->options[i].brief == *letters &&
                            v->options[i].has_arg == required_argument)
                                return letters[1] ? NULL : &v->options[i];
        return NULL;
}

/* Goes over the words behind the verb as getopt_long() would. */
static void parse(struct line *l)
{
        for (int i = 1; i < l->n - 1; i++) {
                const char *word = l->words[i];

                if (l->wants) {
                        l->wants = NULL;
                } else if (!l->ended && !strcmp(word, "--")) {
                        l->ended = true;
                } else if (!l->ended && !strncmp(word, "--", 2)) {
                        l->wants = strchr(word, '=')
                                           ? NULL
                                           : find_long(l->verb, word + 2, strlen(word + 2));
                        if (l->wants && l->wants->has_arg != required_argument)
                                l->wants = NULL;
                } else if (!l->ended && word[0] == '-' && word[1]) {
                        l->wants = find_brief(l->verb, word + 1);
                } else {
                        l->ended |= l->verb->leading;
                        if (l->n_operands < COMPLETE_MOST_SLOTS) {
                                l->at[l->n_operands] = i;
                                l->operands[l->n_operands++] = word;
                        }
                }
        }
}

static bool is_literal(const char *word)
{
        return *word >= 'a' && *word <= 'z' && !strchr(word, '|');
}

static const struct complete_slot *slot_after(const struct complete_verb *v,
                                              const struct complete_slot *s)
{
        return s + 1 < v->slots + v->n_slots && s[1].line == s->line ? s + 1 : NULL;
}

/*
 * The slot of a line of usage that operand number `at` falls into, the last word being the one
 * after all operands; NULL: none. What is not NAME=VALUE does not fall into [NAME=VALUE...].
 */
static const struct complete_slot *slot_of(const struct line *l, unsigned line, int at)
{
        const struct complete_verb *v = l->verb;
        const struct complete_slot *s = v->slots;

        while (s < v->slots + v->n_slots && s->line != line)
                s++;
        if (s == v->slots + v->n_slots)
                return NULL;
        for (int i = 0; s; i++) {
                const char *text = i < l->n_operands ? l->operands[i] : l->words[l->n - 1];

                while (s && s->optional && strchr(s->word, '=') && !strchr(text, '='))
                        s = slot_after(v, s);
                if (i == at || !s)
                        return s;
                if (is_literal(s->word) && strcmp(s->word, text) != 0) /* another subcommand */
                        return NULL;
                if (!s->repeats)
                        s = slot_after(v, s);
        }
        return NULL;
}

static bool is_command(const struct complete_slot *s)
{
        return !strncmp(s->word, "CMD", 3) || !strcmp(s->word, "ARG");
}

/* Which word begins the command that the last word belongs to; 0: none does. */
static int command_at(const struct line *l)
{
        int at = 0;

        for (int i = 0; i <= l->n_operands && !at; i++) {
                const struct complete_slot *s = slot_of(l, 0, i);

                if (s && is_command(s))
                        at = i < l->n_operands ? l->at[i] : l->n - 1;
        }
        for (int i = at; at && i < l->n - 1; i++) /* the second of two */
                if (!strcmp(l->words[i], "---"))
                        at = i + 1;
        return at;
}

/* The run that is named before the last word, if one is. */
static const char *run_on_line(const struct line *l)
{
        for (int i = 0; i < l->n_operands; i++) {
                const struct complete_slot *s = slot_of(l, 0, i);

                if (s && (!strncmp(s->word, "RUN", 3) || !strcmp(s->word, "A")))
                        return l->operands[i];
        }
        return NULL;
}

static void offer_options(const struct line *l, const struct complete_word *w)
{
        const struct complete_verb *v = l->verb;

        for (size_t i = 0; i < v->n_options; i++) {
                char name[128];

                snprintf(name, sizeof(name), "--%s", v->options[i].name);
                complete_offer(w, name, v->options[i].about);
        }
}

/* Optional words may be left out, so what comes behind one is possible too. */
static bool offer_operands(const struct line *l, const struct complete_word *w)
{
        const struct complete_verb *v = l->verb;
        bool files = false;
        unsigned n_lines = v->n_slots ? v->slots[v->n_slots - 1].line + 1 : 0;

        for (unsigned line = 0; line < n_lines; line++) {
                const struct complete_slot *s = slot_of(l, line, l->n_operands);

                for (; s; s = s->optional ? slot_after(v, s) : NULL) {
                        if (is_literal(s->word))
                                complete_offer(w, s->word, NULL);
                        else
                                files |= complete_values(w, NULL, s->word);
                }
        }
        return files;
}

static int complete_line(struct line *l)
{
        char *last = l->words[l->n - 1], *equals;
        struct complete_word w = {.verb = l->words[0], .text = last, .before = ""};
        _cleanup_(freep) char *before = NULL;
        bool files = false;
        int command;

        parse(l);
        w.run = run_on_line(l);
        command = l->wants ? 0 : command_at(l);
        if (command && (l->ended || last[0] != '-')) {
                printf(":command %d\n", command + 1);
                return CMD_DONE;
        }
        equals = !l->ended && !l->wants && !strncmp(last, "--", 2) ? strchr(last, '=') : NULL;
        if (equals) {
                l->wants = find_long(l->verb, last + 2, (size_t)(equals - last - 2));
                before = strndup(last, (size_t)(equals + 1 - last));
                w.text = equals + 1;
                w.before = before ? before : "";
        }
        if (l->wants)
                files = complete_values(&w, l->wants->name, l->wants->metavar);
        else if (!equals && !l->ended && last[0] == '-')
                offer_options(l, &w);
        else if (!equals)
                files = offer_operands(l, &w);
        puts(files ? ":files" : ":none");
        return CMD_DONE;
}

/* `top`: in the first place, where there are options, too. */
static void offer_verbs(const char *text, bool top)
{
        const struct complete_word w = {.text = text, .before = ""};

        for (const struct cmd_verb *v = cmd_verbs; v->name; v++)
                if (v->help)
                        complete_offer(&w, v->name, v->help);
        if (text[0] == '-' && top) {
                complete_offer(&w, "--help", "this list");
                complete_offer(&w, "--version", "the version of infprof");
        }
        puts(":none");
}

int cmd_complete(int argc, char **argv)
{
        _cleanup_(freep) struct complete_verb *verb = calloc(1, sizeof(*verb));
        struct line line = {.verb = verb};
        const struct cmd_verb *v;

        if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
                usage();
                return cmd_finish("complete", CMD_DONE);
        }
        argv++;
        argc--;
        if (argc && !strcmp(argv[0], "--")) {
                argv++;
                argc--;
        }
        if (!verb)
                return CMD_NO;
        text_init();
        v = argc > 1 ? cmd_find(argv[0]) : NULL;
        if (argc < 2 || (v && v->run == cmd_help_verb && argc == 2)) {
                offer_verbs(argc ? argv[argc - 1] : "", argc < 2);
        } else if (v && complete_verb_read(verb, v)) {
                line.words = argv;
                line.n = argc;
                complete_line(&line);
                complete_verb_done(verb);
        } else {
                puts(":none");
        }
        return cmd_finish("complete", CMD_DONE);
}
