/* SPDX-License-Identifier: MIT */
/*
 * What each thread gets between two meetings is so little that meeting takes longer.
 *
 * A published rule takes as many threads as the work has cache lines, if that is fewer than there
 * are cores: min(cores, work / cache line), where less than a line each only moves lines between
 * cores. PLUMED has it in its code (plumed2, src/tools/OpenMP.h, getGoodNumThreads: bytes / (2 x
 * cache line), the 2 for data that is not aligned). Bytes are not known of every op, and say
 * nothing of what meeting takes, so time decides: what a thread works between two meetings, against
 * what it waits there; or, where threads are made for the op, what one computes against what making
 * it takes. Where an op's shapes were seen, its bytes and the threads by that rule are told.
 *
 * It takes a part of a microsecond to meet where all come at the same time, and several where they
 * sleep; so work of 20 us and more is not small, whatever the waiting is for.
 */
#include <math.h>
#include <string.h>

#include "common/report-explain-private.h"

#define CACHE_LINE     64.0
#define UNIT_MAX_NS    20000.0
#define MEETING_MAX_NS 20000.0 /* who waits longer, waits for something else, too */
#define UNIT_TINY_NS   3000.0
#define LOSS_MIN       0.10 /* of the threads' time */
#define EPISODES_MIN   20
#define CREATIONS_MAX  3.0 /* a thread has to compute this many times what making it takes */

struct units {
        double busy, waits, n; /* of ops whose parts are small */
        double meeting;        /* of the waits: no more than meeting can take */
        const struct barrier *worst;
};

static bool counts(const struct facts *f, const struct barrier *b)
{
        return b->busy_known && b->threads > 1 && b->episodes >= EPISODES_MIN &&
               (isnan(f->tokens) || b->phase == IFP_PHASE_DECODE);
}

static double unit_of(const struct barrier *b)
{
        return (double)b->busy_ns / ((double)b->episodes * (double)b->threads);
}

static struct units find_units(const struct facts *f, size_t *ret_n)
{
        struct units u = {0};

        *ret_n = 0;
        for (size_t i = 0; i < f->barriers.n; i++) {
                const struct barrier *b = &f->barriers.at[i];
                double most;

                if (!counts(f, b))
                        continue;
                ++*ret_n;
                if (unit_of(b) >= UNIT_MAX_NS || (double)b->wait_ns < (double)b->busy_ns)
                        continue;
                u.busy += (double)b->busy_ns;
                u.waits += (double)b->wait_ns;
                most = MEETING_MAX_NS * (double)b->episodes * (double)b->threads;
                u.meeting += (double)b->wait_ns < most ? (double)b->wait_ns : most;
                u.n += (double)b->episodes * (double)b->threads;
                u.worst = u.worst ? u.worst : b;
        }
        return u;
}

/*
 * So little that no barrier is worth it, even if part of the waiting is for want of a CPU; unless
 * there are more threads than CPUs, which explains all of it.
 */
static bool is_tiny(const struct facts *f, const struct units *u)
{
        return u->n > 0 && u->busy / u->n < UNIT_TINY_NS && !(f->cpus && f->team > (double)f->cpus);
}

/* What one thread's part of that op works on, on average; NaN: no shapes were seen. */
static double bytes_of(const struct facts *f, const char *name)
{
        const json_t *op;
        double bytes = 0, calls = 0;
        size_t i;

        json_array_foreach(json_object_get(f->report, "ops"), i, op)
        {
                const char *is = json_string_value(json_object_get(op, "name"));

                if (!is || strcmp(is, name) != 0 || !json_is_integer(json_object_get(op, "bytes")))
                        continue;
                bytes += json_number_value(json_object_get(op, "bytes"));
                calls += json_number_value(json_object_get(op, "shaped_calls"));
        }
        return calls > 0 ? bytes / calls : NAN;
}

/* False: they are not known. */
static bool tell_bytes(const struct facts *f, struct judgement *j, const struct barrier *b)
{
        double bytes = b->op ? bytes_of(f, b->op->name) : NAN, by_rule;

        if (isnan(bytes))
                return false;
        by_rule = fmax(1, floor(bytes * (double)b->threads / (2 * CACHE_LINE)));
        judge_evidence(j, bytes, "bytes", "that part works on: %.1f cache lines",
                       bytes / CACHE_LINE);
        if (f->cpus)
                judge_evidence(j, fmin(by_rule, (double)f->cpus), "count",
                               "threads are enough for it by that rule");
        return true;
}

#define CPUS_NOT_KNOWN "not known: how many CPUs the process may use is not known"

