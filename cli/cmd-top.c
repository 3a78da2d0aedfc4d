/* SPDX-License-Identifier: MIT */
/*
 * infprof top: watches one run. On a terminal it is a screen (top-screen.c);
 * for a script it prints, once or every so often.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/api-client.h"
#include "cli/daemon-start.h"
#include "cli/text.h"
#include "cli/top-screen.h"
#include "cli/top-source.h"
#include "cli/top-view.h"

struct top {
        struct top_view view;
        const char *run;
        double delay_s;
        long n; /* documents to print; 0: as long as the engine lives */
        bool once, as_json, plain;
        const char *sort;
};

static void usage(void)
{
        puts("usage: infprof top [OPTION...] [RUN|PID]\n"
             "\n"
             "Watches an engine live: by default the newest one that is being profiled.\n"
             "\n"
             "  -d, --delay SECONDS   between updates (default 1)\n"
             "      --once            print once and end\n"
             "  -n, --count N         print N times and end\n"
             "  -j, --json            print documents (infprof.top/1); one a line, but for --once\n"
             "      --tab TAB         ops (default), threads, spawns, memory, waits or ledger\n"
             "      --sort COLUMN     as it is headed: self%, p99, ...\n"
             "      --filter TEXT     only what has TEXT in its name\n"
             "  -h, --help            this help\n"
             "\n"
             "On a terminal, h shows the keys. With --once, -n or --json, or where stdout is no "
             "terminal,\n"
             "it prints plainly, and ends when the engine does.\n"
             "Exit codes: 0 done, 3 there is no such run, or nothing is being profiled.");
}

/* In each table of the tab that has such a column. */
static int find_sort(struct top *t)
{
        const struct top_tab_kind *tab = &top_tabs[t->view.tab];
        char names[512] = "";
        bool found = false;

        for (unsigned i = tab->first; t->sort && i < tab->first + tab->n; i++) {
                int column = top_find_column(i, t->sort);

                if (column >= 0)
                        t->view.sort[i] = (unsigned)column;
                found |= column >= 0;
                for (size_t c = 0; c < top_tables[i].n_columns; c++) {
                        if (i > tab->first &&
                            top_find_column(tab->first, top_tables[i].columns[c].title) >= 0)
                                continue;
                        strcat(names, names[0] ? ", " : "");
                        strcat(names, top_tables[i].columns[c].title);
                }
        }
        if (!t->sort || found)
                return 0;
        cmd_error("top", "--sort %s: the columns of %s are %s", t->sort, tab->name, names);
        return CMD_USAGE;
}

static int parse_number(const char *option, const char *text, double low, double *ret)
{
        char *end;
        double v;

        errno = 0;
        v = strtod(text, &end);
        if (errno || end == text || *end || !(v >= low) || v > 1e6) {
                cmd_error("top", "%s takes a number from %g on, not %s", option, low, text);
                return CMD_USAGE;
        }
        *ret = v;
        return 0;
}

static int parse_tab(struct top *t, const char *name)
{
        for (unsigned i = 0; i < TOP_N_TABS; i++)
                if (!strcmp(top_tabs[i].name, name)) {
                        t->view.tab = i;
                        return 0;
                }
        cmd_error("top", "--tab is ops, threads, spawns, memory, waits or ledger, not %s", name);
        return CMD_USAGE;
}

static int parse(struct top *t, int argc, char **argv)
{
        static const struct option options[] = {{"delay", required_argument, NULL, 'd'},
                                                {"once", no_argument, NULL, 'o'},
                                                {"count", required_argument, NULL, 'n'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"tab", required_argument, NULL, 'T'},
                                                {"sort", required_argument, NULL, 'S'},
                                                {"filter", required_argument, NULL, 'F'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        double n = 0;
        int o, r = 0;

        opterr = 0;
        while (!r && (o = getopt_long(argc, argv, ":d:n:jh", options, NULL)) != -1) {
                switch (o) {
                case 'd':
                        r = parse_number("-d", optarg, 0.1, &t->delay_s);
                        break;
                case 'o':
                        t->once = true;
                        break;
                case 'n':
                        r = parse_number("-n", optarg, 1, &n);
                        break;
                case 'j':
                        t->as_json = true;
                        break;
                case 'T':
                        r = parse_tab(t, optarg);
                        break;
                case 'S':
                        t->sort = optarg;
                        break;
                case 'F':
                        snprintf(t->view.filter, sizeof(t->view.filter), "%s", optarg);
                        break;
                case 'h':
                        usage();
                        return CMD_DONE;
                default:
                        return cmd_bad_option(argc, argv, o);
                }
        }
        if (r || (r = find_sort(t)) != 0)
                return r;
        if (cmd_operand(argc, argv, &t->run))
                return CMD_USAGE;
        t->n = t->once ? 1 : (long)n;
        t->plain = t->n || t->as_json || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
        return -1; /* go on */
}

static int print_one(struct top *t, long i)
{
        if (t->as_json && t->once)
                return cmd_print_json("top", t->view.document);
        if (t->as_json) {
                json_dumpf(t->view.document, stdout, JSON_COMPACT);
                putchar('\n');
        } else {
                if (i)
                        putchar('\n');
                top_print(&t->view);
        }
        return cmd_finish("top", CMD_DONE);
}

/* Until enough is printed, the engine has ended, or there is nothing to print. */
static int print_all(struct top *t, struct top_source *source)
{
        char end[TEXT_END];
        int r;

        for (long i = 0; !t->n || i < t->n;) {
                json_t *document = NULL;
                char *why = NULL;
                enum source_event event = source_wait(source, NULL, 0, 1000, &document, &why);

                switch (event) {
                case SOURCE_NOTHING:
                        continue;
                case SOURCE_DOCUMENT:
                        break;
                case SOURCE_NO_ENGINE:
                        cmd_error("top",
                                  "no engine is being profiled; infprof record CMD... starts one");
                        return CMD_NOTHING;
                default:
                        cmd_error("top", "%s", why ? why : "infprofd has gone; infprof top again");
                        free(why);
                        return CMD_NOTHING;
                }
                top_view_set(&t->view, document);
                r = print_one(t, i++);
                if (r != CMD_DONE || top_end(&t->view, end))
                        return r;
        }
        return CMD_DONE;
}

int cmd_top(int argc, char **argv)
{
        struct top t = {.delay_s = 1};
        struct top_source *source;
        char *why = NULL;
        int r;

        text_init();
        top_view_init(&t.view);
        r = parse(&t, argc, argv);
        if (r >= 0) {
                top_view_done(&t.view);
                return r;
        }
        if (t.run && (strchr(t.run, '/') || access(t.run, F_OK) == 0)) {
                cmd_error("top", "top shows runs that go on; read a file with: infprof report %s",
                          t.run);
                top_view_done(&t.view);
                return CMD_NOTHING;
        }
        r = daemon_ensure(&why);
        if (r < 0) {
                cmd_error("top", "%s", why ? why : strerror(-r));
                r = CMD_NOTHING;
        } else if (source_new(&source, t.run, t.delay_s) < 0) {
                cmd_error("top", "out of memory");
                r = CMD_NO;
        } else {
                r = t.plain ? print_all(&t, source) : top_screen(source, &t.view);
                source_free(source);
        }
        free(why);
        top_view_done(&t.view);
        return r;
}
