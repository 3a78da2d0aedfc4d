/* SPDX-License-Identifier: MIT */
/*
 * Declarations are read as a report will read them, so that what is wrong is said before the
 * command runs; then they go on as they were written.
 */
#include "cli/record-ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <infprof/segment.h>

#include "cli/cmd.h"
#include "cli/record-options.h"
#include "common/cleanup.h"
#include "common/op-declaration.h"

static int too_many(void)
{
        cmd_error("record",
                  "--op: there are more than %u declarations, or %u bytes of them: leave "
                  "some out, or let a glob stand for several",
                  IFP_MAX_DECLARED, IFP_DECLARED_BYTES - 1);
        return CMD_USAGE;
}

static int no_memory(void)
{
        cmd_error("record", "--op: no memory");
        return RECORD_FAILED;
}

/* A line that is known to be right. */
static int append(struct record_ops *o, const char *line, size_t n)
{
        char *more;

        if (o->n == IFP_MAX_DECLARED || n + 1 >= IFP_DECLARED_BYTES - o->bytes)
                return too_many();
        more = realloc(o->text, o->bytes + n + 2);
        if (!more)
                return no_memory();
        memcpy(more + o->bytes, line, n);
        o->bytes += n + 1;
        memcpy(more + o->bytes - 1, "\n", 2);
        o->text = more;
        o->n++;
        return -1;
}

int record_ops_add(struct record_ops *o, const char *declaration)
{
        _cleanup_(freep) char *why = NULL;
        struct op_declaration *d = NULL;
        int r = op_declaration_parse(&d, declaration, &why);

        op_declaration_free(d);
        if (r < 0)
                return no_memory();
        if (!r && strpbrk(declaration, "\n"))
                r = 1;
        if (!r)
                return append(o, declaration, strlen(declaration));
        cmd_error("record", "--op '%s': %s", declaration, why ? why : "expected one line");
        return CMD_USAGE;
}

/* All of a file, as long as that may be. */
static int read_file(const char *path, char **ret, size_t *ret_size)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        size_t room = 1 << 20, n = 0;
        _cleanup_(freep) char *text = malloc(room);

        if (fd < 0)
                return -errno;
        if (!text)
                return -ENOMEM;
        while (n < room) {
                ssize_t got = read(fd, text + n, room - n);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (!got) {
                        *ret = steal_ptr(text);
                        *ret_size = n;
                        return 0;
                }
                n += (size_t)got;
        }
        return -EFBIG;
}

/* Comments and empty lines stay behind. */
static int append_lines(struct record_ops *o, const char *text, size_t size)
{
        const char *end = text + size, *line, *next;

        for (line = text; line < end; line = next + 1) {
                const char *from = line;
                int r;

                next = memchr(line, '\n', (size_t)(end - line));
                if (!next)
                        next = end;
                while (from < next && (*from == ' ' || *from == '\t' || *from == '\r'))
                        from++;
                if (from == next || *from == '#')
                        continue;
                r = append(o, from, (size_t)(next - from));
                if (r >= 0)
                        return r;
        }
        return -1;
}

int record_ops_add_file(struct record_ops *o, const char *path)
{
        _cleanup_(freep) char *text = NULL, *why = NULL;
        struct op_declaration **d = NULL;
        size_t size = 0, n = 0;
        int r = read_file(path, &text, &size);

        if (r) {
                cmd_error("record", "--op-file: cannot read %s: %s", path, strerror(-r));
                return CMD_USAGE;
        }
        r = op_declarations_parse(&d, &n, path, text, size, &why);
        if (r < 0)
                return no_memory();
        if (r) {
                cmd_error("record", "--op-file: %s", why);
                return CMD_USAGE;
        }
        op_declarations_free(d, n);
        return append_lines(o, text, size);
}

void record_ops_done(struct record_ops *o)
{
        free(o->text);
        *o = (struct record_ops){0};
}
