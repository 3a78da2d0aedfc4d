/* SPDX-License-Identifier: MIT */
/* cli/text.c, cli/shape-text.c and cli/svg.c: names, made fit for narrow columns and for pictures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/shape-text.h"
#include "cli/svg.h"
#include "cli/text.h"

static void is(char *got, const char *wanted)
{
        assert_string_equal(got, wanted);
        free(got);
}

static void names_are_cut_in_their_middle(void **state)
{
        is(text_middle("engine --model m.gguf", 21), "engine --model m.gguf");
        is(text_middle("engine --model m.gguf", 9), "engi~gguf");
        is(text_middle("engine --model m.gguf", 8), "engi~guf");
        is(text_middle("abc", 2), "a~");
        is(text_middle("abc", 1), "~");
        is(text_middle("abc", 0), "");
        is(text_middle("", 5), "");
        is(text_middle("a\033b\nc", 8), "a?b?c");
}

static void shapes_lose_what_they_have_in_common_first(void **state)
{
        static const char product[] = "MUL_MAT q8_0[288,768] x f32[288,1]";

        is(shape_text_cut(product, 34), product);
        is(shape_text_cut(product, 33), "MUL_MAT q8_0[288,768]xf32[288,1]");
        is(shape_text_cut(product, 31), "MUL_MAT q8_0[288,768]x[288,1]");
        is(shape_text_cut(product, 28), "MUL_MAT [288,768]x[288,1]");
        is(shape_text_cut(product, 21), "MUL_MAT 288,768x288,1");
        is(shape_text_cut(product, 16), "MUL_MAT 288,768~");
        is(shape_text_cut("SOFT_MAX f32[8,8]", 15), "SOFT_MAX [8,8]");
        is(shape_text_cut("SOFT_MAX f32[8,8]", 12), "SOFT_MAX 8,8");
}

static void what_is_no_shape_is_cut_at_its_end(void **state)
{
        is(shape_text_cut("my_gemm m=288 n=768", 10), "my_gemm m~");
        is(shape_text_cut("not in any op", 6), "not i~");
        is(shape_text_cut("llama_decode ", 6), "llama~");
        is(shape_text_cut("op [", 3), "op~");
        is(shape_text_cut("op f32[8", 6), "op [8");
        is(shape_text_cut("op [] x ", 4), "op x");
        is(shape_text_cut("op f32[8,8] and more", 11), "op 8,8 and~");
        is(shape_text_cut("", 3), "");
}

static void assert_escaped(const char *from, const char *to)
{
        char *text = NULL;
        size_t bytes = 0;
        FILE *f = open_memstream(&text, &bytes);

        assert_non_null(f);
        svg_escaped(f, from);
        assert_int_equal(fclose(f), 0);
        is(text, to);
}

static void what_xml_cannot_have_does_not_come_into_a_picture(void **state)
{
        assert_escaped("a<b>&\"c\"", "a&lt;b&gt;&amp;&quot;c&quot;");
        assert_escaped("tab\tand\nline", "tab\tand\nline");
        assert_escaped("\001x\033[2J", "\xef\xbf\xbdx\xef\xbf\xbd[2J");
        assert_escaped("κ·µ", "κ·µ");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_cut_in_their_middle),
                cmocka_unit_test(shapes_lose_what_they_have_in_common_first),
                cmocka_unit_test(what_is_no_shape_is_cut_at_its_end),
                cmocka_unit_test(what_xml_cannot_have_does_not_come_into_a_picture),
        };

        return cmocka_run_group_tests_name("cells", tests, NULL, NULL);
}
