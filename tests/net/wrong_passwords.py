#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Guesses passwords: sends REGISTERs with a wrong digest.

usage: wrong_passwords.py SOURCE SERVER COUNT

Each attempt asks for a nonce, and answers it with a wrong response. Prints the number of attempts that the server has
answered, and ends early at the first one without an answer.
"""
import re
import socket
import sys
import uuid

PATIENCE = 5  # transmissions of a request, one per second


def main():
    source, server, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((source, 0))
    sender.settimeout(1)
    port = sender.getsockname()[1]
    call = uuid.uuid4()
    number = 0

    def request(credentials):
        """Returns the response to the next REGISTER, or None."""
        nonlocal number
        number += 1
        message = (
            f"REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {source}:{port};branch=z9hG4bK{call}{number}\r\n"
            f"From: <sip:bob@{server}>;tag=1\r\nTo: <sip:bob@{server}>\r\nCall-ID: {call}\r\nCSeq: {number} REGISTER\r\n"
            f"Contact: <sip:bob@{source}:{port}>\r\nMax-Forwards: 70\r\n{credentials}Content-Length: 0\r\n\r\n"
        )
        for _ in range(PATIENCE):
            sender.sendto(message.encode(), (server, 5060))
            try:
                response = sender.recv(65535).decode()
                while f"CSeq: {number} " not in response:
                    response = sender.recv(65535).decode()
                return response
            except TimeoutError:
                continue
        return None

    answered = 0
    while answered < count:
        challenge = request("")
        nonce = challenge and re.search('nonce="([^"]*)"', challenge)
        if not nonce:
            break
        if not request(
            f'Authorization: Digest username="bob", realm="{server}", nonce="{nonce[1]}", uri="sip:{server}", '
            f'response="{uuid.uuid4().hex}"\r\n'
        ):
            break
        answered += 1
    print(answered)


main()
