/* SPDX-License-Identifier: MIT */
#include "cli/view.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define LABEL "%-11s"

#define NOTES_WRAPPED 2 /* the detail of a screen */

char *view_mark_most(char *buf, const json_t *value)
{
        if (!json_is_integer(value) || json_integer_value(value) != INT64_MAX)
                return buf;
        buf[0] = '>';
        return buf + 1;
}

const char *view_figure(char *buf, const json_t *o, const char *member,
                        const char *(*format)(char *, uint64_t))
{
        const json_t *v = json_object_get(o, member);

        if (!json_is_integer(v) || json_integer_value(v) < 0)
                return strcpy(buf, "-");
        format(view_mark_most(buf, v), (uint64_t)json_integer_value(v));
        return buf;
}

const char *view_count(char *buf, const json_t *o, const char *member)
{
        return view_figure(buf, o, member, fmt_count);
}

const char *view_bytes(char *buf, const json_t *o, const char *member)
{
        const json_t *v = json_object_get(o, member);

        if (!json_is_integer(v))
                return strcpy(buf, "-");
        fmt_bytes(view_mark_most(buf, v), json_integer_value(v));
        return buf;
}

const char *view_share(char *buf, const json_t *o, const char *member)
{
        double v = text_number(o, member);

        return isnan(v) ? strcpy(buf, "-") : fmt_share(buf, v);
}

const char *view_phase(const json_t *row)
{
        const char *phase = text_string(row, "phase", NULL);

        return phase && strcmp(phase, "unknown") != 0 ? phase : NULL;
}

bool view_is_live(const json_t *document)
{
        return !strcmp(text_string(json_object_get(document, "run"), "end", ""), "live");
}

const char *view_ending(char *buf, const json_t *run)
{
        const char *end = text_string(run, "end", "");

        if (text_exit(buf, json_object_get(run, "exit")))
                return buf;
        if (!strcmp(end, "live"))
                return strcpy(buf, json_is_false(json_object_get(run, "live")) ? "end not seen"
                                                                               : "still running");
        if (!strcmp(end, "cut"))
                return strcpy(buf, "cut off");
        if (!strcmp(end, "exec"))
                return strcpy(buf, "became another program");
        return strcpy(buf, "ended, not known how");
}

const char *view_local_time(char *buf, const json_t *run)
{
        struct tm tm = {0};
        time_t t;

        if (!strptime(text_string(run, "started_at", ""), "%Y-%m-%dT%H:%M:%S", &tm))
                return strcpy(buf, "-");
        t = timegm(&tm);
        localtime_r(&t, &tm);
        strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm);
        return buf;
}

void view_say(const struct view *v, const char *label, const char *format, ...)
{
        _cleanup_(freep) char *line = NULL;
        char padded[32];
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&line, format, ap) < 0)
                line = NULL;
        va_end(ap);
        snprintf(padded, sizeof(padded), LABEL, label);
        if (line)
                table_wrap(v->f, padded, line, v->width);
}

/* What does not fit is cut, not wrapped. */
static void print_briefly(const struct view *v, const char *label, const char *line,
                          char *(*cut)(const char *s, unsigned cells))
{
        unsigned indent = text_width(label);
        _cleanup_(freep) char *clean = cut(line, v->width > indent ? v->width - indent : 1u << 20);

        if (clean)
                fprintf(v->f, "%s%s\n", label, clean);
}

void view_say_briefly(const struct view *v, const char *label, const char *format, ...)
{
        _cleanup_(freep) char *line = NULL;
        char padded[32];
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&line, format, ap) < 0)
                line = NULL;
        va_end(ap);
        snprintf(padded, sizeof(padded), LABEL, label);
        if (line && screen_shows(v, SCREEN_ALL))
                table_wrap(v->f, padded, line, v->width);
        else if (line)
                print_briefly(v, padded, line, text_clean);
}

void view_vline(const struct view *v, const char *format, va_list ap)
{
        _cleanup_(freep) char *line = NULL;

        if (vasprintf(&line, format, ap) < 0)
                line = NULL;
        if (line)
                table_wrap(v->f, "", line, v->width);
}

void view_line(const struct view *v, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        view_vline(v, format, ap);
        va_end(ap);
}

