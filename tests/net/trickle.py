#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Holds many connections to an HTTP server from several addresses, and sends single bytes of a request
on each. Reopens a connection that was closed. Prints "N held, N hung up" each second.

usage: trickle.py ADDRESS PORT CONNECTIONS SECONDS_BETWEEN_BYTES SOURCE...
"""
import selectors
import socket
import sys
import time

address, port, count, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
sources = sys.argv[5:]
ready = selectors.DefaultSelector()
hung_up = 0


def connect(i):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.bind((sources[i % len(sources)], 0))
    s.setblocking(False)
    s.connect_ex((address, port))
    ready.register(s, selectors.EVENT_READ, i)
    return s


def again(i):
    global hung_up
    hung_up += 1
    ready.unregister(held[i])
    held[i].close()
    held[i] = connect(i)


held = [connect(i) for i in range(count)]
byte = said = time.time()
while True:
    for key, _ in ready.select(0.05):
        try:
            if key.fileobj.recv(4096):
                continue
        except OSError:
            pass
        again(key.data)
    if time.time() - byte >= pause:
        byte = time.time()
        for i, s in enumerate(held):
            try:
                s.send(b"P")
            except BlockingIOError:
                pass
            except OSError:
                again(i)
    if time.time() - said >= 1:
        said = time.time()
        print(f"{count} held, {hung_up} hung up", flush=True)
