/* SPDX-License-Identifier: MIT */
/*
 * The loop. It wakes for what the kernel tells (a connection, a death, a
 * signal), and by the clock as often as the rings need it:
 *
 *   records flow     a nap so long that the fullest ring is an eighth full by then, 0.1 to 2 ms
 *   none do          naps grow to 100 ms
 *   no live process  none: asleep until the kernel tells
 *
 * Once a second the exact rows are read and the files written. A nap is never
 * skipped: a reader that spins would take the ring's cache lines from its
 * writer. What does not fit into a ring meanwhile is in the fold tables.
 */
#include "daemon/server.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "daemon/api.h"
#include "daemon/ending.h"
#include "daemon/intake.h"
#include "daemon/machine.h"
#include "daemon/text.h"
#include "daemon/symboliser.h"

#define NAP_LEAST_NS 100000ull
#define NAP_FLOW_NS  2000000ull
#define NAP_MOST_NS  100000000ull
#define TICK_NS      1000000000ull
#define N_EVENTS     16

enum source {
        SOURCE_SIGNAL,
        SOURCE_INTAKE,
        SOURCE_API,
        SOURCE_PROCESS,
        SOURCE_KERNEL,
};

static int watch(struct server *s, int fd, enum source source)
{
        struct epoll_event e = {.events = EPOLLIN,
                                .data.u64 = (uint64_t)source << 32 | (uint32_t)fd};

        return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int signals_open(struct server *s)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGPIPE, SIG_IGN);
        s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return s->signals < 0 ? -errno : watch(s, s->signals, SOURCE_SIGNAL);
}

int server_new(struct server **ret, const struct server_options *options, char **ret_why)
{
        struct server *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->options = *options;
        s->signals = -1;
        s->epoll = epoll_create1(EPOLL_CLOEXEC);
        s->started_ns = s->active_ns = clock_mono_ns();
        s->nap_ns = NAP_LEAST_NS;
        machine_open();
        r = s->epoll < 0 ? -errno : signals_open(s);
        if (!r)
                r = ifp_runtime_dir(true, &s->runtime_dir, ret_why);
        if (!r)
                r = intake_open(&s->intake, s, ret_why);
        if (!r)
                r = watch(s, intake_fd(s->intake), SOURCE_INTAKE);
        if (!r)
                r = kernel_open();
        if (!r)
                r = watch(s, kernel_fd(), SOURCE_KERNEL);
        if (!r)
                r = api_open(&s->api, s, ret_why);
        if (!r)
                r = watch(s, api_fd(s->api), SOURCE_API);
        if (r) {
                if (!*ret_why)
                        *ret_why = text_format("%s", strerror(-r));
                server_free(s);
                return r;
        }
        if (ifp_state_dir(true, &s->state_dir, &s->state_why) < 0)
                fprintf(stderr, "infprofd: %s; runs are not kept\n",
                        s->state_why ? s->state_why : "no directory for run files");
        *ret = s;
        return 0;
}

struct server *server_free(struct server *s)
{
        if (!s)
                return NULL;
        api_close(s->api);
        intake_close(s->intake);
        while (s->processes) {
                struct process *p = s->processes;

                s->processes = p->next;
                process_free(p);
        }
        while (s->runs) {
                struct run *run = s->runs;

                s->runs = run->next;
                run_free(run);
        }
        for (uint32_t i = 0; i < SERVER_REFUSALS; i++) {
                free(s->refused[i].reason);
                free(s->not_adoptable[i].reason);
        }
        kernel_close();
        symboliser_close();
        machine_close();
        tally_scratch_done(&s->scratch);
        if (s->signals >= 0)
                close(s->signals);
        if (s->epoll >= 0)
                close(s->epoll);
        free(s->runtime_dir);
        free(s->state_dir);
        free(s->state_why);
        free(s);
        return NULL;
}

struct process *server_find_pid(struct server *s, pid_t pid)
{
        struct process *found = NULL;

        for (struct process *p = s->processes; p; p = p->next)
                if (p->pid == pid && (!found || p->state == PROCESS_LIVE))
                        found = p;
        return found;
}

void server_refuse(struct server *s, pid_t pid, const char *reason)
{
        struct refusal *r = &s->refused[s->n_refused++ % SERVER_REFUSALS];

        free(r->reason);
        *r = (struct refusal){.pid = pid, .reason = strdup(reason)};
        fprintf(stderr, "infprofd: process %d refused: %s\n", (int)pid, reason);
}

