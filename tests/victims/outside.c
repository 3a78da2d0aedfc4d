/* SPDX-License-Identifier: MIT */
/*
 * outside FILE BYTES MILLISECONDS: maps the file, reads so much of it, writes as much memory of no
 * file, waits, and says what it did.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
        int fd = argc == 4 ? open(argv[1], O_RDONLY) : -1;
        size_t bytes, n = 0;
        struct timespec wait;
        struct rusage usage;
        struct stat st;
        volatile char *file, *own;
        long ms;

        if (fd < 0 || fstat(fd, &st) < 0)
                return 2;
        bytes = strtoul(argv[2], NULL, 10);
        ms = strtol(argv[3], NULL, 10);
        file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        own = malloc(bytes);
        if (file == MAP_FAILED || !own)
                return 1;
        close(fd);
        for (size_t i = 0; i < bytes; i += 4096) {
                n += (size_t)file[i] + 1;
                own[i] = 1;
        }
        wait = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
        nanosleep(&wait, NULL);
        getrusage(RUSAGE_SELF, &usage);
        printf("{\"pages\": %zu, \"faults\": %ld, \"major\": %ld, \"rss_peak\": %ld}\n", n,
               usage.ru_minflt, usage.ru_majflt, usage.ru_maxrss * 1024);
        free((void *)own);
        return 0;
}
