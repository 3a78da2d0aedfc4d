/* SPDX-License-Identifier: MIT */
/* corners LIBRARY: dlmopen, dladdr of what dlsym gave, dlopen inside
 * dl_iterate_phdr, and on two threads at once.
 * corners LIBRARY ROUNDS: only the last of these, as often as told. */
#include "objects.h"
#include "truth.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>

static const char *library;
static volatile int stop;

static int open_inside(struct dl_phdr_info *info, size_t size, void *arg)
{
        void *handle = dlopen(library, RTLD_NOW);

        (void)info;
        (void)size;
        (void)arg;
        if (handle)
                dlclose(handle);
        return 1;
}

static void *open_and_close(void *arg)
{
        while (!stop)
                open_inside(NULL, 0, arg);
        return NULL;
}

static void ask(void *address, const char *name)
{
        struct link_map *map = NULL;
        Dl_info info = {0};

        truth_value("dladdr", dladdr(address, &info) && info.dli_sname &&
                                      !strcmp(info.dli_sname, name) &&
                                      strstr(info.dli_fname, "libobj") != NULL);
        truth_value("dladdr1", dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) && map &&
                                       strstr(map->l_name, "libobj") != NULL);
}

static void run(void *handle, long long *calls)
{
        void (*fn)(long, struct obj_counts *) =
                (void (*)(long, struct obj_counts *))dlsym(handle, "obj_run");
        struct obj_counts c = {0};

        fn(10, &c);
        *calls += c.step;
        truth_value("sum", c.sum);
}

/* One thread calls what another opens and closes, too. */
static int both(long long rounds, long long calls)
{
        pthread_t t;

        pthread_create(&t, NULL, open_and_close, NULL);
        for (long long i = 0; i < rounds; i++) {
                void *handle = dlopen(library, RTLD_NOW);

                run(handle, &calls);
                dlclose(handle);
        }
        stop = 1;
        pthread_join(t, NULL);
        truth_calls("k_step", calls);
        truth_print();
        return 0;
}

int main(int argc, char **argv)
{
        long long calls = 0, elsewhere = 0;
        void *handle;

        library = argv[1];
        if (argc > 2)
                return both(atoll(argv[2]), 0);
        handle = dlmopen(LM_ID_NEWLM, library, RTLD_NOW);
        truth_value("dlmopen", handle != NULL);
        if (handle)
                run(handle, &elsewhere); /* out of reach, and out of harm's way */
        handle = dlmopen(LM_ID_BASE, library, RTLD_NOW);
        run(handle, &calls);
        ask(dlsym(handle, "k_step"), "k_step");
        ask(dlsym(handle, "obj_run"), "obj_run");
        dlclose(handle);
        for (int i = 0; i < 10; i++)
                dl_iterate_phdr(open_inside, NULL);
        return both(200, calls);
}
