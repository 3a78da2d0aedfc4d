/* SPDX-License-Identifier: MIT */
/*
 * Stubs: 8,192 entries of 16 bytes, one for each hooked kernel, and the way
 * they share. A stub calls through; it does not replace the return address, so
 * exceptions, unwinders and the return predictor see an ordinary frame.
 *
 * The frame, growing downwards:
 *
 *      caller's stack arguments ...
 *   CFA  ->  ------------------------
 *     +8     return address
 *  %rbp ->   caller's %rbp
 *     -8     rdi   } integer arguments; after the kernel: -8 rax, -16 rdx
 *    -16     rsi   }
 *    -24     rdx   }
 *    -32     rcx   }
 *    -40     r8    }
 *    -48     r9    }
 *    -56     rax   } number of vector registers of a variadic call
 *    -64     r10   } static chain
 *    -72     the stub
 *    -80     handle of the open span, 0 = none
 *            gap, so that %rsp at the call is congruent modulo 64 to what the
 *            kernel would have seen
 *            copy of the caller's stack arguments
 *  %rsp ->   return address into this frame: what the kernel sees
 *
 * The CFA is %rbp + 16 across every call. Vector registers are not touched.
 */

#define STUB_TARGET      0
#define STUB_SWITCH      8
#define STUB_HOT_ROW    16
#define STUB_HOT_LEFT   20
#define STUB_STACK      26
#define TLS_LANE         0
#define TLS_STACK_LO     8
#define TLS_STACK_HI    16
#define TLS_BUSY        64
#define TLS_CROWD       71

        .text

        /* One entry a stub: which one it is, and on. */
        .p2align 6
        .globl  ifp_stub_table
        .hidden ifp_stub_table
        .type   ifp_stub_table, @function
ifp_stub_table:
        .cfi_startproc
        .set    i, 0
        .rept   8192
        endbr64
        lea     ifp_stubs + 64 * i(%rip), %r11
        .byte   0xe9                            /* jmp rel32, always 5 bytes */
        .long   stub_common - . - 4
        .set    i, i + 1
        .endr
        .cfi_endproc
        .size   ifp_stub_table, . - ifp_stub_table

        .p2align 6
        .type   stub_common, @function
stub_common:
        .cfi_startproc
        mov     STUB_SWITCH(%r11), %r10
        cmpb    $0, (%r10)
        jne     1f
        jmp     *STUB_TARGET(%r11)              /* off: a tail jump */

1:      cmpl    $0, STUB_HOT_ROW(%r11)
        je      stub_timed

        /* A hot op: count the call; time one in N. */
        push    %rax
        .cfi_adjust_cfa_offset 8
        mov     ifp_tls@gottpoff(%rip), %r10
        cmpw    $0, %fs:TLS_BUSY(%r10)
        jne     3f
        cmpb    $0, %fs:TLS_CROWD(%r10)
        jne     2f
        mov     %fs:TLS_LANE(%r10), %r10
        test    %r10, %r10
        jz      2f
        cmpb    $0, ifp_wipe(%rip)
        je      2f
        mov     STUB_HOT_LEFT(%r11), %eax
        subl    $1, (%r10, %rax)
        jc      2f
        mov     ifp_phase_row(%rip), %eax
        add     STUB_HOT_ROW(%r11), %eax
        incq    (%r10, %rax)
3:      pop     %rax
        .cfi_adjust_cfa_offset -8
        jmp     *STUB_TARGET(%r11)
        .cfi_adjust_cfa_offset 8
2:      pop     %rax
        .cfi_adjust_cfa_offset -8
        .cfi_endproc
        .size   stub_common, . - stub_common

        .type   stub_timed, @function
stub_timed:
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        sub     $80, %rsp
        mov     %rdi, -8(%rbp)
        mov     %rsi, -16(%rbp)
        mov     %rdx, -24(%rbp)
        mov     %rcx, -32(%rbp)
        mov     %r8, -40(%rbp)
        mov     %r9, -48(%rbp)
        mov     %rax, -56(%rbp)
        mov     %r10, -64(%rbp)
        mov     %r11, -72(%rbp)
        and     $-16, %rsp

        /* Open the span. */
        mov     %r11, %rdi
        mov     %rbp, %rsi
        lea     -64(%rbp), %rdx
        call    ifp_enter
        mov     -72(%rbp), %r11
        mov     %rax, -80(%rbp)
        test    %rax, %rax
        jz      stub_pass

        /* How many bytes of stack arguments: never past the thread's stack. */
        movzwl  STUB_STACK(%r11), %ecx
        lea     16(%rbp), %rsi
        test    %ecx, %ecx
        jz      2f
        mov     ifp_tls@gottpoff(%rip), %rdx
        mov     %fs:TLS_STACK_HI(%rdx), %rax
        sub     %rsi, %rax                      /* left on the thread's own stack */
        jbe     5f
        cmp     %fs:TLS_STACK_LO(%rdx), %rsi
        jb      5f
        cmp     %rax, %rcx
        cmova   %eax, %ecx
        and     $-8, %ecx

        /* Room for them, %rsp at the call as the kernel would have had it. */
2:      mov     %rsp, %rdx
        sub     %rcx, %rdx
        and     $-64, %rdx
        mov     %esi, %eax
        and     $63, %eax
        lea     -64(%rdx, %rax), %rsp
        /* Copy: backwards, 32 bytes at a time; the rest of a block is scratch
           below, never above, so the count is rounded in the right direction. */
        sub     $32, %ecx
        jb      4f
