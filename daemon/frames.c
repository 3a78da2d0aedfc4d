/* SPDX-License-Identifier: MIT */
/*
 * Logical frames of return addresses: which object they lie in is said by the
 * segment's table of objects, which function and line by the symboliser (symboliser.c):
 * from the object's file (symbol.c), and of code that was generated at run time from the list
 * that some runtimes keep in /tmp/perf-PID.map (perf-map.c). Each address is looked up once. The
 * budget is time; who has none left, or gets no answer within it, asks again.
 */
#include "daemon/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/runfile.h"
#include "daemon/clock.h"
#include "daemon/process.h"
#include "daemon/symboliser.h"

#define MOST_WAIT_US 2000000u /* for one address */

struct frame {
        char *function, *file;
        uint32_t library; /* index + 1 into libraries; 0: none */
        uint32_t line;
        uint64_t offset;
        bool inlined, changed; /* changed: since it was written */
};

/* An address in one object, and what came of it. */
struct known {
        uint64_t address; /* return address */
        uint32_t epoch;   /* that it was asked with first */
        uint32_t object;  /* index; UINT32_MAX: in none */
        uint32_t load;
        uint32_t first, n; /* its frames */
        uint32_t next;     /* in its bucket: index + 1 */
};

struct frames {
        struct frame *frames;
        uint32_t n, room, written, first;
        struct known *known;
        uint32_t n_known, room_known;
        uint32_t *buckets;
        uint32_t n_buckets; /* a power of two */
        char **libraries;
        uint32_t n_libraries;
        bool hurry;
        uint32_t n_changed, retried; /* retried: of `known`, in this round */
};

struct frames *frames_new(void)
{
        return calloc(1, sizeof(struct frames));
}

struct frames *frames_free(struct frames *f)
{
        if (!f)
                return NULL;
        for (uint32_t i = 0; i < f->n; i++) {
                free(f->frames[i].function);
                free(f->frames[i].file);
        }
        for (uint32_t i = 0; i < f->n_libraries; i++)
                free(f->libraries[i]);
        free(f->libraries);
        free(f->frames);
        free(f->known);
        free(f->buckets);
        free(f);
        return NULL;
}

void frames_begin_at(struct frames *f, uint32_t id)
{
        f->first = id;
}

void frames_hurry(struct frames *f)
{
        f->hurry = true;
}

/* ---- what is known already ----------------------------------------------------- */

static uint32_t bucket_of(const struct frames *f, uint64_t address)
{
        return (uint32_t)((address * 0x9e3779b97f4a7c15ull) >> 32) & (f->n_buckets - 1);
}

static int grow_known(struct frames *f)
{
        uint32_t room = f->room_known ? 2 * f->room_known : 256;
        struct known *known = realloc(f->known, room * sizeof(*known));
        uint32_t *buckets;

        if (!known)
                return -ENOMEM;
        f->known = known;
        buckets = calloc(room, sizeof(*buckets));
        if (!buckets)
                return -ENOMEM;
        free(f->buckets);
        f->buckets = buckets;
        f->n_buckets = f->room_known = room;
        for (uint32_t i = 0; i < f->n_known; i++) {
                uint32_t *b = &f->buckets[bucket_of(f, f->known[i].address)];

                f->known[i].next = *b;
                *b = i + 1;
        }
        return 0;
}

static const struct known *look_up(const struct frames *f, uint64_t address, uint32_t object,
                                   uint32_t load)
{
        if (!f->n_buckets)
                return NULL;
        for (uint32_t i = f->buckets[bucket_of(f, address)]; i; i = f->known[i - 1].next) {
                const struct known *k = &f->known[i - 1];

                if (k->address == address && k->object == object && k->load == load)
                        return k;
        }
        return NULL;
}

static int keep_known(struct frames *f, const struct known *k)
{
        uint32_t *b;
        int r;

        if (f->n_known == f->room_known) {
                r = grow_known(f);
                if (r < 0)
                        return r;
        }
        b = &f->buckets[bucket_of(f, k->address)];
        f->known[f->n_known] = *k;
        f->known[f->n_known].next = *b;
        *b = ++f->n_known;
        return 0;
}

/* ---- looking up --------------------------------------------------------------------- */

