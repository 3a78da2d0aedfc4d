/* SPDX-License-Identifier: MIT */
/* Rule files: what they mean, what is wrong with them, and what the built-in rules make of stacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/categories.h"

static struct categories *rules(const char *text)
{
        struct categories *c = NULL;
        char *why = NULL;

        if (categories_parse(&c, "my.rules", text, strlen(text), &why))
                fail_msg("%s", why);
        assert_null(why);
        return c;
}

/* Of one frame. */
static const char *match_one(const struct categories *c, const char *function, const char *library)
{
        struct categories_frame f = {function, library};

        return categories_match(c, &(struct categories_stack){NULL, "load", &f, 1});
}

static void check_one(const char *text, const char *function, const char *library, bool matches)
{
        struct categories *c = rules(text);
        const char *name = match_one(c, function, library);

        if (matches)
                assert_string_equal(name, "x");
        else if (name)
                fail_msg("%s matches %s", text, function);
        categories_free(c);
}

static void functions_and_libraries(void **state)
{
        check_one("x = foo", "foo", NULL, true);
        check_one("x = foo", "food", NULL, false);
        check_one("x = foo", "Foo", NULL, false);
        check_one("x = f?o*", "fooooo", NULL, true);
        check_one("x = *a*b*c", "xxaxbxbxc", NULL, true);
        check_one("x = *a*b*c", "xxaxbxbx", NULL, false);
        check_one("x = foo", NULL, "/opt/libfoo.so", false);
        check_one("x = libfoo*:*", NULL, "/opt/libfoo.so", true);
        check_one("x = libfoo*:bar", "bar", "/opt/libfoo.so.1", true);
        check_one("x = libfoo*:bar", "bar", "/opt/libbar.so.1", false);
        check_one("x = libfoo*:bar", "bar", NULL, false);
        check_one("x = /opt/*:bar", "bar", "/opt/libbar.so.1", true);
        check_one("x = [jit]:*", NULL, "[jit]", true);
        check_one("x = ns::c::f", "ns::c::f(int)", NULL, true);
        check_one("x = libfoo.so:ns::f", "ns::f()", "/libfoo.so", true);
        check_one("x = a b c", "c", NULL, true);
}

static void names_of_cpp(void **state)
{
        static const char f[] = "void ns::f<int, char (*)(int)>(char, long) const";

        check_one("x = \"void ns::f<int, char (*)(int)>(char, long) const\"", f, NULL, true);
        check_one("x = \"void ns::f<*>\"", f, NULL, true);
        check_one("x = ns::f<*>", f, NULL, true);
        check_one("x = ns::f", f, NULL, false);
        check_one("x = \"operator new\"", "operator new(unsigned long)", NULL, true);
        check_one("x = \"operator new[]\"", "operator new[](unsigned long)", NULL, true);
        check_one("x = ns::operator()", "ns::operator()(int) const", NULL, true);
        check_one("x = operators", "operators(int)", NULL, true);
        check_one("x = \"(anonymous namespace)::f\"", "(anonymous namespace)::f(int)", NULL, true);
        check_one("x = \"a::(anonymous namespace)::f\"", "int a::(anonymous namespace)::f(int)",
                  NULL, true);
        check_one("x = f", "(", NULL, false);
        check_one("x = f", "operator", NULL, false);
        check_one("x = f", "<<<((", NULL, false);
}

static void ops_and_phases(void **state)
{
        struct categories *c = rules("a = op:MUL_*\nnone = op:- phase:load\nd = phase:decode\n");
        struct categories_stack s = {"MUL_MAT", "prefill", NULL, 0};

        assert_string_equal(categories_match(c, &s), "a");
        s.op = "ADD";
        assert_null(categories_match(c, &s));
        s.phase = "decode";
        assert_string_equal(categories_match(c, &s), "d");
        s.op = NULL;
        assert_string_equal(categories_match(c, &s), "none");
        categories_free(c);
        c = rules("any = op:*");
        assert_null(categories_match(c, &s));
        s.op = "ADD";
        assert_string_equal(categories_match(c, &s), "any");
        categories_free(c);
}

static void first_rule_wins(void **state)
{
        struct categories *c = rules("# mine\r\n\r\nthe first one = inner # why\r\n"
                                     "second\t=\touter\r\nthird = inner outer\r\nlast = *");
        struct categories_frame frames[] = {{"inner", NULL}, {"outer", NULL}, {"main", NULL}};
        struct categories_stack s = {NULL, "load", frames, 3};

        assert_string_equal(categories_match(c, &s), "the first one");
        s.frames = frames + 1;
        s.n_frames = 2;
        assert_string_equal(categories_match(c, &s), "second");
        s.frames = frames + 2;
        s.n_frames = 1;
        assert_string_equal(categories_match(c, &s), "last");
        s.n_frames = 0;
        assert_null(categories_match(c, &s));
        categories_free(c);
        c = rules("");
        assert_null(match_one(c, "f", NULL));
        categories_free(c);
}

