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
 *     -8     rdi
 *    -16     rsi
 *    -24     rdx   } and the second result
 *    -32     rcx
 *    -40     r8
 *    -48     r9
 *    -56     rax   } number of vector registers of a variadic call, and the result
 *    -64     r10   } not the caller's: PLTs do not keep it either
 *    -72     the stub
 *    -80     the lane (an ordinary op)
 *   -112     here %rsp is congruent modulo 64 to what the kernel would have
 *            seen, and stays so when a copy of the caller's stack arguments,
 *            rounded up to 64 bytes, is put below
 *  %rsp ->   return address into this frame: what the kernel sees
 *
 * The CFA is %rbp + 16 across every call. Vector registers are not touched.
 */

/* Offsets; shim.h asserts them. */
#define STUB_TARGET      0
#define STUB_SWITCH      8
#define STUB_ROW        16
#define STUB_HOT_LEFT   20
#define STUB_STACK      26
#define STUB_PLAIN_OP   56
#define TLS_LANE         0
#define TLS_FAST         8
#define TLS_STACK_LO    16
#define TLS_STACK_HI    24
#define TLS_BUSY        72
#define TLS_CROWD       79
#define LANE_HEAD       64
#define LANE_NEXT       72
#define LANE_LIMIT      76
#define LANE_LAP        80
#define LANE_CLAIM      88
#define LANE_TOP       112
#define LANE_OPEN      192
#define LANE_RING  1052672
#define OPEN_SP          0
#define OPEN_START       8
#define OPEN_CHILD      16
#define OPEN_ROW        24
#define OPEN_STATE      30
#define OPEN_OP         32
#define OPEN_BYTES      64
#define OPEN_LAST      (255 * OPEN_BYTES)
#define OPEN_DEPTH_SHIFT 42                     /* offset / 64 to bit 48 */
#define ROW_TIMED        0
#define ROW_UNTIMED      8
#define ROW_TOTAL       16
#define ROW_CHILD       24
#define RING_SLOTS   16384

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
        je      stub_off
        mov     STUB_PLAIN_OP(%r11), %r10       /* op << 48 */
        test    %r10, %r10
        jz      stub_special

        /*
         * An ordinary op. The caller's rdi, rsi, rcx, r8, r9 stay where they
         * are until the kernel has them.
         */
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        lea     -112(%rbp), %rsp                /* %rbp + 16 modulo 64 */
        mov     %rax, -56(%rbp)
        mov     %rdx, -24(%rbp)
        mov     ifp_tls@gottpoff(%rip), %rax
        mov     %fs:TLS_FAST(%rax), %rax        /* the lane, if nothing is out of the ordinary */
        test    %rax, %rax
        jz      enter_slow
        cmpb    $0, ifp_wipe(%rip)
        je      enter_slow
        mov     LANE_TOP(%rax), %rdx            /* the op around this one */
        cmp     %rbp, LANE_OPEN + OPEN_SP(%rax, %rdx)
        jbe     enter_slow                      /* its frame is gone */
        cmp     $OPEN_LAST, %edx
        jae     enter_slow
        add     $OPEN_BYTES, %rdx
        mov     %rdx, LANE_TOP(%rax)            /* the entry is ours */
        mov     %rbp, LANE_OPEN + OPEN_SP(%rax, %rdx)
        mov     %r10, LANE_OPEN + OPEN_OP(%rax, %rdx)
        mov     STUB_ROW(%r11), %r10d
        add     ifp_phase_open(%rip), %r10
        mov     %r10, LANE_OPEN + OPEN_ROW(%rax, %rdx)
        mov     %rdx, %r10
        shl     $OPEN_DEPTH_SHIFT, %r10
        or      ifp_phase_child(%rip), %r10
        mov     %r10, LANE_OPEN + OPEN_CHILD(%rax, %rdx)
        mov     %rax, -80(%rbp)
        lea     LANE_OPEN(%rax, %rdx), %r10
        cmpw    $0, STUB_STACK(%r11)
        jne     plain_arguments
