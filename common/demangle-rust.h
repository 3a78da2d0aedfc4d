/* SPDX-License-Identifier: MIT */
/* Rust's symbol mangling version 0 (RFC 2603). Private to common/demangle.c. */
#pragma once

/* NULL: not such a name. To be freed. */
char *ifp_demangle_rust(const char *symbol);
