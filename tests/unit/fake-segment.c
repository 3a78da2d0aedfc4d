/* SPDX-License-Identifier: MIT */
/*
 * Written from the ABI's headers alone, so that it is a second opinion on
 * them beside the shim. Not fast where the shim must be, but as correct.
 */
#include "fake-segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <infprof/handshake.h>

static void must(bool ok, const char *what)
{
        if (ok)
                return;
        fprintf(stderr, "fake segment: %s: %s\n", what, strerror(errno));
        abort();
}

static uint64_t now_ns(clockid_t id)
{
        struct timespec t;

        clock_gettime(id, &t);
        return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t measure_rate(void)
{
        uint64_t ns = now_ns(CLOCK_MONOTONIC), ticks = ifp_ticks();
        struct timespec t = {.tv_nsec = 20000000};

        nanosleep(&t, NULL);
        ticks = ifp_ticks() - ticks;
        ns = now_ns(CLOCK_MONOTONIC) - ns;
        return (uint64_t)((double)ticks * 1e9 / (double)ns);
}

static void fill_header(struct fake *f, uint32_t n_lanes)
{
        struct ifp_header *h = &f->seg->header;

        h->abi = IFP_ABI_VERSION;
        h->compat = IFP_ABI_COMPAT;
        h->segment_bytes = f->bytes;
        h->lane_bytes = sizeof(struct ifp_lane);
        h->lanes_offset = offsetof(struct ifp_segment, lanes);
        h->n_lanes = n_lanes;
        h->record_bytes = sizeof(struct ifp_record);
        h->ring_slots = IFP_RING_SLOTS;
        h->max_ops = IFP_MAX_OPS;
        h->pid = getpid();
        h->ppid = getppid();
        must(getrandom(h->uuid, sizeof(h->uuid), 0) == sizeof(h->uuid), "getrandom");
        if (getenv("INFPROF_RUN"))
                strncpy(h->run, getenv("INFPROF_RUN"), sizeof(h->run) - 1);
        h->ticks_per_second = measure_rate();
        h->start_real_ns = now_ns(CLOCK_REALTIME);
        h->start_ticks = ifp_ticks();
        h->start_mono_ns = now_ns(CLOCK_MONOTONIC);
        h->span_ticks = 50;
        h->stamp_ticks = 20;
        h->magic = IFP_MAGIC;
}

void fake_new(struct fake *f, uint32_t n_lanes)
{
        *f = (struct fake){.bytes = ifp_segment_bytes(n_lanes)};
        f->fd = memfd_create(IFP_SEGMENT_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        must(f->fd >= 0 && !ftruncate(f->fd, (off_t)f->bytes), "memfd");
        must(!fcntl(f->fd, F_ADD_SEALS, F_SEAL_SHRINK), "seal");
        f->seg = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
        must(f->seg != MAP_FAILED, "mmap");
        fill_header(f, n_lanes);
        f->seg->live.names_bytes = 1;
        f->seg->live.n_ops = IFP_OP_FIRST;
        f->seg->live.phase_since = f->seg->header.start_ticks;
        f->seg->live.object_epoch = 1;
        f->seg->live.n_stacks = 1;
        f->seg->stacks[IFP_STACK_OTHER].hash = 1;
        f->seg->tokens.stride = 1;
        f->seg->header.flags = IFP_HEADER_WAITS;
        f->seg->live.n_waits = 1;
}

void fake_free(struct fake *f)
{
        munmap(f->seg, f->bytes);
        close(f->fd);
}

uint32_t fake_name(struct fake *f, const char *name)
{
        uint32_t at = f->seg->live.names_bytes;
        size_t n = strlen(name) + 1;

        must(at + n <= IFP_NAMES_BYTES, "names are full");
        memcpy(f->seg->names + at, name, n);
        __atomic_store_n(&f->seg->live.names_bytes, at + (uint32_t)n, __ATOMIC_RELEASE);
        return at;
}

uint32_t fake_op(struct fake *f, const char *name, enum ifp_kind kind)
{
        uint32_t i = f->seg->live.n_ops;

        must(i < IFP_MAX_OPS, "ops are full");
        f->seg->ops[i].name = fake_name(f, name);
        f->seg->ops[i].kind = (uint8_t)kind;
        f->seg->switches[i] = 1;
        __atomic_store_n(&f->seg->live.n_ops, i + 1, __ATOMIC_RELEASE);
        return i;
}

void fake_lane_begin(struct fake *f, uint32_t lane, int tid)
{
        struct ifp_lane *l = &f->seg->lanes[lane];

        if (f->seg->live.n_lanes_used <= lane)
                __atomic_store_n(&f->seg->live.n_lanes_used, lane + 1, __ATOMIC_RELEASE);
        l->gen++;
        l->tid = tid;
        l->start_ticks = ifp_ticks();
        l->end_ticks = 0;
        l->name[0] = '\0';
        __atomic_store_n(&l->state, IFP_LANE_LIVE, __ATOMIC_RELEASE);
}

void fake_lane_end(struct fake *f, uint32_t lane)
{
        struct ifp_lane *l = &f->seg->lanes[lane];

        snprintf(l->name, sizeof(l->name), "lane-%u", lane);
        l->end_ticks = ifp_ticks();
        __atomic_store_n(&l->state, IFP_LANE_ENDED, __ATOMIC_RELEASE);
}

static uint32_t block_take(struct fake *f)
{
        uint32_t i = __atomic_fetch_add(&f->seg->live.n_blocks, 1, __ATOMIC_RELAXED);

        must(i < IFP_POOL_BLOCKS, "the pool is empty");
        return i + 1;
}

static void fold_value(struct fake *f, uint32_t *slot, uint64_t v)
{
        uint32_t index = ifp_hist_index(v);
        struct ifp_fold *b;

        if (!*slot) {
                uint32_t block = block_take(f);

                f->seg->pool[block - 1].fold.min = UINT64_MAX;
                __atomic_store_n(slot, block, __ATOMIC_RELEASE);
        }
        b = &f->seg->pool[*slot - 1].fold;
        slot = &b->octave[index / IFP_HIST_SUB];
        if (!*slot)
                __atomic_store_n(slot, block_take(f), __ATOMIC_RELEASE);
        f->seg->pool[*slot - 1].bucket[index % IFP_HIST_SUB]++;
        b->count++;
        b->total += v;
        if (v < b->min)
                b->min = v;
        if (v > b->max)
                b->max = v;
}

bool fake_span(struct fake *f, uint32_t lane, uint32_t op, uint32_t phase, uint64_t dur,
               uint64_t child)
{
        struct ifp_lane *l = &f->seg->lanes[lane];
        struct ifp_time_row *row = &l->time[op][phase];
        struct ifp_record record;

        ifp_local_add(&row->timed, 1);
        ifp_local_add(&row->total, dur);
        ifp_local_add(&row->child, child);
        record = (struct ifp_record){.start = ifp_ticks(),
                                     .dur_op = dur | (uint64_t)op << 48,
                                     .child = child | (uint64_t)phase << 56};
        if (ifp_ring_push(&l->writer, &l->reader, l->ring, &record))
                return true;
        ifp_local_add(&l->n_folded, 1);
        fold_value(f, &l->fold[op][phase], dur);
        return false;
}

static uint32_t size_class(uint64_t usable)
{
        uint32_t c = 0;

        while (usable >>= 1)
                c++;
        return c < IFP_SIZE_CLASSES ? c : IFP_SIZE_CLASSES - 1;
}

void fake_alloc(struct fake *f, uint32_t lane, uint32_t op, uint32_t phase, uint64_t asked,
                uint64_t usable)
{
        struct ifp_lane *l = &f->seg->lanes[lane];
        struct ifp_alloc_row *row = &l->alloc[op][phase];
        uint32_t c = size_class(usable);

        ifp_local_add(&row->calls, 1);
        ifp_local_add(&row->asked_bytes, asked);
        ifp_local_add(&row->usable_bytes, usable);
        ifp_local_add(&l->memory.alloc_usable, usable);
        ifp_local_add(&l->memory.calls[c], 1);
        ifp_local_add(&l->memory.asked_bytes[c], asked);
        ifp_local_add(&l->memory.usable_bytes[c], usable);
}

void fake_release(struct fake *f, uint32_t lane, uint32_t op, uint32_t phase, uint64_t usable)
{
        struct ifp_lane *l = &f->seg->lanes[lane];

        ifp_local_add(&l->alloc[op][phase].frees, 1);
        ifp_local_add(&l->alloc[op][phase].freed_bytes, usable);
        ifp_local_add(&l->memory.freed_usable, usable);
        ifp_local_add(&l->memory.frees[size_class(usable)], 1);
}

void fake_flush(struct fake *f, uint32_t lane)
{
        struct ifp_lane_memory *m = &f->seg->lanes[lane].memory;
        int64_t bytes = (int64_t)(m->alloc_usable - m->freed_usable) - m->flushed_bytes;

        m->flushed_bytes += bytes;
        __atomic_fetch_add(&f->seg->live.live_bytes, bytes, __ATOMIC_RELAXED);
}

uint32_t fake_stack(struct fake *f, uint32_t op, uint32_t phase, const uint64_t *addresses,
                    uint16_t n)
{
        uint32_t i = __atomic_fetch_add(&f->seg->live.n_stacks, 1, __ATOMIC_RELAXED);
        uint32_t first = __atomic_fetch_add(&f->seg->live.n_frames, n, __ATOMIC_RELAXED);
        struct ifp_stack *s = &f->seg->stacks[i];

        must(i < IFP_MAX_STACKS && first + n <= IFP_MAX_FRAMES, "stacks are full");
        memcpy(&f->seg->frames[first], addresses, n * sizeof(*addresses));
        s->first_frame = first;
        s->n_frames = n;
        s->op = (uint16_t)op;
        s->phase = (uint8_t)phase;
        s->epoch = f->seg->live.object_epoch;
        __atomic_store_n(&s->hash, 1000 + i, __ATOMIC_RELEASE);
        return i;
}

/* ---- waits, spawns, decode steps ---- */

uint32_t fake_wait(struct fake *f, uint16_t lane, enum ifp_wait_kind kind, uint64_t object,
                   uint32_t stack, uint32_t op, uint32_t phase)
{
        uint32_t i = __atomic_fetch_add(&f->seg->live.n_waits, 1, __ATOMIC_RELAXED);
        struct ifp_wait *w = &f->seg->waits[i];

        must(i < IFP_MAX_WAITS, "waits are full");
        w->stack = stack;
        w->object = object;
        w->op = (uint16_t)op;
        w->phase = (uint8_t)phase;
        w->kind = (uint8_t)kind;
        w->lane = lane;
        __atomic_store_n(&w->hash, 1000 + i, __ATOMIC_RELEASE);
        return i;
}

static struct ifp_wait_by *by_of(struct fake *f, struct ifp_wait *w, int lane)
{
        uint32_t gen = f->seg->lanes[lane].gen;

        for (uint32_t k = 0; k < IFP_WAIT_BY; k++) {
                if (w->by[k].gen == gen && w->by[k].lane == lane)
                        return &w->by[k];
                if (w->by[k].gen)
                        continue;
                w->by[k].lane = (uint16_t)lane;
                __atomic_store_n(&w->by[k].gen, gen, __ATOMIC_RELEASE);
                return &w->by[k];
        }
        return NULL;
}

void fake_waited(struct fake *f, uint32_t wait, uint64_t ticks, int for_lane)
{
        struct ifp_wait *w = &f->seg->waits[wait];
        struct ifp_wait_by *by = for_lane >= 0 ? by_of(f, w, for_lane) : NULL;

        w->count++;
        w->ticks += ticks;
        if (by) {
                by->count++;
                by->ticks += ticks;
        } else if (for_lane >= 0) {
                w->others++;
                w->others_ticks += ticks;
        } else {
                w->unknown++;
                w->unknown_ticks += ticks;
        }
        fold_value(f, &w->fold, ticks);
        if (w->lane != IFP_STACK_SHARED) {
                struct ifp_lane_waits *l = &f->seg->lanes[w->lane].waits;

                l->count[w->kind]++;
                l->ticks[w->kind] += ticks;
        }
}

void fake_wait_begin(struct fake *f, uint32_t lane, uint32_t wait)
{
        struct ifp_lane_waits *l = &f->seg->lanes[lane].waits;

        l->entry = wait;
        l->kind = f->seg->waits[wait].kind;
        l->object = f->seg->waits[wait].object;
        __atomic_store_n(&l->since, ifp_ticks(), __ATOMIC_RELEASE);
}

void fake_wait_end(struct fake *f, uint32_t lane)
{
        __atomic_store_n(&f->seg->lanes[lane].waits.since, 0, __ATOMIC_RELEASE);
}

uint32_t fake_site(struct fake *f, enum ifp_spawn_kind kind, uint64_t address, uint32_t stack,
                   uint32_t op, uint32_t phase)
{
        uint32_t i = f->seg->live.n_sites;
        struct ifp_site *s = &f->seg->sites[i];

        must(i < IFP_MAX_SITES, "sites are full");
        s->offset = address;
        s->object = UINT32_MAX;
        s->stack = stack;
        s->op = (uint16_t)op;
        s->phase = (uint8_t)phase;
        s->kind = (uint8_t)kind;
        __atomic_store_n(&f->seg->live.n_sites, i + 1, __ATOMIC_RELEASE);
        return i;
}

uint32_t fake_type(struct fake *f, const char *name, uint32_t block, uint32_t block_bytes)
{
        uint32_t i = f->seg->live.n_types ? f->seg->live.n_types : 1;

        must(i < IFP_MAX_TYPES, "types are full");
        f->seg->types[i] = (struct ifp_type){
                .name = fake_name(f, name), .block = block, .block_bytes = block_bytes};
        __atomic_store_n(&f->seg->live.n_types, i + 1, __ATOMIC_RELEASE);
        return i;
}

uint32_t fake_shape(struct fake *f, uint32_t op, uint32_t parts, uint32_t type, uint32_t n,
                    const uint64_t (*ne)[4])
{
        uint32_t i = f->seg->live.n_shapes ? f->seg->live.n_shapes : 1;
        struct ifp_shape *s = &f->seg->shapes[i];

        must(i < IFP_MAX_SHAPES && n <= IFP_SHAPE_OPERANDS, "shapes are full");
        s->op = (uint16_t)op;
        s->parts = (uint16_t)parts;
        s->n_operands = (uint8_t)n;
        for (uint32_t k = 0; k < n; k++) {
                s->at[k].type = (uint16_t)type;
                memcpy(s->at[k].ne, ne[k], sizeof(s->at[k].ne));
        }
        __atomic_store_n(&s->hash, i, __ATOMIC_RELEASE);
        __atomic_store_n(&f->seg->live.n_shapes, i + 1, __ATOMIC_RELEASE);
        return i;
}

void fake_shaped(struct fake *f, uint32_t lane, uint32_t shape, uint32_t phase, uint64_t dur,
                 uint64_t child)
{
        struct ifp_shape_row *r = &f->seg->lanes[lane].shapes[shape][phase];

        r->calls++;
        r->total += dur;
        r->child += child;
}

uint32_t fake_layer(struct fake *f, uint32_t op, uint32_t layer, enum ifp_part part)
{
        uint32_t i = f->seg->live.n_layers ? f->seg->live.n_layers : 1;
        struct ifp_layer *l = &f->seg->layers[i];

        must(i < IFP_MAX_LAYERS, "layers are full");
        l->op = (uint16_t)op;
        l->layer = (uint16_t)layer;
        l->part = (uint8_t)part;
        __atomic_store_n(&l->ready, 1, __ATOMIC_RELEASE);
        __atomic_store_n(&f->seg->live.n_layers, i + 1, __ATOMIC_RELEASE);
        return i;
}

void fake_layered(struct fake *f, uint32_t lane, uint32_t layer, uint32_t phase, uint64_t dur,
                  uint64_t child)
{
        struct ifp_shape_row *r = &f->seg->lanes[lane].layers[layer][phase];

        r->calls++;
        r->total += dur;
        r->child += child;
}

uint32_t fake_moe_layer(struct fake *f, uint32_t layer, uint32_t n_experts)
{
        uint32_t i = f->seg->live.n_moe_layers ? f->seg->live.n_moe_layers : 1;
        struct ifp_moe_layer *l = &f->seg->moe_layers[i];

        must(i < IFP_MAX_MOE_LAYERS, "layers with experts are full");
        l->layer = (uint16_t)layer;
        l->n_experts = (uint16_t)n_experts;
        l->first = f->seg->live.n_expert_cells;
        f->seg->live.n_expert_cells += n_experts;
        __atomic_store_n(&l->ready, 1, __ATOMIC_RELEASE);
        __atomic_store_n(&f->seg->live.n_moe_layers, i + 1, __ATOMIC_RELEASE);
        return i;
}

void fake_choices(struct fake *f, uint32_t entry, uint32_t phase, const uint32_t *experts,
                  uint32_t n)
{
        struct ifp_moe_layer *l = &f->seg->moe_layers[entry];
        struct ifp_moe_sums *s = &l->phase[phase];

        for (uint32_t i = 0; i < n; i++)
                f->seg->expert_choices[phase][l->first + experts[i]]++;
        s->tokens++;
        s->choices += n;
        s->distinct += n;
        s->steps_known++;
        s->steps++;
}

void fake_spawn(struct fake *f, uint32_t site, uint64_t cost, uint64_t life, uint64_t cpu_ns)
{
        struct ifp_site *s = &f->seg->sites[site];

        s->count++;
        s->cost_ticks += cost;
        s->peak = s->peak ? s->peak : 1;
        s->ended++;
        s->life_ticks += life;
        s->cpu_ns += cpu_ns;
        fold_value(f, &s->cost_fold, cost);
        fold_value(f, &s->life_fold, life);
}

bool fake_step(struct fake *f, uint32_t lane, uint64_t wall, const uint64_t *rows)
{
        struct ifp_ledger_sums *s = &f->seg->ledger;
        struct ifp_lane_ledger *l = &f->seg->lanes[lane].ledger;
        struct ifp_token_record t = {.end = ifp_ticks(),
                                     .n_tokens = 1,
                                     .lane = (uint16_t)lane,
                                     .n_threads = 1,
                                     .all_ticks = wall,
                                     .minor_faults = UINT32_MAX};
        uint64_t left = wall;
        bool fits = s->head - s->tail < IFP_TOKEN_RING;

        t.start = t.end - wall;
        for (uint32_t r = 0; r < IFP_N_LEDGER; r++)
                left -= r == IFP_LEDGER_COMPUTE ? 0 : rows[r];
        for (uint32_t w = 0; w < IFP_N_LEDGER_WHO; w++) {
                for (uint32_t r = 0; r < IFP_N_LEDGER; r++) {
                        t.rows[w][r] = r == IFP_LEDGER_COMPUTE ? left : rows[r];
                        s->rows[w][r] += t.rows[w][r];
                }
        }
        l->steps++;
        l->wall_ticks += wall;
        for (uint32_t r = 0; r < IFP_N_LEDGER; r++)
                l->rows[r] += t.rows[IFP_LEDGER_ALL][r];
        s->steps++;
        s->tokens++;
        s->wall_ticks += wall;
        s->all_ticks += wall;
        f->seg->live.generated_tokens++;
        if (fits) {
                struct ifp_token_record *to = &f->seg->token_ring[s->head % IFP_TOKEN_RING];

                *to = t;
                __atomic_store_n(&to->number, s->head + 1, __ATOMIC_RELEASE);
                __atomic_store_n(&s->head, s->head + 1, __ATOMIC_RELEASE);
        } else {
                s->dropped++;
        }
        return fits;
}

static int send_hello(int fd, const struct fake *f)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        struct ifp_hello hello = {.magic = IFP_HELLO_MAGIC,
                                  .abi = IFP_ABI_VERSION,
                                  .segment_bytes = f->seg->header.segment_bytes};
        struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof(control.bytes)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &f->fd, sizeof(int));
        return sendmsg(fd, &m, MSG_NOSIGNAL) == sizeof(hello) ? 0 : -1;
}

