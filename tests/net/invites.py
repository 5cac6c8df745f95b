#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends initial INVITEs of different calls, and waits for responses 200.

  invites.py VIP PORT COUNT PAUSE ANSWERS

PAUSE is the time between two INVITEs in ms. Exits when the VIP has sent ANSWERS responses 200. Calls of the same PORT, COUNT and
PAUSE have the same Call-IDs in each run.
"""
import socket
import sys
import time


def invite(vip, call):
    return (
        f"INVITE sip:b@{vip} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.100;branch=z9hG4bK{call}\r\n"
        f"From: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\nCall-ID: {call}@example.net\r\n"
        "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def main():
    vip, port, count, pause, answers = sys.argv[1:]
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    client.connect((vip, int(port)))
    for i in range(int(count)):
        client.send(invite(vip, f"{port}-{count}-{pause}-{i}"))
        time.sleep(int(pause) / 1000)
    client.settimeout(20)
    left = int(answers)
    while left:
        left -= client.recv(4096).startswith(b"SIP/2.0 200 ")


main()
