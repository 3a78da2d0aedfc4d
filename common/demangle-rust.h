/* SPDX-License-Identifier: MIT */
/*
 * Rust's v0 mangling (RFC 2603), as compact as rustc's own "{:#}": without
 * crate hashes and without the types of constants. Private to common/demangle.c.
 */
#pragma once

/* To be freed; NULL: not such a name, or not understood. */
char *ifp_demangle_rust(const char *symbol);
