/* SPDX-License-Identifier: MIT */
/*
 * The segment: the one thing that an engine's process and the daemon share.
 *
 * It is a memfd of one process image, sealed against shrinking, so that no
 * reader can be killed by a truncation; sparse, so that only what is touched
 * is resident. The shim writes all of it except the words marked "daemon".
 * The daemon treats every word as hostile: copy once, check, then use.
 *
 *   header     written once before the segment is handed over
 *   live       counters and gauges of the process
 *   switches   one byte an op: 0 off, 1 on. Daemon (the shim writes a new op's first value)
 *   ops, objects, sites, types, names
 *              append-only; an entry is complete when its count in `live`,
 *              stored with release, covers it
 *   shapes     what ops were done on: each distinct set of operands once
 *   moe_layers, expert_choices
 *              of layers with experts: to which of them their tokens were sent
 *   stacks, frames
 *              where memory was asked for: each distinct stack once, with what was
 *              sampled there; and where threads waited and spawned
 *   waits      where threads waited, for what and for whom
 *   allocator  what the allocator says of itself, about once a second
 *   tokens     allocations of each decoded token
 *   ledger     where the time of each decoded token went
 *   kv         time of decoded tokens, and of ops in them, by the length of their KV cache
 *   counters   names of what the engine counts itself; how much, the lanes say
 *   instants   marks and texts of the engine, the last ones
 *   pool       blocks of fold tables, handed out in order
 *   lanes      one a thread: identity, ring, exact rows, fold table, open ops.
 *              A lane is reused after its thread has ended.
 *
 * Rows are exact at all times and never go backwards: counts and sums of a
 * span are added to its row as it ends, whether its record then goes to the
 * ring or to the fold table. What the two add is the distribution. So no
 * count depends on a reader that keeps up, or on one that lives.
 * Rows are not cleared when a lane is reused: who wants a thread's own figures takes
 * the difference to what stood there when the thread before it ended.
 */
#pragma once

#include <infprof/event.h>
#include <infprof/hist.h>
#include <infprof/marker.h>
#include <infprof/ring.h>
#include <infprof/version.h>

#define IFP_MAGIC          0x31464f5250464e49ull /* "INFPROF1", little-endian */
#define IFP_MAX_OPS        2048u
#define IFP_MAX_OBJECTS    1024u
#define IFP_MAX_SITES      2048u
#define IFP_MAX_TYPES      64u /* of tensors' elements */
#define IFP_MAX_SHAPES     (8u << 10)
#define IFP_SHAPE_OPERANDS 6u /* the result, and as many sources */
#define IFP_SHAPE_PARAMS   6u
#define IFP_MAX_DECLARED   64u         /* ops that a user declares */
#define IFP_DECLARED_BYTES (32u << 10) /* of all declarations, with the NUL */
#define IFP_MAX_LAYERS     4096u
#define IFP_MAX_MOE_LAYERS 512u        /* layers with experts; power of two */
#define IFP_MAX_EXPERTS    1024u       /* of one of them */
#define IFP_EXPERT_CELLS   (64u << 10) /* experts of all of them */
#define IFP_NAMES_BYTES    (512u << 10)
#define IFP_POOL_BLOCKS    (128u << 10) /* of 512 bytes: 64 MiB */
#define IFP_MAX_LANES      2048u
#define IFP_MAX_OPEN       256u /* the floor included */
#define IFP_MAX_PATTERNS   64u
#define IFP_MAX_STACKS     (64u << 10)
#define IFP_MAX_FRAMES     (1u << 20) /* of all stacks together */
#define IFP_STACK_DEPTH    128u       /* of one stack; what lies further out is cut off */
#define IFP_SIZE_CLASSES   64u        /* class i: usable bytes from 2^i up to 2^(i+1) - 1 */
#define IFP_TOKEN_POINTS   1024u
#define IFP_MAX_ARENAS     64u
#define IFP_MAX_WAITS      (16u << 10)
#define IFP_WAIT_BY        4u       /* of whom a wait is told by name; the rest is summed */
#define IFP_TOKEN_RING     1024u    /* power of two */
#define IFP_KV_BINS        216u     /* of KV lengths up to 2^32 - 1: see ifp_kv_bin */
#define IFP_KV_OPS         256u     /* ops that are told by KV length: those with a lower number */
#define IFP_KV_PIECES      128u     /* of time; power of two */
#define IFP_SHORT_LIFE_NS  1000000u /* a block that was freed within this lived short */
#define IFP_SEGMENT_NAME   "infprof-segment" /* /proc/PID/maps shows /memfd:infprof-segment */

/* Ops with a fixed number. */
#define IFP_OP_NONE  0u /* "not in any op": allocations only */
#define IFP_OP_OTHER 1u /* the table of ops was full */
#define IFP_OP_FIRST 2u

struct ifp_header {
        uint64_t magic;
        uint32_t abi;    /* IFP_ABI_VERSION of the writer */
        uint32_t compat; /* IFP_ABI_COMPAT of the writer */
        uint64_t segment_bytes;
        uint64_t lane_bytes;   /* sizeof(struct ifp_lane) */
        uint64_t lanes_offset; /* offsetof(struct ifp_segment, lanes) */
        uint32_t n_lanes;      /* 1..IFP_MAX_LANES; lane n_lanes - 1 is the crowd's (see below) */
        uint32_t record_bytes; /* sizeof(struct ifp_record) */
        uint32_t ring_slots;
        uint32_t max_ops;
        int32_t pid; /* in the process's own pid namespace */
        int32_t ppid;
        uint8_t uuid[16];        /* of this process image */
        uint8_t parent_uuid[16]; /* of the image this one was forked from; zero = unknown */
        char run[64];         /* $INFPROF_RUN: which run this belongs to; "" = the daemon decides */
        uint64_t start_ticks; /* clock calibration: one instant on three clocks */
        uint64_t start_mono_ns;    /* CLOCK_MONOTONIC */
        uint64_t start_real_ns;    /* CLOCK_REALTIME */
        uint64_t ticks_per_second; /* first estimate, at least within 1 %; the daemon refines it */
        uint64_t stamp_ticks;      /* what an empty timed call would show: taken off every span */
        uint64_t span_ticks;    /* what a timed call costs its thread beyond the kernel, measured at
                                   start */
        uint32_t hot_interval;  /* a hot op is stamped one time in this many, on average */
        uint32_t kernels_level; /* 0 = outer, 1 = inner too */
        uint64_t heap_interval; /* mean of usable bytes between two samples; 1 = each allocation, 0
                                   = none */
        uint64_t mapped_at;     /* address of the segment in the engine */
        int64_t tls_lane_offset; /* from a thread's pointer (fs base) to the address of its lane; 0
                                    = not told */
        uint32_t flags;          /* IFP_HEADER_* */
        uint32_t reserved;
};

