// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The kernel's view of engines' threads. BTF-typed tracepoints and the software events of page
 * faults; no kprobes. Every switch, wakeup and system call of the machine comes by here, so the
 * first question is the cheapest one: does the task have storage of ours at all? It is made in two
 * places only, for threads that are there when a process is registered (the iterator `find`), and
 * for those that are made by one that has it (`forked`); nobody is looked up by number.
 *
 * What a thread is about is read from the engine's own memory, in the thread's own context and not
 * elsewhere: the lane's address at a fixed offset from the thread pointer, in the lane what
 * is open. None of it is believed: what does not fit is "no lane", "no op".
 *
 * A thread's events follow each other (they happen on the thread, or under its run queue's lock),
 * so its storage and its lane's element have one writer at a time. The last element is
 * everybody's, and added to atomically. What finds no room is counted in `lost`.
 *
 * Programs and maps are one object, and all is inlined: so the parts are headers. Those named after
 * an event have its programs; what they share is in the others.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "iterate.h"
#include "on-fault.h"
#include "on-io.h"
#include "on-switch.h"
#include "on-syscall.h"
#include "on-thread.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
