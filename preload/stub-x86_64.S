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

/* Offsets; shim.h asserts them. */
#define STUB_TARGET      0
#define STUB_SWITCH      8
#define STUB_HOT_ROW    16
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
#define LANE_TAIL_SEEN  72
#define LANE_TOP        96
#define LANE_HIGH      104
#define LANE_OPEN_END  (192 + 512 * 40)
#define LANE_TIME    20736
#define LANE_RING  1056768
#define OPEN_SP          0
#define OPEN_START       8
#define OPEN_CHILD      16
#define OPEN_ARG        24
#define OPEN_OP         28
#define OPEN_PREV       30
#define OPEN_PHASE      32
#define OPEN_STATE      33
#define OPEN_DEPTH      35
#define OPEN_BYTES      40
#define RING_SLOTS   16384
#define RING_SLOT_BITS  14

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
        sub     $96, %rsp
        mov     %rax, -56(%rbp)
        mov     %rdx, -24(%rbp)
        mov     %rcx, -32(%rbp)
        mov     %r11, -72(%rbp)

        /* Open the span here if nothing is out of the ordinary. */
        mov     ifp_tls@gottpoff(%rip), %r10
        movzwl  STUB_PLAIN_OP(%r11), %ecx
        mov     %fs:TLS_FAST(%r10), %rax        /* the lane */
        test    %ecx, %ecx
        jz      enter_slow
        test    %rax, %rax
        jz      enter_slow
        cmpw    $0, %fs:TLS_BUSY(%r10)
        jne     enter_slow
        cmpb    $0, ifp_wipe(%rip)
        je      enter_slow
        mov     LANE_TOP(%rax), %rdx            /* the op around this one */
        shl     $32, %rcx
        test    %rdx, %rdx
        jz      1f
        cmp     %rbp, OPEN_SP(%rax, %rdx)       /* is its frame still there? */
        jbe     enter_slow
        mov     %rdx, %r10
        shl     $48, %r10
        or      %r10, %rcx
        movzbl  OPEN_DEPTH(%rax, %rdx), %edx
        inc     %edx
        shl     $24, %edx
        js      enter_slow                      /* deeper than the record can say: rarely */
1:      mov     LANE_HIGH(%rax), %r10
        or      ifp_phase_open(%rip), %edx      /* phase, state */
        cmp     $LANE_OPEN_END, %r10
        jae     enter_slow
        addq    $OPEN_BYTES, LANE_HIGH(%rax)
        mov     %rbp, OPEN_SP(%rax, %r10)
        movq    $0, OPEN_CHILD(%rax, %r10)
        mov     %rcx, OPEN_ARG(%rax, %r10)      /* and op, prev */
        mov     %rdx, OPEN_PHASE(%rax, %r10)    /* and state, flags, depth */
        mov     %r10, LANE_TOP(%rax)
        add     %rax, %r10
        mov     %r10, -80(%rbp)
        movzwl  STUB_STACK(%r11), %ecx
        test    %ecx, %ecx
        jnz     copy_arguments

        /* No stack arguments: %rsp at the call as the kernel would have had it. */
        lea     16(%rbp), %eax
        and     $-64, %rsp
        and     $63, %eax
        lea     -64(%rsp, %rax), %rsp
        rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        mov     %rax, OPEN_START(%r10)
        mov     -56(%rbp), %rax
        mov     -24(%rbp), %rdx
        mov     -32(%rbp), %rcx
        call    *STUB_TARGET(%r11)

        /* Close the span; the results are kept: rax, rdx here, the rest untouched. */
stub_return:
        mov     %rax, -8(%rbp)
        mov     %rdx, -16(%rbp)
        rdtsc
        mov     %rdx, %r8
        mov     ifp_tls@gottpoff(%rip), %rdx
        shl     $32, %r8
        or      %rax, %r8                       /* the end */
        mov     -80(%rbp), %rdi                 /* the open entry */
        mov     -72(%rbp), %r11
        mov     %fs:TLS_FAST(%rdx), %rsi        /* the lane */
        cmpw    $0, STUB_PLAIN_OP(%r11)
        je      leave_slow
        test    %rsi, %rsi
        jz      leave_slow
        cmpb    $0, ifp_wipe(%rip)
        je      leave_slow
        mov     %rdi, %r9
        sub     %rsi, %r9
        cmp     LANE_TOP(%rsi), %r9
        jne     leave_slow
        cmp     OPEN_SP(%rdi), %rbp
        jne     leave_slow
        lea     OPEN_BYTES(%r9), %rax
        cmp     LANE_HIGH(%rsi), %rax
        jne     leave_slow
        mov     %r8, %rdx
        sub     OPEN_START(%rdi), %rdx          /* the duration */
        mov     %rdx, %rax
        shr     $48, %rax
        jnz     leave_slow
        movzwl  OPEN_PREV(%rdi), %ecx
        movzwl  OPEN_OP(%rdi), %eax
        movzbl  OPEN_PHASE(%rdi), %r11d
        mov     OPEN_CHILD(%rdi), %r10
        mov     OPEN_START(%rdi), %r8
        movzbl  OPEN_DEPTH(%rdi), %edi
        movb    $0, OPEN_STATE(%rsi, %r9)
        mov     %rcx, LANE_TOP(%rsi)
        mov     %r9, LANE_HIGH(%rsi)            /* the entry is free from here on */

        /* The op's row: timed, total, child. */
        lea     (%rax, %rax, 4), %r9d
        add     %r11d, %r9d
        shl     $5, %r9
        lea     LANE_TIME(%rsi, %r9), %r9
        incq    (%r9)
        add     %rdx, 16(%r9)
        add     %r10, 24(%r9)
        test    %ecx, %ecx
        jz      2f
        add     %rdx, OPEN_CHILD(%rsi, %rcx)    /* of the op around it */

        /* The record: its words in r8, rdx, r10. */
