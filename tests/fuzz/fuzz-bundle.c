/* SPDX-License-Identifier: MIT */
/*
 * An archive of any bytes, not compressed (which is libarchive's to withstand), where a bundle is
 * expected: its run file in a file without a name, or one line on why there is none. Begin with a
 * bundle unpacked by `zstd -d`.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "common/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char path[64], *why = NULL;
        struct bundle b = {.fd = -1};
        struct stat st;
        int fd, r;

        snprintf(path, sizeof(path), "/dev/shm/fuzz-bundle.%d", (int)getpid());
        fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
                abort();
        close(fd);
        (void)bundle_is(path);
        r = bundle_open(&b, path, &why);
        if (r ? b.fd >= 0 || !why : b.fd < 0 || why || fstat(b.fd, &st) || st.st_nlink)
                abort();
        free(why);
        why = NULL;
        if (!r) {
                json_t *report = NULL;

                r = report_build_file(b.path, &report, &why);
                if (r ? report || !why : !report || why)
                        abort();
                json_decref(report);
                free(why);
                bundle_close(&b);
        }
        unlink(path);
        return 0;
}