enum {
        IFP_HEADER_WAITS = 1u << 0,     /* waits, spawns' stacks and the ledger are kept */
        IFP_HEADER_NO_KERNEL = 1u << 1, /* the kernel's view is not wanted */
        IFP_HEADER_OFFCPU = 1u << 2,    /* stacks of blocked time are wanted */
        IFP_HEADER_NO_SHAPES = 1u << 3, /* operands are not to be read */
};

/* A pattern the user named kernels by, and what came of it so far. */
struct ifp_pattern {
        uint32_t text;    /* into names: OBJECT:SYMBOL */
        uint32_t symbols; /* definitions that matched */
        uint32_t reached; /* of these, those that some slot or dlsym led to */
};

/* Trouble the shim met; the first one stays. */
enum ifp_trouble {
        IFP_TROUBLE_NONE = 0,
        IFP_TROUBLE_OFF = 1, /* the shim switched itself off */
};

struct ifp_live {
        uint32_t n_ops; /* entries complete, including the fixed ones */
        uint32_t n_objects;
        uint32_t n_sites;
        uint32_t names_bytes;
        uint32_t n_blocks; /* of the pool, handed out; may exceed IFP_POOL_BLOCKS: then some were
                              refused */
        uint32_t n_lanes_used; /* lanes ever taken: no lane from here on was touched */
        uint32_t phase;
        uint32_t trouble;
        uint64_t phase_since;               /* ticks */
        uint64_t phase_ticks[IFP_N_PHASES]; /* completed stretches */
        uint64_t stubs_used;
        uint64_t stubs_refused; /* wanted symbols that found no stub */
        uint64_t ops_refused;
        uint64_t slots_patched;
        uint64_t fold_refused;   /* folded spans whose histogram found no block: counted and summed
                                    only */
        uint64_t spawns;         /* successful thread creations, and forks */
        uint64_t spawns_unsited; /* of these, those whose site found no entry */
        uint64_t threads_live;
        uint64_t threads_peak;
        uint64_t lanes_retaken; /* lanes taken again before the daemon had seen their thread end */
        int64_t live_bytes;     /* usable; what lanes have not flushed yet is missing */
        int64_t peak_bytes;
        uint64_t prompt_tokens;
        uint64_t generated_tokens; /* decoded; first tokens of sequences come out of prefills */
        uint64_t n_sequences;      /* sequences that began a prefill */
        uint32_t exiting;          /* 1: exit or _exit was called, with: */
        int32_t exit_code;
        uint64_t end_ticks;
        char trouble_text[128];
        uint32_t n_patterns;
        struct ifp_pattern patterns[IFP_MAX_PATTERNS];
        uint32_t n_stacks;      /* entries handed out, including the fixed one; may exceed
      IFP_MAX_STACKS: then some were refused. See hash */
        uint32_t n_frames;      /* of `frames`, handed out; may exceed IFP_MAX_FRAMES */
        uint32_t object_epoch;  /* grows when objects were closed; begins at 1 */
        uint32_t unwinding;     /* 0 not asked for, 1 by libunwind, 2 libunwind is missing: stacks
                                   have one frame */
        uint64_t samples_short; /* samples with one frame only, from a handler that came in the
 midst of unwinding */
        uint64_t samples_untracked; /* of these: not followed to their end: counted as allocated,
                                       and freed at once */
        uint64_t unmaps, unmapped_bytes; /* munmap */
        uint64_t maps_failed;            /* mmap, mremap, sbrk */
        uint32_t daemon_default_switch;  /* daemon: the first switch of new ops is the opposite of
                                            this (0: on) */
        uint32_t malloc_elsewhere;  /* into names: the object before the shim that has a malloc of
                                       its own, so that nothing comes by here; 0 = none */
        uint32_t n_waits;           /* entries handed out, including the fixed one; may exceed
                                       IFP_MAX_WAITS: then some were refused. See hash */
        uint64_t waits_other;       /* waits that found no entry: counted in the lanes only */
        uint32_t daemon_kernel_map; /* daemon: id of the map that kernel.h is about; 0 = none */
        uint32_t n_types;           /* entries complete, including the fixed one */
        uint32_t n_shapes;          /* entries handed out, including the fixed one; may exceed
                                       IFP_MAX_SHAPES: then some were refused. See hash */
        uint32_t shapes;            /* enum ifp_shapes_state */
        uint32_t n_layers;          /* as n_shapes */
        uint32_t blas_core;         /* into names: the CPU that the BLAS takes this one for, by its
                                       own word; 0 = not known */
        uint32_t n_moe_layers;      /* as n_shapes */
        uint32_t n_expert_cells;    /* of expert_choices, handed out */
        uint64_t moe_refused;       /* products of experts in layers that found no room */
        uint64_t moe_unplaced;      /* those whose layer is not told */
        uint32_t n_counters;        /* entries complete */
        uint32_t n_markers;         /* distinct names of markers so far */
        uint64_t counters_refused;  /* calls that found the table full: counted nowhere */
        uint64_t markers_refused;   /* markers begun whose name found no room: they are one op */
        uint64_t markers_left;      /* closed by what was around them, not by their own end */
        uint64_t markers_unmatched; /* ends of markers that were not open on their thread */
        uint64_t tiles_unmatched;   /* ends of tiles that were not begun on their thread */
        uint64_t requests_ok, requests_failed; /* infprof_result() */
        uint64_t n_instants;                   /* ever written */
};

