/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <new>

struct alignas(256) wide {
        char bytes[512];
};

void k_new(struct memory_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                char *p = static_cast<char *>(got(t, new char[(size_t)i + 1], (size_t)i + 1));
                int *q = static_cast<int *>(got(t, new int(5), sizeof(int)));
                wide *w = static_cast<wide *>(got(t, new wide, sizeof(wide)));
                void *r = got(t, ::operator new(99, std::nothrow), 99);

                __asm__ volatile("" : "+r"(p), "+r"(q), "+r"(w), "+r"(r));
                gone(t, p);
                delete[] p;
                gone(t, q);
                delete q;
                gone(t, w);
                delete w;
                gone(t, r);
                ::operator delete(r);
        }
}
