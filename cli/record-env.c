/* SPDX-License-Identifier: MIT */
/*
 * The environment of the recorded command. The shim comes first in LD_PRELOAD, for it is to be
 * asked before any allocator; the allocator right behind it, for it is the shim's next; then
 * whatever was preloaded before. Where the shim is in that list already, its place is kept.
 */
#include "cli/record-env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "common/cleanup.h"
#include "common/paths.h"

#define SEPARATORS " :" /* of LD_PRELOAD, ld.so(8) */

static int find_shim(char **ret)
{
        if (ifp_find_part("INFPROF_SHIM", "../preload/libinfprof.so", IFP_LIBDIR "/libinfprof.so",
                          ret) < 0) {
                cmd_error("record", "libinfprof.so is not found; set INFPROF_SHIM to its path");
                return -ENOENT;
        }
        if (access(*ret, R_OK) < 0) {
                cmd_error("record", "cannot read the shim %s: %s; set INFPROF_SHIM to its path",
                          *ret, strerror(errno));
                return -ENOENT;
        }
        if (strpbrk(*ret, " :\t\n")) {
                cmd_error("record",
                          "the path of the shim, %s, has a space or colon in it, which LD_PRELOAD "
                          "cannot "
                          "hold; set INFPROF_SHIM to another",
                          *ret);
                return -EINVAL;
        }
        return 0;
}

static int find_allocator(const struct allocator *a, char **ret)
{
        int r = a ? allocator_find(a, ret) : 0;
        size_t last = 0;

        while (a && a->sonames[last + 1])
                last++;

        if (r == -ENOENT)
                cmd_error("record", "--allocator %s: %s is not found; install Debian's %s", a->name,
                          a->sonames[last], a->package);
        else if (r < 0)
                cmd_error("record", "--allocator %s: the loader cannot be asked: %s", a->name,
                          strerror(-r));
        if (r < 0 || !a || !strpbrk(*ret, SEPARATORS))
                return r;
        cmd_error("record",
                  "--allocator %s: its path, %s, has a space or colon in it, which LD_PRELOAD "
                  "cannot hold; move it",
                  a->name, *ret);
        return -EINVAL;
}

int record_env_init(struct record_env *ret, const struct record_options *o)
{
        int r;

        *ret = (struct record_env){0};
        r = find_shim(&ret->shim);
        return r < 0 ? r : find_allocator(o->allocator, &ret->allocator);
}

void record_env_done(struct record_env *e)
{
        free(e->shim);
        free(e->allocator);
}

/* The place of `entry` in a list as LD_PRELOAD is, or NULL. */
static const char *find_entry(const char *list, const char *entry)
{
        for (const char *p = list; *p; p += strcspn(p, SEPARATORS)) {
                p += strspn(p, SEPARATORS);
                if (strcspn(p, SEPARATORS) == strlen(entry) && !strncmp(p, entry, strlen(entry)))
                        return p;
        }
        return NULL;
}

/* The list to be preloaded, to be freed. */
static char *preload_list(const struct record_env *e, const char *old)
{
        const char *there = find_entry(old, e->shim);
        const char *rest = there ? there + strlen(e->shim) : old;
        const char *colon = e->allocator ? ":" : "", *allocator = e->allocator ? e->allocator : "";
        char *list;

        rest += strspn(rest, SEPARATORS);
        if (asprintf(&list, "%.*s%s%s%s%s%s", there ? (int)(there - old) : 0, old, e->shim, colon,
                     allocator, *rest ? ":" : "", rest) < 0)
                return NULL;
        return list;
}

int record_env_set(const struct record_env *e, const struct record_options *o, const char *run_id,
                   bool has_daemon)
{
        const char *old = getenv("LD_PRELOAD");
        _cleanup_(freep) char *list = preload_list(e, old ? old : "");
        int r;

        if (!list)
                return -ENOMEM;
        r = setenv("LD_PRELOAD", list, 1) | setenv("INFPROF_RUN", run_id, 1);
        if (o->kernels)
                r |= setenv("INFPROF_KERNELS", o->kernels, 1);
        if (o->ops.text)
                r |= setenv("INFPROF_OPS", o->ops.text, 1);
        if (o->level)
                r |= setenv("INFPROF_KERNELS_LEVEL", o->level, 1);
        if (o->heap_interval[0])
                r |= setenv("INFPROF_HEAP_INTERVAL", o->heap_interval, 1);
        if (o->waits)
                r |= setenv("INFPROF_WAITS", o->waits, 1);
        if (o->kernel)
                r |= setenv("INFPROF_KERNEL", o->kernel, 1);
        if (o->offcpu)
                r |= setenv("INFPROF_OFFCPU", "1", 1);
        if (!has_daemon) /* it has been tried and said; the shim need not do both again */
                r |= setenv("INFPROF_DAEMON", "off", 1);
        return r ? -ENOMEM : 0;
}