/* Can the operands of an engine's ops be read? */
enum ifp_shapes_state {
        IFP_SHAPES_NONE = 0,    /* there was none to read so far */
        IFP_SHAPES_READ = 1,    /* yes */
        IFP_SHAPES_UNKNOWN = 2, /* no: where its tensors keep things was not found */
};

struct ifp_op {
        uint32_t name;    /* offsets into names; each a NUL-terminated string */
        uint32_t kernel;  /* the function behind it; 0 = none */
        uint32_t library; /* path of the object that defines it; 0 = none */
        uint8_t kind;     /* enum ifp_kind */
        uint8_t hot;      /* 1: counted always, stamped now and then */
        uint16_t engine;  /* 0 = named by the user; else number of the engine's entry */
};
_Static_assert(sizeof(struct ifp_op) == 16, "ABI");

/* Elements of tensors, as the engine names them; number 0: not known. */
struct ifp_type {
        uint32_t name;        /* into names */
        uint32_t block;       /* elements that are stored together; 1 = each by itself */
        uint32_t block_bytes; /* of these */
        uint32_t reserved;
};
_Static_assert(sizeof(struct ifp_type) == 16, "ABI");

/* All zero: an optional source that is not there. */
struct ifp_operand {
        uint64_t ne[4]; /* extents in elements, the innermost first */
        uint64_t nb[4]; /* strides in bytes; nb[0] that of a block */
        uint16_t type;  /* index in types */
        uint8_t align;  /* log2 of what its address can be divided by, at most 6, + 1; 0: not known
                         */
        uint8_t reserved[5];
};
_Static_assert(sizeof(struct ifp_operand) == 72, "ABI");

/*
 * The operands of an op: the result first, then the sources in order; and its parameters. `parts`
 * threads do it together, and each has a span of its own.
 */
struct ifp_shape {
        uint64_t hash; /* of what follows; never 0; stored last, with release: until then the entry
                          is not complete */
        uint32_t next; /* in its bucket; 0 = last. Shim's own */
        uint16_t op;
        uint16_t parts;
        uint8_t n_operands;
        uint8_t n_params;
        uint8_t reserved[6];
        struct ifp_operand at[IFP_SHAPE_OPERANDS];
        int64_t params[IFP_SHAPE_PARAMS]; /* which, the op says: common/flops.h */
        uint32_t formula; /* into names: the op's name in the table of formulas, or a user's
                             declaration, which has a ':'; 0: its own name */
        uint32_t reserved1;
};
_Static_assert(sizeof(struct ifp_shape) == 512, "ABI");

/* What a layer is made of. */
enum ifp_part {
        IFP_PART_REST = 0, /* or not known */
        IFP_PART_ATTENTION = 1,
        IFP_PART_MLP = 2,
        IFP_PART_EMBEDDING = 3, /* before the first layer */
        IFP_PART_OUTPUT = 4,    /* behind the last */
        IFP_N_PARTS,
};

/* An op on one shape in a layer. */
struct ifp_layer {
        uint32_t ready; /* 1: complete; stored last, with release */
        uint32_t next;  /* in its bucket; 0 = last. Shim's own */
        uint16_t op;
        uint16_t layer; /* + 1; 0: in none, or not told */
        uint8_t part;   /* enum ifp_part */
        uint8_t reserved;
        uint16_t shape; /* 0: none, or more shapes than the table has room for */
};
_Static_assert(sizeof(struct ifp_layer) == 16, "ABI");

/* What came of a layer with experts in one phase. Added to atomically, `steps` last. */
struct ifp_moe_sums {
        uint64_t steps;       /* times it was worked on in which there was a choice */
        uint64_t tokens;      /* in these */
        uint64_t choices;     /* of these tokens: an expert each; in expert_choices by expert */
        uint64_t unknown;     /* of choices: no expert of the layer, or not to be read; by none */
        uint64_t steps_known; /* of steps: those without such */
        uint64_t distinct;    /* experts that each of these sent some token to, summed */
        uint64_t all_tokens;  /* in none of the above: sent to all experts, as when llama.cpp warms
                                 up */
        uint64_t reserved;
};

/*
 * A layer with experts. Several weights of it are multiplied by the same choices; the one that is
 * seen first is the witness, and it alone counts.
 */
struct ifp_moe_layer {
        uint32_t ready;   /* 1: what follows is complete; stored last, with release */
        uint32_t next;    /* in its bucket; 0 = last. Shim's own */
        uint64_t witness; /* sum of its name. Shim's own */
        uint32_t first;   /* in expert_choices: its experts lie there in order */
        uint16_t layer;   /* + 1 */
        uint16_t n_experts;
        uint64_t readable; /* a page of choices that could be read. Shim's own */
        uint64_t reserved[4];
        struct ifp_moe_sums phase[IFP_N_PHASES];
};
_Static_assert(sizeof(struct ifp_moe_layer) == 384, "ABI");

/* One object (executable or library) while it was loaded. */
struct ifp_object {
        uint64_t base;       /* load bias */
        uint64_t start, end; /* addresses it covers */
        uint32_t path;       /* into names */
        uint32_t load;       /* number of this load, never used twice */
        uint32_t closed; /* the object_epoch that its closing began; 0: still mapped; stored with
                            release */
        uint32_t opened; /* object_epoch it was opened in */
};

