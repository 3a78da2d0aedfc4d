/* SPDX-License-Identifier: MIT */
/*
 * A trial: the command is forked off, becomes leader of a session, stamps the clock and executes;
 * we sleep until it ends, a limit is met, a signal comes, or its memory is to be looked at.
 *
 * We wait for the process, never for the end of a pipe, so that what it leaves behind cannot hold
 * us. Its standard error is a file in memory, since a pipe would have to be emptied while it is
 * measured, and would break for whoever still writes when we are gone.
 *
 * Looking costs time that the command may miss: looks come further apart where they are dear, so
 * that they take no more than a thousandth of a CPU, and what they displace.
 */
#include "cli/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/record-run.h"
#include "cli/trial-private.h"
#include "common/cleanup.h"

#define MS 1000000ull

#define FIRST_LOOK_NS (4 * MS)
#define LOOK_NS       (50 * MS)
#define MAX_LOOK_NS   (500 * MS)
#define LOOK_SHARE    1000 /* one part in so many of a CPU */

#define TICK_NS (250 * MS)

#define GRACE_NS        (2000 * MS) /* from SIGTERM to SIGKILL */
#define GRACE_MEMORY_NS (200 * MS)  /* the same, while memory runs out */
#define GIVE_UP_NS      (5000 * MS) /* for what SIGKILL does not end (a dead disk) */
#define LEAVE_NS        (50 * MS)   /* for what ends just after the command */

#define OWN_SLACK_BYTES (1u << 20) /* that the copy of us grows by until it executes */

uint64_t trial_now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t trial_timeval_ns(const struct timeval *tv)
{
        return (uint64_t)tv->tv_sec * 1000000000u + (uint64_t)tv->tv_usec * 1000u;
}

/* Takes note of children that ended; orphans that came to us are laid to rest. */
static void reap(struct job *j)
{
        struct rusage ru;
        int status;
        pid_t pid;

        while ((pid = wait4(-1, &status, WNOHANG, &ru)) > 0) {
                if (pid != j->pid || j->over)
                        continue;
                j->ended_ns = trial_now_ns();
                j->over = true;
                j->status = status;
                j->usage = ru;
        }
}

/* Sleeps until a child ends, a signal is for us (its number), or so much time has passed. */
static int await(struct job *j, uint64_t ns)
{
        const struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
        sigset_t set;
        int r;

        trial_signals(&set);
        sigaddset(&set, SIGCHLD);
        r = sigtimedwait(&set, NULL, &ts);
        if (r == SIGCHLD)
                reap(j);
        return r > 0 && r != SIGCHLD ? r : 0;
}

static uint64_t cpu_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void close_go(struct job *j, int end)
{
        closep(&j->go[end]);
        j->go[end] = -1;
}

/* Until then it is a copy of us, which nobody asked for the size of. Nobody reads what we wrote any
 * more once the reader's end was closed, which exec does. */
static bool has_executed(struct job *j)
{
        struct pollfd p = {.fd = j->go[1]};

        if (j->go[1] >= 0 && poll(&p, 1, 0) > 0 && p.revents & POLLERR)
                close_go(j, 1);
        return j->go[1] < 0;
}

/* The next look is due in so many ns; *ret_bytes is what it saw. */
static uint64_t look(struct job *j, struct trial *t, uint64_t *ret_bytes)
{
        uint64_t now = trial_now_ns(), cost = cpu_ns(), next;

        if (!has_executed(j)) {
                j->last_look_ns = now;
                return FIRST_LOOK_NS;
        }
        trial_tree_look(&j->tree, j->over ? 0 : j->pid);
        *ret_bytes = trial_tree_resident(&j->tree);
        if (*ret_bytes > t->peak_bytes)
                t->peak_bytes = *ret_bytes;
        j->byte_ns += (double)*ret_bytes * (double)(now - j->last_look_ns);
        j->seen_ns += now - j->last_look_ns;
        j->last_look_ns = now;
        trial_forget_old_words(j);
        cost = cpu_ns() - cost;
        next = cost * LOOK_SHARE > LOOK_NS ? cost * LOOK_SHARE : LOOK_NS;
        if (now - t->began_ns < LOOK_NS) /* a short command is looked at, too */
                next = now - t->began_ns > FIRST_LOOK_NS ? now - t->began_ns : FIRST_LOOK_NS;
        return next < MAX_LOOK_NS ? next : MAX_LOOK_NS;
}

