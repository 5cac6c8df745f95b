#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Phones that register every second, each with its own Call-ID, and a monitor that pings a proxy by
its name. Runs until it is killed.

usage: registrars.py SOURCE VIP PHONES PROXY"""

import socket
import sys
import time

source, vip, phones, proxy = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((source, 0))
port = sock.getsockname()[1]
sock.setblocking(False)


def request(method, uri, call, number):
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {source}:{port};branch=z9hG4bK{call}{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{call}@{vip}>;tag={number}\r\nTo: <sip:{call}@{vip}>\r\n"
        f"Call-ID: {call}@phones\r\nCSeq: {number} {method}\r\nContact: <sip:{call}@{source}:{port}>\r\n"
        f"Expires: 60\r\nContent-Length: 0\r\n\r\n"
    ).encode()


number = 0
while True:
    number += 1
    for phone in range(phones):
        sock.sendto(request("REGISTER", f"sip:{vip}", f"phone{phone}", number), (vip, 5060))
    sock.sendto(request("OPTIONS", f"sip:{proxy}", "monitor", number), (vip, 5060))
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        pass
    time.sleep(1)
