/* SPDX-License-Identifier: MIT */
/* Stands in until symbols are looked up: a frame is its address. */
#include "daemon/frames.h"

#include <errno.h>
#include <stdlib.h>

#include "common/runfile.h"
#include "daemon/process.h"

struct frames {
        uint64_t *addresses;
        uint32_t n, room, written, first;
};

struct frames *frames_new(void)
{
        return calloc(1, sizeof(struct frames));
}

struct frames *frames_free(struct frames *f)
{
        if (f)
                free(f->addresses);
        free(f);
        return NULL;
}

void frames_begin_at(struct frames *f, uint32_t id)
{
        f->first = id;
}

int frames_find(struct frames *f, struct process *p, uint64_t return_address, uint32_t epoch,
                uint32_t *ret_ids, uint32_t room, unsigned *budget, const char **ret_why)
{
        for (uint32_t i = 0; i < f->n; i++)
                if (f->addresses[i] == return_address) {
                        ret_ids[0] = f->first + i;
                        return 1;
                }
        if (!*budget)
                return 0;
        --*budget;
        if (f->n == f->room) {
                uint32_t want = f->room ? 2 * f->room : 64;
                uint64_t *new = realloc(f->addresses, want * sizeof(*new));

                if (!new)
                        return -ENOMEM;
                f->addresses = new;
                f->room = want;
        }
        f->addresses[f->n] = return_address;
        ret_ids[0] = f->first + f->n++;
        return 1;
}

bool frames_get(const struct frames *f, uint32_t id, struct runfile_frame *ret)
{
        if (id < f->first || id - f->first >= f->n)
                return false;
        *ret = (struct runfile_frame){.frame = id, .offset = f->addresses[id - f->first]};
        return true;
}

int frames_flush(struct frames *f, struct runfile *rf, uint32_t process_index)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < f->n; i++) {
                struct runfile_frame row;

                frames_get(f, f->first + i, &row);
                row.process = process_index;
                row.offset &= INT64_MAX;
                r = runfile_put_frame(rf, &row);
        }
        return r;
}
