/* SPDX-License-Identifier: MIT */
/*
 * Whether a preload can enter a program. The loader named in PT_INTERP decides:
 * without one nobody reads LD_PRELOAD; glibc's does, unless the program gains
 * privileges; another libc's would load the shim and fail on its symbols.
 * Only the headers of the file are read, and each is checked to lie inside it.
 */
#include "cli/exe-check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_INTERPRETERS 4 /* the kernel's own bound is near */

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#endif

static int try_file(const char *path)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        return access(path, X_OK) < 0 ? -errno : 0;
}

int exe_find(const char *command, char **ret_path)
{
        const char *path = getenv("PATH"), *end;
        int r, result = -ENOENT;
        char *whole;

        if (!command[0])
                return -ENOENT;
        if (strchr(command, '/')) {
                r = try_file(command);
                if (r < 0)
                        return r == -ENOTDIR ? -ENOENT : r;
                whole = strdup(command);
                if (!whole)
                        return -ENOMEM;
                *ret_path = whole;
                return 0;
        }
        if (!path)
                path = "/bin:/usr/bin";
        for (;; path = end + 1) {
                end = strchrnul(path, ':');
                if (asprintf(&whole, "%.*s%s%s", (int)(end - path), path, end > path ? "/" : "",
                             command) < 0)
                        return -ENOMEM;
                r = try_file(whole);
                if (r == 0) {
                        *ret_path = whole;
                        return 0;
                }
                free(whole);
                if (r == -EACCES)
                        result = r;
                if (!*end)
                        return result;
        }
}

static bool gains_privileges(int fd)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return false;
        if ((st.st_mode & S_ISUID) && st.st_uid != geteuid())
                return true;
        if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getegid())
                return true;
        return geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static bool read_at(int fd, void *buf, size_t n, uint64_t offset)
{
        return offset <= INT64_MAX && pread(fd, buf, n, (off_t)offset) == (ssize_t)n;
}

/* True when DT_SONAME or the file's name says that this program is glibc's loader itself. */
static bool is_loader(const char *path)
{
        const char *base = strrchr(path, '/');
        char *real = realpath(path, NULL);
        bool is;

        base = real ? strrchr(real, '/') : base;
        is = base && (!strncmp(base, "/ld-linux", 9) || !strncmp(base, "/ld-2.", 6));
        free(real);
        return is;
}

static enum exe_verdict check_elf(int fd, const char *path, const unsigned char *ident)
{
        char interp[PATH_MAX];
        Elf64_Ehdr h;
        Elf64_Phdr p;

        if (ident[EI_CLASS] != ELFCLASS64)
                return EXE_32BIT;
        if (!read_at(fd, &h, sizeof(h), 0) || ident[EI_DATA] != ELFDATA2LSB)
                return EXE_MACHINE;
        if (h.e_machine != OUR_MACHINE)
                return EXE_MACHINE;
        for (unsigned i = 0; i < h.e_phnum; i++) {
                if (!read_at(fd, &p, sizeof(p), h.e_phoff + (uint64_t)i * h.e_phentsize))
                        return EXE_UNKNOWN;
                if (p.p_type != PT_INTERP)
                        continue;
                if (p.p_filesz < 2 || p.p_filesz > sizeof(interp) ||
                    !read_at(fd, interp, p.p_filesz, p.p_offset))
                        return EXE_UNKNOWN;
                interp[p.p_filesz - 1] = '\0';
                if (strstr(interp, "ld-musl"))
                        return EXE_MUSL;
                if (!strstr(interp, "ld-linux"))
                        return EXE_LOADER;
                return gains_privileges(fd) ? EXE_SETUID : EXE_OK;
        }
        return is_loader(path) ? EXE_OK : EXE_STATIC;
}

/* The interpreter of a script, to be freed; /usr/bin/env is seen through. */
static char *find_interpreter(char *line)
{
        char *save, *word = strtok_r(line, " \t", &save), *arg, *found;
        const char *base;

        if (!word)
                return NULL;
        arg = strtok_r(NULL, "", &save);
        base = strrchr(word, '/');
        if (base && !strcmp(base, "/env") && arg) {
                for (arg = strtok_r(arg, " \t", &save); arg; arg = strtok_r(NULL, " \t", &save))
                        if (arg[0] != '-' && !strchr(arg, '='))
                                return exe_find(arg, &found) == 0 ? found : NULL;
        }
        return strdup(word);
}

void exe_check(struct exe_check *ret, const char *path)
{
        char *current = strdup(path), *next;

        *ret = (struct exe_check){.verdict = EXE_UNKNOWN};
        for (unsigned i = 0; current && i < MAX_INTERPRETERS; i++) {
                char head[256] = "";
                int fd = open(current, O_RDONLY | O_CLOEXEC);
                ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head) - 1, 0);

                if (n >= EI_NIDENT && !memcmp(head, ELFMAG, SELFMAG))
                        ret->verdict = check_elf(fd, current, (unsigned char *)head);
                if (fd >= 0)
                        close(fd);
                if (n < 2 || head[0] != '#' || head[1] != '!')
                        break;
                head[strcspn(head, "\n")] = '\0';
                next = find_interpreter(head + 2);
                if (!next)
                        break;
                free(current);
                current = next;
        }
        ret->path = current;
}

void exe_check_done(struct exe_check *check)
{
        free(check->path);
        *check = (struct exe_check){0};
}

const char *exe_verdict_name(enum exe_verdict verdict)
{
        static const char *const names[] = {"ok",    "static",  "musl",   "loader",
                                            "32bit", "machine", "setuid", "unknown"};

        return names[verdict];
}

const char *exe_verdict_text(enum exe_verdict verdict)
{
        switch (verdict) {
        case EXE_OK:
                return "";
        case EXE_STATIC:
                return "is linked statically, so no preload can enter it";
        case EXE_MUSL:
                return "uses musl, and the shim is made for glibc";
        case EXE_LOADER:
                return "uses a loader that is not glibc's, so the shim cannot enter it";
        case EXE_32BIT:
                return "is a 32-bit program, and the shim is 64-bit";
        case EXE_MACHINE:
                return "is made for another processor";
        case EXE_SETUID:
                return "gains privileges (setuid, setgid or capabilities), so the loader drops the "
                       "preload";
        case EXE_UNKNOWN:
                return "is neither a readable ELF program nor a script with an interpreter";
        }
        return "";
}

const char *exe_verdict_remedy(enum exe_verdict verdict)
{
        switch (verdict) {
        case EXE_STATIC:
                return "use a dynamically linked build of it";
        case EXE_MUSL:
        case EXE_LOADER:
                return "use a build of it for glibc";
        case EXE_32BIT:
        case EXE_MACHINE:
                return "use a build of it for this processor";
        case EXE_SETUID:
                return "run it as its owner, or a copy without the privilege";
        case EXE_UNKNOWN:
                return "name the program itself";
        case EXE_OK:
                break;
        }
        return "";
}
