/* SPDX-License-Identifier: MIT */
/*
 * Signals that end trials are blocked and asked for, so that none is lost between two trials and
 * none comes in the midst of anything.
 */
#include "cli/trial-private.h"

#include <stddef.h>
#include <time.h>

static sigset_t before_watch; /* the mask */
static bool watching;
static int kept;
static sigset_t ours;

void trial_signals(sigset_t *ret)
{
        *ret = ours;
}

/* Those that nobody (nohup, a shell without job control) told us to ignore: blocked, they would
 * come all the same. */
static void choose(void)
{
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
        struct sigaction now;

        sigemptyset(&ours);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
                        sigaddset(&ours, numbers[i]);
}

void trial_watch(void)
{
        struct sigaction dfl = {.sa_handler = SIG_DFL};
        sigset_t set;

        if (watching)
                return;
        choose();
        set = ours;
        sigaddset(&set, SIGCHLD);
        sigaction(SIGCHLD, &dfl, NULL); /* ignored, children would leave no status */
        sigprocmask(SIG_BLOCK, &set, &before_watch);
        watching = true;
}

void trial_unwatch(void)
{
        if (watching)
                sigprocmask(SIG_SETMASK, &before_watch, NULL);
        watching = false;
}

int trial_signal(void)
{
        const struct timespec none = {0};
        sigset_t set;
        int r = kept;

        kept = 0;
        if (r)
                return r;
        trial_signals(&set);
        r = watching ? sigtimedwait(&set, NULL, &none) : 0;
        return r > 0 ? r : 0;
}

void trial_keep_signal(int number)
{
        kept = number;
}

const sigset_t *trial_mask(void)
{
        return &before_watch;
}
