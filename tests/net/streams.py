#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Uses many connections at the same time and prints the server of each, one line per connection.

usage: streams.py http|tls|ws ADDRESS PORT COUNT [CA]

Each connection sends three requests: HTTP, SIP over TLS, or SIP over WebSocket (RFC 7118). The server
responds with its name as reason phrase (tests/net/sip/streams.cfg). The connections take turns, so all
of them exist at the same time."""

import base64
import os
import socket
import ssl
import struct
import sys

REQUESTS = 3


def options(transport, connection, number):
    return (
        f"OPTIONS sip:example.net SIP/2.0\r\nVia: SIP/2.0/{transport} client.invalid;branch=z9hG4bK{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:client.invalid>;tag={connection}\r\nTo: <sip:example.net>\r\n"
        f"Call-ID: stream-{connection}\r\nCSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Http:
    def __init__(self, address, port):
        self.socket = socket.create_connection((address, port), timeout=10)
        self.left = b""

    def read(self, length):
        while len(self.left) < length:
            data = self.socket.recv(4096)
            if not data:
                raise ConnectionError("the server has closed the connection")
            self.left += data
        data, self.left = self.left[:length], self.left[length:]
        return data

    def read_line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.read(1)
        return line.decode().strip()

    def read_head(self):
        """Reads the head of a message. Returns its first line and the headers by lower-case name."""
        first, headers = self.read_line(), {}
        while line := self.read_line():
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        return first, headers

    def read_answer(self):
        first, headers = self.read_head()
        self.read(int(headers.get("content-length", 0)))
        return first

    def request(self, connection, number):
        return b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n"

    def ask(self, connection, number):
        self.socket.sendall(self.request(connection, number))
        return self.read_answer().split()[2]


class Tls(Http):
    context = None

    def __init__(self, address, port):
        super().__init__(address, port)
        self.socket = self.context.wrap_socket(self.socket, server_hostname=address)

    def request(self, connection, number):
        return options("TLS", connection, number)


class WebSocket(Http):
    def __init__(self, address, port):
        super().__init__(address, port)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        first, _ = self.read_head()
        if " 101 " not in first:
            raise ConnectionError(first)

    def request(self, connection, number):
        """A masked text frame, as clients must send it (RFC 6455, section 5.2)."""
        text, mask = options("WS", connection, number), os.urandom(4)
        head = struct.pack("!BBH", 0x81, 0x80 | 126, len(text)) + mask
        return head + bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))

    def read_answer(self):
        _, length = struct.unpack("!BB", self.read(2))
        if length == 126:
            (length,) = struct.unpack("!H", self.read(2))
        return self.read(length).decode().split("\r\n")[0]


kind, address, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if kind == "tls":
    Tls.context = ssl.create_default_context(cafile=sys.argv[5])
connections = [{"http": Http, "tls": Tls, "ws": WebSocket}[kind](address, port) for _ in range(count)]
answers = [[] for _ in connections]
for number in range(1, REQUESTS + 1):
    for i, connection in enumerate(connections):
        answers[i].append(connection.ask(i, number))
for names in answers:
    print(*names)
