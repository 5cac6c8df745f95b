#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The way from the balancer to a client of a pool with `forward: nat`, while numbered packets flow. The client is behind
# two routers. After a change of a route, a neighbour or ip_forward, no packet takes the previous way, although the
# program remembers the next hop of a flow (bpf/nat_flow.h).
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

PHONE=10.0.2.100
RATE=5000
FOLLOW_ROUTES=build/tests/tools/follow-routes
COMMANDS= # descriptor: standard input of follow-routes

# --- the changes that the daemon learns from the kernel

# Starts follow-routes, which counts these changes.
follow_changes() {
	mkfifo "$LAB_DIR/commands"
	_lab_exec balancer "$FOLLOW_ROUTES" < "$LAB_DIR/commands" > "$LAB_DIR/changes.log" 2>&1 &
	LAB_PROCESS[changes]=$!
	exec {COMMANDS}> "$LAB_DIR/commands"
}

answers() {
	[ "$(wc -l < "$LAB_DIR/changes.log")" -ge "$1" ]
}

# changes: the number of changes until now. The second answer comes after all notifications that preceded the first
# question.
changes() {
	local asked
	for _ in 1 2; do
		asked=$(wc -l < "$LAB_DIR/changes.log")
		echo rerouted >&"$COMMANDS"
		wait_for 5 answers $((asked + 1))
	done
	sed -n '$s/rerouted //p' "$LAB_DIR/changes.log"
}

# reported NAME COMMAND...: the command on the balancer is a change.
reported() {
	local name=$1 before
	shift
	before=$(changes)
	lab_in balancer "$@"
	check "$name is reported" test "$(changes)" -gt "$before"
}

# --- packets

# lab_router NAME NUMBER: a router between the networks of the balancer and of the phone
lab_router() {
	_lab_host "$1"
	lab_in "$1" sysctl -qw net.ipv4.ip_forward=1
	lab_plug "$1" eth0 br0
	lab_plug "$1" eth1 br2
	lab_address "$1" eth0 "10.0.0.$2/24"
	lab_address "$1" eth1 "10.0.2.$2/24"
	lab_in "$1" ip route add "$LAB_VIP/32" dev eth0
	# Counts the packets from the VIP.
	lab_in "$1" nft add table ip lab
	lab_in "$1" nft add chain ip lab prerouting '{ type filter hook prerouting priority 0; }'
	lab_in "$1" nft add rule ip lab prerouting iifname eth0 ip saddr "$LAB_VIP" counter
}

# carried ROUTER: the number of packets from the VIP that this router has received
carried() {
	lab_in "$1" nft -j list chain ip lab prerouting | jq '[.nftables[].rule?.expr[]?.counter?.packets // empty] | add'
}

carries() {
	local before
	before=$(carried "$1")
	sleep 0.1
	[ "$(carried "$1")" -gt "$before" ]
}

# moves NAME FROM TO COMMAND...: after the command, TO carries the packets instead of FROM.
moves() {
	local name=$1 from=$2 to=$3 before
	shift 3
	check "$name: before it, $from carries the packets" wait_for 5 carries "$from"
	"$@"
	check "... then $to" wait_for 5 carries "$to"
	before=$(carried "$from")
	check "... which continues" wait_for 5 carries "$to"
	is "... and $from receives no packet any more" "$(carried "$from")" "$before"
}

refuses() {
	local before
	before=$(lab_verdict nat_no_route)
	sleep 0.1
	[ "$(lab_verdict nat_no_route)" -gt "$before" ]
}

# large_requests SIZE COUNT: requests for say.py, of more than SIZE bytes each
large_requests() {
	local i fill
	fill=$(printf '%*s' "$1" "" | tr ' ' x)
	for ((i = 0; i < $2; i++)); do
		printf '5060\tOPTIONS sip:a@b SIP/2.0\tVia: SIP/2.0/UDP %s;branch=z9hG4bK%d\tCall-ID: %d\tX: %s\n' \
			$PHONE "$i" "$i" "$fill"
	done
}

none_lost() {
	local status=0
	lab_stop numbered || status=$?
	diag "$(cat "$LAB_DIR/numbered.log")"
	is "none of $(result sent) packets was lost or untranslated" \
		"$(result lost) $(($(result sent) - $(result answered))) $(result duplicated)" "0 0 0"
}

lab_open
lab_nat 1
lab_router r1 21
lab_router r2 22
_lab_host phone
lab_plug phone eth0 br2
lab_address phone eth0 $PHONE/24
lab_in phone ip route add default via 10.0.2.21
lab_in balancer ip route add 10.0.2.0/24 via 10.0.0.21

