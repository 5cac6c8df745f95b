#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes calls to a VIP, and sends the messages of each call from several addresses in turn, so that each takes a different
way: INVITE, ACK and BYE.

  passive_calls.py VIP RATE ADDRESS...

After each line on standard input, it prints "calls COUNT refused COUNT stray COUNT": calls since the last line that have
begun, were refused with 503, and whose BYE has reached a server that does not know the call. A Call-ID starts with the time at
which its call began.
"""
import heapq
import select
import socket
import sys
import time

REPEAT = 0.5  # seconds until a message without a response is sent again
TALK = 1  # seconds between the messages of a call: balancers share what they know of it after some time


class Call:
    def __init__(self, number, first):
        self.id = f"{time.time():.3f}-{number}@passive"
        self.way = first
        self.method = "INVITE"
        self.attempts = 0


class Caller:
    def __init__(self, vip, addresses):
        self.vip = (vip, 5060)
        self.sockets = []
        for address in addresses:
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.bind((address, 5062))
            self.sockets.append(sender)
        self.live = {}
        self.due = []
        self.number = 0
        self.counts = {"calls": 0, "refused": 0, "stray": 0}

    def send(self, call, method):
        sender = self.sockets[call.way % len(self.sockets)]
        tag = "" if method == "INVITE" else ";tag=b"
        sequence = 2 if method == "BYE" else 1
        host, port = sender.getsockname()
        text = "\r\n".join([
            f"{method} sip:b@x SIP/2.0", f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{call.id}",
            "From: <sip:a@x>;tag=a", f"To: <sip:b@x>{tag}", f"Call-ID: {call.id}", f"CSeq: {sequence} {method}",
            "Max-Forwards: 70", "Content-Length: 0", "", ""])
        sender.sendto(text.encode(), self.vip)

    def wait(self, call, seconds):
        heapq.heappush(self.due, (time.monotonic() + seconds, call.id, call.method))

    def begin(self):
        call = Call(self.number, self.number)
        self.number += 1
        self.counts["calls"] += 1
        self.live[call.id] = call
        self.repeat(call)

    def repeat(self, call):
        call.attempts += 1
        if call.attempts > 10:
            del self.live[call.id]
            return
        self.send(call, call.method)
        self.wait(call, REPEAT)

    def run_due(self):
        while self.due and self.due[0][0] <= time.monotonic():
            _, name, method = heapq.heappop(self.due)
            call = self.live.get(name)
            if call and call.method == method == "ANSWERED":
                self.next(call, "ACK")
                self.wait(call, TALK)
            elif call and call.method == method == "ACK":
                self.next(call, "BYE")
            elif call and call.method == method:
                self.repeat(call)

    def take(self, text):
        lines = text.decode().split("\r\n")
        code = lines[0].split()[1]
        call = self.live.get(next(line for line in lines if line.startswith("Call-ID:")).split()[1])
        method = next(line for line in lines if line.startswith("CSeq:")).split()[2]
        if not call or call.method != method:
            return
        if code == "503":
            self.send(call, "ACK")
        if code != "200" or method == "BYE":
            self.counts["refused"] += code == "503"
            self.counts["stray"] += code == "481"
            del self.live[call.id]
            return
        call.method = "ANSWERED"
        self.wait(call, TALK)

    def next(self, call, method):
        call.way += 1
        call.method = method
        call.attempts = 0
        if method == "BYE":
            self.repeat(call)
        else:
            self.send(call, method)

    def report(self):
        print(" ".join(f"{name} {count}" for name, count in self.counts.items()), flush=True)
        self.counts = dict.fromkeys(self.counts, 0)


def main():
    vip, rate, *addresses = sys.argv[1:]
    caller = Caller(vip, addresses)
    begin = time.monotonic()
    while True:
        for source in select.select([sys.stdin, *caller.sockets], [], [], 0.005)[0]:
            if source is not sys.stdin:
                caller.take(source.recv(65535))
            elif not sys.stdin.readline():
                return
            else:
                caller.report()
        while caller.number < (time.monotonic() - begin) * float(rate):
            caller.begin()
        caller.run_due()


main()
