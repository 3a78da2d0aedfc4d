/* SPDX-License-Identifier: MIT */
/* The archive that a bundle is, made of what is to be in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct bundle_member {
        const char *name, *about;
        char *data;
        size_t bytes;
        bool of_sqlite; /* its data is given back to runfile_bytes_free() */
};

/*
 * Members from the last to the first, in a folder that is named after the run. The archive is to be
 * freed, in any case; false: no memory.
 */
bool bundle_pack(const char *id, const struct bundle_member *members, size_t n, char **ret,
                 size_t *ret_bytes);
