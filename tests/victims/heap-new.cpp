/* SPDX-License-Identifier: MIT */
/*
 * heap-new N: every form of new and delete, N times; each is one allocation or one free, placement
 * none. With "throw" as well: new that cannot be, which throws or gives nothing.
 */
#include "heap.h"

#include <new>

static heap_truth truth;

static void *took(void *p, size_t asked)
{
        return heap_took(&truth, p, asked);
}

static void *gave(void *p)
{
        return heap_gave(&truth, p);
}

struct alignas(128) wide {
        char bytes[384];
};

/* a destructor, so that new[] keeps a count before the objects */
struct counted {
        char bytes[24];
        ~counted()
        {
                __asm__ volatile("");
        }
};

struct throws {
        char bytes[56];
        throws()
        {
                throws *self = this;

                HEAP_HIDE(self); /* or new would be left out */
                throw 1;
        }
};

static void plain()
{
        int *a = new int(1);
        took(a, sizeof(int));
        gave(a);
        delete a;
        char *b = new char[1000];
        took(b, 1000);
        gave(b);
        delete[] b;
        counted *c = new counted[10];
        took(reinterpret_cast<char *>(c) - sizeof(size_t), 10 * sizeof(counted) + sizeof(size_t));
        gave(reinterpret_cast<char *>(c) - sizeof(size_t));
        delete[] c;
        wide *d = new wide;
        took(d, sizeof(wide));
        gave(d);
        delete d;
        wide *e = new wide[3];
        took(e, 3 * sizeof(wide));
        gave(e);
        delete[] e;
        int *f = new (std::nothrow) int(2);
        took(f, sizeof(int));
        gave(f);
        delete f;
}

static void by_name()
{
        auto align = std::align_val_t(256);
        void *p;

#define GO(made, asked, gone)                                                                      \
        p = took(made, asked);                                                                     \
        gave(p);                                                                                   \
        gone
        GO(::operator new(40), 40, ::operator delete(p));
        GO(::operator new(40), 40, ::operator delete(p, (size_t)40));
        GO(::operator new(40, std::nothrow), 40, ::operator delete(p, std::nothrow));
        GO(::operator new[](104), 104, ::operator delete[](p));
        GO(::operator new[](104), 104, ::operator delete[](p, (size_t)104));
        GO(::operator new[](104, std::nothrow), 104, ::operator delete[](p, std::nothrow));
        GO(::operator new(512, align), 512, ::operator delete(p, align));
        GO(::operator new(512, align), 512, ::operator delete(p, (size_t)512, align));
        GO(::operator new(512, align, std::nothrow), 512,
           ::operator delete(p, align, std::nothrow));
        GO(::operator new[](768, align), 768, ::operator delete[](p, align));
        GO(::operator new[](768, align), 768, ::operator delete[](p, (size_t)768, align));
        GO(::operator new[](768, align, std::nothrow), 768,
           ::operator delete[](p, align, std::nothrow));
        GO(::operator new(0), 1, ::operator delete(p)); /* libstdc++ asks for one */
#undef GO
        ::operator delete(nullptr);
        ::operator delete[](nullptr);
}

static void placement()
{
        alignas(64) char room[sizeof(counted) * 4];
        counted *a = new (room) counted;
        a->~counted();
        char *b = new (room) char[10];
        __asm__ volatile("" : "+r"(a), "+r"(b));
}

static void failing()
{
        size_t much = (size_t)1 << 62;

        HEAP_HIDE(much);
        try {
                void *p = ::operator new(much);
                HEAP_HIDE(p);
                abort();
        } catch (const std::bad_alloc &) {
                truth.failed++; /* and the exception, which is libstdc++'s own; so with nothrow */
        }
        took(::operator new(much, std::nothrow), much);
        took(::operator new[](much, std::nothrow), much);
        took(::operator new(much, std::align_val_t(64), std::nothrow), much);
}

/* The constructor throws: what new took is given back before anybody sees it. */
static void constructor_throws()
{
        try {
                throws *p = new throws;
                HEAP_HIDE(p);
        } catch (int) {
                void *p = malloc(sizeof(throws));

                truth.calls += 2;
                truth.asked += 2 * (long long)sizeof(throws);
                truth.usable += 2 * (long long)malloc_usable_size(p);
                truth.frees += 2;
                truth.freed += 2 * (long long)malloc_usable_size(p);
                free(p);
        }
}

int main(int argc, char **argv)
{
        long n = argc > 1 ? atol(argv[1]) : 1;
        bool fail = argc > 2 && !strcmp(argv[2], "throw");

        for (long i = 0; i < n; i++) {
                plain();
                by_name();
                placement();
                if (fail) {
                        failing();
                        constructor_throws();
                }
        }
        heap_print("memory", &truth);
        return 0;
}
