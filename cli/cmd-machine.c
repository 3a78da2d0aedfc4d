/* SPDX-License-Identifier: MIT */
/*
 * infprof machine: what this machine is made of, and the most it can do, measured. The figures are
 * kept, and shown again until others are asked for.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <infprof/version.h>

#include "cli/machine.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/machine.h"

#define SPREAD_MOST 0.15

struct request {
        bool as_json, anew, quick, force;
        double spread;
};

static void usage(void)
{
        printf("usage: infprof machine [OPTION...]\n"
               "\n"
               "Shows what this machine is made of, and the most it can do: multiply-adds by type "
               "and "
               "ISA,\n"
               "bandwidth by level of memory, at 1, 2, 4 ... threads, one a core. That is measured "
               "the "
               "first\n"
               "time (half a minute or more), kept, and shown from then on.\n"
               "\n"
               "  -m, --measure          measure anew\n"
               "  -q, --quick            fewer and shorter repetitions\n"
               "      --max-spread PCT   refuse figures that vary more than that (%.0f)\n"
               "      --force            keep them all the same, and say so\n"
               "  -j, --json             the document (" MACHINE_SCHEMA ")\n"
               "  -h, --help             this help\n"
               "\n"
               "Exit codes: 0 done, 1 the machine was too busy to be measured, 2 usage.\n",
               100 * SPREAD_MOST);
}

/* 0; or 1 + exit code */
static int take(void *userdata, int option, int argc, char **argv)
{
        struct request *r = userdata;
        char *end;

        switch (option) {
        case 'm':
                r->anew = true;
                return 0;
        case 'q':
                r->quick = true;
                return 0;
        case 'f':
                r->force = true;
                return 0;
        case 'j':
                r->as_json = true;
                return 0;
        case 's':
                r->spread = strtod(optarg, &end) / 100;
                if (*end || end == optarg || !(r->spread >= 0 && r->spread <= 1)) {
                        cmd_error("machine",
                                  "--max-spread cannot be %s; it is a percentage, 0 to 100",
                                  optarg);
                        return 1 + CMD_USAGE;
                }
                return 0;
        case 'h':
                usage();
                return 1 + CMD_DONE;
        default:
                return 1 + cmd_bad_option(argc, argv, option);
        }
}

static json_t *now(void)
{
        time_t t = time(NULL);
        char text[32];
        struct tm tm;

        if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
                return json_null();
        return json_string(text);
}

/* Into the file as a whole, or not at all. */
static int keep(const json_t *doc, const char *fingerprint)
{
        _cleanup_(freep) char *path = NULL, *why = NULL, *aside = NULL;
        int r = machine_path(true, fingerprint, &path, &why);

        if (!r && asprintf(&aside, "%s.%d", path, (int)getpid()) < 0)
                r = -ENOMEM;
        if (!r && (json_dump_file(doc, aside, JSON_INDENT(2)) || rename(aside, path))) {
                r = errno ? -errno : -EIO;
                unlink(aside);
        }
        if (r)
                cmd_error("machine",
                          "the figures cannot be kept%s%s: %s; they are shown all the same",
                          path ? " in " : "", path ? path : "", why ? why : strerror(-r));
        return r;
}

/* 0, or an exit code. */
static int measure(const struct request *request, json_t *doc, const struct machine_places *places)
{
        struct machine_effort effort = {.repetitions = request->quick ? 3 : 15,
                                        .ns = request->quick ? 2000000 : 8000000,
                                        /* what a guest sees of L3 may be less than there is */
                                        .memory_bytes = request->quick ? 64u << 20 : 512u << 20,
                                        .spread = request->spread,
                                        .progress = isatty(STDERR_FILENO) ? MACHINE_TERMINAL
                                                    : request->quick      ? MACHINE_SILENT
                                                                          : MACHINE_LINES};
        char worst[96] = "";
        double spread;
        json_t *ceilings;

        if (!machine_n_computes) {
                cmd_error("machine", "there are no measurements for this kind of processor yet");
                return CMD_NO;
        }
        ceilings = machine_measure(places, &effort, &spread, worst, sizeof(worst));
        if (!ceilings) {
                cmd_error("machine", "not enough memory to measure with");
                return CMD_NO;
        }
        json_object_set_new(doc, "ceilings", ceilings);
        json_object_set_new(doc, "measured_at", now());
        json_object_set_new(doc, "quick", json_boolean(request->quick));
        json_object_set_new(doc, "noisy",
                            json_boolean(spread > fmin(request->spread, SPREAD_MOST)));
        if (spread > request->spread && !request->force) {
                cmd_error(
                        "machine",
                        "the machine is too busy: %s varied by %.0f%%, more than %.0f%%; try again "
                        "when it is quiet, or keep the figures with --force",
                        worst, 100 * spread, 100 * request->spread);
                return CMD_NO;
        }
        (void)keep(doc, json_string_value(json_object_get(doc, "fingerprint")));
        return CMD_DONE;
}

/* What was kept, if it can be used. */
static json_t *kept(const char *fingerprint)
{
        _cleanup_(freep) char *path = NULL, *why = NULL;
        json_t *doc = NULL;
        int r = machine_path(false, fingerprint, &path, &why);

        if (r)
                return NULL;
        r = machine_load(path, fingerprint, &doc, &why);
        if (r && r != -ENOENT)
                cmd_error("machine", "%s; measuring anew", why ? why : strerror(-r));
        return doc;
}

int cmd_machine(int argc, char **argv)
{
        static const struct option options[] = {{"measure", no_argument, NULL, 'm'},
                                                {"quick", no_argument, NULL, 'q'},
                                                {"force", no_argument, NULL, 'f'},
                                                {"max-spread", required_argument, NULL, 's'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        struct request request = {.spread = SPREAD_MOST};
        _cleanup_(json_decrefp) json_t *doc = NULL, *old = NULL;
        struct machine_places places;
        struct view v = {stdout, 0};
        int r = cmd_each_option(argc, argv, ":mqjh", options, take, &request);

        if (r)
                return r - 1;
        if (optind < argc)
                return cmd_extra_operand(argv, argv[optind]);
        doc = json_pack("{s:s, s:s}", "schema", MACHINE_SCHEMA, "infprof", IFP_VERSION);
        r = doc ? machine_look(doc, &places) : -ENOMEM;
        if (r) {
                cmd_error("machine", "the machine cannot be looked at: %s", strerror(-r));
                return CMD_NO;
        }
        old = request.anew ? NULL : kept(json_string_value(json_object_get(doc, "fingerprint")));
        r = old ? CMD_DONE : measure(&request, doc, &places);
        if (r)
                return r;
        if (request.as_json)
                return cmd_print_json("machine", old ? old : doc);
        text_init();
        v.width = table_output_width();
        machine_print(&v, old ? old : doc);
        return cmd_finish("machine", CMD_DONE);
}
