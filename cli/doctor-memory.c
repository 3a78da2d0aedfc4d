/* SPDX-License-Identifier: MIT */
/*
 * Doctor: what is needed to tell who allocates, and what is there to compare with.
 */
#include "cli/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/allocator-find.h"
#include "common/cleanup.h"

#define LIBUNWIND "libunwind.so.8"

/* The shim finds libunwind as programs do. */
static void check_stacks(struct finding *f)
{
        _cleanup_(freep) char *path = NULL;

        f->check = "stacks";
        if (!loader_find(LIBUNWIND, &path)) {
                finding_set(f, FINDING_OK, "of allocations are unwound by %s", path);
                return;
        }
        finding_set(f, FINDING_WARN,
                    "of allocations are one frame only, the caller, without " LIBUNWIND);
        finding_remedy(f, "install Debian's libunwind8");
}

/* Appends to a list of words in buf[size]. */
static void append(char *buf, size_t size, const char *word, const char *package)
{
        size_t used = strlen(buf);

        snprintf(buf + used, size - used, "%s%s%s%s%s", used ? ", " : "", word, package ? " (" : "",
                 package ? package : "", package ? ")" : "");
}

static void check_allocators(struct finding *f)
{
        char there[128] = "", missing[160] = "";

        f->check = "allocators";
        for (size_t i = 0; i < n_allocators; i++) {
                _cleanup_(freep) char *path = NULL;

                if (!allocator_find(&allocators[i], &path))
                        append(there, sizeof(there), allocators[i].name, NULL);
                else
                        append(missing, sizeof(missing), allocators[i].name, allocators[i].package);
        }
        finding_set(f, FINDING_OK, "record --allocator has system%s%s", *there ? ", " : "", there);
        if (*missing)
                finding_remedy(f, "for others install Debian's package: %s", missing);
}

const doctor_check doctor_memory_checks[] = {check_stacks, check_allocators};
const size_t doctor_n_memory_checks =
        sizeof(doctor_memory_checks) / sizeof(doctor_memory_checks[0]);
