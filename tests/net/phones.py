#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Drives baresip phones through their ctrl_tcp module, for test_servers.sh.

usage: phones.py COMMAND [ARGUMENT] NAME=ADDRESS...

  up A B         A calls B
  up_at LOG A B  A calls B repeatedly until the INVITE appears in LOG, the log of a server
  reinvite A B   each phone sends a re-INVITE in their call
  down A B       A ends the call
  pairs A B...   all of this for each ordered pair; A ends a first call and B a second one

Prints each fault; the exit status is 1 if there is one.
"""
import itertools
import json
import select
import socket
import sys
import time

PORT = 4444
PATIENCE = 20  # seconds


class Fault(Exception):
    pass


class Phone:
    def __init__(self, name, address):
        self.name = name
        self.socket = socket.create_connection((address, PORT), PATIENCE)
        self.buffer = b""
        self.events = []

    def send(self, command, params=""):
        text = json.dumps({"command": command, "params": params}).encode()
        self.socket.sendall(b"%d:%s," % (len(text), text))

    def read(self):
        """Receives once, and appends the events of complete netstrings."""
        data = self.socket.recv(65536)
        if not data:
            raise Fault(f"{self.name} closed its control connection")
        self.buffer += data
        while b":" in self.buffer:
            length, rest = self.buffer.split(b":", 1)
            size = int(length)
            if len(rest) <= size:
                return
            self.buffer = rest[size + 1:]
            message = json.loads(rest[:size])
            if message.get("event"):
                self.events.append(message)

    def wait(self, kind, param=None):
        """Returns the next event of this type, and forgets earlier ones."""
        deadline = time.monotonic() + PATIENCE
        while True:
            while self.events:
                event = self.events.pop(0)
                if event["type"] == kind and param in (None, event.get("param")):
                    return event
                if event["type"] == "CALL_CLOSED":
                    raise Fault(f"{self.name} waits for {kind}, but the call ends: {event.get('param')}")
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise Fault(f"{self.name} does not report {kind}")
            self.read()


def up(caller, callee):
    caller.send("dial", f"sip:{callee.name}@sip.example.net")
    call_id = callee.wait("CALL_ESTABLISHED")["id"]
    caller.wait("CALL_ESTABLISHED")
    return call_id


def up_at(log, caller, callee):
    for _ in range(40):
        call_id = up(caller, callee)
        with open(log, encoding="utf-8") as file:
            if f"INVITE {call_id} " in file.read():
                return
        down(caller, callee)
    raise Fault(f"no call of {caller.name} is in {log}")


def reinvite(a, b):
    for one, other in ((a, b), (b, a)):
        one.send("reinvite")
        other.wait("CALL_REMOTE_SDP", "offer")
        one.wait("CALL_REMOTE_SDP", "answer")


def down(a, b):
    a.send("hangup")
    for phone in (b, a):
        phone.wait("CALL_CLOSED")


def pairs(*phones):
    for a, b in itertools.permutations(phones, 2):
        for first, second in ((a, b), (b, a)):
            try:
                up(a, b)
                reinvite(a, b)
                down(first, second)
            except Fault as fault:
                raise Fault(f"{a.name} calls {b.name}, {first.name} ends the call: {fault}") from None


COMMANDS = {f.__name__: f for f in (up, up_at, reinvite, down, pairs)}


def main():
    command, *arguments = sys.argv[1:]
    try:
        COMMANDS[command](*(Phone(*a.split("=")) if "=" in a else a for a in arguments))
    except Fault as fault:
        sys.exit(str(fault))


main()
