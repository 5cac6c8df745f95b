#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends SIP messages as large as an Ethernet frame, and TCP streams.

  large.py send SOURCE VIP SIZE FRAGMENT FIRST COUNT    OPTIONS of SIZE bytes, Call-ID large-N
  large.py stream SOURCE VIP BYTES                      sends a TCP stream; exits when the sink has reported its size
  large.py sink VIP                                     the sink, on port 5061

FRAGMENT controls the kernel: "may" never sets Don't Fragment, "must-not" always sets it, "path-mtu"
sets it and fragments to the known path MTU. With "may" the Call-ID is the last header, so the first
fragment does not contain it. IPv4 or IPv6 follows from the VIP.
"""
import socket
import sys
import time

IP_MTU_DISCOVER, IPV6_MTU_DISCOVER = 10, 23
DISCOVER = {"may": 0, "path-mtu": 1, "must-not": 3}  # IP_PMTUDISC_DONT, _WANT, _PROBE


def family(vip):
    return socket.AF_INET6 if ":" in vip else socket.AF_INET


def message(n, size, last):
    head = (
        "OPTIONS sip:bob@example.net SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP client.example.com;branch=z9hG4bK{n}\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.net>\r\nCSeq: 1 OPTIONS\r\n"
    )
    call_id = f"Call-ID: large-{n}\r\n"
    fill = "X-Fill: " + "x" * (size - len(head) - len(call_id) - 12) + "\r\n"
    return (head + (fill + call_id if last else call_id + fill) + "\r\n").encode()


def send(source, vip, size, fragment, first, count):
    out = socket.socket(family(vip), socket.SOCK_DGRAM)
    level, option = (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER) if ":" in vip else (socket.IPPROTO_IP, IP_MTU_DISCOVER)
    out.setsockopt(level, option, DISCOVER[fragment])
    out.bind((source, 0))
    for n in range(first, first + count):
        out.sendto(message(n, size, fragment == "may"), (vip, 5060))
        time.sleep(0.005)
    time.sleep(0.2)  # the kernel ignores an ICMP error after its socket is closed


def stream(source, vip, count):
    with socket.create_connection((vip, 5061), 10, (source, 0)) as connection:
        connection.sendall(b"x" * count)
        connection.shutdown(socket.SHUT_WR)
        print(connection.recv(64).decode())


def sink(vip):
    with socket.create_server((vip, 5061), family=family(vip)) as server:
        while True:
            connection, _ = server.accept()
            total = 0
            while data := connection.recv(65536):
                total += len(data)
            connection.sendall(str(total).encode())
            connection.close()


if sys.argv[1] == "sink":
    sink(sys.argv[2])
elif sys.argv[1] == "stream":
    stream(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    send(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5], *map(int, sys.argv[6:8]))
