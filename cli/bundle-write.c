/* SPDX-License-Identifier: MIT */
/*
 * A bundle is made in memory, of one instant of the run: the documents in it are made of the very
 * bytes of the run file that goes with them. Of a run that goes on, the daemon is asked first, so
 * that its file has what there is. Texts that the engine told may be users' prompts: they are taken
 * out of those bytes first, unless they are asked for.
 */
#include "cli/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <zlib.h>

#include <infprof/version.h>

#include "cli/bundle-pack.h"
#include "cli/cmd.h"
#include "cli/out-file.h"
#include "cli/report-rows.h"
#include "cli/report-view.h"
#include "cli/run-find.h"
#include "cli/text.h"
#include "cli/view.h"
#include "common/build-id.h"
#include "common/cleanup.h"
#include "common/report.h"
#include "common/runfile.h"

#define WIDTH       140 /* of report.txt */
#define MAX_MEMBERS 8

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

struct making {
        const char *verb;
        bool with_texts;
        uint64_t texts;           /* that the engine told; out unless with_texts */
        json_t *report, *machine; /* machine NULL: not known */
        struct bundle_member members[MAX_MEMBERS];
        size_t n;
        char *out; /* the archive */
        size_t out_bytes;
};

static int out_of_memory(const struct making *m)
{
        cmd_error(m->verb, "out of memory");
        return CMD_NO;
}

/* Takes `data` over; false: there is none. */
static bool add(struct making *m, const char *name, const char *about, char *data, size_t bytes)
{
        if (!data)
                return false;
        m->members[m->n++] =
                (struct bundle_member){.name = name, .about = about, .data = data, .bytes = bytes};
        return true;
}

static bool add_json(struct making *m, const char *name, const char *about, const json_t *document)
{
        char *text = NULL;
        size_t bytes = 0;
        FILE *f = open_memstream(&text, &bytes);
        bool ok = f && !json_dumpf(document, f, JSON_INDENT(2)) && putc('\n', f) != EOF;

        if (!f || fclose(f) || !ok) {
                free(text);
                return false;
        }
        return add(m, name, about, text, bytes);
}

static bool add_report_text(struct making *m)
{
        _cleanup_(json_decrefp) json_t *rows =
                report_rows(m->report, REPORT_BY_OP, "self_ns", NULL);
        char *text = NULL;
        size_t bytes = 0;
        FILE *f = open_memstream(&text, &bytes);
        bool ok =
                f && report_print(&(struct view){f, WIDTH, NULL}, m->report, rows, REPORT_BY_OP, 0);

        if (!f || fclose(f) || !ok) {
                free(text);
                return false;
        }
        return add(m, "report.txt", "the report, to be read", text, bytes);
}

/* ---- the run file, and what is made of it ---- */

/* Its bytes as a file that has no name: what a document is made of. -1, and errno. */
static int nameless(const uint8_t *data, size_t n)
{
        int fd = memfd_create("infprof-run", MFD_CLOEXEC);

        for (size_t at = 0; fd >= 0 && at < n;) {
                ssize_t done = write(fd, data + at, n - at);

                if (done <= 0) {
                        closep(&fd);
                        return -1;
                }
                at += (size_t)done;
        }
        return fd;
}

static int take_machine(const struct runfile_machine *row, void *userdata)
{
        struct making *m = userdata;

        json_decref(m->machine);
        m->machine = json_loads(row->document, 0, NULL);
        return 0;
}

/* One line about what went wrong; the exit code. */
static int failed(const struct making *m, int r, const char *why)
{
        cmd_error(m->verb, "%s", why ? why : strerror(r < 0 ? -r : EIO));
        return r > 0 ? CMD_NOTHING : CMD_NO;
}

static int load(struct making *m, const char *file)
{
        _cleanup_(runfile_closep) struct runfile *rf = NULL;
        _cleanup_(freep) char *why = NULL;
        _cleanup_(closep) int fd = -1;
        uint8_t *bytes = NULL;
        char path[64];
        size_t n;
        int r = runfile_open(&rf, file, &why);

        if (!r)
                r = runfile_each_machine(rf, take_machine, m);
        if (r)
                return failed(m, r, why ? why : rf ? runfile_why(rf) : NULL);
        r = runfile_bytes(rf, BUNDLE_MOST_RUN, &bytes, &n);
        if (r == -EFBIG)
                return failed(m, r,
                              "the run file is larger than a GiB, and no bundle takes that; send "
                              "it as it is");
        if (!r)
                r = m->with_texts ? runfile_bytes_texts(bytes, n, &m->texts)
                                  : runfile_bytes_drop_texts(&bytes, &n, &m->texts);
        if (r) {
                runfile_bytes_free(bytes);
                return failed(m, r,
                              r > 0 ? "the run file is damaged; no bundle is made of it" : NULL);
        }
        m->members[m->n++] =
                (struct bundle_member){.name = BUNDLE_RUN,
                                       .about = "the run file: infprof report " BUNDLE_RUN,
                                       .data = (char *)bytes,
                                       .bytes = n,
                                       .of_sqlite = true};
        fd = nameless(bytes, n);
        if (fd < 0)
                return failed(m, -errno, NULL);
        snprintf(path, sizeof(path), RUNFILE_BY_DESCRIPTOR "%d", fd);
        r = report_build_file(path, &m->report, &why);
        return r ? failed(m, r, why) : CMD_DONE;
}

/* ---- the manifest ---- */

