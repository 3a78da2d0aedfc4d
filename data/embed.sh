#!/bin/sh
# SPDX-License-Identifier: MIT
# embed.sh NAME FILE: a C source with the bytes of FILE as NAME_text and NAME_size.
set -eu
echo '#include <stddef.h>'
echo "extern const char $1_text[];"
echo "extern const size_t $1_size;"
echo "const char $1_text[] = {"
od -An -v -tu1 "$2" | sed 's/\([0-9][0-9]*\)/\1,/g; s/\([0-9][0-9]*\),/(char)\1,/g'
echo '0};'
echo "const size_t $1_size = sizeof($1_text) - 1;"
