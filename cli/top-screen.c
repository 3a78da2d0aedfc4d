/* SPDX-License-Identifier: MIT */
/*
 * The live screen. One loop sleeps on keys, signals and the daemon's answer;
 * each changes the state below, and the whole screen is drawn anew from it. So
 * a daemon that is slow, gone or stopped never keeps a key waiting.
 */
#include "cli/top-screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/text.h"
#include "cli/top-screen-private.h"
#include "cli/tui.h"

#define TICK_MS 1000

void screen_alert(struct screen *s, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        vsnprintf(s->alert, sizeof(s->alert), format, ap);
        va_end(ap);
}

const char *screen_row_name(const struct top_row *r)
{
        return text_string(r->whole ? r->whole : r->item, "name",
                           text_string(r->item, "function", ""));
}

/* What tells a row from the others of its table, whatever its figures; to be freed. */
static char *row_key(const struct top_row *r)
{
        double tid = text_number(r->item, "tid"), token = text_number(r->item, "number");
        char *key;

        if (asprintf(&key, "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%.0f", r->whole ? screen_row_name(r) : "",
                     text_string(r->item, "name", text_string(r->item, "function", "")),
                     text_string(r->item, "caller", ""), text_string(r->item, "op", ""),
                     text_string(r->item, "library", ""),
                     text_string(r->item, "row", text_string(r->item, "kind", "")),
                     text_string(r->item, "object", text_string(r->item, "phase", "")),
                     tid > 0     ? tid
                     : token > 0 ? token
                                 : 0) < 0)
                return NULL;
        return key;
}

void screen_keep(struct screen *s, const struct top_row *row)
{
        free(s->kept);
        s->kept = row ? row_key(row) : NULL;
}

void screen_select(struct screen *s, size_t row)
{
        s->selected = row;
        screen_keep(s, row < s->view->n_rows ? &s->view->rows[row] : NULL);
}

static bool is_kept(const struct screen *s, const struct top_row *row)
{
        char *key = row_key(row);
        bool is = key && !strcmp(key, s->kept);

        free(key);
        return is;
}

void screen_refresh(struct screen *s)
{
        struct top_view *v = s->view;

        top_view_update(v);
        for (size_t i = 0; s->moved && s->kept && i < v->n_rows; i++)
                if (is_kept(s, &v->rows[i])) {
                        s->selected = i;
                        break;
                }
        if (s->selected >= v->n_rows)
                s->selected = v->n_rows ? v->n_rows - 1 : 0;
        screen_select(s, s->selected);
}

static void on_event(struct screen *s, enum source_event event, json_t *document, char *why)
{
        s->alert_stays = event > SOURCE_DOCUMENT;
        s->waiting = event == SOURCE_NO_ENGINE;
        switch (event) {
        case SOURCE_NOTHING:
                break;
        case SOURCE_DOCUMENT:
                s->alert[0] = '\0';
                if (s->frozen) {
                        json_decref(s->held);
                        s->held = document;
                        break;
                }
                top_view_set(s->view, document);
                screen_refresh(s);
                break;
        case SOURCE_NO_ENGINE:
                screen_alert(s, "No engine is being profiled; waiting for one.");
                break;
        case SOURCE_NO_RUN:
                screen_alert(s, "%s", why ? why : "infprofd does not know this run any more");
                break;
        case SOURCE_STOPPED:
                screen_alert(s, "infprofd has ended; waiting for another (the engine goes on)");
                break;
        case SOURCE_CRASHED:
                screen_alert(s, "%s",
                             why ? why
                                 : "infprofd has crashed; starting another (the engine goes on)");
                break;
        case SOURCE_TROUBLE:
                screen_alert(s, "%s", why ? why : "infprofd does not answer as it should");
                break;
        }
        free(why);
}

static void loop(struct screen *s)
{
        bool changed = true;

        while (!s->quit) {
                struct pollfd fds[2] = {{.fd = tui_key_fd(), .events = POLLIN},
                                        {.fd = tui_signal_fd(), .events = POLLIN}};
                enum source_event event;
                json_t *document = NULL;
                char *why = NULL;
                int key, sig;

                if (changed)
                        screen_draw(s);
                changed = false;
                event = source_wait(s->source, fds, 2, TICK_MS, &document, &why);
                if (event != SOURCE_NOTHING) {
                        on_event(s, event, document, why);
                        changed = true;
                }
                while ((sig = tui_signal()) != 0) {
                        s->signal = sig;
                        s->quit = true;
                }
                changed |= fds[1].revents != 0;
                while (!s->quit && (key = tui_key()) != 0) {
                        if (key < 0) {
                                s->quit = true;
                                break;
                        }
                        screen_key(s, key);
                        changed = true;
                }
        }
}

int top_screen(struct top_source *source, struct top_view *view)
{
        struct screen s = {.source = source, .view = view};
        char *why = NULL;

        if (tui_open(&why) < 0) {
                cmd_error("top", "%s", why ? why : "cannot take the terminal over");
                free(why);
                return CMD_NOTHING;
        }
        loop(&s);
        tui_close();
        json_decref(s.held);
        free(s.kept);
        if (s.signal && s.signal != SIGINT) {
                signal(s.signal, SIG_DFL);
                raise(s.signal);
        }
        return CMD_DONE;
}
