#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Messages of all kinds that a guard may drop, and a receiver that records every datagram.

usage: guard_messages.py send SOURCE VIP COUNT   COUNT messages of each kind, and 2 * COUNT requests within a call
       guard_messages.py receive VIP FILE        appends "SOURCE:PORT SHA-256" of each datagram; runs until it is killed
       guard_messages.py kinds                   the number of kinds"""
import hashlib
import socket
import struct
import sys
import time

PORT = 5060
METHODS = ['INVITE', 'REGISTER', 'OPTIONS', 'SUBSCRIBE', 'MESSAGE', 'PUBLISH']
PACE = 0.0005  # seconds between two messages: the queues of the lab never become full


def request(method, number, to_tag='', agent='lab', user='bob', more='', start='From'):
    return (f'{method} sip:{user}@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK{method}{number}\r\n'
            f'{start}: <sip:alice@example.net>;tag=1\r\nTo: <sip:bob@example.net>{to_tag}\r\n'
            f'Call-ID: {method}-{number}-{user}-{agent}{to_tag}@lab\r\nCSeq: 1 {method}\r\nUser-Agent: {agent}\r\n{more}'
            'Content-Length: 0\r\n\r\n').encode()


def stun(number):
    return struct.pack('!HHII', 1, 0, 0x2112a442, number) + bytes(8)


KINDS = [lambda n, m=m: request(m, n) for m in METHODS] + [
    lambda n: request('INVITE', n, agent='friendly-scanner'),
    lambda n: request('INVITE', n, user='112'),
    lambda n: request('INVITE', n, start='X-Other'),           # no From
    lambda n: request('INVITE', n, more=f'Subject: {"x" * 3000}\r\n'),  # fragments
    lambda n: b'\x00\x01not SIP %d' % n,
    lambda n: b'\r\n\r\n',
    stun,
]


def send(source, vip, count):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((source, PORT))
    for number in range(int(count)):
        for kind in KINDS:
            sock.sendto(kind(number), (vip, PORT))
            time.sleep(PACE)
        for method in ('BYE', 'ACK'):
            sock.sendto(request(method, number, to_tag=';tag=2'), (vip, PORT))
            time.sleep(PACE)


def receive(vip, path):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.bind((vip, PORT))
    with open(path, 'a', encoding='utf-8', buffering=1) as file:
        while True:
            data, (address, port) = sock.recvfrom(65536)
            file.write(f'{address}:{port} {hashlib.sha256(data).hexdigest()}\n')


def kinds():
    print(len(KINDS))


{'send': send, 'receive': receive, 'kinds': kinds}[sys.argv[1]](*sys.argv[2:])
