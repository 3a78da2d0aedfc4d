# SPDX-License-Identifier: MIT
"""Runs a program that may not make the system call of this number: a seccomp filter answers EPERM."""

import ctypes
import os
import struct
import sys

EPERM = 1
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER = (0x20, 0, 0, 0)
ANSWER, ALLOW = (0x06, 0, 0, 0x00050000 | EPERM), (0x06, 0, 0, 0x7FFF0000)

code = b"".join(struct.pack("HBBI", *i) for i in (LOAD_NUMBER, (0x15, 0, 1, int(sys.argv[1])), ANSWER, ALLOW))
text = ctypes.create_string_buffer(code, len(code))
program = struct.pack("HP", 4, ctypes.addressof(text))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
    sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[2], sys.argv[2:])
