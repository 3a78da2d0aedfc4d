/* SPDX-License-Identifier: MIT */
/* Symbols of any spelling: a name that ends, soon. C++ is left to its own library, which is not
 * ours. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char symbol[4200];

        if (size > sizeof(symbol) - 3)
                return 0;
        memcpy(symbol, "_R", 2);
        memcpy(symbol + 2, data, size);
        symbol[2 + size] = '\0';
        free(ifp_demangle(symbol));
        return 0;
}
