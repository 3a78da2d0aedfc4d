/* SPDX-License-Identifier: MIT */
#pragma once

#define VECTOR_MAIN(bits)                                                                          \
        double vector_##bits##_twelve(void);                                                       \
        double vector_##bits##_mixed(void);                                                        \
        double vector_##bits##_variadic(void);
VECTOR_MAIN(128)
VECTOR_MAIN(256)
VECTOR_MAIN(512)
