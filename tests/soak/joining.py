# SPDX-License-Identifier: GPL-2.0
"""A backend that joins a pool (docs/join.md) and sends a heartbeat every second. It continues whatever
happens to the daemon, and the balancer must never count it as silent."""
import asyncio
import hashlib
import hmac
import json
import socket
import time

from traffic import clock, socket_in

SECRET = "a-secret-of-the-soak"
PORT = 7946
NODE_TIMEOUT = 5  # seconds


class Joining:
    def __init__(self, name, address, pool, namespace, balancer, model):
        self.name, self.address, self.pool = name, address, pool
        self.namespace, self.balancer, self.model = namespace, balancer, model

    async def say(self, action):
        """The status of the response, or None without a response."""
        body = json.dumps({"action": action, "pool": self.pool, "name": self.name, "address": self.address})
        now = str(int(time.time()))
        signature = hmac.new(SECRET.encode(), f"{now}\n{body}".encode(), hashlib.sha256).hexdigest()
        head = ["POST / HTTP/1.1", f"Host: {self.balancer}", f"X-Sipxdp-Time: {now}", f"X-Sipxdp-Signature: {signature}",
                f"Content-Length: {len(body)}", "Connection: close", "", body]
        sock = socket_in(self.namespace, socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        writer = None
        try:
            await asyncio.get_running_loop().sock_connect(sock, (self.balancer, PORT))
            reader, writer = await asyncio.open_connection(sock=sock)
            writer.write("\r\n".join(head).encode())
            answer = (await reader.read()).split()
            return int(answer[1]) if len(answer) > 1 else None
        except OSError:
            return None
        finally:
            if writer: # as in traffic.py
                writer.transport.abort()
            else:
                sock.close()

    async def start(self):
        for _ in range(50):
            if await self.say("start") == 200:
                return
            await asyncio.sleep(0.1)
        raise RuntimeError(f"{self.name} cannot join")

    async def run(self):
        while True:
            await asyncio.sleep(1.1)
            try:
                status = await asyncio.wait_for(self.say("heartbeat"), 1)
            except asyncio.TimeoutError:
                continue  # the daemon is stopped, or the network is down
            if status not in (None, 200):
                self.model.fault(clock(), f"heartbeat of {self.pool}/{self.name}: status {status}")
