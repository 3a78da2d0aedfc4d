/* SPDX-License-Identifier: MIT */
/* Writes a fixture's run to a file, for tests of commands that read one. */
#include <stdio.h>
#include <string.h>

#include "memory-fixture.h"
#include "roof-fixture.h"
#include "run-fixture.h"
#include "work-fixture.h"

int main(int argc, char **argv)
{
        struct fixture_truth truth;

        if (argc == 2)
                return fixture_write(argv[1], &truth) != 0;
        if (argc == 3 && !strcmp(argv[1], "--memory"))
                return memory_fixture_write(argv[2], MEMORY_FIXTURE) != 0;
        if (argc == 3 && !strcmp(argv[1], "--memory-improved"))
                return memory_fixture_write(argv[2], MEMORY_FIXTURE_IMPROVED) != 0;
        for (int i = 0; argc == 4 && i < N_WORK_FIXTURES; i++)
                if (!strcmp(argv[1], "--work") && !strcmp(argv[2], work_fixture_names[i]))
                        return work_fixture_write(argv[3], (enum work_fixture)i) != 0;
        for (int i = 0; argc == 4 && i < N_ROOF_FIXTURES; i++)
                if (!strcmp(argv[1], "--roof") && !strcmp(argv[2], roof_fixture_names[i]))
                        return roof_fixture_write(argv[3], (enum roof_fixture)i) != 0;
        fprintf(stderr,
                "usage: %s [--memory | --memory-improved | --work KIND | --roof KIND] FILE\n",
                argv[0]);
        return 2;
}
