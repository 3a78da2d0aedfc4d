/* SPDX-License-Identifier: MIT */
/* What names of options, headers, members and parameters say of their values. */
#pragma once

#include <stddef.h>

enum secret_name {
        SECRET_NAME_NO,     /* an ordinary one */
        SECRET_NAME_LIKELY, /* "token", "key": what is counted is called so, too */
        SECRET_NAME_SURE,   /* "password", "api-key": not even a number may be shown */
};

/* The first `n` bytes are the name; its words are parted by case and by what is no letter. */
enum secret_name secret_name(const char *name, size_t n);
