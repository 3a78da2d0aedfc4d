/* SPDX-License-Identifier: MIT */
/*
 * Which machine a run was on, and what is known of its ceilings: from the run's file, or else from
 * what is kept under that very fingerprint. The machine that we are on is not asked: it may be
 * another.
 */
#include "common/report-roof.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/machine.h"
#include "common/runfile-private.h"

#define MEASURE "measure there with `infprof machine`"

struct found {
        struct report_roof *to;
        char *fingerprint;
        const char *fault;
};

static int take(const struct runfile_machine *row, void *userdata)
{
        struct found *f = userdata;
        json_t *doc = json_loads(row->document, JSON_REJECT_DUPLICATES, NULL);

        json_decref(f->to->machine);
        f->to->machine = NULL;
        free(f->fingerprint);
        f->fingerprint = strdup(row->fingerprint);
        f->fault = doc ? machine_fault(doc, row->fingerprint, false) : "it is damaged";
        if (!f->fault)
                f->to->machine = json_incref(doc);
        json_decref(doc);
        return f->fingerprint ? 0 : -ENOMEM;
}

/* A fingerprint becomes part of a path. */
static bool is_fingerprint(const char *s)
{
        return s && strlen(s) == 16 && strspn(s, "0123456789abcdef") == 16;
}

/* Kept here, of the machine with that fingerprint. */
static json_t *kept(const char *fingerprint)
{
        _cleanup_(freep) char *path = NULL, *why = NULL;
        json_t *doc = NULL;

        if (!is_fingerprint(fingerprint) || machine_path(false, fingerprint, &path, &why) ||
            machine_load(path, fingerprint, &doc, &why))
                return NULL;
        return doc;
}

static int say_why(struct report_roof *r, const struct found *f)
{
        int n;

        if (f->fault)
                n = asprintf(&r->why,
                             "what this run's file says of its machine is not used: %s; " MEASURE
                             ", and record again",
                             f->fault);
        else if (!f->fingerprint)
                n = asprintf(&r->why,
                             "what machine this run was on is not known, so no ceiling is: " MEASURE
                             ", and record again");
        else
                n = asprintf(
                        &r->why,
                        "ceilings are not known: measure them with `infprof machine`, where the "
                        "run was");
        return n < 0 ? -ENOMEM : 0;
}

int report_roof_machine(struct report_roof *r, struct runfile *rf, char **ret_why)
{
        struct found f = {.to = r};
        int e = runfile_each_machine(rf, take, &f);
        json_t *doc = NULL;

        if (e)
                runfile_explain(ret_why, e, "%s",
                                e == -ENOMEM ? strerror(ENOMEM) : runfile_why(rf));
        else if (json_object_get(r->machine, "ceilings"))
                r->from = ROOF_FROM_RUN;
        else if ((doc = kept(f.fingerprint)))
                r->from = ROOF_FROM_KEPT;
        else
                e = say_why(r, &f);
        if (doc) {
                json_decref(r->machine);
                r->machine = doc;
        }
        if (!e)
                ceilings_init(&r->ceilings, r->machine);
        free(f.fingerprint);
        return e;
}
