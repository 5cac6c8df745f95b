#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Keeps TCP connections, and SIP calls over UDP, to servers that answer with their name
(named_echo.py), and reports how many of them have moved to a different server.

usage: keep.py VIP TCP-PORT UDP-PORT COUNT

Opens COUNT connections and COUNT calls. For each line on standard input, uses all of them once and prints how
many connections and how many calls have moved from their server. The line "anew" opens all of them again."""

import socket
import sys

vip, tcp_port, udp_port, count = sys.argv[1], *map(int, sys.argv[2:5])
PATIENCE = 10


def connect():
    connection = socket.create_connection((vip, tcp_port), timeout=PATIENCE)
    return connection, name_by_stream(connection)


def name_by_stream(connection):
    try:
        connection.send(b"a line\n")
        return connection.recv(4096).split(b" ")[0].decode()
    except OSError:
        return "broken"


def message(method, number):
    return (f"{method} sip:someone@{vip} SIP/2.0\r\nVia: SIP/2.0/UDP client.invalid;branch=z9hG4bK{number}\r\n"
            f"From: <sip:user-{number}@client.invalid>;tag={number}\r\nTo: <sip:someone@{vip}>;tag=there\r\n"
            f"Call-ID: keep-{number}@client.invalid\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n").encode()


# A datagram may be lost, so it is sent again.
def name_by_message(method, number):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        udp.connect((vip, udp_port))
        for _ in range(PATIENCE):
            try:
                udp.send(message(method, number))
                return udp.recv(4096).split(b" ")[0].decode()
            except OSError:
                pass
    return "nobody"


def begin():
    return [connect() for _ in range(count)], [name_by_message("INVITE", number) for number in range(count)]


connections, calls = begin()
print("begun", flush=True)
for line in sys.stdin:
    if line.strip() == "anew":
        connections, calls = begin()
    moved = sum(name_by_stream(connection) != name for connection, name in connections)
    print(moved, sum(name_by_message("INFO", number) != calls[number] for number in range(count)), flush=True)
