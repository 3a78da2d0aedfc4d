/* SPDX-License-Identifier: MIT */
/*
 * A hostile engine: the input is a list of pokes into a segment, between which
 * the daemon reads it as it always does, marks it, and writes what it read to a run
 * file, which must take it. Eleven bytes a poke: where (which table, which entry, which word), and
 * what.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/flush.h"
#include "daemon/mark.h"
#include "daemon/process.h"

#define N_LANES  3u
#define N_OPS    6u
#define N_STACKS 5u
#define N_WAITS  5u
#define N_STEPS  4u
#define N_SHAPES 4u
#define N_LAYERS 4u
#define N_MOE    3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void fuzz_segment(const uint8_t *data, size_t size);

struct poke {
        uint8_t table, word;
        uint8_t entry;
        uint64_t value;
} __attribute__((packed));

static struct ifp_segment *make(int *ret_fd)
{
        uint64_t bytes = ifp_segment_bytes(N_LANES);
        int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct ifp_segment *s;

        if (fd < 0 || ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
                abort();
        s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (s == MAP_FAILED)
                abort();
        s->header = (struct ifp_header){
                .magic = IFP_MAGIC,
                .abi = IFP_ABI_VERSION,
                .compat = IFP_ABI_COMPAT,
                .segment_bytes = bytes,
                .lane_bytes = sizeof(struct ifp_lane),
                .lanes_offset = sizeof(struct ifp_segment),
                .n_lanes = N_LANES,
                .record_bytes = sizeof(struct ifp_record),
                .ring_slots = IFP_RING_SLOTS,
                .max_ops = IFP_MAX_OPS,
                .pid = 1,
                .start_ticks = ifp_ticks(),
                .ticks_per_second = 2000000000,
        };
        s->live.n_ops = N_OPS;
        s->live.names_bytes = 64;
        memcpy(s->names + 1, "name", 5);
        s->live.n_lanes_used = 2;
        s->live.n_blocks = 8;
        for (uint32_t i = 0; i < N_LANES; i++) {
                s->lanes[i].state = i < 2 ? IFP_LANE_LIVE : IFP_LANE_FREE;
                s->lanes[i].gen = i < 2;
        }
        s->live.n_stacks = N_STACKS;
        s->live.n_frames = 4 * N_STACKS;
        s->live.object_epoch = 1;
        for (uint32_t i = 0; i < N_STACKS; i++) {
                s->stacks[i].hash = i != N_STACKS - 1;
                s->stacks[i].first_frame = 4 * i;
                s->stacks[i].n_frames = i ? 4 : 0;
        }
        s->header.heap_interval = 1000;
        s->header.flags = IFP_HEADER_WAITS;
        s->live.n_waits = N_WAITS;
        for (uint32_t i = 1; i < N_WAITS; i++) {
                s->waits[i].hash = i != N_WAITS - 1;
                s->waits[i].kind = (uint8_t)i;
                s->waits[i].lane = (uint16_t)(i % 2);
        }
        s->live.n_types = 2;
        s->types[1] = (struct ifp_type){.name = 1, .block = 32, .block_bytes = 34};
        s->live.n_shapes = N_SHAPES;
        for (uint32_t i = 1; i < N_SHAPES; i++) {
                s->shapes[i].hash = i != N_SHAPES - 1;
                s->shapes[i].parts = 1;
                s->shapes[i].n_operands = (uint8_t)i;
                s->shapes[i].at[0].type = 1;
        }
        s->live.n_layers = N_LAYERS;
        for (uint32_t i = 1; i < N_LAYERS; i++)
                s->layers[i] = (struct ifp_layer){.ready = i != N_LAYERS - 1, .layer = 1};
        s->live.n_moe_layers = N_MOE;
        s->live.n_expert_cells = 4 * N_MOE;
        for (uint32_t i = 1; i < N_MOE; i++) {
                s->moe_layers[i] = (struct ifp_moe_layer){
                        .ready = i != N_MOE - 1, .first = 4 * i, .layer = 1, .n_experts = 4};
                s->moe_layers[i].phase[IFP_PHASE_DECODE].steps = 1;
        }
        s->live.n_counters = 2;
        s->counters[1] = 1;
        s->live.n_markers = 1;
        s->ops[IFP_OP_FIRST].kind = IFP_KIND_MARKER;
        s->live.generated_tokens = N_STEPS;
        s->ledger.head = s->ledger.steps = N_STEPS;
        for (uint32_t i = 0; i < N_STEPS + 4; i++)
                s->token_ring[i] = (struct ifp_token_record){
                        .number = i + 1, .start = 1000 * i, .end = 1000 * i + 900};
        *ret_fd = fd;
        return s;
}

/* The word that is poked; NULL: none. `ret_bytes`: 1, 4 or 8. */
static void *find(struct ifp_segment *s, const struct poke *p, size_t *ret_bytes)
{
        struct ifp_lane *l = &s->lanes[p->entry % N_LANES];
        uint32_t op = p->entry % (N_OPS + 2), phase = p->word % IFP_N_PHASES;

        *ret_bytes = 8;
        switch (p->table % 44) {
        case 0:
                *ret_bytes = 4;
                return (uint32_t *)&s->live + p->word % (sizeof(s->live) / 4);
        case 1:
                *ret_bytes = 4;
                return (uint32_t *)l + p->word % 48; /* the first three lines */
        case 2:
                return (uint64_t *)&s->lanes[p->entry % 2].time[op][phase] + p->word % 4;
        case 3:
                return (uint64_t *)&s->lanes[p->entry % 2].alloc[op][phase] + p->word % 8;
        case 4:
                *ret_bytes = 4;
                return &l->fold[op][phase];
        case 5:
                *ret_bytes = 4;
                return (uint32_t *)&s->pool[p->entry % 9] + p->word % 128;
        case 6:
                return (uint64_t *)&l->ring[p->entry % 64] + p->word % 4;
        case 7:
                return (uint64_t *)&l->ring[IFP_RING_SLOTS - 1 - p->entry % 64] + p->word % 4;
        case 8:
                *ret_bytes = 4;
                return (uint32_t *)&s->ops[p->entry % 16] + p->word % 4;
        case 9:
                *ret_bytes = 4;
                return (uint32_t *)&s->objects[p->entry % 4] + p->word % 10;
        case 10:
                *ret_bytes = 4;
                return (uint32_t *)&s->sites[p->entry % 4] + p->word % (sizeof(s->sites[0]) / 4);
        case 11:
                *ret_bytes = 1;
                return s->names + (p->entry & 63);
        case 12: /* true records, so that rings fill and laps go round */
                l->writer.head += p->word;
                for (uint64_t i = 0; i < p->word; i++) {
                        uint64_t at = l->writer.head - 1 - i;

                        l->ring[at % IFP_RING_SLOTS] =
                                (struct ifp_record){.dur_op = p->value % (1ull << 51),
                                                    .child = p->value << 50,
                                                    .lap = ifp_ring_lap(at)};
                }
                return NULL;
        case 13:
                return (uint64_t *)&s->stacks[p->entry % (N_STACKS + 1)] +
                       p->word % (sizeof(s->stacks[0]) / 8);
        case 14:
                return (uint64_t *)&l->memory + p->word;
        case 15:
                return (uint64_t *)&s->allocator +
                       (p->entry << 8 | p->word) % (sizeof(s->allocator) / 8);
        case 16:
                return (uint64_t *)((char *)&s->tokens +
                                    (p->entry & 1 ? offsetof(struct ifp_tokens, n_points) : 0)) +
                       p->word;
        case 17:
                return &s->frames[p->word % (4 * N_STACKS)];
        case 18: /* a number that can be true, at the same places */
                *ret_bytes = 2;
                return (uint16_t *)&s->stacks[p->entry % N_STACKS] +
                       p->word % (sizeof(s->stacks[0]) / 2);
        case 19:
                return (uint64_t *)&s->waits[p->entry % (N_WAITS + 1)] +
                       p->word % (sizeof(s->waits[0]) / 8);
        case 20: /* a number that can be true */
                *ret_bytes = 2;
                return (uint16_t *)&s->waits[p->entry % N_WAITS] +
                       p->word % (sizeof(s->waits[0]) / 2);
        case 21:
                return (uint64_t *)&l->waits + p->word % (sizeof(l->waits) / 8);
        case 22:
                return (uint64_t *)&l->ledger + p->word % (sizeof(l->ledger) / 8);
        case 23:
                return (uint64_t *)&s->ledger + p->word % (sizeof(s->ledger) / 8);
        case 24:
                return (uint64_t *)&s->token_ring[p->entry % (N_STEPS + 4)] +
                       p->word % (sizeof(s->token_ring[0]) / 8);
        case 25: /* true steps, so that there is a median, and slow ones, and the ring goes round */
                for (uint64_t i = 0; i < p->word; i++, s->ledger.head++)
                        s->token_ring[s->ledger.head % IFP_TOKEN_RING] = (struct ifp_token_record){
                                .number = s->ledger.head + 1, .end = p->value >> (16 + i % 16)};
                return NULL;
        case 26:
                return (uint64_t *)&s->shapes[p->entry % (N_SHAPES + 1)] +
                       p->word % (sizeof(s->shapes[0]) / 8);
        case 27: /* a number that can be true */
                *ret_bytes = 2;
                return (uint16_t *)&s->shapes[p->entry % N_SHAPES] + p->word % 40;
        case 28:
                *ret_bytes = 4;
                return (uint32_t *)&s->types[p->entry % 4] + p->word % 4;
        case 29:
                return (uint64_t *)&s->lanes[p->entry % 2].shapes[p->word % N_SHAPES][phase] +
                       p->entry % 4;
        case 30:
                *ret_bytes = 2;
                return (uint16_t *)&s->layers[p->entry % (N_LAYERS + 1)] +
                       p->word % (sizeof(s->layers[0]) / 2);
        case 31:
                return (uint64_t *)&s->lanes[p->entry % 2].layers[p->word % N_LAYERS][phase] +
                       p->entry % 4;
        case 32:
                return (uint64_t *)&s->kv + (p->entry << 8 | p->word) % (sizeof(s->kv) / 8);
        case 33: /* a token, as it should be */
                s->kv.bins[p->entry % IFP_KV_BINS].tokens++;
                s->kv.ops[p->entry % IFP_KV_BINS][op].timed++;
                return &s->kv.ops[p->entry % IFP_KV_BINS][op].total;
        case 34:
                return (uint64_t *)&s->moe_layers[p->entry % (N_MOE + 1)] +
                       p->word % (sizeof(s->moe_layers[0]) / 8);
        case 35: /* a number that can be true */
                *ret_bytes = 2;
                return (uint16_t *)&s->moe_layers[p->entry % (N_MOE + 1)] + p->word % 14;
        case 36:
                return &s->expert_choices[phase][p->entry % 16];
        case 37:
                return (uint64_t *)&s->lanes[p->entry % 2].markers[op] +
                       p->word % (sizeof(l->markers[0]) / 8);
        case 38:
                return p->word & 1 ? &l->counted[p->entry % 4] : &l->counts[p->entry % 4];
        case 39:
                return (uint64_t *)&l->tiles[p->entry % IFP_N_TILE_LEVELS] +
                       p->word % (sizeof(l->tiles[0]) / 8);
        case 40:
                *ret_bytes = 4;
                return &s->counters[p->entry % 4];
        case 41:
                return (uint64_t *)&s->instants[p->entry % 4] +
                       p->word % (sizeof(s->instants[0]) / 8);
        case 42: /* a true one */
                s->instants[s->live.n_instants % IFP_MAX_INSTANTS].number = s->live.n_instants + 1;
                s->live.n_instants++;
                return NULL;
        default:
                return (uint64_t *)&l->open[p->entry] + p->word % 8;
        }
}

