/* SPDX-License-Identifier: MIT */
/* Symbols as their language writes them: C++ (Itanium ABI), Rust (both its schemes). */
#pragma once

/*
 * The name that `symbol` stands for, or a copy of it where it is not mangled,
 * or in a way that is not understood. A symbol version ("@GLIBC_2.2.5") is kept. To be freed; NULL:
 * no memory. Not for use by several threads at once.
 */
char *ifp_demangle(const char *symbol);
