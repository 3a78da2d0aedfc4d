/* SPDX-License-Identifier: MIT */
/*
 * What lies in a run file. The comments of columns go into the database with
 * its CREATE statements, so that `.schema` in the sqlite3 shell explains the
 * file; the views at the end are for people, nothing here reads them.
 *
 * A change of meaning or layout raises RUNFILE_SCHEMA.
 */
#include "common/runfile-schema.h"

#include <stdio.h>
#include <stdlib.h>

#include <infprof/segment.h>

#include "common/runfile.h"

/* One column of the struct `row_` under its own name, or under another. */
#define COL_AS(name_, field_, type_, comment_)                                                     \
        {                                                                                          \
                .name = name_, .offset = offsetof(struct ROW, field_), .type = COLUMN_##type_,     \
                .comment = comment_                                                                \
        }
#define COL(field_, type_, comment_) COL_AS(#field_, field_, type_, comment_)
#define COL_BELOW(field_, below_, comment_)                                                        \
        {                                                                                          \
                .name = #field_, .offset = offsetof(struct ROW, field_), .type = COLUMN_U32,       \
                .max = (below_)-1, .comment = comment_                                             \
        }
#define COLS_ALLOC                                                                                 \
        COL_AS("alloc_calls", alloc.calls, U64, "calls of the malloc family that gave a block"),   \
                COL_AS("alloc_asked", alloc.asked_bytes, U64, "bytes asked for"),                  \
                COL_AS("alloc_usable", alloc.usable_bytes, U64, "bytes usable in what was given"), \
                COL_AS("free_calls", alloc.frees, U64, "blocks given back"),                       \
                COL_AS("freed_usable", alloc.freed_bytes, U64, "bytes usable in these"),           \
                COL_AS("alloc_failed", alloc.failed, U64, "calls answered NULL"),                  \
                COL_AS("maps", alloc.maps, U64, "mmap, mremap, sbrk by the engine itself"),        \
                COL_AS("mapped_bytes", alloc.mapped_bytes, U64, "of these")

#define ENDS "0 live, 1 exit code, 2 signal, 3 unknown, 4 cut, 5 exec"

#define ROW runfile_run
static const struct column run_columns[] = {
        COL(id, TEXT, "YYYYmmdd-HHMMSS-PID"),
        COL(command, TEXT, "as typed, quoted for the shell"),
        COL(pid, I64, "of the first process"),
        COL(started_at_ns, U64, "since 1970, UTC"),
        COL(duration_ns, U64, "so far"),
        {.name = "end",
         .offset = offsetof(struct ROW, end),
         .type = COLUMN_U32,
         .max = RUNFILE_END_EXEC,
         .comment = ENDS},
        COL(end_value, I32, "exit code or signal number"),
        COL(infprof_version, TEXT, "that wrote this file"),
        COL(machine, TEXT_OR_NONE, "where it ran"),
        COL(daemon_cpu_ns, U64, "CPU time the daemon spent on this run"),
        COL(n_adoptions, U32, "times a new daemon took it over"),
};
#undef ROW

#define ROW runfile_process
static const struct column process_columns[] = {
        COL_AS("process", index, U32, "number in this run"),
        COL(uuid, TEXT, "of this process image"),
        COL(pid, I64, "process id"),
        COL(ppid, I64, "its parent's"),
        COL(command, TEXT, "command line"),
        COL(exe, TEXT, "path of the program"),
        COL(started_at_ns, U64, "since 1970, UTC"),
        COL(duration_ns, U64, "so far"),
        COL(ticks_per_second, U64, "of its clock: the unit of histograms"),
        {.name = "end",
         .offset = offsetof(struct ROW, end),
         .type = COLUMN_U32,
         .max = RUNFILE_END_EXEC,
         .comment = ENDS},
        COL(end_value, I32, "exit code or signal number"),
        COL(reason, TEXT_OR_NONE, "of a cut, or the trouble the shim met"),
        COL(trivial, BOOL, "did nothing worth a row"),
        COL(waits, BOOL, "waits, spawns and the ledger were kept"),
        COL(spans, U64, "timed calls that ended"),
        COL(folded, U64, "of these: only in the fold table, without a line in time"),
        COL(lost, U64, "must be 0"),
        COL(left, U64, "calls that did not return"),
        COL(open, U64, "calls still open at the end"),
        COL(untimed, U64, "calls counted, not timed"),
        COL(unseen, U64, "spans counted and summed, not in histograms"),
        COL(fold_refused, U64, "the same, because the fold table was full"),
        COL(stubs_refused, U64, "wanted functions that found no stub"),
        COL(ops_refused, U64, "ops that found the table of ops full"),
        COL(slots_patched, U64, "relocation slots that lead to a stub"),
        COL(spawns_unsited, U64, "spawns whose site is not known"),
        COL(lanes_retaken, U64, "threads whose lane was reused before it was read"),
        COL_AS("span_cost_ps", overhead_ns_per_span_x1000, U64,
               "what one timed call costs its thread"),
        COL(stamp_ps, U64, "part of that which fell into spans, and was taken off"),
        COL(segment_bytes, U64, "resident"),
        COL(threads_live, U64, "at the last look"),
        COL(threads_peak, U64, "most at one time"),
        COL(spawns, U64, "thread creations and forks"),
        COL(live_bytes, I64, "usable bytes allocated and not freed"),
        COL(peak_bytes, I64, "the most of these at one time"),
        COL(prompt_tokens, U64, "tokens taken in"),
        COL(generated_tokens, U64,
            "tokens decoded; the first of each sequence comes out of its prefill"),
        COL(sequences, U64, "sequences begun"),
        COL_AS("unknown_ns", phase_ns[IFP_PHASE_UNKNOWN], U64, "time in each phase"),
        COL_AS("load_ns", phase_ns[IFP_PHASE_LOAD], U64, ""),
        COL_AS("prefill_ns", phase_ns[IFP_PHASE_PREFILL], U64, ""),
        COL_AS("decode_ns", phase_ns[IFP_PHASE_DECODE], U64, ""),
        COL_AS("idle_ns", phase_ns[IFP_PHASE_IDLE], U64, ""),
        COL_BELOW(phase, IFP_N_PHASES, "at the last look"),
        COL(heap_interval, U64, "usable bytes between two samples on average; 1: each, 0: none"),
        COL_BELOW(unwinding, 3, "stacks: 0 not asked for, 1 by libunwind, 2 it is missing"),
        COL(samples, U64, "allocations sampled"),
        COL(samples_other, U64, "of these: the table of stacks was full"),
        COL(samples_short, U64, "of these: only the caller is known"),
        COL(samples_untracked, U64, "of these: not followed to their end"),
        COL(unmaps, U64, "munmap by the engine itself"),
        COL(unmapped_bytes, U64, "of these"),
        COL(maps_failed, U64, "mmap, mremap, sbrk that failed"),
        COL_BELOW(allocator, IFP_N_ALLOCATORS,
                  "0 not known, 1 glibc, 2 jemalloc, 3 mimalloc, 4 tcmalloc"),
        COL(allocator_library, TEXT_OR_NONE, "path of the object that serves malloc"),
        COL(allocator_cost_ns, U64, "time it took to ask the allocator for its figures"),
        COL(allocator_looks, U64, "times it was asked"),
        COL(blas_core, TEXT_OR_NONE, "CPU for which the BLAS computes, by its own word"),
};
_Static_assert(IFP_N_PHASES == 5, "a column for each phase");
#undef ROW

