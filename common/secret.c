/* SPDX-License-Identifier: MIT */
/*
 * Names say most: a variable that has KEY in it, an option one of whose words is "token". Forms say
 * the rest: tokens of well-known services begin in ways of their own, a URL may carry a password,
 * and a long word of letters of both cases and digits is nothing that a person chose. The last is
 * asked of variables only: names of model files look like that. An argument may be a text that has
 * names in it: a header, JSON, the query of a URL, a line for a shell. It errs on the side of
 * hiding, and what comes behind a secret in an argument is hidden with it.
 */
#include "common/secret.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/secret-name.h"

#define RANDOM_LEAST 32 /* characters of a word that nobody chose */
#define SMALL_NUMBER 8  /* digits, and a point */

static const char *const variable_parts[] = {"TOKEN",  "KEY",        "SECRET",     "PASSWORD",
                                             "PASSWD", "PASSPHRASE", "CREDENTIAL", "COOKIE"};

static const char *const beginnings[] = {"sk-",         "hf_",     "ghp_",  "gho_",  "ghs_",
                                         "github_pat_", "glpat-",  "xoxb-", "xoxp-", "AKIA",
                                         "eyJ",         "Bearer ", "Basic "};

#define N(list) (sizeof(list) / sizeof((list)[0]))

/* TOKENS are counted, a TOKENIZER is a file. */
static bool goes_on_as_tokens(const char *rest, size_t n)
{
        return n && strchr("sSiI", rest[0]);
}

bool secret_variable(const char *name, size_t n)
{
        for (size_t i = 0; i < N(variable_parts); i++) {
                size_t part = strlen(variable_parts[i]);

                for (size_t at = 0; at + part <= n; at++)
                        if (!strncasecmp(name + at, variable_parts[i], part) &&
                            (i || !goes_on_as_tokens(name + at + part, n - at - part)))
                                return true;
        }
        return secret_name(name, n) != SECRET_NAME_NO;
}

static bool has_beginning(const char *s)
{
        for (size_t i = 0; i < N(beginnings); i++) {
                size_t n = strlen(beginnings[i]);

                if (!strncmp(s, beginnings[i], n) && strcspn(s + n, " /,") >= 12)
                        return true;
        }
        return false;
}

/* The end of "scheme://user:" where a password comes behind it; 0: there is none. */
static size_t before_password(const char *s)
{
        const char *scheme = strstr(s, "://"), *host = scheme ? scheme + 3 : NULL;
        size_t user = host ? strcspn(host, ":@/ ") : 0;

        if (!host || host[user] != ':' || host[user + 1 + strcspn(host + user + 1, "@/ ")] != '@')
                return 0;
        return (size_t)(host - s) + user + 1;
}

static bool is_random(const char *s, size_t n)
{
        bool lower = false, upper = false, digit = false, hex = true;

        if (n < RANDOM_LEAST)
                return false;
        for (size_t i = 0; i < n; i++) {
                lower |= islower((unsigned char)s[i]) != 0;
                upper |= isupper((unsigned char)s[i]) != 0;
                digit |= isdigit((unsigned char)s[i]) != 0;
                hex &= isxdigit((unsigned char)s[i]) != 0;
        }
        return (lower && upper && digit) || (hex && digit && (lower || upper));
}

/* The number of a token, of a key in a cache, says nothing of anybody. */
static bool is_small_number(const char *s)
{
        size_t n;

        s += *s == ' ';
        n = strspn(s, "0123456789.");
        return n && n <= SMALL_NUMBER && (!s[n] || strchr("\"', &}])", s[n]));
}

/* May what stands at `value` not be shown, under that name? */
static bool hides(const char *name, size_t n, const char *value)
{
        enum secret_name is = secret_name(name, n);

        /* an object has names of its own */
        return *value && *value != '{' && is != SECRET_NAME_NO &&
               (is == SECRET_NAME_SURE || !is_small_number(value));
}

