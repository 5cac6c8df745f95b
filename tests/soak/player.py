# SPDX-License-Identifier: GPL-2.0
"""Carries out steps (steps.py) on a balancer and reports each to the model."""
import asyncio
import itertools
import time

from balancer import SOCKET_FAULTS

clock = time.monotonic
NOTES = (65536, 32768)  # `limits: tracked_calls`, now this and now that
TIMEOUT = 75  # sipxdp-ctl itself times out after 60 s


def gist(outcome):
    """The parts that do not depend on timing: a slot whose recording ends meanwhile moves at once."""
    steps = [step for step in outcome["steps"] if " slots " not in step]
    return steps, {pool["name"]: pool["moved"] + pool["waiting"] for pool in outcome["pools"]}


class Player:
    def __init__(self, model, balancer, hosts, addresses, configure, first_files, note, logged):
        self.model, self.balancer, self.hosts, self.addresses = model, balancer, hosts, addresses
        self.configure, self.first_files, self.files, self.note = configure, first_files, first_files, note
        self.joined = {pool: [] for pool in model.pools}  # names that are in no file
        self.logged = logged  # function: the log of the daemon since a time
        self.background = set()
        self.troubled, self.counters_lost, self.notes, self.macs = False, False, NOTES[0], 0

    # --- comparison of model and daemon

    async def look(self):
        """Compares the backends that the daemon reports with the model."""
        for pool in self.model.pools:
            asked = clock()
            rows = await self.balancer.ask("backend", "list", pool)
            if rows is not None:
                self.model.listed(pool, rows, asked, clock())

    def fault(self, text):
        self.model.fault(clock(), text)

    async def play(self, step):
        gap, name, *arguments = step
        await asyncio.sleep(gap)
        self.note(f"step {step[1:]}")
        try:
            await getattr(self, name.replace(" ", "_"))(*arguments)
        except TimeoutError as error:
            self.fault(str(error))
        if self.balancer.daemon.returncode is not None:
            self.fault(f"the daemon has ended by itself, status {self.balancer.daemon.returncode}")
            await self._start()
        await self.look()

    # --- commands

    async def change(self, wanted, **options):
        command, pool, *arguments = wanted
        if command == "add":
            arguments.append(self.addresses[arguments[0]])
        span = self.model.begins(pool, command, arguments[0] if arguments else "", clock())
        outcome, result = await self.balancer.change(command, pool, *arguments, timeout=TIMEOUT, **options)
        self.model.done(pool, command, arguments, span, clock(), outcome)
        self.note(f"{outcome}{'' if outcome == 'done' else ': ' + result}")
        if outcome == "unknown" and "kill_after" not in options:
            await asyncio.sleep(0.3)  # the daemon may still carry it out

    async def cut_short(self, seconds, wanted):
        await self.change(wanted, kill_after=seconds)
        await asyncio.sleep(0.3)

    def weighed(self):
        """The file for the model: pool -> {name: (address, weight)}."""
        return {
            pool: {name: (self.addresses[name], weight) for name, weight in self.files[pool].items()}
            for pool in self.model.pools
        }

    async def reload(self, files):
        self.files = files
        self.balancer.write(self.configure(files))
        spans = self.model.reload_begins(self.weighed(), clock())
        # The model knows that calls move if a file removes a server, hints or ports.
        outcome, result = await self.balancer.ctl("reload", "--move-calls", timeout=TIMEOUT)
        if outcome == "refused":
            self.fault(f"reload refused: {result}")
        self.model.reloaded(self.weighed(), spans, clock(), outcome)
        self.note(outcome)
        return result if outcome == "done" else None

    async def planned(self, files):
        """`plan` must predict `reload` if nothing else happens meanwhile."""
        self.balancer.write(self.configure(files))
        await asyncio.sleep(0.1)
        begun = clock()
        plan = await self.balancer.ask("plan", self.balancer.config)
        result = await self.reload(files)
        await asyncio.sleep(0.1)
        before = itertools.takewhile(lambda line: "reloaded" not in line, self.logged(begun))
        if plan is None or result is None or any(" slots " in line or " is " in line for line in before):
            return
        self.note("planned and reloaded")
        if gist(plan) != gist(result):
            self.fault(f"plan said {gist(plan)}, reload did {gist(result)}")

    async def limits(self):
        """New maps: the counters start at 0."""
        for pool in self.model.pools:
            await self.change(["finish", pool])
        self.notes = NOTES[0] if self.notes == NOTES[1] else NOTES[1]
        self.balancer.write(self.configure(self.files))
        status, output, errors = await self.balancer.run("balancer", "sipxdp-loader", "upgrade", "-c", self.balancer.config,
                                                         "--timeout", "5", timeout=TIMEOUT)
        self.note(f"status {status}: {output}{errors}")
        self.counters_lost = True
        if status:  # refused, for instance because slots are migrating
            self.notes = NOTES[0] if self.notes == NOTES[1] else NOTES[1]
            self.balancer.write(self.configure(self.files))

    async def hang_up(self):
        spans = self.model.reload_begins(self.weighed(), clock())
        self.balancer.signal("HUP")
        self.model.reloaded(self.weighed(), spans, clock(), "unknown")
        await asyncio.sleep(0.5)

    async def refused(self):
        self.balancer.write(self.configure(self.files) + "nonsense: [1\n")
        outcome, result = await self.balancer.ctl("reload", timeout=TIMEOUT)
        self.balancer.write(self.configure(self.files))
        if outcome == "done" or (outcome == "unknown" and not str(result).startswith(SOCKET_FAULTS)):
            self.fault(f"a file with a fault was not refused: {outcome} {result}")

    async def ask(self):
        for question in (["status"], ["stats"], ["pool", "list"], ["service", "list"], ["save"],
                         ["lookup", "sip", "one", "two"], ["plan", self.balancer.config]):
            outcome, result = await self.balancer.ctl(*question, timeout=TIMEOUT)
            if outcome != "done":
                self.fault(f"{' '.join(question)}: {result}")

    # --- the daemon

    async def _start(self):
        self.model.starts(clock())
        await self.balancer.start()
        if not await self.balancer.answers():
            self.fault("the daemon does not answer after its start")
        self.note(f"daemon {self.balancer.daemon.pid} answers")

    async def restart(self, name, seconds):
        status = await self.balancer.stop(name)
        if name == "TERM" and status != 0:
            self.fault(f"the daemon ended with status {status} when it was told to")
        await asyncio.sleep(seconds)
        await self._start()

    async def hold(self, seconds, wanted):
        self.balancer.signal("STOP")
        command = asyncio.create_task(self.change(wanted))
        await asyncio.sleep(seconds)
        self.balancer.signal("CONT")
        self.model.wait_for_probes(clock())
        await command

    async def crash(self, seconds, wanted):
        command = asyncio.create_task(self.change(wanted))
        await asyncio.sleep(seconds)
        await self.balancer.stop("KILL")
        await command
        await self._start()

    async def upgrade(self):
        status, output, errors = await self.balancer.run("balancer", "sipxdp-loader", "upgrade", "-c",
                                                         self.balancer.config, timeout=TIMEOUT)
        if status:
            self.fault(f"sipxdp-loader upgrade: status {status}: {output}{errors}")

    # --- machines and network

    def _later(self, work):
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    async def death(self, how, name, seconds):
        await self.deaths(how, [name], seconds)

    async def deaths(self, how, names, seconds):
        names = [name for name in names if not self.model.is_dead(name)]
        for name in names:
            self.model.died(name, clock())
        await asyncio.gather(*(self._die(how, name, True) for name in names))
        self._later(self._return(how, names, seconds))

    async def _die(self, how, name, dead):
        host = self.hosts[name]
        if how == "cut":
            await self.balancer.must("switch", "ip", "link", "set", f"{name}-eth0", "down" if dead else "up")
            return
        await self.balancer.must(name, "sysctl", "-qw", f"net.ipv4.icmp_echo_ignore_all={int(dead)}")
        if how == "mute":
            host.hang() if dead else host.go_on()
        else:
            host.close() if dead else host.open()

    async def _return(self, how, names, seconds):
        await asyncio.sleep(seconds)
        await asyncio.gather(*(self._die(how, name, False) for name in names))
        for name in names:
            self.model.returned(name, clock())
        self.note(f"back: {' '.join(names)}")

    async def new_mac(self, name):
        """Until the balancer knows the new address, the backend counts as dead."""
        if self.model.is_dead(name):
            return
        self.model.died(name, clock())
        self.macs += 1
        mac = f"02:00:00:00:{self.macs // 256 % 256:02x}:{self.macs % 256:02x}"
        await self.balancer.must(name, "ip", "link", "set", "eth0", "address", mac)
        self._later(self._found(name, mac))

    async def _found(self, name, mac):
        begun = clock()
        while clock() < begun + 30:
            rows = await self.balancer.ask("backend", "list") or []
            if all(row["mac"] == mac for row in rows if row["name"] == name and row["mac"]):
                self.note(f"the new MAC address of {name} is known after {clock() - begun:.1f} s")
                break
            await asyncio.sleep(0.1)
        else:
            self.fault(f"the new MAC address of {name} is not known after 30 s")
        self.model.returned(name, clock())

    async def outage(self, how, seconds):
        if self.troubled:
            return
        self.troubled = True
        span = self.model.trouble_begins(clock())
        await self._port(how, False)
        self._later(self._end_outage(how, span, seconds))

    async def _port(self, how, up):
        if how == "carrier":
            await self.balancer.must("switch", "ip", "link", "set", "balancer-eth0", "up" if up else "down")
            return
        state = "3" if up else "0"  # forwarding, disabled
        await self.balancer.must("switch", "bridge", "link", "set", "dev", "balancer-eth0", "state", state)

    async def _end_outage(self, how, span, seconds):
        await asyncio.sleep(seconds)
        await self._port(how, True)
        self.model.trouble_ends(span, clock())
        self.troubled = False
        self.note("the network is back")

    # --- rounds

    async def heal(self):
        """Restores the initial state: all backends alive, ready and up, no slot migrating."""
        self.note("heal")
        if self.background:
            await asyncio.wait(self.background)
        await self._as_in_file()
        end = clock() + 20
        while not await self._is_whole():
            if clock() > end:
                self.fault("not all backends came back")
                return
            await asyncio.sleep(0.2)
            await self.look()
            if any(set(pool.file) - set(pool.backends) for pool in self.model.pools.values()):
                await self._as_in_file()  # a pending removal has completed

    async def _as_in_file(self):
        await self.reload(self.first_files)
        await self.look()
        for pool in self.model.pools.values():
            for name in list(pool.backends):
                if not pool.backends[name].joined:
                    await self.change(["ready" if name in pool.file else "remove", pool.name, name])
        await self.look()

    async def _is_whole(self):
        for pool in self.model.pools:
            await self.change(["finish", pool])
            rows = await self.balancer.ask("backend", "list", pool)
            names = sorted(row["name"] for row in rows or [] if row["state"] == "up" and row["slots"])
            if names != sorted([*self.first_files[pool], *self.joined[pool]]):
                return False
        return True
