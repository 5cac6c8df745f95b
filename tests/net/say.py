#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends SIP messages by UDP and prints who answered, as named_echo.py does.

usage: say.py VIP SOURCE... < MESSAGES

A line of MESSAGES is the port it goes to and the lines of the message, separated by tabs.
Each is sent from a port of its own, and the SOURCEs take turns. Prints a name, "nobody", or
"refused" when the other side's kernel says so."""

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
