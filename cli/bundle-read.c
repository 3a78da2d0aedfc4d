/* SPDX-License-Identifier: MIT */
/*
 * A bundle comes from somebody else. Nothing of it gets a name here: what it calls its members is
 * looked at and never opened, and the one that is wanted goes into a file without a name. All of it
 * is read, so that one that was cut is noticed, but no more than a bundle can have; an archive with
 * paths, links or devices that no bundle has is not read at all. What it is, is told by its first
 * bytes: one that was packed again with gzip, or not at all, is read too.
 */
#include "cli/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/cleanup.h"

#define MOST_MEMBERS  64
#define MOST_ALL      (BUNDLE_MOST_RUN + (BUNDLE_MOST_RUN >> 2)) /* bytes of all members */
#define MOST_MANIFEST (1u << 20)
#define BLOCK         65536
#define LEAST         512 /* bytes that show what it is */

DEFINE_CLEANUP(struct archive *, archive_read_free, archive_freep);

static const char database[] = "SQLite format 3"; /* and its NUL */

struct reading {
        const char *path;
        char **ret_why;
        struct archive *a;
        int fd; /* the run file; -1: not met */
        uint64_t run_bytes, all_bytes;
        uint32_t run_crc;
        char *manifest; /* NULL: not met */
        size_t manifest_bytes;
};

__attribute__((format(printf, 3, 4))) static int explain(struct reading *r, int code,
                                                         const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        if (vasprintf(r->ret_why, format, ap) < 0)
                *r->ret_why = NULL;
        va_end(ap);
        return code;
}

static int damaged(struct reading *r)
{
        const char *what = archive_error_string(r->a);

        if (archive_errno(r->a) == ENOMEM)
                return -ENOMEM;
        return explain(r, BUNDLE_E_FOREIGN,
                       "'%s' is truncated or damaged: %s; it cannot be used, ask for it again",
                       r->path, what ? what : "it does not end as an archive does");
}

static int no_bundle(struct reading *r, const char *what, const char *name)
{
        return explain(r, BUNDLE_E_FOREIGN,
                       "'%s' holds %s%s%s, as no bundle does; give a file that `infprof report "
                       "--bundle` wrote",
                       r->path, what, name ? ": " : "", name ? name : "");
}

/* ---- names ---- */

/* Would it lead out of where it is unpacked? */
static bool leads_out(const char *name)
{
        if (name[0] == '/')
                return true;
        for (const char *p = name; p; p = strchr(p, '/')) {
                p += *p == '/';
                if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/'))
                        return true;
        }
        return false;
}

/* At the top, or in the one folder that a bundle has. */
static bool is_called(const char *name, const char *wanted)
{
        const char *slash;

        while (!strncmp(name, "./", 2))
                name += 2;
        slash = strchr(name, '/');
        return !strcmp(slash ? slash + 1 : name, wanted);
}

/* ---- members ---- */

