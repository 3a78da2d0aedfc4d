/* SPDX-License-Identifier: MIT */
/* Writes the fixture's run to a file, for tests of commands that read one. */
#include <stdio.h>

#include "run-fixture.h"

int main(int argc, char **argv)
{
        struct fixture_truth truth;

        if (argc != 2) {
                fprintf(stderr, "usage: %s FILE\n", argv[0]);
                return 2;
        }
        return fixture_write(argv[1], &truth) != 0;
}
