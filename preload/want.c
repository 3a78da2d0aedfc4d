/* SPDX-License-Identifier: MIT */
/*
 * Which kernels are wanted: by the engines' tables and by the user, whose
 * INFPROF_KERNELS is a list of OBJECT:SYMBOL[/BYTES][~][=PHASE], commas or spaces
 * between, both globs; BYTES says how many bytes of stack arguments the kernel takes
 * (256 unless told), ~ that it is hot: counted always, timed one time in INFPROF_HOT_INTERVAL.
 * =decode says that each call makes one token, =prefill that it takes a prompt in (marks.c).
 */
#include "preload/declared.h"
#include "preload/engine.h"
#include "preload/marks.h"

#define MAX_WANTS     256
#define USER_BYTES    256
#define MAX_ARG_BYTES 65528

static struct ifp_want wants[MAX_WANTS];
static uint32_t n_wants;
static char user_text[8192];

/* Matches one character against [...] at `p`; *ret_end is behind it. An open bracket stands for
 * itself. */
static bool one_of(const char *p, char c, const char **ret_end)
{
        const char *from = p + 1;
        bool negated = *from == '!' || *from == '^', found = false;

        if (negated)
                from++;
        for (const char *q = from; *q; q++) {
                if (*q == ']' && q > from) {
                        *ret_end = q + 1;
                        return found != negated;
                }
                if (q[1] == '-' && q[2] && q[2] != ']') {
                        found |= c >= q[0] && c <= q[2];
                        q += 2;
                } else {
                        found |= c == *q;
                }
        }
        *ret_end = p + 1;
        return c == '[';
}

bool ifp_glob(const char *pattern, const char *s)
{
        const char *star = NULL, *from = NULL, *next;

        for (;;) {
                if (*pattern == '*') {
                        star = pattern++;
                        from = s;
                } else if (*s && *pattern == '[' && one_of(pattern, *s, &next)) {
                        pattern = next;
                        s++;
                } else if (*s && *pattern != '[' && (*pattern == '?' || *pattern == *s)) {
                        pattern++;
                        s++;
                } else if (!*s && !*pattern) {
                        return true;
                } else if (star && *from) {
                        pattern = star + 1;
                        s = ++from;
                } else {
                        return false;
                }
        }
}

static void add(const struct ifp_want *w)
{
        static bool said;

        if (n_wants < MAX_WANTS) {
                wants[n_wants++] = *w;
                return;
        }
        if (!said)
                ifp_say("too many kernel patterns (256 at most): the rest is ignored", 0);
        said = true;
}

/* Splits off the mark of a hot kernel; no name ends so. */
static bool take_hot(char *symbol)
{
        size_t n = ifp_strlen(symbol);

        if (!n || symbol[n - 1] != '~')
                return false;
        symbol[n - 1] = '\0';
        return true;
}

/* Splits off the number behind a slash; false: it is none. */
static bool take_bytes(char *symbol, uint16_t *ret_bytes)
{
        uint32_t v = 0;
        char *slash = NULL;

        for (char *c = symbol; *c; c++)
                if (*c == '/')
                        slash = c;
        if (!slash)
                return true;
        *slash++ = '\0';
        if (!*slash)
                return false;
        for (; *slash; slash++) {
                if (*slash < '0' || *slash > '9' || v > MAX_ARG_BYTES)
                        return false;
                v = v * 10 + (uint32_t)(*slash - '0');
        }
        if (v > MAX_ARG_BYTES)
                return false;
        *ret_bytes = (uint16_t)((v + 7) & ~7u);
        return true;
}

/* Splits off what stands behind an equals sign; false: no phase is called so. */
static bool take_phase(char *symbol, struct ifp_want *w)
{
        char *equals = NULL;

        for (char *c = symbol; *c && !equals; c++)
                if (*c == '=')
                        equals = c;
        if (!equals)
                return true;
        *equals = '\0';
        if (!ifp_strcmp(equals + 1, "decode"))
                w->hook = &ifp_mark_decode;
        else if (!ifp_strcmp(equals + 1, "prefill"))
                w->hook = &ifp_mark_prefill;
        w->kind = IFP_KIND_CALL;
        return w->hook != NULL;
}