follow_changes
reported "a route" ip route add 198.51.100.0/24 via 10.0.0.21
reported "a route that disappears" ip route del 198.51.100.0/24
reported "a policy rule" ip rule add from 198.51.100.1 lookup 100
reported "an address" ip address add 198.51.100.1/32 dev lo
reported "the MTU of an interface" ip link set eth1 mtu 1400
lab_in balancer ip link set eth1 mtu 1500
reported "an interface that does not forward" sysctl -qw net.ipv4.conf.eth1.forwarding=0
reported "ip_forward" sysctl -qw net.ipv4.ip_forward=0
lab_in balancer sysctl -qw net.ipv4.ip_forward=1
reported "a neighbour" ip neigh replace 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud reachable
reported "a neighbour with a different MAC address" \
	ip neigh replace 10.0.0.77 lladdr 02:00:00:00:00:78 dev eth0 nud reachable
before=$(changes)
lab_in balancer ip neigh replace 10.0.0.77 lladdr 02:00:00:00:00:78 dev eth0 nud stale
lab_in balancer ip neigh replace 10.0.0.77 lladdr 02:00:00:00:00:78 dev eth0 nud reachable
is "a neighbour that was only resolved again is not reported" "$(changes)" "$before"
reported "a neighbour that disappears" ip neigh del 10.0.0.77 dev eth0
lab_stop changes

LAB_SECTIONS= lab_config nat
lab_in balancer sed -i 's/^interfaces:.*/interfaces: [eth0, eth1]/' "$LAB_CONFIG"
lab_balance

start_packets --rate $RATE --answers --from "/run/netns/$LAB_ID-phone"
moves "a different route" r1 r2 lab_in balancer ip route replace 10.0.2.0/24 via 10.0.0.22
moves "a more specific route" r2 r1 lab_in balancer ip route add $PHONE/32 via 10.0.0.21
moves "a route that disappears" r1 r2 lab_in balancer ip route del $PHONE/32
moves "a policy rule" r2 r1 lab_in balancer sh -c \
	"ip route add default via 10.0.0.21 table 100 && ip rule add ipproto udp sport 5060 lookup 100"
moves "a rule that disappears" r1 r2 lab_in balancer ip rule del ipproto udp sport 5060 lookup 100
# r1 takes the address of r2, and announces it.
lab_in r2 ip address del 10.0.0.22/24 dev eth0
lab_address r2 eth0 10.0.0.23/24
lab_address r1 eth0 10.0.0.22/24
moves "a gateway that moves to a different machine" r2 r1 lab_announce r1 10.0.0.22
none_lost

start_packets --rate $RATE --answers --from "/run/netns/$LAB_ID-phone"
wait_for 5 carries r1
lab_in balancer sysctl -qw net.ipv4.ip_forward=0
check "without ip_forward, packets count as nat_no_route" wait_for 5 refuses
before=$(lab_verdict nat_out)
check "... which continues" wait_for 5 refuses
is "... and the program sends no packet any more" "$(lab_verdict nat_out)" "$before"
lab_in balancer sysctl -qw net.ipv4.ip_forward=1
check "... and sends again with ip_forward" wait_for 5 carries r1

# The limit is 64 jiffies, at most 0.64 s. The stopped daemon could not send packets to an unresolved neighbour.
lab_in balancer ping -q -c 1 10.0.0.23 > /dev/null
kill -STOP "${LAB_PROCESS[sipxdpd]}"
before=$(carried r1)
lab_in balancer ip route replace 10.0.2.0/24 via 10.0.0.23
check "while the daemon is stopped, a different route takes effect" wait_for 5 carries r2
sleep 1 # the limit applies to each flow
after=$(carried r1)
diag "r1 has received $((after - before)) packets meanwhile"
check "... within a second: r1 has received fewer than $RATE packets" test $((after - before)) -lt $RATE
check "... r2 continues" wait_for 5 carries r2
is "... and r1 receives no packet any more" "$(carried r1)" "$after"
kill -CONT "${LAB_PROCESS[sipxdpd]}"
lab_stop numbered || true

# The program is not attached to eth2, so the daemon sends all fragments of a response through the kernel.
lab_plug balancer eth2 br2
lab_in balancer ip link set dev eth2 mtu 1400
lab_address balancer eth2 10.0.2.2/24
lab_in balancer ip route flush table 100
lab_in balancer ip route replace 10.0.2.0/24 dev eth2
lab_in px1 sysctl -qw net.ipv4.ip_no_pmtu_disc=1 # without Don't Fragment
lab_start px1 px1 python3 tests/net/named_echo.py px1 5060 10.0.1.11
wait_for 5 grep -q listening "$LAB_DIR/px1.log"
is "responses that are too large for an interface without the program arrive in fragments" \
	"$(large_requests 1350 5 | lab_in phone python3 tests/net/say.py "$LAB_VIP" $PHONE | sort | uniq -c | xargs)" "5 px1"
like "... status counts them as fragmented" "$(lab_ctl status)" "since the daemon started: fragmented"
tap_end