bool fake_hello(const struct fake *f)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        const char *base = getenv("XDG_RUNTIME_DIR");
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        char answer;
        bool ok;

        if (base)
                snprintf(a.sun_path, sizeof(a.sun_path),
                         "%s/" IFP_RUNTIME_SUBDIR "/" IFP_SHIM_SOCKET, base);
        else
                snprintf(a.sun_path, sizeof(a.sun_path), IFP_RUNTIME_FALLBACK "%u/" IFP_SHIM_SOCKET,
                         (unsigned)geteuid());
        ok = fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof(a)) && !send_hello(fd, f) &&
             recv(fd, &answer, 1, 0) == 1;
        close(fd);
        return ok;
}

/* Takes a position without completing it, as if its writer had stopped in the midst. */
bool fake_reserve(struct ifp_lane *l, uint64_t *ret_position)
{
        uint64_t head = l->writer.head;

        if (head - l->reader.tail >= IFP_RING_SLOTS)
                return false;
        *ret_position = head;
        __atomic_store_n(&l->writer.head, head + 1, __ATOMIC_RELEASE);
        l->writer.next = l->writer.limit; /* look anew before the next push */
        return true;
}

void fake_commit(struct ifp_lane *l, uint64_t position, uint64_t dur_op, uint64_t child)
{
        struct ifp_record *s = &l->ring[position % IFP_RING_SLOTS];

        s->start = 0;
        s->dur_op = dur_op;
        s->child = child;
        s->arg = 0;
        __atomic_store_n(&s->lap, ifp_ring_lap(position), __ATOMIC_RELEASE);
}