static void signal_all(struct job *j, int number)
{
        trial_tree_look(&j->tree, j->over ? 0 : j->pid);
        trial_tree_signal(&j->tree, number);
        kill(-j->pid, number);
}

/* Ends all that belongs to it: it is asked first, then made to. */
static void stop(struct job *j, uint64_t grace_ns)
{
        uint64_t began = trial_now_ns(), now = began;
        bool kill_now = false;
        int signal;

        signal_all(j, SIGTERM);
        signal_all(j, SIGCONT);
        while (now - began < grace_ns && !kill_now) {
                signal = await(j, 10 * MS);
                if (signal) { /* somebody insists */
                        trial_keep_signal(signal);
                        kill_now = true;
                }
                trial_tree_look(&j->tree, j->over ? 0 : j->pid);
                if (j->over && !trial_tree_living(&j->tree))
                        return;
                now = trial_now_ns();
        }
        for (began = now; now - began < GIVE_UP_NS; now = trial_now_ns()) {
                signal_all(j, SIGKILL);
                signal = await(j, 5 * MS);
                if (signal)
                        trial_keep_signal(signal);
                reap(j);
                if (j->over && !trial_tree_living(&j->tree))
                        return;
        }
}

/* Why it is to be stopped now; TRIAL_EXITED: it is not. */
static enum trial_end limit_met(const struct job *j, struct trial *t, uint64_t now, uint64_t bytes,
                                uint64_t *tick)
{
        const struct trial_options *o = j->options;

        if (o->memory_bytes && bytes > o->memory_bytes)
                return TRIAL_OVER_MEMORY;
        if (o->time_ns && now - t->began_ns >= o->time_ns)
                return TRIAL_OVER_TIME;
        if (o->tick && now >= *tick) {
                *tick = now + TICK_NS;
                if (o->tick(o->userdata, now - t->began_ns))
                        return TRIAL_ENOUGH;
        }
        return TRIAL_EXITED;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static void attend(struct job *j, struct trial *t)
{
        const struct trial_options *o = j->options;
        uint64_t next = t->began_ns + FIRST_LOOK_NS, tick = t->began_ns + TICK_NS, bytes = 0, now;

        j->last_look_ns = t->began_ns;
        while (!j->over) {
                uint64_t until = o->tick ? earlier(next, tick) : next;

                until = o->time_ns ? earlier(until, t->began_ns + o->time_ns) : until;
                now = trial_now_ns();
                t->code = until > now ? await(j, until - now) : 0;
                now = trial_now_ns();
                if (j->over)
                        return;
                if (now >= next)
                        next = now + look(j, t, &bytes);
                t->end = t->code ? TRIAL_INTERRUPTED : limit_met(j, t, now, bytes, &tick);
                if (t->end == TRIAL_EXITED)
                        continue;
                stop(j, t->end == TRIAL_OVER_MEMORY ? GRACE_MEMORY_NS : GRACE_NS);
                j->ended_ns = now;
                return;
        }
}

/* Who is still there; those that are just about to go may do so. */
static size_t left_behind(struct job *j)
{
        uint64_t began = trial_now_ns();
        size_t n;

        for (;;) {
                reap(j);
                trial_tree_look(&j->tree, 0);
                n = trial_tree_living(&j->tree);
                if (!n || trial_now_ns() - began > LEAVE_NS)
                        return n;
                nanosleep(&(struct timespec){0, 5 * MS}, NULL);
        }
}

static uint64_t less(uint64_t of, uint64_t by)
{
        return of > by ? of - by : 0;
}

static void note_end(struct job *j, struct trial *t)
{
        const struct rusage *ru = &j->usage;
        uint64_t kernel_peak = (uint64_t)ru->ru_maxrss * 1024;

        if (!j->ended_ns) /* not even SIGKILL ended it */
                j->ended_ns = trial_now_ns();
        t->wall_ns = j->ended_ns - t->began_ns;
        /* What the kernel tells has the copy of us in it that was there before it executed: of a
         * command that is no larger, and was over before anyone looked, nothing is known. */
        t->user_ns = less(trial_timeval_ns(&ru->ru_utime), j->told->own_user_ns);
        t->system_ns = less(trial_timeval_ns(&ru->ru_stime), j->told->own_system_ns);
        if (kernel_peak > t->peak_bytes && kernel_peak > j->told->own_bytes + OWN_SLACK_BYTES)
                t->peak_bytes = kernel_peak;
        if (j->seen_ns)
                t->mean_bytes = (uint64_t)(j->byte_ns / (double)j->seen_ns);
        if (t->end != TRIAL_EXITED)
                return;
        if (j->told->error) {
                t->end = TRIAL_NOT_RUN;
                t->code = j->told->error;
                t->refused = trial_refusal(j->told->refused);
        } else if (WIFSIGNALED(j->status)) {
                t->end = TRIAL_KILLED;
                t->code = WTERMSIG(j->status);
        } else {
                t->code = WEXITSTATUS(j->status);
        }
}

static void note_noise(const struct job *j, struct trial *t)
{
        struct trial_noise after;
        double wall = (double)t->wall_ns;

        trial_noise_read(&after);
        t->others = t->stolen = NAN;
        t->throttled = after.throttled - j->noise.throttled;
        t->quota_stops = after.quota_stops - j->noise.quota_stops;
        if (!after.known || !j->noise.known || t->wall_ns < 100 * MS)
                return;
        t->others = ((double)(after.busy_ns - j->noise.busy_ns) -
                     (double)(after.own_ns - j->noise.own_ns)) /
                    wall;
        t->others = fmax(t->others, 0);
        t->stolen = (double)(after.stolen_ns - j->noise.stolen_ns) / wall;
}

static int start(struct job *j, struct trial *t)
{
        pid_t parent = getpid();
        int status;

        trial_tree_init(&j->tree);
        if (pipe2(j->go, O_CLOEXEC) < 0)
                return -errno;
        j->pid = fork();
        if (j->pid == 0) {
                if (getppid() != parent)
                        _exit(127);
                close_go(j, 1);
                trial_become(j);
        }
        if (j->pid < 0) {
                status = -errno;
                close_go(j, 0);
                close_go(j, 1);
                return status;
        }
        close_go(j, 0);
        if (j->record)
                record_run_announce(j->record, j->pid);
        trial_noise_read(&j->noise);
        t->began_ns = trial_now_ns();
        return write(j->go[1], "", 1) < 0 ? -errno : 0;
}

int trial_run_job(struct job *j, struct trial *t)
{
        int r = start(j, t);

        if (r < 0)
                return r;
        attend(j, t);
        if (j->told->began_ns && j->told->began_ns >= t->began_ns)
                t->began_ns = j->told->began_ns;
        note_end(j, t);
        t->n_left = left_behind(j);
        note_noise(j, t);
        trial_note_words(j, t);
        if (j->record)
                record_run_end(j->record, j->pid, j->status);
        return 0;
}

int trial_run(struct trial *ret, const struct trial_options *options)
{
        struct job j = {.options = options, .words = -1, .go = {-1, -1}};
        int r;

        *ret = (struct trial){.others = NAN, .stolen = NAN};
        trial_watch();
        ret->code = trial_signal();
        if (ret->code) {
                ret->end = TRIAL_INTERRUPTED;
                return 0;
        }
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        j.told = mmap(NULL, sizeof(*j.told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (j.told == MAP_FAILED)
                return -errno;
        j.words = trial_open_words(options);
        r = options->output && j.words < 0 ? j.words : 0;
        if (!r)
                r = options->record ? trial_run_recorded(&j, ret) : trial_run_job(&j, ret);
        trial_tree_done(&j.tree);
        close_go(&j, 1);
        closep(&j.words);
        munmap(j.told, sizeof(*j.told));
        return r;
}