#define ROW runfile_op
static const struct column op_columns[] = {
        COL(process, U32, ""),
        COL(op, U32, "number in that process; 0: not in any op"),
        COL(name, TEXT, ""),
        COL(kernel, TEXT_OR_NONE, "function that carries it out"),
        COL(library, TEXT_OR_NONE, "path of the object that holds the kernel"),
        COL_BELOW(kind, IFP_N_KINDS, "see table kinds"),
        COL(hot, BOOL, "counted always, timed now and then"),
        COL(threads, U32, "that called it"),
};
#undef ROW

#define ROW runfile_op_phase
static const struct column op_phase_columns[] = {
        COL(process, U32, ""),
        COL(op, U32, ""),
        COL_BELOW(phase, IFP_N_PHASES, "see table phases"),
        COL(timed, U64, "calls with stamps"),
        COL(untimed, U64, "calls without"),
        COL(total_ns, U64, "of the timed calls"),
        COL(child_ns, U64, "part of it in ops called from it"),
        COL_AS("min_ns", min_ns, U64_OR_NONE, "of the calls in the histogram"),
        COL(max_ns, U64, "of the calls in the histogram"),
        COL(sum_ns, F64, "of the calls in the histogram"),
        COL(sumsq_ns2, F64, "sum of their squares"),
        COL(left, U64, "calls that did not return"),
        COL(folded, U64, "spans without a line in time"),
        COLS_ALLOC,
        COL(hist, HIST, "durations in ticks; see infprof-runfile(5)"),
};
#undef ROW

#define ROW runfile_thread
static const struct column thread_columns[] = {
        COL(process, U32, ""),
        COL(thread, U32, "number in that process"),
        COL(tid, I64, "thread id"),
        COL(parent_tid, I64, "thread that asked for it"),
        COL(name, TEXT_OR_NONE, ""),
        COL(started_ns, U64, "since its process began"),
        COL(ended_ns, U64_OR_NONE, "since its process began; NULL: has not ended"),
        COL(site, I64_OR_NONE, "where it was asked for"),
        COL(spans, U64, "timed calls that ended"),
        COL(folded, U64, "of these: without a line in time"),
        COL(cpu_ns, U64_OR_NONE, "CPU time"),
        COLS_ALLOC,
        COL(running_ns, U64_OR_NONE, "on a CPU; as all that follows NULL where nobody saw it"),
        COL(runnable_ns, U64_OR_NONE, "could run and did not"),
        COL_AS("blocked_futex_ns", blocked_ns[IFP_BLOCK_FUTEX], U64_OR_NONE, "neither, by kind"),
        COL_AS("blocked_io_ns", blocked_ns[IFP_BLOCK_IO], U64_OR_NONE, ""),
        COL_AS("blocked_fault_ns", blocked_ns[IFP_BLOCK_FAULT], U64_OR_NONE, ""),
        COL_AS("blocked_sleep_ns", blocked_ns[IFP_BLOCK_SLEEP], U64_OR_NONE, ""),
        COL_AS("blocked_poll_ns", blocked_ns[IFP_BLOCK_POLL], U64_OR_NONE, ""),
        COL_AS("blocked_other_ns", blocked_ns[IFP_BLOCK_OTHER], U64_OR_NONE, ""),
        COL(fault_ns, U64_OR_NONE, "in page faults"),
        COL(syscall_ns, U64_OR_NONE, "in system calls that are no wait"),
        COL(voluntary, U64_OR_NONE, "switches: it had nothing to do"),
        COL(involuntary, U64_OR_NONE, "switches: another was put in its place"),
        COL(migrations, U64_OR_NONE, "to another CPU"),
        COL(minor_faults, U64_OR_NONE, "page faults without I/O"),
        COL(major_faults, U64_OR_NONE, "page faults with I/O"),
        COL(syscalls, U64_OR_NONE, "system calls"),
        COL(cpu, U64_OR_NONE, "number of the CPU it ran on last"),
};
_Static_assert(IFP_N_BLOCK_KINDS == 6, "a column for each kind");
#undef ROW

#define ROW runfile_thread_op
static const struct column thread_op_columns[] = {
        COL(process, U32, ""),
        COL(thread, U32, ""),
        COL(op, U32, ""),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL(timed, U64, "as in op_phase"),
        COL(untimed, U64, ""),
        COL(total_ns, U64, ""),
        COL(child_ns, U64, ""),
        COL(min_ns, U64_OR_NONE, ""),
        COL(max_ns, U64, ""),
        COLS_ALLOC,
};
#undef ROW

#define ROW runfile_shape
static const struct column shape_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(shape, IFP_MAX_SHAPES, "number in that process"),
        COL_BELOW(op, IFP_MAX_OPS, "that was done on it"),
        COL(parts, U32, "threads that do one together; each has a call of its own"),
        COL(formula, TEXT_OR_NONE, "the op's name in the table of formulas; NULL: its own"),
};
#undef ROW

#define ROW runfile_operand
static const struct column operand_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(shape, IFP_MAX_SHAPES, ""),
        COL_BELOW(position, IFP_SHAPE_OPERANDS, "0 the result, then the sources in order"),
        COL(type, TEXT_OR_NONE, "of its elements, as the engine names it"),
        COL(block, U32, "elements that are stored together"),
        COL(block_bytes, U32, "of these"),
        COL(ne0, U64, "extent, the innermost"),
        COL(ne1, U64, ""),
        COL(ne2, U64, ""),
        COL(ne3, U64, ""),
        COL(nb0, U64, "stride in bytes"),
        COL(nb1, U64, ""),
        COL(nb2, U64, ""),
        COL(nb3, U64, ""),
        COL(align, U32, "what its address can be divided by, at most 64; 0: not known"),
};
#undef ROW

#define ROW runfile_shape_param
static const struct column shape_param_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(shape, IFP_MAX_SHAPES, ""),
        COL_BELOW(position, IFP_SHAPE_PARAMS, "from 0"),
        COL(value, I64, "an integer the op was called with"),
};
#undef ROW

