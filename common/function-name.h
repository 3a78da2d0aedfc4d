/* SPDX-License-Identifier: MIT */
/* Names of functions as a narrow column wants them, and which say nothing. */
#pragma once

#include <stdbool.h>

/*
 * A demangled name without parameters, template arguments and return type:
 * "std::vector<int>& ns::f<int>(int) const" is "ns::f". To be freed; NULL: no memory.
 */
char *function_brief(const char *function);

/* The last part of a path; NULL of NULL. */
const char *function_library(const char *path);

/*
 * Does the frame only hand on somebody's wish for memory? So do the C and C++ libraries, what C++
 * and Rust make of their templates, and allocators. Both may be NULL.
 */
bool function_is_plumbing(const char *function, const char *library);
