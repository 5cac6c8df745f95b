#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Which tunnels a server opens, and that the operator sees which it does not: listed sources
# and VIPs, lists that are exchanged under load, an upgrade from a release without lists.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PINS=/sys/fs/bpf/sipxdp
SERVER=10.0.0.11
SERVER6=2001:db8:0::11
STRANGER=10.0.0.101 # another address of the client's; its first plays the balancer
BALANCER6=2001:db8::100
CALLER=198.51.100.7

loader() {
	lab_in px1 sipxdp-loader "$@"
}

attach() {
	loader attach --program decap eth0 "$@" 2>&1
}

# tunnel SOURCE SERVER INNER-DESTINATION TEXT [OUTER-TOS INNER-TOS]
tunnel() {
	local source=$1 server=$2 vip=$3 caller=$CALLER
	shift 3
	[[ $vip != *:* ]] || caller=2001:db8:f::7
	lab_in client tests/net/tunnel.py send "$source" "$server" "$caller" "$vip" "$@"
}

has_received() {
	grep -qsx -- "$1" "$LAB_DIR/ipv4" "$LAB_DIR/ipv6" "$LAB_DIR/own"
}

counter() {
	lab_verdict "$1" px1 decap_verdicts
}

counts() {
	[ "$(counter "$1")" -eq "$2" ]
}

state() {
	loader status --json | jq -r "$1"
}

accepted() {
	state '.programs[0].accepts | (.from + ["|"] + .vips)[]' | xargs
}

# opens NAME LINE TUNNEL-ARGUMENT...
opens() {
	local name=$1 line=$2
	shift 2
	tunnel "$@"
	check "$name" wait_for 10 has_received "$line"
}

# leaves NAME COUNTER TUNNEL-ARGUMENT...: it is counted, and not delivered.
leaves() {
	local name=$1 verdict=$2 before
	shift 2
	before=$(counter "$verdict")
	tunnel "$@"
	check "$name" wait_for 10 counts "$verdict" $((before + 1))
	check "... and is not delivered" not_received "$4"
}

not_received() {
	! grep -q -- "$1" "$LAB_DIR/ipv4" "$LAB_DIR/ipv6" "$LAB_DIR/own"
}

# --- without options, as before there were any

defaults() {
	local output
	output=$(attach)
	like "without --from attach warns" "$output" "warning: tunnels are accepted from any source.*--from"
	like "... and says for which VIPs it takes packets: those on lo" "$output" "accepted for 192.0.2.10, 2001:db8:f::10 .*lo"
	is "... which status shows" "$(accepted)" "::/0 | 192.0.2.10 2001:db8:f::10"
	like "... and warns" "$(state '.warnings[]')" "any source"
	opens "a packet for a VIP from anybody is taken out" "0 anybody" "$STRANGER" $SERVER "$LAB_VIP" anybody
	opens "... an IPv6 one, too" "0 anybody6" "$STRANGER" $SERVER "$LAB_VIP6" anybody6
	leaves "a packet to the server itself stays in its tunnel" decap_unlisted_vip "$STRANGER" $SERVER $SERVER inject
	leaves "... as one to its loopback address" decap_unlisted_vip "$STRANGER" $SERVER 127.0.0.1 inject-lo
	like "status says how many" "$(state '.warnings[]')" "2 packets: decap_unlisted_vip"
	lab_in px1 ip address add 192.0.2.77/32 dev lo
	like "an address that lo has got since: status says that it is not accepted" "$(state '.warnings[]')" "192.0.2.77, and .* not"
	like "... attach again accepts it" "$(attach)" "192.0.2.77"
	lab_in px1 ip address del 192.0.2.77/32 dev lo
	unlike "... and when it has gone not any more" "$(attach)" "192.0.2.77"
	like "with nothing new there is nothing to do" "$(attach || true)" "nothing to attach"
	loader detach --program decap > /dev/null
}

without_vip() {
	local output
	lab_in px1 ip address del "$LAB_VIP/32" dev lo
	lab_in px1 ip -6 address del "$LAB_VIP6/128" dev lo
	output=$(attach)
	like "without an address on lo attach warns" "$output" "warning: packets in tunnels are accepted for any destination.*--vip"
	is "... and takes all" "$(accepted)" "::/0 | ::/0"
	lab_address px1 lo "$LAB_VIP/32" "$LAB_VIP6/128"
	loader detach --program decap > /dev/null
}

# --- with lists

listed() {
	local output
	output=$(attach --from $LAB_CLIENT --from 2001:db8::/64 --vip "$LAB_VIP" --vip "$LAB_VIP6")
	unlike "with --from and --vip there is no warning" "$output" "warning"
	like "... and it is said what is accepted" "$output" "accepted from 10.0.0.100, 2001:db8::/64"
	is "... in status, too" "$(accepted)" "10.0.0.100 2001:db8::/64 | 192.0.2.10 2001:db8:f::10"
	is "... with nothing to warn of" "$(state '.warnings[]')" ""
	opens "IPv4 in IPv4 from a listed source" "0 four-four" $LAB_CLIENT $SERVER "$LAB_VIP" four-four
	opens "IPv6 in IPv4" "0 six-four" $LAB_CLIENT $SERVER "$LAB_VIP6" six-four
	opens "IPv4 in IPv6" "0 four-six" $BALANCER6 $SERVER6 "$LAB_VIP" four-six
	opens "IPv6 in IPv6" "0 six-six" $BALANCER6 $SERVER6 "$LAB_VIP6" six-six
	leaves "a tunnel from another source" decap_unlisted_source $STRANGER $SERVER "$LAB_VIP" stranger
	like "... which status names" "$(state '.warnings[]')" "1 packets: decap_unlisted_source"
	leaves "a packet to the server itself" decap_unlisted_vip $LAB_CLIENT $SERVER $SERVER not-a-vip
	leaves "a loopback address in a tunnel by IPv6" decap_unlisted_vip $BALANCER6 $SERVER6 127.0.0.1 inject6
}