#define ROW runfile_shape_phase
static const struct column shape_phase_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(shape, IFP_MAX_SHAPES, ""),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL(calls, U64, "of all threads"),
        COL(total_ns, U64, ""),
        COL(child_ns, U64, "of total_ns, in ops called from it"),
};
#undef ROW

#define ROW runfile_layer
static const struct column layer_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(entry, IFP_MAX_LAYERS, "number in that process"),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL_BELOW(op, IFP_MAX_OPS, ""),
        COL_BELOW(layer, UINT16_MAX + 1u, "of the model, + 1; 0 in none, or not known"),
        COL_BELOW(part, IFP_N_PARTS, "0 rest, 1 attention, 2 mlp, 3 embedding, 4 output"),
        COL_BELOW(shape, IFP_MAX_SHAPES, "0 none, or more than were told apart"),
        COL(calls, U64, "of all threads"),
        COL(total_ns, U64, ""),
        COL(child_ns, U64, "of total_ns, in ops called from it"),
};
#undef ROW

#define ROW runfile_experts
static const struct column experts_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(entry, IFP_MAX_MOE_LAYERS, "number in that process"),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL_BELOW(layer, UINT16_MAX + 1u, "of the model, + 1"),
        COL_BELOW(n_experts, IFP_MAX_EXPERTS + 1u, "that the layer has"),
        COL(steps, U64, "times it was worked on with a choice of experts"),
        COL(tokens, U64, "in these"),
        COL(choices, U64, "of these tokens together: an expert each"),
        COL(unknown, U64, "of choices: not to be read, or no expert of the layer"),
        COL(steps_known, U64, "of steps: without such"),
        COL(distinct, U64, "experts that each of these used, summed"),
        COL(all_tokens, U64, "that were sent to all experts; in none of the others"),
        COL(counts, TEXT, "choices of each expert, in order"),
};
#undef ROW

#define ROW runfile_told
static const struct column told_columns[] = {
        COL(process, U32, ""),
        COL(requests_ok, U64, "infprof_result() that were no failures"),
        COL(requests_failed, U64, "and that were"),
        COL(instants, U64, "marks and texts; table instant may hold fewer"),
        COL(markers_refused, U64, "markers begun whose name found no room: in '(other markers)'"),
        COL(markers_left, U64, "markers closed by what was around them"),
        COL(markers_unmatched, U64, "ends of markers that were not open on their thread"),
        COL(counters_refused, U64, "counts whose name found no room: nowhere"),
        COL(tiles_unmatched, U64, "ends of tiles without a beginning"),
        COL(tiles_unended, U64, "tiles without an end"),
};
#undef ROW

#define ROW runfile_marker
static const struct column marker_columns[] = {
        COL(process, U32, ""),
        COL(op, U32, ""),
        COL(n, U64, "calls that ended"),
        COL(begin_bytes, I64, "live bytes as they began, summed"),
        COL(change_bytes, I64, "until they ended, summed"),
        COL(first_bytes, I64, "as the first began"),
        COL(last_bytes, I64, "as the last ended"),
        COL(least_change, I64, "of one call"),
        COL(most_change, I64, ""),
        COL(highest, I64, "live bytes seen at most"),
};
#undef ROW

#define ROW runfile_counter
static const struct column counter_columns[] = {
        COL(process, U32, ""), COL(counter, U32, "number in that process"),  COL(name, TEXT, ""),
        COL(counted, U64, ""), COL(calls, U64, "times something was added"),
};
#undef ROW

#define ROW runfile_tile
static const struct column tile_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(level, IFP_N_TILE_LEVELS, "0 macro, 1 midi, 2 micro"),
        COL(n, U64, "tiles that ended"),
        COL(total_ns, U64, ""),
        COL(elements, U64, "as told"),
        COL(flops, U64, "as told"),
        COL(least_elements, U64, "of one"),
        COL(most_elements, U64, ""),
        COL(slowest_ns, U64, "the slowest one, which was:"),
        COL(slowest_row, U32, ""),
        COL(slowest_col, U32, ""),
        COL(rows, U32, "greatest row + 1"),
        COL(cols, U32, "greatest column + 1"),
};
#undef ROW

#define ROW runfile_instant
static const struct column instant_columns[] = {
        COL(process, U32, ""),
        COL(number, U64, "in the order in which they were told"),
        COL(at_ns, U64, "since the process began"),
        COL(tid, I64, "thread that told it"),
        COL_BELOW(kind, IFP_N_INSTANT_KINDS, "0 mark, 1 text: what its thread is about from here"),
        COL(text, TEXT, ""),
};
#undef ROW

#define ROW runfile_site
static const struct column site_columns[] = {
        COL(process, U32, ""),
        COL(site, U32, "number in that process"),
        COL(function, TEXT_OR_NONE, "that asked for threads"),
        COL(library, TEXT_OR_NONE, "path of the object"),
        COL(offset, U64, "in the function, else in the object"),
        COL(count, U64, "threads asked for here"),
};
#undef ROW

#define ROW runfile_second
static const struct column second_columns[] = {
        COL(process, U32, ""),
        COL(second, U64, "since the run began"),
        COL(spans, U64, "in this second"),
        COL(prompt_tokens, U64, "in this second"),
        COL(generated_tokens, U64, "in this second"),
        COL(spawns, U64, "in this second"),
        COL(live_bytes, I64, "at its end"),
        COL(threads_live, U32, "at its end"),
        COL_BELOW(phase, IFP_N_PHASES, "at its end"),
};
#undef ROW

#define ROW runfile_size_class
static const struct column size_class_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(size_class, IFP_SIZE_CLASSES, "2^class to 2^(class+1) - 1 usable bytes"),
        COL(calls, U64, "calls that gave such a block"),
        COL(asked_bytes, U64, "bytes asked for"),
        COL(usable_bytes, U64, "bytes usable in what was given"),
        COL(frees, U64, "blocks given back"),
};
#undef ROW

#define ROW runfile_frame
static const struct column frame_columns[] = {
        COL(process, U32, ""),
        COL(frame, U32, "number in that process"),
        COL(function, TEXT_OR_NONE, "demangled"),
        COL(library, TEXT_OR_NONE, "path of the object"),
        COL(offset, U64, "in the function, else in the object, else the address"),
        COL(file, TEXT_OR_NONE, "source"),
        COL(line, U32, "0: not known"),
        COL(inlined, BOOL, "into the next frame out"),
};
#undef ROW