enum ifp_spawn_kind {
        IFP_SPAWN_THREAD = 0, /* pthread_create, thrd_create, and what is built on them */
        IFP_SPAWN_FORK = 1,
        IFP_SPAWN_VFORK = 2,
        IFP_SPAWN_POSIX = 3, /* posix_spawn, posix_spawnp */
        IFP_SPAWN_CLONE = 4, /* libc's clone */
        IFP_SPAWN_OMP = 5,   /* an OpenMP parallel region; its life is the region */
        IFP_N_SPAWN_KINDS = 6,
};

/*
 * Where threads, processes or parallel regions were asked for: one for each kind, stack, op and
 * phase. All counts are added to atomically.
 */
struct ifp_site {
        uint64_t offset; /* of the return address in the object; absolute where object is UINT32_MAX
                          */
        uint64_t count;
        uint32_t object; /* index */
        uint32_t stack;  /* index; 0 = only the return address is known */
        uint16_t op;     /* that was open; 0 = none */
        uint8_t phase;
        uint8_t kind; /* enum ifp_spawn_kind */
        uint32_t live, peak;
        uint32_t cost_fold, life_fold; /* histograms of ticks: block index + 1; 0 = none */
        uint32_t reserved;
        uint64_t cost_ticks; /* of all creations, as the caller sees them */
        uint64_t ended;      /* threads and regions that are over */
        uint64_t life_ticks; /* of these, from the call that made it to its end */
        uint64_t cpu_ns;     /* of these; threads only */
        uint64_t team;       /* regions: threads in them, summed */
        uint64_t reserved1[5];
};
_Static_assert(sizeof(struct ifp_site) == 128, "two cache lines");

enum ifp_wait_kind {
        IFP_WAIT_NONE = 0,
        IFP_WAIT_MUTEX = 1, /* contended only; so are the next two */
        IFP_WAIT_RWLOCK = 2,
        IFP_WAIT_SPINLOCK = 3,
        IFP_WAIT_COND = 4,
        IFP_WAIT_BARRIER = 5,
        IFP_WAIT_SEM = 6, /* that was not to be had at once */
        IFP_WAIT_JOIN = 7,
        IFP_WAIT_FUTEX = 8, /* by syscall() */
        IFP_WAIT_SLEEP = 9,
        IFP_WAIT_YIELD = 10,
        IFP_WAIT_POLL = 11, /* poll, select, epoll_wait: idle */
        IFP_N_WAIT_KINDS = 12,
};

/* The rows of the ledger that waits go into. */
enum ifp_wait_group {
        IFP_GROUP_BARRIER = 0,
        IFP_GROUP_LOCK = 1,  /* mutex, rwlock, spinlock */
        IFP_GROUP_OTHER = 2, /* all others */
        IFP_N_WAIT_GROUPS = 3,
};

static inline uint32_t ifp_wait_group(uint32_t kind)
{
        if (kind == IFP_WAIT_BARRIER)
                return IFP_GROUP_BARRIER;
        return kind >= IFP_WAIT_MUTEX && kind <= IFP_WAIT_SPINLOCK ? IFP_GROUP_LOCK
                                                                   : IFP_GROUP_OTHER;
}

/*
 * What a thread is about, by the innermost thing it has open. By this the kernel's view is told
 * apart, too (kernel.h).
 */
enum ifp_state {
        IFP_STATE_NONE = 0,    /* in no op */
        IFP_STATE_CALL = 1,    /* an op of kind CALL or MARKER */
        IFP_STATE_GRAPH = 2,   /* an op of kind GRAPH */
        IFP_STATE_COMPUTE = 3, /* an op of kind KERNEL or NODE */
        IFP_STATE_WAIT = 4,    /* a wait, or an op of kind WAIT */
        IFP_STATE_ALLOC = 5,   /* in the allocator, where that is stamped, or in a creation */
        IFP_N_STATES = 6,
};

/* Waits that one other thread was to blame for. */
struct ifp_wait_by {
        uint32_t gen; /* of that lane: which of its threads; 0 = this place is free */
        uint16_t lane;
        uint16_t op; /* that it had open when it was seen first; 0 = none */
        uint64_t count;
        uint64_t ticks; /* waited for it */
};

/*
 * Waits of one lane, of one kind, for one object, asked for at one stack, with one op and phase
 * open. For whom: the holder of a lock when the waiting began; the last to arrive at a barrier; the
 * thread that was joined; who signalled a condition, posted a semaphore or woke a futex, where
 * that was seen.
 *
 * A barrier that ends a node of a graph has that node's op, and so tells the node's imbalance.
 */
struct ifp_wait {
        uint64_t
                hash; /* never 0; stored last, with release: until then the entry is not complete */
        uint32_t next;   /* in its bucket; 0 = last. Shim's own */
        uint32_t stack;  /* index; 0 = not known */
        uint64_t object; /* address; 0 = none, or one of many */
        uint16_t op;
        uint8_t phase;
        uint8_t kind;   /* enum ifp_wait_kind */
        uint16_t lane;  /* IFP_STACK_SHARED: anybody's, added to atomically */
        uint16_t flags; /* IFP_WAIT_* below */
        uint32_t fold;  /* histogram of ticks: block index + 1; 0 = none */
        uint32_t reserved;
        uint64_t count; /* that ended, those that did not return included */
        uint64_t ticks; /* of these; waits inside (in a signal handler) taken off */
        uint64_t left;  /* did not return: cancelled, longjmp */
        uint64_t timeouts;
        uint64_t last;    /* barriers: times this thread was the last to arrive. Not in count */
        uint64_t unknown; /* waits whose other side was not seen */
        uint64_t unknown_ticks;
        uint64_t others; /* waits for threads that found no place in `by` */
        uint64_t others_ticks;
        struct ifp_wait_by by[IFP_WAIT_BY];
        uint64_t reserved1[6];
};
_Static_assert(sizeof(struct ifp_wait) == 256, "four cache lines");