static json_t *own_build_id(void)
{
        _cleanup_(closep) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        char id[BUILD_ID_SIZE];

        return fd >= 0 && build_id_of_file_descriptor(id, fd) ? json_string(id) : json_null();
}

/* Of the shim, among the libraries of the run. */
static json_t *shim_build_id(const json_t *surroundings)
{
        const json_t *library;
        size_t i;

        json_array_foreach(json_object_get(surroundings, "libraries"), i, library)
        {
                const char *path = text_string(library, "path", "");
                const char *slash = strrchr(path, '/');
                json_t *id = json_object_get(library, "build_id");

                if (slash && !strcmp(slash, "/libinfprof.so") && id)
                        return json_incref(id);
        }
        return json_null();
}

static json_t *now(void)
{
        time_t t = time(NULL);
        char text[32];
        struct tm tm;

        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
        return json_string(text);
}

/* A member that may be missing. */
static json_t *same(const json_t *o, const char *key)
{
        json_t *v = json_object_get(o, key);

        return v ? json_incref(v) : json_null();
}

static bool add_manifest(struct making *m)
{
        const json_t *run = json_object_get(m->report, "run");
        const json_t *s = json_object_get(m->report, "surroundings");
        _cleanup_(json_decrefp) json_t *o = NULL;
        json_t *files = json_array();

        for (size_t i = 0; i < m->n; i++)
                json_array_append_new(
                        files, json_pack("{s:s, s:I, s:I, s:s}", "name", m->members[i].name,
                                         "bytes", (json_int_t)m->members[i].bytes, "crc32",
                                         (json_int_t)crc32_z(0, (const Bytef *)m->members[i].data,
                                                             m->members[i].bytes),
                                         "about", m->members[i].about));
        o = json_pack(
                "{s:s, s:o, s:{s:s, s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:I, s:o}",
                "schema", BUNDLE_SCHEMA, "made_at", now(), "infprof", "version", IFP_VERSION,
                "build_id", own_build_id(), "daemon_build_id", same(s, "daemon_build_id"),
                "shim_build_id", shim_build_id(s), "run", "id", same(run, "id"), "command",
                same(run, "command"), "started_at", same(run, "started_at"), "duration_ns",
                same(run, "duration_ns"), "infprof", same(run, "infprof"), "machine",
                same(s, "machine"), "texts_left_out", (json_int_t)(m->with_texts ? 0 : m->texts),
                "files", files);
        if (!o || !add_json(m, BUNDLE_MANIFEST, "this list", o))
                return false;
        return true;
}

/* From the last in the archive to the first. */
static bool make(struct making *m)
{
        return (!m->machine || add_json(m, "machine.json",
                                        "infprof.machine/1: cores, caches, memory", m->machine)) &&
               add_json(m, "report.json", "infprof.report/1", m->report) &&
               add_json(m, "surroundings.json",
                        "of this: what the run ran in; read it before you send it",
                        json_object_get(m->report, "surroundings")) &&
               add_report_text(m) && add_manifest(m) &&
               bundle_pack(text_string(json_object_get(m->report, "run"), "id", "?"), m->members,
                           m->n, &m->out, &m->out_bytes);
}

static void say_what(const struct making *m, const char *path)
{
        char size[TEXT_CELL];

        fprintf(stderr,
                "infprof: run %s is in %s (%s, %zu files); look at its report.txt and "
                "surroundings.json\n"
                "before you send it; infprof report reads it\n",
                text_string(json_object_get(m->report, "run"), "id", "?"), path,
                text_bytes(size, (double)m->out_bytes), m->n);
        if (m->texts && m->with_texts)
                fprintf(stderr,
                        "%" PRIu64 " texts of the engine, perhaps prompts of users, are in it\n",
                        m->texts);
        else if (m->texts)
                fprintf(stderr,
                        "%" PRIu64
                        " texts of the engine (infprof_text) are left out; --texts puts them "
                        "in\n",
                        m->texts);
}

/* Of a run that goes on, the daemon brings the file up to date as it makes a report. */
static int find(const char *verb, const char *run, char **ret)
{
        _cleanup_(json_decrefp) json_t *report = NULL;
        int r = run_find_report(verb, run, &report);

        return r ? r : run_find_file(verb, run, ret);
}

/* Takes a bundle's run file for the file. */
static int load_any(struct making *m, const char *file)
{
        _cleanup_(freep) char *why = NULL;
        struct bundle b;
        int r;

        if (!bundle_is(file))
                return load(m, file);
        r = bundle_open(&b, file, &why);
        if (r)
                return failed(m, r, why);
        r = load(m, b.path);
        bundle_close(&b);
        return r;
}

static void making_done(struct making *m)
{
        for (size_t i = 0; i < m->n; i++) {
                if (m->members[i].of_sqlite)
                        runfile_bytes_free((uint8_t *)m->members[i].data);
                else
                        free(m->members[i].data);
        }
        json_decref(m->report);
        json_decref(m->machine);
        free(m->out);
}

int bundle_write(const char *verb, const char *run, const char *path, bool force, bool texts)
{
        struct making m = {.verb = verb, .with_texts = texts};
        _cleanup_(freep) char *file = NULL;
        int r = out_file_check(verb, path, force);

        if (!r)
                r = find(verb, run, &file);
        if (!r)
                r = load_any(&m, file);
        if (!r && !make(&m))
                r = out_of_memory(&m);
        if (!r)
                r = out_file_write(verb, path, m.out, m.out_bytes);
        if (!r && strcmp(path, "-") != 0)
                say_what(&m, path);
        making_done(&m);
        return r;
}