#define COLS_SAMPLES                                                                               \
        COL(samples, U64, "taken"), COL(samples_freed, U64, "of these: freed"),                    \
                COL(alloc_objects, F64, "estimate: blocks allocated"),                             \
                COL(freed_objects, F64, "estimate: of these, freed"),                              \
                COL(alloc_bytes, F64, "estimate: usable bytes allocated"),                         \
                COL(freed_bytes, F64, "estimate: of these, freed"),                                \
                COL(asked_bytes, F64, "estimate: bytes asked for"),                                \
                COL(short_objects, F64, "estimate: freed within a millisecond"),                   \
                COL(lifetime_ns, F64, "sum over the samples freed"),                               \
                COL(alloc_objects_var, F64, "variances of these estimates"),                       \
                COL(freed_objects_var, F64, ""), COL(alloc_bytes_var, F64, ""),                    \
                COL(freed_bytes_var, F64, "")

#define ROW runfile_stack
static const struct column stack_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(stack, IFP_MAX_STACKS, "number in that process; 0: found no room in the table"),
        COL_BELOW(op, IFP_MAX_OPS, "the op that was open; 0: none"),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL(cut, BOOL, "outer frames are missing"),
        COL(one, BOOL, "only the caller is known"),
        COL(frames, TEXT, "numbers in table frame, innermost first"),
        COLS_SAMPLES,
        COL(inherited_objects, F64, "estimate: in use since before the fork"),
        COL(inherited_bytes, F64, "the same in bytes"),
};
#undef ROW

#define ROW runfile_memory
static const struct column memory_columns[] = {
        COL(process, U32, ""),
        COL(second, U64, "since the run began"),
        COL(rss, U64_OR_NONE, "resident bytes"),
        COL(pss, U64_OR_NONE, "shared pages divided among who shares them"),
        COL(anonymous, U64_OR_NONE, "resident, not of files"),
        COL(file, U64_OR_NONE, "resident, of files"),
        COL(huge, U64_OR_NONE, "in huge pages"),
        COL(swap, U64_OR_NONE, "swapped out"),
        COL(minor_faults, U64_OR_NONE, "since the process began"),
        COL(major_faults, U64_OR_NONE, "since the process began"),
        COL(live_bytes, I64, "of the malloc family, usable"),
        COL(calls, U64, "allocations since the process began"),
        COL(asked_bytes, U64, "since the process began"),
        COL(frees, U64, "since the process began"),
        COL(mapped_bytes, U64, "by the engine itself, since the process began"),
        COL(allocated, U64_OR_NONE, "the allocator: in blocks the engine holds"),
        COL(active, U64_OR_NONE, "the allocator: in pages with such blocks"),
        COL(metadata, U64_OR_NONE, "the allocator: for itself"),
        COL(resident, U64_OR_NONE, "the allocator: resident"),
        COL(mapped, U64_OR_NONE, "the allocator: mapped"),
        COL(retained, U64_OR_NONE, "the allocator: kept, not resident"),
        COL(free_bytes, U64_OR_NONE, "the allocator: in free blocks"),
        COL(releasable, U64_OR_NONE, "the allocator: free at the top of the heap"),
};
#undef ROW

#define ROW runfile_arena
static const struct column arena_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(arena, IFP_MAX_ARENAS, "number"),
        COL(allocated, U64_OR_NONE, "bytes in blocks"),
        COL(active, U64_OR_NONE, "bytes in pages with such blocks"),
        COL(resident, U64_OR_NONE, "resident bytes"),
        COL(mapped, U64_OR_NONE, "mapped bytes"),
};
#undef ROW

#define ROW runfile_mapped_file
static const struct column mapped_file_columns[] = {
        COL(process, U32, ""),
        COL(path, TEXT, ""),
        COL(size, U64, "of the file"),
        COL(mapped_bytes, U64, "of it mapped"),
        COL(resident_bytes, U64_OR_NONE, "of the file in memory"),
        COL(nodes, TEXT_OR_NONE, "pages by NUMA node, where there is more than one"),
};
#undef ROW

#define ROW runfile_token_alloc
static const struct column token_alloc_columns[] = {
        COL(process, U32, ""),
        COL(n, U64, "decoded tokens that were looked at"),
        COL(n_calls_zero, U64, "of these: nothing was allocated"),
        COL(calls, U64, "allocations in all of them"),
        COL(asked_bytes, U64, "bytes asked for in all of them"),
        COL(calls_hist, HIST, "tokens by allocations; see infprof-runfile(5)"),
        COL(bytes_hist, HIST, "tokens by bytes asked for"),
};
#undef ROW

#define ROW runfile_token_point
static const struct column token_point_columns[] = {
        COL(process, U32, ""),
        COL(token, U64, "prompt and generated tokens so far"),
        COL(at_ns, U64, "since its process began"),
        COL(live_bytes, I64, "usable bytes allocated and not freed"),
        COL(calls, U64, "allocations since its process began"),
};
#undef ROW

#define ROW runfile_kv
static const struct column kv_columns[] = {
        COL(process, U32, ""),
        COL(no_prompt, BOOL, "KV lengths are without the prompt, whose tokens nobody told"),
        COL(prefills, U64, "calls that took in a prompt, or part of one"),
        COL(prompt_tokens, U64, "tokens of these"),
        COL(prefill_ns, U64, "time in these, what they have in common once"),
        COL(beside, U64, "decoded tokens in no bin: others were made in the same time"),
        COL(no_length, U64, "decoded tokens in no bin: their KV length is not known"),
        COL(from_ns, U64, "since its process began: where the first piece begins"),
        COL(width_ns, U64, "of a piece"),
};
#undef ROW

#define ROW runfile_kv_piece
static const struct column kv_piece_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(piece, IFP_KV_PIECES, "of time, from 0"),
        COL(prompt, U64, "tokens taken in by calls that ended in it"),
        COL(generated, U64, "tokens decoded by calls that ended in it"),
};
#undef ROW

#define ROW runfile_kv_bin
static const struct column kv_bin_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(bin, IFP_KV_BINS, "of KV lengths; see infprof-runfile(5)"),
        COL(tokens, U64, "decoded, with nothing beside them"),
        COL(lengths, U64, "of their KV caches, summed"),
        COL(total_ns, U64, "from the end of the token before to the end of each"),
};
#undef ROW

#define ROW runfile_kv_op
static const struct column kv_op_columns[] = {
        COL(process, U32, ""),         COL_BELOW(bin, IFP_KV_BINS, ""),
        COL_BELOW(op, IFP_KV_OPS, ""), COL(timed, U64, "as in op_phase, in the tokens of the bin"),
        COL(untimed, U64, ""),         COL(total_ns, U64, ""),
        COL(child_ns, U64, ""),
};
#undef ROW

#define ROW runfile_span
static const struct column span_columns[] = {
        COL(process, U32, ""),
        COL(number, U32, "in the order in which they were read"),
        COL_BELOW(op, IFP_MAX_OPS, ""),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL(start_ns, U64, "since the process's start"),
        COL(duration_ns, U64, ""),
};
#undef ROW

