/* SPDX-License-Identifier: MIT */
/*
 * Names say most: a variable that has KEY in it, an option one of whose words is "token". Forms say
 * the rest: tokens of well-known services begin in ways of their own, a URL may carry a password,
 * and a long word of letters of both cases and digits is nothing that a person chose. The last is
 * asked of variables only: names of model files look like that. It errs on the side of hiding.
 */
#include "common/secret.h"

#include <ctype.h>
#include <string.h>

#define LONGEST_WORD 24
#define RANDOM_LEAST 32 /* characters of a word that nobody chose */

static const char *const variable_parts[] = {"TOKEN",  "KEY",        "SECRET",     "PASSWORD",
                                             "PASSWD", "PASSPHRASE", "CREDENTIAL", "COOKIE"};

/* Whole words of an option's name. Not "tokens", which an engine counts. */
static const char *const option_words[] = {
        "token",    "key",    "apikey", "keys",       "secret",     "secrets",
        "password", "passwd", "pass",   "passphrase", "credential", "credentials",
        "bearer",   "cookie", "auth",   "hft",        "pw"};

static const char *const beginnings[] = {"sk-",         "hf_",     "ghp_",  "gho_",  "ghs_",
                                         "github_pat_", "glpat-",  "xoxb-", "xoxp-", "AKIA",
                                         "eyJ",         "Bearer ", "Basic "};

#define N(list) (sizeof(list) / sizeof((list)[0]))

bool secret_variable(const char *name, size_t n)
{
        for (size_t i = 0; i < N(variable_parts); i++) {
                size_t part = strlen(variable_parts[i]);

                for (size_t at = 0; at + part <= n; at++)
                        if (!strncasecmp(name + at, variable_parts[i], part))
                                return true;
        }
        return false;
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

bool secret_value(const char *value)
{
        static const char letters[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=";

        if (before_password(value))
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

/* One of its words, which are parted by dashes, dots, underscores. */
static bool is_secret_option(const char *name, size_t n)
{
        char word[LONGEST_WORD + 1];
        size_t at = 0, length;

        for (; at < n; at += length + 1) {
                for (length = 0; at + length < n && !strchr("-_.", name[at + length]);)
                        length++;
                if (!length || length > LONGEST_WORD)
                        continue;
                memcpy(word, name + at, length);
                word[length] = '\0';
                for (size_t i = 0; i < N(option_words); i++)
                        if (!strcasecmp(word, option_words[i]))
                                return true;
        }
        return false;
}

/* The number of a token, of a key in a cache, says nothing of anybody. */
static bool is_small_number(const char *s)
{
        size_t n = strspn(s, "0123456789");

        return n && n <= 6 && !s[n];
}

static bool is_option(const char *s)
{
        return s[0] == '-' && s[1] && !isdigit((unsigned char)s[1]);
}

size_t secret_argument(const char *before, const char *argument)
{
        size_t name = strcspn(argument, "="), password;
        bool assigns = argument[name] == '=' && argument[name + 1];
        bool is_name = strcspn(argument, " /:") >= name;

        if (before && is_option(before) && !strchr(before, '=') && !is_option(argument) &&
            is_secret_option(before, strlen(before)) && !is_small_number(argument))
                return 1;
        if (assigns && is_name && !is_small_number(argument + name + 1) &&
            (is_secret_option(argument, name) || has_beginning(argument + name + 1)))
                return name + 2;
        password = before_password(argument);
        if (password)
                return password + 1;
        /* a header as curl and others take it */
        if (!strncasecmp(argument, "authorization:", 14) && argument[14])
                return 15;
        return has_beginning(argument) ? 1 : 0;
}
