/* SPDX-License-Identifier: MIT */
/* daemon/surroundings.c: what a process ran with, from itself to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/build-id.h"
#include "common/env-list.h"
#include "fake-process.h"

static const char *value(const struct surroundings *s, const char *name)
{
        for (uint32_t i = 0; i < s->n_variables; i++)
                if (!strcmp(s->variables[i].name, name))
                        return s->variables[i].value ? s->variables[i].value : "(hidden)";
        return NULL;
}

static void what_is_listed_is_kept(void **state)
{
        static const char text[] = "HOME=/home/me\0OMP_NUM_THREADS=4\0=x\0no equals\0GGML_EMPTY=\0"
                                   "LLAMA_ARG_API_KEY=abc\0OMP_NUM_THREADS=8\0GGML_X=a\033[1mb\0"
                                   "OMP_CUT=her";
        struct surroundings s = {0};

        surroundings_take_environment(&s, text, sizeof(text) - 1);
        assert_int_equal(s.n_variables, 4);
        assert_string_equal(value(&s, "OMP_NUM_THREADS"), "4");
        assert_string_equal(value(&s, "GGML_EMPTY"), "");
        assert_string_equal(value(&s, "LLAMA_ARG_API_KEY"), "(hidden)");
        assert_string_equal(value(&s, "GGML_X"), "a?[1mb");
        assert_string_equal(s.variables[0].name, "GGML_EMPTY"); /* sorted */
        surroundings_done(&s);
}

static void an_endless_environment_is_bounded(void **state)
{
        size_t room = 4 << 20, n = 0;
        char *text = malloc(room);
        struct surroundings s = {0};

        for (int i = 0; i < 1000; i++)
                n += (size_t)sprintf(text + n, "OMP_%d=1", i) + 1;
        surroundings_take_environment(&s, text, n);
        assert_int_equal(s.n_variables, ENV_LIST_MOST);
        surroundings_done(&s);

        memset(text, 'x', room);
        memcpy(text, "OMP_LONG=", 9);
        text[20000] = '\0';
        memcpy(text + 20001, "OMP_LONGER=", 11);
        text[room - 1] = '\0';
        surroundings_take_environment(&s, text, room);
        assert_int_equal(s.n_variables, 1);
        assert_int_equal(strlen(value(&s, "OMP_LONG")), ENV_LIST_LONGEST);
        surroundings_done(&s);
        free(text);
}

static void own_surroundings_are_seen(void **state)
{
        struct surroundings s = {0};

        surroundings_look(&s, getpid());
        assert_non_null(s.cpus);
        assert_true(strspn(s.cpus, "0123456789,-") == strlen(s.cpus) && *s.cpus);
        surroundings_done(&s);
        surroundings_look(&s, 0x7ffffff0); /* no such process */
        assert_null(s.cpus);
        assert_int_equal(s.n_variables, 0);
        surroundings_done(&s);
}

static void add_object(struct world *w, const char *path, uint64_t start, uint64_t bias,
                       uint32_t load)
{
        uint32_t i = w->f.seg->live.n_objects;

        w->f.seg->objects[i] = (struct ifp_object){.base = bias,
                                                   .start = start,
                                                   .end = start + 4096,
                                                   .path = fake_name(&w->f, path),
                                                   .load = load};
        __atomic_store_n(&w->f.seg->live.n_objects, i + 1, __ATOMIC_RELEASE);
}

static int take_bias(struct dl_phdr_info *info, size_t size, void *ret)
{
        *(uint64_t *)ret = info->dlpi_addr;
        return 1; /* the first is the program */
}

static int keep_row(const struct runfile_library *row, void *userdata)
{
        char(*ids)[BUILD_ID_SIZE + 16] = userdata;

        snprintf(ids[row->object], sizeof(ids[0]), "%s", row->build_id ? row->build_id : "none");
        return 0;
}

static void build_ids_are_those_of_what_was_loaded(void **state)
{
        extern const char __ehdr_start[]; /* the linker's */
        static char ids[4][BUILD_ID_SIZE + 16];
        struct world *w = world_new(8);
        char own[BUILD_ID_SIZE], path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        int fd = open("/proc/self/exe", O_RDONLY);
        struct runfile *rf;
        uint64_t bias = 0;

        path[n] = '\0';
        dl_iterate_phdr(take_bias, &bias);
        assert_true(build_id_of_file_descriptor(own, fd));
        close(fd);
        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        /* the name leads nowhere: memory tells */
        add_object(w, "/nowhere/engine", (uint64_t)(uintptr_t)__ehdr_start, bias, 1);
        /* nothing is there: the file tells, unless it is newer than the process */
        add_object(w, path, 0x10, 0, 2);
        add_object(w, "/nowhere/libx.so", 0x10, 0, 3);
        add_object(w, "linux-vdso.so.1", 0x10, 0, 4);
        w->f.seg->header.start_real_ns = 4102444800000000000; /* 2100 */
        world_attach(w, false);
        w->p->index = 0;
        w->p->pid = getpid();
        world_tick(w);
        world_flush(w);
        memset(ids, 0, sizeof(ids));
        assert_int_equal(runfile_open(&rf, w->path, NULL), 0);
        assert_int_equal(runfile_each_library(rf, keep_row, ids), 0);
        runfile_close(rf);
        assert_string_equal(ids[0], own);
        assert_string_equal(ids[1], own);
        assert_string_equal(ids[2], "none");
        assert_string_equal(ids[3], "");
        w->p->segment.header.start_real_ns = 1000000000; /* before the file was made */
        add_object(w, path, 0x10, 0, 5);
        world_tick(w);
        assert_null(w->p->surroundings.libraries[4].build_id);
        *state = w;
        world_teardown(state);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_listed_is_kept),
                cmocka_unit_test(an_endless_environment_is_bounded),
                cmocka_unit_test(own_surroundings_are_seen),
                cmocka_unit_test(build_ids_are_those_of_what_was_loaded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