static void poke(struct ifp_segment *s, const struct poke *p)
{
        size_t bytes;
        void *at = find(s, p, &bytes);

        if (at)
                memcpy(at, &p->value, bytes);
}

static char path[64];

static void remove_file(void)
{
        static const char *const ends[] = {"", "-wal", "-shm"};
        char name[80];

        for (int i = 0; i < 3; i++) {
                snprintf(name, sizeof(name), "%s%s", path, ends[i]);
                unlink(name);
        }
}

/* One file takes what all inputs made of it. */
static struct run *open_run(void)
{
        static struct run *run;
        struct runfile_run row;
        char *why = NULL;

        if (run)
                return run;
        snprintf(path, sizeof(path), "/tmp/fuzz-segment-%d.infprof", (int)getpid());
        unlink(path);
        run = run_new("fuzz", "fuzz", 1, clock_real_ns());
        run_describe(run, &row);
        if (runfile_create(&run->file, path, &row, &why))
                abort();
        atexit(remove_file);
        return run;
}

static void write_it(struct process *p, uint32_t mark)
{
        char *why = NULL;

        p->run = open_run();
        p->dirty = true;
        if (mark_take(p, mark, "mark", 1) || flush_run(p->run, p, &why)) {
                fprintf(stderr, "not written: %s\n", why ? why : "?");
                abort();
        }
        free(why);
}

