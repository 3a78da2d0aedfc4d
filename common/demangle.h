/* SPDX-License-Identifier: MIT */
/* Symbols as their language writes them. */
#pragma once

/* C++ and Rust names as a person knows them, others as they are; to be freed. NULL: no memory. */
char *ifp_demangle(const char *symbol);
