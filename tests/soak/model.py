# SPDX-License-Identifier: GPL-2.0
"""The model: what may happen to a call. No I/O: it receives each operation, each packet and the time,
and collects faults.

A call stays at its backend (its home). It may move only for a reason, and
each reason is a span of time in which a backend may lose its calls:

  maint, remove, a reload of a file without its line   while the command runs
  the backend is dead          from the earliest moment at which probes can know it,
                               until it is reported up again
  pool finish                  all calls of the pool, while the command runs
  no backend was able          all calls of the pool, until RETURN seconds after that

These are no reasons: drain, ready, weight, add, remove --drain, reload, restart, kill,
upgrade, and network trouble near the balancer.
"""
import math
from dataclasses import dataclass, field

FLIGHT = 0.5  # seconds: the longest delay of a packet on a busy machine
LOST = 3.0  # seconds after which a packet counts as lost
RETURN = 12.0  # see docs/design/migration.md: 10 s, and two for the daemon to act
NOTICED = 9.0  # twice the slowest detection, with a reserve for a busy machine
RECOVERY = 3.0  # until packets pass again after network trouble


@dataclass
class Span:
    start: float
    why: str
    end: float = math.inf

    def meets(self, start, end):
        return self.start <= end and self.end >= start


def meeting(spans, start, end):
    """The first span that overlaps the given time, or None."""
    return next((span for span in spans if span.meets(start, end)), None)


@dataclass
class Backend:
    """A backend as an operator sees it. Its name is the name of its machine, in every pool."""

    name: str
    address: str
    weight: int = 1
    admin: str = "ready"
    leaving: bool = False
    added: bool = False
    joined: bool = False  # it has joined: it is in no file, and a reload keeps it
    barred: float = math.inf  # packets sent after this time must not arrive here
    empty: float = math.inf  # it has no slots since this time and must get none

    def shown(self):
        return "maint" if self.admin == "maint" else "leaving" if self.leaving else self.admin

    def is_wanted(self):
        return self.admin == "ready" and not self.leaving and self.weight > 0


@dataclass
class Pool:
    name: str
    backends: dict = field(default_factory=dict)
    file: dict = field(default_factory=dict)  # the part of the file that runs: name -> weight
    losses: dict = field(default_factory=dict)  # name -> spans
    upheavals: list = field(default_factory=list)  # spans
    unable: list = field(default_factory=list)  # spans without an able backend
    uncertain: set = field(default_factory=set)  # names with a command of unknown outcome
    previous: dict = field(default_factory=dict)  # removed backends, by name
    noted: dict = field(default_factory=dict)  # admin states of the backends in the file

    def lose(self, name, start, why):
        span = Span(start, why)
        self.losses.setdefault(name, []).append(span)
        return span


@dataclass
class Call:
    """A SIP call, or a TCP connection."""

    id: str
    pool: Pool
    begun: float
    home: str = ""
    last: float = 0.0  # send time of the last packet that has arrived
    said: int = 0  # number of messages sent
    late: bool = False  # its first message was lost: no backend owns it yet
    trail: list = field(default_factory=list)


@dataclass
class Packet:
    number: int
    call: Call
    what: str
    sent: float
    home: str = ""  # home and last packet of the call when this packet was sent
    last: float = 0.0
    first: bool = False
    arrived: str = ""


