/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/op-declaration.h"

#define UNKNOWN UINT64_MAX
#define MANY    (UINT64_MAX - 1)

static struct op_declaration *parsed(const char *text)
{
        struct op_declaration *d = NULL;
        char *why = NULL;
        int r = op_declaration_parse(&d, text, &why);

        if (r)
                fail_msg("%s: %s", text, why ? why : "?");
        assert_null(why);
        return d;
}

static void a_declaration(void **state)
{
        struct op_declaration *d = parsed("libfoo.so:my_gemm(_, _, m:i32, n:i32, k:i32) "
                                          "flops=2*m*n*k bytes=4*(m*k+k*n+m*n)");
        /* What is above the 32 bits of an i32 is not its. */
        const int64_t values[] = {(int64_t)0xffffffff00000002, 3, 4};
        struct work_amount w = op_declaration_work(d, values, 3);

        assert_string_equal(d->object, "libfoo.so");
        assert_string_equal(d->symbol, "my_gemm");
        assert_int_equal(d->n_args, 5);
        assert_string_equal(d->args[0].name, "");
        assert_int_equal(d->args[0].type, OP_PTR);
        assert_string_equal(d->args[4].name, "k");
        assert_int_equal(d->args[4].type, OP_I32);
        assert_true(w.flops_known && w.bytes_known && !w.saturated && !w.bytes_at_most);
        assert_int_equal(w.flops, 48);  /* 2*2*3*4 */
        assert_int_equal(w.bytes, 104); /* 4*(8+12+6) */
        assert_int_equal(d->n_names, 3);
        w = op_declaration_work(d, values, 2);
        assert_false(w.flops_known || w.bytes_known);
        op_declaration_free(d);
}

static void forms(void **state)
{
        struct op_declaration *d;

        d = parsed("  *:f() flops=7");
        assert_int_equal(d->n_args, 0);
        assert_null(d->bytes);
        assert_int_equal(op_declaration_work(d, NULL, 0).flops, 7);
        assert_false(op_declaration_work(d, NULL, 0).bytes_known);
        op_declaration_free(d);

        d = parsed("lib*.so:ns::k*(\t_:f64 ,x : u64 *,_:ptr ) bytes = x * 2 # why\r");
        assert_string_equal(d->object, "lib*.so");
        assert_string_equal(d->symbol, "ns::k*");
        assert_int_equal(d->args[0].type, OP_F64);
        assert_int_equal(d->args[1].type, OP_U64);
        assert_int_equal(d->args[2].type, OP_PTR);
        assert_true(d->args[1].by_address && !d->args[2].by_address);
        assert_false(op_declaration_work(d, (int64_t[]){3}, 1).flops_known);
        assert_int_equal(op_declaration_work(d, (int64_t[]){3}, 1).bytes, 6);
        op_declaration_free(d);

        /* Names of fields are names of arguments too. */
        d = parsed("a:b(flops:i32,bytes:i32) bytes=flops*bytes flops=bytes");
        assert_int_equal(op_declaration_work(d, (int64_t[]){3, 5}, 2).bytes, 15);
        assert_int_equal(op_declaration_work(d, (int64_t[]){3, 5}, 2).flops, 5);
        op_declaration_free(d);
}

static uint64_t value_with(const char *expression, const char *args, const int64_t *values,
                           size_t n)
{
        struct op_declaration *d;
        struct work_amount w;
        char text[4096];

        snprintf(text, sizeof(text), "a:b(%s) flops=%s", args, expression);
        d = parsed(text);
        w = op_declaration_work(d, values, n);
        op_declaration_free(d);
        assert_true(!w.saturated || w.flops == INT64_MAX);
        return !w.flops_known ? UNKNOWN : w.saturated ? MANY : w.flops;
}

static uint64_t value(const char *expression)
{
        return value_with(expression, "", NULL, 0);
}

