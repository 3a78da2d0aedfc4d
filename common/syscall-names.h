/* SPDX-License-Identifier: MIT */
/* Names of system calls by their numbers on x86-64, where the shim runs. */
#pragma once

#include <stdint.h>

const char *syscall_name(uint32_t number); /* NULL: newer than this list */
