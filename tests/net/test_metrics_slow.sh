#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A client that requests a large page again and again, and does not read it, uses up the memory for responses. Other clients
# still receive the small pages.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PORT=9464
BACKENDS=8000 # /metrics has 14 MB

write() {
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			limits: {backends: 10000}
			metrics: {listen: '$LAB_BALANCER:$PORT'}
			services: [{name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}]
			pools:
			  - {name: proxies, probe: none, backends: [{name: px1, address: 10.0.0.11}]}
			  - name: others
			    probe: none
			    backends:
		YAML
		for ((i = 0; i < BACKENDS; i++)); do
			echo "      - {name: b$i, address: 10.9.$((i / 200)).$((i % 200 + 1)), mac: '02:00:00:00:00:01'}"
		done
	} | lab_write balancer "$LAB_CONFIG"
}

# code PATH: prints the status code
code() {
	lab_in client curl -sS --max-time 20 -o /dev/null -w '%{http_code}' "http://$LAB_BALANCER:$PORT$1"
}

# Large pages are refused ten times. Each time, the small pages are requested, too.
WRONG=0
small_pages_are_served() {
	local refused=0
	while [ $refused -lt 10 ]; do
		sleep 0.3 # a page is rendered again after 250 ms
		is_code /api/v1/backends 503 && refused=$((refused + 1))
		is_code /healthz 200 && is_code /readyz 200 || WRONG=$((WRONG + 1))
	done
}

is_code() {
	[ "$(code "$1")" = "$2" ]
}

# Requests /metrics until standard input ends. The latest 32 requests wait.
read_slowly() {
	cat > "$LAB_DIR/slow.py" <<- PY
		import select, socket, sys
		clients = []
		formats = [b"", b"Accept: application/openmetrics-text\\r\\n"]
		while not select.select([sys.stdin], [], [], 0.25)[0]:
		    client = socket.socket()
		    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
		    client.connect(("$LAB_BALANCER", $PORT))
		    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + formats[0] + b"\r\n")
		    formats.reverse()
		    clients = [client, *clients[:31]]
	PY
	mkfifo "$LAB_DIR/hold"
	lab_in client python3 "$LAB_DIR/slow.py" < "$LAB_DIR/hold" &
	LAB_PROCESS[slow]=$!
	exec 9> "$LAB_DIR/hold"
}

lab_open
lab_flat 1
write
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
check "/readyz is 200" wait_for 30 is_code /readyz 200
read_slowly
check "the memory for responses is used up: large pages are refused" small_pages_are_served
is "... /healthz and /readyz are served each time" $WRONG 0
exec 9>&-
check "the client ends" lab_wait slow 10
check "... large pages are served again" wait_for 30 is_code /api/v1/backends 200
tap_end