/* The object that held `address` in `epoch`; UINT32_MAX: none. The byte before it is the call's. */
static uint32_t object_of(struct process *p, uint64_t address, uint32_t epoch,
                          struct ifp_object *ret)
{
        for (uint32_t i = 0; i < p->counts.n_objects; i++) {
                const struct ifp_object *from = &p->segment.map->objects[i];
                struct ifp_object o = {
                        .base = __atomic_load_n(&from->base, __ATOMIC_RELAXED),
                        .start = __atomic_load_n(&from->start, __ATOMIC_RELAXED),
                        .end = __atomic_load_n(&from->end, __ATOMIC_RELAXED),
                        .path = __atomic_load_n(&from->path, __ATOMIC_RELAXED),
                        .load = __atomic_load_n(&from->load, __ATOMIC_RELAXED),
                        .closed = __atomic_load_n(&from->closed, __ATOMIC_ACQUIRE),
                        .opened = __atomic_load_n(&from->opened, __ATOMIC_RELAXED),
                };

                if (address <= o.start || address > o.end || o.opened > epoch ||
                    (o.closed && o.closed <= epoch))
                        continue;
                *ret = o;
                return i;
        }
        return UINT32_MAX;
}

/* Index + 1; 0: no memory. */
static uint32_t library(struct frames *f, const char *path)
{
        char **list;

        for (uint32_t i = 0; i < f->n_libraries; i++)
                if (!strcmp(f->libraries[i], path))
                        return i + 1;
        list = realloc(f->libraries, (f->n_libraries + 1) * sizeof(*list));
        if (!list)
                return 0;
        f->libraries = list;
        list[f->n_libraries] = strdup(path);
        return list[f->n_libraries] ? ++f->n_libraries : 0;
}

/* Room for the frames of one address. */
static int grow_frames(struct frames *f)
{
        uint32_t room = f->room ? 2 * f->room : 256;
        struct frame *frames;

        if (f->n + SYMBOL_MOST <= f->room)
                return 0;
        frames = realloc(f->frames, room * sizeof(*frames));
        if (!frames)
                return -ENOMEM;
        f->frames = frames;
        f->room = room;
        return 0;
}

/*
 * Frames of one address: what a file or a list of generated code tells of it, else where it lies.
 * 0; SYMBOL_E_LATER; SEGMENT_E_BAD; -errno.
 */
static int resolve(struct frames *f, struct process *p, const struct ifp_object *o,
                   uint64_t address, bool is_now, uint64_t wait_us, const char **ret_why)
{
        struct symboliser_question q = {.address = address - 1,
                                        .base = o ? o->base : 0,
                                        .pid = p->pid,
                                        .started_ns = p->segment.header.start_real_ns,
                                        .is_now = is_now};
        _cleanup_(freep) char *path = NULL, *found = NULL;
        struct symbol symbols[SYMBOL_MOST];
        uint32_t n = 0, at;
        int r;

        r = o ? segment_name(&p->segment, &p->counts, o->path, &path, ret_why) : 0;
        if (r)
                return r;
        q.path = path;
        r = f->hurry ? SYMBOL_E_UNKNOWN : symboliser_find(&q, wait_us, symbols, &n, &found);
        if (r && r != SYMBOL_E_UNKNOWN)
                return r;
        if (!n)
                symbols[n++] = (struct symbol){.offset = (o ? address - o->base : address) - 1};
        at = library(f, path ? path : found ? found : "[jit]");
        for (uint32_t i = 0; i < n; i++)
                f->frames[f->n++] = (struct frame){.function = symbols[i].function,
                                                   .file = symbols[i].file,
                                                   .line = symbols[i].line,
                                                   .offset = symbols[i].offset + 1,
                                                   .inlined = symbols[i].inlined,
                                                   .library = at};
        return 0;
}

/* What a caller's budget buys, and what is left of it after so much time. */
static uint64_t wait_of(unsigned budget)
{
        uint64_t us = (uint64_t)budget * FRAMES_UNIT_US;

        return us < MOST_WAIT_US ? us : MOST_WAIT_US;
}

static unsigned less(unsigned budget, uint64_t took_ns)
{
        uint64_t units = 1 + took_ns / (FRAMES_UNIT_US * 1000);

        return budget > units ? budget - (unsigned)units : 0;
}