void view_heading(const struct view *v, const char *format, ...)
{
        va_list ap;

        fputc('\n', v->f);
        va_start(ap, format);
        view_vline(v, format, ap);
        va_end(ap);
}

size_t view_shown(size_t rows, size_t n)
{
        return rows && n > rows ? rows : n;
}

void view_say_more(const struct view *v, size_t rows, size_t n)
{
        size_t more = n - view_shown(rows, n);
        char count[FMT_SIZE];

        if (more)
                fprintf(v->f, "(%s more; -n 0 shows all)\n", fmt_count(count, more));
}

static void print_processes(const struct view *v, const json_t *run)
{
        const json_t *p;
        size_t i, n_trivial = 0, n = json_array_size(json_object_get(run, "processes"));
        char ending[TEXT_END], took[FMT_SIZE];

        json_array_foreach(json_object_get(run, "processes"), i, p)
        {
                n_trivial += json_is_true(json_object_get(p, "trivial"));
        }
        json_array_foreach(json_object_get(run, "processes"), i, p)
        {
                const char *reason = text_string(p, "reason", NULL);

                /* the only one is told of already */
                if (json_is_true(json_object_get(p, "trivial")) || n - n_trivial < 2)
                        continue;
                view_say(v, "process", "%.0f %s: ran %s, %s%s%s", text_number(p, "pid"),
                         text_string(p, "command", "?"),
                         view_figure(took, p, "duration_ns", fmt_ns), view_ending(ending, p),
                         reason ? ": " : "", reason ? reason : "");
        }
        if (n_trivial)
                view_say(v, n - n_trivial < 2 ? "processes" : "",
                         "%s%zu %s that did nothing worth a line", n - n_trivial < 2 ? "" : "and ",
                         n_trivial, n - n_trivial < 2 ? "beside it" : "more");
}

/* Two lines. */
static void run_briefly(const struct view *v, const json_t *run)
{
        const char *machine = text_string(run, "machine", NULL);
        char ending[TEXT_END], took[FMT_SIZE], label[32];

        view_say_briefly(v, "run", "%s: ran %s, %s%s%s", text_string(run, "id", "?"),
                         view_figure(took, run, "duration_ns", fmt_ns), view_ending(ending, run),
                         machine ? "; " : "", machine ? machine : "");
        snprintf(label, sizeof(label), LABEL, "command");
        print_briefly(v, label, text_string(run, "command", "?"), text_middle);
}

void view_run(const struct view *v, const json_t *run)
{
        char ending[TEXT_END], took[FMT_SIZE], when[32];

        if (!screen_shows(v, SCREEN_ALL)) {
                run_briefly(v, run);
                return;
        }
        view_say(v, "run", "%s", text_string(run, "id", "?"));
        view_say(v, "command", "%s", text_string(run, "command", "?"));
        view_say(v, "started", "%s, pid %.0f; ran %s; %s", view_local_time(when, run),
                 text_number(run, "pid"), view_figure(took, run, "duration_ns", fmt_ns),
                 view_ending(ending, run));
        if (text_string(run, "machine", NULL))
                view_say(v, "machine", "%s", text_string(run, "machine", ""));
        print_processes(v, run);
}

/* A line of it, and at the least detail not even that but of the first. */
static void note_briefly(const struct view *v, size_t i, const char *note)
{
        static const char label[] = "note: ";

        if (i && !screen_shows(v, 1)) {
                screen_leave(v, 1, "note");
                return;
        }
        print_briefly(v, label, note ? note : "", text_clean);
        if (v->width && text_width(note ? note : "") + sizeof(label) > v->width + 1)
                screen_leave(v, 0, "notes");
}

void view_notes(const struct view *v, const json_t *document)
{
        const json_t *note;
        size_t i;

        json_array_foreach(json_object_get(document, "notes"), i, note)
        {
                if (!screen_shows(v, NOTES_WRAPPED)) {
                        note_briefly(v, i, json_string_value(note));
                        continue;
                }
                if (!i)
                        fputc('\n', v->f);
                table_wrap(v->f, "note: ", json_string_value(note), v->width);
        }
}

const char *view_plus_minus(void)
{
        return text_is_utf8() ? " \u00b1 " : " +- ";
}
