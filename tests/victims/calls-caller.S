/* SPDX-License-Identifier: MIT */
/*
 * void call_with(const struct seen *in, struct seen *out, void *fn, uint64_t shift)
 *
 * Calls fn with every register, flag and 20 words of stack as `in` has them, the stack `shift`
 * bytes lower than it would be, and writes to `out` what it finds when fn has returned: rax, rdx,
 * the registers that fn must keep, rsp, flags, mxcsr, x87 control and status, xmm0 and xmm1;
 * rdi, rsi: the two results on the x87 stack, as integers scaled by 1,000,000.
 */
        .text
        .globl  call_with
        .type   call_with, @function
call_with:
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        push    %rsi                            /* -48: out */
        sub     $24, %rsp                       /* -56: the target; -64: rsp; -72: modes */
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        .cfi_offset %r14, -48
        .cfi_offset %r15, -56
        mov     %rdx, -56(%rbp)
        and     $-64, %rsp
        sub     %rcx, %rsp
        sub     $192, %rsp                      /* 160 bytes of arguments, aligned alike */
        .set    i, 0
        .rept   20
        mov     120 + 8 * i(%rdi), %rax
        mov     %rax, 8 * i(%rsp)
        .set    i, i + 1
        .endr
        mov     %rsp, -64(%rbp)
        stmxcsr -72(%rbp)
        fnstcw  -68(%rbp)
        ldmxcsr 112(%rdi)
        fldcw   116(%rdi)
        movups  280(%rdi), %xmm0
        movups  296(%rdi), %xmm1
        movups  312(%rdi), %xmm2
        movups  328(%rdi), %xmm3
        movups  344(%rdi), %xmm4
        movups  360(%rdi), %xmm5
        movups  376(%rdi), %xmm6
        movups  392(%rdi), %xmm7
        mov     0(%rdi), %rax
        mov     16(%rdi), %rsi
        mov     24(%rdi), %rdx
        mov     32(%rdi), %rcx
        mov     40(%rdi), %r8
        mov     48(%rdi), %r9
        mov     56(%rdi), %rbx
        mov     64(%rdi), %r12
        mov     72(%rdi), %r13
        mov     80(%rdi), %r14
        mov     88(%rdi), %r15
        mov     8(%rdi), %rdi
        call    *-56(%rbp)
        mov     -48(%rbp), %r11
        mov     %rax, 0(%r11)
        mov     %rdx, 24(%r11)
        mov     %rbx, 56(%r11)
        mov     %r12, 64(%r11)
        mov     %r13, 72(%r11)
        mov     %r14, 80(%r11)
        mov     %r15, 88(%r11)
        mov     %rsp, %rax
        sub     -64(%rbp), %rax                 /* 0 as it should be */
        mov     %rax, 96(%r11)
        pushfq
        popq    104(%r11)
        stmxcsr 112(%r11)
        fnstcw  116(%r11)
        fnstsw  118(%r11)
        movups  %xmm0, 280(%r11)
        movups  %xmm1, 296(%r11)
        movl    $1000000, -60(%rbp)
        fimull  -60(%rbp)
        fistpq  8(%r11)
        fimull  -60(%rbp)
        fistpq  16(%r11)
        fldcw   -68(%rbp)
        ldmxcsr -72(%rbp)
        lea     -40(%rbp), %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   call_with, . - call_with
        .section .note.GNU-stack, "", @progbits
