/* SPDX-License-Identifier: MIT */
/* What the machine is made of, by hwloc; what its cores understand, by the compiler's own look. */
#include "common/machine-look.h"

#include <errno.h>
#include <hwloc.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define MAX_QUOTA 64

static const hwloc_obj_type_t cache_types[] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE,
                                               HWLOC_OBJ_L3CACHE};

static json_t *build_caches(hwloc_topology_t t, struct machine_places *p)
{
        json_t *list = json_array();

        for (int i = 0; i < 3; i++) {
                int n = hwloc_get_nbobjs_by_type(t, cache_types[i]);
                hwloc_obj_t o = n > 0 ? hwloc_get_obj_by_type(t, cache_types[i], 0) : NULL;

                if (!o || !o->attr->cache.size)
                        continue;
                p->cache_bytes[i] = o->attr->cache.size;
                p->cache_cpus[i] = hwloc_bitmap_weight(o->cpuset);
                json_array_append_new(
                        list,
                        json_pack("{s:i, s:I, s:o, s:i, s:i}", "level", i + 1, "size_bytes",
                                  (json_int_t)o->attr->cache.size, "line_bytes",
                                  o->attr->cache.linesize ? json_integer(o->attr->cache.linesize)
                                                          : json_null(),
                                  "count", n, "shared_by_cpus", p->cache_cpus[i]));
        }
        return list;
}

/* Where the kernel tells of several (big and little): CPUs of each. */
static json_t *build_kinds(hwloc_topology_t t)
{
        int n = hwloc_cpukinds_get_nr(t, 0);
        json_t *list = json_array();
        hwloc_bitmap_t set = hwloc_bitmap_alloc();

        for (int i = 0; set && i < n; i++) {
                int efficiency;
                char *text = NULL;

                if (hwloc_cpukinds_get_info(t, (unsigned)i, set, &efficiency, NULL, NULL, 0))
                        continue;
                hwloc_bitmap_list_asprintf(&text, set);
                json_array_append_new(
                        list, json_pack("{s:s, s:o}", "cpus", text ? text : "", "efficiency",
                                        efficiency >= 0 ? json_integer(efficiency) : json_null()));
                free(text);
        }
        hwloc_bitmap_free(set);
        return list;
}

static json_t *cpus_of(hwloc_const_cpuset_t set)
{
        char *text = NULL;
        json_t *o;

        hwloc_bitmap_list_asprintf(&text, set);
        o = json_string(text ? text : "");
        free(text);
        return o;
}

/* Which CPUs a core runs, and which memory is near to them. */
static json_t *build_layout(hwloc_topology_t t)
{
        json_t *nodes = json_array(), *cores = json_array();
        hwloc_obj_t o = NULL;

        while ((o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, o)))
                json_array_append_new(
                        nodes,
                        json_pack("{s:i, s:o, s:o}", "node", (int)o->os_index, "memory_bytes",
                                  o->attr->numanode.local_memory
                                          ? json_integer((json_int_t)o->attr->numanode.local_memory)
                                          : json_null(),
                                  "cpus", cpus_of(o->cpuset)));
        while ((o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_CORE, o)))
                json_array_append_new(cores, cpus_of(o->cpuset));
        return json_pack("{s:o, s:o}", "nodes", nodes, "cores", cores);
}

/* cpu.max of this process's cgroup: CPUs; NaN-free: 0 = no limit, or none that can be seen. */
static double quota(void)
{
        _cleanup_(fclosep) FILE *f = fopen("/proc/self/cgroup", "re");
        char line[512], path[640], text[MAX_QUOTA];
        double most = 0;

        while (f && fgets(line, sizeof(line), f)) {
                _cleanup_(fclosep) FILE *g = NULL;
                double q, period;

                if (strncmp(line, "0::", 3))
                        continue;
                line[strcspn(line, "\n")] = '\0';
                snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", line + 3);
                g = fopen(path, "re");
                if (g && fgets(text, sizeof(text), g) &&
                    sscanf(text, "%lf %lf", &q, &period) == 2 && period > 0)
                        most = q / period;
        }
        return most;
}

/* One of each core first, then their siblings; of those that this process may use. */
static void find_cpus(hwloc_topology_t t, struct machine_places *p)
{
        cpu_set_t allowed;
        int n_cores = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE);

        CPU_ZERO(&allowed);
        if (sched_getaffinity(0, sizeof(allowed), &allowed))
                CPU_SET(0, &allowed);
        for (unsigned sibling = 0; sibling < 16; sibling++) {
                for (int i = 0; i < n_cores; i++) {
                        hwloc_obj_t core = hwloc_get_obj_by_type(t, HWLOC_OBJ_CORE, (unsigned)i);
                        hwloc_obj_t pu = core ? hwloc_get_obj_inside_cpuset_by_type(
                                                        t, core->cpuset, HWLOC_OBJ_PU, sibling)
                                              : NULL;

                        if (pu && pu->os_index < CPU_SETSIZE && CPU_ISSET(pu->os_index, &allowed) &&
                            p->n_cpus < MACHINE_MAX_CPUS)
                                p->cpus[p->n_cpus++] = (int)pu->os_index;
                }
        }
        for (int i = 0; !p->n_cpus && i < CPU_SETSIZE; i++) /* hwloc knows no cores */
                if (CPU_ISSET(i, &allowed))
                        p->cpus[p->n_cpus++] = i;
}

