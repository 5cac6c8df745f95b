#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Floods of each kind, as fast as this machine can send them, while a carrier makes 100 calls per second, phones register
# and call, and emergency calls come from the address of the flood. No call and no registration fails, and the counters
# contain each packet. The floods arrive on a separate interface, so that its full queues lose only packets of the
# floods.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

CARRIER=$LAB_CLIENT PHONES=10.0.0.101 ATTACKER=10.0.0.150
SECONDS_EACH=${FLOOD_SECONDS:-2}          # duration of a flood; FLOOD_SECONDS=10 for a longer test
CALLS=$((1000 + 500 * SECONDS_EACH)) # of the carrier: for longer than all floods
FORGED=1000000
# An upper bound for the packets of one flood within the default limits: INVITE 10/s burst 100, not SIP 10/s burst 50.
PASSED=$((370 + 10 * SECONDS_EACH))

# verdicts: all verdicts with their counters, as JSON
verdicts() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/verdicts |
		jq -c '[.[0].formatted.values[].value] | map(to_entries[]) | group_by(.key) |
			map({key: .[0].key, value: (map(.value) | add)}) | from_entries'
}

# received INTERFACE...: the packets that the XDP program of the balancer has received
received() {
	local interface
	for interface; do
		lab_in balancer ethtool -S "$interface"
	done | awk '/rx_queue_[0-9]+_xdp_packets:/ { sum += $2 } END { print sum + 0 }'
}

# uncounted: the number of received packets without a verdict
uncounted() {
	local all=0
	all=$(received eth0 eth1)
	echo $((all - $(verdicts | jq add)))
}

all_are_counted() {
	[ "$(uncounted)" -eq "$UNCOUNTED" ]
}

# queue_losses: the packets that full queues of the lab have dropped, except for those of the floods
queue_losses() {
	local host
	for host in "${LAB_HOSTS[@]}"; do
		lab_in "$host" ip -json -stats link show type veth
	done | jq -s '[.[][] | select(.ifname | test("eth1") | not) | .stats64.tx.dropped] | add'
}

# all_drops: the number of packets that the guard has dropped, according to the verdict counters
all_drops() {
	verdicts | jq '.limited + .broken + .scanner + .denied + .over_ceiling + .overload'
}

# guard_dropped: the same number, according to the counters of the rules
guard_dropped() {
	lab_ctl --json guard stats | jq '[.rules[].dropped] | add'
}

# flood KIND COUNT SECONDS PASSED VERDICT...: sends packets while the calls continue, until COUNT are sent or SECONDS have
# passed. All packets except for PASSED have one of the verdicts.
flood() {
	local kind=$1 count=$2 seconds=$3 passed=$4 before entered dropped
	shift 4
	before=$(verdicts)
	entered=$(received eth1)
	lab_start "flood-$kind" attacker build/tests/tools/flood "$kind" eth1 $ATTACKER "$LAB_VIP" "$count" "$seconds"
	sip_client "emergency-$kind" attacker $ATTACKER call 1 1 -s 112 -d 100
	check "flood $kind: an emergency call from the address of the flood succeeds" lab_wait "emergency-$kind" 30
	check "... the flood ends" lab_wait "flood-$kind" 60
	entered=$(($(received eth1) - entered))
	dropped=$(jq -n --argjson before "$before" --argjson after "$(verdicts)" \
		'[$ARGS.positional[] as $name | $after[$name] - $before[$name]] | add' --args "$@")
	check "... $dropped of $entered packets are dropped" test $((entered - dropped)) -le "$passed" -a "$dropped" -gt 0
	check "... the guard counts the same number" test "$(guard_dropped)" -eq "$(all_drops)"
	diag "$(cat "$LAB_DIR/flood-$kind.log") packets sent"
}

# seen METHOD: the Call-IDs of the good messages with this method that the servers received
seen() {
	{ kamailio_seen px1 && kamailio_seen px2; } | awk -v method="$1" '$1 == method { print $2 }' | grep "^$SIP_RUN" | sort -u
}

lab_open
lab_flat 2
LAB_SECTIONS="guard:
  mode: enforce
  broken: drop
  lists:
    - {name: carriers, action: trust, prefixes: [$CARRIER]}"
lab_config dsr
lab_in balancer sed -i 's/^interfaces: .*/interfaces: [eth0, eth1]/' "$LAB_CONFIG"
lab_peer callee 200
sip_answer callee callee 10.0.0.200
for i in 1 2; do
	kamailio_start px$i px$i STATEFUL 'PASSWORD="lemon7"' 'CALLEE="sip:10.0.0.200:5060"'
done
lab_plug balancer eth1 br1
lab_peer attacker "${ATTACKER##*.}"
lab_plug attacker eth1 br1
lab_in attacker ip route add "$LAB_VIP/32" dev eth1 metric 100
lab_in attacker ip neighbour replace "$LAB_VIP" dev eth1 nud permanent \
	lladdr "$(lab_in balancer cat /sys/class/net/eth1/address)"
lab_balance
wait_for 10 lab_lists_in_use
UNCOUNTED=$(uncounted)
losses=$(queue_losses)

sip_client carrier client $CARRIER call $CALLS 100 -d 500 -s callee
sip_client phone client $PHONES call 80 4 -d 500 -s callee -p 5070
sip_client register client $PHONES register-auth 200 10 -s phone -t un -au office -ap lemon7
flood invite 100000000 $SECONDS_EACH $PASSED limited
flood register 100000000 $SECONDS_EACH $((PASSED + 2000)) limited
flood not_sip 100000000 $SECONDS_EACH $PASSED limited broken
flood fragments 100000000 $SECONDS_EACH $((2 * PASSED)) limited dropped_fragment
flood forged $FORGED 60 20000 broken
check "the carrier's calls succeed" lab_wait carrier $((90 + 5 * SECONDS_EACH))
check "calls of a phone succeed" lab_wait phone 90
check "registrations succeed" lab_wait register 90
is "no call fails" "$(sip_statistic carrier 'FailedCall(C)') $(sip_statistic phone 'FailedCall(C)')" "0 0"
is "each call that a server received was acknowledged" "$(comm -3 <(seen INVITE) <(seen ACK))" ""
is "... and ended by a BYE" "$(comm -3 <(seen INVITE) <(seen BYE))" ""
is "no message of a call is over the ceiling" "$(lab_verdict over_ceiling)" 0
check "each packet has exactly one verdict" wait_for 10 all_are_counted
diag "packets without a verdict: $(uncounted), at the start $UNCOUNTED"
diag "good packets that the queues of the lab lost: $(($(queue_losses) - losses));" \
	"retransmissions: $(sip_statistic carrier 'Retransmissions(C)')"
tap_end
