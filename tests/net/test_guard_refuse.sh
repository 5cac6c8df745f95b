#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The guard answers calls over a limit with 503: sipp and Kamailio accept the response, the servers receive all messages
# of the admitted calls, and of no other calls. While the daemon is stopped, the dropped INVITEs are counted. IPv4 and
# IPv6, native and generic mode.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/capture.sh

CALLS=1500 # of the flood
RATE=500   # calls per second

# --- the lab

# configure ATTACH-OPTION...: two servers, a service for each family, and at most 100 calls per second for each.
configure() {
	local surge="guard: {surge: {rate: 100, burst: 100}}"
	lab_flat 2
	lab_config dsr
	lab_in balancer sed -i -e "s/^services:/&\n  - {name: sip6, vip: \"$LAB_VIP6\", port: 5060, pool: proxies, $surge}/" \
		-e "s/^    pool: proxies/&\n    $surge/" "$LAB_CONFIG"
	lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" "$@" > /dev/null
	lab_daemon
	wait_for 10 lab_serving 2
	wait_for 10 guarded
}

# Services use the guard as soon as its lists have been loaded.
guarded() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/services_ipv4 | jq -e 'all(.formatted.value.guard > 0)'
}

servers() {
	local address=$1
	sip_answer px1 px1 "$address"
	sip_answer px2 px2 "$address"
	since=$(date +%s)
	before_refused=$(lab_verdict refused)
	before_acks=$(lab_verdict refused_ack)
	before_overload=$(lab_verdict overload)
}

servers_end() {
	lab_stop px1 > /dev/null || true
	lab_stop px2 > /dev/null || true
	rm -f "$LAB_DIR"/px[12].messages
}

# The number of calls that may have been admitted since servers().
limit() {
	echo $((100 + ($(date +%s) - since + 1) * 100))
}

refused() {
	echo $(($(lab_verdict refused) - before_refused))
}

acks() {
	echo $(($(lab_verdict refused_ack) - before_acks))
}

overload() {
	echo $(($(lab_verdict overload) - before_overload))
}

# seen METHOD: the Call-IDs of the messages with this method that the servers received.
seen() {
	{ sip_seen px1; sip_seen px2; } | awk -v method="$1" '$1 == method { print $2 }' | sort -u
}

# same METHOD METHOD: did the servers receive both methods for the same calls? Prints the first differences.
same() {
	diff <(seen "$1") <(seen "$2") | head -n 10
}

# --- checks

# calls_end NAME CALLS ADDRESS VIP TITLE: runs sipp, and checks what the servers received.
calls_end() {
	local name=$1 calls=$2 address=$3 title=$5 admitted limit
	LAB_VIP=$4 sip_client "$name" client "$address" maybe-refused "$calls" "$RATE" -d 300 -l "$calls"
	check "$title: each of $calls calls succeeds, or is refused with 503 and acknowledged" lab_wait "$name" 60
	limit=$(limit)
	admitted=$(seen INVITE | wc -l)
	diag "$admitted admitted, $(refused) INVITEs refused, $(acks) ACKs, $(overload) dropped without an answer," \
		"$(sip_statistic "$name" 'Retransmissions(C)') retransmissions"
	check "... at least the burst is admitted, and no more than the limit" test "$admitted" -ge 100 -a "$admitted" -le "$limit"
	check "... each refused call is answered" test $((admitted + $(refused))) -ge "$calls"
	check "... only the ACKs of refused calls are dropped" test "$(acks)" -ge $((calls - admitted))
	check "... the servers receive the ACK of each admitted call, and no other ACK" same INVITE ACK
	check "... and the BYE of each" same INVITE BYE
	check "... callers send few retransmissions" \
		test "$(sip_statistic "$name" 'Retransmissions(C)')" -lt "$calls"
	is "... one server receives each call" "$(sip_strays)" ""
}

# frames FILTER: the number of captured 503 responses that match.
frames() {
	captured capture "sip.Status-Code == 503 && ($1)"
}

has_frames() {
	[ "$(frames "$1")" -gt 0 ]
}

