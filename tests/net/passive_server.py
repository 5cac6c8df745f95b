#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A SIP server over UDP that passes its probes and may fail its calls.

  passive_server.py ADDRESS FAULTS

It responds to OPTIONS with 200. FAULTS is a file with the addresses of clients whose INVITEs it refuses with 503; it accepts others.
Prints "stray METHOD CALL-ID" for each ACK of a call that it has not answered, and for each BYE of a call that it has not accepted,
which it answers with 481.
"""
import pathlib
import socket
import sys

KEPT = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")


def answer(request, status):
    kept = [line for line in request.split(b"\r\n")[1:] if line.lower().startswith(KEPT)]
    return b"\r\n".join([b"SIP/2.0 " + status, *kept, b"Content-Length: 0", b"", b""])


def response(request, client, accepted, refused, faults):
    method = request.split(b" ", 1)[0]
    call = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"call-id:")).split()[1]
    if method == b"INVITE":
        if client in faults.read_text().split() and call not in accepted:
            refused.add(call)
            return answer(request, b"503 Service Unavailable")
        accepted.add(call)
        return answer(request, b"200 OK").replace(b"To: <sip:b@x>", b"To: <sip:b@x>;tag=b")
    if method == b"ACK" and call in refused:
        return None
    if method in (b"ACK", b"BYE") and call not in accepted:
        print("stray", method.decode(), call.decode(), flush=True)
        return answer(request, b"481 Call Does Not Exist") if method == b"BYE" else None
    return None if method == b"ACK" else answer(request, b"200 OK")


def main():
    address, faults = sys.argv[1], pathlib.Path(sys.argv[2])
    accepted, refused = set(), set()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 5060))
    while True:
        request, peer = server.recvfrom(65535)
        text = response(request, peer[0], accepted, refused, faults)
        if text:
            server.sendto(text, peer)


main()
