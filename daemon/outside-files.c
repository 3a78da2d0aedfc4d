/* SPDX-License-Identifier: MIT */
/*
 * Which files of a process are models or as large as one: from /proc/PID/maps, and on
 * a machine with several NUMA nodes from numa_maps, where their pages are.
 *
 * A line of maps is `start-end perms offset major:minor inode  path`; in the path a
 * new line is \012, and everything else is as it is. numa_maps begins its lines with the same
 * start, and its N0=12 are pages. Its own path is escaped otherwise: addresses are compared, not
 * paths.
 *
 * What the kernel maps without a file (memfds, devices, shared memory of System V) has a name too,
 * and no model in it.
 */
#include "daemon/outside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/runfile.h"
#include "daemon/procfs.h"
#include "daemon/text.h"

#define LARGE         ((uint64_t)16 << 20)
#define MOST_SEEN     1024u /* files in one maps */
#define MOST_NODES    64u
#define FIRST_WAIT_NS 200000000ull
#define BUSY_WAIT_NS  1000000000ull
#define CALM_WAIT_NS  10000000000ull

/* A file in the maps that is just read. */
struct seen {
        uint64_t device, inode, bytes, end;
        char *raw;
        bool code;
        uint64_t *nodes; /* NULL: none told */
};

struct place {
        uint64_t start;
        uint32_t seen;
};

struct reading {
        struct seen seen[MOST_SEEN];
        uint32_t n_seen;
        struct place *places; /* by address */
        size_t n_places, room;
};

/* ---- names ---- */

static const char gone[] = " (deleted)";

/* Without what the kernel says behind the name. */
static size_t name_length(const char *path)
{
        size_t n = strlen(path), m = sizeof(gone) - 1;

        return n > m && !strcmp(path + n - m, gone) ? n - m : n;
}

static bool ends(const char *path, size_t n, const char *end)
{
        size_t m = strlen(end);

        return n > m && !strncasecmp(path + n - m, end, m);
}

bool outside_is_model(const char *path)
{
        static const char *const endings[] = {".gguf", ".safetensors", ".onnx", ".bin",
                                              ".llamafile"};
        size_t n = name_length(path);

        for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
                if (ends(path, n, endings[i]))
                        return true;
        return false;
}

/* libx.so, libx.so.1.2 */
bool outside_is_library(const char *path)
{
        const char *name = strrchr(path, '/'), *so = name ? name : path;
        size_t n = name_length(path);

        while ((so = strstr(so, ".so")) && (size_t)(so - path) < n) {
                so += 3;
                if ((size_t)(so - path) == n || *so == '.')
                        return true;
        }
        return false;
}

/* Of no file system that a model would lie on: /memfd:x, /SYSV0, /dev/nvidia0, /dev/zero. */
static bool is_kernels_own(const char *path)
{
        if (!strncmp(path, "/dev/", 5))
                return strncmp(path, "/dev/shm/", 9) != 0;
        return !strchr(path + 1, '/') && path[name_length(path)];
}

/* \012 to a new line. */
static void unescape(char *path)
{
        char *to = path;

        for (const char *from = path; *from; to++) {
                bool escaped = !strncmp(from, "\\012", 4);

                *to = escaped ? '\n' : *from;
                from += escaped ? 4 : 1;
        }
        *to = '\0';
}

/* ---- maps ---- */

bool outside_parse_mapping(char *line, struct outside_mapping *ret)
{
        struct outside_mapping m = {0};
        char perms[5];
        unsigned int major, minor;
        int at = 0;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &m.start,
                   &m.end, perms, &m.offset, &major, &minor, &m.inode, &at) != 7 ||
            !at || line[at] != '/' || m.end <= m.start || m.offset > INT64_MAX ||
            m.end - m.start > INT64_MAX)
                return false;
        line[strcspn(line, "\n")] = '\0';
        m.device = (uint64_t)major << 32 | minor;
        m.code = strchr(perms, 'x');
        m.path = line + at;
        *ret = m;
        return true;
}

