/* SPDX-License-Identifier: MIT */
/*
 * A trial under the profiler: what infprof record does, but within this process, so that the time
 * that is told is the command's alone.
 */
#include "cli/trial-private.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/record-run.h"
#include "common/cleanup.h"
#include "common/paths.h"

void trial_forget(const struct trial *t, const char *record)
{
        static const char *const tails[] = {"", "-wal", "-shm"};
        _cleanup_(freep) char *folder = NULL, *why = NULL;
        char path[4096];

        for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
                snprintf(path, sizeof(path), "%s%s", record, tails[i]);
                unlink(path);
        }
        if (!t->run_id[0] || ifp_state_dir(false, &folder, &why) < 0)
                return;
        snprintf(path, sizeof(path), "%s/%s.infprof", folder, t->run_id);
        unlink(path);
}

/* The options of infprof record, and its run. -1: go on. */
static int prepare_record(const struct trial_options *o, struct record_options *options,
                          struct record_run *ret)
{
        char *head[] = {(char *)"record", (char *)"--force", (char *)"-o", (char *)o->record};
        size_t n = 4, n_argv = 0, n_args = 0;
        char **argv;
        int r;

        while (o->argv[n_argv])
                n_argv++;
        while (o->record_args && o->record_args[n_args])
                n_args++;
        argv = calloc(n + n_args + n_argv + 2, sizeof(*argv));
        if (!argv)
                return RECORD_FAILED;
        memcpy(argv, head, sizeof(head));
        if (n_args)
                memcpy(argv + n, o->record_args, n_args * sizeof(*argv));
        n += n_args;
        argv[n++] = (char *)"--";
        memcpy(argv + n, o->argv, n_argv * sizeof(*argv));
        optind = 0; /* getopt begins anew */
        r = record_parse(options, (int)(n + n_argv), argv);
        free(argv);
        if (r < 0) {
                options->argv = o->argv;
                r = record_run_init(ret, options, NULL);
        }
        if (r < 0)
                record_run_reach(ret);
        return r;
}

int trial_run_recorded(struct job *j, struct trial *t)
{
        struct record_options options;
        struct record_run record = {0};
        int r = prepare_record(j->options, &options, &record);

        if (r < 0) {
                j->record = &record;
                r = trial_run_job(j, t);
        } else if (r == RECORD_NOT_FOUND || r == RECORD_CANNOT_RUN) {
                t->end = TRIAL_NOT_RUN;
                t->code = r == RECORD_NOT_FOUND ? ENOENT : EACCES;
                t->refused = "exec";
                r = 0;
        } else {
                r = r == CMD_USAGE ? -EINVAL : -ECANCELED; /* it has been told why */
        }
        if (record.registered)
                record_run_id(&record, j->pid, t->run_id);
        if (record.trouble)
                snprintf(t->trouble, sizeof(t->trouble), "%s", record.trouble);
        record_run_done(&record);
        record_options_done(&options);
        return r;
}