3:      mov     (%rsi, %rcx), %rax
        mov     8(%rsi, %rcx), %rdx
        mov     16(%rsi, %rcx), %rdi
        mov     24(%rsi, %rcx), %r8
        mov     %rax, (%rsp, %rcx)
        mov     %rdx, 8(%rsp, %rcx)
        mov     %rdi, 16(%rsp, %rcx)
        mov     %r8, 24(%rsp, %rcx)
        sub     $32, %ecx
        jae     3b
4:      add     $32, %ecx                       /* 0, 8, 16 or 24 left, at the front */
        jz      6f
        mov     -8(%rsi, %rcx), %rax
        mov     %rax, -8(%rsp, %rcx)
        sub     $8, %ecx
        jz      6f
        mov     -8(%rsi, %rcx), %rax
        mov     %rax, -8(%rsp, %rcx)
        sub     $8, %ecx
        jz      6f
        mov     -8(%rsi, %rcx), %rax
        mov     %rax, -8(%rsp, %rcx)

        /* The kernel, with everything as it was. */
6:      mov     -8(%rbp), %rdi
        mov     -16(%rbp), %rsi
        mov     -24(%rbp), %rdx
        mov     -32(%rbp), %rcx
        mov     -40(%rbp), %r8
        mov     -48(%rbp), %r9
        mov     -56(%rbp), %rax
        mov     -64(%rbp), %r10
        call    *STUB_TARGET(%r11)

        /* Close the span, with the results kept: rax, rdx here, the rest untouched. */
        mov     %rax, -8(%rbp)
        mov     %rdx, -16(%rbp)
        mov     -72(%rbp), %rdi
        mov     -80(%rbp), %rsi
        mov     %rax, %rdx
        mov     %rbp, %rcx
        lea     -80(%rbp), %rsp
        and     $-16, %rsp
        call    ifp_leave
        mov     -8(%rbp), %rax
        mov     -16(%rbp), %rdx
        .cfi_remember_state
        leave
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_restore_state

        /* On a stack whose end is not known: ask how many bytes can be read. */
5:      mov     %rsi, %rdi
        mov     %rcx, %rsi
        call    ifp_readable
        mov     -72(%rbp), %r11
        mov     %eax, %ecx
        lea     16(%rbp), %rsi
        jmp     2b

        /* No span: as if the stub had not been. */
stub_pass:
        mov     -8(%rbp), %rdi
        mov     -16(%rbp), %rsi
        mov     -24(%rbp), %rdx
        mov     -32(%rbp), %rcx
        mov     -40(%rbp), %r8
        mov     -48(%rbp), %r9
        mov     -56(%rbp), %rax
        mov     -64(%rbp), %r10
        leave
        .cfi_def_cfa %rsp, 8
        jmp     *STUB_TARGET(%r11)
        .cfi_endproc
        .size   stub_timed, . - stub_timed

/*
 * uint64_t ifp_call_saved(uint64_t (*fn)(void *), void *arg)
 *
 * Calls fn(arg) with the x87, vector and mask registers kept by XSAVE. The area
 * is the standard format of components 0-2 and 5-7: 2,688 bytes (Intel SDM
 * vol. 1, 13.4).
 */
        .globl  ifp_call_saved
        .hidden ifp_call_saved
        .type   ifp_call_saved, @function
ifp_call_saved:
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        push    %rbx
        .cfi_offset %rbx, -24
        sub     $2760, %rsp
        and     $-64, %rsp
        mov     %rdi, %r8
        mov     %rsi, %rdi
        xor     %eax, %eax
        mov     %rax, 512(%rsp)                 /* the XSAVE header starts empty */
        mov     %rax, 520(%rsp)
        mov     %rax, 528(%rsp)
        mov     %rax, 536(%rsp)
        mov     %rax, 544(%rsp)
        mov     %rax, 552(%rsp)
        mov     %rax, 560(%rsp)
        mov     %rax, 568(%rsp)
        mov     $0xe7, %eax
        xor     %edx, %edx
        xsave64 (%rsp)
        call    *%r8
        mov     %rax, %rbx
        mov     $0xe7, %eax
        xor     %edx, %edx
        xrstor64 (%rsp)
        mov     %rbx, %rax
        mov     -8(%rbp), %rbx
        leave
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   ifp_call_saved, . - ifp_call_saved

/*
 * void *ifp_call_as(void *fn, const void *a, uint64_t b, const void *c, const void *ret_gadget)
 *
 * Calls fn(a, b, c) with the address of a ret instruction in somebody else's
 * object as its return address: the loader decides by that address whose
 * RUNPATH and whose place in the search order count. The ret brings us back.
 */
        .globl  ifp_call_as
        .hidden ifp_call_as
        .type   ifp_call_as, @function
ifp_call_as:
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        and     $-16, %rsp
        sub     $24, %rsp                       /* as after a call */
        mov     %rdi, %rax
        mov     %rsi, %rdi
        mov     %rdx, %rsi
        mov     %rcx, %rdx
        mov     %r8, (%rsp)
        lea     1f(%rip), %rcx
        mov     %rcx, 8(%rsp)
        jmp     *%rax
1:      leave
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   ifp_call_as, . - ifp_call_as

        .section .note.GNU-stack, "", @progbits
