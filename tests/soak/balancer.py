# SPDX-License-Identifier: GPL-2.0
"""The balancer under test: file, daemon and commands. The real programs run in their namespace."""
import asyncio
import json
import os
import signal
import time

SOCKET_FAULTS = (
    "cannot connect",
    "cannot send",
    "sipxdpd at",
    "the reply of sipxdpd",
    "cannot change the maps",
    "the program that listens",
)


class Balancer:
    def __init__(self, holders, directory, config):
        self.holders, self.directory, self.config = holders, directory, config
        self.daemon, self.started, self.offset = None, 0.0, 0
        self.log_path = os.path.join(directory, "sipxdpd.log")

    def _at(self, host, *command):
        return ["nsenter", "--target", self.holders[host], "--net", "--mount", "--wd", "--", *command]

    async def run(self, host, *command, timeout=30, kill_after=None):
        """(exit status, output, errors). The status of a killed program is None."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._at(host, *command), stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        if kill_after is not None:
            await asyncio.sleep(kill_after)
            if process.returncode is None:
                process.kill()
        try:
            output, errors = await asyncio.wait_for(process.communicate(), timeout)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
            raise TimeoutError(f"{' '.join(command)} has not ended within {timeout} s") from None
        return process.returncode, output.decode(), errors.decode()

    async def must(self, host, *command, **options):
        status, output, errors = await self.run(host, *command, **options)
        if status:
            raise RuntimeError(f"{' '.join(command)}: status {status}: {output}{errors}")
        return output

    # --- sipxdp-ctl

    async def ctl(self, *arguments, **options):
        """(outcome, result): "done" and the answer, or "refused" or "unknown" and the message."""
        status, output, errors = await self.run("balancer", "sipxdp-ctl", "--json", *arguments, **options)
        if status == 0:
            return "done", json.loads(output)
        try:
            words = json.loads(output or errors)
            error = words["error"]
        except (ValueError, KeyError):
            return "unknown", f"status {status}: {output}{errors}"
        if status < 0 or error.startswith(SOCKET_FAULTS):
            return "unknown", error
        return "refused", error

    async def ask(self, *arguments):
        """The result of a query, or None if no daemon answers."""
        outcome, result = await self.ctl(*arguments)
        return result if outcome == "done" else None

    async def change(self, command, pool, *arguments, **options):
        if command == "finish":
            return await self.ctl("pool", "finish", pool, **options)
        word, *more = command.split()
        return await self.ctl("backend", word, pool, *arguments, *more, **options)

    # --- the file

    def write(self, text):
        """Writes the file into /etc of the balancer, which has a mount namespace of its own."""
        with open(f"/proc/{self.holders['balancer']}/root{self.config}", "w", encoding="utf-8") as out:
            out.write(text)

    # --- sipxdpd

    async def start(self):
        with open(self.log_path, "ab") as log:
            self.daemon = await asyncio.create_subprocess_exec(
                *self._at("balancer", "sipxdpd", "-c", self.config),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log)
        self.started = time.monotonic()

    async def answers(self, seconds=15):
        """Waits until the daemon answers. False if it never does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = await self.ask("status")
            if status and status.get("pid") == self.daemon.pid:
                return True
            if self.daemon.returncode is not None:
                return False
            await asyncio.sleep(0.05)
        return False

    async def stop(self, name):
        """Stops the daemon. Its exit status, which should be 0 for TERM."""
        if self.daemon.returncode is None:
            self.daemon.send_signal(getattr(signal, f"SIG{name}"))
        try:
            return await asyncio.wait_for(self.daemon.wait(), 10)
        except asyncio.TimeoutError:
            self.daemon.kill()
            return None

    def signal(self, name):
        self.daemon.send_signal(getattr(signal, f"SIG{name}"))

    def new_log(self):
        """The log lines of the daemon since the previous call."""
        with open(self.log_path, "rb") as log:
            log.seek(self.offset)
            text = log.read()
        whole = text.rfind(b"\n") + 1
        self.offset += whole
        return text[:whole].decode(errors="replace").splitlines()

    def memory(self):
        """(resident KiB, open descriptors) of the daemon; None if it does not run."""
        try:
            with open(f"/proc/{self.daemon.pid}/statm", encoding="ascii") as file:
                pages = int(file.read().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") // 1024, len(os.listdir(f"/proc/{self.daemon.pid}/fd"))
        except (OSError, AttributeError):
            return None
