/* SPDX-License-Identifier: MIT */
/*
 * The checks of infprof doctor. Each looks at one thing and says what it found:
 * good, good enough, or not there, and what to do about it.
 */
#pragma once

#include <stddef.h>

enum finding_level {
        FINDING_OK,
        FINDING_WARN, /* profiling works; something of it does not, or not well */
        FINDING_NO,   /* profiling does not work */
};

struct finding {
        const char *check; /* short name, stable */
        enum finding_level level;
        char text[256];   /* what was found */
        char remedy[256]; /* what to do; "" where nothing is to be done */
};

typedef void (*doctor_check)(struct finding *ret);

/* Fills text and remedy; they may be "". */
__attribute__((format(printf, 3, 4))) void finding_set(struct finding *f, enum finding_level level,
                                                       const char *format, ...);
__attribute__((format(printf, 2, 3))) void finding_remedy(struct finding *f, const char *format,
                                                          ...);

/* doctor-kernel.c: the kernel's view. doctor-machine.c: kernel and processor. doctor-parts.c: the
 * parts of infprof and their places. doctor-memory.c: what tells who allocates. */
extern const doctor_check doctor_machine_checks[];
extern const size_t doctor_n_machine_checks;
extern const doctor_check doctor_parts_checks[];
extern const size_t doctor_n_parts_checks;
extern const doctor_check doctor_kernel_checks[];
extern const size_t doctor_n_kernel_checks;
extern const doctor_check doctor_memory_checks[];
extern const size_t doctor_n_memory_checks;

/* Whether a preload can enter `command`. */
void doctor_check_command(struct finding *ret, const char *command);
