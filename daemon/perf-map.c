/* SPDX-License-Identifier: MIT */
/*
 * The list belongs to the engine, so it is read as a stranger's: a regular
 * file of ours, no longer than a limit, whole lines only. Later lines win, since
 * a runtime puts new code where old code was.
 */
#include "daemon/perf-map.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/clock.h"
#include "daemon/text.h"

#define MOST_BYTES       (64ll << 20)
#define NAME_BYTES       512
#define LEAST_BETWEEN_NS 1000000000ull

struct entry {
        uint64_t start, end;
        char *name;
        uint32_t order;
};

struct perf_map {
        pid_t pid;
        uint64_t started_ns;
        uint64_t looked_ns;
        off_t size; /* when it was read last */
        struct entry *entries;
        uint32_t n, room;
};

struct perf_map *perf_map_new(pid_t pid, uint64_t started_ns)
{
        struct perf_map *m = calloc(1, sizeof(*m));

        if (m)
                *m = (struct perf_map){.pid = pid, .started_ns = started_ns};
        return m;
}

static void clear(struct perf_map *m)
{
        for (uint32_t i = 0; i < m->n; i++)
                free(m->entries[i].name);
        m->n = 0;
}

struct perf_map *perf_map_free(struct perf_map *m)
{
        if (!m)
                return NULL;
        clear(m);
        free(m->entries);
        free(m);
        return NULL;
}

static void add(struct perf_map *m, uint64_t start, uint64_t size, char *name)
{
        struct entry *entries = m->entries;

        if (!size || start + size < start || !*name)
                return;
        if (m->n == m->room) {
                uint32_t room = m->room ? 2 * m->room : 256;

                entries = realloc(entries, room * sizeof(*entries));
                if (!entries)
                        return;
                m->entries = entries;
                m->room = room;
        }
        name = text_copy(name, strnlen(name, NAME_BYTES));
        if (!name)
                return;
        entries[m->n] = (struct entry){start, start + size, name, m->n};
        m->n++;
}

static int by_start(const void *a, const void *b)
{
        const struct entry *x = a, *y = b;

        if (x->start != y->start)
                return x->start < y->start ? -1 : 1;
        return x->order < y->order ? -1 : 1;
}

void perf_map_parse(struct perf_map *m, char *text)
{
        char *line, *rest = text;

        clear(m);
        while ((line = strsep(&rest, "\n")) &&
               rest) { /* a last line without its end is not yet whole */
                char *at;
                uint64_t start = strtoull(line, &at, 16), size;

                if (at == line || *at != ' ')
                        continue;
                line = at;
                size = strtoull(line, &at, 16);
                if (at != line && *at == ' ')
                        add(m, start, size, at + 1);
        }
        if (m->n)
                qsort(m->entries, m->n, sizeof(*m->entries), by_start);
}

static uint64_t time_ns(const struct timespec *t)
{
        return (uint64_t)t->tv_sec * 1000000000ull + (uint64_t)t->tv_nsec;
}

static void read_again(struct perf_map *m)
{
        _cleanup_(closep) int fd = -1;
        _cleanup_(freep) char *text = NULL;
        struct stat st;
        char path[64];
        ssize_t n;

        m->looked_ns = clock_mono_ns();
        snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)m->pid);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
            time_ns(&st.st_mtim) < m->started_ns || st.st_size <= m->size ||
            st.st_size > MOST_BYTES)
                return;
        text = malloc((size_t)st.st_size + 1);
        if (!text)
                return;
        n = pread(fd, text, (size_t)st.st_size, 0);
        if (n <= 0)
                return;
        text[n] = '\0';
        m->size = n;
        perf_map_parse(m, text);
}

/* The last that begins at or before the address, and reaches it. */
static const struct entry *search(const struct perf_map *m, uint64_t address)
{
        uint32_t low = 0, high = m->n;

        while (low < high) {
                uint32_t middle = low + (high - low) / 2;

                if (m->entries[middle].start <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low && address < m->entries[low - 1].end ? &m->entries[low - 1] : NULL;
}

bool perf_map_find(struct perf_map *m, uint64_t address, bool is_over, char **ret_name,
                   uint64_t *ret_start)
{
        const struct entry *e = search(m, address);

        if (!e && (is_over || clock_mono_ns() - m->looked_ns > LEAST_BETWEEN_NS)) {
                read_again(m);
                e = search(m, address);
        }
        if (!e || !(*ret_name = strdup(e->name)))
                return false;
        *ret_start = e->start;
        return true;
}