1:      rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        mov     %rax, OPEN_START(%r10)
        mov     -56(%rbp), %rax
        mov     -24(%rbp), %rdx
        call    *STUB_TARGET(%r11)

        /* Close the span; the results wait in r8 and r9, the rest is not touched. */
        mov     %rax, %r8
        mov     %rdx, %r9
        rdtsc
        shl     $32, %rdx
        or      %rax, %rdx                      /* the end */
        mov     -80(%rbp), %rsi                 /* the lane */
        mov     LANE_TOP(%rsi), %rcx
        cmp     %rbp, LANE_OPEN + OPEN_SP(%rsi, %rcx)
        jne     plain_slow
        lea     LANE_OPEN(%rsi, %rcx), %r10
        mov     OPEN_START(%r10), %rdi
        sub     %rdi, %rdx                      /* the duration */
        mov     %rdx, %rax
        shr     $48, %rax
        jnz     plain_slow_end
        inc     %eax
        sub     ifp_stamp(%rip), %rdx           /* the kernel's alone, at least 1 */
        cmovbe  %rax, %rdx
        mov     OPEN_ROW(%r10), %r11d
        mov     OPEN_OP(%r10), %rax
        movb    $0, OPEN_STATE(%r10)
        mov     OPEN_CHILD(%r10), %r10
        sub     $OPEN_BYTES, %rcx
        mov     %rcx, LANE_TOP(%rsi)            /* the entry is free from here on */
        add     %rdx, LANE_OPEN + OPEN_CHILD(%rsi, %rcx)
        add     %rsi, %r11                      /* the op's row */
        incq    ROW_TIMED(%r11)
        add     %rdx, ROW_TOTAL(%r11)
        or      %rdx, %rax
        mov     %r10, %rdx
        shl     $16, %rdx
        jz      2f
        shr     $16, %rdx
        add     %rdx, ROW_CHILD(%r11)

        /* The record: rdi, rax, r10. */
2:      cmpl    $0, LANE_CLAIM(%rsi)
        jne     plain_full
        movl    $1, LANE_CLAIM(%rsi)            /* a handler folds meanwhile */
        mov     LANE_NEXT(%rsi), %ecx
        cmp     LANE_LIMIT(%rsi), %ecx
        jae     plain_look
        lea     LANE_RING(%rsi, %rcx), %r11
        mov     %rdi, (%r11)
        mov     %rax, 8(%r11)
        mov     LANE_LAP(%rsi), %rax
        mov     %r10, 16(%r11)
        mov     %rax, 24(%r11)                  /* complete */
        add     $32, %ecx
        mov     %ecx, LANE_NEXT(%rsi)
        incq    LANE_HEAD(%rsi)
        movl    $0, LANE_CLAIM(%rsi)
3:      mov     %r8, %rax
        mov     %r9, %rdx
        .cfi_remember_state
        leave
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_restore_state

plain_look:
        movl    $0, LANE_CLAIM(%rsi)
plain_full:
        mov     %r8, -56(%rbp)
        mov     %r9, -24(%rbp)
        lea     -112(%rbp), %rsp
        and     $-16, %rsp
        sub     $32, %rsp
        mov     %rdi, (%rsp)
        mov     %rax, 8(%rsp)
        mov     %r10, 16(%rsp)
        movq    $0, 24(%rsp)
        mov     %rsi, %rdi
        mov     %rsp, %rsi
        call    ifp_full
        mov     -56(%rbp), %r8
        mov     -24(%rbp), %r9
        jmp     3b

plain_slow_end:
        add     %rdi, %rdx
