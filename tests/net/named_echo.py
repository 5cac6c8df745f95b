#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Answers over UDP and TCP with its name, a blank, and the received text.

usage: named_echo.py NAME PORT,... ADDRESS...

Prints "listening" once it listens."""

import itertools
import selectors
import socket
import sys

name, ports, addresses = sys.argv[1].encode(), map(int, sys.argv[2].split(",")), sys.argv[3:]
ready = selectors.DefaultSelector()


def answer_datagram(udp):
    data, sender = udp.recvfrom(4096)
    udp.sendto(name + b" " + data, sender)


def answer_stream(connection):
    try:
        data = connection.recv(4096)
    except ConnectionError:
        data = b""
    if data:
        connection.send(name + b" " + data)
    else:
        ready.unregister(connection)
        connection.close()


def accept(listener):
    ready.register(listener.accept()[0], selectors.EVENT_READ, answer_stream)


for address, port in itertools.product(addresses, ports):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((address, port))
    ready.register(udp, selectors.EVENT_READ, answer_datagram)
    tcp = socket.socket(family, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, port))
    tcp.listen(512)
    ready.register(tcp, selectors.EVENT_READ, accept)
print("listening", flush=True)
while True:
    for key, _ in ready.select():
        key.data(key.fileobj)