enum {
        IFP_WAIT_SPINS = 1u << 0,         /* burns CPU while it waits */
        IFP_WAIT_ONE = 1u << 1,           /* its stack is the caller alone */
        IFP_WAIT_SHARED_MEMORY = 1u << 2, /* process-shared: the other side may be elsewhere */
        IFP_WAIT_BEHIND = 1u << 3, /* a barrier behind its op, not in it: the op's time does not
                                      hold it */
};

/* Of one thread (lane); only grows, but for what is in progress. */
struct ifp_lane_waits {
        uint64_t since; /* ticks; the wait in progress; 0 = none. Written last, cleared first */
        uint64_t sp;    /* of its frame */
        uint64_t object;
        uint32_t entry; /* index in waits; 0 = none */
        uint32_t kind;
        uint64_t inner;       /* ticks of waits inside it */
        uint32_t in_alloc;    /* in the allocator, being stamped, or in a creation */
        uint32_t thread;      /* (uint32_t)(pthread_self() >> 6), of who has the lane */
        uint64_t lived_ticks; /* of threads that had the lane and ended */
        uint64_t by; /* of the wait in progress, as it began: gen | lane << 32 of who holds the lock
                        or is joined; 0: not known */
        uint64_t count[IFP_N_WAIT_KINDS], ticks[IFP_N_WAIT_KINDS];
        /* Ticks by what was open around; at barriers with those that the last to come takes to wake
           the others. */
        uint64_t in_state[IFP_N_STATES][IFP_N_WAIT_GROUPS];
        uint64_t alloc_ticks[IFP_N_STATES]; /* estimate: time in the allocator */
        uint64_t spawn_ticks[IFP_N_STATES]; /* time in creations */
        /* At the end of a thread, sums over those that had the lane for 100 us or longer */
        uint64_t voluntary, involuntary, minor_faults, major_faults;
};

/* Where the time of a token went. */
enum ifp_ledger {
        IFP_LEDGER_COMPUTE = 0, /* in kernels and nodes */
        IFP_LEDGER_BARRIER = 1, /* waiting at barriers */
        IFP_LEDGER_LOCK = 2,    /* waiting for locks */
        IFP_LEDGER_WAIT = 3,    /* other waits: condition, semaphore, join, futex, sleep, poll */
        IFP_LEDGER_RUNNABLE =
                4,              /* could run and did not. From here to SYSCALL: the kernel's view */
        IFP_LEDGER_FAULT = 5,   /* page faults */
        IFP_LEDGER_SYSCALL = 6, /* system calls and I/O, waits left out */
        IFP_LEDGER_ALLOC = 7,   /* in the allocator: estimate */
        IFP_LEDGER_SPAWN = 8,   /* creating threads and processes */
        IFP_LEDGER_OUTSIDE = 9, /* outside the graph: sampling, tokenising, graph building */
        IFP_LEDGER_PROFILER = 10, /* what stamps and the ledger itself cost: estimate */
        IFP_LEDGER_UNACCOUNTED = 11,
        IFP_N_LEDGER = 12,
};

/* Whose time. The rows of each sum up to its wall time. */
enum ifp_ledger_who {
        IFP_LEDGER_OWN = 0, /* the thread that decodes */
        IFP_LEDGER_CRITICAL =
                1,          /* the same, with its waits replaced by what those waited for did */
        IFP_LEDGER_ALL = 2, /* all threads together: wall time is the sum over them */
        IFP_N_LEDGER_WHO = 3,
};

/* A lane's part in decode steps, added up by the thread that decodes. */
struct ifp_lane_ledger {
        uint64_t steps, wall_ticks;
        uint64_t rows[IFP_N_LEDGER];
};

/* One decode step, end of the last to end of this one. Written by the thread that decodes. */
struct ifp_token_record {
        uint64_t number;     /* position in the ring + 1; stored last, with release */
        uint64_t start, end; /* ticks; end - start is the wall time of OWN and CRITICAL */
        uint32_t n_tokens;   /* made by it: sequences side by side share a step */
        uint16_t lane;
        uint16_t n_threads;                            /* that lived in it */
        uint64_t all_ticks;                            /* wall time of ALL */
        uint64_t rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER]; /* ticks */
        uint64_t allocs, alloc_bytes;                  /* of all threads; so is all that follows */
        uint32_t spawns, waits;
        uint32_t voluntary, involuntary, migrations, minor_faults, major_faults, syscalls; /*
                UINT32_MAX: no kernel's view */
        uint64_t reserved[8];
};
_Static_assert(sizeof(struct ifp_token_record) == 440, "ABI");

/* All decode steps so far, also those whose record found no room. */
struct ifp_ledger_sums {
        uint64_t head;    /* records ever written; one is at (number - 1) % IFP_TOKEN_RING */
        uint64_t dropped; /* steps without a record: the ring was full */
        uint64_t tail;    /* daemon: records read */
        uint64_t steps, tokens;
        uint64_t wall_ticks, all_ticks;
        uint64_t rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER];
        uint32_t kernel; /* 1: the kernel's view was there */
        uint32_t seq;    /* odd while what stands above, and the lanes' ledgers, are written */
};

/* Exact, of one thread (lane), op and phase. calls = timed + untimed. */
struct ifp_time_row {
        uint64_t timed;   /* spans with stamps; these make up total and child */
        uint64_t untimed; /* calls counted only: hot ops between samples, recursion beyond
                             IFP_MAX_OPEN */
        uint64_t total;   /* ticks */
        uint64_t child;   /* ticks of total that belong to ops called from it */
};

