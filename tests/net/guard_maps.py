#!/usr/bin/env python3
"""temporary: fills guard maps: RATE BURST RETRY of service 0, through bpftool"""
import json, subprocess, sys, struct
P = "/sys/fs/bpf/sipxdp/"
def bt(*a):
    return subprocess.run(["bpftool", *a], check=True, capture_output=True, text=True).stdout
def hexb(b):
    return ["hex"] + ["%02x" % x for x in b]
rate, burst = int(sys.argv[1]), int(sys.argv[2])
guard = struct.pack("<QQIIIHHQQQH6x", 1, 2, 16, 0, 0, 1, 16, 2**64-1, 2**64-1, 0, 0)
bt("map", "update", "pinned", P+"guards", "key", *hexb(struct.pack("<I", 1)), "value", *hexb(guard))
info = json.loads(bt("-j", "map", "show", "pinned", P+"service_surges"))
surge = struct.pack("<QQQII", 0, 10**9//rate, (burst-1)*10**9//rate, 3, 0)
for i in range(4):
    bt("map", "update", "pinned", P+"service_surges", "key", *hexb(struct.pack("<I", i)), "value", *hexb(surge[:info["bytes_value"]]))
for m in ("services", "services_ipv4"):
    for e in json.loads(bt("-j", "map", "dump", "pinned", P+m)):
        key = [int(x, 16) for x in e["key"]]; val = [int(x, 16) for x in e["value"]]
        val[18] = 1; val[19] = 0
        bt("map", "update", "pinned", P+m, "key", *hexb(key), "value", *hexb(val))
