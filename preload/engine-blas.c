/* SPDX-License-Identifier: MIT */
/*
 * BLAS: CBLAS and the Fortran interface, of OpenBLAS, BLIS, MKL, FlexiBLAS and the reference, with
 * integers of 32 and of 64 bits.
 *
 * A routine is one row of the table: by which letters its names begin, what its arguments are, and
 * what they make a shape of. Fortran passes everything by address and, behind the rest, the length
 * of each character; CBLAS passes integers by value, real scalars in vector registers, complex ones
 * by address.
 *
 * Integers are of 64 bits where the symbol's suffix or the library's name says so, else of 32. A
 * library of 64 that does not say so is read right all the same, as long as they are below 2^31.
 */
#include "preload/engine-blas.h"
#include "preload/shape.h"

#define MAX_FORMS 4u

static const struct ifp_blas_row rows[] = {
        {"s d c z", "gemm", "tTmnkaplplapl", IFP_BLAS_GEMM, "gemm"},
        {"c z", "gemm3m", "tTmnkaplplapl", IFP_BLAS_GEMM, "gemm"},
        {"s d c z", "gemmt", "xtTnkaplplapl", IFP_BLAS_GEMMT, "gemmt"},
        {"s d c z", "symm", "sxmnaplplapl", IFP_BLAS_SYMM, "symm"},
        {"c z", "hemm", "sxmnaplplapl", IFP_BLAS_SYMM, "symm"},
        {"s d c z", "syrk", "xtnkaplapl", IFP_BLAS_SYRK, "syrk"},
        {"c z", "herk", "xtnkrplrpl", IFP_BLAS_SYRK, "syrk"},
        {"s d c z", "syr2k", "xtnkaplplapl", IFP_BLAS_SYR2K, "syr2k"},
        {"c z", "her2k", "xtnkaplplrpl", IFP_BLAS_SYR2K, "syr2k"},
        {"s d c z", "trmm", "sxxxmnaplpl", IFP_BLAS_TRMM, "trmm"},
        {"s d c z", "trsm", "sxxxmnaplpl", IFP_BLAS_TRMM, "trsm"},
        {"s d c z", "gemv", "tmnaplpiapi", IFP_BLAS_GEMV, "gemv"},
        {"s d c z", "gbmv", "tmnKUaplpiapi", IFP_BLAS_GBMV, "gbmv"},
        {"s d c z", "symv", "xnaplpiapi", IFP_BLAS_SYMV, "symv"},
        {"c z", "hemv", "xnaplpiapi", IFP_BLAS_SYMV, "symv"},
        {"s d", "sbmv", "xnkaplpiapi", IFP_BLAS_SBMV, "sbmv"},
        {"c z", "hbmv", "xnkaplpiapi", IFP_BLAS_SBMV, "sbmv"},
        {"s d c z", "spmv", "xnappiapi", IFP_BLAS_SPMV, "symv"},
        {"c z", "hpmv", "xnappiapi", IFP_BLAS_SPMV, "symv"},
        {"s d c z", "trmv", "xxxnplpi", IFP_BLAS_TRMV, "trmv"},
        {"s d c z", "trsv", "xxxnplpi", IFP_BLAS_TRMV, "trsv"},
        {"s d c z", "tbmv", "xxxnkplpi", IFP_BLAS_TBMV, "tbmv"},
        {"s d c z", "tbsv", "xxxnkplpi", IFP_BLAS_TBMV, "tbsv"},
        {"s d c z", "tpmv", "xxxnppi", IFP_BLAS_TPMV, "trmv"},
        {"s d c z", "tpsv", "xxxnppi", IFP_BLAS_TPMV, "trsv"},
        {"s d", "ger", "mnapipipl", IFP_BLAS_GER, "ger"},
        {"c z", "geru", "mnapipipl", IFP_BLAS_GER, "ger"},
        {"c z", "gerc", "mnapipipl", IFP_BLAS_GER, "ger"},
        {"s d c z", "syr", "xnapipl", IFP_BLAS_SYR, "syr"},
        {"c z", "her", "xnrpipl", IFP_BLAS_SYR, "syr"},
        {"s d c z", "spr", "xnapip", IFP_BLAS_SPR, "syr"},
        {"c z", "hpr", "xnrpip", IFP_BLAS_SPR, "syr"},
        {"s d c z", "syr2", "xnapipipl", IFP_BLAS_SYR2, "syr2"},
        {"c z", "her2", "xnapipipl", IFP_BLAS_SYR2, "syr2"},
        {"s d", "spr2", "xnapipip", IFP_BLAS_SPR2, "syr2"},
        {"c z", "hpr2", "xnapipip", IFP_BLAS_SPR2, "syr2"},
        {"s d ds", "dot", "npipi", IFP_BLAS_DOT, "dot"},
        {"sds", "dot", "nrpipi", IFP_BLAS_DOT, "dot"},
        {"c z", "dotu", "npipi", IFP_BLAS_DOT, "dot"},
        {"c z", "dotc", "npipi", IFP_BLAS_DOT, "dot"},
        {"c z", "dotu_sub", "npipip", IFP_BLAS_DOT, "dot"}, /* CBLAS has these */
        {"c z", "dotc_sub", "npipip", IFP_BLAS_DOT, "dot"},
        {"s d sc dz", "nrm2", "npi", IFP_BLAS_ONE, "nrm2"},
        {"s d sc dz", "asum", "npi", IFP_BLAS_ONE, "asum"},
        {"is id ic iz", "amax", "npi", IFP_BLAS_ONE, "iamax"},
        {"s d c z", "scal", "napi", IFP_BLAS_CHANGE, "scal"},
        {"cs zd", "scal", "nrpi", IFP_BLAS_CHANGE, "rscal"},
        {"s d c z", "copy", "npipi", IFP_BLAS_COPY, "copy"},
        {"s d c z", "axpy", "napipi", IFP_BLAS_ADD, "axpy"},
        {"s d c z", "axpby", "napiapi", IFP_BLAS_ADD, "axpby"},
        {"s d c z", "swap", "npipi", IFP_BLAS_ADD, "swap"},
        {"s d cs zd", "rot", "npipirr", IFP_BLAS_ADD, "rot"},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static struct ifp_blas routines[N_ROWS][MAX_FORMS][2][2];

/* ---- names --------------------------------------------------------------------------- */

/* What is behind `prefix` in a name, or NULL. */
static const char *behind(const char *name, const char *prefix)
{
        return ifp_starts(name, prefix) ? name + ifp_strlen(prefix) : NULL;
}

static bool is_any(const char *s, const char *const *of, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++)
                if (!ifp_strcmp(s, of[i]))
                        return true;
        return false;
}