/* Keeps off the cores that engines are pinned to, as long as others are left. */
static void keep_off(struct server *s)
{
        cpu_set_t all, engines, rest, one;

        CPU_ZERO(&engines);
        memset(&all, 0xff, sizeof(all));
        for (struct process *p = s->processes; p; p = p->next)
                if (p->state == PROCESS_LIVE && !sched_getaffinity(p->pid, sizeof(one), &one))
                        CPU_OR(&engines, &engines, &one);
        (void)sched_setaffinity(0, sizeof(all), &all);
        if (sched_getaffinity(0, sizeof(all), &all) < 0)
                return;
        CPU_XOR(&rest, &all, &engines);
        CPU_AND(&rest, &rest, &all);
        if (CPU_COUNT(&rest) && !CPU_EQUAL(&rest, &all))
                (void)sched_setaffinity(0, sizeof(rest), &rest);
}

/* Another image of the same process was there before: it is over. */
static void end_earlier_image(struct server *s, pid_t pid)
{
        for (struct process *p = s->processes; p; p = p->next)
                if (p->pid == pid && p->state == PROCESS_LIVE) {
                        bool dead = ending_is_dead(p->pidfd);

                        process_end(p, dead ? RUNFILE_END_UNKNOWN : RUNFILE_END_EXEC, 0,
                                    clock_mono_ns());
                        s->n_live--;
                        runs_process_ended(s, p);
                }
}

/* The same segment once more: nothing is to be done. */
static bool is_known(struct server *s, struct segment *segment)
{
        for (struct process *p = s->processes; p; p = p->next)
                if (p->segment.map && p->segment.inode == segment->inode) {
                        segment_close(segment);
                        segment_lock(&p->segment);
                        return true;
                }
        return false;
}

int server_attach(struct server *s, struct segment *segment, pid_t pid, bool adopted,
                  const char **ret_why)
{
        struct process *p;
        int pidfd, r;

        if (is_known(s, segment))
                return 0;
        pidfd = ending_watch(pid);
        if (pidfd < 0) {
                *ret_why = "it is gone";
                return pidfd == -ESRCH ? SEGMENT_E_BAD : pidfd;
        }
        r = process_new(&p, segment, pid, pidfd, adopted, &s->scratch, ret_why);
        if (r) {
                close(pidfd);
                return r;
        }
        r = runs_assign(s, p, ret_why);
        if (r) {
                process_free(p);
                return r;
        }
        end_earlier_image(s, pid); /* not before: the run is found by it */
        r = watch(s, pidfd, SOURCE_PROCESS);
        if (r) {
                p->run->n_live--;
                process_free(p);
                return r;
        }
        p->next = s->processes;
        s->processes = p;
        s->n_live++;
        kernel_begin(p);
        s->nap_ns = NAP_LEAST_NS;
        s->active_ns = clock_mono_ns();
        if (s->next_tick_ns > s->active_ns + TICK_NS || !s->next_tick_ns)
                s->next_tick_ns = s->active_ns + TICK_NS;
        keep_off(s);
        return 0;
}

static void process_is_over(struct server *s, struct process *p)
{
        s->n_live--;
        s->active_ns = clock_mono_ns();
        runs_process_ended(s, p);
        keep_off(s);
}

static void cut(struct server *s, struct process *p, int r, const char *why)
{
        if (r < 0)
                why = strerror(-r);
        fprintf(stderr, "infprofd: process %d cut off: %s\n", (int)p->pid, why);
        process_cut(p, why);
        process_is_over(s, p);
}

/* A pidfd became readable. */
static void take_death(struct server *s, int pidfd)
{
        for (struct process *p = s->processes; p; p = p->next) {
                enum runfile_end end;
                uint64_t drained;
                int value;

                if (p->pidfd != pidfd || p->state != PROCESS_LIVE)
                        continue;
                end = ending_read(pidfd, p->pid, &value);
                drained = p->drained;
                process_end(p, end, value, clock_mono_ns());
                s->drained += p->drained - drained;
                process_is_over(s, p);
                return;
        }
}

static void take_signals(struct server *s)
{
        struct signalfd_siginfo info;

        while (read(s->signals, &info, sizeof(info)) == sizeof(info))
                s->stopping = true;
}

static void take_event(struct server *s, uint64_t data)
{
        switch ((enum source)(data >> 32)) {
        case SOURCE_SIGNAL:
                take_signals(s);
                break;
        case SOURCE_INTAKE:
                intake_serve(s->intake);
                break;
        case SOURCE_API:
                api_serve(s->api);
                break;
        case SOURCE_PROCESS:
                take_death(s, (int)(uint32_t)data);
                break;
        case SOURCE_KERNEL:
                kernel_serve(s->processes);
                break;
        }
}