/* As the server does with it. */
static bool look(struct process *p, uint64_t now)
{
        uint64_t n, fullest;
        const char *why = NULL;

        if (!process_round(p, now, &n, &fullest, &why) && !process_tick(p, now, &why))
                return true;
        process_cut(p, why ? why : "");
        return false;
}

static void read_all(struct process *p)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        struct process_hist h;

        for (uint32_t op = 0; op < p->n_ops; op++)
                for (uint32_t phase = 0; phase < IFP_N_PHASES; phase++)
                        process_hist(p, op, phase, buckets, &h);
        course_take(p);
        (void)process_lost(p);
        (void)process_duration_ns(p);
}

void fuzz_segment(const uint8_t *data, size_t size)
{
        struct tally_scratch scratch = {0};
        uint64_t now = clock_mono_ns();
        struct process *p = NULL;
        struct segment segment;
        const char *why = NULL;
        struct poke next;
        struct ifp_segment *s;
        int fd;

        s = make(&fd);
        /* some before it is taken over */
        for (; size >= sizeof(next) && data[0] & 0x80; data += sizeof(next), size -= sizeof(next)) {
                memcpy(&next, data, sizeof(next));
                poke(s, &next);
        }
        if (!segment_open(&segment, dup(fd), &why) &&
            process_new(&p, &segment, 1 << 30, -1, size & 1, &scratch, &why))
                segment_close(&segment);
        if (p && p->adopted && process_resume(p, NULL, 0, &why))
                process_cut(p, "");
        for (; p && p->state == PROCESS_LIVE && size >= sizeof(next);
             data += sizeof(next), size -= sizeof(next)) {
                memcpy(&next, data, sizeof(next));
                poke(s, &next);
                now += 500000000;
                if (next.table & 0x40 && look(p, now))
                        read_all(p);
                if (next.entry == 0xff)
                        write_it(p, next.word);
        }
        if (p && p->state == PROCESS_LIVE)
                process_end(p, RUNFILE_END_UNKNOWN, 0, now);
        if (p) {
                read_all(p);
                write_it(p, 0);
        }
        process_free(p);
        tally_scratch_done(&scratch);
        munmap(s, ifp_segment_bytes(N_LANES));
        close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        fuzz_segment(data, size);
        return 0;
}