static void includes_the_builtin(void **state)
{
        struct categories *c = rules("mine = llama_tokenize\n include builtin # the rest\n");

        assert_string_equal(match_one(c, "llama_tokenize", NULL), "mine");
        assert_string_equal(match_one(c, "llama_detokenize", NULL), "tokenisation");
        categories_free(c);
        c = rules("include = f\n");
        assert_string_equal(match_one(c, "f", NULL), "include");
        categories_free(c);
}

static void check_error(const char *text, size_t size, const char *expected)
{
        struct categories *c = NULL;
        char *why = NULL;

        assert_int_equal(categories_parse(&c, "my.rules", text, size, &why),
                         CATEGORIES_E_MALFORMED);
        assert_null(c);
        assert_non_null(why);
        assert_string_equal(why, expected);
        free(why);
}

#define ERROR(text, expected) check_error(text, sizeof(text) - 1, "my.rules:" expected)

static void errors_name_the_place(void **state)
{
        ERROR("ok = f\nKV cache  # no\n",
              "2:9: expected '=' and patterns: a rule is NAME = PATTERN [PATTERN...]");
        ERROR("= f", "1:1: expected the name of a category before '='");
        ERROR("  = f", "1:3: expected the name of a category before '='");
        ERROR("a =", "1:4: expected a pattern after '='");
        ERROR("a = # f\r\n", "1:5: expected a pattern after '='");
        ERROR("a = f \"g h\n",
              "1:7: expected a second '\"' on this line: what begins here does not end");
        ERROR("a = \"\"", "1:5: expected a pattern between the quotes");
        ERROR("a = :f", "1:5: expected a library, 'op' or 'phase' before ':'");
        ERROR("a = lib:", "1:9: expected a name after ':'; '*' is any");
        ERROR("a = op:", "1:8: expected a name after ':'; '*' is any");
        ERROR("\n\na = phase:decoding",
              "3:11: expected a phase: unknown, load, prefill, decode or idle");
        ERROR("a\0b = f", "1:2: a control character (0x00) cannot stand here");
        ERROR("a = f\0", "1:6: a control character (0x00) cannot stand here");
        ERROR("a = f\rg", "1:6: a control character (0x0d) cannot stand here");
        ERROR("caf\xe9 = f", "1:4: expected UTF-8 text");
        ERROR("\xc3\xa9\xc3\xa9 = :f", "1:6: expected a library, 'op' or 'phase' before ':'");
        ERROR("include all", "1:9: expected 'builtin' after 'include'");
        ERROR("include", "1:8: expected 'builtin' after 'include'");
        ERROR("include builtin too", "1:17: expected nothing more after 'include builtin'");
        ERROR("include builtin\ninclude builtin", "2:1: the built-in rules are included already");
}

/* One line of many megabytes, of each kind, is no trouble. */
static void long_lines(void **state)
{
        enum { N = 900000 };
        char *text = malloc(N + 16), *name = malloc(N + 1);
        struct categories *c = NULL;
        char *why = NULL;

        assert_non_null(text);
        assert_non_null(name);
        memcpy(text, "a = ", 4);
        for (int i = 4; i < N; i++)
                text[i] = i % 2 ? '*' : 'x';
        memset(name, 'x', N);
        name[N] = '\0';
        assert_int_equal(categories_parse(&c, "long", text, N, &why), 0);
        name[2000] = '\0'; /* shorter than the pattern: no match */
        assert_null(match_one(c, name, NULL));
        c = categories_free(c);
        memset(text, 'x', N);
        assert_int_equal(categories_parse(&c, "long", text, N, &why), CATEGORIES_E_MALFORMED);
        assert_non_null(strstr(why, "long:1:900001: "));
        free(why);
        free(text);
        free(name);
}

static void files(void **state)
{
        char path[] = "/tmp/test-categories-XXXXXX";
        int fd = mkstemp(path);
        struct categories *c = NULL;
        char *why = NULL;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "x = f", 5), 5);
        assert_int_equal(categories_load(&c, path, &why), 0);
        assert_string_equal(match_one(c, "f", NULL), "x");
        c = categories_free(c);
        assert_int_equal(ftruncate(fd, 2 << 20), 0);
        assert_true(categories_load(&c, path, &why) < 0);
        assert_non_null(strstr(why, "larger than 1 MiB"));
        free(why);
        close(fd);
        unlink(path);
        assert_int_equal(categories_load(&c, path, &why), CATEGORIES_E_ABSENT);
        assert_non_null(strstr(why, "No such file"));
        free(why);
        assert_true(categories_load(&c, "/tmp", &why) < 0);
        assert_non_null(strstr(why, "/tmp: Is a directory"));
        free(why);
}