2:      shl     $48, %rax
        or      %rax, %rdx
        shl     $8, %r11d
        or      %r11d, %edi
        shl     $48, %rdi
        or      %rdi, %r10
3:      mov     LANE_HEAD(%rsi), %rax
        mov     %rax, %rcx
        sub     LANE_TAIL_SEEN(%rsi), %rcx
        cmp     $RING_SLOTS, %rcx
        jae     ring_full
        lea     1(%rax), %rcx
        cmpxchg %rcx, LANE_HEAD(%rsi)
        jne     3b
        mov     %eax, %ecx
        and     $RING_SLOTS - 1, %ecx
        shl     $5, %ecx
        add     %rcx, %rsi
        shr     $RING_SLOT_BITS, %rax
        inc     %eax
        shl     $32, %rax
        mov     %r8, LANE_RING(%rsi)
        mov     %rdx, LANE_RING + 8(%rsi)
        mov     %r10, LANE_RING + 16(%rsi)
        mov     %rax, LANE_RING + 24(%rsi)      /* arg 0 and the lap: complete */
stub_done:
        mov     -8(%rbp), %rax
        mov     -16(%rbp), %rdx
        .cfi_remember_state
        leave
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_restore_state

ring_full:
        lea     -80(%rbp), %rsp
        and     $-16, %rsp
        sub     $32, %rsp
        mov     %r8, (%rsp)
        mov     %rdx, 8(%rsp)
        mov     %r10, 16(%rsp)
        movq    $0, 24(%rsp)
        mov     %rsi, %rdi
        mov     %rsp, %rsi
        call    ifp_full
        jmp     stub_done

leave_slow:
        lea     -80(%rbp), %rsp
        and     $-16, %rsp
        mov     %rdi, %rsi
        mov     -72(%rbp), %rdi
        mov     -8(%rbp), %rdx
        mov     %rbp, %rcx
        call    ifp_leave
        jmp     stub_done

        /* Open the span with all the care there is. */
enter_slow:
        mov     %rdi, -8(%rbp)
        mov     %rsi, -16(%rbp)
        mov     %r8, -40(%rbp)
        mov     %r9, -48(%rbp)
        mov     %r10, -64(%rbp)
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
        mov     %rax, -80(%rbp)
        test    %rax, %rax
        jz      stub_pass
        movzwl  STUB_STACK(%r11), %ecx

        /* How many bytes of stack arguments: never past the thread's stack. */
copy_arguments:
        lea     16(%rbp), %rdx
        test    %ecx, %ecx
        jz      2f
        mov     ifp_tls@gottpoff(%rip), %r10
        mov     %fs:TLS_STACK_HI(%r10), %rax
        sub     %rdx, %rax                      /* left on the thread's own stack */
        jbe     5f
        cmp     %fs:TLS_STACK_LO(%r10), %rdx
        jb      5f
        cmp     %rax, %rcx
        cmova   %eax, %ecx
        and     $-8, %ecx

        /* Room for them, %rsp at the call as the kernel would have had it. */
2:      sub     %rcx, %rsp
        and     $-64, %rsp
        and     $63, %edx
        lea     -64(%rsp, %rdx), %rsp
        sub     $16, %ecx                       /* 16 bytes at a time, from the far end */
        jb      4f
3:      mov     24(%rbp, %rcx), %rax
        mov     16(%rbp, %rcx), %rdx
        mov     %rax, 8(%rsp, %rcx)
        mov     %rdx, (%rsp, %rcx)
        sub     $16, %ecx
        jae     3b
4:      cmp     $-8, %ecx                       /* 8 bytes left at the front? */
        jne     6f
        mov     16(%rbp), %rax
        mov     %rax, (%rsp)

        /* The kernel, with everything as it was. */
6:      rdtsc
        mov     -80(%rbp), %r10
        shl     $32, %rdx
        or      %rdx, %rax
        mov     %rax, OPEN_START(%r10)
        mov     -24(%rbp), %rdx
        mov     -32(%rbp), %rcx
        mov     -56(%rbp), %rax
        call    *STUB_TARGET(%r11)
        jmp     stub_return

        /* On a stack whose end is not known: ask how many bytes can be read. */
5:      mov     %rdi, -8(%rbp)
        mov     %rsi, -16(%rbp)
        mov     %r8, -40(%rbp)
        mov     %r9, -48(%rbp)
        lea     -80(%rbp), %rsp
        and     $-16, %rsp
        mov     %rdx, %rdi
        mov     %rcx, %rsi
        call    ifp_readable
        mov     %eax, %ecx
        mov     -8(%rbp), %rdi
        mov     -16(%rbp), %rsi
        mov     -40(%rbp), %r8
        mov     -48(%rbp), %r9
        mov     -72(%rbp), %r11
        lea     16(%rbp), %rdx
        jmp     2b

        /* No span: as if the stub had not been. */
stub_pass:
        mov     -24(%rbp), %rdx
        mov     -32(%rbp), %rcx
        mov     -56(%rbp), %rax
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
