# SPDX-License-Identifier: GPL-2.0
"""The configuration file: two pools, three services, and additions by steps."""
import joining

SERVICES = """\
interfaces: [eth0]
hash_key: 2b7e151628aed2a6abf7158809cf4f3c
limits: {{slots: 16384, pools: 8, tracked_calls: {notes}}}
join: {{listen: "{balancer}:{port}", secret: {secret}, node_timeout: {node_timeout}s}}
services:
  - {{name: sip, vip: {vip}, port: 5060, pool: a, ping: {ping}}}
  - {{name: sip-b, vip: {vip}, port: 5062, pool: b}}
  - {{name: lines, vip: {vip}, port: 5070, protocol: tcp, affinity: flow, pool: a}}
"""
# None of these probes detects a death before EARLIEST (soak.py), and all of them detect it within
# half of NOTICED (model.py).
PROBES = {
    "a": "{type: options, interval: 500ms, timeout: 400ms, fall: 3, rise: 2}",
    "b": "{type: icmp, interval: 400ms, timeout: 300ms, fall: 3, rise: 2}",
    "other": "{type: options, interval: 600ms, timeout: 500ms, fall: 4, rise: 1}",
}
RECORD_TIME = {"a": "2s", "b": "3s", "other": "4s"}
DRAIN_TIMEOUT = {"a": "1h", "b": "12s"}


def backend(name, address, weight, index, pool, more):
    keys = [f"name: {name}", f"address: {address}", f"weight: {weight}"]
    if "hints" in more:
        keys.append(f"hints: [{name}.{pool}.example.net]")
    if "ports" in more and pool == "a":
        keys.append(f"ports: {30000 + 1000 * index}-{30999 + 1000 * index}")
    if "standby" in more and name == "px4":
        keys.append("priority: 2")
    return f"      - {{{', '.join(keys)}}}\n"


def pool(name, file, addresses, more):
    lines = [
        f"  - name: {name}\n",
        f"    probe: {PROBES['other' if 'probe' in more else name]}\n",
        f"    record_time: {RECORD_TIME['other' if 'times' in more else name]}\n",
        f"    drain_timeout: {DRAIN_TIMEOUT[name]}\n",
    ]
    if "slow start" in more:
        lines.append("    slow_start: 5s\n")
    lines.append("    backends:\n")
    lines += [backend(b, addresses[b], weight, i, name, more) for i, (b, weight) in enumerate(sorted(file.items()))]
    if "groups" in more:
        lines.append(f"    groups:\n      - {{name: rack, backends: [{', '.join(sorted(file)[:2])}]}}\n")
    return "".join(lines)


def text(files, vip, balancer, addresses, notes):
    more = files.get("more", [])
    result = SERVICES.format(vip=vip, notes=notes, ping=str("ping" in more).lower(), balancer=balancer,
                             port=joining.PORT, secret=joining.SECRET, node_timeout=joining.NODE_TIMEOUT)
    if "service" in more:
        result += f"  - {{name: more, vip: {vip}, port: 5080-5089, affinity: source, pool: a}}\n"
    if "pool" in more:
        result += f"  - {{name: other, vip: {vip}, port: 5090, pool: c}}\n"
    result += "pools:\n" + "".join(pool(name, files[name], addresses, more) for name in ("a", "b"))
    if "pool" in more:
        result += "  - name: c\n    backends:\n      - {name: c1, address: 10.0.0.11}\n"
    return result
