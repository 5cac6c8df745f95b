#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends large SIP messages in fragments that it makes itself, and receives them.

  fragments.py receive PORT FILE    writes "CALL-ID LENGTH" for each complete datagram
  fragments.py send SOURCE VIP PORT ORDER FIRST COUNT SENDERS RATE

ORDER is the sequence of the three fragments, such as 012, 210 or 0112. Each message has 3,500
bytes, an IP identification N that starts at FIRST, and the Call-ID frag-N. SENDERS source ports take
turns. IPv4 or IPv6 follows from the addresses.
"""
import re
import socket
import struct
import sys
import time

SIZE = 3500
PIECE = 1448  # payload bytes of a fragment; a multiple of 8
IPV6_HDRINCL = 36


def message(call_id, number):
    head = (
        "INVITE sip:bob@example.net SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP client.example.com;branch=z9hG4bK{number}\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.net>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\n"
    ).encode()
    return head + b"a" * (SIZE - len(head))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(source, vip, source_port, port, payload):
    length = 8 + len(payload)
    pseudo = source + vip + struct.pack("!II", length, 17)  # IPv4 gives the same sum
    header = struct.pack("!HHHH", source_port, port, length, 0)
    check = checksum(pseudo + header + payload) or 0xFFFF
    return struct.pack("!HHHH", source_port, port, length, check) + payload


def ipv4_fragment(source, vip, at, more, number, piece):
    flags = at // 8 | (0x2000 if more else 0)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), number & 0xFFFF, flags, 64, 17, 0) + source + vip
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + piece


def ipv6_fragment(source, vip, at, more, number, piece):
    header = struct.pack("!IHBB", 6 << 28, 8 + len(piece), 44, 64) + source + vip
    return header + struct.pack("!BBHI", 17, 0, at | more, number) + piece


def send(source, vip, port, order, first, count, senders, rate):
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    fragment = ipv6_fragment if family == socket.AF_INET6 else ipv4_fragment
    out = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    if family == socket.AF_INET6:
        out.setsockopt(socket.IPPROTO_IPV6, IPV6_HDRINCL, 1)
    raw_source, raw_vip = socket.inet_pton(family, source), socket.inet_pton(family, vip)
    start = time.monotonic()
    for n in range(first, first + count):
        data = datagram(raw_source, raw_vip, 20000 + n % senders, port, message(f"frag-{n}", n))
        pieces = [
            fragment(raw_source, raw_vip, at, at + PIECE < len(data), n, data[at : at + PIECE])
            for at in range(0, len(data), PIECE)
        ]
        for which in order:
            out.sendto(pieces[int(which)], (vip, 0))
        time.sleep(max(0, start + (n - first + 1) / rate - time.monotonic()))


def receive(port, path):
    inbox = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    inbox.bind(("::", port))
    with open(path, "w", buffering=1) as log:
        while True:
            data = inbox.recv(65535)
            found = re.search(rb"Call-ID: (\S+)", data)
            print(found.group(1).decode() if found else "-", len(data), file=log)


if sys.argv[1] == "receive":
    receive(int(sys.argv[2]), sys.argv[3])
else:
    send(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5], *map(int, sys.argv[6:10]))
