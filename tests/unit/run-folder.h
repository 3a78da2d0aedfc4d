/* SPDX-License-Identifier: MIT */
/* A folder for the one run file of a test program, which is gone after each test. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/test-run-XXXXXX";
static char file[256];

static int make_folder(void **state)
{
        if (!mkdtemp(folder))
                return -1;
        snprintf(file, sizeof(file), "%s/run.infprof", folder);
        return 0;
}

static int remove_folder(void **state)
{
        return rmdir(folder);
}

static int clean(void **state)
{
        unlink(file);
        return 0;
}
