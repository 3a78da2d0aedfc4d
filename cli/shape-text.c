/* SPDX-License-Identifier: MIT */
#include "cli/shape-text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

enum form { TIGHT, FIRST_TYPE, NO_TYPE, NO_BRACKETS, N_FORMS };

/* Where the operands begin; NULL: there are none. */
static const char *operands_of(const char *s)
{
        const char *space = strchr(s, ' ');

        return space && space[1 + strcspn(space + 1, " [")] == '[' ? space + 1 : NULL;
}

/* One operand, up to and with its bracket; advances to the next, if there is one. */
static char *put_operand(char *p, const char **s, bool first, enum form form)
{
        const char *open = *s + strcspn(*s, "["), *end = open + strcspn(open, "]");
        bool bare = form == NO_BRACKETS && *end;

        if (form == TIGHT || (form == FIRST_TYPE && first))
                p = mempcpy(p, *s, (size_t)(open - *s));
        open += bare && *open;
        end += *end && !bare;
        p = mempcpy(p, open, (size_t)(end - open));
        *s = end + bare;
        return p;
}

static char *formed(const char *s, const char *operands, enum form form)
{
        char *out = malloc(strlen(s) + 1), *p = out;
        bool first = true;

        if (!out)
                return NULL;
        p = mempcpy(p, s, (size_t)(operands - s));
        for (s = operands; *s; first = false) {
                p = put_operand(p, &s, first, form);
                if (!strncmp(s, " x ", 3)) {
                        *p++ = 'x';
                        s += 3;
                } else {
                        p = stpcpy(p, s);
                        break;
                }
        }
        *p = '\0';
        return out;
}

char *shape_text_cut(const char *s, unsigned cells)
{
        const char *operands = operands_of(s);

        for (int f = 0; operands && text_width(s) > cells && f < N_FORMS; f++) {
                char *form = formed(s, operands, (enum form)f), *cut;

                if (!form)
                        return NULL;
                if (text_width(form) > cells && f < N_FORMS - 1) {
                        free(form);
                        continue;
                }
                cut = text_clean(form, cells);
                free(form);
                return cut;
        }
        return text_clean(s, cells);
}
