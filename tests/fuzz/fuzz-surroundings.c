/* SPDX-License-Identifier: MIT */
/*
 * What is read of a process besides its segment, of any bytes: an environment and a command line,
 * as /proc has them, and an ELF file or image for its build id. What is kept is bounded, clean, and
 * has no value that looks like a secret.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/build-id.h"
#include "common/env-list.h"
#include "daemon/surroundings.h"
#include "daemon/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_variables(const struct surroundings *s)
{
        if (s->n_variables > ENV_LIST_MOST)
                abort();
        for (uint32_t i = 0; i < s->n_variables; i++) {
                const struct variable *v = &s->variables[i];

                if (strchr(v->name, '\n') ||
                    (v->value && (strlen(v->value) > ENV_LIST_LONGEST || strchr(v->value, '\n'))))
                        abort();
                if (i && strcmp(s->variables[i - 1].name, v->name) > 0)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct surroundings s = {0};
        char id[BUILD_ID_SIZE], *line, *copy = malloc(size + 1);
        int fd = memfd_create("fuzz", MFD_CLOEXEC);

        if (!copy || fd < 0 || write(fd, data, size) != (ssize_t)size)
                abort();
        memcpy(copy, data, size); /* to its last byte and not one more */
        surroundings_take_environment(&s, copy, size);
        check_variables(&s);
        surroundings_done(&s);
        line = text_shell_words(copy, size);
        if (!line || strchr(line, '\n'))
                abort();
        free(line);
        free(copy);
        if (build_id_of_file_descriptor(id, fd) && strlen(id) >= BUILD_ID_SIZE)
                abort();
        if (build_id_of_memory(id, fd, 64, 0) && strlen(id) >= BUILD_ID_SIZE)
                abort();
        close(fd);
        return 0;
}
