#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Many servers that join one after another, by SIP. Prints the name of each server that has joined.

usage: starts.py BALANCER PORT SECRET POOL NETWORK COUNT PAUSE
"""
import hashlib
import hmac
import socket
import sys
import time

balancer, port, secret, pool, network, count, pause = sys.argv[1:]


def request(name, address):
    now = int(time.time())
    text = f"action=start; pool={pool}; name={name}; address={address}"
    signature = hmac.new(secret.encode(), f"{now}\n{text}".encode(), hashlib.sha256).hexdigest()
    return (
        f"OPTIONS sip:lb SIP/2.0\r\nVia: SIP/2.0/UDP px;rport;branch=z9hG4bK{name}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:px>;tag=1\r\nTo: <sip:lb>\r\nCall-ID: {name}\r\nCSeq: 1 OPTIONS\r\n"
        f"X-Sipxdp-Heartbeat: {text}; time={now}; signature={signature}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(10)
    s.connect((balancer, int(port)))
    for i in range(1, int(count) + 1):
        s.send(request(f"n{i}", f"{network}.{i}"))
        if s.recv(2048).startswith(b"SIP/2.0 200 "):
            print(f"n{i}", flush=True)
        time.sleep(float(pause))
