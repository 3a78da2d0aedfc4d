/* SPDX-License-Identifier: MIT */
/*
 * CPUs are written as everywhere (0-3), with + where others have a comma, which parts values here:
 * 0-1+4. A policy is that of set_mempolicy(2). What the machine has not is refused before anything
 * is run.
 */
#include "cli/sweep-place.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define MOST_NODES 64u

__attribute__((format(printf, 2, 3))) static int wrong(char **ret_why, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        if (vasprintf(ret_why, format, ap) < 0)
                *ret_why = NULL;
        va_end(ap);
        return *ret_why ? -EINVAL : -ENOMEM;
}

static bool whole(const char **s, unsigned long most, unsigned long *ret)
{
        char *end;

        if (!isdigit((unsigned char)**s))
                return false;
        errno = 0;
        *ret = strtoul(*s, &end, 10);
        *s = end;
        return !errno && *ret <= most;
}

/* "0-3+5", or with commas, as the kernel writes it. */
static bool take_set(const char *s, unsigned long most, void (*put)(void *, unsigned long),
                     void *userdata)
{
        unsigned long from, to;

        for (;; s++) {
                if (!whole(&s, most, &from))
                        return false;
                to = from;
                if (*s == '-' && (s++, !whole(&s, most, &to) || to < from))
                        return false;
                for (; from <= to; from++)
                        put(userdata, from);
                if (*s != '+' && *s != ',')
                        return !*s || *s == '\n';
        }
}

static void put_cpu(void *userdata, unsigned long cpu)
{
        CPU_SET(cpu, (cpu_set_t *)userdata);
}

static void put_node(void *userdata, unsigned long node)
{
        *(uint64_t *)userdata |= 1ull << node;
}

size_t sweep_cpus_count(const char *value)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        return take_set(value, CPU_SETSIZE - 1, put_cpu, &set) ? (size_t)CPU_COUNT(&set) : 0;
}

static int take_cpus(struct sweep_place *p, const char *value, char **ret_why)
{
        cpu_set_t ours, both;

        CPU_ZERO(&p->cpus);
        if (!take_set(value, CPU_SETSIZE - 1, put_cpu, &p->cpus))
                return wrong(ret_why, "'%s' names no CPUs: it has to read 0, 0-3 or 0-1+4", value);
        if (sched_getaffinity(0, sizeof(ours), &ours) < 0)
                return wrong(ret_why, "which CPUs there are is not known: %s", strerror(errno));
        CPU_AND(&both, &ours, &p->cpus);
        for (size_t i = 0; i < CPU_SETSIZE; i++)
                if (CPU_ISSET(i, &p->cpus) && !CPU_ISSET(i, &ours))
                        return wrong(ret_why,
                                     "CPU %zu of '%s' is none that we may use; those are "
                                     "%d (nproc, taskset -p $$)",
                                     i, value, CPU_COUNT(&ours));
        p->has_cpus = true;
        return 0;
}

/* Nodes that have memory; those there are not known to be: the first. */
static uint64_t nodes_here(void)
{
        _cleanup_(fclosep) FILE *f = fopen("/sys/devices/system/node/has_memory", "re");
        uint64_t nodes = 0;
        char line[256];

        if (!f || !fgets(line, sizeof(line), f) ||
            !take_set(line, MOST_NODES - 1, put_node, &nodes))
                return 1;
        return nodes;
}

static int take_policy(struct sweep_place *p, const char *value, char **ret_why)
{
        static const struct {
                const char *name;
                int policy;
                int nodes; /* -1: takes none, 0: may, 1: must */
        } policies[] = {{"default", MPOL_DEFAULT, -1},
                        {"local", MPOL_LOCAL, -1},
                        {"interleave", MPOL_INTERLEAVE, 0},
                        {"preferred", MPOL_PREFERRED, 1},
                        {"bind", MPOL_BIND, 1}};
        const char *colon = strchr(value, ':');
        size_t n = colon ? (size_t)(colon - value) : strlen(value), i = 0;
        uint64_t here = nodes_here();

        while (i < 5 && (strlen(policies[i].name) != n || strncmp(policies[i].name, value, n) != 0))
                i++;
        if (i == 5 || (colon && policies[i].nodes < 0) || (!colon && policies[i].nodes > 0))
                return wrong(ret_why,
                             "'%s' is no policy: default, local, interleave, interleave:NODES, "
                             "preferred:NODE or bind:NODES",
                             value);
        p->policy = policies[i].policy;
        p->nodes = colon || policies[i].nodes < 0 ? 0 : here;
        if (colon && !take_set(colon + 1, MOST_NODES - 1, put_node, &p->nodes))
                return wrong(ret_why, "'%s' names no nodes: they have to read 0, 0-3 or 0+2",
                             value);
        if (p->nodes & ~here)
                return wrong(ret_why,
                             "this machine has no node %d with memory, which '%s' asks for",
                             __builtin_ctzll(p->nodes & ~here), value);
        if (p->policy == MPOL_INTERLEAVE && !(p->nodes & (p->nodes - 1)))
                return wrong(ret_why,
                             "'%s' interleaves over one node: this machine has %d with memory, and "
                             "it takes two",
                             value, __builtin_popcountll(here));
        return 0;
}

int sweep_place(struct sweep_place *ret, const struct sweep_grid *g, size_t point, char **ret_why)
{
        int r = 0;

        *ret = (struct sweep_place){.policy = -1};
        *ret_why = NULL;
        for (size_t i = 0; !r && i < g->n; i++) {
                const char *value = sweep_grid_value(g, point, i);

                if (g->parameters[i].kind == SWEEP_CPUS)
                        r = take_cpus(ret, value, ret_why);
                else if (g->parameters[i].kind == SWEEP_NUMA)
                        r = take_policy(ret, value, ret_why);
        }
        return r;
}
