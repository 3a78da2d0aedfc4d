/* SPDX-License-Identifier: MIT */
/* Totals of a report, a line each: wrapped, or where all has to fit shortened. */
#include <math.h>
#include <string.h>

#include "cli/report-view-private.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "common/fmt.h"

#define PHASE_SHOWN 0.01 /* of the time, where not all of it is */

static double ratio(double part, double whole)
{
        return whole > 0 ? part / whole : NAN;
}

static void print_time(const struct view *h, const json_t *report)
{
        const json_t *rest = json_object_get(report, "not_in_any_op");
        char threads[FMT_SIZE], all[FMT_SIZE], in[FMT_SIZE], out[FMT_SIZE], part[FMT_SIZE];
        double fraction = ratio(text_number(rest, "in_ops_ns"), text_number(rest, "thread_ns"));
        size_t n = json_array_size(json_object_get(report, "threads"));

        view_say_briefly(h, "time", "%s on %s thread%s: %s in ops%s%s%s, %s not in any op",
                         view_figure(all, rest, "thread_ns", fmt_ns), fmt_count(threads, n),
                         n == 1 ? "" : "s", view_figure(in, rest, "in_ops_ns", fmt_ns),
                         isnan(fraction) ? "" : " (",
                         isnan(fraction) ? "" : fmt_share(part, fraction),
                         isnan(fraction) ? "" : ")", view_figure(out, rest, "self_ns", fmt_ns));
}

static void print_phases(const struct view *h, const json_t *report)
{
        const char *name;
        json_t *phase;
        char line[512] = "", took[FMT_SIZE];
        size_t used = 0;
        double all = 0;

        json_object_foreach(json_object_get(report, "phases"), name, phase)
        {
                all += fmax(text_number(phase, "duration_ns"), 0);
        }
        json_object_foreach(json_object_get(report, "phases"), name, phase)
        {
                int n;

                if (!screen_shows(h, SCREEN_ALL) &&
                    text_number(phase, "duration_ns") < PHASE_SHOWN * all)
                        continue;
                n = snprintf(line + used, sizeof(line) - used, "%s%s %s", used ? ", " : "", name,
                             screen_shows(h, SCREEN_ALL)
                                     ? view_figure(took, phase, "duration_ns", fmt_ns)
                                     : text_duration(took, text_number(phase, "duration_ns")));

                used += n > 0 && (size_t)n < sizeof(line) - used ? (size_t)n : 0;
        }
        if (used)
                view_say_briefly(h, "phases", "%s", line);
}

/* Some decode step made more than one token: times are of steps. */
static bool is_of_steps(const json_t *t)
{
        double rest = text_number(t, "generated") - text_number(t, "steps");

        return rest > text_number(t, "sequences"); /* a first token may come out of its prefill */
}

static void print_tokens(const struct view *h, const json_t *t)
{
        char prompt[FMT_SIZE], generated[FMT_SIZE], first[FMT_SIZE], p50[FMT_SIZE], p95[FMT_SIZE],
                p99[FMT_SIZE], mean[FMT_SIZE], rate[TEXT_CELL];
        double per_second = text_number(t, "per_second");

        if (isnan(text_number(t, "generated")))
                return;
        if (isnan(per_second))
                strcpy(rate, "-");
        else
                snprintf(rate, sizeof(rate), per_second < 99.95 ? "%.2f" : "%.1f", per_second);
        view_say_briefly(h, "tokens", "%s prompt, %s generated; %s tokens/s; first after %s",
                         view_figure(prompt, t, "prompt", fmt_count),
                         view_figure(generated, t, "generated", fmt_count), rate,
                         view_figure(first, t, "ttft_ns", fmt_ns));
        if (!isnan(text_number(t, "mean_ns")))
                view_say_briefly(h, is_of_steps(t) ? "per step" : "per token",
                                 "mean %s, median %s, p95 %s, p99 %s",
                                 view_figure(mean, t, "mean_ns", fmt_ns),
                                 view_figure(p50, t, "p50_ns", fmt_ns),
                                 view_figure(p95, t, "p95_ns", fmt_ns),
                                 view_figure(p99, t, "p99_ns", fmt_ns));
}

static void print_memory(const struct view *h, const json_t *m)
{
        char calls[FMT_SIZE], frees[FMT_SIZE], asked[FMT_SIZE], usable[FMT_SIZE], freed[FMT_SIZE],
                live[FMT_SIZE], peak[FMT_SIZE];

        if (!screen_shows(h, SCREEN_ALL))
                view_say_briefly(h, "memory", "%s allocations of %s, %s frees; live %s, peak %s",
                                 view_figure(calls, m, "alloc_calls", fmt_count),
                                 view_bytes(asked, m, "alloc_bytes"),
                                 view_figure(frees, m, "free_calls", fmt_count),
                                 view_bytes(live, m, "live_bytes"),
                                 view_bytes(peak, m, "peak_bytes"));
        else
                view_say(h, "memory",
                         "%s allocations of %s (%s usable), %s frees of %s; live %s, peak %s",
                         view_figure(calls, m, "alloc_calls", fmt_count),
                         view_bytes(asked, m, "alloc_bytes"), view_bytes(usable, m, "usable_bytes"),
                         view_figure(frees, m, "free_calls", fmt_count),
                         view_bytes(freed, m, "freed_bytes"), view_bytes(live, m, "live_bytes"),
                         view_bytes(peak, m, "peak_bytes"));
}

static const char *overhead_of(const json_t *self)
{
        return strcmp(text_string(self, "overhead_of", ""), "cpu_time") ? "thread time"
                                                                        : "CPU time";
}

static void print_self(const struct view *h, const json_t *s)
{
        char spans[FMT_SIZE], folded[FMT_SIZE], lost[FMT_SIZE], left[FMT_SIZE], segment[FMT_SIZE],
                part[FMT_SIZE], cpu[FMT_SIZE], cost[32];
        double per_span = text_number(s, "overhead_ns_per_span");

        if (isnan(per_span))
                strcpy(cost, "-");
        else
                snprintf(cost, sizeof(cost), "%.0fns", per_span);
        if (!screen_shows(h, SCREEN_ALL)) {
                view_say_briefly(h, "profiler", "%s spans, %s folded, %s lost; %s a span, %s of %s",
                                 view_figure(spans, s, "spans", fmt_count),
                                 view_figure(folded, s, "folded", fmt_count),
                                 view_figure(lost, s, "lost", fmt_count), cost,
                                 view_share(part, s, "overhead_fraction"), overhead_of(s));
                return;
        }
        view_say(h, "profiler",
                 "%s spans, %s folded, %s lost, %s left; %s a span, %s of %s; %s shared memory, "
                 "collector %s CPU",
                 view_figure(spans, s, "spans", fmt_count),
                 view_figure(folded, s, "folded", fmt_count),
                 view_figure(lost, s, "lost", fmt_count), view_figure(left, s, "left", fmt_count),
                 cost, view_share(part, s, "overhead_fraction"), overhead_of(s),
                 view_bytes(segment, s, "segment_bytes"),
                 view_figure(cpu, s, "daemon_cpu_ns", fmt_ns));
}

void report_print_head(const struct view *h, const json_t *report)
{
        print_time(h, report);
        if (!screen_shows(h, 1)) {
                screen_leave(h, 0, "totals");
                return;
        }
        print_phases(h, report);
        print_tokens(h, json_object_get(report, "tokens"));
        report_print_requests(h, json_object_get(report, "requests"));
        print_memory(h, json_object_get(report, "memory"));
        print_self(h, json_object_get(report, "self"));
}
