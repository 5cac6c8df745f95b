#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Clients of the control socket that cause much work: the event loop continues, and the failover of a server that dies
# meanwhile does not wait for them. The same for packets from a VIP to the source address of probes.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PLANS=${PLANS:-20} # at the same time

# has_no_slots: read from the maps, without the daemon
has_no_slots() {
	[ "$(lab_ctl --socket /none --json backend list 2> /dev/null | jq '.[] | select(.name == "px2").slots')" = 0 ]
}

# Packets that the stack of the probes' namespace has received.
received_by_probes() {
	sed -n 's/^ *probes: *[0-9]* *\([0-9]*\).*/\1/p' "/proc/$(pgrep -P "${LAB_PROCESS[sipxdpd]}")/net/dev"
}

# is_flooded: has the ring buffer been full?
is_flooded() {
	[ "$(lab_verdict lost_probe_reply)" -gt 100000 ]
}

lab_open
lab_flat 2
LAB_POOL="probe: {type: icmp, interval: 200ms, timeout: 150ms, fall: 2}" LAB_SECTIONS="limits: {backends: 5000}" lab_config dsr
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_start sipxdpd balancer nice -n "$(sed -n 's/^Nice=//p' systemd/sipxdpd.service)" sipxdpd -c "$LAB_CONFIG"
check "two servers serve" wait_for 10 lab_serving 2

# --- a request that takes long to read
lab_in balancer python3 - > "$LAB_DIR/long" <<- 'PY'
	import json, select, socket, time
	def ask():
	    with socket.socket(socket.AF_UNIX) as client:
	        client.connect("/run/sipxdp/ctl.sock")
	        client.sendall(b'{"command": "status"}\n')
	        client.recv(200)
	request = json.dumps({"command": "plan", "arguments": {"text": "x: é\n" * 1500000}}).encode() + b"\n"
	client = socket.socket(socket.AF_UNIX)
	client.connect("/run/sipxdp/ctl.sock")
	client.sendall(request)
	began = time.monotonic()
	others = 0
	while not select.select([client], [], [], 0)[0]:
	    ask()
	    others += 1
	print(round(1000 * (time.monotonic() - began)), others, client.recv(200))
PY
like "a request of 16 MB is read" "$(cat "$LAB_DIR/long")" 'path: missing'
read -r took others _ < "$LAB_DIR/long"
diag "the reply took $took ms; meanwhile the daemon replied to $others other clients"
check "... the event loop serves other clients meanwhile" [ "$others" -ge 3 ]

# --- requests that take long to answer
cat > "$LAB_DIR/plans.py" <<- 'PY'
	import json, os, socket, sys, threading
	head = ("interfaces: [eth0]\nhash_key: 2b7e151628aed2a6abf7158809cf4f3c\nlimits: {backends: 5000}\n"
	        "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: p}]\npools:\n  - name: p\n    backends:\n")
	rows = (f"      - {{name: b{i}, address: 10.1.{i // 250}.{i % 250 + 1}}}\n" for i in range(4000))
	request = json.dumps({"command": "plan", "arguments": {"text": head + "".join(rows), "path": "large"}}).encode() + b"\n"

	def ask():
	    while not os.path.exists(sys.argv[2]):
	        with socket.socket(socket.AF_UNIX) as client:
	            client.connect("/run/sipxdp/ctl.sock")
	            client.sendall(request)
	            print("answered", client.recv(100), flush=True)

	clients = [threading.Thread(target=ask) for _ in range(int(sys.argv[1]))]
	for client in clients:
	    client.start()
	for client in clients:
	    client.join()
	print("finished", flush=True)
PY
lab_start plans balancer python3 "$LAB_DIR/plans.py" "$PLANS" "$LAB_DIR/enough"
check "$PLANS clients ask for plans of a large file, again and again" wait_for 60 grep -q answered "$LAB_DIR/plans.log"
lab_in px2 sysctl -qw net.ipv4.icmp_echo_ignore_all=1
check "... a server that dies meanwhile loses its slots" wait_for 60 has_no_slots
touch "$LAB_DIR/enough"
check "... each client receives the reply to its last request" wait_for 60 grep -q finished "$LAB_DIR/plans.log"
diag "the daemon made $(grep -c answered "$LAB_DIR/plans.log") plans"
unlike "... the replies are plans" "$(sort -u "$LAB_DIR/plans.log")" error

# --- packets that look like replies to probes, as fast as a processor can send them through the program
lab_in balancer python3 - "$LAB_DIR" "$(lab_in balancer cat /sys/class/net/eth0/address)" <<- 'PY'
	import pathlib, socket, struct, sys
	ethernet = bytes.fromhex(sys.argv[2].replace(":", "")) + bytes.fromhex("0200000000090800")
	ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 32, 0, 0, 64, 17, 0, socket.inet_aton("192.0.2.10"), socket.inet_aton("10.0.0.2"))
	frame = ethernet + ip + struct.pack("!HHHH", 5060, 40000, 12, 0) + b"junk"
	pathlib.Path(sys.argv[1], "frame").write_bytes(frame)
	index = socket.if_nametoindex("eth0")
	pathlib.Path(sys.argv[1], "context").write_bytes(struct.pack("6I", 0, len(frame), 0, index, 0, 0))
PY
before=$(received_by_probes)
lab_start flood balancer nice -n -15 bpftool prog run pinned /sys/fs/bpf/sipxdp/balancer data_in "$LAB_DIR/frame" \
	ctx_in "$LAB_DIR/context" repeat 4000000000
check "a flood of packets from a VIP to the source address of probes" wait_for 60 is_flooded
for i in 1 2 3; do
	check "... the daemon answers meanwhile ($i)" lab_in balancer timeout 20 sipxdp-ctl status
done
lab_stop flood || true
after=$(received_by_probes)
diag "the daemon read $(lab_verdict probe_reply) of these packets, the probes' sockets received $((after - before))"
check "... the daemon drops packets for no socket" [ $((after - before)) -lt 5000 ]
lab_in px2 sysctl -qw net.ipv4.icmp_echo_ignore_all=0
check "... afterwards probes pass" wait_for 60 lab_serving 2
tap_end
