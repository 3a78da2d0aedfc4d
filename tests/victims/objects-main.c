/* SPDX-License-Identifier: MIT */
/*
 * Calls the kernels of a library that it opens, or (LINKED) that it was linked with.
 *
 *   objects LIBRARY MODE...   MODE: now, lazy, local, global, deepbind; symbolic: the library binds
 *                             its own calls itself, so only those from outside count; again: opened
 *                             and closed three times
 */
#include "objects.h"
#include "truth.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>

static struct obj_counts counts;

static void count(bool inside)
{
        if (inside) {
                truth_calls("k_step", counts.step);
                truth_calls("k_inner", counts.inner);
                truth_calls("k_chosen", counts.chosen);
                truth_calls("k_from_table", counts.from_table);
        }
        truth_value("inside", counts.chosen);
        truth_value("sum", counts.sum);
        memset(&counts, 0, sizeof(counts));
}

#ifdef LINKED
static long (*volatile my_table[2])(long) = {k_from_table, k_step};
#endif

/* A library that binds itself has its own address of its functions: no slot leads there. */
static void outside(void *handle, bool symbolic)
{
        long (*step)(long) = (long (*)(long))dlsym(handle, "k_step");
        long (*chosen)(long) = (long (*)(long))dlsym(handle, "k_chosen");
        long (*inner)(long) = (long (*)(long))dlsym(handle, "k_inner");
        long (*const *table)(long) = (long (*const *)(long))dlsym(handle, "obj_table");

        truth_calls("k_step", 50);
        truth_calls("k_chosen", 50);
        truth_calls("k_inner", 50);
        for (int i = 0; i < 50; i++)
                counts.sum += step(i) + chosen(i) + inner(i);
        if (!symbolic)
                truth_value("pointers are equal", step == table[0]);
}

static void open_and_run(const char *path, int mode, bool symbolic, bool close)
{
        void (*run)(long, struct obj_counts *);
        void *handle = dlopen(path, mode);

        if (!handle) {
                fprintf(stderr, "%s\n", dlerror());
                exit(1);
        }
        run = (void (*)(long, struct obj_counts *))dlsym(handle, "obj_run");
        run(100, &counts);
        count(!symbolic);
        outside(handle, symbolic);
        count(false);
        if (close)
                dlclose(handle);
}

static int mode_of(const char *word)
{
        static const struct {
                const char *word;
                int mode;
        } modes[] = {{"now", RTLD_NOW},       {"lazy", RTLD_LAZY},         {"local", RTLD_LOCAL},
                     {"global", RTLD_GLOBAL}, {"deepbind", RTLD_DEEPBIND}, {"symbolic", 0}};

        for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
                if (!strcmp(modes[i].word, word))
                        return modes[i].mode;
        return 0;
}

int main(int argc, char **argv)
{
#ifdef LINKED
        obj_run(100, &counts);
        for (int i = 0; i < 30; i++) {
                counts.sum += k_step(i) + k_inner(i) + k_chosen(i);
                counts.sum += my_table[0](i) + my_table[1](i);
                counts.step += 2;
                counts.inner++;
                counts.chosen++;
                counts.from_table++;
        }
        truth_value("pointers are equal", my_table[1] == obj_table[0]);
        truth_value("pointers are equal", my_table[1] == obj_pointer());
        truth_value("pointers are equal",
                    my_table[1] == (long (*)(long))dlsym(RTLD_DEFAULT, "k_step"));
        count(true);
        (void)outside;
        (void)open_and_run;
        (void)mode_of;
        (void)argc;
        (void)argv;
#else
        bool symbolic = false, again = false;
        int mode = 0;

        for (int i = 2; i < argc; i++) {
                mode |= mode_of(argv[i]);
                symbolic |= !strcmp(argv[i], "symbolic");
                again |= !strcmp(argv[i], "again");
        }
        for (int i = 0; i < (again ? 3 : 1); i++)
                open_and_run(argv[1], mode ? mode : RTLD_NOW, symbolic, again);
#endif
        truth_print();
        return 0;
}
