#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Responds to SIP requests, correctly or in a wrong way, as a peer for probes.

  answer.py udp|tcp|tls ADDRESS PORT HOW [CERTIFICATE KEY]

HOW is the end of a status line ("200 OK", "503 Service Unavailable") or one of
  trying      100, then 200 after 100 ms
  late        200 to the request of 700 ms ago
  branch, call-id, cseq     200 with this header changed
  elsewhere   200 from a different port
  silent      no response
  seldom      200 to one of eight requests
  request     an OPTIONS request, then 200
  pieces      keepalives, then 200 byte by byte (not udp)
  endless     headers without an end (not udp)
  chatter     short messages without an end, and no response among them (not udp)
  bad-length  200 with an invalid Content-Length (not udp)
  close       closes the connection without a response (not udp)
Prints "at SECONDS" and then the request, for each request.
"""
import itertools
import re
import socket
import ssl
import sys
import threading
import time

PLAIN = "200 OK"
requests = itertools.count()


def response(request, status, body=""):
    kept = [
        line
        for line in request.split("\r\n")[1:]
        if re.match(r"(via|from|to|call-id|cseq) *:", line, re.IGNORECASE)
    ]
    return f"SIP/2.0 {status}\r\n" + "\r\n".join(kept) + f"\r\nContent-Length: {len(body)}\r\n\r\n{body}"


def changed(request, how):
    old, new = {
        "branch": ("branch=z9hG4bK", "branch=z9hG4bKx"),
        "call-id": ("Call-ID: ", "Call-ID: x"),
        "cseq": ("CSeq: 1 ", "CSeq: 2 "),
    }[how]
    return response(request, PLAIN).replace(old, new)


def answer(request, how, send, peer):
    """Sends the response of kind `how` through send(text). Only some kinds use `peer`."""
    if how in ("branch", "call-id", "cseq"):
        send(changed(request, how))
    elif how == "trying":
        send(response(request, "100 Trying"))
        time.sleep(0.1)
        send(response(request, PLAIN, "v=0\r\n"))
    elif how == "seldom":
        if next(requests) % 8 == 0:
            send(response(request, PLAIN))
    elif how == "late":
        time.sleep(0.7)
        send(response(request, PLAIN))
    elif how == "request":
        send(request)
        send(response(request, PLAIN))
    elif how == "elsewhere":
        socket.socket(peer[0], socket.SOCK_DGRAM).sendto(response(request, PLAIN).encode(), peer[1])
    elif how == "pieces":
        for byte in "\r\n\r\n" + response(request, "100 Trying", "body") + response(request, PLAIN):
            send(byte)
    elif how == "endless":
        send("SIP/2.0 200 OK\r\n" + "X: y\r\n" * 10000)
    elif how == "chatter":
        while True:
            send("X\n\n" * 100000)
    elif how == "bad-length":
        send(response(request, PLAIN).replace("Content-Length: 0", "Content-Length: -1"))
    elif how not in ("silent", "close"):
        send(response(request, how))


def log(request):
    print(f"at {time.monotonic():.4f}\n{request}", flush=True)


def serve_datagrams(server, how):
    while True:
        data, peer = server.recvfrom(65535)
        request = data.decode()
        log(request)
        send = lambda text, peer=peer: server.sendto(text.encode(), peer)
        threading.Thread(target=answer, args=(request, how, send, (server.family, peer)), daemon=True).start()


def serve_connection(connection, how, context):
    try:
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(4096)
            if not piece:
                return
            data += piece
        log(data.decode())
        answer(data.decode(), how, lambda text: connection.sendall(text.encode()), None)
        if how != "close":
            connection.recv(1)
    except OSError as error:
        print(f"error {error}", flush=True)
    finally:
        connection.close()


def main():
    transport, address, port, how, *files = sys.argv[1:]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    server = socket.socket(family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, int(port)))
    if transport == "udp":
        serve_datagrams(server, how)
    context = None
    if transport == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        context.sni_callback = lambda connection, name, context: print(f"asked for {name}", flush=True)
    server.listen(100)
    while True:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve_connection, args=(connection, how, context), daemon=True).start()


main()