/* How names end: with integers of 64 bits, and in Fortran with an underscore or not. */
static bool take_suffix(const char *s, bool cblas, bool *wide)
{
        static const char *const ends[] = {"64_", "_64_", "_64", "64"};

        if (is_any(s, ends, sizeof(ends) / sizeof(ends[0]))) {
                *wide = true;
                return true;
        }
        return !*s || (!cblas && !ifp_strcmp(s, "_"));
}

/* Does the name begin with the row's form number `form`? What is behind it then, else NULL. */
static const char *form_of(const struct ifp_blas_row *row, const char *name, uint32_t form)
{
        const char *f = row->forms;

        for (; form && *f; f++)
                form -= *f == ' ';
        if (form || !*f)
                return NULL;
        for (; *f && *f != ' '; f++)
                if (*name++ != *f)
                        return NULL;
        return behind(name, row->name);
}

/* All forms are one to three letters; most names are told apart by what would be behind these. */
static bool may_be(const struct ifp_blas_row *row, const char *name)
{
        for (uint32_t i = 0; i < 3 && name[i]; i++)
                if (ifp_starts(name + i + 1, row->name))
                        return true;
        return false;
}

static char letter_of(const struct ifp_blas_row *row, uint32_t form)
{
        const char *f = row->forms;
        char letter = 0;

        for (; form; f++)
                form -= *f == ' ';
        for (; *f && *f != ' '; f++)
                if (letter != 'c' && letter != 'z')
                        letter = *f;
        return letter;
}

