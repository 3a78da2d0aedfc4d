/* SPDX-License-Identifier: MIT */
/* Markers that exceptions leave, in C++17. */
#include <infprof/infprof.h>

#include <cstdio>
#include <stdexcept>

template <int N> static int down(int i)
{
        INFPROF_SCOPE("template");
        if (i % 2)
                throw std::runtime_error("odd");
        if constexpr (N > 0)
                return down<N - 1>(i);
        return i;
}

int main()
{
        int caught = 0;

        for (int i = 0; i < 100; i++) {
                INFPROF_SCOPE("outer");
                try {
                        INFPROF_SCOPE("tried");
                        auto f = [&] {
                                INFPROF_SCOPE("lambda");
                                return down<2>(i);
                        };
                        f();
                } catch (const std::exception &) {
                        INFPROF_SCOPE("caught");
                        infprof_count("caught", 1);
                        caught++;
                }
        }
        infprof_begin("by hand");
        infprof_end("by hand");
        std::printf("%d\n", caught);
        return 0;
}
