/* SPDX-License-Identifier: MIT */
/*
 * The terminal. Signals are read from a signalfd, so that ncurses is called
 * from one place only and the terminal is given back on every way out; but
 * SIGTSTP, which ncurses itself knows how to stop and come back on.
 */
#include "cli/tui.h"

#include <errno.h>
#include <ncurses.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <poll.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/text.h"

static SCREEN *screen;
static int signal_fd = -1;
static sigset_t old_mask;
static int cursor_y = -1, cursor_x = -1;
static attr_t styles[TUI_DECODE + 1];

static void make_styles(void)
{
        bool color = has_colors() && !(getenv("NO_COLOR") && *getenv("NO_COLOR"));

        styles[TUI_STRONG] = A_BOLD;
        styles[TUI_DIM] = A_DIM;
        styles[TUI_HEADING] = A_REVERSE;
        styles[TUI_SORTED] = A_REVERSE | A_BOLD;
        styles[TUI_SELECTED] = A_REVERSE;
        styles[TUI_TAB] = A_BOLD | A_UNDERLINE;
        styles[TUI_ALERT] = A_BOLD;
        styles[TUI_LOAD] = styles[TUI_PREFILL] = styles[TUI_DECODE] = A_BOLD;
        if (!color)
                return;
        start_color();
        use_default_colors();
        init_pair(1, COLOR_BLACK, COLOR_GREEN);
        init_pair(2, COLOR_BLACK, COLOR_CYAN);
        init_pair(3, COLOR_RED, -1);
        init_pair(4, COLOR_YELLOW, -1);
        init_pair(5, COLOR_CYAN, -1);
        init_pair(6, COLOR_GREEN, -1);
        styles[TUI_HEADING] = COLOR_PAIR(1);
        styles[TUI_SORTED] = COLOR_PAIR(2);
        styles[TUI_SELECTED] = COLOR_PAIR(2);
        styles[TUI_ALERT] = COLOR_PAIR(3) | A_BOLD;
        styles[TUI_LOAD] = COLOR_PAIR(4) | A_BOLD;
        styles[TUI_PREFILL] = COLOR_PAIR(5) | A_BOLD;
        styles[TUI_DECODE] = COLOR_PAIR(6) | A_BOLD;
}

int tui_open(char **ret_why)
{
        const char *term = getenv("TERM");
        sigset_t set;

        set_escdelay(25);
        screen = newterm(NULL, stdout, stdin);
        if (!screen) {
                if (asprintf(ret_why, "the terminal %s is not known here; set TERM, or use --once",
                             term && *term ? term : "(TERM is not set)") < 0)
                        *ret_why = NULL;
                return -ENOTTY;
        }
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGQUIT);
        sigaddset(&set, SIGWINCH);
        sigprocmask(SIG_BLOCK, &set, &old_mask);
        signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        cbreak();
        noecho();
        nonl();
        keypad(stdscr, TRUE);
        nodelay(stdscr, TRUE);
        curs_set(0);
        make_styles();
        return 0;
}

void tui_close(void)
{
        if (!screen)
                return;
        curs_set(1);
        endwin();
        delscreen(screen);
        screen = NULL;
        if (signal_fd >= 0)
                close(signal_fd);
        signal_fd = -1;
        sigprocmask(SIG_SETMASK, &old_mask, NULL);
}

int tui_key_fd(void)
{
        return STDIN_FILENO;
}

int tui_signal_fd(void)
{
        return signal_fd;
}

/* A closed terminal can be read for ever, and there is nothing in it. */
static bool has_gone(void)
{
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        int waiting = 0;

        if (poll(&p, 1, 0) <= 0)
                return false;
        if (p.revents & (POLLHUP | POLLERR | POLLNVAL))
                return true;
        return ioctl(STDIN_FILENO, FIONREAD, &waiting) < 0;
}

int tui_key(void)
{
        static const struct {
                int curses, ours;
        } keys[] = {
                {KEY_UP, TUI_KEY_UP},
                {KEY_DOWN, TUI_KEY_DOWN},
                {KEY_LEFT, TUI_KEY_LEFT},
                {KEY_RIGHT, TUI_KEY_RIGHT},
                {KEY_PPAGE, TUI_KEY_PAGE_UP},
                {KEY_NPAGE, TUI_KEY_PAGE_DOWN},
                {KEY_HOME, TUI_KEY_HOME},
                {KEY_END, TUI_KEY_END},
                {KEY_A1, TUI_KEY_HOME},
                {KEY_C1, TUI_KEY_END},
                {KEY_BACKSPACE, TUI_KEY_BACKSPACE},
                {KEY_ENTER, TUI_KEY_ENTER},
                {KEY_BTAB, TUI_KEY_BACK_TAB},
                {KEY_F(1), TUI_KEY_F1},
                {KEY_F(10), TUI_KEY_F10},
        };
        wint_t c;
        int r = get_wch(&c);

        if (r == ERR)
                return has_gone() ? -1 : 0;
        if (r == KEY_CODE_YES) {
                for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                        if (keys[i].curses == (int)c)
                                return keys[i].ours;
                return TUI_KEY_OTHER;
        }
        switch (c) {
        case '\r':
        case '\n':
                return TUI_KEY_ENTER;
        case 0x1b:
                return TUI_KEY_ESCAPE;
        case 0x7f:
        case '\b':
                return TUI_KEY_BACKSPACE;
        case 0:
                return TUI_KEY_OTHER;
        }
        return (int)c;
}

int tui_signal(void)
{
        struct signalfd_siginfo si;
        struct winsize size;

        while (read(signal_fd, &si, sizeof(si)) == sizeof(si)) {
                if (si.ssi_signo != SIGWINCH)
                        return (int)si.ssi_signo;
                if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
                        resizeterm(size.ws_row, size.ws_col);
        }
        return 0;
}

int tui_width(void)
{
        return getmaxx(stdscr);
}

int tui_height(void)
{
        return getmaxy(stdscr);
}

void tui_begin(void)
{
        erase();
        cursor_y = cursor_x = -1;
}

void tui_end(void)
{
        if (cursor_y >= 0)
                move(cursor_y, cursor_x);
        curs_set(cursor_y >= 0);
        refresh();
}

int tui_put(int y, int x, enum tui_style style, const char *text)
{
        int room = tui_width() - x;
        char *clean;

        if (y < 0 || y >= tui_height() || x < 0 || room <= 0)
                return x;
        clean = text_clean(text, (unsigned)room);
        if (!clean)
                return x;
        attrset((int)styles[style]);
        mvaddstr(y, x, clean);
        attrset(A_NORMAL);
        x += (int)text_width(clean);
        free(clean);
        return x;
}

void tui_paint(int y, enum tui_style style)
{
        if (y >= 0 && y < tui_height())
                mvchgat(y, 0, -1, styles[style] & ~A_COLOR, PAIR_NUMBER(styles[style]), NULL);
}

void tui_cursor(int y, int x)
{
        cursor_y = y;
        cursor_x = x < tui_width() ? x : tui_width() - 1;
}

void tui_redraw(void)
{
        clearok(curscr, TRUE);
}