/* Where the stack was taken before the last object went, its addresses may be others' by now. */
static bool is_now(const struct process *p, uint32_t epoch)
{
        return p->state == PROCESS_LIVE &&
               epoch == __atomic_load_n(&p->segment.map->live.object_epoch, __ATOMIC_ACQUIRE);
}

int frames_find(struct frames *f, struct process *p, uint64_t return_address, uint32_t epoch,
                uint32_t *ret_ids, uint32_t room, unsigned *budget, const char **ret_why)
{
        struct ifp_object o = {0};
        struct known new = {.address = return_address, .epoch = epoch, .first = f->n};
        const struct known *k;
        int r;

        new.object = object_of(p, return_address, epoch, &o);
        new.load = o.load;
        k = look_up(f, return_address, new.object, new.load);
        if (!k) {
                uint64_t began = clock_mono_ns();

                if (!*budget)
                        return 0;
                r = grow_frames(f);
                if (!r)
                        r = resolve(f, p, new.object == UINT32_MAX ? NULL : &o, return_address,
                                    is_now(p, epoch), wait_of(*budget), ret_why);
                *budget = less(*budget, clock_mono_ns() - began);
                if (r == SYMBOL_E_LATER) {
                        *budget = 0;
                        return 0;
                }
                if (r)
                        return r < 0 ? r : -EBADMSG;
                new.n = f->n - new.first;
                r = keep_known(f, &new);
                if (r < 0)
                        return r;
                k = &f->known[f->n_known - 1];
        }
        room = room < k->n ? room : k->n;
        for (uint32_t i = 0; i < room; i++)
                ret_ids[i] = f->first + k->first + i;
        return (int)room;
}

/* A name that has come since; 0, or SYMBOL_E_LATER. */
static int retry(struct frames *f, const struct process *p, const struct known *k, bool is_over,
                 uint64_t wait_us)
{
        struct symboliser_question q = {.address = k->address - 1,
                                        .pid = p->pid,
                                        .started_ns = p->segment.header.start_real_ns,
                                        .is_over = is_over};
        struct frame *to = &f->frames[k->first];
        struct symbol symbols[SYMBOL_MOST];
        char *library;
        uint32_t n;
        int r;

        if (k->object != UINT32_MAX || to->function)
                return 0;
        r = symboliser_find(&q, wait_us, symbols, &n, &library);
        if (r)
                return r == SYMBOL_E_LATER ? r : 0;
        to->function = symbols[n - 1].function;
        to->offset = symbols[n - 1].offset + 1;
        symbols[n - 1].function = NULL;
        symbols_done(symbols, n);
        free(library);
        to->changed = true;
        f->n_changed++;
        return 0;
}

bool frames_retry(struct frames *f, const struct process *p, bool is_over, unsigned budget)
{
        while (budget && f->retried < f->n_known && !f->hurry) {
                uint64_t began = clock_mono_ns();

                if (retry(f, p, &f->known[f->retried], is_over, wait_of(budget)))
                        return false;
                f->retried++;
                if (f->known[f->retried - 1].object == UINT32_MAX)
                        budget = less(budget, clock_mono_ns() - began);
        }
        if (f->retried < f->n_known && !f->hurry)
                return false;
        f->retried = 0;
        return true;
}

bool frames_get(const struct frames *f, uint32_t id, struct runfile_frame *ret)
{
        const struct frame *from;

        if (id < f->first || id - f->first >= f->n)
                return false;
        from = &f->frames[id - f->first];
        *ret = (struct runfile_frame){.frame = id,
                                      .function = from->function,
                                      .library = from->library ? f->libraries[from->library - 1]
                                                               : NULL,
                                      .offset = from->offset & INT64_MAX,
                                      .file = from->file,
                                      .line = from->line,
                                      .inlined = from->inlined};
        return true;
}

int frames_flush(const struct frames *f, struct runfile *rf, uint32_t process_index)
{
        int r = 0;

        for (uint32_t i = f->n_changed ? 0 : f->written; !r && i < f->n; i++) {
                struct runfile_frame row;

                if (i < f->written && !f->frames[i].changed)
                        continue;
                frames_get(f, f->first + i, &row);
                row.process = process_index;
                r = runfile_put_frame(rf, &row);
        }
        return r;
}

void frames_written(struct frames *f)
{
        for (uint32_t i = 0; f->n_changed && i < f->n; i++)
                f->frames[i].changed = false;
        f->n_changed = 0;
        f->written = f->n;
}
