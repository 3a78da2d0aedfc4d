/* SPDX-License-Identifier: MIT */
/*
 * INFPROF_OPS: one declaration a line, as in
 *
 *     libfoo.so:my_gemm(_, _, m:i32, n:i32, k:i32) flops=2*m*n*k bytes=4*(m*k+k*n+m*n)
 *
 * Of each, object, symbol and arguments are read here, by what common/op-declaration.h says of
 * them; the whole text goes into the segment, for whoever works the expressions out. Arguments with
 * names become the parameters of the call's shape. What is passed is told by type and order alone:
 * six integers and eight floating-point numbers in registers, all others on the stack.
 */
#include "preload/declared.h"

#include "preload/call-args.h"

#define STACK_BYTES 256 /* a kernel may take more than is declared */
#define N_REGISTERS 6u
#define N_FLOATS    8u

static struct declared {
        struct ifp_call call;
        uint32_t formula; /* into names */
} declared[IFP_MAX_DECLARED];
static uint32_t n_declared;
static char text[IFP_DECLARED_BYTES];

static bool shape_of(const struct ifp_call *call, const int64_t *args, enum ifp_scaled scaled,
                     struct ifp_shape *ret)
{
        const struct declared *d = (const void *)call; /* its first member */

        (void)scaled; /* a declaration has no scalars */
        ret->formula = d->formula;
        ret->n_params = call->n;
        for (uint32_t i = 0; i < call->n; i++)
                ret->params[i] = args[i];
        return true;
}

/* ---- reading --------------------------------------------------------------------------- */

static bool is_name(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
}

static char *skip_blanks(char *s)
{
        while (*s == ' ' || *s == '\t' || *s == '\r')
                s++;
        return s;
}

/* The end of the name that is here. */
static char *name_end(char *s)
{
        while (is_name(*s))
                s++;
        return s;
}

static bool is_word(const char *from, const char *end, const char *word)
{
        while (from < end && *word && *from == *word)
                from++, word++;
        return from == end && !*word;
}

/* How an argument of that type is read; false: there is no such type. */
static bool type_of(const char *from, const char *end, uint8_t *ret_how, bool *ret_float)
{
        *ret_float = is_word(from, end, "f32") || is_word(from, end, "f64");
        *ret_how = is_word(from, end, "i32")   ? IFP_ARG_I32
                   : is_word(from, end, "u32") ? IFP_ARG_U32
                                               : IFP_ARG_64;
        return *ret_float || *ret_how != IFP_ARG_64 || is_word(from, end, "i64") ||
               is_word(from, end, "u64") || is_word(from, end, "ptr");
}

/* How many arguments so far lie where. */
struct places {
        uint32_t registers, floats, stack;
};

static int16_t place(struct places *p, bool is_float)
{
        if (is_float && p->floats < N_FLOATS) {
                p->floats++;
                return 0;
        }
        if (!is_float && p->registers < N_REGISTERS)
                return ifp_arg_offset(p->registers++);
        return ifp_arg_offset(N_REGISTERS + p->stack++);
}

/* One of them, up to the comma or parenthesis behind it; NULL: it is none. */
static char *read_argument(struct ifp_call *call, struct places *p, char *s)
{
        char *name = skip_blanks(s), *end = name_end(name), *type;
        bool is_float = false, is_named = !is_word(name, end, "_");
        uint8_t how = IFP_ARG_64;
        int16_t offset;

        if (name == end)
                return NULL;
        s = skip_blanks(end);
        if (*s == ':') {
                type = skip_blanks(s + 1);
                s = name_end(type);
                if (!type_of(type, s, &how, &is_float))
                        return NULL;
                s = skip_blanks(s);
                if (*s == '*') {
                        how |= IFP_ARG_ADDRESS | IFP_ARG_DOUBTFUL;
                        is_float = is_float && is_named; /* else the address of one */
                        s = skip_blanks(s + 1);
                }
        } else if (is_named) {
                return NULL;
        }
        if (is_named && (is_float || call->n == IFP_SHAPE_PARAMS))
                return NULL;
        offset = place(p, is_float);
        if (is_named)
                ifp_call_add(call, offset, how);
        return s;
}

static bool read_arguments(struct ifp_call *call, char *s)
{
        struct places p = {0};

        call->n = 0;
        s = skip_blanks(s);
        if (*s == ')')
                return true;
        do {
                s = read_argument(call, &p, s);
                if (!s)
                        return false;
        } while (*s++ == ',');
        return s[-1] == ')';
}

/* One line, which is taken to pieces. */
static bool read_line(char *line, struct ifp_want *ret)
{
        struct declared *d = &declared[n_declared];
        char *colon = line, *open;

        while (*colon && *colon != ':')
                colon++;
        for (open = colon; *open && *open != '('; open++)
                ;
        if (colon == line || !*open || open == colon + 1 || !read_arguments(&d->call, open + 1))
                return false;
        d->formula = ifp_name(line);
        if (!d->formula)
                return false;
        d->call.hook.enter = ifp_call_enter;
        d->call.shape = shape_of;
        *open = '\0';
        *ret = (struct ifp_want){.object = line,
                                 .symbol = colon + 1,
                                 .stack_bytes = STACK_BYTES,
                                 .kind = IFP_KIND_KERNEL,
                                 .hook = &d->call.hook,
                                 .pattern = ifp_pattern_add(line)};
        *colon = '\0';
        n_declared++;
        return true;
}

void ifp_declared_each(void (*add)(const struct ifp_want *w))
{
        struct ifp_want w;
        char *line, *end;

        n_declared = 0;
        if (!ifp_config.ops)
                return;
        ifp_strcpy(text, ifp_config.ops, sizeof(text));
        for (line = text; *line; line = end) {
                for (end = line; *end && *end != '\n'; end++)
                        ;
                if (*end)
                        *end++ = '\0';
                line = skip_blanks(line);
                if (!*line || *line == '#')
                        continue;
                if (n_declared == IFP_MAX_DECLARED)
                        ifp_say("INFPROF_OPS has more than 64 declarations; one is ignored", 0);
                else if (read_line(line, &w))
                        add(&w);
                else
                        ifp_say("INFPROF_OPS: a declaration cannot be read and is ignored; infprof "
                                "record --op says what is wrong with it",
                                0);
        }
}
