#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends SIP messages over UDP and prints which server answered, as named_echo.py does.

usage: say.py VIP SOURCE... < MESSAGES

A line of MESSAGES contains the destination port and the lines of the message, separated by tabs. Each
message has its own source port; the SOURCEs take turns. Prints a name, "nobody", or "refused" after an
ICMP error."""

import itertools
import socket
import sys


def say(source, vip, port, message):
    with socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        udp.bind((source, 0))
        udp.connect((vip, port))
        udp.send(message.encode())
        try:
            return udp.recv(4096).split(b" ")[0].decode()
        except socket.timeout:
            return "nobody"
        except ConnectionRefusedError:
            return "refused"


sources = itertools.cycle(sys.argv[2:])
for row in sys.stdin:
    port, *lines = row.rstrip("\n").split("\t")
    print(say(next(sources), sys.argv[1], int(port), "\r\n".join(lines + ["", ""])), flush=True)
