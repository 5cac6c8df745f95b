# SPDX-License-Identifier: GPL-2.0
"""SIP calls over UDP and connections over TCP from the client's namespace to the VIP, and the backends
that receive them in their namespaces. One process runs both ends, so that one clock times the sending
and the arrival of each packet. It reports both to the model."""
import asyncio
import ctypes
import os
import random
import re
import socket
import struct
import time
from collections import defaultdict

from model import Call, Packet

CLONE_NEWNET = 0x40000000
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
MTU = 1500  # larger datagrams are sent as two fragments
LONGEST = 7.0  # seconds of a call; a drain_timeout must be longer
NUMBER = re.compile(rb"\r\nX-Number: (\d+)\r\n")
clock = time.monotonic


def socket_in(namespace, *kind):
    """Opens a socket in a different network namespace, where it stays."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(namespace, os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        return socket.socket(*kind)
    finally:
        libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


class Host:
    """The machine of a backend: responds to probes and connections, and reports all other packets."""

    def __init__(self, name, namespace, vip, ports, line_port, model):
        self.name, self.namespace, self.model = name, namespace, model
        self.vip, self.ports, self.line_port = vip, ports, line_port
        self.mute = False  # the process hangs: it reads and does not respond
        self.sockets, self.connections, self.owed = [], set(), []

    def open(self):
        loop = asyncio.get_running_loop()
        for port in self.ports:
            sock = socket_in(self.namespace, socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
            sock.bind((self.vip, port))
            loop.add_reader(sock, self._read, sock)
            self.sockets.append(sock)
        sock = socket_in(self.namespace, socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.vip, self.line_port))
        sock.listen(256)
        loop.add_reader(sock, self._accept, sock)
        self.sockets.append(sock)

    def close(self):
        """Behaves as if its processes had been killed."""
        loop = asyncio.get_running_loop()
        for sock in self.sockets:
            loop.remove_reader(sock)
            sock.close()
        for sock in list(self.connections):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._end(sock)
        self.sockets = []

    def hang(self):
        self.mute = True

    def go_on(self):
        self.mute = False
        owed, self.owed = self.owed, []
        for sock in owed:
            if sock in self.connections:
                self._answer_line(sock)

    def _read(self, sock):
        while True:
            try:
                data, sender = sock.recvfrom(65535)
            except BlockingIOError:
                return
            number = NUMBER.search(data)
            if number:
                self.model.arrived(int(number[1]), self.name, clock())
            elif not self.mute:
                self._answer_probe(sock, data, sender)

    def _answer_probe(self, sock, data, sender):
        kept = [line for line in data.decode().split("\r\n") if re.match(r"(via|from|to|call-id|cseq) *:", line, re.I)]
        answer = "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""])
        try:
            sock.sendto(answer.encode(), sender)
        except OSError:
            pass  # the link is down: no response

    def _accept(self, listener):
        sock, _ = listener.accept()
        sock.setblocking(False)
        self.connections.add(sock)
        asyncio.get_running_loop().add_reader(sock, self._read_line, sock)

    def _end(self, sock):
        self.connections.discard(sock)
        asyncio.get_running_loop().remove_reader(sock)
        sock.close()

    def _read_line(self, sock):
        try:
            data = sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(sock)
        elif self.mute:
            self.owed.append(sock)
        else:
            self._answer_line(sock)

    def _answer_line(self, sock):
        try:
            sock.send(self.name.encode() + b"\n")
        except OSError:
            self._end(sock)


class Traffic:
    """Starts calls and connections at a given rate until stop()."""

    def __init__(self, model, namespace, vip, client, services, line_pool, line_port, rate):
        self.model, self.namespace, self.vip, self.client = model, namespace, vip, client
        self.services, self.line_pool, self.line_port, self.rate = services, line_pool, line_port, rate
        self.random = random.Random(os.getpid())
        self.number, self.calls, self.tasks = 0, 0, set()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.sent = defaultdict(int)  # packets, by port
        self.sock = socket_in(namespace, socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20)
        self.sock.bind((client, 5060))

    # --- one message

    def _message(self, call, what, method, branch, tag, size):
        status = what.isdigit()
        lines = [
            f"SIP/2.0 {what} OK" if status else f"{method} sip:soak@example.net SIP/2.0",
            f"Via: SIP/2.0/UDP {self.client}:5060;branch=z9hG4bK-{branch}",
            "Max-Forwards: 70",
            "From: <sip:client@example.net>;tag=c",
            f"To: <sip:soak@example.net>{';tag=s' if tag else ''}",
            f"X-Number: {self.number}",
            f"Call-ID: {call.id}",
            f"CSeq: 1 {method}",
            f"Content-Length: {size}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + "v" * size).encode()

    async def say(self, call, port, what, tag=True, branch=None, size=0):
        await self.flowing.wait()
        self.number += 1
        method = "INVITE" if what.isdigit() else what
        data = self._message(call, what, method, branch or self.number, tag, size)
        self.model.sent(Packet(self.number, call, what, clock()))
        try:
            self.sock.sendto(data, (self.vip, port))
            self.sent[port] += 1 + (size > MTU)
        except OSError as error:
            if error.errno not in (11, 101, 105, 111, 113):
                raise
            # A late ICMP error of an earlier packet, or no room: this packet was not sent.
            del self.model.packets[self.number]
            self.model.counts["sent"] -= 1

    # --- one call

    async def call(self, pool, port):
        self.calls += 1
        call = Call(f"{self.calls}-{os.getpid()}-soak@example.net", pool, clock())
        kinds = [self.usual, self.usual, self.silent, self.repeated, self.challenged, self.cancelled, self.registered]
        await self.random.choice(kinds)(call, port)

    async def pause(self, least, most):
        await asyncio.sleep(self.random.uniform(least, most))

    async def usual(self, call, port):
        await self.say(call, port, "INVITE", tag=False, size=2400 if self.random.random() < 0.05 else 0)
        await self.pause(0.01, 0.2)
        await self.say(call, port, "ACK")
        end = clock() + self.random.uniform(0, LONGEST - 2)
        while clock() < end:
            await self.pause(0.05, 1.5)
            await self.say(call, port, self.random.choice(["INVITE", "INFO", "UPDATE", "200", "ACK"]))
        await self.say(call, port, "BYE")

    async def silent(self, call, port):
        await self.say(call, port, "INVITE", tag=False)
        await self.say(call, port, "ACK")
        await self.pause(2, LONGEST)
        await self.say(call, port, "BYE")

    async def repeated(self, call, port):
        for _ in range(3):
            await self.say(call, port, "INVITE", tag=False, branch=call.id)
            await self.pause(0.1, 0.5)
        await self.say(call, port, "ACK")
        await self.pause(0.1, 3)
        await self.say(call, port, "BYE")
        await self.pause(0.1, 0.5)
        await self.say(call, port, "BYE")

    async def challenged(self, call, port):
        await self.say(call, port, "INVITE", tag=False, branch=call.id)
        await self.pause(0.01, 0.1)
        await self.say(call, port, "ACK", branch=call.id)
        await self.pause(0.01, 0.5)
        await self.usual(call, port)

    async def cancelled(self, call, port):
        await self.say(call, port, "INVITE", tag=False, branch=call.id)
        await self.pause(0.1, 3)
        await self.say(call, port, "CANCEL", tag=False, branch=call.id)
        await self.pause(0.01, 0.2)
        await self.say(call, port, "ACK", branch=call.id)

    async def registered(self, call, port):
        for _ in range(self.random.randint(1, 4)):
            await self.say(call, port, "REGISTER", tag=False)
            await self.pause(0.5, 1.2)

    # --- one connection

    async def connection(self):
        self.calls += 1
        call = Call(f"connection {self.calls}", self.line_pool, clock())
        sock = socket_in(self.namespace, socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.bind((self.client, 0))
        call.id += f" from port {sock.getsockname()[1]}"
        writer = None
        try:
            async with asyncio.timeout(30):
                await asyncio.get_running_loop().sock_connect(sock, (self.vip, self.line_port))
                reader, writer = await asyncio.open_connection(sock=sock)
                await self._lines(call, reader, writer)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            if not self.model.may_break(call, clock()):
                self.model.fault(clock(), f"{call.id} at {call.home or 'nobody'} broke: {error or 'no answer'}", call)
        finally:
            # The event loop must forget the descriptor before it is closed: the next socket or pipe receives its number.
            if writer:
                writer.transport.abort()
            else:
                sock.close()

    async def _lines(self, call, reader, writer):
        self.model.counts["connections"] += 1
        end = call.begun + self.random.uniform(0, LONGEST)
        while True:
            await self.flowing.wait()
            sent = clock()
            writer.write(b"line\n")
            name = (await reader.readline()).decode().strip()
            if not name:
                raise EOFError("closed")
            self.model.met(call, name, sent, clock(), "line")
            if clock() >= end:
                break
            await self.pause(0.1, 2)

    # --- many

    async def run(self):
        due = clock()
        while True:
            await self.flowing.wait()
            self._begin(self.call(*self.random.choice(self.services)))
            if self.random.random() < 0.1:
                self._begin(self.connection())
            due = max(due + self.random.expovariate(self.rate), clock() - 0.5)
            await asyncio.sleep(max(0, due - clock()))

    def _begin(self, work):
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.result())