/* Is the first of its scalars the factor of a product? */
static bool has_alpha(const struct ifp_blas_row *row)
{
        return !ifp_blas_is_vector(row) || ifp_starts(row->name, "axp");
}

/* The next scalar, alpha or beta: `letter` a or r, in vector register number `vector` or at the
 * address that is argument `at`. */
static void add_scalar(struct ifp_blas *r, char letter, bool by_address, uint32_t vector,
                       uint32_t at)
{
        struct ifp_scalar *s = r->call.alpha.type ? &r->call.beta : &r->call.alpha;
        bool wide = r->bytes == (r->complex ? 16 : 8);

        s->type = letter == 'a' && r->complex ? (wide ? IFP_SCALAR_CF64 : IFP_SCALAR_CF32)
                                              : (wide ? IFP_SCALAR_F64 : IFP_SCALAR_F32);
        s->vector = (uint8_t)vector;
        s->at = by_address ? ifp_arg_offset(at) : 0;
}

static void make_call(struct ifp_blas *r, bool wide)
{
        uint8_t integer = wide ? IFP_ARG_64 : IFP_ARG_I32;
        uint32_t at = 0, lengths = 0, vector = 0;
        struct ifp_call *c = &r->call;

        c->alpha.type = c->beta.type = IFP_SCALAR_NONE;
        c->no_beta = r->row->what == IFP_BLAS_TRMM ? IFP_ZEROED : IFP_LEFT_ALONE;

        if (r->cblas && !ifp_blas_is_vector(r->row))
                ifp_call_add(c, ifp_arg_offset(at++), IFP_ARG_I32);
        for (const char *a = r->row->args; *a; a++) {
                bool flag = *a == 's' || *a == 't' || *a == 'T' || *a == 'x';

                bool in_vector = r->cblas && (*a == 'r' || (*a == 'a' && !r->complex));

                if ((*a == 'r' || *a == 'a') && has_alpha(r->row))
                        add_scalar(r, *a, !in_vector, vector, at);
                vector += in_vector;
                if (in_vector)
                        continue;
                if (ifp_blas_keeps(*a) && r->cblas)
                        ifp_call_add(c, ifp_arg_offset(at), flag ? IFP_ARG_I32 : integer);
                else if (ifp_blas_keeps(*a))
                        ifp_call_add(c, ifp_arg_offset(at),
                                     IFP_ARG_ADDRESS | (flag ? IFP_ARG_CHAR : integer));
                lengths += flag && !r->cblas;
                at++;
        }
        at += lengths;
        r->want.stack_bytes = (uint16_t)(at > 6 ? 8 * (at - 6) : 0);
}

static void make(struct ifp_blas *r, const struct ifp_blas_row *row, const struct ifp_want *as,
                 char letter, bool cblas, bool wide)
{
        static const struct {
                char letter;
                const char *name;
                uint8_t bytes;
        } types[] = {{'s', "f32", 4}, {'d', "f64", 8}, {'c', "cf32", 8}, {'z', "cf64", 16}};
        uint32_t i = 0;

        while (i < 3 && types[i].letter != letter)
                i++;
        r->row = row;
        r->cblas = cblas;
        r->complex = letter == 'c' || letter == 'z';
        r->bytes = types[i].bytes;
        r->want = *as;
        r->want.choose = NULL;
        r->want.hook = &r->call.hook;
        r->call.hook.enter = ifp_call_enter;
        r->call.shape = ifp_blas_shape;
        r->call.n = 0;
        make_call(r, wide);
        r->formula = ifp_name(row->formula);
        r->scaled = ifp_name(r->complex && (r->call.beta.type == IFP_SCALAR_F32 ||
                                            r->call.beta.type == IFP_SCALAR_F64)
                                     ? "rscal"
                                     : "scal");
        r->zeroed = ifp_name("zero");
        r->type = (uint16_t)ifp_type(types[i].name, 1, types[i].bytes);
}

