#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends packets of several kinds from several sources to a VIP until it is killed.

usage: senders.py VIP VIP6 SOURCE... SOURCE6...

For each INVITE from the first source, the second source sends a quarter of a BYE, the third a quarter of a 486 response,
the fourth a quarter of a packet that is not SIP. Each IPv6 source sends a quarter of an INVITE."""
import ipaddress
import socket
import sys
import time

BATCH, PAUSE = 4, 0.01
HEADERS = ('Via: SIP/2.0/UDP 10.0.0.100;branch=z9hG4bK{n}\r\nFrom: <sip:b@example.org>;tag=1\r\n'
           'To: <sip:a@example.org>{tag}\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n\r\n')


def message(kind, number):
    if kind == 'not_sip':
        return b'\x00\x01not SIP'
    start = 'SIP/2.0 486 Busy Here' if kind == 'busy' else f'{kind} sip:a@example.org SIP/2.0'
    method = 'INVITE' if kind == 'busy' else kind
    call = 'one-call-of-the-second-source' if kind == 'BYE' else f'{kind}{number}'
    tag = '' if kind == 'INVITE' else ';tag=2'
    return f'{start}\r\n{HEADERS.format(n=number, tag=tag, call=call, method=method)}'.encode()


def sender(source):
    family = socket.AF_INET6 if ipaddress.ip_address(source).version == 6 else socket.AF_INET
    result = socket.socket(family, socket.SOCK_DGRAM)
    result.bind((source, 0))
    return result


def main():
    vip, vip6, *sources = sys.argv[1:]
    senders = [(sender(source), vip6 if ':' in source else vip) for source in sources]
    kinds = ['INVITE', 'BYE', 'busy', 'not_sip'] + ['INVITE'] * len(senders)
    number = 0
    while True:
        for i, (sending, target) in enumerate(senders):
            for _ in range(BATCH if i == 0 else 1):
                number += 1
                try:
                    sending.sendto(message(kinds[i], number), (target, 5060))
                except OSError:
                    pass  # a server has answered with an ICMP error
        time.sleep(PAUSE)


main()