#define ROW runfile_mark
static const struct column mark_columns[] = {
        COL(process, U32, ""),        COL(mark, U32, "number"),
        COL(name, TEXT, ""),          COL(at_ns, U64, "since the run began"),
        COL(live_bytes, I64, "then"),
};
#undef ROW

#define ROW runfile_mark_op
static const struct column mark_op_columns[] = {
        COL(process, U32, ""),
        COL(mark, U32, ""),
        COL_BELOW(op, IFP_MAX_OPS, "as in op_phase, up to the mark"),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COLS_ALLOC,
};
#undef ROW

#define ROW runfile_mark_class
static const struct column mark_class_columns[] = {
        COL(process, U32, ""),
        COL(mark, U32, ""),
        COL_BELOW(size_class, IFP_SIZE_CLASSES, "as in size_class, up to the mark"),
        COL(calls, U64, ""),
        COL(asked_bytes, U64, ""),
        COL(usable_bytes, U64, ""),
        COL(frees, U64, ""),
};
#undef ROW

#define ROW runfile_mark_stack
static const struct column mark_stack_columns[] = {
        COL(process, U32, ""),
        COL(mark, U32, ""),
        COL_BELOW(stack, IFP_MAX_STACKS, "as in stack, up to the mark"),
        COLS_SAMPLES,
};
#undef ROW

#define ROW runfile_thread_wait
static const struct column thread_wait_columns[] = {
        COL(process, U32, ""),
        COL(thread, U32, ""),
        COL_BELOW(kind, IFP_N_WAIT_KINDS, "see table wait_kinds"),
        COL(count, U64, "waits that ended"),
        COL(total_ns, U64, "time in them"),
};
#undef ROW

#define ROW runfile_wait
static const struct column wait_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(wait, IFP_MAX_WAITS, "number in that process"),
        COL_BELOW(kind, IFP_N_WAIT_KINDS, "see table wait_kinds"),
        COL_BELOW(op, IFP_MAX_OPS, "the op that was open, or that the barrier ended; 0: none"),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL(thread, I64_OR_NONE, "whose; NULL: several"),
        COL(object, U64, "address of what was waited for; 0: none, or one of many"),
        COL(object_library, TEXT_OR_NONE, "path of the object file it lies in"),
        COL(object_offset, U64, "in it"),
        COL(spins, BOOL, "burns CPU while it waits"),
        COL(shared, BOOL, "shared with other processes"),
        COL(one, BOOL, "only the caller is known"),
        COL(behind, BOOL, "a barrier behind its op, whose time does not hold it"),
        COL(frames, TEXT, "numbers in table frame, innermost first"),
        COL(count, U64, "waits that ended"),
        COL(total_ns, U64, "time in them"),
        COL(min_ns, U64_OR_NONE, ""),
        COL(max_ns, U64, ""),
        COL(left, U64, "waits that did not return"),
        COL(timeouts, U64, "waits that timed out"),
        COL(last, U64, "barriers: times it was the last to arrive; not in count"),
        COL(unknown, U64, "waits whose other side was not seen"),
        COL(unknown_ns, U64, ""),
        COL(others, U64, "waits for threads without a row in wait_by"),
        COL(others_ns, U64, ""),
        COL(hist, HIST, "durations in ticks"),
};
#undef ROW

#define ROW runfile_wait_by
static const struct column wait_by_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(wait, IFP_MAX_WAITS, ""),
        COL_BELOW(slot, IFP_WAIT_BY, ""),
        COL(thread, I64_OR_NONE, "holder, last to arrive, joined, or who woke it"),
        COL_BELOW(op, IFP_MAX_OPS, "that it had open when it was seen first"),
        COL(count, U64, "waits for it"),
        COL(total_ns, U64, "time in them"),
};
#undef ROW

#define ROW runfile_wait_now
static const struct column wait_now_columns[] = {
        COL(process, U32, ""),
        COL(thread, U32, ""),
        COL_BELOW(kind, IFP_N_WAIT_KINDS, "of the wait in progress at the last look; 0: none"),
        COL(object, U64, "address"),
        COL(since_ns, U64, "since its process began"),
        COL(for_ns, U64, "so long at the last look"),
        COL(wait, I64_OR_NONE, "number in table wait"),
        COL(by_thread, I64_OR_NONE, "that held the lock when it began, or is joined"),
};
#undef ROW

#define ROW runfile_spawn
static const struct column spawn_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(site, IFP_MAX_SITES, "number in table site"),
        COL_BELOW(kind, IFP_N_SPAWN_KINDS,
                  "0 thread, 1 fork, 2 vfork, 3 posix_spawn, 4 clone, 5 OpenMP region"),
        COL_BELOW(op, IFP_MAX_OPS, "the op that was open; 0: none"),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL(frames, TEXT, "numbers in table frame, innermost first"),
        COL(count, U64, "asked for"),
        COL(live, U64, "of these, still there"),
        COL(peak, U64, "most at one time"),
        COL(ended, U64, "whose life is known"),
        COL(team, U64, "regions: threads in them, summed"),
        COL(cost_ns, U64, "time of the creations, as the caller sees them"),
        COL(life_ns, U64, "time they lived"),
        COL(cpu_ns, U64, "CPU time they used"),
        COL(cost_hist, HIST, "in ticks"),
        COL(life_hist, HIST, "in ticks"),
};
#undef ROW

#define ROW runfile_ledger
static const struct column ledger_columns[] = {
        COL(process, U32, ""),
        COL(steps, U64, "decode steps"),
        COL(tokens, U64, "made by them"),
        COL(dropped, U64, "of the steps: in the sums only"),
        COL(wall_ns, U64, "of all steps"),
        COL(all_ns, U64, "thread time in them, lives of all threads summed"),
        COL(kernel, BOOL, "the kernel's view was there"),
        COL(hist, HIST, "wall time of a step, in ticks"),
};
#undef ROW

#define LEDGER_ROW                                                                                 \
        COL_BELOW(row, IFP_N_LEDGER,                                                               \
                  "0 compute, 1 barrier, 2 lock, 3 wait, 4 runnable, 5 fault, 6 syscall, "         \
                  "7 alloc, 8 spawn, 9 outside, 10 profiler, 11 unaccounted")
#define LEDGER_WHO COL_BELOW(who, IFP_N_LEDGER_WHO, "0 own, 1 critical, 2 all")

#define ROW runfile_ledger_row
static const struct column ledger_row_columns[] = {
        COL(process, U32, ""),
        LEDGER_WHO,
        LEDGER_ROW,
        COL(total_ns, U64, "in all steps"),
        COL(hist, HIST, "of a step, in ticks"),
};
#undef ROW

#define ROW runfile_ledger_thread
static const struct column ledger_thread_columns[] = {
        COL(process, U32, ""),
        COL(thread, U32, ""),
        LEDGER_ROW,
        COL(total_ns, U64, "in all steps"),
        COL(steps, U64, "that it lived in"),
};
#undef ROW

