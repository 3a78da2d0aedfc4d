/* SPDX-License-Identifier: MIT */
#include "cli/out-file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd.h"

static int failed(const char *verb, const char *path)
{
        cmd_error(verb, "cannot write %s: %s", path, strerror(errno));
        return CMD_NO;
}

int out_file_write(const char *verb, const char *path, const void *data, size_t bytes)
{
        struct stat st;
        bool regular, whole;
        FILE *f;

        if (!path || !strcmp(path, "-")) {
                fwrite(data, 1, bytes, stdout);
                return cmd_finish(verb, CMD_DONE);
        }
        f = fopen(path, "we");
        if (!f)
                return failed(verb, path);
        regular = !fstat(fileno(f), &st) && S_ISREG(st.st_mode);
        whole = fwrite(data, 1, bytes, f) == bytes;
        if (fclose(f) == EOF || !whole) {
                failed(verb, path);
                if (regular)
                        unlink(path);
                return CMD_NO;
        }
        return CMD_DONE;
}