static void arithmetic(void **state)
{
        static const struct {
                const char *expression;
                uint64_t value;
        } cases[] = {
                {"0", 0},
                {"2+3*4", 14},
                {"2*3+4", 10},
                {"(2+3)*4", 20},
                {"10-3-2", 5},
                {"10-(3-2)", 9},
                {"64/4/2", 8},
                {"64/(4/2)", 32},
                {"5/2*2", 5},  /* exactly */
                {"5/2", 2},    /* rounded at the end */
                {"0.1*30", 3}, /* no binary fraction is */
                {"0.5625*64", 36},
                {"1/3+1/3+1/3", 1},
                {"2*-3+10", 4},
                {"--4", 4},
                {"-(-4)", 4},
                {"0-0", 0},
                {"-0", 0},
                {"3.99", 3},
                {" ( ( 7 ) ) ", 7},
                {"1-2", UNKNOWN}, /* nothing has less than no work */
                {"-0.5", UNKNOWN},
                {"1/0", UNKNOWN},
                {"0/0", UNKNOWN},
                {"0*(1/0)", UNKNOWN},
                {"1/(2-2)", UNKNOWN},
                {"123456789012345678", 123456789012345678},
                {"9.22337203685477580*1000000000*1000000000", 9223372036854775800u},
                {"9.22337203685477581*1000000000*1000000000", MANY},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                if (value(cases[i].expression) != cases[i].value)
                        fail_msg("%s is %lld", cases[i].expression,
                                 (long long)value(cases[i].expression));
}

static void arguments_by_type(void **state)
{
        static const struct {
                const char *args, *expression;
                uint64_t bits, value;
        } cases[] = {
                {"x:i32", "x+1", 0xffffffff, 0}, /* -1 */
                {"x:i32", "-x", 0x80000000, 2147483648},
                {"x:u32", "x", 0xdeadffffffff, 0xffffffff},
                {"x:i64", "x+1", UINT64_MAX, 0},
                {"x:i64", "-1-x", (uint64_t)1 << 63, INT64_MAX},
                {"x:i64", "x", INT64_MAX, INT64_MAX},
                {"x:u64", "x", UINT64_MAX, MANY},
                {"x:u64", "x/2", UINT64_MAX, INT64_MAX},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint64_t v = value_with(cases[i].expression, cases[i].args,
                                        (const int64_t *)&cases[i].bits, 1);

                if (v != cases[i].value)
                        fail_msg("%s %s %llx is %lld", cases[i].args, cases[i].expression,
                                 (unsigned long long)cases[i].bits, (long long)v);
        }
}

static void too_much_to_tell(void **state)
{
        const int64_t x[] = {INT64_MAX};
        static const struct {
                const char *expression;
                uint64_t value;
        } cases[] = {
                {"x", INT64_MAX},
                {"x+1", MANY},
                {"x+1-1", INT64_MAX},
                {"x*x", MANY},
                {"x*x/x", INT64_MAX}, /* there was room for it */
                {"x*x*x*x", MANY},
                {"x*x*x*x+5", MANY},
                {"5+x*x*x*x", MANY},
                {"2*(x*x*x*x)", MANY},
                {"x*x*x*x/x", UNKNOWN}, /* there was none: how many is it? */
                {"x*x*x*x*0", UNKNOWN},
                {"x*x*x*x*0.5", UNKNOWN},
                {"x*x*x*x-1", UNKNOWN},
                {"x*x*x*x-x*x*x*x", UNKNOWN},
                {"5/(x*x*x*x)", UNKNOWN},
                {"-(x*x*x*x)", UNKNOWN},
                {"1/x/x/x", UNKNOWN},
                {"x*x*4+x*x*4", MANY},
                {"x*x*4+x*x*4+x*x*4+x*x*4+x*x*4", MANY},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint64_t v = value_with(cases[i].expression, "x:i64", x, 1);

                if (v != cases[i].value)
                        fail_msg("%s is %lld", cases[i].expression, (long long)v);
        }
}

static void errors(void **state)
{
        static const struct {
                const char *text, *why;
        } cases[] = {
                {"", "column 1: expected an object and ':', as in libfoo.so:my_gemm(...)"},
                {"libfoo.so",
                 "column 10: expected an object and ':', as in libfoo.so:my_gemm(...)"},
                {"libfoo.so x:f()",
                 "column 10: expected an object and ':', as in libfoo.so:my_gemm(...)"},
                {":f()", "column 1: expected an object and ':', as in libfoo.so:my_gemm(...)"},
                {"a:", "column 3: expected a symbol and '('"},
                {"a:()", "column 3: expected a symbol and '('"},
                {"a:f g()", "column 4: expected a symbol and '('"},
                {"a:f(", "column 5: expected an argument: NAME:TYPE or _"},
                {"a:f(_", "column 6: expected ',' or ')'"},
                {"a:f(_,)", "column 7: expected an argument: NAME:TYPE or _"},
                {"a:f(_ _)", "column 7: expected ',' or ')'"},
                {"a:f(3:i32)", "column 5: expected an argument: NAME:TYPE or _"},
                {"a:f(m)", "column 6: expected ':' and the type of 'm'"},
                {"a:f(m:)", "column 7: expected a type: i32 u32 i64 u64 f32 f64 ptr"},
                {"a:f(m:i23)", "column 7: expected a type: i32 u32 i64 u64 f32 f64 ptr"},
                {"a:f(m:i323)", "column 7: expected a type: i32 u32 i64 u64 f32 f64 ptr"},
                {"a:f(m:i32,m:i32)", "column 11: expected another name: 'm' is there already"},
                {"a:f(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:i32)",
                 "column 5: expected a name of at most 31 letters"},
                {"a:f(_,_,_,_,_,_,_,_,_,_,_,_,_,_,_,_,_)",
                 "column 37: expected at most 16 arguments"},
                {"a:f()", "column 6: expected flops= or bytes="},
                {"a:f() # flops=1", "column 7: expected flops= or bytes="},
                {"a:f() flop=1", "column 7: expected flops= or bytes="},
                {"a:f() flops 1", "column 13: expected '='"},
                {"a:f() flops=", "column 13: expected a number, a name or '('"},
                {"a:f() flops=1 flops=2", "column 15: expected the end: 'flops' is there already"},
                {"a:f() flops=1 2", "column 15: expected an operator, flops= or bytes="},
                {"a:f() flops=1)", "column 14: expected an operator, flops= or bytes="},
                {"a:f() flops=(1", "column 15: expected an operator or ')'"},
                {"a:f() flops=(1 2)", "column 16: expected an operator or ')'"},
                {"a:f() flops=1+", "column 15: expected a number, a name or '('"},
                {"a:f() flops=1**2", "column 15: expected a number, a name or '('"},
                {"a:f() flops=+1", "column 13: expected a number, a name or '('"},
                {"a:f() flops=()", "column 14: expected a number, a name or '('"},
                {"a:f() flops=1.", "column 15: expected a digit"},
                {"a:f() flops=1.x", "column 15: expected a digit"},
                {"a:f() flops=1.2.3", "column 16: expected an operator, flops= or bytes="},
                {"a:f() flops=.5", "column 13: expected a number, a name or '('"},
                {"a:f() flops=1234567890123456789",
                 "column 13: expected a number of at most 18 digits"},
                {"a:f(m:i32) flops=m*n",
                 "column 20: expected a name of an argument: there is no 'n'"},
                {"a:f(p:ptr) flops=1", "column 7: expected an integer type, or _ in place of 'p'"},
                {"a:f(s:f32*) flops=1", "column 7: expected an integer type, or _ in place of 's'"},
                {"a:f(m:i32**) flops=1", "column 11: expected ',' or ')'"},
                {"a:f(_*) flops=1", "column 6: expected ',' or ')'"},
                {"a:f(a:i32,b:i32,c:i32,d:i32,e:i32,f:i32,g:i32) flops=1",
                 "column 43: expected at most 6 arguments with a name"},
                {"/opt/a:f() flops=1", "column 1: expected the name of a file, without its folder"},
                {"a:f(_) flops=_", "column 14: expected a name of an argument: there is no '_'"},
                {"a:f() flops=1 & 2", "column 15: expected an operator, flops= or bytes="},
                {"é語:f(m)", "column 7: expected ':' and the type of 'm'"}, /* characters */
                {"a:f() flops=1 \x01", "column 15: expected an operator, flops= or bytes="},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct op_declaration *d = NULL;
                char *why = NULL;

                assert_int_equal(op_declaration_parse(&d, cases[i].text, &why),
                                 OP_DECLARATION_E_MALFORMED);
                assert_null(d);
                assert_string_equal(why, cases[i].why);
                free(why);
        }
}

/* `n` times one text, another, `n` times a third: as an expression. */
static int nested(size_t n, const char *before, const char *inner, const char *after,
                  char **ret_why)
{
        size_t size = 64 + n * (strlen(before) + strlen(after));
        char *text = malloc(size), *to = stpcpy(text, "a:f() flops=");
        struct op_declaration *d = NULL;
        int r;

        for (size_t i = 0; i < n; i++)
                to = stpcpy(to, before);
        to = stpcpy(to, inner);
        for (size_t i = 0; i < n; i++)
                to = stpcpy(to, after);
        r = op_declaration_parse(&d, text, ret_why);
        op_declaration_free(d);
        free(text);
        return r;
}

static void bounds(void **state)
{
        char *why = NULL;

        assert_int_equal(nested(32, "(", "1", ")", &why), 0);
        assert_int_equal(nested(33, "(", "1", ")", &why), OP_DECLARATION_E_MALFORMED);
        assert_string_equal(why, "column 46: expected at most 32 levels of '(' and '-'");
        free(why);
        assert_int_equal(nested(100000, "(", "1", ")", &why), OP_DECLARATION_E_MALFORMED);
        free(why);
        assert_int_equal(nested(100000, "-", "1", "", &why), OP_DECLARATION_E_MALFORMED);
        free(why);
        why = NULL;
        assert_int_equal(nested(63, "1+", "1", "", &why), 0); /* 127 steps */
        assert_int_equal(nested(100000, "1+", "1", "", &why), OP_DECLARATION_E_MALFORMED);
        assert_string_equal(why,
                            "column 140: expected an expression of at most 128 numbers, names and "
                            "operators");
        free(why);
        why = NULL;
        assert_int_equal(nested(2034, " ", "1", "", &why), 0); /* 2,047 bytes in all */
        assert_int_equal(nested(2035, " ", "1", "", &why), OP_DECLARATION_E_MALFORMED);
        assert_string_equal(why,
                            "column 2048: expected the end: a declaration has at most 2047 bytes");
        free(why);
        /* The deepest stack: all numbers before all operators. */
        why = NULL;
        assert_int_equal(nested(31, "1+(", "1", ")", &why), 0);
}

static void files(void **state)
{
        static const char text[] = "# mine\n"
                                   "\n"
                                   "a:f(m:i32) flops=m\r\n"
                                   "  # more\n"
                                   "b:g() bytes=8 # so many";
        static const struct {
                const char *text, *why;
        } cases[] = {
                {"x", "ops:1:2: expected an object and ':', as in libfoo.so:my_gemm(...)"},
                {"a:f() flops=1\n\nb:g() flops=", "ops:3:13: expected a number, a name or '('"},
                {"a:f(\n) flops=1", "ops:1:5: expected an argument: NAME:TYPE or _"},
        };
        struct op_declaration **d = NULL;
        char *why = NULL;
        size_t n = 7;

        assert_int_equal(op_declarations_parse(&d, &n, "ops", text, sizeof(text) - 1, &why), 0);
        assert_int_equal(n, 2);
        assert_string_equal(d[0]->object, "a");
        assert_string_equal(d[1]->symbol, "g");
        op_declarations_free(d, n);
        assert_int_equal(op_declarations_parse(&d, &n, "ops", "", 0, &why), 0);
        assert_int_equal(n, 0);
        assert_null(d);
        assert_int_equal(op_declarations_parse(&d, &n, "ops", "\n# a\n", 5, &why), 0);
        assert_int_equal(n, 0);
        assert_null(why);

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                assert_int_equal(op_declarations_parse(&d, &n, "ops", cases[i].text,
                                                       strlen(cases[i].text), &why),
                                 OP_DECLARATION_E_MALFORMED);
                assert_string_equal(why, cases[i].why);
                free(why);
                why = NULL;
        }
        /* A NUL is a byte like others that have no business here. */
        assert_int_equal(op_declarations_parse(&d, &n, "ops", "a:f() flops=1\0", 14, &why),
                         OP_DECLARATION_E_MALFORMED);
        assert_string_equal(why, "ops:1:14: expected an operator, flops= or bytes=");
        free(why);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_declaration),    cmocka_unit_test(forms),
                cmocka_unit_test(arithmetic),       cmocka_unit_test(arguments_by_type),
                cmocka_unit_test(too_much_to_tell), cmocka_unit_test(errors),
                cmocka_unit_test(bounds),           cmocka_unit_test(files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
