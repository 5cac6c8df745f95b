#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends a numbered datagram every 20 ms, from eight ports in turn, and counts the answers, until SIGTERM.

usage: steady.py ADDRESS PORT [BYTES]

Prints "answered" with the first answer, and at the end "sent N unanswered M"."""

import select
import signal
import socket
import sys
import time

INTERVAL, LAST_ANSWERS = 0.02, 1.0
PORTS = 8
stopped = False


def stop(*_):
    global stopped
    stopped = True


def receive(sockets, open_numbers, seconds):
    """Receives for so many seconds, or until every number is answered if `seconds` is LAST_ANSWERS."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and (open_numbers or seconds != LAST_ANSWERS):
        for sock in select.select(sockets, [], [], left)[0]:
            try:
                answer = sock.recv(65536)
            except OSError:
                continue  # an ICMP error
            open_numbers.discard(int(answer.split()[-1]))


def connected(address, port):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((address, port))
    return sock


def main():
    signal.signal(signal.SIGTERM, stop)
    size = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    sockets = [connected(sys.argv[1], int(sys.argv[2])) for _ in range(PORTS)]
    open_numbers, sent, first = set(), 0, True
    while not stopped:
        try:
            sockets[sent % PORTS].send(b"%*d" % (size, sent))
        except OSError:
            pass  # an ICMP error of an earlier datagram
        open_numbers.add(sent)
        sent += 1
        receive(sockets, open_numbers, INTERVAL)
        if first and len(open_numbers) < sent:
            print("answered", flush=True)
            first = False
    receive(sockets, open_numbers, LAST_ANSWERS)
    print(f"sent {sent} unanswered {len(open_numbers)}")


main()