#define ROW runfile_slow_token
static const struct column slow_token_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(slot, RUNFILE_SLOW_TOKENS, ""),
        COL(number, U64, "of the step, from 1"),
        COL(start_ns, U64, "since its process began"),
        COL(wall_ns, U64, ""),
        COL(all_ns, U64, "thread time in it"),
        COL(tokens, U32, ""),
        COL(threads, U32, "that lived in it"),
        COL(allocs, U64, ""),
        COL(alloc_bytes, U64, ""),
        COL(spawns, U64, ""),
        COL(waits, U64, ""),
        COL(voluntary, U64_OR_NONE, ""),
        COL(involuntary, U64_OR_NONE, ""),
        COL(migrations, U64_OR_NONE, ""),
        COL(minor_faults, U64_OR_NONE, ""),
        COL(major_faults, U64_OR_NONE, ""),
        COL(syscalls, U64_OR_NONE, ""),
};
#undef ROW

#define ROW runfile_slow_token_row
static const struct column slow_token_row_columns[] = {
        COL(process, U32, ""), COL_BELOW(slot, RUNFILE_SLOW_TOKENS, ""), LEDGER_WHO, LEDGER_ROW,
        COL(ns, U64, ""),
};
#undef ROW

#define ROW runfile_kernel
static const struct column kernel_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(view, 3, "0 none, 1 /proc, 2 BPF"),
        COL(why, TEXT_OR_NONE, "it is not BPF"),
        COL(lost, U64, "events that found no room"),
        COL(events, U64_OR_NONE,
            "runs of our programs in the kernel, its part; NULL: not measured"),
        COL(cost_ns, U64_OR_NONE, "time in them"),
        COL(io_count, U64, "block I/O its threads asked for"),
        COL(io_bytes, U64, ""),
        COL(io_ns, U64, ""),
        COL(load_io_count, U64, "of these, in phase load"),
        COL(load_io_bytes, U64, ""),
        COL(load_io_ns, U64, ""),
        COL(stacks_lost, U64, "off-CPU stacks that could not be taken"),
        COL(cpus, U64, "it may run on"),
        COL(run_queue_hist, HIST, "ns from runnable to running"),
        COL(io_hist, HIST, "ns"),
};
#undef ROW

#define ROW runfile_kernel_op
static const struct column kernel_op_columns[] = {
        COL(process, U32, ""),
        COL_BELOW(op, IFP_MAX_OPS, "that was open; 0: none"),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL(runnable_ns, U64, ""),
        COL(blocked_ns, U64, ""),
        COL(fault_ns, U64, ""),
        COL(minor_faults, U64, ""),
        COL(major_faults, U64, ""),
        COL(syscalls, U64, ""),
        COL(syscall_ns, U64, ""),
        COL(switches, U64, ""),
};
#undef ROW

#define ROW runfile_syscall
static const struct column syscall_columns[] = {
        COL(process, U32, ""),  COL(number, U32, ""), COL(count, U64, ""),
        COL(total_ns, U64, ""), COL(max_ns, U64, ""), COL(failed, U64, "returned an error"),
        COL(hist, HIST, "ns"),
};
#undef ROW

#define ROW runfile_preempt
static const struct column preempt_columns[] = {
        COL(process, U32, ""),
        COL(slot, U32, ""),
        COL(pid, I64, "0: all others together"),
        COL(name, TEXT_OR_NONE, "of the thread that ran instead"),
        COL(own, BOOL, "a thread of this very process"),
        COL(count, U64, ""),
        COL(total_ns, U64, "until the thread ran again"),
};
#undef ROW

#define ROW runfile_off_cpu
static const struct column off_cpu_columns[] = {
        COL(process, U32, ""),
        COL(stack, U32, ""),
        COL_BELOW(op, IFP_MAX_OPS, "that was open; 0: none"),
        COL_BELOW(phase, IFP_N_PHASES, ""),
        COL_BELOW(block, IFP_N_BLOCK_KINDS + 1,
                  "0 futex, 1 I/O, 2 page fault, 3 sleep, 4 poll, 5 other, 6 preempted"),
        COL(frames, TEXT, "numbers in table frame, innermost first"),
        COL(count, U64, ""),
        COL(total_ns, U64, ""),
};
#undef ROW

#define ROW runfile_note
static const struct column note_columns[] = {
        COL(process, U32, "4294967295: the whole run"),
        COL(text, TEXT, "what a reader must know"),
};
#undef ROW

#define ROW runfile_machine
static const struct column machine_columns[] = {
        COL(fingerprint, TEXT, "of what its figures depend on"),
        COL(document, TEXT, "infprof.machine/1; without ceilings: they were not measured"),
};
#undef ROW

#define ROW runfile_surroundings
static const struct column surroundings_columns[] = {
        COL_BELOW(moment, 1, "0: the run's beginning"),
        COL(kernel, TEXT, "and its version"),
        COL(os, TEXT_OR_NONE, "by os-release"),
        COL(libc, TEXT_OR_NONE, "the daemon's"),
        COL(governor, TEXT_OR_NONE, "of the CPUs' frequency; several, where they differ"),
        COL(huge_pages, TEXT_OR_NONE, "transparent ones: always, madvise, never"),
        COL(turbo, U64_OR_NONE, "1: frequencies above the nominal one are allowed"),
        COL(numa_balancing, U64_OR_NONE, "1: the kernel moves pages to where they are used"),
        COL(memory_bytes, U64_OR_NONE, "of the machine"),
        COL(available_bytes, U64_OR_NONE, "of these, as the kernel estimates"),
        COL(load_1, U64_OR_NONE, "load average of a minute, in thousandths"),
        COL(load_5, U64_OR_NONE, "of five"),
        COL(load_15, U64_OR_NONE, "of fifteen"),
        COL(runnable, U64_OR_NONE, "threads of others that could run"),
        COL(cpu_pressure, U64_OR_NONE, "thousandths of the last 10 s in which one waited"),
        COL(daemon_build_id, TEXT_OR_NONE, "of infprofd"),
};
#undef ROW

#define ROW runfile_confines
static const struct column confines_columns[] = {
        COL(process, U32, ""),
        COL(cpus, TEXT_OR_NONE, "that it may run on"),
        COL(memory_nodes, TEXT_OR_NONE, "that it may have memory of"),
        COL(nice, I32, ""),
};
#undef ROW

#define ROW runfile_environment
static const struct column environment_columns[] = {
        COL(process, U32, ""),
        COL(name, TEXT, "of those that are kept: infprof-runfile(5)"),
        COL(value, TEXT_OR_NONE, "NULL: left out, it looks like a secret"),
};
#undef ROW

