/* SPDX-License-Identifier: MIT */
/* A tar archive as all can read it (ustar), compressed with zstd, in memory. */
#include "cli/bundle-pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"

#define LEVEL "9" /* of zstd */

static const char id_characters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";

static la_ssize_t take_block(struct archive *a, void *userdata, const void *data, size_t n)
{
        (void)a;
        return fwrite(data, 1, n, userdata) == n ? (la_ssize_t)n : -1;
}

static bool put_member(struct archive *a, const char *id, const struct bundle_member *member)
{
        struct archive_entry *e = archive_entry_new();
        _cleanup_(freep) char *name = NULL;
        bool ok = e && asprintf(&name, "infprof-%s/%s", id, member->name) >= 0;

        if (ok) {
                archive_entry_set_pathname(e, name);
                archive_entry_set_filetype(e, AE_IFREG);
                archive_entry_set_perm(e, 0644);
                archive_entry_set_size(e, (la_int64_t)member->bytes);
                archive_entry_set_mtime(e, time(NULL), 0);
                ok = archive_write_header(a, e) == ARCHIVE_OK &&
                     archive_write_data(a, member->data, member->bytes) ==
                             (la_ssize_t)member->bytes;
        }
        archive_entry_free(e);
        return ok;
}

bool bundle_pack(const char *id, const struct bundle_member *members, size_t n, char **ret,
                 size_t *ret_bytes)
{
        struct archive *a = archive_write_new();
        FILE *out = open_memstream(ret, ret_bytes);
        bool ok;

        ok = a && out && archive_write_set_format_ustar(a) == ARCHIVE_OK &&
             archive_write_add_filter_zstd(a) == ARCHIVE_OK &&
             archive_write_set_filter_option(a, "zstd", "compression-level", LEVEL) == ARCHIVE_OK &&
             archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
             archive_write_open(a, out, NULL, take_block, NULL) == ARCHIVE_OK;
        if (strspn(id, id_characters) != strlen(id)) /* a file that somebody else made */
                id = "run";
        for (size_t i = n; ok && i-- > 0;)
                ok = put_member(a, id, &members[i]);
        ok = ok && archive_write_close(a) == ARCHIVE_OK;
        archive_write_free(a);
        return out && !fclose(out) && ok;
}
