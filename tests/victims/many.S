/* SPDX-License-Identifier: MIT */
/* k_0 ... : N functions, each returning its number. */
        .text
        .altmacro
        .macro  one i
        .globl  k_\i
        .type   k_\i, @function
k_\i:   mov     $\i, %eax
        ret
        .size   k_\i, . - k_\i
        .endm
        .set    i, 0
        .rept   N
        one     %i
        .set    i, i + 1
        .endr
        .section .note.GNU-stack, "", @progbits
