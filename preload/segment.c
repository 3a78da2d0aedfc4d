/* SPDX-License-Identifier: MIT */
/*
 * The segment of this process: made here, its tables filled here. Tables are
 * append-only; an entry is published by its count. Additions are rare and take
 * one lock; looking up does not.
 */
#include "preload/heap.h"
#include "preload/shape.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

struct ifp_segment *ifp_seg;
uint8_t ifp_wipe[4096] __attribute__((aligned(4096)));
uint32_t ifp_phase, ifp_phase_row;
uint64_t ifp_phase_open = (uint64_t)IFP_OPEN_SET << 48, ifp_phase_child;

static uint32_t tables_lock;
static int memfd = -1;
static uint64_t memfd_inode;

static uint64_t now_ns(int clock)
{
        struct timespec t = {0};

        IFP_SYS(clock_gettime, clock, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* One instant on both clocks: the attempt with the shortest gap between two ticks counts. */
static void read_clocks(uint64_t *ret_ticks, uint64_t *ret_ns)
{
        uint64_t best = ~0ull;

        for (int i = 0; i < 8; i++) {
                uint64_t a = ifp_ticks(), ns = now_ns(CLOCK_MONOTONIC), b = ifp_ticks();

                if (b - a >= best)
                        continue;
                best = b - a;
                *ret_ticks = a + (b - a) / 2;
                *ret_ns = ns;
        }
}

static void calibrate_start(struct ifp_header *h)
{
        read_clocks(&h->start_ticks, &h->start_mono_ns);
        h->start_real_ns = now_ns(CLOCK_REALTIME);
}

/*
 * A first estimate: 1 ms of both clocks is good for about 0.01 %. Both ends are read with care: who
 * is put off the CPU between two reads of one end would be wrong by several times.
 */
static uint64_t ticks_per_second(const struct ifp_header *h)
{
        uint64_t ticks, ns;

        do
                ns = now_ns(CLOCK_MONOTONIC) - h->start_mono_ns;
        while (ns < 1000000);
        read_clocks(&ticks, &ns);
        return (uint64_t)((unsigned __int128)(ticks - h->start_ticks) * 1000000000u /
                          (ns - h->start_mono_ns));
}

/* Our descriptor lies high, out of the way of the engine's numbers. */
static int move_high(int fd)
{
        struct {
                uint64_t soft, hard;
        } limit = {0};
        long high, at;

        IFP_SYS(prlimit64, 0, 7 /* RLIMIT_NOFILE */, NULL, &limit);
        at = limit.soft > 1u << 16 ? 1 << 16 : (long)limit.soft;
        at = at > 64 ? at - 24 : 0;
        high = IFP_SYS(fcntl, fd, F_DUPFD_CLOEXEC, at);
        if (ifp_sys_failed(high))
                return fd;
        IFP_SYS(close, fd);
        return (int)high;
}

/*
 * A limit of file size holds for memory files too, and going beyond it kills:
 * it is raised for the moment, as far as the user may. 0 or a negated errno.
 */
static long set_size(int fd, uint64_t bytes)
{
        struct {
                uint64_t soft, hard;
        } old = {0}, raised;
        long ret = IFP_SYS(prlimit64, 0, RLIMIT_FSIZE, NULL, &old);

        if (ifp_sys_failed(ret) || old.soft >= bytes)
                return IFP_SYS(ftruncate, fd, bytes);
        if (old.hard < bytes)
                return -EFBIG;
        raised = old;
        raised.soft = old.hard;
        ret = IFP_SYS(prlimit64, 0, RLIMIT_FSIZE, &raised, NULL);
        if (ifp_sys_failed(ret))
                return ret;
        ret = IFP_SYS(ftruncate, fd, bytes);
        IFP_SYS(prlimit64, 0, RLIMIT_FSIZE, &old, NULL);
        return ret;
}

/* In a fork child the parent's descriptor is of no use; it is ours only if it is still that file.
 */
static void close_inherited(void)
{
        struct stat st;

        if (memfd >= 0 && !ifp_sys_failed(IFP_SYS(fstat, memfd, &st)) && st.st_ino == memfd_inode)
                IFP_SYS(close, memfd);
        memfd = -1;
}

static void fill_header(struct ifp_segment *seg, uint32_t n_lanes, const struct ifp_segment *parent)
{
        struct ifp_header *h = &seg->header;

        h->magic = IFP_MAGIC;
        h->abi = IFP_ABI_VERSION;
        h->compat = IFP_ABI_COMPAT;
        h->segment_bytes = ifp_segment_bytes(n_lanes);
        h->lane_bytes = sizeof(struct ifp_lane);
        h->lanes_offset = offsetof(struct ifp_segment, lanes);
        h->n_lanes = n_lanes;
        h->record_bytes = sizeof(struct ifp_record);
        h->ring_slots = IFP_RING_SLOTS;
        h->max_ops = IFP_MAX_OPS;
        h->pid = (int32_t)IFP_SYS(getpid);
        h->ppid = (int32_t)IFP_SYS(getppid);
        h->hot_interval = ifp_config.hot_interval;
        h->kernels_level = ifp_config.level;
        h->heap_interval = ifp_config.heap_interval;
        h->flags = ifp_config.header_flags;
        h->mapped_at = (uint64_t)(uintptr_t)seg;
        h->tls_lane_offset = (int64_t)((uint64_t)(uintptr_t)&ifp_tls.lane -
                                       (uint64_t)(uintptr_t)__builtin_thread_pointer());
        IFP_SYS(getrandom, h->uuid, sizeof(h->uuid), 0);
        if (parent)
                ifp_copy(h->parent_uuid, parent->header.uuid, sizeof(h->parent_uuid));
        if (ifp_config.run)
                ifp_strcpy(h->run, ifp_config.run, sizeof(h->run));
        calibrate_start(h);
        if (parent) {
                h->ticks_per_second = parent->header.ticks_per_second;
                h->stamp_ticks = parent->header.stamp_ticks;
                h->span_ticks = parent->header.span_ticks;
        } else {
                h->ticks_per_second = ticks_per_second(h);
        }
        seg->live.phase = ifp_phase;
        seg->live.phase_since = h->start_ticks;
        seg->live.n_ops = IFP_OP_FIRST;
        seg->live.names_bytes = 1;
        seg->live.object_epoch = 1;
        seg->live.n_stacks = 1;
        seg->live.n_waits = 1;
        seg->live.n_types = 1;
        seg->live.n_shapes = 1;
        seg->live.n_layers = 1;
        seg->live.n_moe_layers = 1;
        seg->waits[0].hash = 1; /* "other": complete */
        seg->waits[0].lane = IFP_STACK_SHARED;
        seg->live.unwinding = ifp_unwind_wanted() ? 2 : 0;
        seg->stacks[IFP_STACK_OTHER].hash = 1; /* complete */
        seg->stacks[IFP_STACK_OTHER].lane = IFP_STACK_SHARED;
        seg->tokens.stride = 1;
}

/* A fork child goes on with its parent's numbers for ops, objects and sites. */
static void inherit(struct ifp_segment *seg, const struct ifp_segment *parent)
{
        const struct ifp_live *from = &parent->live;
        struct ifp_live *to = &seg->live;

        to->n_ops = from->n_ops;
        to->n_objects = from->n_objects;
        to->names_bytes = from->names_bytes;
        to->live_bytes = to->peak_bytes = ifp_live_at_fork ? ifp_live_at_fork : from->live_bytes;
        to->daemon_default_switch = from->daemon_default_switch;
        to->n_patterns = from->n_patterns;
        ifp_copy(to->patterns, from->patterns, sizeof(to->patterns));
        ifp_copy(seg->ops, parent->ops, from->n_ops * sizeof(parent->ops[0]));
        ifp_copy(seg->objects, parent->objects, from->n_objects * sizeof(parent->objects[0]));
        ifp_copy(seg->names, parent->names, from->names_bytes);
        ifp_copy(seg->switches, parent->switches, from->n_ops);
        to->object_epoch = from->object_epoch;
        to->unwinding = from->unwinding;
        to->shapes = from->shapes;
        to->n_types = from->n_types;
        ifp_copy(seg->types, parent->types, from->n_types * sizeof(parent->types[0]));
        to->n_counters = from->n_counters;
        ifp_copy(seg->counters, parent->counters, sizeof(seg->counters));
        to->n_markers = from->n_markers;
        to->n_layers = from->n_layers < IFP_MAX_LAYERS ? from->n_layers : IFP_MAX_LAYERS;
        ifp_copy(seg->layers, parent->layers, to->n_layers * sizeof(parent->layers[0]));
        ifp_copy(seg->layer_buckets, parent->layer_buckets, sizeof(seg->layer_buckets));
        ifp_copy(&seg->allocator, &parent->allocator, sizeof(seg->allocator));
        ifp_stacks_inherit(parent, seg);
}

/*
 * Makes the segment and hands it over. In a fork child (`parent` given) it
 * takes the addresses of its parent's, so that what points into it stays
 * right. 0, or a negated errno: then there is none.
 */
int ifp_segment_open(const struct ifp_segment *parent)
{
        static const uint32_t sizes[] = {IFP_MAX_LANES, 256, 64};
        struct ifp_segment *seg = NULL;
        struct stat st = {0};
        long fd, at = -ENOMEM;

        close_inherited();
        fd = IFP_SYS(memfd_create, IFP_SEGMENT_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (ifp_sys_failed(fd))
                return (int)fd;
        fd = move_high((int)fd);
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                uint32_t n = parent ? parent->header.n_lanes : sizes[i];
                uint64_t bytes = ifp_segment_bytes(n);

                at = set_size((int)fd, bytes);
                if (!ifp_sys_failed(at))
                        at = IFP_SYS(mmap, NULL, bytes, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_NORESERVE, fd, 0);
                if (!ifp_sys_failed(at)) {
                        seg = (struct ifp_segment *)at;
                        fill_header(seg, n, parent);
                        break;
                }
                if (parent)
                        break;
        }
        if (!seg) {
                IFP_SYS(close, fd);
                return (int)at;
        }
        IFP_SYS(fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        IFP_SYS(madvise, seg, seg->header.segment_bytes, MADV_DONTDUMP);
        IFP_SYS(fstat, fd, &st);
        memfd = (int)fd;
        memfd_inode = st.st_ino;
        if (parent) {
                uint64_t bytes = seg->header.segment_bytes;

                inherit(seg, parent);
                at = IFP_SYS(mremap, seg, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, parent);
                if (ifp_sys_failed(at))
                        return (int)at;
                seg = (struct ifp_segment *)at;
                seg->header.mapped_at = (uint64_t)at;
        } else {
                /* the fixed ops */
                ifp_seg = seg;
                seg->ops[IFP_OP_NONE].name = ifp_name("(not in any op)");
                seg->ops[IFP_OP_OTHER].name = ifp_name("(other ops)");
                seg->switches[IFP_OP_OTHER] = 1;
        }
        ifp_seg = seg;
        return 0;
}

/* The descriptor of the segment, for the handshake; -1: none. */
int ifp_segment_fd(void)
{
        return memfd;
}

static uint32_t name_add(const char *s)
{
        struct ifp_live *live = &ifp_seg->live;
        uint32_t at = live->names_bytes;
        size_t n = ifp_strlen(s) + 1;

        if (n == 1)
                return 0;
        for (uint32_t i = 1; i < at; i += (uint32_t)ifp_strlen(ifp_seg->names + i) + 1)
                if (!ifp_strcmp(ifp_seg->names + i, s))
                        return i;
        if (n > 2048 || at + n > IFP_NAMES_BYTES)
                return 0;
        ifp_copy(ifp_seg->names + at, s, n);
        __atomic_store_n(&live->names_bytes, at + (uint32_t)n, __ATOMIC_RELEASE);
        return at;
}

uint32_t ifp_name(const char *s)
{
        uint32_t at;

        if (!s || !ifp_seg)
                return 0;
        ifp_lock(&tables_lock);
        at = name_add(s);
        ifp_unlock(&tables_lock);
        return at;
}

/* The number of the op of this name, kernel and library; IFP_OP_OTHER when the table is full. */
uint32_t ifp_op(const char *name, const char *kernel, const char *library, enum ifp_kind kind,
                bool hot, uint32_t engine)
{
        struct ifp_live *live = &ifp_seg->live;
        struct ifp_op op = {.kind = (uint8_t)kind, .hot = hot, .engine = (uint16_t)engine};
        uint32_t i;

        ifp_lock(&tables_lock);
        op.name = name_add(name);
        op.kernel = kernel ? name_add(kernel) : 0;
        op.library = library ? name_add(library) : 0;
        for (i = IFP_OP_FIRST; i < live->n_ops; i++) {
                const struct ifp_op *o = &ifp_seg->ops[i];

                if (o->name == op.name && o->kernel == op.kernel && o->library == op.library &&
                    o->kind == op.kind)
                        break;
        }
        if (i == live->n_ops) {
                if (i == IFP_MAX_OPS || !op.name) {
                        __atomic_fetch_add(&live->ops_refused, 1, __ATOMIC_RELAXED);
                        i = IFP_OP_OTHER;
                } else {
                        ifp_seg->ops[i] = op;
                        ifp_ledger_op(i, kind);
                        ifp_seg->switches[i] = !live->daemon_default_switch;
                        __atomic_store_n(&live->n_ops, i + 1, __ATOMIC_RELEASE);
                }
        }
        ifp_unlock(&tables_lock);
        return i;
}

uint32_t ifp_type(const char *name, uint32_t block, uint32_t block_bytes)
{
        struct ifp_live *live = &ifp_seg->live;
        struct ifp_type type = {.block = block, .block_bytes = block_bytes};
        uint32_t i;

        ifp_lock(&tables_lock);
        type.name = name ? name_add(name) : 0;
        for (i = 1; i < live->n_types; i++)
                if (ifp_seg->types[i].name == type.name && ifp_seg->types[i].block == block &&
                    ifp_seg->types[i].block_bytes == block_bytes)
                        break;
        if (!type.name || i == IFP_MAX_TYPES) {
                i = 0;
        } else if (i == live->n_types) {
                ifp_seg->types[i] = type;
                __atomic_store_n(&live->n_types, i + 1, __ATOMIC_RELEASE);
        }
        ifp_unlock(&tables_lock);
        return i;
}

uint32_t ifp_object_add(const char *path, uint64_t base, uint64_t start, uint64_t end,
                        uint32_t load)
{
        uint32_t i, n;

        if (!ifp_seg)
                return UINT32_MAX;
        ifp_lock(&tables_lock);
        n = ifp_seg->live.n_objects;
        /* A load that ended gives its place up when the table is full; sites keep the path. */
        for (i = n; i == IFP_MAX_OBJECTS && n--;)
                if (ifp_seg->objects[n].closed) /* stacks that lay in it cannot be told any more */
                        i = n;
        if (i < IFP_MAX_OBJECTS) {
                struct ifp_object *o = &ifp_seg->objects[i];

                o->path = name_add(path);
                o->base = base;
                o->start = start;
                o->end = end;
                o->load = load;
                o->opened = ifp_seg->live.object_epoch;
                o->closed = 0;
                if (i == ifp_seg->live.n_objects)
                        __atomic_store_n(&ifp_seg->live.n_objects, i + 1, __ATOMIC_RELEASE);
        } else {
                i = UINT32_MAX;
        }
        ifp_unlock(&tables_lock);
        return i;
}

/* Stacks taken from now on are told apart from those before: another object may lie there next. */
void ifp_object_close(uint32_t index)
{
        uint32_t epoch;

        if (!ifp_seg || index >= IFP_MAX_OBJECTS)
                return;
        epoch = __atomic_add_fetch(&ifp_seg->live.object_epoch, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&ifp_seg->objects[index].closed, epoch, __ATOMIC_RELEASE);
}

/* Index + 1; 0: there are too many, this one is not told of. */
uint32_t ifp_pattern_add(const char *text)
{
        struct ifp_live *live = &ifp_seg->live;
        uint32_t n = live->n_patterns;

        if (n == IFP_MAX_PATTERNS)
                return 0;
        live->patterns[n] = (struct ifp_pattern){.text = ifp_name(text)};
        __atomic_store_n(&live->n_patterns, n + 1, __ATOMIC_RELEASE);
        return n + 1;
}

void ifp_phase_set(uint32_t phase)
{
        struct ifp_live *live = &ifp_seg->live;
        uint64_t now;

        if (phase == ifp_phase)
                return;
        ifp_lock(&tables_lock);
        now = ifp_ticks();
        live->phase_ticks[ifp_phase] += now - live->phase_since;
        live->phase_since = now;
        __atomic_store_n(&live->phase, phase, __ATOMIC_RELEASE);
        ifp_phase = phase;
        ifp_phase_row = phase * (uint32_t)sizeof(struct ifp_time_row);
        ifp_phase_child = (uint64_t)phase << 56;
        ifp_phase_open = ifp_phase_child | (uint64_t)IFP_OPEN_SET << 48 | ifp_phase_row;
        ifp_unlock(&tables_lock);
}

/* In a fork child: another thread may have held it. */
void ifp_tables_after_fork(void)
{
        tables_lock = 0;
}