responses_are_well_formed() {
	check "tshark receives responses over IPv4 with correct checksums" \
		wait_for 20 has_frames 'ip.checksum.status == "Good" && udp.checksum.status == "Good"'
	check "... and over IPv6" wait_for 20 has_frames 'ipv6 && udp.checksum.status == "Good"'
	is "... none is malformed, has a wrong checksum or comes from a different address" \
		"$(frames "_ws.malformed || ip.checksum.status == \"Bad\" || udp.checksum.status != \"Good\" ||
			!(ip.src == $LAB_VIP || ipv6.src == $LAB_VIP6) || udp.srcport != 5060")" 0
}

# Kamailio, a stateful proxy, calls through the VIP. As in maybe-refused.xml, it must not retransmit an admitted INVITE.
kamailio_is_refused() {
	local refused
	lab_peer proxy 150
	mkdir -p "$LAB_DIR/proxy"
	lab_start proxy proxy kamailio -f tests/net/sip/kamailio.cfg -DD -E -m 32 -M 4 -x fm -X fm -Y "$LAB_DIR/proxy" \
		-P "$LAB_DIR/proxy/pid" -w "$LAB_DIR/proxy" -l udp:10.0.0.150:5060 -A T1=4000 -A "CALLEE=\"sip:$LAB_VIP:5060\""
	wait_for 10 sip_listens proxy 10.0.0.150
	LAB_VIP=10.0.0.150 sip_client behind client "$LAB_CLIENT" maybe-refused 400 400 -d 300
	check "Kamailio as the caller: each call of its client succeeds or is refused" lab_wait behind 60
	refused=$(kamailio_seen proxy | awk '$1 == 503' | sort -u | wc -l)
	diag "$refused calls refused, $(refused) INVITEs, $(acks) ACKs"
	check "... it accepts the 503" test "$refused" -gt 100
	check "... and acknowledges it" test "$(acks)" -ge "$refused"
	check "... the servers receive the ACK of each admitted call, and no other ACK" same INVITE ACK
	check "... and the BYE of each" same INVITE BYE
	lab_stop proxy > /dev/null || true
}

# --- a stopped daemon

dropped() {
	[ "$(overload)" -gt 0 ]
}

stopped() {
	local admitted refused
	servers "$LAB_VIP"
	kill -STOP "${LAB_PROCESS[sipxdpd]}"
	sip_client lonely client "$LAB_CLIENT" maybe-refused 400 400 -d 300
	check "while the daemon is stopped, INVITEs over the limit are dropped and counted" wait_for 10 dropped
	sleep 1 # retransmitted INVITEs are dropped, too, or admitted
	refused=$(refused)
	admitted=$(seen INVITE | wc -l)
	diag "$admitted admitted, $refused passed to the stopped daemon, $(overload) dropped"
	check "... the servers receive no more than the limit" test "$admitted" -le "$(limit)"
	kill -CONT "${LAB_PROCESS[sipxdpd]}"
	check "... after that, each call is admitted or refused" lab_wait lonely 90
	check "... the servers receive the ACK of each admitted call, and no other ACK" same INVITE ACK
	check "... the daemon does not answer INVITEs that are too old" late_counted
	servers_end
}

late_counted() {
	lab_ctl --json status | jq -e '[.anomalies[] | select(.text | test("not answered: the daemon read them too late"))] | length > 0'
}

# All callers are trusted: only the limits of the services apply.
LAB_SECTIONS="guard:
  mode: enforce
  lists: [{name: callers, action: trust, prefixes: [10.0.0.0/8, \"2001:db8::/32\"]}]"
lab_open
configure
capture capture client 'src port 5060 and udp'
servers "$LAB_VIP"
calls_end flood "$CALLS" "$LAB_CLIENT" "$LAB_VIP" "a flood over IPv4"
servers_end
servers "$LAB_VIP6"
calls_end flood6 500 2001:db8::100 "[$LAB_VIP6]" "a flood over IPv6"
servers_end
responses_are_well_formed
lab_stop capture > /dev/null || true
servers "$LAB_VIP"
kamailio_is_refused
servers_end
stopped
lab_close
lab_open
configure --mode generic
servers "$LAB_VIP"
calls_end generic 500 "$LAB_CLIENT" "$LAB_VIP" "generic mode"
tap_end
