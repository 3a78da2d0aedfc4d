/* SPDX-License-Identifier: MIT */
/* By what a program or library is known, wherever its file lies: the build id in its notes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUILD_ID_SIZE 129 /* hex digits and the NUL */

/* Of the ELF file behind `fd`; false: it has none, or is no such file. */
bool build_id_of_file_descriptor(char ret[BUILD_ID_SIZE], int fd);

/*
 * Of an object in a process's memory, which `fd` reads (/proc/PID/mem): `start` is its first
 * address, `bias` what is added to the addresses in its file.
 */
bool build_id_of_memory(char ret[BUILD_ID_SIZE], int fd, uint64_t start, uint64_t bias);
