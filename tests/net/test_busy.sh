#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Clients of the control socket that cause much work: the event loop continues, and the failover of a server that dies
# meanwhile does not wait for them.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PLANS=${PLANS:-20} # at the same time

# has_no_slots: read from the maps, without the daemon
has_no_slots() {
	[ "$(lab_ctl --socket /none --json backend list 2> /dev/null | jq '.[] | select(.name == "px2").slots')" = 0 ]
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
tap_end
