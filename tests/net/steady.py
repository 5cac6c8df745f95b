#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends a numbered datagram every 20 ms and counts the answers, until SIGTERM.

usage: steady.py ADDRESS PORT

Prints "answered" with the first answer, and at the end "sent N unanswered M"."""

import select
import signal
import socket
import sys
import time

INTERVAL, LAST_ANSWERS = 0.02, 1.0
stopped = False


def stop(*_):
    global stopped
    stopped = True


def receive(sock, open_numbers, seconds):
    """Receives for so many seconds, or until every number is answered if `seconds` is LAST_ANSWERS."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and (open_numbers or seconds != LAST_ANSWERS):
        if not select.select([sock], [], [], left)[0]:
            continue
        try:
            answer = sock.recv(4096)
        except OSError:
            continue  # an ICMP error
        open_numbers.discard(int(answer.split()[-1]))


def main():
    signal.signal(signal.SIGTERM, stop)
    address = sys.argv[1]
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((address, int(sys.argv[2])))
    open_numbers, sent, first = set(), 0, True
    while not stopped:
        try:
            sock.send(b"%d" % sent)
        except OSError:
            pass  # an ICMP error of an earlier datagram
        open_numbers.add(sent)
        sent += 1
        receive(sock, open_numbers, INTERVAL)
        if first and len(open_numbers) < sent:
            print("answered", flush=True)
            first = False
    receive(sock, open_numbers, LAST_ANSWERS)
    print(f"sent {sent} unanswered {len(open_numbers)}")


main()