/* Reads all rings once, and says how long the next nap is. */
static void round_of_all(struct server *s, uint64_t now)
{
        uint64_t all = 0, fullest = 0, n, most;

        for (struct process *p = s->processes; p; p = p->next) {
                const char *why = "";
                int r;

                if (p->state != PROCESS_LIVE)
                        continue;
                r = process_round(p, now, &n, &most, &why);
                all += n;
                if (most > fullest)
                        fullest = most;
                if (r)
                        cut(s, p, r, why);
        }
        s->drained += all;
        if (!all) {
                s->nap_ns = s->nap_ns * 2 < NAP_MOST_NS ? s->nap_ns * 2 : NAP_MOST_NS;
                return;
        }
        s->nap_ns = s->nap_ns * (IFP_RING_SLOTS / 8) / (fullest ? fullest : 1);
        if (s->nap_ns < NAP_LEAST_NS)
                s->nap_ns = NAP_LEAST_NS;
        if (s->nap_ns > NAP_FLOW_NS)
                s->nap_ns = NAP_FLOW_NS;
}

static void tick_processes(struct server *s, struct run *run, uint64_t now)
{
        for (struct process *p = s->processes; p; p = p->next) {
                const char *why = "";
                int r;

                if (p->state != PROCESS_LIVE || (run && p->run != run))
                        continue;
                r = process_tick(p, now, &why);
                if (r)
                        cut(s, p, r, why);
        }
}

static void tick(struct server *s, uint64_t now)
{
        uint64_t took;

        tick_processes(s, NULL, now);
        runs_charge(s);
        runs_tick(s);
        /* A second of many threads may take long to write: never more than a tenth of the time. */
        took = clock_mono_ns() - now;
        s->next_tick_ns = now + (took * 10 > TICK_NS ? took * 10 : TICK_NS);
}

void server_look(struct server *s, struct run *run)
{
        uint64_t now = clock_mono_ns();

        round_of_all(s, now);
        tick_processes(s, run, now);
}

void server_refresh(struct server *s, struct run *run)
{
        server_look(s, run);
        run->dirty = true; /* time goes on in any case */
        for (struct process *p = s->processes; p; p = p->next)
                p->dirty |= p->run == run && p->state == PROCESS_LIVE;
        runs_flush(s, run);
}

/* Something that has to be tried again although no engine lives? */
static bool has_unfinished(const struct server *s)
{
        for (const struct run *run = s->runs; run; run = run->next)
                if (run_is_live(run) || (run->dirty && run->path))
                        return true;
        return false;
}

/* Until when to sleep; UINT64_MAX: until the kernel tells. */
static uint64_t deadline(const struct server *s, uint64_t now)
{
        uint64_t at = UINT64_MAX;

        if (s->n_live)
                at = now + s->nap_ns;
        if ((s->n_live || has_unfinished(s)) && s->next_tick_ns < at)
                at = s->next_tick_ns;
        if (!s->n_live && !s->options.stay && s->active_ns + s->options.idle_ns < at)
                at = s->active_ns + s->options.idle_ns;
        if (kernel_deadline() < at)
                at = kernel_deadline();
        if (intake_deadline(s->intake) < at)
                at = intake_deadline(s->intake);
        return at;
}

static bool is_idle(struct server *s, uint64_t now)
{
        for (const struct run *run = s->runs; run; run = run->next)
                if (run_is_live(run))
                        return false;
        return !s->options.stay && now >= s->active_ns + s->options.idle_ns;
}

static int nap(struct server *s)
{
        struct epoll_event events[N_EVENTS];
        uint64_t now = clock_mono_ns(), at = deadline(s, now), left = at > now ? at - now : 0;
        struct timespec t = {.tv_sec = (time_t)(left / 1000000000ull),
                             .tv_nsec = (long)(left % 1000000000ull)};
        int n;

        n = epoll_pwait2(s->epoll, events, N_EVENTS, at == UINT64_MAX ? NULL : &t, NULL);
        if (n < 0 && errno != EINTR)
                return -errno;
        for (int i = 0; i < n; i++)
                take_event(s, events[i].data.u64);
        return 0;
}

int server_serve(struct server *s)
{
        s->cpu_ns = clock_cpu_ns() + symboliser_cpu_ns();
        for (;;) {
                uint64_t now;
                int r;

                r = nap(s);
                if (r)
                        return r;
                now = clock_mono_ns();
                if (s->n_live)
                        round_of_all(s, now);
                if (now >= s->next_tick_ns && (s->n_live || has_unfinished(s)))
                        tick(s, now);
                if (s->trim_due)
                        runs_trim(s);
                intake_expire(s->intake, now);
                kernel_tick(now);
                if (!s->stopping && is_idle(s, now) && !intake_retreat(s->intake))
                        s->stopping = true;
                if (s->stopping)
                        break;
        }
        round_of_all(s, clock_mono_ns());
        tick_processes(s, NULL, clock_mono_ns());
        runs_close(s);
        api_serve(s->api); /* who asked us to stop gets his answer */
        return 0;
}
