#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends initial INVITEs of different calls, and waits for responses 200.

  invites.py VIP PORT COUNT PAUSE ANSWERS

PAUSE is the time between two INVITEs in ms. Exits when ANSWERS calls have a response 200. While it waits, it repeats the INVITEs
of all other calls, in the intervals of timer A (RFC 3261, section 17.1.1.2): also after a response 100, because answer.py does
not repeat a lost 200. Calls of the same PORT, COUNT and PAUSE have the same Call-IDs in each run.
"""
import socket
import sys
import time

INTERVALS = (0.5, 1, 2, 4, 8, 16, 32)  # seconds before each repetition; none after the last interval


def invite(vip, call):
    return (
        f"INVITE sip:b@{vip} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.100;branch=z9hG4bK{call}\r\n"
        f"From: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\nCall-ID: {call}@example.net\r\n"
        "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def call_of(response):
    return response.split(b"Call-ID: ")[1].split(b"@")[0].decode()


# Removes the calls with a response 200 that arrives within this time, until only `left` calls remain.
def receive(client, calls, left, seconds):
    end = time.monotonic() + seconds
    while len(calls) > left:
        client.settimeout(max(end - time.monotonic(), 0.001))
        try:
            response = client.recv(4096)
        except socket.timeout:
            return
        if response.startswith(b"SIP/2.0 200 "):
            calls.pop(call_of(response), None)


def main():
    vip, port, count, pause, answers = sys.argv[1:]
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    client.connect((vip, int(port)))
    calls = {f"{port}-{count}-{pause}-{i}": None for i in range(int(count))}  # without a response 200, in this order
    left = len(calls) - int(answers)
    for seconds in INTERVALS:
        for call in calls:
            client.send(invite(vip, call))
            time.sleep(int(pause) / 1000)
        receive(client, calls, left, seconds)
        if len(calls) <= left:
            return
    sys.exit(f"{len(calls)} calls have no response 200")


main()
