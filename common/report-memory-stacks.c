/* SPDX-License-Identifier: MIT */
/*
 * What was sampled: `samples`, `stacks` and `leaks` of the document. Each sample stands for 1 / p
 * allocations like it, where p was its chance to be sampled; so sums are unbiased, and their
 * variance is known from the samples alone: the sum of v^2 w (w - 1), w = 1 / p (Horvitz and
 * Thompson 1952). At interval 1 w is 1, and all is exact.
 */
#include "common/report-memory-private.h"

#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"

static double at_least_0(double v)
{
        return v > 0 ? v : 0;
}

void memory_sum_stacks(const struct memory *m, double sums[N_SUMS])
{
        memset(sums, 0, N_SUMS * sizeof(*sums));
        for (size_t i = 0; i < m->stacks.n_stacks; i++)
                for (int k = 0; k < N_SUMS; k++)
                        sums[k] += m->stacks.stacks[i].sums[k];
}

static double in_use(const struct memory *m, double inherited, double alloc, double freed)
{
        double v = inherited + alloc - freed;

        return m->windowed ? v : at_least_0(v);
}

double memory_inuse_objects(const struct memory *m, const double *sums)
{
        return in_use(m, sums[SUM_INHERITED_OBJECTS], sums[SUM_ALLOC_OBJECTS],
                      sums[SUM_FREED_OBJECTS]);
}

double memory_inuse_bytes(const struct memory *m, const double *sums)
{
        return in_use(m, sums[SUM_INHERITED_BYTES], sums[SUM_ALLOC_BYTES], sums[SUM_FREED_BYTES]);
}

/* What is in use is what was allocated less a part of that, so variances subtract. Growth is what
 * came less what went, of which some was there before: its variance is not in these sums. */
double memory_inuse_stderr(const struct memory *m, const double *sums)
{
        return m->windowed
                       ? NAN
                       : sqrt(at_least_0(sums[SUM_ALLOC_BYTES_VAR] - sums[SUM_FREED_BYTES_VAR]));
}

static json_t *rounded(double v)
{
        return isfinite(v) && fabs(v) < 9e18 ? json_integer((json_int_t)llround(v)) : json_null();
}

static double mean_lifetime(const double *sums)
{
        return sums[SUM_SAMPLES_FREED] >= 1 ? sums[SUM_LIFETIME_NS] / sums[SUM_SAMPLES_FREED] : NAN;
}

static double short_share(const double *sums)
{
        double share = sums[SUM_SHORT_OBJECTS] / sums[SUM_FREED_OBJECTS];

        if (!(sums[SUM_FREED_OBJECTS] > 0))
                return NAN;
        return share < 0 ? 0 : share > 1 ? 1 : share;
}

static json_t *build_stack(struct memory *m, const struct memory_stack *s)
{
        json_t *o = json_object();
        const double *sums = s->sums;

        report_set(o, "op", report_text(s->op));
        report_set(o, "phase", json_string(report_phase_names[s->phase]));
        report_set(o, "category", json_null());
        report_set(o, "frames", frames_build(&m->stacks.frames, s->frames, s->n_frames));
        report_set(o, "cut", json_boolean(s->cut));
        report_set(o, "one", json_boolean(s->one));
        report_set(o, "other", json_boolean(s->other));
        report_set(o, "samples", report_rounded(at_least_0(sums[SUM_SAMPLES])));
        report_set(o, "alloc_objects", report_rounded(at_least_0(sums[SUM_ALLOC_OBJECTS])));
        report_set(o, "alloc_objects_stderr",
                   report_rounded(sqrt(at_least_0(sums[SUM_ALLOC_OBJECTS_VAR]))));
        report_set(o, "alloc_bytes", report_rounded(at_least_0(sums[SUM_ALLOC_BYTES])));
        report_set(o, "alloc_bytes_stderr",
                   report_rounded(sqrt(at_least_0(sums[SUM_ALLOC_BYTES_VAR]))));
        report_set(o, "inuse_objects", rounded(memory_inuse_objects(m, sums)));
        report_set(o, "inuse_bytes", rounded(memory_inuse_bytes(m, sums)));
        report_set(o, "inuse_bytes_stderr", report_rounded(memory_inuse_stderr(m, sums)));
        report_set(o, "asked_bytes", report_rounded(at_least_0(sums[SUM_ASKED_BYTES])));
        report_set(o, "lifetime_ns", report_rounded(mean_lifetime(sums)));
        report_set(o, "short_share", report_fraction(short_share(sums)));
        return o;
}

