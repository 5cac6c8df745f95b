#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Receives HEP version 3 packets and prints one line for each:

  METHOD-OR-STATUS CALL-ID SOURCE DESTINATION BYTES AGENT PASSWORD NODE

CALL-ID is the correlation id; "different" if the message has a different one. BYTES is the length of the message; "-" stands
for a missing chunk. An invalid packet, or one whose time is not the current time, is printed as "invalid" with a reason.

usage: hep.py ADDRESS PORT
"""
import re
import socket
import sys
import time

FAMILY, PROTOCOL, SOURCE4, DESTINATION4, SOURCE6, DESTINATION6, SOURCE_PORT, DESTINATION_PORT = range(1, 9)
SECONDS, MICROSECONDS, CONTENT, AGENT = range(9, 13)
PASSWORD, PAYLOAD, CORRELATION, NODE = 14, 15, 17, 19


def chunks(packet):
    if packet[:4] != b"HEP3" or int.from_bytes(packet[4:6], "big") != len(packet):
        raise ValueError("header")
    found, at = {}, 6
    while at < len(packet):
        vendor, kind, length = (int.from_bytes(packet[at + i : at + i + 2], "big") for i in (0, 2, 4))
        if vendor or length < 6 or at + length > len(packet) or kind in found:
            raise ValueError(f"chunk {kind}")
        found[kind] = packet[at + 6 : at + length]
        at += length
    return found


def describe(packet):
    found = chunks(packet)

    def number(kind):
        return int.from_bytes(found[kind], "big")

    def text(kind):
        return found[kind].decode() if kind in found else "-"

    def endpoint(address4, address6, port):
        ipv4 = number(FAMILY) == socket.AF_INET
        address = socket.inet_ntop(number(FAMILY), found[address4 if ipv4 else address6])
        return f"{address}:{number(port)}" if ipv4 else f"[{address}]:{number(port)}"

    if number(PROTOCOL) != 17 or number(CONTENT) != 1:
        raise ValueError("not SIP over UDP")
    if abs(number(SECONDS) + number(MICROSECONDS) / 1e6 - time.time()) > 20 or number(MICROSECONDS) >= 1000000:
        raise ValueError("time")
    message = found[PAYLOAD].decode(errors="replace")
    words = message.split(" ")
    call_id = re.search(r"^(?:Call-ID|i)\s*:\s*(\S+)", message, re.MULTILINE | re.IGNORECASE)
    return " ".join(
        [
            words[1] if words[0] == "SIP/2.0" else words[0],
            text(CORRELATION) if call_id and call_id.group(1) == text(CORRELATION) else "different",
            endpoint(SOURCE4, SOURCE6, SOURCE_PORT),
            endpoint(DESTINATION4, DESTINATION6, DESTINATION_PORT),
            str(len(found[PAYLOAD])),
            str(number(AGENT)),
            text(PASSWORD),
            text(NODE),
        ]
    )


family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as inbox:
    inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    inbox.bind((sys.argv[1], int(sys.argv[2])))
    while True:
        data = inbox.recv(65535)
        try:
            print(describe(data), flush=True)
        except (ValueError, KeyError) as fault:
            print("invalid", repr(fault), flush=True)
