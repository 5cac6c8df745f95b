#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Calls over IP-in-IP to backends behind a router: the content of the outer header, and its removal by the decap
# program.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

CAPTURE=

# The router receives the balancer's packets as ordinary ones, so they can be captured there.
start_capture() {
	CAPTURE=$LAB_DIR/router.pcap
	lab_start capture router tshark -Q -i eth0 -f 'ip proto 4' -w "$CAPTURE"
	# The file is created after the filter is set and before the first packet.
	wait_for 15 test -s "$CAPTURE"
}

# captured FIELD...: prints the fields of each tunnelled packet; a field of both headers is "outer,inner".
captured() {
	local field fields=()
	for field; do
		fields+=(-e "$field")
	done
	# The file may end with a truncated packet while tshark writes it.
	tshark -r "$CAPTURE" -o ip.check_checksum:TRUE -T fields "${fields[@]}" 2> /dev/null || true
}

# tshark writes with a delay.
has_captured() {
	[ "$(captured frame.number | wc -l)" -ge "$1" ]
}

# send_with_tos TOS CALL-ID LENGTH: sends an OPTIONS request with a UDP payload of LENGTH bytes and waits for the
# response.
send_with_tos() {
	lab_in client python3 - "$LAB_VIP" "$@" <<- 'PYTHON'
		import socket, sys
		vip, tos, call_id, length = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
		head = ("OPTIONS sip:a@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK1\r\n"
		        "From: <sip:a@example.net>;tag=1\r\nTo: <sip:a@example.net>\r\n"
		        f"Call-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nX-Fill: ")
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
		s.connect((vip, 5060))
		s.send((head + "x" * (length - len(head) - 4) + "\r\n\r\n").encode())
		s.settimeout(1)
		try:
		    s.recv(2000) # a closed socket would make our kernel send an ICMP error
		except OSError:
		    pass
	PYTHON
}

calls_succeed() {
	sip_client calls client "$LAB_CLIENT" call 300 60 -d 200
	lab_wait calls 60 || { tail -n 20 "$LAB_DIR/calls.log" "$LAB_DIR/calls.errors" && false; }
}

# Checks for each packet that the outer destination is the backend that saw the call.
destinations_agree() {
	local call_id addresses status=0
	declare -A address_of=()
	while read -r call_id backend; do
		address_of[$call_id]=10.0.1.$((10 + ${backend#px}))
	done < <(sip_owners)
	while IFS=$'\t' read -r addresses call_id; do
		[ -n "$call_id" ] || continue
		[ "$addresses" = "${address_of[$call_id]:-nobody},$LAB_VIP" ] || { echo "$call_id went to $addresses" && status=1; }
	done < <(captured ip.dst sip.Call-ID | sort -u)
	return $status
}

all_seen() {
	[ "$(sip_owners | wc -l)" -eq 300 ]
}

verdict_is() {
	[ "$(lab_verdict "$1")" -eq "$2" ]
}

lab_open
lab_routed 3
for backend in "${LAB_BACKENDS[@]}"; do
	sip_answer "$backend" "$backend" "$LAB_VIP"
	check "decap attaches on $backend" lab_in "$backend" sipxdp-loader attach --program decap eth0 --from "$LAB_BALANCER"
done
lab_config ipip
lab_balance
start_capture

check "300 calls through a router succeed" calls_succeed
is "one backend receives all messages of a Call-ID" "$(sip_strays)" ""
check "the backends saw all of them" all_seen

messages=0
for backend in "${LAB_BACKENDS[@]}"; do
	seen=$(sip_seen "$backend" | wc -l)
	messages=$((messages + seen))
	is "$backend decapsulated each of its $seen messages" \
		"$(lab_verdict decapsulated "$backend" decap_verdicts)" "$seen"
done

send_with_tos 184 tos-184@example.net 600 # expedited forwarding, as phones mark SIP
before=$(lab_verdict oversize)
send_with_tos 0 too-big@example.net 1472 # a full frame: the outer header does not fit
check "a packet that does not fit the tunnel is counted" wait_for 3 verdict_is oversize $((before + 1))
wait_for 10 has_captured $((messages + 1)) || true
lab_stop capture || true

is "the capture contains every packet" "$(captured frame.number | wc -l)" $((messages + 1))
is "the outer source is the balancer, the inner source the client" \
	"$(captured ip.src | sort -u)" "$LAB_BALANCER,$LAB_CLIENT"
check "the outer destination is the owner, the inner destination the VIP" destinations_agree
is "both header checksums are right" "$(captured ip.checksum.status | sort -u)" 1,1
is "the outer protocol is 4, the inner one UDP" "$(captured ip.proto | sort -u)" 4,17
is "the outer type of service is copied from the inner packet" \
	"$(captured ip.dsfield sip.Call-ID | grep tos-184 | cut -f1)" 0xb8,0xb8
is "the outer length is 20 bytes larger" \
	"$(captured ip.len | awk -F, '$1 != $2 + 20' | wc -l)" 0
diag "time to live, outer and inner, at the router: $(captured ip.ttl | sort | uniq -c | xargs)"
is "the outer time to live starts at 64" "$(captured ip.ttl | cut -d, -f1 | sort -u)" 64
check "other traffic passes the decap program" lab_in client ping -c 1 -W 2 10.0.1.11

check "decap detaches" lab_in px1 sipxdp-loader detach --program decap eth0
unlike "... the interface has no XDP program" "$(lab_in px1 ip link show eth0)" xdp
tap_end
