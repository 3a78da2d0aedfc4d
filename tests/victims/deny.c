/* SPDX-License-Identifier: MIT */
/* deny ERRNO SYSCALL... -- COMMAND...: runs it where these system calls fail so (by number). */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MAX 16

int main(int argc, char **argv)
{
        struct sock_filter code[2 * MAX + 2] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
        struct sock_fprog program = {.filter = code};
        unsigned n = 1;
        int i = 2;

        for (; i < argc && strcmp(argv[i], "--") && n < 2 * MAX; i++) {
                code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                         (unsigned)atoi(argv[i]), 0, 1);
                code[n++] = (struct sock_filter)BPF_STMT(
                        BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)atoi(argv[1]));
        }
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        program.len = (unsigned short)n;
        if (i + 1 >= argc || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
                perror("deny");
                return 77;
        }
        execv(argv[i + 1], argv + i + 1);
        perror(argv[i + 1]);
        return 127;
}