/* The bin of a KV length: eight in each octave, and eight wide below 64. */
static inline uint32_t ifp_kv_bin(uint32_t length)
{
        uint32_t octave;

        if (length < 64)
                return length / 8;
        octave = 31u - (uint32_t)__builtin_clz(length);
        return 8 + 8 * (octave - 6) + ((length >> (octave - 3)) & 7);
}

/* Tokens that attended to so many positions. Only grows. */
struct ifp_kv_sums {
        uint64_t tokens;
        uint64_t lengths; /* of their KV caches, summed */
        uint64_t ticks;   /* from the end of the token before each to its end */
};

/* Of a span of time, the first of which begins at `from` and all of which are `width` long. */
struct ifp_kv_piece {
        uint64_t prompt, generated; /* tokens of calls that ended in it */
};

enum {
        IFP_KV_NO_PROMPT = 1u << 0, /* how many tokens a prompt has is not known: a length counts
                                       what was generated behind it only */
};

/*
 * Of calls that take prompts in and of those that decode. By KV length stand tokens that nothing
 * else was done beside: made by a step of their own, while no other was under way. Written by the
 * thread whose call ended.
 */
struct ifp_kv {
        uint32_t seq;   /* odd while what follows is written */
        uint32_t flags; /* IFP_KV_* */
        uint64_t prefills, prompt_tokens;
        uint64_t prefill_ticks; /* of these calls; what they have in common counts once */
        uint64_t beside;        /* decoded tokens in no bin: others were made in the same time */
        uint64_t no_length;     /* decoded tokens in no bin: how long the cache was is not known */
        uint64_t from, width;   /* of pieces; width 0: none yet */
        struct ifp_kv_piece pieces[IFP_KV_PIECES];
        struct ifp_kv_sums bins[IFP_KV_BINS];
        /* Of the tokens of a bin: by all threads, in phase decode, as far as spans have ended. */
        struct ifp_time_row ops[IFP_KV_BINS][IFP_KV_OPS];
};

/* Exact, of one thread (lane) and phase, and of one shape or one op in one layer. */
struct ifp_shape_row {
        uint64_t calls; /* all are timed */
        uint64_t total; /* ticks */
        uint64_t child; /* ticks of total that belong to ops called from it */
        uint64_t reserved;
};

/*
 * Exact, of one thread, op and phase. A realloc of a block is one allocation
 * and one free. live = usable - freed.
 */
struct ifp_alloc_row {
        uint64_t calls;
        uint64_t asked_bytes;
        uint64_t usable_bytes;
        uint64_t frees;
        uint64_t freed_bytes;  /* usable */
        uint64_t failed;       /* calls that returned NULL; not in `calls` */
        uint64_t maps;         /* mmap and mremap by the engine itself; growth by sbrk. Not in
                                  `calls` */
        uint64_t mapped_bytes; /* of these; what mremap and sbrk add */
};
_Static_assert(sizeof(struct ifp_alloc_row) == 64, "one cache line");

/* Samples of a stack whose blocks were freed. */
struct ifp_stack_freed {
        uint64_t samples;
        uint64_t objects; /* weighted, in units of 2^-16 */
        uint64_t bytes;   /* weighted, usable */
        uint64_t objects_var, bytes_var;
        uint64_t short_objects;  /* of objects: those that lived less than IFP_SHORT_LIFE_NS */
        uint64_t lifetime_ticks; /* of these samples, not weighted */
};

/*
 * A stack that allocations were sampled at, on one thread: several threads have an entry each,
 * so that its sums need no locked instruction. (Waits and spawn sites, which use no sums of it,
 * have one entry for all threads: IFP_STACK_SHARED.) Its frames are return addresses, the innermost
 * first: frames[first_frame .. first_frame + n_frames). An address lies in the object that was open
 * in `epoch`: opened <= epoch, and closed == 0 or epoch < closed.
 *
 * Sums are of samples, each with the weight w = 1 / p, where p is the chance that
 * a block of its usable size is sampled: p = 1 - exp(-usable / heap_interval). So they estimate
 * all allocations without bias (Horvitz and Thompson 1952); at interval 1 they are exact.
 * The variance of a sum of v is the sum of v^2 w (w - 1): of objects in whole units, of bytes in
 * units of heap_interval^2 * 2^-16.
 *
 * in use = inherited + alloc - freed_own - freed_else.
 */
struct ifp_stack {
        uint64_t hash; /* of lane, op, phase, epoch and frames; never 0; stored last, with release:
                          until then the entry is not complete */
        uint32_t next; /* in its bucket, index; 0 = last. Shim's own */
        uint32_t first_frame;
        uint16_t n_frames;
        uint16_t op; /* the op that was open: its leaf-most logical frame; 0 = none */
        uint8_t phase;
        uint8_t flags; /* IFP_STACK_* */
        uint16_t lane; /* whose it is; IFP_STACK_SHARED: anybody's, added to atomically */
        uint32_t epoch;
        uint32_t reserved;

        uint64_t samples;
        uint64_t alloc_objects; /* as in ifp_stack_freed */
        uint64_t alloc_bytes;
        uint64_t asked_bytes; /* weighted */
        uint64_t alloc_objects_var, alloc_bytes_var;
        struct ifp_stack_freed freed_own;  /* by a thread of that lane */
        struct ifp_stack_freed freed_else; /* by others; atomically */
        /* In use when this process was forked. Written before the hand-over. */
        uint64_t inherited_objects, inherited_bytes, inherited_objects_var, inherited_bytes_var;
        uint64_t reserved1[4];
};
_Static_assert(sizeof(struct ifp_stack) == 256, "four cache lines");

#define IFP_STACK_SHARED UINT16_MAX
#define IFP_STACK_OTHER  0u /* the stack of those that found no room; no frames */
enum {
        IFP_STACK_CUT = 1u << 0, /* more frames than IFP_STACK_DEPTH, the outer ones are missing */
        IFP_STACK_ONE = 1u << 1, /* only the caller: see samples_short */
};

