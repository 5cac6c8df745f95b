#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends SIP messages of one kind from one source to port 5060 of a VIP.

usage: from_source.py VIP SOURCE KIND COUNT [PAUSE]

KIND is a method, BYE for a request of an established call, or "not_sip". Sends without a pause, or with PAUSE seconds
after each message."""
import socket
import sys
import time

vip, source, kind, count = sys.argv[1:5]
pause = float(sys.argv[5]) if len(sys.argv) > 5 else 0


def message(number):
    if kind == "not_sip":
        return b"neither SIP nor a keepalive"
    tag = ";tag=1" if kind == "BYE" else ""
    return (
        f"{kind} sip:callee@example.org SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK{number}\r\n"
        f"From: <sip:caller@example.org>;tag=2\r\nTo: <sip:callee@example.org>{tag}\r\nCall-ID: {source}-{number}\r\n"
        f"CSeq: 1 {kind}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


with socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_DGRAM) as udp:
    udp.bind((source, 0))
    for i in range(int(count)):
        try:
            udp.sendto(message(i), (vip, 5060))
        except ConnectionRefusedError:
            pass  # a server has answered with an ICMP error
        time.sleep(pause)
