/* SPDX-License-Identifier: MIT */
#include "common/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/paths.h"

#define MOST_FIGURES 4096
#define MOST_BYTES   (4u << 20)

int machine_path(bool make, const char *fingerprint, char **ret_path, char **ret_why)
{
        _cleanup_(freep) char *runs = NULL;
        char *slash;
        int r = ifp_state_dir(make, &runs, ret_why);

        if (r)
                return r;
        slash = strrchr(runs, '/'); /* beside the folder of runs */
        if (slash)
                *slash = '\0';
        return asprintf(ret_path, "%s/machine-%s.json", runs, fingerprint) < 0 ? -ENOMEM : 0;
}

static bool is_text(const json_t *o, const char *key)
{
        return json_is_string(json_object_get(o, key));
}

static bool is_positive(const json_t *o, const char *key)
{
        double v = json_number_value(json_object_get(o, key));

        return isfinite(v) && v > 0;
}

/* Names it by two texts, and is a rate at so many threads? */
static bool is_figure(const json_t *o, const char *a, const char *b, const char *unit)
{
        json_int_t threads = json_integer_value(json_object_get(o, "threads"));
        double spread = json_number_value(json_object_get(o, "spread"));

        return is_text(o, a) && is_text(o, b) && is_positive(o, unit) && threads > 0 &&
               threads <= 65536 && isfinite(spread) && spread >= 0 && spread <= 1;
}

static bool are_figures(const json_t *list, const char *a, const char *b, const char *unit)
{
        const json_t *o;
        size_t i;

        if (!json_is_array(list) || json_array_size(list) > MOST_FIGURES)
                return false;
        json_array_foreach(list, i, o)
        {
                if (!is_figure(o, a, b, unit))
                        return false;
        }
        return true;
}

const char *machine_fault(const json_t *doc, const char *fingerprint, bool measured)
{
        const json_t *c = json_object_get(doc, "ceilings");
        const char *schema = json_string_value(json_object_get(doc, "schema"));
        const char *whose = json_string_value(json_object_get(doc, "fingerprint"));

        if (!schema || strcmp(schema, MACHINE_SCHEMA))
                return "it is no " MACHINE_SCHEMA;
        if (!whose || (fingerprint && strcmp(whose, fingerprint)))
                return "it is another machine's";
        if (!json_is_object(json_object_get(doc, "topology")) ||
            !json_is_object(json_object_get(doc, "isa")))
                return "it is damaged";
        if (!measured && !c)
                return NULL;
        if (!are_figures(json_object_get(c, "compute"), "type", "isa", "gflops") ||
            !are_figures(json_object_get(c, "bandwidth"), "level", "op", "gbps") ||
            !is_text(doc, "measured_at"))
                return "it is damaged";
        return NULL;
}

int machine_load(const char *path, const char *fingerprint, json_t **ret, char **ret_why)
{
        /* a pipe that nobody writes to is not waited for */
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        _cleanup_(fclosep) FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
        struct stat st;
        const char *fault;
        json_error_t e;
        json_t *doc;

        if (fd < 0 && errno == ENOENT)
                return -ENOENT;
        if (!f || fstat(fd, &st)) {
                int r = errno ? -errno : -EIO;

                if (asprintf(ret_why, "'%s' cannot be read: %s", path, strerror(-r)) < 0)
                        *ret_why = NULL;
                return r;
        }
        fd = -1; /* f has it */
        if (!S_ISREG(st.st_mode) || st.st_size > MOST_BYTES) {
                doc = NULL;
                fault = S_ISREG(st.st_mode) ? "it is too large" : "it is no file";
        } else {
                doc = json_loadf(f, JSON_REJECT_DUPLICATES, &e);
                fault = doc ? machine_fault(doc, fingerprint, true) : "it is damaged";
        }
        if (!fault) {
                *ret = doc;
                return 0;
        }
        json_decref(doc);
        if (asprintf(ret_why, "'%s' is not used: %s", path, fault) < 0)
                *ret_why = NULL;
        return -EINVAL;
}
