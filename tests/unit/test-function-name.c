/* SPDX-License-Identifier: MIT */
/* common/function-name.c: what is left of long names, and which of them say nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/function-name.h"

static void names_are_short(void **state)
{
        static const char *const names[][2] = {
                {"ggml_new_tensor", "ggml_new_tensor"},
                {"main", "main"},
                {"llama_context::decode(llama_batch const&)", "llama_context::decode"},
                {"std::vector<int, std::allocator<int> >& ns::f<int>(int) const", "ns::f"},
                {"void std::vector<float>::_M_realloc_insert<float>(x, float&&)",
                 "std::vector::_M_realloc_insert"},
                {"(anonymous namespace)::load(char const*)", "(anonymous namespace)::load"},
                {"int (anonymous namespace)::load<2>(char const*)", "(anonymous namespace)::load"},
                {"f(int)::{lambda(int)#1}::operator()(int) const", "f::{lambda#1}::operator()"},
                {"std::ostream& operator<< <char>(std::ostream&, char)", "operator<<"},
                {"A::operator->() const", "A::operator->"},
                {"bool operator==<A>(A const&, A const&)", "operator=="},
                {"operator new(unsigned long)", "operator new"},
                {"operator delete[](void*)", "operator delete"},
                {"A::operator bool() const", "A::operator bool"},
                {"ggml_vec_dot.part.0", "ggml_vec_dot.part.0"},
                {"f(int) [clone .cold]", "f"},
                {"cooperator(int)", "cooperator"},
                {"<alloc::vec::Vec<T,A> as core::Clone>::clone",
                 "<alloc::vec::Vec<T,A> as core::Clone>::clone"},
                {"hashbrown::raw::RawTable<T>::reserve", "hashbrown::raw::RawTable::reserve"},
                /* not as expected: never empty, never beyond the end */
                {"", ""},
                {"(", "("},
                {"f<", "f"},
                {"operator", "operator"},
                {")>]", ")>]"},
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char *got = function_brief(names[i][0]);

                assert_string_equal(got, names[i][1]);
                free(got);
        }
}

static void plumbing_is_known(void **state)
{
        assert_true(function_is_plumbing(NULL, "/lib/x86_64-linux-gnu/libc.so.6"));
        assert_true(function_is_plumbing("strdup", "/lib/x86_64-linux-gnu/libc.so.6"));
        assert_true(function_is_plumbing("f", "libstdc++.so.6"));
        assert_true(function_is_plumbing("operator new(unsigned long)", "/opt/engine"));
        assert_true(function_is_plumbing("void std::vector<f>::g<h>(i)", "/opt/engine"));
        assert_true(function_is_plumbing("__gnu_cxx::new_allocator<int>::allocate(unsigned long)",
                                         NULL));
        assert_true(function_is_plumbing("malloc", "/opt/static-engine"));
        assert_false(function_is_plumbing(NULL, NULL));
        assert_false(function_is_plumbing(NULL, "/opt/libcublas.so"));
        assert_false(function_is_plumbing("ns::take(std::vector<int>)", "/opt/engine"));
        assert_false(function_is_plumbing("malloc_arena_of_mine", "/opt/engine"));
        assert_false(function_is_plumbing("std::string ns::name()", "/opt/engine"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_short),
                cmocka_unit_test(plumbing_is_known),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