#ifdef __x86_64__
static const struct {
        const char *flag, *name;
} flags[] = {{"avx_vnni", "avxvnni"},
             {"amx_tile", "amx-tile"},
             {"amx_int8", "amx-int8"},
             {"amx_bf16", "amx-bf16"}};

/* Of the first CPU, in /proc/cpuinfo. */
static bool kernel_has_flag(const char *flag)
{
        _cleanup_(fclosep) FILE *f = fopen("/proc/cpuinfo", "re");
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;

        while (f && getline(&line, &size, f) > 0) {
                char *rest = line, *word;

                if (strncmp(line, "flags", 5) != 0)
                        continue;
                while ((word = strsep(&rest, " \t\n")))
                        if (!strcmp(word, flag))
                                return true;
                return false;
        }
        return false;
}
#endif

static json_t *build_isa(void)
{
        json_t *tiers = json_array(), *features = json_array();

#ifdef __x86_64__
#define TIER(name, there)                                                                          \
        do {                                                                                       \
                if (there)                                                                         \
                        json_array_append_new(tiers, json_string(name));                           \
        } while (0)
#define FEATURE(name)                                                                              \
        do {                                                                                       \
                if (__builtin_cpu_supports(name))                                                  \
                        json_array_append_new(features, json_string(name));                        \
        } while (0)
        TIER("scalar", true);
        TIER("sse2", true);
        TIER("avx2", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
        TIER("avx512", __builtin_cpu_supports("avx512f"));
        FEATURE("sse4.2");
        FEATURE("avx");
        FEATURE("avx2");
        FEATURE("fma");
        FEATURE("avx512f");
        FEATURE("avx512bw");
        FEATURE("avx512dq");
        FEATURE("avx512vl");
        FEATURE("avx512vnni");
        FEATURE("avx512bf16");
        /* not every compiler asks for these; the kernel tells those that may be used */
        for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
                if (kernel_has_flag(flags[i].flag))
                        json_array_append_new(features, json_string(flags[i].name));
#endif
        return json_pack("{s:o, s:o}", "tiers", tiers, "features", features);
}

static void read_model(char *buf, size_t size)
{
        _cleanup_(fclosep) FILE *f = fopen("/proc/cpuinfo", "re");
        char line[256];

        snprintf(buf, size, "unknown");
        while (f && fgets(line, sizeof(line), f)) {
                const char *colon = strchr(line, ':');

                if (strncmp(line, "model name", 10) || !colon)
                        continue;
                line[strcspn(line, "\n")] = '\0';
                snprintf(buf, size, "%s", colon + 1 + strspn(colon + 1, " "));
                return;
        }
}

/* FNV-1a of what figures depend on. */
static uint64_t fingerprint(const char *model, const json_t *topology, const json_t *isa)
{
        _cleanup_(freep) char *a = json_dumps(topology, JSON_COMPACT | JSON_SORT_KEYS);
        _cleanup_(freep) char *b = json_dumps(isa, JSON_COMPACT | JSON_SORT_KEYS);
        const char *texts[] = {model, a ? a : "", b ? b : ""};
        uint64_t h = 14695981039346656037ull;

        for (int i = 0; i < 3; i++)
                for (const char *s = texts[i]; *s; s++)
                        h = (h ^ (uint8_t)*s) * 1099511628211ull;
        return h;
}

int machine_look(json_t *o, struct machine_places *ret)
{
        hwloc_topology_t t;
        char model[128], id[24];
        double cpus = quota();
        json_t *topology, *layout, *isa;

        *ret = (struct machine_places){0};
        if (hwloc_topology_init(&t))
                return -ENOMEM;
        (void)hwloc_topology_set_cache_types_filter(t, HWLOC_TYPE_FILTER_KEEP_ALL);
        if (hwloc_topology_load(t)) {
                hwloc_topology_destroy(t);
                return -EIO;
        }
        find_cpus(t, ret);
        read_model(model, sizeof(model));
        topology = json_pack("{s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "packages",
                             hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PACKAGE), "cores",
                             hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE), "cpus",
                             hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU), "numa_nodes",
                             hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE), "usable_cpus",
                             ret->n_cpus, "quota_cpus", cpus > 0 ? json_real(cpus) : json_null(),
                             "core_kinds", build_kinds(t), "caches", build_caches(t, ret));
        layout = build_layout(t);
        isa = build_isa();
        hwloc_topology_destroy(t);
        snprintf(id, sizeof(id), "%016llx", (unsigned long long)fingerprint(model, topology, isa));
        json_object_set_new(o, "model", json_string(model));
        json_object_set_new(o, "fingerprint", json_string(id));
        json_object_set_new(o, "topology", topology);
        json_object_set_new(o, "layout", layout);
        json_object_set_new(o, "isa", isa);
        return 0;
}