static struct seen *seen_get(struct reading *r, const struct outside_mapping *m)
{
        struct seen *s;

        for (uint32_t i = r->n_seen; i-- > 0;) /* most often it is the last one */
                if (r->seen[i].inode == m->inode && r->seen[i].device == m->device)
                        return &r->seen[i];
        if (r->n_seen == MOST_SEEN)
                return NULL;
        s = &r->seen[r->n_seen];
        *s = (struct seen){.device = m->device, .inode = m->inode, .raw = strdup(m->path)};
        if (!s->raw)
                return NULL;
        r->n_seen++;
        return s;
}

static void place_add(struct reading *r, uint64_t start, uint32_t seen)
{
        if (r->n_places == r->room) {
                size_t n = r->room ? r->room * 2 : 64;
                struct place *places = realloc(r->places, n * sizeof(*places));

                if (!places)
                        return;
                r->places = places;
                r->room = n;
        }
        r->places[r->n_places++] = (struct place){.start = start, .seen = seen};
}

static void read_maps(struct reading *r, FILE *f)
{
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;

        while (getline(&line, &size, f) > 0) {
                struct outside_mapping m;
                struct seen *s;

                if (!outside_parse_mapping(line, &m) || is_kernels_own(m.path) ||
                    outside_is_library(m.path))
                        continue;
                s = seen_get(r, &m);
                if (!s)
                        continue;
                s->bytes += m.end - m.start;
                s->code |= m.code;
                if (m.offset + (m.end - m.start) > s->end)
                        s->end = m.offset + (m.end - m.start);
                place_add(r, m.start, (uint32_t)(s - r->seen));
        }
}

/* ---- numa_maps ---- */

static int by_start(const void *key, const void *element)
{
        uint64_t start = *(const uint64_t *)key;
        const struct place *p = element;

        return start < p->start ? -1 : start > p->start;
}

static void add_nodes(struct seen *s, char *words)
{
        char *rest = NULL;

        for (char *w = strtok_r(words, " \n", &rest); w; w = strtok_r(NULL, " \n", &rest)) {
                unsigned int node;
                uint64_t pages;

                if (sscanf(w, "N%u=%" SCNu64, &node, &pages) != 2 || node >= MOST_NODES)
                        continue;
                if (!s->nodes)
                        s->nodes = calloc(MOST_NODES, sizeof(*s->nodes));
                if (s->nodes)
                        s->nodes[node] += pages;
        }
}

static void read_numa_maps(struct reading *r, FILE *f)
{
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;

        while (r->n_places && getline(&line, &size, f) > 0) {
                char *end;
                uint64_t start = strtoull(line, &end, 16);
                const struct place *p =
                        bsearch(&start, r->places, r->n_places, sizeof(*r->places), by_start);

                if (p && *end == ' ')
                        add_nodes(&r->seen[p->seen], end);
        }
}

/* "N0=123 N1=4", or NULL. */
static char *nodes_text(const struct seen *s)
{
        char text[MOST_NODES * 32] = "";
        size_t n = 0;

        for (uint32_t i = 0; s->nodes && i < MOST_NODES; i++)
                if (s->nodes[i])
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "%sN%u=%" PRIu64,
                                              n ? " " : "", i, s->nodes[i]);
        return n ? strdup(text) : NULL;
}

/* ---- what is kept ---- */

static bool is_wanted(const struct seen *s)
{
        return outside_is_model(s->raw) || (s->end >= LARGE && !s->code);
}

static struct outside_file *file_get(struct outside *o, const struct seen *s)
{
        struct outside_file *files, f = {.device = s->device,
                                         .inode = s->inode,
                                         .size = s->end,
                                         .resident_bytes = RUNFILE_NOT_TOLD};

