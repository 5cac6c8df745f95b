#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends INVITE, ACK and BYE of new calls at a rate, each message to the next of several MAC addresses.

usage: group_calls.py INTERFACE VIP CALLS-PER-SECOND SECONDS MAC...

Prints the number of calls and the time that they took."""

import socket
import struct
import sys
import time

interface, vip, rate, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
macs = [bytes.fromhex(mac.replace(":", "")) for mac in sys.argv[5:]]
PART = 0.005  # s: calls are sent in parts, and each part sends one message of each of its calls
LATER = 100  # parts between two messages of a call


def text(method, number, tag):
    return (
        f"{method} sip:b@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{method}%08d\r\n"
        f"From: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>{tag}\r\n"
        f"Call-ID: group-%08d@example.net\r\nCSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def frame(source_mac, payload):
    size = len(payload % (0, 0))
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + size, 0, 0, 64, 17, 0,
                               socket.inet_aton("10.0.0.1"), socket.inet_aton(vip)))
    struct.pack_into("!H", ip, 10, checksum(bytes(ip)))
    return source_mac + b"\x08\x00" + bytes(ip) + struct.pack("!HHHH", 5060, 5060, 8 + size, 0)


raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind((interface, 0))
own = raw.getsockname()[4]
steps = [text("INVITE", 1, ""), text("ACK", 1, ";tag=2"), text("BYE", 2, ";tag=2")]
heads = [frame(own, step) for step in steps]
per_part, parts = int(rate * PART), int(seconds / PART)
begin = time.monotonic()
for part in range(parts + 2 * LATER):
    for step in range(3):
        first = part - step * LATER
        if not 0 <= first < parts:
            continue
        for call in range(first * per_part, (first + 1) * per_part):
            raw.send(macs[(call + step) % len(macs)] + heads[step] + steps[step] % (call, call))
    time.sleep(max(0, begin + (part + 1) * PART - time.monotonic()))
print(parts * per_part, "calls in", round(time.monotonic() - begin, 1), "s")
