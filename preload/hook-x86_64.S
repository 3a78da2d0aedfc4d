/* SPDX-License-Identifier: MIT */
/*
 * Functions that cannot be hooked from C alone: syscall(), behind which may be a clone whose child goes on
 * in the caller's frames, and vfork, whose child does so in any case. Neither leaves a frame of ours
 * where a child could run over it.
 */
        .text

#define SYS_FUTEX 202
#define SYS_VFORK 58
#define TLS_STUB  136                           /* shim.h asserts it */

/*
 * long syscall(long number, ...): a futex goes to hook-sleep.c, all else on to the real one as it
 * came. Before that is known the kernel is called from here, as libc does it.
 */
        .globl  syscall
        .type   syscall, @function
        .p2align 4
syscall:
        .cfi_startproc
        endbr64
        cmp     $SYS_FUTEX, %rdi
        je      ifp_futex
        mov     ifp_syscall_real(%rip), %rax
        test    %rax, %rax
        jz      1f
        jmp     *%rax
1:      mov     %rdi, %rax
        mov     %rsi, %rdi
        mov     %rdx, %rsi
        mov     %rcx, %rdx
        mov     %r8, %r10
        mov     %r9, %r8
        mov     8(%rsp), %r9
        syscall
        cmp     $-4095, %rax
        jae     2f
        ret
2:      mov     %rax, %rdi
        jmp     ifp_failed
        .cfi_endproc
        .size   syscall, . - syscall

/*
 * pid_t vfork(void). The return address waits in a register while the child, which has the same
 * stack, returns and calls what it likes. ifp_vfork_before is told our frame as a C function's would
 * lie: a saved register (none here) at the address given, the return address above.
 */
        .globl  vfork
        .type   vfork, @function
        .p2align 4
vfork:
        .cfi_startproc
        endbr64
        lea     -8(%rsp), %rdi
        sub     $8, %rsp
        .cfi_adjust_cfa_offset 8
        call    ifp_vfork_before
        add     $8, %rsp
        .cfi_adjust_cfa_offset -8
        pop     %rdx                            /* the kernel keeps rdx */
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rdx
        mov     $SYS_VFORK, %eax
        syscall
        push    %rdx
        .cfi_adjust_cfa_offset 8
        .cfi_offset %rip, -8
        test    %eax, %eax
        jz      1f                              /* the child */
        movslq  %eax, %rdi
        jmp     ifp_vfork_after
1:      ret
        .cfi_endproc
        .size   vfork, . - vfork

/* The target of stubs of GOMP_parallel and its like: r11 is the stub. */
        .globl  ifp_omp_entry
        .hidden ifp_omp_entry
        .type   ifp_omp_entry, @function
        .p2align 4
ifp_omp_entry:
        .cfi_startproc
        endbr64
        mov     ifp_tls@gottpoff(%rip), %rax
        mov     %r11, %fs:TLS_STUB(%rax)
        jmp     ifp_omp_parallel
        .cfi_endproc
        .size   ifp_omp_entry, . - ifp_omp_entry

        .section .note.GNU-stack, "", @progbits
