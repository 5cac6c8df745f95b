#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Random operations on a balancer with established calls, checked against a model of what may happen to
a call (model.py). tests/soak/run builds the lab and starts this program.

A round has a seed; a seed has the same operations each time. The lab, the daemon and the
traffic continue from round to round, and each round begins in the initial state."""
import argparse
import asyncio
import collections
import os
import random
import sys
import time

import configuration
import steps
from balancer import Balancer
from joining import Joining
from model import FLIGHT, Model, Pool
from player import Player
from traffic import Host, Traffic

clock = time.monotonic
EARLIEST = 0.6  # no probe detects a death shorter than this, seconds
STALL = 0.5  # seconds for which this process may be stopped
SHOWN = 5  # faults of a round that are printed in full
LOG = "    log: "
PORTS = {"a": 5060, "b": 5062}
LINES = 5070

def arguments():
    parser = argparse.ArgumentParser(prog="tests/soak/run", description="Random operations, checked by a model.")
    parser.add_argument("--seed", type=int, action="append", help="of a round; may be given several times (random)")
    parser.add_argument("--rounds", type=int, default=1, help="how many, with the seeds that follow the last one")
    parser.add_argument("--minutes", type=float, default=0, help="run for so many minutes")
    parser.add_argument("--steps", type=int, default=25, help="of a round")
    parser.add_argument("--rate", type=float, default=25, help="new calls a second")
    parser.add_argument("--only", help="kinds of steps, with commas between: " + ",".join(steps.KINDS))
    parser.add_argument("--without", default="", help="likewise, those that are left out")
    parser.add_argument("--play", metavar="FILE", help="a round of these steps, as a run that failed has kept them")
    parser.add_argument("--keep", metavar="DIRECTORY", default="build/soak", help="where those are put")
    parser.add_argument("--betray", action="store_true", help="the model is not told of one maint: it must find out")
    parser.add_argument("--verbose", action="store_true", help="print the history while it happens")
    options = parser.parse_args()
    without = options.without.split(",")
    options.kinds = [kind for kind in (options.only.split(",") if options.only else steps.KINDS) if kind not in without]
    unknown = set(options.kinds + [w for w in without if w]) - set(steps.KINDS)
    if unknown:
        parser.error(f"no such kind of step: {', '.join(sorted(unknown))}")
    return options


class Soak:
    def __init__(self, options):
        self.options = options
        self.vip, self.client, directory = (os.environ[name] for name in ("SOAK_VIP", "SOAK_CLIENT", "SOAK_DIR"))
        holders = dict(pair.split("=") for pair in os.environ["SOAK_HOLDERS"].split())
        *self.names, joiner = names = sorted(name for name in holders if name.startswith("px"))
        self.addresses = {name: f"10.0.0.{10 + int(name[2:])}" for name in names}
        self.history = collections.deque(maxlen=20000)
        self.failed, self.rounds, self.stalls, self.round_begun = 0, 0, 0, 0.0
        self.memory = []  # (seconds since its start, pid, KiB, descriptors)
        self.turn = None  # longest turn of the daemon's event loop, ms
        self.model = Model([Pool("a"), Pool("b")], names, EARLIEST)
        namespace = {name: f"/proc/{pid}/ns/net" for name, pid in holders.items()}
        hosts = {n: Host(n, namespace[n], self.vip, PORTS.values(), LINES, self.model) for n in names}
        self.balancer = Balancer(holders, directory, os.environ["SOAK_CONFIG"])
        pools = self.model.pools
        self.traffic = Traffic(self.model, namespace["client"], self.vip, self.client,
                               [(pools[name], port) for name, port in PORTS.items()], pools["a"], LINES, options.rate)
        self.joining = Joining(joiner, self.addresses[joiner], "a", namespace[joiner], os.environ["SOAK_BALANCER"], self.model)
        first = {pool: {n: 1 for n in self.names[:-1]} for pool in PORTS}
        self.player = Player(self.model, self.balancer, hosts, self.addresses, self.configure, first, self.note,
                             self.logged)

    def configure(self, files):
        return configuration.text(files, self.vip, os.environ["SOAK_BALANCER"], self.addresses, self.player.notes)

    # --- history

    def note(self, text):
        self.history.append((clock(), text))
        if self.options.verbose:
            print(f"{clock() - self.round_begun:8.3f}  {text}", flush=True)

    def logged(self, since):
        return [text for when, text in self.history if when >= since and text.startswith(LOG)]

    async def watch(self):
        """Copies the daemon's log into the history, and checks for stalls of this process and lost packets."""
        before = clock()
        while True:
            await asyncio.sleep(0.05)
            now = clock()
            if now - before > STALL:
                self.stalls += 1
                self.model.shaken(before, now + 1, f"the test stood still for {now - before:.1f} s")
                self.note(f"the test stood still for {now - before:.1f} s")
            before = now
            for line in self.balancer.new_log():
                self.note(LOG + line)
            self.model.sweep(now)

    # --- rounds

    async def begin(self):
        for host in self.player.hosts.values():
            host.open()
        self.balancer.write(self.configure(self.player.first_files))
        await self.balancer.must("balancer", "sipxdp-loader", "attach", "-c", self.balancer.config)
        await self.balancer.start()
        if not await self.balancer.answers():
            raise RuntimeError("sipxdpd does not answer: " + " | ".join(self.balancer.new_log()))
        spans = self.model.reload_begins(self.player.weighed(), clock())
        self.model.reloaded(self.player.weighed(), spans, clock(), "done")
        await self.joining.start()
        while not any(row["name"] == self.joining.name for row in await self.balancer.ask("backend", "list") or []):
            await asyncio.sleep(0.1)
        self.model.joined(self.joining.pool, self.joining.name, self.joining.address)
        self.player.joined[self.joining.pool].append(self.joining.name)
        beats = asyncio.create_task(self.joining.run())
        await self.player.heal()
        self.background = [beats, asyncio.create_task(self.watch()), asyncio.create_task(self.traffic.run())]

    async def round(self, seed, some):
        self.rounds += 1
        self.round_begun = clock()
        self.model.faults.clear()
        before = dict(self.model.counts)
        await self.player.heal()
        counted = await self.count()
        self.player.counters_lost = False
        begun = clock()
        for index, step in enumerate(some):
            await self.player.play(step)
            if self.options.betray and index == len(some) // 2:
                await self.balancer.ctl("backend", "maint", "a", "px1")
            self.sample()
            if len(self.model.faults) >= SHOWN:
                break
        if self.player.background:
            await asyncio.wait(self.player.background)
        await self.account(counted, begun)
        self.model.forget(clock())
        counts = {name: value - before[name] for name, value in self.model.counts.items()}
        faults = len(self.model.faults)
        print(f"seed {seed}: {len(some)} steps, {clock() - self.round_begun:.0f} s, "
              + ", ".join(f"{value} {name}" for name, value in counts.items()) + f", {faults} faults", flush=True)
        if faults:
            self.failed += 1
            await self.show(seed, some)

    def sample(self):
        memory = self.balancer.memory()
        if memory:
            self.memory.append((clock() - self.balancer.started, self.balancer.daemon.pid, *memory))

    # --- counters

    async def count(self):
        """The packets sent and the counters of the balancer, while no packet is in flight."""
        self.traffic.flowing.clear()
        await asyncio.sleep(FLIGHT)
        self.model.sweep(clock(), FLIGHT)
        stats, status = await self.balancer.ask("stats"), await self.balancer.ask("status")
        sent = dict(self.traffic.sent)
        self.traffic.flowing.set()
        if status and "longest_turn_ms" in status:
            self.turn = max(self.turn or 0, status["longest_turn_ms"])
        return stats and {
            "sent": sent,
            "services": {row["name"]: row["packets"] for row in stats["services"]},
            "verdicts": {row["name"]: row["packets"] for row in stats["verdicts"]},
        }

    async def account(self, before, begun):
        """Each datagram to a service must be in its counter, and in no wrong verdict."""
        after = await self.count()
        if not before or not after:
            self.player.fault("no counters")
            return
        if self.player.counters_lost:
            return
        troubled = any(span.meets(begun, clock()) for span in self.model.trouble)
        for service, pool in (("sip", "a"), ("sip-b", "b")):
            sent = after["sent"][PORTS[pool]] - before["sent"].get(PORTS[pool], 0)
            counted = after["services"][service] - before["services"][service]
            if counted > sent or (counted < sent and not troubled):
                self.player.fault(f"service {service}: {sent} packets sent, {counted} counted")
        for verdict in ("no_call_id", "call_id_too_far", "headers_too_far", "not_sip", "malformed", "oversize",
                        "too_big", "too_big_tcp", "orphan_fragment", "lost_probe_reply", "no_headroom",
                        "ttl_expired"):
            more = after["verdicts"].get(verdict, 0) - before["verdicts"].get(verdict, 0)
            if more:
                self.player.fault(f"{more} packets counted as {verdict}, and none was sent that is")

    # --- a failure

    async def show(self, seed, some):
        os.makedirs(self.options.keep, exist_ok=True)
        path = os.path.join(self.options.keep, f"seed-{seed}.steps")
        steps.write(path, some)
        print(f"FAILED: seed {seed}; tests/soak/run --seed {seed} does the same steps, which are in {path}"
              f" for --play; kinds: {','.join(self.options.kinds)}")
        first = self.model.faults[0][0]
        for now, text, call in self.model.faults[:SHOWN]:
            print(f"\n{now - self.round_begun:8.3f}  FAULT: {text}")
            if call:
                first = min(first, call.begun)
                await self.show_call(call, now)
        print("\nwhat was done, and what the daemon said:")
        last = self.model.faults[min(SHOWN, len(self.model.faults)) - 1][0]
        for when, text in list(self.history):
            if first - 20 <= when <= last + 2:
                print(f"{when - self.round_begun:8.3f}  {text}")
        for question in ("status",), ("backend", "list"):
            print(f"\n{' '.join(question)} now:\n" + (await self.balancer.run("balancer", "sipxdp-ctl", *question))[1])
        sys.stdout.flush()

    async def show_call(self, call, now):
        for when, what, where in call.trail[-20:]:
            print(f"{when - self.round_begun:8.3f}      {what} -> {where}")
        for name in {where for _, _, where in call.trail}:
            for span in self.model.reasons(call.pool, name, call.begun, now):
                print(f"          {name} may lose calls from {span.start - self.round_begun:.3f}"
                      f" to {span.end - self.round_begun:.3f}: {span.why}")
        service = {"a": "sip", "b": "sip-b"}[call.pool.name]
        if not call.id.startswith("connection"):
            print("          lookup: " + (await self.balancer.run("balancer", "sipxdp-ctl", "lookup", service, call.id))[1].strip())

    # --- the end

    def report(self):
        lives = collections.defaultdict(list)
        for age, pid, size, descriptors in self.memory:
            lives[pid].append((age, size, descriptors))
        longest = max(lives.values(), key=lambda life: life[-1][0], default=None)
        counts = ", ".join(f"{value} {name}" for name, value in self.model.counts.items())
        print(f"{self.rounds} rounds, {self.failed} failed; {counts}; the test stood still {self.stalls} times")
        if longest:
            (age, size, descriptors), (end, last, open_last) = longest[0], longest[-1]
            print(f"{len(lives)} daemons; memory {max(m[2] for m in self.memory)} KiB at most, "
                  f"{max(m[3] for m in self.memory)} descriptors; of that which ran longest: "
                  f"{size} KiB and {descriptors} descriptors at {age:.0f} s, {last} and {open_last} at {end:.0f} s")
        if self.turn is not None:
            print(f"longest turn of the daemon's loop: {self.turn} ms")

    async def run(self):
        options, names = self.options, self.names
        seeds = options.seed or [random.SystemRandom().randrange(1, 1 << 31)]
        end = clock() + options.minutes * 60
        asyncio.get_running_loop().set_exception_handler(self.broken)
        await self.begin()
        rounds = 0
        while rounds < max(options.rounds, len(seeds)) or clock() < end:
            seed = seeds[rounds] if rounds < len(seeds) else seeds[-1] + rounds - len(seeds) + 1
            some = steps.read(options.play) if options.play else steps.steps(seed, options.steps, names, options.kinds)
            await self.round(seed, some)
            rounds += 1
        status = await self.balancer.stop("TERM")
        if status != 0:
            self.failed += 1
            print(f"FAILED: the daemon ended with status {status} when it was told to")
        self.report()
        return 1 if self.failed else 0

    def broken(self, loop, context):
        """An error in the test itself must not count as success."""
        self.model.fault(clock(), f"the test itself: {context['message']}: {context.get('exception')!r}")
        loop.default_exception_handler(context)


if __name__ == "__main__":
    sys.exit(asyncio.run(Soak(arguments()).run()))
