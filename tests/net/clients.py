#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Unusual HTTP clients: clients.py HOST PORT CASE. Prints what the server does.

silent N      N connections that send nothing; prints 'connected', and then how many the server closes
slow          sends one byte of a request at a time until the server closes
slow-reader   N requests for PATH whose responses are not read; keeps them until standard input ends
garbage       sends bytes that are not HTTP
load N PATH...  N clients that request the paths repeatedly until the program is killed
huge          sends a header of 1 MiB
"""
import os
import socket
import sys
import threading
import time

HOST, PORT, CASE = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def connect(buffer=None):
    client = socket.socket(socket.AF_INET6 if ':' in HOST else socket.AF_INET)
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(60)
    client.connect((HOST, PORT))
    return client


def send(client, data):
    try:
        client.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def rest(client):
    data = b''
    try:
        while part := client.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


def status(client):
    line = rest(client).split(b'\r\n')[0].decode('latin-1')
    return line or 'closed'


if CASE == 'silent':
    clients = [connect() for _ in range(int(sys.argv[4]))]
    print('connected', flush=True)
    print(sum(rest(client) == b'' for client in clients))
elif CASE == 'slow':
    client = connect()
    try:
        while True:
            client.sendall(b'G')
            time.sleep(0.2)
    except (BrokenPipeError, ConnectionResetError):
        print('closed')
elif CASE == 'slow-reader':
    clients = [connect(4096) for _ in range(int(sys.argv[4]))]
    for client in clients:
        send(client, b'GET %s HTTP/1.1\r\nHost: a\r\n\r\n' % sys.argv[5].encode())
    print('sent', flush=True)
    sys.stdin.read()
elif CASE == 'load':
    def load(turn):
        while True:
            turn += 1
            try:
                client = connect()
                send(client, b'GET %s HTTP/1.1\r\nHost: a\r\n\r\n' % sys.argv[5 + turn % len(sys.argv[5:])].encode())
                if b' 200 ' in rest(client)[:16]:
                    print('served', flush=True)
            except ConnectionError:
                time.sleep(0.02)  # nothing listens

    for number in range(int(sys.argv[4])):
        threading.Thread(target=load, args=(number,)).start()
elif CASE == 'garbage':
    client = connect()
    send(client, os.urandom(2048) + b'\r\n\r\n')
    print(status(client))
elif CASE == 'huge':
    client = connect()
    send(client, b'GET /healthz HTTP/1.1\r\nHost: a\r\nX: ' + b'a' * (1 << 20) + b'\r\n\r\n')
    print(status(client))
