#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends from given ports and prints which server answered (named_echo.py): the expected result of a
lookup with --source.

usage: ask.py VIP < QUESTIONS

A line of QUESTIONS contains, separated by tabs: "udp" or "tcp", the source address and port, the
destination port and, for udp, the lines of a message. Prints a name, or "nobody"."""

import socket
import sys


def ask(kind, source, source_port, port, *lines):
    text = "\r\n".join(lines) + "\r\n\r\n"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((source, int(source_port)))
        s.connect((sys.argv[1], int(port)))
        for _ in range(3):
            try:
                s.send(text.encode())
                return s.recv(4096).split(b" ")[0].decode()
            except OSError:
                pass
    return "nobody"


for line in sys.stdin:
    print(ask(*line.rstrip("\n").split("\t")), flush=True)
