/* SPDX-License-Identifier: MIT */
/*
 * A run file of any bytes: each document made of it, or one line on why there is none. Begin
 * with the files that make-run writes.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/report-diff-memory.h"
#include "common/report-explain.h"
#include "common/report-ledger.h"
#include "common/report-memory.h"
#include "common/report-roofline.h"
#include "common/report-spawns.h"
#include "common/report-threads.h"
#include "common/report-tokens.h"
#include "common/report-waits.h"
#include "common/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Documents that were made can be written, and those that were not have a reason. */
static void check(int r, json_t *document, char *why)
{
        char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

        if (r ? document || !why || strchr(why, '\n') : !text || why)
                abort();
        free(text);
        free(why);
}

static void check_work(const char *path)
{
        static int (*const builders[])(json_t **, const char *, char **) = {
                report_threads_file, report_waits_file,   report_spawns_file,  report_ledger_file,
                report_tokens_file,  report_explain_file, report_roofline_file};

        for (size_t i = 0; i < sizeof(builders) / sizeof(builders[0]); i++) {
                json_t *document = NULL;
                char *why = NULL;
                int r = builders[i](&document, path, &why);

                check(r, document, why);
                json_decref(document);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        json_t *report = NULL, *memory = NULL, *window = NULL, *diff = NULL;
        const struct memory_options options = {.from = "steady", .to = "warm"};
        char path[64], *why = NULL;
        int fd, r;

        snprintf(path, sizeof(path), "/dev/shm/fuzz-runfile.%d", (int)getpid());
        fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
                abort();
        close(fd);
        r = report_build_file(path, &report, &why);
        check(r, report, why);
        why = NULL;
        r = report_memory_file(&memory, path, NULL, &why);
        check(r, memory, why);
        why = NULL;
        r = report_memory_file(&window, path, &options, &why);
        check(r, window, why);
        why = NULL;
        if (memory && window) {
                r = report_diff_memory(&diff, memory, window, &why);
                check(r, diff, why);
        }
        check_work(path);
        json_decref(report);
        json_decref(memory);
        json_decref(window);
        json_decref(diff);
        unlink(path);
        return 0;
}
