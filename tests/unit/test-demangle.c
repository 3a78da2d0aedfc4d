/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/demangle.h"
#include "skip.h"

#define RUST_V0_LONG                                                                               \
        "_RINvCs6xxl1lAjzDf_1a3genINtNtCslNYArtu3iFV_5alloc5boxed3BoxDG_INtNtNtCsgEmfK2I1SDS_"     \
        "4core3ops8function2FnTRL0_hEEp6OutputRL0_hNtNtB15_6marker4SendEL_EEB2_"
#define RUST_OLD_LONG                                                                              \
        "_ZN102_$LT$core..iter..adapters..map..Map$LT$I$C$F$GT$$u20$as$u20$core..iter..traits.."   \
        "iterator..Iterator$GT$4fold17h64692a380cdf14dcE"

struct pair {
        const char *symbol, *name;
};

static void expect_all(const struct pair *pairs, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                char *name = ifp_demangle(pairs[i].symbol);

                assert_string_equal(name, pairs[i].name);
                free(name);
        }
}

static void plain_names_stay(void **state)
{
        static const struct pair pairs[] = {
                {"", ""},
                {"ggml_compute_forward_mul_mat", "ggml_compute_forward_mul_mat"},
                {"_Z", "_Z"},
                {"_R", "_R"},
                {"_Znonsense!", "_Znonsense!"},
                {"cblas_sgemm@OPENBLAS_0.3", "cblas_sgemm@OPENBLAS_0.3"},
        };

        expect_all(pairs, sizeof(pairs) / sizeof(pairs[0]));
}

static void cxx(void **state)
{
        static const struct pair pairs[] = {
                {"_ZN2at4_ops10add_Tensor4callERKNS_6TensorES4_RKNS_6ScalarE",
                 "at::_ops::add_Tensor::call(at::Tensor const&, at::Tensor const&, at::Scalar "
                 "const&)"},
                {"_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_",
                 "std::remove_reference<int&>::type&& std::move<int&>(int&)"},
                {"_Z3foov@@V2", "foo()@@V2"},
        };
        void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);

        if (!library)
                SKIP_HERE("there is no libstdc++");
        dlclose(library);
        expect_all(pairs, sizeof(pairs) / sizeof(pairs[0]));
}

static void old_rust(void **state)
{
        static const struct pair pairs[] = {
                {"_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "core::ptr::drop_in_place"},
                {RUST_OLD_LONG, "<core::iter::adapters::map::Map<I,F> as "
                                "core::iter::traits::iterator::Iterator>::fold"},
                {"_ZN3foo17hnothexadecimal00E", "foo::hnothexadecimal00"},
        };
        void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);

        if (!library)
                SKIP_HERE("there is no libstdc++");
        dlclose(library);
        expect_all(pairs, sizeof(pairs) / sizeof(pairs[0]));
}

/* Symbols as rustc 1.95 made them; the names agree with those of c++filt, less its crate hashes. */
static void rust_v0(void **state)
{
        static const struct pair pairs[] = {
                {"_RINvCs6xxl1lAjzDf_1a3genAhj0_EB2_", "a::gen::<[u8; 0]>"},
                {"_RINvCs6xxl1lAjzDf_1a3genFKClElEB2_", "a::gen::<extern \"C\" fn(i32) -> i32>"},
                {"_RINvCs6xxl1lAjzDf_1a3genFG_RL0_eERL0_eEB2_",
                 "a::gen::<for<'a> fn(&'a str) -> &'a str>"},
                {RUST_V0_LONG,
                 "a::gen::<alloc::boxed::Box<dyn for<'a> core::ops::function::Fn<(&'a u8,), Output "
                 "= &'a u8> + "
                 "core::marker::Send>>"},
                {"_RINvCs6xxl1lAjzDf_1a4callNCNvB2_4main0EB2_", "a::call::<a::main::{closure#0}>"},
                {"_RINvNtCs6xxl1lAjzDf_1au11ncode_cta3gu9gre_6ka8iTldReEEB4_",
                 "a::ünïcode::größe::<(i32, f64, &str)>"},
                {"_RINvNtCsgEmfK2I1SDS_4core3ptr13drop_in_placeINtCs6xxl1lAjzDf_1a3MatKj7_Kb0_Kcdf_"
                 "EEBJ_",
                 "core::ptr::drop_in_place::<a::Mat<7, false, '\\u{df}'>>"},
                {"_RNCNvXCs6xxl1lAjzDf_1aINtB4_3MatKj3_Kb1_Kc78_ENtB4_2Op3run0B4_",
                 "<a::Mat<3, true, 'x'> as a::Op>::run::{closure#0}"},
                {"_RNvMNtCs6xxl1lAjzDf_1au11ncode_cta3gNtB2_u3i0a2go", "<a::ünïcode::Ж>::go"},
                {"_RNvMs3_NtCslNYArtu3iFV_5alloc7raw_vecINtB5_6RawVecTOhFUKCBN_"
                 "EuENtNtCsjrHSEGnQ3l9_3std5alloc"
                 "6SystemE8grow_oneB13_",
                 "<alloc::raw_vec::RawVec<(*mut u8, unsafe extern \"C\" fn(*mut u8)), "
                 "std::alloc::System>>::grow_one"},
                {"_RNvCs6xxl1lAjzDf_1a4main.llvm.1234", "a::main"},
        };

        expect_all(pairs, sizeof(pairs) / sizeof(pairs[0]));
}

/* Whatever a stranger calls a function: an answer, soon. */
static void hostile_names_come_to_an_end(void **state)
{
        static const char *const samples[] = {
                (RUST_V0_LONG),
                "_RINvNtCs6xxl1lAjzDf_1au11ncode_cta3gu9gre_6ka8iTldReEEB4_",
                (RUST_OLD_LONG),
        };
        static const char *const alone[] = {
                "_RB_",
                "_RNvB_1a",
                "_RIC1aB_E",
                "_RIC1aTB_B_B_B_B_EE",
                "_RNvC99999999999999999999999999a",
                "_RC_",
                "_RIC1aKh",
                "_RMC1aB_",
                "_RINvC1a1bTTTTTTB6_B5_EB6_B5_EB6_B5_EB6_EE",
                "_RC1au3_99",
                "_RIC1aG_E",
                "_RIC1aDG_EL_E",
        };
        uint64_t seed = 1;

        for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
                free(ifp_demangle(alone[i]));
        for (int round = 0; round < 30000; round++) {
                char symbol[256];
                const char *sample = samples[round % 3];
                size_t n = strlen(sample);

                strcpy(symbol, sample);
                for (int k = 0; k < 1 + round % 4; k++) {
                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        symbol[2 + (seed >> 33) % (n - 2)] =
                                "BTINvXYMCKALDFGEsupn0123456789_abz"[(seed >> 20) % 34];
                }
                free(ifp_demangle(symbol));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(plain_names_stay),
                cmocka_unit_test(cxx),
                cmocka_unit_test(old_rust),
                cmocka_unit_test(rust_v0),
                cmocka_unit_test(hostile_names_come_to_an_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
