/* SPDX-License-Identifier: MIT */
/*
 * Words that an option can have for its value and that its --help does not name in so many words.
 * Where a list of them can be given, what is before the last comma stays.
 */
#include "cli/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

/* What options take that is not said by the name of their value. `verb` NULL: of all. */
static const struct {
        const char *verb, *option, *words;
} known[] = {
        {"report", "sort",
         "self total calls mean min max median p95 p99 stddev share allocs bytes net threads flops "
         "traffic gflops gbps intensity name"},
        {"report", "by", "op thread phase shape"},
        {"memory", "by", "alloc inuse alloc-objects inuse-objects"},
        {"memory", "sections",
         "totals timeline stacks categories sizes ops threads leaks allocator outside files marks "
         "notes"},
        {"roofline", "by", "shape op phase"},
        {"diff", "by", "token wall"},
        {"ab", "by", "token wall"},
        {"export", "pprof", "heap allocs"},
        {"sweep", "metric", "tokens requests wall"},
        {"top", "tab", "ops threads spawns memory waits ledger"},
        {"bench", "per", "token graph op marker"},
        {"flame", "kind",
         "mutex rwlock spinlock condition barrier semaphore join futex sleep yield poll"},
        {NULL, "phase", "load prefill decode idle unknown"},
        /* of record, and of verbs that hand them on to it, where --help does not tell them again */
        {NULL, "kernels-level", "outer inner"},
        {NULL, "allocator", "system jemalloc mimalloc tcmalloc"},
        {NULL, "waits", "on off"},
        {NULL, "kernel", "on off"},
        {NULL, "op-file", "FILE"},
};

/* Apart by blanks, or by bars as in "on|off". */
static void offer_words(const struct complete_word *w, const char *words)
{
        _cleanup_(freep) char *copy = strdup(words);
        char *rest = copy, *word;

        while (rest && (word = strsep(&rest, " |")))
                complete_offer(w, word, NULL);
}

const char *complete_known(const char *verb, const char *option)
{
        for (size_t i = 0; option && i < sizeof(known) / sizeof(known[0]); i++)
                if (!strcmp(known[i].option, option) &&
                    (!known[i].verb || !strcmp(known[i].verb, verb)))
                        return known[i].words;
        return NULL;
}

void complete_list(const struct complete_word *w, const char *words)
{
        const char *comma = strrchr(w->text, ',');
        _cleanup_(freep) char *before = NULL;
        struct complete_word last = *w;

        if (comma &&
            asprintf(&before, "%s%.*s", w->before, (int)(comma + 1 - w->text), w->text) >= 0)
                last = (struct complete_word){w->verb, comma + 1, before, w->run};
        offer_words(&last, words);
}