enum ifp_allocator_kind {
        IFP_ALLOCATOR_UNKNOWN = 0,
        IFP_ALLOCATOR_GLIBC = 1,
        IFP_ALLOCATOR_JEMALLOC = 2,
        IFP_ALLOCATOR_MIMALLOC = 3,
        IFP_ALLOCATOR_TCMALLOC = 4,
        IFP_N_ALLOCATORS = 5,
};

#define IFP_NOT_TOLD UINT64_MAX

/* What the allocator behind the shim says of itself; bytes, IFP_NOT_TOLD where it does not say. */
struct ifp_allocator {
        uint32_t kind;
        uint32_t library; /* into names; 0 = not known */
        uint32_t seq;     /* odd while the shim writes what follows */
        uint32_t n_arenas;
        uint64_t ticks;   /* of this look; 0 = none yet */
        uint64_t cost_ns; /* of all looks together */
        uint64_t n_looks;
        uint64_t allocated; /* in blocks the engine holds. glibc: uordblks + hblkhd */
        uint64_t active;    /* in pages with such blocks. glibc: arena + hblkhd */
        uint64_t metadata, resident, mapped, retained;
        uint64_t free_bytes; /* glibc: fordblks */
        uint64_t releasable; /* glibc: keepcost */
        struct ifp_arena {
                uint64_t allocated, active, resident, mapped;
        } arenas[IFP_MAX_ARENAS];
};

/* Where the process stood when a decoded token was finished. */
struct ifp_token_point {
        uint64_t token; /* prompt and generated tokens so far */
        uint64_t ticks;
        int64_t live_bytes; /* exact */
        uint64_t calls;     /* since the start */
};

/*
 * Allocations between the end of one decode call and the end of the next, by all threads of
 * the process, divided by the number of tokens of the call. Written by the thread that decodes.
 */
struct ifp_tokens {
        uint64_t n;                            /* tokens */
        uint64_t n_calls_zero;                 /* of these: without any allocation */
        uint64_t calls, asked_bytes;           /* sums */
        uint64_t calls_hist[IFP_HIST_BUCKETS]; /* tokens by calls; buckets of hist.h */
        uint64_t bytes_hist[IFP_HIST_BUCKETS]; /* tokens by bytes asked for */
        uint32_t n_points; /* every `stride`-th token; when full, every second is dropped */
        uint32_t stride;
        uint32_t seq; /* odd while points are rearranged */
        uint32_t reserved;
        struct ifp_token_point points[IFP_TOKEN_POINTS];
};

/* Exact, of one thread: what its rows do not say. */
struct ifp_lane_memory {
        uint64_t alloc_usable; /* of all rows; live = alloc_usable - freed_usable */
        uint64_t freed_usable;
        uint64_t sample_at;    /* alloc_usable at which the next sample is taken; shim's own */
        int64_t flushed_bytes; /* of live: what live_bytes has of it */
        uint64_t reserved[4];
        uint64_t calls[IFP_SIZE_CLASSES], asked_bytes[IFP_SIZE_CLASSES],
                usable_bytes[IFP_SIZE_CLASSES], frees[IFP_SIZE_CLASSES];
};

/* A block of the pool is a fold entry or one octave of its histogram. */
struct ifp_fold {
        uint64_t count;
        uint64_t min; /* ticks; ~0 = none yet */
        uint64_t max;
        uint64_t total;
        uint32_t octave[IFP_HIST_OCTAVES]; /* block index + 1; 0 = no value fell there */
};

union ifp_block {
        struct ifp_fold fold;
        uint64_t bucket[IFP_HIST_SUB];
        uint8_t bytes[512];
};
_Static_assert(sizeof(union ifp_block) == 512, "ABI");

/*
 * One op that is open on a thread. Entries form a stack; an entry's op around
 * it is the entry just below, but for coroutines, where `skip` says how many
 * lie between. Entry 0 is the floor: it is always there, and encloses all.
 */
struct ifp_open {
        uint64_t sp;    /* address of the stub's frame */
        uint64_t start; /* ticks */
        uint64_t child; /* as in the record: ticks | depth << 48 | phase << 56; depth counts from 1
                         */
        uint32_t row;   /* offset in the lane of the op's time row for that phase */
        uint16_t shape; /* index in shapes; 0 = none. Then it is arg, too */
        uint8_t state;  /* enum ifp_open_state */
        uint8_t phase;
        uint64_t op; /* op << 48, as in the record */
        uint32_t arg;
        int16_t skip;
        uint8_t flags; /* of the record to come */
        uint8_t reserved1;
        uint16_t layer; /* index in layers; 0 = none */
        uint16_t reserved2[3];
        int64_t live; /* of a marker: live bytes as it began */
};
_Static_assert(sizeof(struct ifp_open) == 64, "ABI");

enum ifp_open_state {
        IFP_OPEN_FREE = 0,
        IFP_OPEN_SET = 1,   /* its op is under way */
        IFP_OPEN_ASIDE = 2, /* on another stack: may go on later */
};

enum ifp_lane_state {
        IFP_LANE_FREE = 0,
        IFP_LANE_LIVE = 1,  /* shim: FREE -> LIVE */
        IFP_LANE_ENDED = 2, /* shim: LIVE -> ENDED; daemon: ENDED -> FREE when all of it is read */
};

/*
 * A thread's own part. Written by its thread only, but for what is marked.
 * The last lane of a segment is the crowd's: threads that found no lane count
 * there, with atomic additions, untimed.
 */
struct ifp_lane {
        /* line 0: identity; complete before state becomes LIVE */
        uint32_t state; /* atomic; see above */
        uint32_t gen;   /* number of threads that had this lane; grows by one with each */
        int32_t tid;    /* in the process's pid namespace */
        int32_t parent_tid;
        uint32_t site; /* where it was spawned, index + 1; 0 = not known */
        uint32_t flags;
        uint64_t start_ticks;
        uint64_t end_ticks; /* set before state becomes ENDED */
        char name[16];      /* set before ENDED; "" = ask /proc */
        uint64_t cpu_ns;    /* CPU time of the thread; set before ENDED; 0 = not told */