        for (uint32_t i = 0; i < o->n_files; i++)
                if (o->files[i].inode == s->inode && o->files[i].device == s->device)
                        return &o->files[i];
        if (o->n_files == OUTSIDE_MOST_FILES)
                return NULL;
        files = realloc(o->files, (o->n_files + 1) * sizeof(*files));
        if (!files)
                return NULL;
        o->files = files;
        f.raw = strdup(s->raw);
        if (f.raw)
                unescape(f.raw);
        f.path = f.raw ? text_copy(f.raw, strlen(f.raw)) : NULL;
        if (!f.path) {
                free(f.raw);
                return NULL;
        }
        files[o->n_files] = f;
        return &files[o->n_files++];
}

static void keep(struct outside *o, const struct seen *s, bool nodes_too)
{
        struct outside_file *f = file_get(o, s);
        uint64_t bytes;

        if (!f)
                return;
        if (s->end > f->size && !f->sized)
                f->size = s->end;
        bytes = s->bytes < f->size ? s->bytes : f->size;
        f->mapped = true;
        if (bytes != f->mapped_bytes) {
                f->mapped_bytes = bytes;
                f->written = false;
                o->files_changed = true;
        }
        if (nodes_too) {
                char *nodes = nodes_text(s);

                if ((nodes || f->nodes) && (!nodes || !f->nodes || strcmp(nodes, f->nodes) != 0))
                        f->written = false;
                free(f->nodes);
                f->nodes = nodes;
        }
}

/* What is not mapped any more stays as it was. */
void outside_read_files(struct outside *o, FILE *maps, FILE *numa_maps)
{
        _cleanup_(freep) struct reading *r = calloc(1, sizeof(*r));

        if (!r)
                return;
        read_maps(r, maps);
        if (numa_maps)
                read_numa_maps(r, numa_maps);
        for (uint32_t i = 0; i < o->n_files; i++)
                o->files[i].mapped = false;
        for (uint32_t i = 0; i < r->n_seen; i++) {
                if (is_wanted(&r->seen[i]))
                        keep(o, &r->seen[i], numa_maps);
                free(r->seen[i].raw);
                free(r->seen[i].nodes);
        }
        free(r->places);
}

static bool has_many_nodes(void)
{
        static int many = -1;
        char online[256];

        if (many < 0)
                many = procfs_read("/sys/devices/system/node/online", online, sizeof(online)) > 0 &&
                       strpbrk(online, "-,");
        return many;
}

static FILE *open_of(pid_t pid, const char *what)
{
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
        return procfs_is_ours() ? fopen(path, "re") : NULL;
}

/* Often while it loads, seldom later on. */
static uint64_t next_wait(struct outside *o)
{
        uint64_t most = o->files_changed ? BUSY_WAIT_NS : CALM_WAIT_NS;

        o->files_wait_ns = o->files_wait_ns ? o->files_wait_ns * 2 : FIRST_WAIT_NS;
        if (o->files_wait_ns > most)
                o->files_wait_ns = most;
        o->files_changed = false;
        return o->files_wait_ns;
}

void outside_look_at_files(struct outside *o, pid_t pid, uint64_t now_ns)
{
        _cleanup_(fclosep) FILE *maps = open_of(pid, "maps");
        _cleanup_(fclosep) FILE *numa_maps = NULL;

        if (has_many_nodes() && o->n_files && now_ns >= o->due_nodes_ns) {
                numa_maps = open_of(pid, "numa_maps");
                o->due_nodes_ns = now_ns + (o->files_changed ? BUSY_WAIT_NS : CALM_WAIT_NS);
        }
        if (maps)
                outside_read_files(o, maps, numa_maps);
        o->due_files_ns = now_ns + next_wait(o);
        o->pass.goes_on = true;
}

void outside_files_done(struct outside *o)
{
        for (uint32_t i = 0; i < o->n_files; i++) {
                free(o->files[i].raw);
                free(o->files[i].path);
                free(o->files[i].nodes);
        }
        free(o->files);
        o->files = NULL;
        o->n_files = 0;
}
