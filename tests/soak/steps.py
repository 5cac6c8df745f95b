# SPDX-License-Identifier: GPL-2.0
"""Computes the operations of a round from a seed. The result of an operation does not influence the
next one, so a seed always gives the same operations.

A step is a list: seconds to wait before it, its name, its arguments. A file has one step per line, as
JSON; it can be shortened by hand and played again."""
import json
import random

POOLS = ("a", "b")
# Changes of the file that must not move a call.
MORE = ("service", "pool", "ping", "hints", "ports", "slow start", "standby", "groups", "probe", "times")


class Source:
    """A random generator with a guess of the current state."""

    def __init__(self, seed, hosts):
        self.random, self.hosts = random.Random(seed), hosts
        self.there = {pool: set(hosts[:-1]) for pool in POOLS}  # a guess: commands may have failed

    def change(self):
        """A command of sipxdp-ctl for one backend or a pool."""
        rng, pool = self.random, self.random.choice(POOLS)
        command = rng.choices(
            ["drain", "ready", "maint", "weight", "add", "remove", "remove --drain", "finish"],
            [5, 9, 2, 4, 5, 2, 4, 1],
        )[0]
        if command == "finish":
            return [command, pool]
        likely = [h for h in self.hosts if (h in self.there[pool]) != (command == "add")]
        host = rng.choice(likely if likely and rng.random() < 0.9 else self.hosts)
        if command == "add":
            self.there[pool].add(host)
        elif command.startswith("remove"):
            self.there[pool].discard(host)
        if command == "weight":
            return [command, pool, host, str(rng.choice([0, 1, 1, 2, 3, 5]))]
        return [command, pool, host]

    def file(self):
        """pool -> {name: weight} with most of the hosts, and other changes of the file."""
        rng, files = self.random, {"more": [more for more in MORE if self.random.random() < 0.3]}
        for pool in POOLS:
            names = [host for host in self.hosts if rng.random() < 0.8] or self.hosts[:1]
            files[pool] = {name: rng.choice([1, 1, 1, 2, 3]) for name in names}
            self.there[pool] = set(names)
        return files


# The arguments of each kind of step.


def restart(source):
    """A restart with a pause."""
    return [source.random.choice(["TERM", "KILL", "KILL"]), source.random.choice([0, 0.2, 1, 2.5])]


def hold(source):
    """SIGSTOP, a command, SIGCONT."""
    return [source.random.choice([0.2, 0.5, 1.5, 3, 7]), source.change()]


def cut_short(source):
    """A command during which sipxdp-ctl is killed."""
    return [round(source.random.uniform(0, 0.02), 4), source.change()]


def crash(source):
    """A command during which the daemon is killed."""
    return [round(source.random.uniform(0, 0.03), 4), source.change()]


def death(source):
    """mute: it hangs; gone: its process was killed; cut: its cable was pulled."""
    rng = source.random
    return [rng.choice(["mute", "gone", "cut"]), rng.choice(source.hosts), rng.choice([0.3, 0.5, 2, 3, 5, 12])]


def deaths(source):
    """Several deaths at the same time."""
    rng = source.random
    hosts = rng.sample(source.hosts, rng.randint(2, len(source.hosts) - 1))
    return [rng.choice(["mute", "gone", "cut"]), sorted(hosts), rng.choice([0.5, 3, 8])]


def outage(source):
    """blocked: the switch does not forward to the balancer; carrier: its port is down."""
    return [source.random.choice(["blocked", "blocked", "carrier"]), source.random.choice([0.5, 1, 2, 3, 5, 8])]


def new_mac(source):
    """A backend changes its MAC address without an announcement."""
    return [source.random.choice(source.hosts)]


def nothing(_):
    return []


# name -> weight, maker
KINDS = {
    "change": (40, lambda source: [source.change()]),
    "reload": (5, lambda source: [source.file()]),
    "refused": (2, nothing),
    "hang up": (2, nothing),
    "restart": (4, restart),
    "hold": (2, hold),
    "cut short": (4, cut_short),
    "crash": (4, crash),
    "death": (7, death),
    "deaths": (2, deaths),
    "outage": (3, outage),
    "new mac": (1, new_mac),
    "planned": (3, lambda source: [source.file()]),
    "limits": (1, nothing),
    "upgrade": (2, nothing),
    "ask": (4, nothing),
}


def steps(seed, count, hosts, kinds):
    source = Source(seed, hosts)
    weights = [KINDS[kind][0] for kind in kinds]
    result = []
    for _ in range(count):
        gap = source.random.choice([0, 0.05, 0.2, 0.5, 1, 1.5])
        kind = source.random.choices(kinds, weights)[0]
        result.append([gap, kind, *KINDS[kind][1](source)])
    return result


def write(path, some):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(step) + "\n" for step in some)


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]