        /* line 1: the writer's */
        struct ifp_ring_writer writer;
        uint64_t n_left;   /* spans that did not return */
        uint64_t n_folded; /* spans whose record went to the fold table */
        uint64_t top;      /* innermost open op: offset of its entry in `open`; 0 = none */
        uint64_t readable; /* a page that could be read: call-args.c. Shim's own */

        /* line 2: the reader's. Daemon */
        struct ifp_ring_reader reader;
        uint64_t pad2[7];

        struct ifp_open open[IFP_MAX_OPEN];
        struct ifp_time_row time[IFP_MAX_OPS][IFP_N_PHASES];
        struct ifp_alloc_row alloc[IFP_MAX_OPS][IFP_N_PHASES];
        uint32_t fold[IFP_MAX_OPS][IFP_N_PHASES]; /* block index + 1; 0 = none */
        uint32_t hot_left[IFP_MAX_OPS];           /* calls until the next stamp */
        _Alignas(64) struct ifp_lane_memory memory;
        _Alignas(64) struct ifp_lane_waits waits;
        _Alignas(64) struct ifp_lane_ledger ledger; /* by the thread that decodes */
        _Alignas(4096) struct ifp_record ring[IFP_RING_SLOTS];
        struct ifp_shape_row shapes[IFP_MAX_SHAPES][IFP_N_PHASES];
        struct ifp_shape_row layers[IFP_MAX_LAYERS][IFP_N_PHASES];
        struct ifp_marker_row markers[IFP_MAX_OPS];
        uint64_t counted[IFP_MAX_COUNTERS]; /* of each counter */
        uint64_t counts[IFP_MAX_COUNTERS];  /* calls that did so */
        struct ifp_tile_row tiles[IFP_N_TILE_LEVELS];
        uint64_t marker_self;  /* ticks of markers that ended, less those of ops in them */
        uint64_t markers_deep; /* begun without finding room, and not ended: number | gen << 32.
                                  Shim's own */
        uint64_t marker_pad[14];
        /* `time` in phase decode, as it stood when the last token was done. Shim's own, by the
         * thread that decodes */
        struct ifp_time_row kv_seen[IFP_KV_OPS];
        /* What the thread saw last, by address and by arguments: engine-ggml-tensor.c, call-args.c.
         * Shim's own */
        uint64_t nodes_seen[4096];
        _Alignas(4096) uint64_t calls_seen[128][12];
};

struct ifp_segment {
        union {
                struct ifp_header header;
                uint8_t header_page[4096];
        };
        union {
                struct ifp_live live;
                uint8_t live_page[4096];
        };
        uint8_t switches[4096];
        struct ifp_op ops[IFP_MAX_OPS];
        struct ifp_object objects[IFP_MAX_OBJECTS];
        struct ifp_site sites[IFP_MAX_SITES];
        struct ifp_type types[IFP_MAX_TYPES];
        char names[IFP_NAMES_BYTES]; /* names[0] is NUL */
        union {
                struct ifp_allocator allocator;
                uint8_t allocator_page[4096];
        };
        _Alignas(4096) struct ifp_tokens tokens;
        _Alignas(4096) struct ifp_ledger_sums ledger;
        _Alignas(64) struct ifp_token_record token_ring[IFP_TOKEN_RING];
        _Alignas(4096) struct ifp_kv kv;
        _Alignas(64) uint32_t counters[IFP_MAX_COUNTERS]; /* into names */
        struct ifp_instant instants[IFP_MAX_INSTANTS];
        _Alignas(4096) uint32_t wait_buckets[IFP_MAX_WAITS]; /* shim's own */
        struct ifp_wait waits[IFP_MAX_WAITS];
        _Alignas(4096) uint32_t shape_buckets[IFP_MAX_SHAPES]; /* shim's own: index, 0 = none */
        struct ifp_shape shapes[IFP_MAX_SHAPES];
        _Alignas(4096) uint32_t layer_buckets[IFP_MAX_LAYERS]; /* shim's own: index, 0 = none */
        struct ifp_layer layers[IFP_MAX_LAYERS];
        _Alignas(4096) uint32_t moe_buckets[IFP_MAX_MOE_LAYERS]; /* shim's own: index, 0 = none */
        _Alignas(64) struct ifp_moe_layer moe_layers[IFP_MAX_MOE_LAYERS];
        _Alignas(4096) uint64_t expert_choices[IFP_N_PHASES][IFP_EXPERT_CELLS];
        _Alignas(4096) uint32_t stack_buckets[IFP_MAX_STACKS]; /* shim's own: index, 0 = none */
        struct ifp_stack stacks[IFP_MAX_STACKS];
        uint64_t frames[IFP_MAX_FRAMES];
        _Alignas(4096) union ifp_block pool[IFP_POOL_BLOCKS];
        _Alignas(4096) struct ifp_lane lanes[];
};

_Static_assert(sizeof(struct ifp_header) <= 4096 && sizeof(struct ifp_live) <= 4096, "ABI");
_Static_assert(__builtin_offsetof(struct ifp_lane, writer) == 64, "ABI");
_Static_assert(__builtin_offsetof(struct ifp_lane, reader) == 128, "ABI");
_Static_assert(__builtin_offsetof(struct ifp_lane, open) == 192, "ABI");
_Static_assert(sizeof(struct ifp_lane) % 4096 == 0, "lanes begin on pages");

static inline uint64_t ifp_segment_bytes(uint32_t n_lanes)
{
        return sizeof(struct ifp_segment) + (uint64_t)n_lanes * sizeof(struct ifp_lane);
}