static bool is_option(const char *s)
{
        return s[0] == '-' && s[1] && !isdigit((unsigned char)s[1]);
}

/* ---- names within a text ---- */

static bool is_of_name(char c)
{
        return isalnum((unsigned char)c) || (c && strchr("-_.", c));
}

/*
 * Where the value begins that belongs to the `n` bytes of a name at `at`; NULL: none does.
 * "name": value is JSON, name=value a variable or a parameter, NAME: value a header.
 */
static const char *value_of(const char *text, const char *at, size_t n)
{
        char before = at > text ? at[-1] : '\0';
        const char *p = at + n;
        bool quoted = false, first = !before || strchr("\"' =", before);

        for (; *p == '\\' || *p == '"' || *p == '\''; p++)
                quoted = true;
        if (quoted)
                p += strspn(p, " \t\r\n");
        if (*p == '=' && !quoted && (first || strchr("?&;#,", before)))
                return p + 1;
        if (*p == ':' && p[1] != '/' &&
            (quoted || (first && before != ' ') || (before == ' ' && memchr(at, '-', n)))) {
                p++;
                return quoted ? p + strspn(p, " \t\r\n\\\"'") : p;
        }
        if (*p == ' ' && !quoted && before == ' ' && is_option(at) && !is_option(p + 1))
                return p + 1;
        return NULL;
}

/* The first byte of a text that may not be shown; its end: there is none. */
static size_t within(const char *text)
{
        size_t n;

        for (const char *p = text; *p; p += n) {
                for (n = 0; is_of_name(p[n]);)
                        n++;
                if (n) {
                        const char *value = value_of(text, p, n);

                        if (value && hides(p, n, value))
                                return (size_t)(value - text);
                        if (p > text && strchr(" \"'=:@", p[-1]) && has_beginning(p))
                                return (size_t)(p - text);
                } else {
                        n = 1;
                }
        }
        return strlen(text);
}

bool secret_value(const char *value)
{
        static const char letters[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=";

        if (before_password(value) || value[within(value)])
                return true;
        /* word by word; what has a dot, a dash or a slash in it is the name of something */
        for (const char *p = value; *p; p += *p != '\0') {
                size_t n = strcspn(p, " ,:;");
                size_t plain = strspn(p, letters);

                if (has_beginning(p) || (plain >= n && is_random(p, n)))
                        return true;
                p += n;
        }
        return false;
}

/* A name and a password, as curl's -u takes them; a user and a group are numbers. */
static size_t before_password_of_user(const char *s)
{
        size_t name = strcspn(s, ":/ ");

        if (s[name] != ':' || !s[name + 1] || !s[strspn(s, "0123456789:")])
                return 0;
        return name + 1;
}

/* The length of "--user=" and "-u", which may be the option itself. */
static size_t user_option(const char *s)
{
        static const char *const options[] = {"--user", "--proxy-user", "-u", "-U"};

        for (size_t i = 0; i < N(options); i++) {
                size_t n = strlen(options[i]);

                if (!strncmp(s, options[i], n) && (!s[n] || s[n] == '=' || options[i][1] != '-'))
                        return n + (s[n] == '=');
        }
        return 0;
}

static size_t least(size_t a, size_t b)
{
        return a < b ? a : b;
}

size_t secret_argument(const char *before, const char *argument)
{
        size_t length = strlen(argument), shown = length, n;

        if (!length)
                return 0;
        if (before && is_option(before) && !strchr(before, '=') && !is_option(argument) &&
            hides(before, strlen(before), argument))
                return 1;
        if (has_beginning(argument))
                return 1;
        n = user_option(argument);
        if (n && before_password_of_user(argument + n))
                shown = least(shown, n + before_password_of_user(argument + n));
        if (before && user_option(before) == strlen(before) && before_password_of_user(argument))
                shown = least(shown, before_password_of_user(argument));
        n = before_password(argument);
        if (n)
                shown = least(shown, n);
        shown = least(shown, within(argument));
        return shown < length ? shown + 1 : 0;
}
