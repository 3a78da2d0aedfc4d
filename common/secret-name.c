/* SPDX-License-Identifier: MIT */
/*
 * Word by word. Some words say it alone (password, auth). Others are what engines count, too: a
 * token, a key of attention. Those mean a secret unless a word beside them says what is measured
 * (token-count, key_length, eos-token), and mean one for sure where one says whose it is (api-key).
 */
#include "common/secret-name.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define LONGEST_WORD 24

/* Not "tokens", which an engine counts. */
static const char *const sure[] = {
        "secret",      "secrets",     "password",   "passwords",     "passwd",       "passphrase",
        "passcode",    "pwd",         "credential", "credentials",   "cred",         "creds",
        "bearer",      "cookie",      "cookies",    "auth",          "oauth",        "oauth2",
        "hft",         "apikey",      "apikeys",    "authorization", "apitoken",     "jwt",
        "accesskey",   "accesstoken", "authkey",    "authtoken",     "clientsecret", "secretkey",
        "sessiontoken"};
static const char *const likely[] = {"token", "key", "keys", "sig", "signature", "pass", "pw"};
static const char *const owners[] = {"api",     "access",  "private", "hf",        "session",
                                     "refresh", "client",  "user",    "account",   "master",
                                     "license", "service", "ssh",     "encryption"};
static const char *const measures[] = {
        "count",   "counts",  "limit",   "limits", "budget", "threshold", "length",
        "len",     "type",    "types",   "rate",   "size",   "dim",       "dims",
        "value",   "values",  "head",    "heads",  "cache",  "dtype",     "bits",
        "quant",   "healing", "ratio",   "scale",  "per",    "max",       "min",
        "num",     "n",       "eos",     "bos",    "eot",    "pad",       "unk",
        "sep",     "cls",     "mask",    "stop",   "start",  "end",       "begin",
        "image",   "audio",   "special", "prompt", "embd",   "embedding", "embeddings",
        "weight",  "weights", "proj",    "norm",   "bias",   "tensor",    "next",
        "through", "latency", "time"};

#define IS_ONE_OF(list, word) is_one_of(list, sizeof(list) / sizeof((list)[0]), word)

static bool is_one_of(const char *const *list, size_t n, const char *word)
{
        for (size_t i = 0; i < n; i++)
                if (!strcasecmp(list[i], word))
                        return true;
        return false;
}

/* How long the word at the name's beginning is; "apiKey" has two. */
static size_t word_length(const char *name, size_t n)
{
        size_t length = 0;

        while (length < n && isalnum((unsigned char)name[length]) &&
               !(length && isupper((unsigned char)name[length]) &&
                 islower((unsigned char)name[length - 1])))
                length++;
        return length;
}

enum secret_name secret_name(const char *name, size_t n)
{
        bool is_likely = false, is_owned = false, is_measured = false;
        char word[LONGEST_WORD + 1];
        size_t length;

        for (size_t at = 0; at < n; at += length ? length : 1) {
                length = word_length(name + at, n - at);
                if (!length || length > LONGEST_WORD)
                        continue;
                memcpy(word, name + at, length);
                word[length] = '\0';
                if (IS_ONE_OF(sure, word))
                        return SECRET_NAME_SURE;
                is_likely |= IS_ONE_OF(likely, word);
                is_owned |= IS_ONE_OF(owners, word);
                is_measured |= IS_ONE_OF(measures, word);
        }
        if (!is_likely)
                return SECRET_NAME_NO;
        return is_owned ? SECRET_NAME_SURE : is_measured ? SECRET_NAME_NO : SECRET_NAME_LIKELY;
}
