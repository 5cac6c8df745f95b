#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Encapsulates UDP datagrams in IP-in-IP, as the balancer or an attacker might.

usage: tunnel.py send SOURCE SERVER INNER-SOURCE INNER-DESTINATION TEXT [OUTER-TOS INNER-TOS]
       tunnel.py stream ...           repeats it until it is ended
       tunnel.py receive ADDRESS FILE

send: one datagram from and to port 5060. receive: writes a line "TOS TEXT" to FILE for each datagram
to port 5060 of ADDRESS; creates the file once it listens.
"""
import ipaddress
import socket
import struct
import sys
import time


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def inner_packet(source, destination, text, tos):
    udp = struct.pack(">HHHH", 5060, 5060, 8 + len(text), 0) + text
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if source.version == 4:
        header = struct.pack(">BBHHHBBH", 0x45, tos, 20 + len(udp), 1, 0, 64, 17, 0) + source.packed + destination.packed
        return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + udp
    pseudo = source.packed + destination.packed + struct.pack(">II", len(udp), 17)
    total = checksum(pseudo + udp + b"\0" * (len(udp) % 2)) or 0xFFFF
    udp = udp[:6] + struct.pack(">H", total) + udp[8:]
    return struct.pack(">IHBB", 6 << 28 | tos << 20, len(udp), 17, 64) + source.packed + destination.packed + udp


def sender(source, server, inner_source, inner_destination, text, outer_tos="0", inner_tos="0"):
    packet = inner_packet(inner_source, inner_destination, text.encode(), int(inner_tos))
    ipv6 = ":" in server
    protocol = 41 if ":" in inner_destination else 4
    s = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_RAW, protocol)
    s.bind((source, 0))
    if ipv6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, int(outer_tos))
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, int(outer_tos))
    return lambda: s.sendto(packet, (server, 0))


def send(*arguments):
    sender(*arguments)()


def stream(*arguments):
    send_one = sender(*arguments)
    while True:
        send_one()
        time.sleep(0.002)


def receive(address, path):
    ipv6 = ":" in address
    s = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 5060))
    if ipv6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    with open(path, "w", buffering=1) as out:
        while True:
            text, ancillary, _, _ = s.recvmsg(2000, 100)
            tos = int.from_bytes(ancillary[0][2][:1], "little") if ancillary else 0
            out.write(f"{tos} {text.decode()}\n")


{"send": send, "stream": stream, "receive": receive}[sys.argv[1]](*sys.argv[2:])