congestion() {
	opens "a mark of congestion on the tunnel is handed on, IPv4" "3 ce-four" $LAB_CLIENT $SERVER "$LAB_VIP" ce-four 3 2
	opens "... IPv6" "187 ce-six" $BALANCER6 $SERVER6 "$LAB_VIP6" ce-six 3 185
	leaves "... and where the inner packet cannot say it, it is dropped" decap_congested $LAB_CLIENT $SERVER "$LAB_VIP" ce-none 3 0
}

more_than() {
	[ "$(grep -c stream "$LAB_DIR/ipv4")" -gt "$1" ]
}

# Lists are exchanged while packets come: what is in both is never refused.
exchanged() {
	local before i packets
	before=$(counter decap_unlisted_source)
	lab_start stream client tests/net/tunnel.py stream $LAB_CLIENT $SERVER $CALLER "$LAB_VIP" stream
	check "packets come" wait_for 10 has_received "0 stream"
	for ((i = 0; i < 10; i++)); do
		attach --from 10.0.0.0/24 > /dev/null
		attach --from $LAB_CLIENT > /dev/null
		attach --from $LAB_CLIENT --from 192.0.2.0/24 > /dev/null
	done
	packets=$(grep -c stream "$LAB_DIR/ipv4")
	check "... and go on coming while lists are exchanged" wait_for 10 more_than "$packets"
	lab_stop stream || true
	is "... no packet is refused if its source is in each list" "$(counter decap_unlisted_source)" "$before"
	is "... the last list counts" "$(accepted)" "10.0.0.100 192.0.2.0/24 | 192.0.2.10 2001:db8:f::10"
	attach --from $LAB_CLIENT > /dev/null
	like "an attach that fails" "$(loader attach --program decap eth0 eth7 --from 203.0.113.0/24 2>&1 || true)" "eth7"
	lab_in px1 ip link add soft up type bridge
	like "... halfway" "$(loader attach --program decap eth0 soft --address 10.9.9.9 --from 203.0.113.0/24 2>&1 || true)" \
		"cannot attach to soft"
	is "... leaves the lists as they were" "$(accepted)" "10.0.0.100 | 192.0.2.10 2001:db8:f::10"
	lab_in px1 ip link del soft
	attach > /dev/null 2>&1 || true
	is "without options the lists stay" "$(accepted)" "10.0.0.100 | 192.0.2.10 2001:db8:f::10"
}

has_no_program() {
	[ -z "$(lab_in px1 ip -j link show eth0 | jq -r '.[0].xdp // empty')" ]
}

# --- from a release that had no lists: the maps as that would have left them

upgraded() {
	local output
	lab_in px1 rm $PINS/decap_sources $PINS/decap_vips $PINS/decap_verdicts
	lab_in px1 bpftool map create $PINS/decap_verdicts type percpu_array key 4 value 32 entries 1 name decap_verdicts
	like "maps of another release: attach says what to do" "$(attach --from $LAB_CLIENT || true)" "upgrade --program decap"
	output=$(loader upgrade --program decap 2>&1)
	like "upgrade makes the maps that are missing" "$output" "eth0: program [0-9]+ has replaced"
	like "... and warns that all is accepted, as before" "$output" "warning: tunnels are accepted from any source"
	is "... which status shows" "$(accepted)" "::/0 | ::/0"
	opens "... so nothing is refused" "0 as-before" $STRANGER $SERVER $SERVER as-before
	attach > /dev/null 2>&1 || true
	is "... also by an attach without options" "$(accepted)" "::/0 | ::/0"
	output=$(loader upgrade --program decap --from $LAB_CLIENT --vip "$LAB_VIP" 2>&1)
	is "upgrade takes the lists, too" "$(accepted)" "10.0.0.100 | 192.0.2.10"
	leaves "... and they count" decap_unlisted_source $STRANGER $SERVER "$LAB_VIP" after-upgrade
	loader upgrade --program decap > /dev/null
	is "... over an upgrade without them" "$(accepted)" "10.0.0.100 | 192.0.2.10"
	lab_in px1 rm $PINS/decap_links/eth0 $PINS/decap_sources
	wait_for 10 has_no_program # the kernel takes it off when it gets to it
	check "maps of another release, and nothing attached: attach replaces them" attach --from $LAB_CLIENT
	is "... with its own lists" "$(accepted)" "10.0.0.100 | 192.0.2.10 2001:db8:f::10"
	check "detach" loader detach --program decap
	is "... leaves nothing" "$(lab_in px1 sh -c "ls $PINS 2> /dev/null || true")" ""
}

wrong_usage() {
	local text
	for text in 10.0.0.1/8 10.0.0.0/33 nonsense; do
		like "--from $text is refused" "$(attach --from $text || true)" "--from must be an address or a network .*, not '$text'"
	done
	like "--from is decap's" "$(loader attach -c /etc/passwd --from 10.0.0.1 2>&1 || true)" "for --program decap"
}

lab_open
lab_flat 1
lab_start four px1 tests/net/tunnel.py receive "$LAB_VIP" "$LAB_DIR/ipv4"
lab_start six px1 tests/net/tunnel.py receive "$LAB_VIP6" "$LAB_DIR/ipv6"
lab_start own px1 tests/net/tunnel.py receive $SERVER "$LAB_DIR/own"
wait_for 10 test -e "$LAB_DIR/ipv4" -a -e "$LAB_DIR/ipv6" -a -e "$LAB_DIR/own"
defaults
without_vip
listed
congestion
exchanged
upgraded
wrong_usage
tap_end