class Model:
    def __init__(self, pools, hosts, earliest):
        """`pools` are Pools; no probe detects a death of less than `earliest` seconds."""
        self.pools = {pool.name: pool for pool in pools}
        self.earliest = earliest
        self.dead = {host: [] for host in hosts}  # spans
        self.due = {}  # host -> time after which no packet may reach this dead host
        self.trouble = []  # spans in which the network lost packets
        self.packets = {}  # by number: packets that may still arrive
        self.faults = []
        self.pending = False  # the file may have changes that no daemon has read yet
        self.counts = dict(sent=0, received=0, lost=0, calls=0, moved=0, connections=0)

    # --- faults

    def fault(self, now, text, call=None):
        self.faults.append((now, text, call))

    # --- operations

    def begins(self, pool_name, command, name, now):
        """A command of sipxdp-ctl begins. The span in which it may move calls, or None."""
        pool = self.pools[pool_name]
        if command == "finish":
            pool.upheavals.append(Span(now, "pool finish"))
            return pool.upheavals[-1]
        for backend in (pool.backends.get(name), pool.previous.get(name)):
            if backend and command in ("ready", "add", "drain", "weight"):
                backend.barred = backend.empty = math.inf
        return pool.lose(name, now, command) if command in ("maint", "remove") else None

    def done(self, pool_name, command, arguments, span, now, outcome):
        """The command has ended; `outcome` is done, refused or unknown."""
        pool, name = self.pools[pool_name], arguments[0] if arguments else ""
        if span and (outcome != "unknown" or command == "finish"):
            span.end = {"done": now, "refused": -math.inf, "unknown": now + 2}[outcome]
        if command == "finish":
            return
        backend = pool.backends.get(name)
        if outcome == "unknown":
            pool.uncertain.add(name)
            if backend:
                backend.barred = backend.empty = math.inf
        elif outcome == "refused":
            self._refused(pool, command, backend, name, now)
        elif not backend and command != "add":
            self.fault(now, f"{command} {pool_name}/{name} was done, and {name} is not there")
        else:
            self._change(pool, backend, command, arguments, now)

    def _refused(self, pool, command, backend, name, now):
        """A refusal is right only if the backend is missing or, for add, exists."""
        if command == "add":
            if not backend:
                self.fault(now, f"add {pool.name}/{name} was refused, and {name} is not there")
        elif backend and backend.leaving:
            self._remove(pool, name)  # its removal has completed meanwhile
        elif backend:
            self.fault(now, f"{command} {pool.name}/{name} was refused, and {name} is there")

    def _change(self, pool, backend, command, arguments, now):
        if command == "add":
            name, address = arguments
            pool.backends[name] = Backend(name, address, added=True)
            pool.noted.pop(name, None)
        elif command == "remove":
            self._remove(pool, backend.name)
            pool.previous[backend.name].barred = now
        elif command == "remove --drain":
            backend.leaving = True
        elif command == "weight":
            backend.weight = int(arguments[1])
        elif command == "ready":
            backend.admin, backend.leaving = "ready", False
        else:
            backend.admin = command
        if command == "maint":
            backend.barred = now
        self.look(now)

    def _remove(self, pool, name):
        backend = pool.previous[name] = pool.backends.pop(name)
        if name in pool.file:
            pool.noted[name] = backend.admin

    def reload_begins(self, files, now):
        """A reload of a file begins: pool -> {name: (address, weight)}. The spans by pool."""
        spans = {}
        for pool in self.pools.values():
            for backend in [*pool.backends.values(), *pool.previous.values()]:
                admin = backend.admin if backend.name in pool.backends else pool.noted.get(backend.name)
                backend.empty = math.inf
                if backend.name in files[pool.name] and admin != "maint":
                    backend.barred = math.inf
            spans[pool.name] = {
                backend.name: pool.lose(backend.name, now, "reload without it")
                for backend in pool.backends.values()
                if backend.name not in files[pool.name]
                and not (backend.joined or backend.leaving or backend.admin == "drain")
            }
        return spans

    def reloaded(self, files, spans, now, outcome):
        for pool in self.pools.values():
            file = files[pool.name]
            if outcome == "unknown":
                pool.uncertain |= set(pool.backends) | set(file)
                pool.file = {name: weight for name, (_, weight) in file.items()}
                continue
            # A pending removal may have completed just before: then the reload adds the backend again.
            pool.uncertain |= {b.name for b in pool.backends.values() if b.leaving and b.name in file}
            pool.uncertain |= {name for name, admin in pool.noted.items() if admin == "hidden"}
            for name, span in spans[pool.name].items():
                span.end = now
                if outcome == "done":
                    self._remove(pool, name)
                    pool.previous[name].barred = now
            if outcome == "done":
                self._take_file(pool, file)
        self.look(now)
        self.pending = outcome == "unknown" or (self.pending and outcome != "done")

    def starts(self, now):
        """A daemon starts and reads the file, which the last reload may not have applied."""
        self.wait_for_probes(now)
        for pool in self.pools.values() if self.pending else []:
            for name in pool.backends:
                if name not in pool.file and not pool.backends[name].joined:
                    pool.lose(name, now, "start without it")
            pool.uncertain |= set(pool.backends) | set(pool.file)

    def _take_file(self, pool, file):
        for name, (address, weight) in file.items():
            admin = pool.noted.get(name, "ready")  # a reload keeps drain and maint
            backend = pool.backends.setdefault(name, Backend(name, address, admin=admin))
            if backend.leaving and name not in pool.file:
                backend.leaving = False  # its line is in the file again
            backend.weight, backend.added = weight, False
        for backend in pool.backends.values():
            if backend.name not in file and not backend.joined:
                backend.leaving, backend.added = True, True
                backend.admin = "maint" if backend.admin == "maint" else "ready"
        pool.file = {name: weight for name, (_, weight) in file.items()}
        pool.noted.clear()

    def joined(self, pool_name, name, address):
        self.pools[pool_name].backends[name] = Backend(name, address, joined=True)

    def died(self, host, now):
        self.dead[host].append(Span(now, "dead"))
        self.due[host] = now
        self.wait_for_probes(now)
        for pool in self.pools.values():
            pool.lose(host, now + self.earliest, f"{host} is dead")
        self.look(now)

    def returned(self, host, now):
        span = self.dead[host][-1]
        span.end = now
        del self.due[host]
        self.wait_for_probes(now)
        for pool in self.pools.values():
            loss = next(s for s in reversed(pool.losses[host]) if s.why == f"{host} is dead")
            if now < loss.start:
                pool.losses[host].remove(loss)
        self.look(now)

    def wait_for_probes(self, now):
        """After this event the detection of deaths may take longer."""
        self.due = {host: now + NOTICED for host in self.due}

    def is_dead(self, host):
        return bool(self.dead[host]) and self.dead[host][-1].end == math.inf

    def trouble_begins(self, now):
        self.trouble.append(Span(now, "trouble in the network"))
        return self.trouble[-1]

    def trouble_ends(self, span, now):
        span.end = now + RECOVERY
        self.wait_for_probes(now)

    def shaken(self, start, end, why):
        """The test itself was stopped in this time: any fate of a call is excused."""
        for pool in self.pools.values():
            pool.upheavals.append(Span(start, why, end))
        self.trouble.append(Span(start, why, end))

    def _is_able(self, pool):
        return any(b.is_wanted() and not self.is_dead(b.name) for b in pool.backends.values())

    def _is_unable(self, pool):
        return bool(pool.unable) and pool.unable[-1].end == math.inf

    def look(self, now):
        """Is any backend of a pool able? The span without one ends when the daemon reports it: listed()."""
        for pool in self.pools.values():
            if not self._is_unable(pool) and not self._is_able(pool):
                pool.unable.append(Span(now, "nobody could have calls"))
                pool.upheavals.append(Span(now, "nobody could have calls"))

    # --- reports

    def listed(self, pool_name, rows, asked, now):
        """The result of `sipxdp-ctl backend list POOL`, with the times of request and reply."""
        pool, rows = self.pools[pool_name], {row["name"]: row for row in rows}
        for name in sorted(set(rows) | set(pool.backends)):
            if name in pool.uncertain:
                self._adopt(pool, name, rows.get(name), now)
            else:
                self._compare(pool, name, rows.get(name), now)
        pool.uncertain.clear()
        for name in self.dead:
            self._note_state(pool, name, rows.get(name), asked)
        usable = any(row["state"] == "up" and row["slots"] > 0 for row in rows.values())
        if usable and self._is_able(pool) and self._is_unable(pool):
            self.wait_for_probes(now)
            pool.unable[-1].end = now
            next(s for s in pool.upheavals if s.end == math.inf).end = now + RETURN

    def _adopt(self, pool, name, row, now):
        """Decides whether a command with unknown outcome has been carried out."""
        for loss in pool.losses.get(name, []):
            if loss.end == math.inf and "dead" not in loss.why:
                loss.end = now + FLIGHT
        if not row:
            if name in pool.backends:
                self._remove(pool, name)
            return
        backend = Backend(name, row["address"], row["weight"])
        backend.leaving = row["admin"] == "leaving"
        backend.admin = "hidden" if backend.leaving else row["admin"]  # it may also drain
        backend.added, backend.joined = "added" in row["overrides"], "joined" in row["overrides"]
        pool.backends[name] = backend

    def _compare(self, pool, name, row, now):
        backend = pool.backends.get(name)
        where = f"{pool.name}/{name}"
        if not row:
            if not backend.leaving:
                self.fault(now, f"{where} is gone, and nothing has removed it")
            self._remove(pool, name)
        elif not backend:
            self.fault(now, f"{where} is there, and nothing has added it: {row}")
        elif row["admin"] != backend.shown() or row["weight"] != backend.weight:
            self.fault(now, f"{where} is {row['admin']} with weight {row['weight']}, and was made"
                       f" {backend.shown()} with weight {backend.weight}")

    def _note_state(self, pool, name, row, asked):
        backend, dead = pool.backends.get(name), self.dead[name]
        if row and backend and row["slots"] == 0 and not backend.is_wanted():
            backend.empty = min(backend.empty, asked)
        if dead and dead[-1].end + FLIGHT < asked and (not row or row["state"] in ("up", "idle")):
            for loss in pool.losses.get(name, []):
                if loss.end == math.inf and "dead" in loss.why:
                    loss.end = asked + FLIGHT

    # --- packets

    def sent(self, packet):
        packet.call.said += 1
        packet.first = packet.call.said == 1
        packet.home, packet.last = packet.call.home, packet.call.last
        self.packets[packet.number] = packet
        self.counts["sent"] += 1

    def arrived(self, number, name, now):
        packet = self.packets.get(number)
        if not packet:
            self.fault(now, f"packet {number} came to {name} after {LOST} s or was never sent")
            return
        if packet.arrived:
            self.fault(now, f"{packet.what} came to {packet.arrived}, and once more to {name}", packet.call)
            return
        packet.arrived = name
        packet.call.late |= not packet.call.home and not packet.first
        self.counts["received"] += 1
        self.met(packet.call, name, packet.sent, now, packet.what)

    def met(self, call, name, sent, now, what):
        """A packet of a call has arrived at a backend."""
        pool = call.pool
        call.trail.append((sent, what, name))
        self._check_place(call, name, sent, now, what)
        if not call.home:
            self.counts["calls"] += 1
        elif call.home != name:
            self.counts["moved"] += 1
            if not call.late and not self.may_move(call, now):
                self.fault(now, f"{what} of {call.id} came to {pool.name}/{name}; the call is at {call.home}", call)
        call.home, call.last = name, max(call.last, sent)

    def _check_place(self, call, name, sent, now, what):
        pool = call.pool
        backend = pool.backends.get(name) or pool.previous.get(name)
        if not backend:
            self.fault(now, f"{what} came to {pool.name}/{name}, which the pool never had", call)
        elif sent > backend.barred:
            self.fault(now, f"{what} came to {pool.name}/{name}, which is in maint or removed", call)
        elif sent > self.due.get(name, math.inf) and not self._is_unable(pool):
            self.fault(now, f"{what} came to {pool.name}/{name}, which is dead for long", call)
        elif call.said == 1 and sent > backend.empty and what == "INVITE":
            self.fault(now, f"new call at {pool.name}/{name}, which drains and has no slots", call)

    def reasons(self, pool, home, last, now):
        """The spans that allow a call to move away from its home since its last packet."""
        return [s for s in [*pool.losses.get(home, []), *pool.upheavals] if s.meets(last, now)]

    def may_move(self, call, now):
        return self.reasons(call.pool, call.home, call.last, now)

    def may_break(self, call, now):
        """A connection that broke or was never opened."""
        start = (call.last or call.begun) - RECOVERY
        if call.home:
            return self.may_move(call, now) or meeting(self.dead[call.home], start, now)
        spans = [*call.pool.unable, *call.pool.upheavals, *self.trouble]
        for more in [*self.dead.values(), *call.pool.losses.values()]:
            spans += more
        return meeting(spans, start, now)

    def may_be_lost(self, packet):
        """May the packet be lost: by the network, at a dead backend, or without an able backend?"""
        start, end, pool = packet.sent - FLIGHT, packet.sent + FLIGHT, packet.call.pool
        if meeting(self.trouble, start, end):
            return True
        # The balancer must send nothing to a backend that has been dead for long.
        if packet.sent > max(self.due.values(), default=math.inf) and not self._is_unable(pool):
            return False
        if packet.home and not self.reasons(pool, packet.home, packet.last, end):
            return meeting(self.dead[packet.home], start - RECOVERY, end)
        spans = pool.unable + sum(self.dead.values(), [])
        return meeting(spans, start - RECOVERY, end)

    def sweep(self, now, patience=LOST):
        """Looks for lost packets. Call it regularly."""
        for number in list(self.packets):
            packet = self.packets[number]
            if packet.sent > now - patience:
                break
            if packet.arrived:
                if packet.sent < now - LOST:
                    del self.packets[number]
                continue
            del self.packets[number]
            self.counts["lost"] += 1
            packet.call.trail.append((packet.sent, packet.what, "lost"))
            if not self.may_be_lost(packet):
                self.fault(now, f"{packet.what} of {packet.call.id} was lost; it was sent {now - packet.sent:.1f} s ago"
                           f" to {packet.home or 'nobody yet'}", packet.call)

    def forget(self, now, age=60):
        """Drops state that no packet can refer to any more."""
        for pool in self.pools.values():
            pool.upheavals = [s for s in pool.upheavals if s.end > now - age]
            pool.unable = [s for s in pool.unable if s.end > now - age]
            for name in pool.losses:
                pool.losses[name] = [s for s in pool.losses[name] if s.end > now - age]
        self.trouble = [s for s in self.trouble if s.end > now - age]
        for host, spans in self.dead.items():
            self.dead[host] = [s for s in spans if s.end > now - age]
