#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A link behind a router has a lower MTU than the balancer's own link. The first IP-in-IP packet that is
# too large is lost there, and the router reports it. Later packets are fragmented, or their senders
# learn the MTU.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/messages.sh

COUNT=20
SIZE=1450 # bytes of UDP payload
FIRST=0   # number of the first message of a run

listen_everywhere() {
	local backend
	receive_messages
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" sipxdp-loader attach --program decap eth0 > /dev/null 2>&1
		lab_in "$backend" ip link set dev eth0 mtu 1400
	done
	lab_in router ip link set dev eth1 mtu 1400
}

# send SOURCE VIP FRAGMENT: sends the next messages; the client's kernel knows no path MTU.
send() {
	lab_in client ip route flush cache
	lab_in client ip -6 route flush cache
	FIRST=$((FIRST + COUNT))
	lab_in client tests/net/large.py send "$1" "$2" $SIZE "$3" $FIRST $COUNT
}

# path_mtus MTU...: are these the different path MTUs in `backend list`?
path_mtus() {
	[ "$(lab_ctl --json backend list | jq -r '.[].path_mtu' | sort -un | xargs)" = "$*" ]
}

# learn FRAGMENT NAME: sends messages until the path MTU to all backends is known.
learn() {
	send "$LAB_CLIENT" "$LAB_VIP" "$1"
	check "$2: the router's ICMP error is accepted" wait_for 5 path_mtus 1400
	send "$LAB_CLIENT" "$LAB_VIP" may
	arrive_at_owners large $SIZE "... later messages are fragmented and arrive"
}

# Path MTUs are lost when the daemon ends.
forget() {
	lab_stop sipxdpd
	lab_daemon
	wait_for 10 lab_serving "${#LAB_BACKENDS[@]}"
	wait_for 5 path_mtus 0
}

# forge SOURCE DESTINATION MTU LENGTH: sends a forged ICMP error.
forge() {
	lab_in client python3 - "$LAB_BALANCER" "$@" <<- 'PY'
		import socket, struct, sys
		to, source, destination, mtu, length = sys.argv[1:]
		def checksum(data):
		    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
		    while total >> 16:
		        total = (total & 0xFFFF) + (total >> 16)
		    return ~total & 0xFFFF
		quote = struct.pack("!BBHHHBBH4s4s", 0x45, 0, int(length), 1, 0x4000, 60, 4, 0,
		    socket.inet_aton(source), socket.inet_aton(destination)) + bytes(8)
		message = struct.pack("!BBHHH", 3, 4, 0, 0, int(mtu)) + quote
		message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
		socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(message, (to, 0))
	PY
}

# errors: the number of ICMP errors that the balancer's kernel has received.
errors() {
	lab_in balancer nstat -asz IcmpInDestUnreachs | awk '/^Icmp/ { print $2 }'
}

forgeries() {
	local before
	before=$(errors)
	forge 10.0.0.9 10.0.1.11 1300 1500            # a tunnel of a different machine
	forge "$LAB_BALANCER" 10.0.1.99 1300 1500     # to an address that is no backend
	forge "$LAB_BALANCER" 10.0.1.11 100 1500      # lower than any real MTU
	forge "$LAB_BALANCER" 10.0.1.11 1300 1200     # about a packet that fits
	forge "$LAB_BALANCER" 10.0.1.11 1300 9000     # about a packet larger than this balancer sends
	wait_for 5 sh -c "[ $((before + 5)) -le \$(cat)" < <(errors) || true
	lab_ctl status > /dev/null # the daemon has read them by now
	check "forged ICMP errors that quote none of our packets are ignored" path_mtus 0
	forge "$LAB_BALANCER" 10.0.1.11 1300 1500
	check "an error that quotes one of our packets counts, for that backend" wait_for 5 path_mtus 0 1300
}

lab_open
lab_routed 2
listen_everywhere
lab_config ipip
lab_in balancer sed -i "s/vip: .*/vip: [$LAB_VIP, '$LAB_VIP6']/" "$LAB_CONFIG"
lab_balance
learn must-not "with Don't Fragment"
like "... status warns of it" "$(lab_ctl --json status | jq -r '.warnings[]')" \
	"packets of more than 1380 bytes .* an MTU of 1400 \\(reported by router 10\\.0\\.0\\.1\\)"
like "... backend list shows it" "$(lab_ctl backend list)" "path MTU 1400, reported by 10\\.0\\.0\\.1"
forget
learn may "without Don't Fragment"
forget
forgeries

lab_in balancer sed -i 's/10\.0\.1\.\(1[12]\)/"2001:db8:1::\1"/' "$LAB_CONFIG"
lab_ctl reload --move-calls > /dev/null
wait_for 10 lab_serving 2
learn may "by IPv6"
tap_end