static void tell_meetings(const struct facts *f, struct judgement *j, const struct units *u)
{
        double unit = u->busy / u->n, wait = u->waits / u->n, share = u->waits / f->threads_ns;
        const char *op = u->worst->op ? u->worst->op->name : "the work between two meetings";
        char a[FMT_SIZE], b[FMT_SIZE];
        bool bytes_known;

        judge_yes(j, "a thread works %s between meetings and waits %s at them", explain_ns(a, unit),
                  explain_ns(b, wait));
        judge_evidence(j, unit, "ns",
                       "of work between two meetings, on average, in ops of small "
                       "parts");
        judge_evidence(j, wait, "ns", "of waiting at each");
        judge_evidence(j, u->n / f->tokens, "1/token", "such parts");
        judge_evidence(j, unit_of(u->worst), "ns", "a part of %s, which is waited for most", op);
        bytes_known = tell_bytes(f, j, u->worst);
        judge_cost(j, f, u->waits, share,
                   "%s of thread time a token, %s of it, is waiting after "
                   "small parts",
                   explain_ns(a, u->waits / f->tokens), fmt_share(b, share));
        judge_cause(j,
                    u->worst->op ? "%s and ops like it are cut into %llu parts that are too small"
                                 : "%s is cut into %llu parts that are too small",
                    op, (unsigned long long)u->worst->threads);
        judge_remedy(j,
                     "use no more threads for an op than min(cores, work / cache line) (PLUMED's "
                     "getGoodNumThreads: bytes / (2 x line)), and one thread for the smallest; or "
                     "let each thread work at a text of its own");
        if (f->short_of_cpus)
                judge_gain(j, f, NAN,
                           "not known: part of the waiting is for threads that have no CPU");
        else if (!f->cpus)
                judge_gain(j, f, NAN, CPUS_NOT_KNOWN);
        else
                judge_gain(j, f, f->texts,
                           "all together, if each CPU worked at a text of its own and nobody "
                           "waited: what a token takes of one thread, over %llu%s",
                           (unsigned long long)f->cpus,
                           bytes_known
                                   ? ""
                                   : "; bytes of ops are not known, so this goes by time alone");
        judge_confidence(j, f, f->short_of_cpus ? CONFIDENCE_LOW : CONFIDENCE_MEDIUM);
}

/* Threads made for an op: what one computes, and what it takes to have it. */
static const struct work_site *find_site(const struct facts *f, double *ret_unit, double *ret_cost)
{
        for (size_t i = 0; i < f->w->n_sites; i++) {
                const struct work_site *s = &f->w->sites[i];
                double compute = 0;
                uint64_t threads = 0;

                if (!s->told || s->phase != IFP_PHASE_DECODE || s->count < EPISODES_MIN ||
                    (double)s->count < f->tokens || work_site_class(f->w, s) != CLASS_SHORT)
                        continue;
                for (size_t t = 0; t < f->w->model.n_threads; t++)
                        if (work_group_is_short(f->w, f->w->threads[t].group) &&
                            work_same_place(f->w->groups[f->w->threads[t].group].site, s->place)) {
                                compute += (double)f->w->threads[t].rows[IFP_LEDGER_COMPUTE];
                                threads += f->w->threads[t].steps > 0;
                        }
                if (!threads)
                        continue;
                *ret_unit = compute / (double)threads;
                *ret_cost = (double)s->cost.total_ns / (double)s->count;
                if (*ret_unit < CREATIONS_MAX * *ret_cost)
                        return s;
        }
        return NULL;
}

static void tell_creations(const struct facts *f, struct judgement *j, const struct work_site *s,
                           double unit, double cost)
{
        double lost = f->wall - f->serial - f->compute_cpu;
        char a[FMT_SIZE], b[FMT_SIZE], place[EXPLAIN_TEXT];

        judge_yes(j, "a thread is made for %s of work, which takes %s", explain_ns(a, unit),
                  explain_ns(b, cost));
        judge_evidence(j, unit, "ns", "a thread of this place computes in its life, on average");
        judge_evidence(j, cost, "ns", "making it");
        judge_evidence(j, (double)s->count / f->tokens, "1/token", "such threads");
        judge_evidence(j, f->all[IFP_LEDGER_COMPUTE] / f->tokens, "ns",
                       "of compute a token, by all threads");
        judge_cost(j, f, lost, lost / f->wall, "a token takes %s, of which one thread needs %s",
                   explain_ns(a, f->wall / f->tokens),
                   explain_ns(b, (f->serial + f->compute_cpu) / f->tokens));
        judge_cause(j,
                    "%s makes threads for parts of %s that one thread would have done before the "
                    "others have begun",
                    explain_place(s->place, place, sizeof(place)), s->op ? s->op : "an op");
        judge_remedy(j,
                     "let each thread of a pool work at a text (a request) of its own; within one, "
                     "use no more threads for an op than min(cores, work / cache line) (PLUMED's "
                     "getGoodNumThreads: bytes / (2 x line))");
        if (!f->cpus)
                judge_gain(j, f, NAN, CPUS_NOT_KNOWN);
        else
                judge_gain(j, f, f->texts,
                           "all together, if each CPU worked at a text of its own: %s of compute "
                           "and work outside the graph a token, without creation, joining and "
                           "waiting, over %llu",
                           explain_ns(a, (f->serial + f->compute_cpu) / f->tokens),
                           (unsigned long long)f->cpus);
        judge_confidence(j, f, CONFIDENCE_HIGH);
}

void explain_small_work_units(const struct facts *f, struct judgement *j)
{
        size_t n;
        struct units u = find_units(f, &n);
        double unit = NAN, cost = NAN;
        const struct work_site *s;
        char a[FMT_SIZE];

        if (!f->has_ledger) {
                judge_unknown(j, "no token was decoded, so there is no ledger to tell what waiting "
                                 "costs");
                return;
        }
        s = find_site(f, &unit, &cost);
        if (s && f->cpus && f->team > (double)f->cpus) { /* who makes one stands in line, too */
                judge_short_of_cpus(j, f);
                return;
        }
        if (s && f->serial + f->compute_cpu < f->wall) {
                tell_creations(f, j, s, unit, cost);
                return;
        }
        if (!n) {
                judge_no(j, "no work was seen that is cut into parts after which threads meet");
                return;
        }
        if (f->short_of_cpus && !is_tiny(f, &u)) {
                judge_short_of_cpus(j, f);
                return;
        }
        if (!(u.meeting / f->threads_ns >= LOSS_MIN)) {
                judge_no(j,
                         "waiting after parts of less than 20us that took longer than the parts is "
                         "%s of the threads' time",
                         fmt_share(a, u.meeting / f->threads_ns));
                return;
        }
        tell_meetings(f, j, &u);
}