static void add_user(char *item)
{
        struct ifp_want w = {.object = item, .stack_bytes = USER_BYTES, .kind = IFP_KIND_KERNEL};
        char *colon = item;

        while (*colon && *colon != ':')
                colon++;
        if (!*colon || colon == item || !colon[1] || colon[1] == '~') {
                ifp_say("INFPROF_KERNELS: each item must read OBJECT:SYMBOL[/BYTES][~][=PHASE]; "
                        "one does not and is ignored",
                        0);
                return;
        }
        *colon = '\0';
        w.symbol = colon + 1;
        if (!take_phase(colon + 1, &w)) {
                ifp_say("INFPROF_KERNELS: behind an equals sign stands decode or prefill; an item "
                        "is ignored",
                        0);
                return;
        }
        w.hot = take_hot(colon + 1);
        if (!take_bytes(colon + 1, &w.stack_bytes)) {
                ifp_say("INFPROF_KERNELS: the bytes behind a slash must be a number up to 65528; "
                        "an item is ignored",
                        0);
                return;
        }
        *colon = ':'; /* whole again while it is copied */
        w.pattern = ifp_pattern_add(item);
        *colon = '\0';
        add(&w);
}

static void add_users(void)
{
        char *c = user_text, *item;

        if (!ifp_config.kernels)
                return;
        if (ifp_strlen(ifp_config.kernels) >= sizeof(user_text)) {
                ifp_say("INFPROF_KERNELS is longer than 8191 bytes: ignored", 0);
                return;
        }
        ifp_strcpy(user_text, ifp_config.kernels, sizeof(user_text));
        while (*c) {
                while (*c == ',' || *c == ' ' || *c == '\n')
                        *c++ = '\0';
                item = c;
                while (*c && *c != ',' && *c != ' ' && *c != '\n')
                        c++;
                if (*c)
                        *c++ = '\0';
                if (*item)
                        add_user(item);
        }
}

void ifp_wants_init(void)
{
        n_wants = 0;
        ifp_declared_each(add);
        add_users(); /* first: what the user names goes by the user's name */
        for (uint32_t i = 0; i < ifp_n_engines; i++) {
                for (uint32_t j = 0; j < ifp_engines[i]->n_wants; j++) {
                        struct ifp_want w = ifp_engines[i]->wants[j];

                        w.engine = (uint16_t)(i + 1);
                        if (w.level <= ifp_config.level && !(w.direct && ifp_config.paired))
                                add(&w);
                }
        }
}

static bool object_matches(const struct ifp_want *w, const char *object, const char *soname)
{
        return ifp_glob(w->object, object) || (soname && ifp_glob(w->object, soname));
}

/* Functions that return twice cannot be called through. */
static bool never(const char *symbol)
{
        static const char *const twice[] = {"setjmp", "_setjmp",    "sigsetjmp", "__sigsetjmp",
                                            "vfork",  "getcontext", "savectx",   "__vfork"};

        for (unsigned i = 0; i < sizeof(twice) / sizeof(twice[0]); i++)
                if (!ifp_strcmp(symbol, twice[i]))
                        return true;
        return false;
}

struct ifp_want *ifp_want_find(const char *object, const char *soname, const char *symbol)
{
        for (uint32_t i = 0; i < n_wants; i++) {
                struct ifp_want *w = &wants[i];

                if (!ifp_glob(w->symbol, symbol) || !object_matches(w, object, soname))
                        continue;
                if (w->choose)
                        w = w->choose(w, object, symbol);
                if (w)
                        return never(symbol) ? NULL : w;
        }
        return NULL;
}

bool ifp_want_object(const char *object, const char *soname)
{
        for (uint32_t i = 0; i < n_wants; i++)
                if (object_matches(&wants[i], object, soname))
                        return true;
        return false;
}

bool ifp_want_symbol(const char *symbol)
{
        for (uint32_t i = 0; i < n_wants; i++)
                if (ifp_glob(wants[i].symbol, symbol) &&
                    (!wants[i].choose || wants[i].choose(&wants[i], NULL, symbol)))
                        return true;
        return false;
}