/* Fortran's complex functions return by an address in some of MKL, and not in other libraries. */
static bool is_doubtful(const struct ifp_blas_row *row, bool cblas, const char *object)
{
        return row->what == IFP_BLAS_DOT && !cblas && object && ifp_starts(object, "libmkl") &&
               row->forms[0] == 'c';
}

static struct ifp_want *choose(const struct ifp_want *as, const char *object, const char *symbol)
{
        const char *name = behind(symbol, "scipy_"), *bare, *rest;
        bool cblas, wide = object && (ifp_glob("*ilp64*", object) || ifp_glob("*blas64*", object));
        struct ifp_blas *r;

        name = name ? name : symbol;
        bare = behind(name, "cblas_");
        cblas = bare != NULL;
        name = cblas ? bare : name;
        if (*name != 's' && *name != 'd' && *name != 'c' && *name != 'z' && *name != 'i')
                return NULL;
        for (uint32_t i = 0; i < N_ROWS; i++)
                for (uint32_t form = 0; form < MAX_FORMS && may_be(&rows[i], name); form++) {
                        rest = form_of(&rows[i], name, form);
                        if (!rest || !take_suffix(rest, cblas, &wide) ||
                            is_doubtful(&rows[i], cblas, object))
                                continue;
                        r = &routines[i][form][cblas][wide];
                        if (!r->type)
                                make(r, &rows[i], as, letter_of(&rows[i], form), cblas, wide);
                        return &r->want;
                }
        return NULL;
}

/* ---- what the library says of itself --------------------------------------------------- */

static struct {
        uint64_t base; /* of the object that it is in */
        const char *(*corename)(void);
} openblas;

static uint64_t ask(void *unused)
{
        const char *name;

        (void)unused;
        ifp_tls.busy++;
        ifp_tls.fast = NULL;
        name = openblas.corename();
        if (name)
                __atomic_store_n(&ifp_seg->live.blas_core, ifp_name(name), __ATOMIC_RELEASE);
        ifp_fast_again(&ifp_tls);
        ifp_tls.busy--;
        return 0;
}

void ifp_blas_ask(void)
{
        if (openblas.corename && !ifp_seg->live.blas_core)
                ifp_call_saved(ask, NULL);
}

static void opened(const struct ifp_elf *e)
{
        static const char *const names[] = {"openblas_get_corename", "openblas_get_corename64_",
                                            "scipy_openblas_get_corename",
                                            "scipy_openblas_get_corename64_"};

        for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                if (!ifp_elf_find(e, names[i], NULL))
                        continue;
                IFP_ELF_FUNCTION(e, openblas.corename, names[i]);
                openblas.base = e->base;
                return;
        }
}

static void closed(const struct ifp_elf *e)
{
        if (openblas.base == e->base)
                openblas.corename = NULL;
}

/* ---- the table ----------------------------------------------------------------------- */

#define BLAS(object)                                                                               \
        {                                                                                          \
                object, "*", .kind = IFP_KIND_KERNEL, .choose = choose                             \
        }

static struct ifp_want wants[] = {
        BLAS("libopenblas*.so*"),  BLAS("libscipy_openblas*.so*"), BLAS("libblas*.so*"),
        BLAS("libcblas*.so*"),     BLAS("libblis*.so*"),           BLAS("libmkl_*.so*"),
        BLAS("libflexiblas*.so*"),
};

const struct ifp_engine ifp_engine_blas = {
        .name = "blas",
        .wants = wants,
        .n_wants = sizeof(wants) / sizeof(wants[0]),
        .opened = opened,
        .closed = closed,
};