#define ROW runfile_library
static const struct column library_columns[] = {
        COL(process, U32, ""),
        COL(object, U32, "in the order of loading; 0: the program"),
        COL(path, TEXT, ""),
        COL(build_id, TEXT_OR_NONE, ""),
};
#undef ROW

#define TABLE(name_, n_keys_, comment_)                                                            \
        {                                                                                          \
                .name = #name_, .comment = comment_, .columns = name_##_columns,                   \
                .n_columns = sizeof(name_##_columns) / sizeof(name_##_columns[0]),                 \
                .n_keys = n_keys_, .row_bytes = sizeof(struct runfile_##name_)                     \
        }

const struct table runfile_tables[N_TABLES] = {
        [TABLE_RUN] = TABLE(run, 1, "the run: one row"),
        [TABLE_PROCESS] = TABLE(process, 1, "its process images"),
        [TABLE_OP] = TABLE(op, 2, "what was timed, in each process"),
        [TABLE_OP_PHASE] = TABLE(op_phase, 3, "its figures, by phase"),
        [TABLE_THREAD] = TABLE(thread, 2, "threads"),
        [TABLE_THREAD_OP] = TABLE(thread_op, 4, "figures by thread, op and phase"),
        [TABLE_SHAPE] = TABLE(shape, 2, "what ops were done on"),
        [TABLE_OPERAND] = TABLE(operand, 3, "its operands"),
        [TABLE_SHAPE_PARAM] = TABLE(shape_param, 3, "its parameters"),
        [TABLE_SHAPE_PHASE] = TABLE(shape_phase, 3, "how often, and for how long, by phase"),
        [TABLE_LAYER] = TABLE(layer, 3, "ops in layers of the model, by phase"),
        [TABLE_EXPERTS] = TABLE(experts, 3, "experts that tokens were sent to, by layer and phase"),
        [TABLE_TOLD] = TABLE(told, 1, "what the engine told of itself"),
        [TABLE_MARKER] = TABLE(marker, 2, "memory of the process around markers"),
        [TABLE_COUNTER] = TABLE(counter, 2, "what the engine counted itself"),
        [TABLE_TILE] = TABLE(tile, 2, "tiles of its computations, by level"),
        [TABLE_INSTANT] = TABLE(instant, 2, "its marks and texts"),
        [TABLE_SITE] = TABLE(site, 2, "where threads were asked for"),
        [TABLE_SECOND] = TABLE(second, 2, "what moved in each second"),
        [TABLE_SIZE_CLASS] = TABLE(size_class, 2, "allocations by size"),
        [TABLE_FRAME] = TABLE(frame, 2, "functions on stacks"),
        [TABLE_STACK] = TABLE(stack, 2, "where memory was asked for"),
        [TABLE_MEMORY] = TABLE(memory, 2, "the process's memory through the run"),
        [TABLE_ARENA] = TABLE(arena, 2, "the allocator's arenas at its last word"),
        [TABLE_MAPPED_FILE] = TABLE(mapped_file, 2, "large files and models that are mapped"),
        [TABLE_TOKEN_ALLOC] = TABLE(token_alloc, 1, "allocations of each decoded token"),
        [TABLE_TOKEN_POINT] = TABLE(token_point, 2, "live bytes against tokens"),
        [TABLE_KV] = TABLE(kv, 1, "prompts, and decoded tokens in time"),
        [TABLE_KV_PIECE] = TABLE(kv_piece, 2, "tokens in time"),
        [TABLE_KV_BIN] = TABLE(kv_bin, 2, "decoded tokens by KV length"),
        [TABLE_KV_OP] = TABLE(kv_op, 3, "what ops did in them"),
        [TABLE_SPAN] = TABLE(span, 2, "single calls in time, where they were asked for"),
        [TABLE_MARK] = TABLE(mark, 2, "named instants"),
        [TABLE_MARK_OP] = TABLE(mark_op, 4, "allocations up to a mark"),
        [TABLE_MARK_CLASS] = TABLE(mark_class, 3, "allocations by size up to a mark"),
        [TABLE_MARK_STACK] = TABLE(mark_stack, 3, "samples up to a mark"),
        [TABLE_THREAD_WAIT] = TABLE(thread_wait, 3, "waits of each thread"),
        [TABLE_WAIT] = TABLE(wait, 2, "where threads waited, for what"),
        [TABLE_WAIT_BY] = TABLE(wait_by, 3, "for whom"),
        [TABLE_WAIT_NOW] = TABLE(wait_now, 2, "waits in progress"),
        [TABLE_SPAWN] = TABLE(spawn, 2, "what is known of a site's threads"),
        [TABLE_LEDGER] = TABLE(ledger, 1, "decode steps"),
        [TABLE_LEDGER_ROW] = TABLE(ledger_row, 3, "where their time went"),
        [TABLE_LEDGER_THREAD] = TABLE(ledger_thread, 3, "a thread's part in them"),
        [TABLE_SLOW_TOKEN] = TABLE(slow_token, 2, "the slowest of them, whole"),
        [TABLE_SLOW_TOKEN_ROW] = TABLE(slow_token_row, 4, "where their time went"),
        [TABLE_KERNEL] = TABLE(kernel, 1, "the kernel's view as a whole"),
        [TABLE_KERNEL_OP] = TABLE(kernel_op, 3, "the kernel's view by what was open"),
        [TABLE_SYSCALL] = TABLE(syscall, 2, "system calls"),
        [TABLE_PREEMPT] = TABLE(preempt, 2, "who took the CPU"),
        [TABLE_OFF_CPU] = TABLE(off_cpu, 2, "time off the CPU by stack"),
        [TABLE_NOTE] = TABLE(note, 2, "what a reader must know"),
        [TABLE_MACHINE] = TABLE(machine, 1, "the machine it ran on, and the most it can do"),
        [TABLE_SURROUNDINGS] = TABLE(surroundings, 1, "the state that machine was in"),
        [TABLE_CONFINES] = TABLE(confines, 1, "what processes were held to"),
        [TABLE_ENVIRONMENT] = TABLE(environment, 2, "their variables, secrets left out"),
        [TABLE_LIBRARY] = TABLE(library, 2, "what they loaded"),
};

static const char views_sql[] =
        "CREATE TABLE phases (phase INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"
        "INSERT INTO phases VALUES "
        "(0,'unknown'),(1,'load'),(2,'prefill'),(3,'decode'),(4,'idle');\n"
        "CREATE TABLE kinds (kind INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"
        "INSERT INTO kinds VALUES (0,'kernel'),(1,'node'),(2,'graph'),(3,'call'),(4,'wait'),"
        "(5,'token'),(6,'ttft'),(7,'marker');\n"
        "CREATE TABLE wait_kinds (kind INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"
        "INSERT INTO wait_kinds VALUES (1,'mutex'),(2,'rwlock'),(3,'spinlock'),(4,'condition'),"
        "(5,'barrier'),(6,'semaphore'),(7,'join'),(8,'futex'),(9,'sleep'),(10,'yield'),"
        "(11,'poll');\n"
        "CREATE VIEW v_ops AS SELECT o.process, o.name, k.name AS kind, p.name AS phase,\n"
        "  r.timed + r.untimed AS calls, r.timed,\n"
        "  round(r.total_ns / 1e6, 3) AS total_ms,\n"
        "  round((r.total_ns - r.child_ns) / 1e6, 3) AS self_ms,\n"
        "  round(r.total_ns / 1e3 / nullif(r.timed, 0), 3) AS mean_us,\n"
        "  round(r.min_ns / 1e3, 3) AS min_us, round(r.max_ns / 1e3, 3) AS max_us,\n"
        "  r.alloc_calls, r.alloc_asked, o.kernel, o.library\n"
        "  FROM op_phase r JOIN op o USING (process, op) JOIN kinds k USING (kind)\n"
        "  JOIN phases p USING (phase) WHERE o.kind < 5 ORDER BY r.total_ns - r.child_ns DESC;\n"
        "CREATE VIEW v_threads AS SELECT t.process, t.tid, t.name,\n"
        "  round(t.started_ns / 1e6, 3) AS started_ms, round(t.ended_ns / 1e6, 3) AS ended_ms,\n"
        "  t.spans, round(t.cpu_ns / 1e6, 3) AS cpu_ms, t.alloc_calls, t.alloc_asked,\n"
        "  s.function AS spawned_by\n"
        "  FROM thread t LEFT JOIN site s USING (process, site) ORDER BY t.process, t.thread;\n"
        "CREATE VIEW v_seconds AS SELECT s.second, sum(s.spans) AS spans,\n"
        "  sum(s.prompt_tokens) AS prompt_tokens, sum(s.generated_tokens) AS generated_tokens,\n"
        "  sum(s.spawns) AS spawns, sum(s.live_bytes) AS live_bytes,\n"
        "  sum(s.threads_live) AS threads_live FROM second s GROUP BY s.second ORDER BY "
        "s.second;\n"
        "CREATE VIEW v_stacks AS SELECT s.process, s.stack, o.name AS op, p.name AS phase, "
        "s.samples,\n"
        "  round(s.alloc_objects) AS alloc_objects, round(s.alloc_bytes) AS alloc_bytes,\n"
        "  round(s.inherited_objects + s.alloc_objects - s.freed_objects) AS inuse_objects,\n"
        "  round(s.inherited_bytes + s.alloc_bytes - s.freed_bytes) AS inuse_bytes,\n"
        "  (SELECT group_concat(ifnull(f.function, ifnull(f.library, '?')), ' < ')\n"
        "   FROM (SELECT value FROM json_each('[' || s.frames || ']') ORDER BY key) j\n"
        "   JOIN frame f ON f.process = s.process AND f.frame = j.value) AS functions\n"
        "  FROM stack s LEFT JOIN op o USING (process, op) JOIN phases p USING (phase)\n"
        "  ORDER BY s.alloc_bytes DESC;\n"
        "CREATE VIEW v_waits AS SELECT w.process, k.name AS kind, printf('0x%x', w.object) AS "
        "object,\n"
        "  o.name AS op, p.name AS phase, w.count, round(w.total_ns / 1e6, 3) AS total_ms, "
        "w.last,\n"
        "  (SELECT group_concat(ifnull(f.function, ifnull(f.library, '?')), ' < ')\n"
        "   FROM (SELECT value FROM json_each('[' || w.frames || ']') ORDER BY key) j\n"
        "   JOIN frame f ON f.process = w.process AND f.frame = j.value) AS functions\n"
        "  FROM wait w JOIN wait_kinds k USING (kind) LEFT JOIN op o USING (process, op)\n"
        "  JOIN phases p USING (phase) ORDER BY w.total_ns DESC;\n";

static const char *declaration(enum column_type type)
{
        switch (type) {
        case COLUMN_F64:
                return "REAL NOT NULL";
        case COLUMN_TEXT:
                return "TEXT NOT NULL";
        case COLUMN_TEXT_OR_NONE:
                return "TEXT";
        case COLUMN_HIST:
                return "BLOB";
        case COLUMN_U64_OR_NONE:
        case COLUMN_I64_OR_NONE:
                return "INTEGER";
        default:
                return "INTEGER NOT NULL";
        }
}

static void print_columns(FILE *f, const struct table *t, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++)
                fprintf(f, "%s\"%s\"", i ? ", " : "", t->columns[i].name);
}

static void print_create(FILE *f, const struct table *t)
{
        fprintf(f, "CREATE TABLE \"%s\" ( -- %s\n", t->name, t->comment);
        for (uint32_t i = 0; i < t->n_columns; i++) {
                const struct column *c = &t->columns[i];

                fprintf(f, "  \"%s\" %s,", c->name, declaration(c->type));
                fprintf(f, c->comment[0] ? " -- %s\n" : "%s\n", c->comment);
        }
        fputs("  PRIMARY KEY (", f);
        print_columns(f, t, t->n_keys);
        fputs(")\n) WITHOUT ROWID;\n", f);
}

static void print_schema(FILE *f, const struct table *unused)
{
        for (int i = 0; i < N_TABLES; i++)
                print_create(f, &runfile_tables[i]);
        fputs(views_sql, f);
        fprintf(f, "PRAGMA application_id = %d;\nPRAGMA user_version = %d;\n",
                RUNFILE_APPLICATION_ID, RUNFILE_SCHEMA);
}

static void print_put(FILE *f, const struct table *t)
{
        fprintf(f, "INSERT OR REPLACE INTO \"%s\" (", t->name);
        print_columns(f, t, t->n_columns);
        fputs(") VALUES (", f);
        for (uint32_t i = 0; i < t->n_columns; i++)
                fputs(i ? ",?" : "?", f);
        fputs(")", f);
}

static void print_select(FILE *f, const struct table *t)
{
        fputs("SELECT ", f);
        print_columns(f, t, t->n_columns);
        fprintf(f, " FROM \"%s\" ORDER BY ", t->name);
        print_columns(f, t, t->n_keys);
}

static char *printed(void (*print)(FILE *, const struct table *), const struct table *t)
{
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        print(f, t);
        if (fclose(f)) {
                free(text);
                return NULL;
        }
        return text;
}

char *runfile_schema_sql(void)
{
        return printed(print_schema, NULL);
}

char *runfile_put_sql(const struct table *t)
{
        return printed(print_put, t);
}

char *runfile_select_sql(const struct table *t)
{
        return printed(print_select, t);
}