plain_slow:
        mov     %r8, -56(%rbp)
        mov     %r9, -24(%rbp)
        lea     -112(%rbp), %rsp
        and     $-16, %rsp
        lea     plain_stub(%rip), %rdi
        mov     %rdx, %rcx
        mov     %r8, %rsi
        mov     %rbp, %rdx
        call    ifp_leave
        mov     -56(%rbp), %r8
        mov     -24(%rbp), %r9
        jmp     3b

        /* Stack arguments of an ordinary op; r10 is its entry. */
plain_arguments:
        mov     %rcx, -32(%rbp)
        mov     ifp_tls@gottpoff(%rip), %rdx
        mov     %fs:TLS_STACK_HI(%rdx), %rax
        movzwl  STUB_STACK(%r11), %ecx
        sub     %rbp, %rax
        jbe     9f
        cmp     %fs:TLS_STACK_LO(%rdx), %rbp
        jb      9f
        sub     $16, %rax                       /* left on the thread's own stack */
        cmp     %rax, %rcx
        cmova   %eax, %ecx
8:      lea     63(%rcx), %eax
        and     $-64, %eax
        sub     %rax, %rsp                      /* as much modulo 64 as before */
        and     $-8, %ecx
        jz      7f
        test    $8, %cl
        jz      5f
        mov     8(%rbp, %rcx), %rax
        mov     %rax, -8(%rsp, %rcx)
        sub     $8, %ecx
        jz      7f
5:      mov     8(%rbp, %rcx), %rax             /* 16 bytes at a time, from the far end */
        mov     (%rbp, %rcx), %rdx
        mov     %rax, -8(%rsp, %rcx)
        mov     %rdx, -16(%rsp, %rcx)
        sub     $16, %ecx
        jnz     5b
7:      mov     -32(%rbp), %rcx
        jmp     1b

        /* A stack whose end is not known: ask how much can be read. */
9:      mov     %rdi, -8(%rbp)
        mov     %rsi, -16(%rbp)
        mov     %r8, -40(%rbp)
        mov     %r9, -48(%rbp)
        mov     %r10, -64(%rbp)
        mov     %r11, -72(%rbp)
        and     $-16, %rsp
        lea     16(%rbp), %rdi
        mov     %rcx, %rsi
        call    ifp_readable
        mov     %eax, %ecx
        lea     -112(%rbp), %rsp
        mov     -8(%rbp), %rdi
        mov     -16(%rbp), %rsi
        mov     -40(%rbp), %r8
        mov     -48(%rbp), %r9
        mov     -64(%rbp), %r10
        mov     -72(%rbp), %r11
        jmp     8b

        /* Open the span with all the care there is. */
enter_slow:
        mov     %rdi, -8(%rbp)
        mov     %rsi, -16(%rbp)
        mov     %rcx, -32(%rbp)
        mov     %r8, -40(%rbp)
        mov     %r9, -48(%rbp)
        mov     %r10, -64(%rbp)
        mov     %r11, -72(%rbp)
        and     $-16, %rsp
        mov     %r11, %rdi
        mov     %rbp, %rsi
        lea     -64(%rbp), %rdx
        call    ifp_enter
        mov     -8(%rbp), %rdi
        mov     -16(%rbp), %rsi
        mov     -40(%rbp), %r8
        mov     -48(%rbp), %r9
        mov     -72(%rbp), %r11
        lea     -112(%rbp), %rsp
        mov     %rax, %r10
        test    %rax, %rax
        jz      stub_pass
        movzwl  STUB_STACK(%r11), %ecx
        test    %ecx, %ecx
        jz      6f

        mov     ifp_tls@gottpoff(%rip), %rdx
        mov     %fs:TLS_STACK_HI(%rdx), %rax
        sub     %rbp, %rax
        jbe     9f
        cmp     %fs:TLS_STACK_LO(%rdx), %rbp
        jb      9f
        sub     $16, %rax
        cmp     %rax, %rcx
        cmova   %eax, %ecx
