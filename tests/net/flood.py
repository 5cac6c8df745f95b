#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends a flood of one kind to a VIP until it is killed, at about 8,000 packets a second at most.

usage: flood.py VIP not_sip|no_call_id|many_calls|one_call|fragments|forged"""
import socket
import struct
import sys
import time

BATCH, PAUSE = 80, 0.01
INVITE = (b'INVITE sip:a@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.100;branch=z9hG4bK%d\r\n'
          b'From: <sip:b@example.org>;tag=1\r\nTo: <sip:a@example.org>\r\n%sCSeq: 1 INVITE\r\n\r\n')


def message(kind, number):
    if kind == 'not_sip':
        return b'\x00\x01flood'
    if kind == 'no_call_id':
        return INVITE % (number, b'')
    return INVITE % (number, b'Call-ID: flood%d\r\n' % (number if kind == 'many_calls' else 0))


def fragment(vip, number):
    """A later fragment whose first one never arrives."""
    return struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28, number & 0xffff, 100, 64, socket.IPPROTO_UDP, 0, bytes(4),
                       socket.inet_aton(vip)) + bytes(8)


def forged(vip, number):
    """A packet that is not SIP, from the next one of 16,000,000 sources."""
    source = (0x40000000 | number * 7919 & 0xffffff).to_bytes(4, 'big')
    udp = struct.pack('!HHHH', 5060, 5060, 16, 0) + b'\x00\x01forged'
    return struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, source,
                       socket.inet_aton(vip)) + udp


RAW = {'fragments': fragment, 'forged': forged}  # with their own IP header


def main():
    vip, kind = sys.argv[1:]
    if kind in RAW:
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    else:
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind(('', 0))
    number = 0
    while True:
        for _ in range(BATCH):
            number += 1
            packet = RAW[kind](vip, number) if kind in RAW else message(kind, number)
            try:
                sender.sendto(packet, (vip, 5060))
            except OSError:
                pass  # the queue is full, or a server has answered with an ICMP error
        time.sleep(PAUSE)


main()
