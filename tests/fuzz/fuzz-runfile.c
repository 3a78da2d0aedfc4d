/* SPDX-License-Identifier: MIT */
/*
 * A run file of any bytes: a report of it, or one line on why there is none. Begin with the file
 * that make-run writes.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char path[64], *why = NULL, *text;
        json_t *report = NULL;
        int fd, r;

        snprintf(path, sizeof(path), "/dev/shm/fuzz-runfile.%d", (int)getpid());
        fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
                abort();
        close(fd);
        r = report_build_file(path, &report, &why);
        if (r ? report || !why || strchr(why, '\n') : !report || why)
                abort();
        if (report) {
                text = json_dumps(report, JSON_COMPACT);
                if (!text)
                        abort();
                free(text);
        }
        json_decref(report);
        free(why);
        unlink(path);
        return 0;
}