8:      lea     63(%rcx), %eax
        and     $-64, %eax
        sub     %rax, %rsp
        and     $-8, %ecx
        jz      6f
5:      mov     8(%rbp, %rcx), %rax
        mov     %rax, -8(%rsp, %rcx)
        sub     $8, %ecx
        jnz     5b
6:      rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        mov     %rax, OPEN_START(%r10)
        mov     -24(%rbp), %rdx
        mov     -32(%rbp), %rcx
        mov     -56(%rbp), %rax
        mov     -64(%rbp), %r10
        call    *STUB_TARGET(%r11)

        mov     %rax, -56(%rbp)
        mov     %rdx, -24(%rbp)
        rdtsc
        shl     $32, %rdx
        or      %rax, %rdx
        mov     %rdx, %rcx
        lea     -112(%rbp), %rsp
        and     $-16, %rsp
        mov     -72(%rbp), %rdi
        mov     -56(%rbp), %rsi
        mov     %rbp, %rdx
        call    ifp_leave
        mov     -56(%rbp), %rax
        mov     -24(%rbp), %rdx
        .cfi_remember_state
        leave
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_restore_state

9:      mov     %r10, -80(%rbp)
        and     $-16, %rsp
        lea     16(%rbp), %rdi
        mov     %rcx, %rsi
        call    ifp_readable
        mov     %eax, %ecx
        lea     -112(%rbp), %rsp
        mov     -8(%rbp), %rdi
        mov     -16(%rbp), %rsi
        mov     -40(%rbp), %r8
        mov     -48(%rbp), %r9
        mov     -72(%rbp), %r11
        mov     -80(%rbp), %r10
        jmp     8b

        /* No span: as if the stub had not been. */
stub_pass:
        mov     -24(%rbp), %rdx
        mov     -32(%rbp), %rcx
        mov     -56(%rbp), %rax
        mov     -64(%rbp), %r10
        .cfi_remember_state
        leave
        .cfi_def_cfa %rsp, 8
        jmp     *STUB_TARGET(%r11)
        .cfi_restore_state
        .cfi_endproc
        .size   stub_common, . - stub_common

        /* Off: a tail jump. */
        .p2align 4
        .type   stub_off, @function
stub_off:
        .cfi_startproc
        jmp     *STUB_TARGET(%r11)
        .cfi_endproc
        .size   stub_off, . - stub_off

        /* Not settled yet, with a hook, or hot. */
        .p2align 4
        .type   stub_special, @function
stub_special:
        .cfi_startproc
        cmpl    $0, STUB_HOT_LEFT(%r11)
        je      4f

        /* A hot op: count the call; time one in N. */
        push    %rax
        .cfi_adjust_cfa_offset 8
        mov     ifp_tls@gottpoff(%rip), %r10
        cmpw    $0, %fs:TLS_BUSY(%r10)
        jne     2f
        mov     %fs:TLS_FAST(%r10), %r10
        test    %r10, %r10
        jz      2f
        cmpb    $0, ifp_wipe(%rip)
        je      2f
        mov     STUB_HOT_LEFT(%r11), %eax
        subl    $1, (%r10, %rax)
        jc      2f
        mov     ifp_phase_row(%rip), %eax
        add     STUB_ROW(%r11), %eax
        incq    ROW_UNTIMED(%r10, %rax)
        pop     %rax
        .cfi_adjust_cfa_offset -8
        jmp     *STUB_TARGET(%r11)
        .cfi_adjust_cfa_offset 8
2:      pop     %rax
        .cfi_adjust_cfa_offset -8
4:      push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        lea     -112(%rbp), %rsp
        mov     %rax, -56(%rbp)
        mov     %rdx, -24(%rbp)
        jmp     enter_slow
        .cfi_endproc
        .size   stub_special, . - stub_special

        /* What ifp_leave sees of an ordinary op: no hook. */
        .section .rodata
        .p2align 6
plain_stub:
        .zero   64
        .text

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
