/* SPDX-License-Identifier: MIT */
/*
 * Whether a preload can enter a program, told from its file without running it.
 */
#pragma once

enum exe_verdict {
        EXE_OK,
        EXE_STATIC, /* no dynamic loader, so nobody reads LD_PRELOAD */
        EXE_MUSL,   /* another libc's loader: a shim for glibc cannot be loaded */
        EXE_LOADER, /* some other loader that is not glibc's */
        EXE_32BIT,
        EXE_MACHINE, /* for another processor */
        EXE_SETUID,  /* setuid, setgid or capabilities: the loader drops the preload */
        EXE_UNKNOWN, /* neither ELF nor a script with an interpreter; or not readable */
};

struct exe_check {
        enum exe_verdict verdict;
        char *path; /* of the program that was judged: for a script, its interpreter */
};

/*
 * Finds `command` as execvp() would. 0 and the path, to be freed; -ENOENT: not
 * found (shells and env say 127); another negative errno: found, but it cannot be run (126).
 */
int exe_find(const char *command, char **ret_path);

/* Judges the program at `path`, following #! lines. */
void exe_check(struct exe_check *ret, const char *path);
void exe_check_done(struct exe_check *check);

/* What the verdict means, and what to do about it; "" for EXE_OK. */
const char *exe_verdict_text(enum exe_verdict verdict);
const char *exe_verdict_remedy(enum exe_verdict verdict);
const char *exe_verdict_name(enum exe_verdict verdict);
