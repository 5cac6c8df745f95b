#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Responds with 200 to the probes (OPTIONS over UDP) of many backends that share one host, and measures the pauses
between the probes of each backend. The daemon probes each backend from a port of its own.

  many_answers.py ADDRESS

After each line on standard input it prints "probes COUNT a-second RATE median MS p99 MS longest MS" for the time
since the previous line."""
import selectors
import socket
import sys
import time

KEPT = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")


class Pauses:
    def __init__(self):
        self.last = {}  # port of a backend's probes -> arrival of the last one, seconds
        self.reset()

    def reset(self):
        self.began = time.monotonic()
        self.pauses = []

    def add(self, port):
        now = time.monotonic()
        if port in self.last:
            self.pauses.append(now - self.last[port])
        self.last[port] = now

    def report(self):
        ordered = sorted(self.pauses) or [0]
        median, p99, longest = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99, 1))
        rate = len(self.pauses) / (time.monotonic() - self.began)
        print(f"probes {len(self.pauses)} a-second {rate:.0f} median {median:.0f} p99 {p99:.0f} longest {longest:.0f}",
              flush=True)
        self.reset()


def respond(server, pauses):
    request, peer = server.recvfrom(65535)
    kept = [line for line in request.split(b"\r\n")[1:] if line.lower().startswith(KEPT)]
    server.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""]), peer)
    pauses.add(peer[1])


def main():
    pauses = Pauses()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    server.bind((sys.argv[1], 5060))
    inputs = selectors.DefaultSelector()
    inputs.register(server, selectors.EVENT_READ)
    inputs.register(sys.stdin, selectors.EVENT_READ)
    print("listening", flush=True)
    while True:
        for key, _ in inputs.select():
            if key.fileobj is server:
                respond(server, pauses)
            elif not sys.stdin.readline():
                return
            else:
                pauses.report()


main()