/* Stacks as they were seen on llama.cpp, shortened. */
static void builtin_rules(void **state)
{
        static const struct {
                const char *name, *functions[8];
        } cases[] = {
                {"model loading",
                 {"ggml_aligned_malloc", "ggml_backend_cpu_buffer_type_alloc_buffer",
                  "llama_model::load_tensors(llama_model_loader&)", "llama_model_load_from_file"}},
                {"model loading",
                 {"operator new(unsigned long)",
                  "llama_vocab::impl::load(llama_model_loader&, LLM_KV const&)",
                  "llama_model_load_from_file"}},
                {"weight repacking",
                 {"ggml_aligned_malloc",
                  "ggml_backend_cpu_repack_buffer_type_alloc_buffer(ggml_backend_buffer_type*, "
                  "unsigned long)",
                  "llama_model_load_from_file"}},
                {"KV cache",
                 {"ggml_init", "llama_kv_cache::llama_kv_cache(llama_model const&, ggml_type)",
                  "llama_model::create_memory(llama_memory_params const&) const",
                  "llama_context::llama_context(llama_model const&, llama_context_params)",
                  "llama_init_from_model"}},
                {"KV slots",
                 {"operator new(unsigned long)",
                  "llama_kv_cache::prepare(std::vector<llama_ubatch, std::allocator<llama_ubatch> "
                  "> "
                  "const&)",
                  "llama_kv_cache::init_batch(llama_batch_allocr&, unsigned int, bool)",
                  "llama_context::decode(llama_batch const&)", "llama_decode"}},
                {"batches",
                 {"operator new(unsigned long)", "llama_batch_allocr::split_simple(unsigned int)",
                  "llama_kv_cache::init_batch(llama_batch_allocr&, unsigned int, bool)",
                  "llama_decode"}},
                {"graph inputs",
                 {"void set_input_kq_mask_impl<unsigned short, true>(int)",
                  "llama_kv_cache::set_input_kq_mask(ggml_tensor*, llama_ubatch const*, bool) "
                  "const",
                  "llm_graph_input_attn_kv::set_input(llama_ubatch const*)",
                  "llm_graph_result::set_inputs(llama_ubatch const*)", "llama_decode"}},
                {"start of libraries",
                 {"operator new(unsigned long)",
                  "__static_initialization_and_destruction_0(int, int) [clone .constprop.0]",
                  "call_init", "_dl_init", "dl_open_worker", "dlopen"}},
                {"compute buffers",
                 {"ggml_backend_cpu_buffer_type_alloc_buffer", "ggml_gallocr_reserve_n",
                  "ggml_backend_sched_reserve", "llama_context::graph_reserve(unsigned int)",
                  "llama_init_from_model"}},
                {"graph building",
                 {"ggml_init", "llm_graph_result::reset()",
                  "llama_context::process_ubatch(llama_ubatch const&)", "llama_decode"}},
                {"thread pool",
                 {"ggml_threadpool_new_impl", "ggml_graph_compute",
                  "ggml_backend_cpu_graph_compute", "llama_decode"}},
                {"sampling",
                 {"void std::vector<float, std::allocator<float> "
                  ">::_M_realloc_insert<float>(float)",
                  "llama_sampler_sample", "main"}},
                {"tokenisation",
                 {"llm_tokenizer_spm_session::tokenize(std::string const&)",
                  "llama_vocab::tokenize(char const*, int, int*, int, bool, bool) const",
                  "llama_tokenize"}},
                {"outputs",
                 {"ggml_aligned_malloc", "llama_context::output_reserve(int)", "llama_decode"}},
                {"batches", {"llama_batch_allocr::init(llama_batch const&)", "llama_decode"}},
                {"decoding", {"operator new(unsigned long)", "llama_decode"}},
                {"JSON and chat templates",
                 {"operator new(unsigned long)",
                  "nlohmann::json_abi_v3_11_3::detail::parser<int>::parse(bool)", "main"}},
        };
        struct categories *c = NULL;

        assert_int_equal(categories_builtin(&c), 0);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct categories_frame frames[8] = {0};
                struct categories_stack s = {NULL, "load", frames, 0};
                const char *name;

                while (s.n_frames < 8 && cases[i].functions[s.n_frames]) {
                        frames[s.n_frames].function = cases[i].functions[s.n_frames];
                        s.n_frames++;
                }
                name = categories_match(c, &s);
                assert_string_equal(name ? name : "(none)", cases[i].name);
        }
        assert_string_equal(match_one(c, NULL, "/usr/lib/x86_64-linux-gnu/libgomp.so.1"), "OpenMP");
        assert_null(match_one(c, "main", "/opt/engine"));
        categories_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(functions_and_libraries),
                cmocka_unit_test(names_of_cpp),
                cmocka_unit_test(ops_and_phases),
                cmocka_unit_test(first_rule_wins),
                cmocka_unit_test(includes_the_builtin),
                cmocka_unit_test(errors_name_the_place),
                cmocka_unit_test(long_lines),
                cmocka_unit_test(files),
                cmocka_unit_test(builtin_rules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
