/* SPDX-License-Identifier: MIT */
#include "cli/build-id.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/text.h"
#include "common/cleanup.h"

/* Seconds; of a run whose start is not known, all files are too new. */
static time_t started_at(const json_t *run)
{
        struct tm tm = {0};

        return strptime(text_string(run, "started_at", ""), "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm)
                                                                                      : 0;
}

bool build_id_of_file(char ret[BUILD_ID_SIZE], const char *path, const json_t *run)
{
        _cleanup_(closep) int fd = -1;
        struct stat st;

        if (path[0] != '/')
                return false;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mtime > started_at(run))
                return false;
        return build_id_of_file_descriptor(ret, fd);
}
