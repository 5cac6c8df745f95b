#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Holds a descriptor of each socket that a process opens, as a process does that passed the socket on and has not run
since. Usage: hold_sockets.py PID SECONDS. Prints the number of sockets."""
import ctypes
import os
import sys
import time

PIDFD_GETFD = 438
pid, end = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
process = os.pidfd_open(pid)
libc = ctypes.CDLL(None, use_errno=True)
held = {}
while time.monotonic() < end and len(held) < 500:
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if link.startswith("socket:") and link not in held:
            fd = libc.syscall(PIDFD_GETFD, process, int(name), 0)
            if fd >= 0:
                held[link] = fd
print(len(held))
