#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Opens TCP connections to servers that answer a line with their name and that line
(named_echo.py), and sends only on command.

usage: idle.py ADDRESS PORT COUNT

The command "speak" on standard input sends a line on each connection and prints "round" and the
names of the servers in the order of the connections; "-" for a broken connection. "close" exits."""

import socket
import sys

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
connections = [socket.create_connection((address, port), timeout=10) for _ in range(count)]


def answer(connection):
    try:
        connection.sendall(b"line\n")
        return connection.recv(256).decode().split(" ")[0] or "-"
    except OSError:
        return "-"


for command in sys.stdin:
    if command.strip() == "close":
        break
    print("round", *[answer(connection) for connection in connections], flush=True)
for connection in connections:
    connection.close()
