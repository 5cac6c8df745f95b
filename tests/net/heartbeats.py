#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A server that joins a pool and sends heartbeats, by SIP or by HTTP, until it is stopped. Prints a
line for each heartbeat: "ok TEXT", or "lost REASON" if it was refused or not answered within 3 s.

usage: heartbeats.py sip|http BALANCER PORT SECRET POOL NAME ADDRESS INTERVAL [LOAD-FILE]

Each heartbeat reports the load in LOAD-FILE; none while the file is empty.
"""
import hashlib
import hmac
import http.client
import json
import socket
import sys
import time

way, balancer, port, secret, pool, name, address, interval = sys.argv[1:9]
port = int(port)
count = 0


def load():
    if len(sys.argv) < 10:
        return ""
    with open(sys.argv[9]) as file:
        return file.read().strip()


def sign(now, text):
    return hmac.new(secret.encode(), f"{now}\n{text}".encode(), hashlib.sha256).hexdigest()


# A signature is accepted only once, so trailing spaces distinguish the requests of one second.
def sip(action):
    global count
    count += 1
    now = int(time.time())
    text = f"action={action};{' ' * (count % 97)} pool={pool}; name={name}; address={address}"
    text += f"; load={load()}" if load() else ""
    message = (
        f"OPTIONS sip:lb SIP/2.0\r\nVia: SIP/2.0/UDP px;rport;branch=z9hG4bK{count}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:px>;tag=1\r\nTo: <sip:lb>\r\nCall-ID: {name}{count}\r\nCSeq: 1 OPTIONS\r\n"
        f"X-Sipxdp-Heartbeat: {text}; time={now}; signature={sign(now, text)}\r\nContent-Length: 0\r\n\r\n"
    )
    family = socket.AF_INET6 if ":" in balancer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.connect((balancer, port))
        s.send(message.encode())
        return s.recv(2048).decode().split("\r\n")[0].split(" ", 1)[1]


def post(action):
    global count
    count += 1
    now = int(time.time())
    members = {"action": action, "pool": pool, "name": name, "address": address}
    if load():
        members["load"] = int(load())
    body = json.dumps(members) + " " * (count % 97)
    connection = http.client.HTTPConnection(balancer, port, timeout=3)
    headers = {"X-Sipxdp-Time": str(now), "X-Sipxdp-Signature": sign(now, body)}
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    text = json.loads(answer.read())
    connection.close()
    return f"{answer.status} {text.get('result') or text.get('error')}"


def say(action):
    try:
        answer = (sip if way == "sip" else post)(action)
    except (OSError, http.client.HTTPException) as error:
        answer = repr(error)
    print("ok" if answer.startswith("200") else "lost", f"{time.time():.2f}", answer, flush=True)
    return answer


say("start")
while True:
    time.sleep(float(interval))
    if say("heartbeat").startswith("404"):
        say("start")