static int open_nameless(struct reading *r)
{
        const char *tmp = getenv("TMPDIR");
        _cleanup_(freep) char *name = NULL;

        tmp = tmp && *tmp ? tmp : "/tmp";
        r->fd = open(tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (r->fd < 0 && asprintf(&name, "%s/infprof-XXXXXX", tmp) >= 0) {
                r->fd = mkostemp(name, O_CLOEXEC);
                if (r->fd >= 0)
                        unlink(name);
        }
        if (r->fd < 0)
                return explain(r, -errno, "cannot unpack '%s' in %s: %s; set TMPDIR", r->path, tmp,
                               strerror(errno));
        return 0;
}

static int write_all(struct reading *r, const char *data, size_t n)
{
        while (n) {
                ssize_t done = write(r->fd, data, n);

                if (done < 0 && errno == EINTR)
                        continue;
                if (done <= 0)
                        return explain(r, -ENOSPC,
                                       "cannot unpack '%s': %s; set TMPDIR to a place with more "
                                       "room",
                                       r->path, strerror(done < 0 ? errno : ENOSPC));
                data += done;
                n -= (size_t)done;
        }
        return 0;
}

/* The next bytes of the member; *ret_n 0: that was all. */
static int next_block(struct reading *r, char *block, size_t *ret_n)
{
        ssize_t n = archive_read_data(r->a, block, BLOCK);

        if (n < 0)
                return damaged(r);
        r->all_bytes += (uint64_t)n;
        if (r->all_bytes > MOST_ALL)
                return no_bundle(r, "more than a GiB", NULL);
        *ret_n = (size_t)n;
        return 0;
}

static int take_run(struct reading *r, char *block)
{
        size_t n;
        int e;

        if (r->fd >= 0)
                return no_bundle(r, "two run files", NULL);
        e = open_nameless(r);
        r->run_crc = (uint32_t)crc32(0, NULL, 0);
        while (!e && !(e = next_block(r, block, &n)) && n) {
                if (!r->run_bytes &&
                    (n < sizeof(database) || memcmp(block, database, sizeof(database))))
                        return no_bundle(r, "a run file that is none", NULL);
                r->run_bytes += n;
                r->run_crc = (uint32_t)crc32(r->run_crc, (const Bytef *)block, (uInt)n);
                if (r->run_bytes > BUNDLE_MOST_RUN)
                        return no_bundle(r, "a run file of more than a GiB", NULL);
                e = write_all(r, block, n);
        }
        return e;
}

static int take_manifest(struct reading *r, char *block)
{
        size_t n;
        int e;

        if (r->manifest)
                return no_bundle(r, "two manifests", NULL);
        r->manifest = malloc(MOST_MANIFEST);
        if (!r->manifest)
                return -ENOMEM;
        while (!(e = next_block(r, block, &n)) && n) {
                if (r->manifest_bytes + n > MOST_MANIFEST)
                        return no_bundle(r, "a manifest of more than a MiB", NULL);
                memcpy(r->manifest + r->manifest_bytes, block, n);
                r->manifest_bytes += n;
        }
        return e;
}

static int skip(struct reading *r, char *block)
{
        size_t n;
        int e;

        while (!(e = next_block(r, block, &n)) && n)
                ;
        return e;
}

static int take_member(struct reading *r, struct archive_entry *entry, char *block)
{
        const char *name = archive_entry_pathname(entry);
        mode_t type = archive_entry_filetype(entry);

        if (!name)
                return no_bundle(r, "a member without a name", NULL);
        if (leads_out(name))
                return no_bundle(r, "a path that leads out of it", name);
        if (archive_entry_hardlink(entry) || archive_entry_symlink(entry))
                return no_bundle(r, "a link", name);
        if (type == AE_IFDIR)
                return 0;
        if (type != AE_IFREG)
                return no_bundle(r, "a device or pipe", name);
        if (is_called(name, BUNDLE_RUN))
                return take_run(r, block);
        return is_called(name, BUNDLE_MANIFEST) ? take_manifest(r, block) : skip(r, block);
}

static int take_all(struct reading *r)
{
        _cleanup_(freep) char *block = malloc(BLOCK);
        struct archive_entry *entry;
        int n = 0, e = block ? 0 : -ENOMEM, status;

        while (!e && (status = archive_read_next_header(r->a, &entry)) != ARCHIVE_EOF) {
                if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
                        return damaged(r);
                if (++n > MOST_MEMBERS)
                        return no_bundle(r, "too many files", NULL);
                e = take_member(r, entry, block);
        }
        return e;
}

/* Is the run file what the manifest, if there is one, says of it? */
static int check_manifest(struct reading *r)
{
        json_t *doc, *file, *schema;
        size_t i;
        bool ok = false;

        if (!r->manifest)
                return 0;
        doc = json_loadb(r->manifest, r->manifest_bytes, JSON_REJECT_DUPLICATES, NULL);
        schema = json_object_get(doc, "schema");
        if (json_is_string(schema) && strcmp(json_string_value(schema), BUNDLE_SCHEMA)) {
                explain(r, 0,
                        "'%s' is a bundle of another infprof, %.64s; this one reads " BUNDLE_SCHEMA
                        ": use a newer one",
                        r->path, json_string_value(schema));
                json_decref(doc);
                return BUNDLE_E_FOREIGN;
        }
        json_array_foreach(json_object_get(doc, "files"), i, file)
        {
                const char *name = json_string_value(json_object_get(file, "name"));

                if (name && !strcmp(name, BUNDLE_RUN))
                        ok = json_integer_value(json_object_get(file, "bytes")) ==
                                     (json_int_t)r->run_bytes &&
                             json_integer_value(json_object_get(file, "crc32")) ==
                                     (json_int_t)r->run_crc;
        }
        json_decref(doc);
        return ok ? 0
                  : explain(r, BUNDLE_E_FOREIGN,
                            "'%s' is damaged: its run file is not what its manifest says; ask for "
                            "it again",
                            r->path);
}

static int open_archive(struct reading *r, int in)
{
        r->a = archive_read_new();
        if (!r->a || archive_read_support_format_tar(r->a) != ARCHIVE_OK ||
            archive_read_support_filter_zstd(r->a) < ARCHIVE_WARN ||
            archive_read_support_filter_gzip(r->a) < ARCHIVE_WARN)
                return -ENOMEM;
        return archive_read_open_fd(r->a, in, BLOCK) == ARCHIVE_OK ? 0 : damaged(r);
}

bool bundle_is(const char *path)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        uint8_t b[LEAST] = {0};
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || read(fd, b, sizeof(b)) < 4)
                return false;
        return !memcmp(b, "\x28\xb5\x2f\xfd", 4) || !memcmp(b, "\x1f\x8b\x08", 3) ||
               !memcmp(b + 257, "ustar", 5);
}

int bundle_open(struct bundle *ret, const char *path, char **ret_why)
{
        _cleanup_(closep) int in = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct reading r = {.path = path, .ret_why = ret_why, .fd = -1};
        int e;

        *ret_why = NULL;
        if (in < 0)
                return explain(&r, -errno, "cannot read '%s': %s", path, strerror(errno));
        e = open_archive(&r, in);
        if (!e)
                e = take_all(&r);
        if (!e && !r.run_bytes)
                e = explain(&r, BUNDLE_E_FOREIGN,
                            "'%s' holds no run file; give a file that `infprof report --bundle` "
                            "wrote",
                            path);
        if (!e)
                e = check_manifest(&r);
        archive_freep(&r.a);
        free(r.manifest);
        if (e) {
                closep(&r.fd);
                return e;
        }
        ret->fd = r.fd;
        ret->name = path;
        snprintf(ret->path, sizeof(ret->path), "/proc/self/fd/%d", r.fd);
        return 0;
}

char *bundle_why(const struct bundle *b, char *why)
{
        char *at = why ? strstr(why, b->path) : NULL, *line = NULL;

        if (!at ||
            asprintf(&line, "%.*s%s%s", (int)(at - why), why, b->name, at + strlen(b->path)) < 0)
                return why;
        free(why);
        return line;
}

void bundle_close(struct bundle *b)
{
        closep(&b->fd);
        b->fd = -1;
}
