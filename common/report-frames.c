/* SPDX-License-Identifier: MIT */
/*
 * Loading frames and lists of them, and telling them in a document.
 */
#include "common/report-frames.h"

#include <errno.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

struct loader {
        struct frames *frames;
        struct runfile *rf;
        const struct model *model;
        char **why;
};

static int find_frame(struct frames *s, const struct runfile_frame *row, size_t *ret)
{
        uint32_t h = merge_hash_text(
                merge_hash_text(merge_hash_text(MERGE_SEED, row->function), row->library),
                row->file);
        struct frame *f;
        bool failed = false;

        h = merge_hash(merge_hash(h, row->offset), ((uint64_t)row->line << 1) | row->inlined);
        for (uint32_t i = merge_first(&s->buckets, h); i; i = s->at[i - 1].next) {
                f = &s->at[i - 1];
                if (f->hash == h && f->offset == row->offset && f->line == row->line &&
                    f->inlined == row->inlined && merge_same_text(f->function, row->function) &&
                    merge_same_text(f->library, row->library) &&
                    merge_same_text(f->file, row->file)) {
                        *ret = i - 1;
                        return 0;
                }
        }
        f = GROW(&s->at, &s->n, &s->room);
        if (!f)
                return -ENOMEM;
        *f = (struct frame){
                .function = merge_copy_text(row->function, &failed),
                .library = merge_copy_text(row->library, &failed),
                .file = merge_copy_text(row->file, &failed),
                .offset = row->offset,
                .line = row->line,
                .inlined = row->inlined,
                .hash = h,
        };
        *ret = s->n - 1;
        return failed ? -ENOMEM : MERGE_PUT_NEW(&s->buckets, s->at, s->n);
}

static int load_frame(const struct runfile_frame *row, void *userdata)
{
        struct loader *l = userdata;
        size_t to = 0;
        int r;

        if (model_process_index(l->model, l->rf, "frame", row->process, l->why) == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        r = find_frame(l->frames, row, &to);
        return r ? r : merge_add_ref(&l->frames->refs, row->process, row->frame, to);
}

int frames_load(struct frames *f, struct runfile *rf, const struct model *m, char **why)
{
        struct loader l = {f, rf, m, why};

        return runfile_each_frame(rf, load_frame, &l);
}

int frames_read(const struct frames *f, const struct runfile *rf, const char *table,
                uint32_t process, uint32_t row, const char *list, uint32_t **ret, size_t *ret_n,
                char **why)
{
        _cleanup_(freep) uint32_t *at = NULL;
        size_t n = 0, room = 0;

        for (const char *p = list; *p;) {
                const struct merge_ref *ref;
                uint32_t *frame;
                uint64_t v = 0;
                bool digits = false;

                for (; *p >= '0' && *p <= '9' && v <= UINT32_MAX; p++, digits = true)
                        v = v * 10 + (uint64_t)(*p - '0');
                if (!digits || v > UINT32_MAX || (*p && (*p != ',' || !p[1])))
                        return runfile_explain(why, RUNFILE_E_FOREIGN,
                                               "'%s' is damaged: table %s holds no list of "
                                               "frames in %s %u of process %u; it cannot be used",
                                               rf->path, table, table, row, process);
                p += *p == ',';
                ref = merge_find_ref(&f->refs, process, (uint32_t)v);
                if (!ref)
                        return model_dangling(rf, table, "frame", process, (uint32_t)v, why);
                frame = GROW(&at, &n, &room);
                if (!frame)
                        return -ENOMEM;
                *frame = ref->to;
        }
        *ret = steal_ptr(at);
        *ret_n = n;
        return 0;
}

static json_t *build_frame(struct frame *f)
{
        if (!f->json) {
                f->json = json_object();
                report_set(f->json, "function", report_text(f->function));
                report_set(f->json, "library", report_text(f->library));
                report_set(f->json, "file", report_text(f->file));
                report_set(f->json, "line", f->line ? json_integer(f->line) : json_null());
                report_set(f->json, "offset", report_integer(f->offset));
                report_set(f->json, "inlined", json_boolean(f->inlined));
        }
        return json_incref(f->json);
}

json_t *frames_build(struct frames *f, const uint32_t *at, size_t n)
{
        json_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(array, build_frame(&f->at[at[i]]));
        return array;
}

void frames_done(struct frames *f)
{
        for (size_t i = 0; i < f->n; i++) {
                free(f->at[i].function);
                free(f->at[i].library);
                free(f->at[i].file);
                json_decref(f->at[i].json);
        }
        free(f->at);
        free(f->buckets.at);
        free(f->refs.at);
        *f = (struct frames){0};
}
