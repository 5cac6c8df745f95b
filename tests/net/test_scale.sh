#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# 1,000 backends, all probed at the VIP. A scrape each second, an open status page and `sipxdp-ctl top` change neither
# the packet path nor the probes.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

PORT=9464
MANY=${MANY:-1000}    # backends
SCRAPES=${SCRAPES:-6} # also the seconds without clients
RATE=2000
HOSTS=(px1 px2) # the backends are addresses of these hosts

# address NUMBER: of a backend; one half is on each host
address() {
	echo "10.$((1 + $1 * 2 / MANY)).$(($1 / 250)).$(($1 % 250 + 1))"
}

mac() {
	lab_in "$1" cat /sys/class/net/eth0/address
}

# plug_backends: gives each host its addresses
plug_backends() {
	local i host
	for host in "${!HOSTS[@]}"; do
		for ((i = host * MANY / 2; i < (host + 1) * MANY / 2; i++)); do
			echo "address add $(address $i)/16 dev eth0"
		done | lab_in "${HOSTS[host]}" ip -batch -
		lab_address balancer eth0 "10.$((1 + host)).255.1/16"
	done
}

# answer HOST: responds to all probes of this host
answer() {
	mkfifo "$LAB_DIR/$1.ask"
	lab_in "$1" tests/net/many_answers.py "$LAB_VIP" < "$LAB_DIR/$1.ask" > "$LAB_DIR/$1.probes" &
	LAB_PROCESS[$1]=$!
	exec {asked[$1]}> "$LAB_DIR/$1.ask"
	wait_for 10 grep -q listening "$LAB_DIR/$1.probes"
}

# `macs:` has the backends' addresses for packet_time(), which gives the program each frame that it has sent again.
config() {
	local i
	cat <<- YAML
		interfaces: [eth0]
		macs: ['$(mac px1)', '$(mac px2)']
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		metrics: {listen: "$LAB_BALANCER:$PORT"}
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060-5061, pool: proxies}
		pools:
		  - name: proxies
		    probe: {type: options, interval: 1s, timeout: 900ms}
		    backends:
	YAML
	for ((i = 0; i < MANY; i++)); do
		echo "      - {name: b$i, address: $(address $i)}"
	done
}

all_up() {
	lab_ctl --json backend list | jq -e "[.[] | select(.state == \"up\" and .slots > 0)] | length == $MANY"
}

# probes: reads the measurements of all hosts since the last call; sets probes_a_second
probes() {
	local host lines
	probes_a_second=0
	for host in "${HOSTS[@]}"; do
		lines=$(wc -l < "$LAB_DIR/$host.probes")
		echo >&"${asked[$host]}"
		wait_for 10 eval "[ \$(wc -l < $LAB_DIR/$host.probes) -gt $lines ]"
		diag "$host: $(tail -n 1 "$LAB_DIR/$host.probes")"
		probes_a_second=$((probes_a_second + $(tail -n 1 "$LAB_DIR/$host.probes" | sed 's/.*a-second \([0-9]*\).*/\1/')))
	done
}

# write_frame: an INVITE to the VIP and its context, as the balancer's interface receives them
write_frame() {
	python3 - "$LAB_DIR" "$(lab_in balancer cat /sys/class/net/eth0/ifindex)" "$(mac balancer)" "$LAB_CLIENT" "$LAB_VIP" <<- 'PY'
		import socket, struct, sys
		directory, interface, mac, client, vip = sys.argv[1:]
		sip = (f"INVITE sip:a@{vip} SIP/2.0\r\nVia: SIP/2.0/UDP {client};branch=z9hG4bK1\r\nFrom: <sip:c@{client}>;tag=1\r\n"
		       f"To: <sip:a@{vip}>\r\nCall-ID: 0123456789@{client}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n").encode()
		udp = struct.pack("!HHHH", 5060, 5060, 8 + len(sip), 0) + sip
		ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(client), socket.inet_aton(vip))
		total = sum(struct.unpack("!10H", ip))
		total = ~((total & 0xffff) + (total >> 16)) & 0xffff
		ip = ip[:10] + struct.pack("!H", total) + ip[12:]
		frame = bytes.fromhex(mac.replace(":", "")) + bytes(6) + b"\x08\x00" + ip + udp
		open(directory + "/frame", "wb").write(frame)
		open(directory + "/context", "wb").write(struct.pack("=6I", 0, len(frame), 0, int(interface), 0, 0))
	PY
}

# packet_time: the shortest of 20 measurements of the program, ns per packet
packet_time() {
	local i
	for ((i = 0; i < 20; i++)); do
		lab_in balancer bpftool prog run pinned /sys/fs/bpf/sipxdp/balancer data_in "$LAB_DIR/frame" \
			ctx_in "$LAB_DIR/context" repeat 20000
	done | sed -n 's/^Return value: 3, duration (average): \([0-9]*\)ns/\1/p' | sort -n | head -n 1
}

turn() {
	lab_ctl --json status | jq .longest_turn_ms
}

declare -A asked=()
lab_open
lab_flat 2
plug_backends
for host in "${HOSTS[@]}"; do
	answer "$host"
done
config | lab_write balancer "$LAB_CONFIG"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_start sipxdpd balancer nice -n "$(sed -n 's/^Nice=//p' systemd/sipxdpd.service)" sipxdpd -c "$LAB_CONFIG"
check "$MANY backends are up" wait_for 30 all_up
write_frame

# --- without clients
start_packets --to "$LAB_VIP:5061" --rate $RATE
probes 2> /dev/null
sleep "$SCRAPES"
probes
before=$probes_a_second
time_before=$(packet_time)
turn_before=$(turn)

# --- with clients
# The clients would run on a different machine: they must not take the processors of the balancer and the servers.
lab_start page client nice -n 19 tests/net/browser.py "http://$LAB_BALANCER:$PORT/" --profile "$LAB_DIR/profile" \
	"/[0-9]+ more backends, all up/.test(document.body.innerText)" "false"
lab_in balancer tmux -S "$LAB_DIR/tmux" -f /dev/null new-session -d -s top -x 80 -y 24 sipxdp-ctl top
check "a browser shows the backends" wait_for 60 grep -qx true "$LAB_DIR/page.log"
probes > /dev/null
for ((i = 0; i < SCRAPES; i++)); do
	sleep 1
	lab_in client nice -n 19 curl -sS --max-time 20 -o "$LAB_DIR/metrics" "http://$LAB_BALANCER:$PORT/metrics"
done
probes
time_after=$(packet_time)
is "each backend is in the metrics" "$(grep -c '^sipxdp_backend_weight{' "$LAB_DIR/metrics")" "$MANY"
like "top shows the backends" "$(lab_in balancer tmux -S "$LAB_DIR/tmux" capture-pane -p -t top)" " backends $MANY, $MANY in"
lab_in balancer tmux -S "$LAB_DIR/tmux" kill-server
lab_stop page || true
lab_stop numbered || true
diag "$(cat "$LAB_DIR/numbered.log")"

# Bursts of replies to probes can fill the queue of an interface if the machine is busy.
diag "the lab's queues were full for $(lab_full_queues) packets"
check "none of $(result sent) packets was lost" [ "$(result lost)" -le "$(lab_full_queues)" ]
is "... no call moved" "$(result moved)" 0
diag "the program needs $time_before ns for a packet, $time_after ns with clients"
diag "$before probes a second, $probes_a_second with clients"
is "the daemon reported no backend as down" "$(grep -c ' is down' "$LAB_DIR/sipxdpd.log" || true)" 0
diag "longest turn of the event loop: $turn_before ms since the start, $(turn) ms with clients"
tap_end
