/* SPDX-License-Identifier: MIT */
/*
 * A pattern that named nothing is the most likely mistake of all, and one
 * that would look like an op which is never called. So it is said, once the
 * process has ended: before, an object may still come that it matches.
 */
#include "daemon/pattern.h"

#include <stdio.h>

#include "common/cleanup.h"

static char *say(const char *text, const struct ifp_pattern *pattern)
{
        char *line;
        int n;

        if (!pattern->symbols)
                n = asprintf(&line,
                             "the pattern %s matched no function of any object that was loaded",
                             text);
        else
                n = asprintf(&line,
                             "the pattern %s matched %u function%s, but nothing leads there "
                             "through a slot: not reachable (static, or bound inside its own "
                             "object)",
                             text, pattern->symbols, pattern->symbols == 1 ? "" : "s");
        return n < 0 ? NULL : line;
}

void pattern_take(struct process *p)
{
        const struct ifp_live *live = &p->segment.map->live;
        uint32_t n = __atomic_load_n(&live->n_patterns, __ATOMIC_ACQUIRE);

        for (uint32_t i = 0; i < n && i < IFP_MAX_PATTERNS; i++) {
                struct ifp_pattern pattern = live->patterns[i];
                _cleanup_(freep) char *text = NULL;
                const char *why;

                if (pattern.reached ||
                    segment_name(&p->segment, &p->counts, pattern.text, &text, &why))
                        continue;
                p->notes[p->n_notes] = say(text, &pattern);
                if (p->notes[p->n_notes])
                        p->n_notes++;
        }
}

int pattern_put_notes(struct runfile *file, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < p->n_notes; i++) {
                struct runfile_note note = {.process = p->index, .text = p->notes[i]};

                r = runfile_put_note(file, &note);
        }
        return r;
}
