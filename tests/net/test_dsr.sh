#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Calls with direct server return: one backend receives all messages of a call, and `lookup` names that backend.
# Other traffic is not disturbed.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

# make_calls NAME COUNT: makes COUNT calls from all addresses of the client at the same time.
make_calls() {
	local i status=0
	for ((i = 0; i < LAB_CLIENTS; i++)); do
		sip_client "$1$i" client "10.0.0.$((100 + i))" call $(($2 / LAB_CLIENTS)) 50 -d 200
	done
	for ((i = 0; i < LAB_CLIENTS; i++)); do
		lab_wait "$1$i" 60 || status=$?
		[ $status -eq 0 ] || tail -n 20 "$LAB_DIR/$1$i.errors" "$LAB_DIR/$1$i.log"
	done
	return $status
}

answer_everywhere() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		sip_answer "$backend" "$backend" "$LAB_VIP"
	done
}

# Compares each backend's share of the calls with its share of the slots.
shares_agree() {
	local name share calls all status=0
	all=$(sip_owners | wc -l)
	while read -r name share; do
		calls=$(sip_owners | grep -c " $name$" || true)
		echo "$name: share $share %, calls $calls of $all"
		# The standard deviation for a third of 1,000 calls is 1.5 points.
		awk -v share="$share" -v calls="$calls" -v all="$all" \
			'BEGIN { off = 100 * calls / all - share; exit off > 7 || off < -7 }' || status=1
	done < <(lab_ctl --json backend list | jq -r '.[] | "\(.name) \(.share)"')
	return $status
}

packets_agree() {
	local name packets messages status=0
	while read -r name packets; do
		messages=$(sip_seen "$name" | wc -l)
		echo "$name: $packets packets counted, $messages messages seen"
		[ "$packets" -eq "$messages" ] || status=1
	done < <(lab_ctl --json backend list | jq -r '.[] | "\(.name) \(.packets)"')
	return $status
}

lookup_agrees() {
	diff <(sip_owners | cut -d' ' -f1 | lab_ctl lookup sip - | awk '{ print $1, $2 }' | sort) <(sip_owners)
}

# udp ADDRESS PORT TEXT: sends a datagram from the client. Prints "refused" if the receiver's kernel reports that
# no socket is open.
udp() {
	lab_in client python3 - "$@" <<- 'PYTHON'
		import socket, sys
		address, port, text = sys.argv[1:]
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.settimeout(2)
		s.connect((address, int(port)))
		s.send(text.encode())
		try:
		    s.recv(100)
		    print("answered")
		except ConnectionRefusedError:
		    print("refused")
		except TimeoutError:
		    print("silent")
	PYTHON
}

counted() {
	local before=$1 verdict=$2 count=$3
	[ $(($(lab_verdict "$verdict") - before)) -ge "$count" ]
}

talk_tcp() {
	lab_in client bash -c "exec 3<> /dev/tcp/$LAB_BALANCER/22 && read -t 3 line <&3 && [ \"\$line\" = hello ]"
}

one_switch() {
	local before
	lab_open
	lab_flat 3
	answer_everywhere
	lab_config dsr
	lab_balance

	check "1,000 calls from $LAB_CLIENTS addresses succeed" make_calls dsr 1000
	is "1,000 Call-IDs were seen" "$(sip_owners | cut -d' ' -f1 | sort -u | wc -l)" 1000
	is "one backend receives all messages of a Call-ID" "$(sip_strays)" ""
	check "the packet counter of each backend equals its number of messages" packets_agree
	check "each backend receives its share of the calls" shares_agree
	check "lookup names the backend of each call" lookup_agrees

	check "the balancer's own address answers ping" lab_in client ping -c 1 -W 2 "$LAB_BALANCER"
	check "the VIP answers ping" lab_in client ping -c 1 -W 2 "$LAB_VIP"
	check "IPv6 passes: ping" lab_in client ping -c 1 -W 2 2001:db8::2
	lab_in client ip neighbour flush dev eth0
	check "ARP passes: ping after the client has flushed its neighbours" lab_in client ping -c 1 -W 2 "$LAB_VIP"
	lab_start ssh balancer python3 -c "
import socket
s = socket.create_server(('$LAB_BALANCER', 22))
while True:
    c = s.accept()[0]
    c.sendall(b'hello\n')
    c.close()"
	check "the balancer's ssh port is reached" wait_for 3 talk_tcp
	before=$(lab_verdict not_service)
	is "a port of the VIP without a service: the balancer's kernel refuses" "$(udp "$LAB_VIP" 5070 hello)" refused
	check "... the verdict is not_service" counted "$before" not_service 1
	before=$(lab_verdict not_sip)
	udp "$LAB_VIP" 5060 $'\r\n\r\n' > /dev/null
	check "the verdict of a keepalive is not_sip" counted "$before" not_sip 1
	lab_close
}

# The backends are behind a second interface of the balancer, so frames are redirected.
two_interfaces() {
	lab_open
	lab_routed 2
	lab_second_arm
	answer_everywhere
	lab_config dsr
	lab_balance
	check "backends behind a second interface: 200 calls succeed" make_calls arm 200
	is "... one backend receives all messages of a Call-ID" "$(sip_strays)" ""
	check "... the packet counter of each backend equals its number of messages" packets_agree
	lab_close
}

one_switch
two_interfaces
tap_end