/* Nothing was sampled here in the window, nothing given back, nothing inherited. */
static bool is_idle(const struct memory_stack *s)
{
        return s->sums[SUM_SAMPLES] < 0.5 && s->sums[SUM_SAMPLES_FREED] < 0.5 &&
               !(s->sums[SUM_INHERITED_OBJECTS] > 0);
}

static int compare_stacks(const void *a, const void *b)
{
        const struct memory_stack *p = *(struct memory_stack *const *)a,
                                  *q = *(struct memory_stack *const *)b;
        static const enum sum keys[] = {SUM_ALLOC_BYTES, SUM_ALLOC_OBJECTS, SUM_SAMPLES};

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                if (p->sums[keys[i]] != q->sums[keys[i]])
                        return p->sums[keys[i]] > q->sums[keys[i]] ? -1 : 1;
        return p < q ? -1 : p > q;
}

int memory_build_stacks(struct memory *m, json_t **ret)
{
        struct memory_stacks *s = &m->stacks;
        _cleanup_(freep) struct memory_stack **order = calloc(s->n_stacks + 1, sizeof(*order));
        size_t n = 0;

        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < s->n_stacks; i++)
                if (!is_idle(&s->stacks[i]))
                        order[n++] = &s->stacks[i];
        qsort(order, n, sizeof(struct memory_stack *), compare_stacks);
        *ret = json_array();
        for (size_t i = 0; i < n; i++)
                json_array_append_new(*ret, build_stack(m, order[i]));
        return 0;
}

static const char *unwinding(const struct model *m)
{
        bool any = false;

        for (size_t i = 0; i < m->n_processes; i++) {
                if (m->processes[i].unwinding == 2)
                        return "missing";
                any |= m->processes[i].unwinding == 1;
        }
        return any ? "libunwind" : "off";
}

json_t *memory_build_samples(const struct memory *m)
{
        uint64_t taken = 0, other = 0, one = 0, untracked = 0, cut = 0, stacks = 0;
        double sums[N_SUMS], in_other = 0, in_one = 0;
        json_t *o = json_object();

        for (size_t i = 0; i < m->model.n_processes; i++) {
                const struct runfile_process *p = &m->model.processes[i];

                taken = sum_u64(taken, p->samples);
                other = sum_u64(other, p->samples_other);
                one = sum_u64(one, p->samples_short);
                untracked = sum_u64(untracked, p->samples_untracked);
        }
        for (size_t i = 0; i < m->stacks.n_stacks; i++) {
                const struct memory_stack *s = &m->stacks.stacks[i];

                if (is_idle(s))
                        continue;
                stacks += !s->other;
                cut += s->cut;
                in_other += s->other ? s->sums[SUM_SAMPLES] : 0;
                in_one += s->one ? s->sums[SUM_SAMPLES] : 0;
        }
        memory_sum_stacks(m, sums);
        report_set(o, "taken",
                   m->windowed ? report_rounded(at_least_0(sums[SUM_SAMPLES]))
                               : report_integer(taken));
        report_set(o, "other",
                   m->windowed ? report_rounded(at_least_0(in_other)) : report_integer(other));
        report_set(o, "one_frame",
                   m->windowed ? report_rounded(at_least_0(in_one)) : report_integer(one));
        report_set(o, "untracked", report_integer_or_null(!m->windowed, untracked));
        report_set(o, "cut_stacks", report_integer(cut));
        report_set(o, "stacks", report_integer(stacks));
        report_set(o, "unwinding", json_string(unwinding(&m->model)));
        return o;
}

json_t *memory_build_leaks(const struct memory *m)
{
        double sums[N_SUMS];
        json_t *o = json_object();
        bool sampled = false;

        for (size_t i = 0; i < m->model.n_processes; i++)
                sampled |= m->model.processes[i].heap_interval > 0;
        memory_sum_stacks(m, sums);
        report_set(o, "ended", json_boolean(m->model.run.end != RUNFILE_END_LIVE));
        report_set(o, "objects", rounded(sampled ? memory_inuse_objects(m, sums) : NAN));
        report_set(o, "bytes", rounded(sampled ? memory_inuse_bytes(m, sums) : NAN));
        report_set(o, "stderr_bytes", report_rounded(sampled ? memory_inuse_stderr(m, sums) : NAN));
        return o;
}
