#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The decap program removes the outer header of tunnels from listed sources to listed VIPs, and the operator can
# see the packets that it leaves. Also: lists that change under load, and an upgrade from a release without lists.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PINS=/sys/fs/bpf/sipxdp
SERVER=10.0.0.11
SERVER6=2001:db8:0::11
STRANGER=10.0.0.101 # a second address of the client; its first one acts as the balancer
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

# opens NAME LINE TUNNEL-ARGUMENT...: the server receives LINE from the tunnel.
opens() {
	local name=$1 line=$2
	shift 2
	tunnel "$@"
	check "$name" wait_for 10 has_received "$line"
}

# leaves NAME COUNTER TUNNEL-ARGUMENT...: the tunnelled packet is counted and not delivered.
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

# --- without options

defaults() {
	local output
	output=$(attach)
	like "without --from attach warns" "$output" "warning: tunnels are accepted from any source.*--from"
	like "... and lists the accepted VIPs: the addresses of lo" "$output" "accepted for 192.0.2.10, 2001:db8:f::10 .*lo"
	is "... status shows both lists" "$(accepted)" "::/0 | 192.0.2.10 2001:db8:f::10"
	like "... and warns" "$(state '.warnings[]')" "any source"
	opens "a packet to a VIP is decapsulated, from any source" "0 anybody" "$STRANGER" $SERVER "$LAB_VIP" anybody
	opens "... also over IPv6" "0 anybody6" "$STRANGER" $SERVER "$LAB_VIP6" anybody6
	leaves "a packet to the server itself is not decapsulated" decap_unlisted_vip "$STRANGER" $SERVER $SERVER inject
	leaves "... nor one to its loopback address" decap_unlisted_vip "$STRANGER" $SERVER 127.0.0.1 inject-lo
	like "status reports their number" "$(state '.warnings[]')" "2 packets: decap_unlisted_vip"
	lab_in px1 ip address add 192.0.2.77/32 dev lo
	like "status warns of an address that was added to lo later and is not accepted" "$(state '.warnings[]')" "192.0.2.77, and .* not"
	like "... a second attach accepts it" "$(attach)" "192.0.2.77"
	lab_in px1 ip address del 192.0.2.77/32 dev lo
	unlike "... a third attach, after the removal of the address, does not" "$(attach)" "192.0.2.77"
	like "attach without a change reports that there is nothing to attach" "$(attach || true)" "nothing to attach"
	loader detach --program decap > /dev/null
}

without_vip() {
	local output
	lab_in px1 ip address del "$LAB_VIP/32" dev lo
	lab_in px1 ip -6 address del "$LAB_VIP6/128" dev lo
	output=$(attach)
	like "without an address on lo attach warns" "$output" "warning: packets in tunnels are accepted for any destination.*--vip"
	is "... and accepts any destination" "$(accepted)" "::/0 | ::/0"
	lab_address px1 lo "$LAB_VIP/32" "$LAB_VIP6/128"
	loader detach --program decap > /dev/null
}

# unit KEY: runs the commands of the unit with an option of each kind.
unit() {
	lab_unit px1 sipxdp-decap@.service "$1" --from $LAB_CLIENT --vip "$LAB_VIP" --gue-port 7000 --mode generic --address 10.0.0.99
}

unit_options() {
	check "the unit starts with options of attach" unit ExecStart
	is "... and puts them into effect" "$(accepted) $(state '.programs[0].interfaces[].mode')" "10.0.0.100 | 192.0.2.10 generic"
	check "... and reloads" unit ExecReload
	loader detach --program decap > /dev/null
}

# --- with lists

listed() {
	local output
	output=$(attach --from $LAB_CLIENT --from 2001:db8::/64 --vip "$LAB_VIP" --vip "$LAB_VIP6")
	unlike "with --from and --vip there is no warning" "$output" "warning"
	like "... and attach reports the accepted sources" "$output" "accepted from 10.0.0.100, 2001:db8::/64"
	is "... status shows the same lists" "$(accepted)" "10.0.0.100 2001:db8::/64 | 192.0.2.10 2001:db8:f::10"
	is "... without a warning" "$(state '.warnings[]')" ""
	opens "IPv4 in IPv4 from a listed source" "0 four-four" $LAB_CLIENT $SERVER "$LAB_VIP" four-four
	opens "IPv6 in IPv4" "0 six-four" $LAB_CLIENT $SERVER "$LAB_VIP6" six-four
	opens "IPv4 in IPv6" "0 four-six" $BALANCER6 $SERVER6 "$LAB_VIP" four-six
	opens "IPv6 in IPv6" "0 six-six" $BALANCER6 $SERVER6 "$LAB_VIP6" six-six
	leaves "a tunnel from an unlisted source" decap_unlisted_source $STRANGER $SERVER "$LAB_VIP" stranger
	like "... status reports the packet" "$(state '.warnings[]')" "1 packets: decap_unlisted_source"
	leaves "a packet to the server itself" decap_unlisted_vip $LAB_CLIENT $SERVER $SERVER not-a-vip
	leaves "a packet to the loopback address, tunnelled over IPv6" decap_unlisted_vip $BALANCER6 $SERVER6 127.0.0.1 inject6
}

congestion() {
	opens "a congestion mark is copied from the tunnel, IPv4" "3 ce-four" $LAB_CLIENT $SERVER "$LAB_VIP" ce-four 3 2
	opens "... IPv6" "187 ce-six" $BALANCER6 $SERVER6 "$LAB_VIP6" ce-six 3 185
	leaves "... a marked packet without ECN support is dropped" decap_congested $LAB_CLIENT $SERVER "$LAB_VIP" ce-none 3 0
}

more_than() {
	[ "$(grep -c stream "$LAB_DIR/ipv4")" -gt "$1" ]
}

# Lists are replaced under load. A source that is in the previous and in the new list is never refused.
exchanged() {
	local before i packets
	before=$(counter decap_unlisted_source)
	lab_start stream client tests/net/tunnel.py stream $LAB_CLIENT $SERVER $CALLER "$LAB_VIP" stream
	check "packets arrive" wait_for 10 has_received "0 stream"
	for ((i = 0; i < 10; i++)); do
		attach --from 10.0.0.0/24 > /dev/null
		attach --from $LAB_CLIENT > /dev/null
		attach --from $LAB_CLIENT --from 192.0.2.0/24 > /dev/null
	done
	packets=$(grep -c stream "$LAB_DIR/ipv4")
	check "... and continue to arrive while lists are replaced" wait_for 10 more_than "$packets"
	lab_stop stream || true
	is "... no packet of a source that is in each list is refused" "$(counter decap_unlisted_source)" "$before"
	is "... the last list is in effect" "$(accepted)" "10.0.0.100 192.0.2.0/24 | 192.0.2.10 2001:db8:f::10"
	attach --from $LAB_CLIENT > /dev/null
	like "attach fails for a missing interface" "$(loader attach --program decap eth0 eth7 --from 203.0.113.0/24 2>&1 || true)" "eth7"
	lab_in px1 ip link add soft up type bridge
	like "... and after the first of two interfaces" "$(loader attach --program decap eth0 soft --address 10.9.9.9 --from 203.0.113.0/24 2>&1 || true)" \
		"cannot attach to soft"
	is "... the lists are unchanged" "$(accepted)" "10.0.0.100 | 192.0.2.10 2001:db8:f::10"
	lab_in px1 ip link del soft
	attach > /dev/null 2>&1 || true
	is "attach without options keeps the lists" "$(accepted)" "10.0.0.100 | 192.0.2.10 2001:db8:f::10"
}

has_no_program() {
	[ -z "$(lab_in px1 ip -j link show eth0 | jq -r '.[0].xdp // empty')" ]
}

# --- upgrade from the maps of a release without lists

upgraded() {
	local output
	lab_in px1 rm $PINS/decap_sources $PINS/decap_vips $PINS/decap_verdicts
	lab_in px1 bpftool map create $PINS/decap_verdicts type percpu_array key 4 value 32 entries 1 name decap_verdicts
	like "maps of a different release: attach names the command to run" "$(attach --from $LAB_CLIENT || true)" "upgrade --program decap"
	output=$(loader upgrade --program decap 2>&1)
	like "upgrade creates the missing maps" "$output" "eth0: program [0-9]+ has replaced"
	like "... and warns that any source is accepted, as before" "$output" "warning: tunnels are accepted from any source"
	is "... status shows both lists" "$(accepted)" "::/0 | ::/0"
	opens "... no packet is refused" "0 as-before" $STRANGER $SERVER $SERVER as-before
	attach > /dev/null 2>&1 || true
	is "... attach without options changes nothing" "$(accepted)" "::/0 | ::/0"
	output=$(loader upgrade --program decap --from $LAB_CLIENT --vip "$LAB_VIP" 2>&1)
	is "upgrade accepts lists" "$(accepted)" "10.0.0.100 | 192.0.2.10"
	leaves "... and puts them into effect" decap_unlisted_source $STRANGER $SERVER "$LAB_VIP" after-upgrade
	loader upgrade --program decap > /dev/null
	is "... an upgrade without lists keeps them" "$(accepted)" "10.0.0.100 | 192.0.2.10"
	lab_in px1 rm $PINS/decap_links/eth0 $PINS/decap_sources
	wait_for 10 has_no_program # the kernel detaches the program asynchronously
	check "maps of a different release, nothing attached: attach replaces them" attach --from $LAB_CLIENT
	is "... with the new lists" "$(accepted)" "10.0.0.100 | 192.0.2.10 2001:db8:f::10"
	check "detach" loader detach --program decap
	is "... nothing remains" "$(lab_in px1 sh -c "ls $PINS 2> /dev/null || true")" ""
}

wrong_usage() {
	local text
	for text in 10.0.0.1/8 10.0.0.0/33 nonsense; do
		like "--from $text is refused" "$(attach --from $text || true)" "--from must be an address or a network .*, not '$text'"
	done
	like "--from is refused for the balancer" "$(loader attach -c /etc/passwd --from 10.0.0.1 2>&1 || true)" "only with --program decap"
}

lab_open
lab_flat 1
lab_start four px1 tests/net/tunnel.py receive "$LAB_VIP" "$LAB_DIR/ipv4"
lab_start six px1 tests/net/tunnel.py receive "$LAB_VIP6" "$LAB_DIR/ipv6"
lab_start own px1 tests/net/tunnel.py receive $SERVER "$LAB_DIR/own"
wait_for 20 test -e "$LAB_DIR/ipv4" -a -e "$LAB_DIR/ipv6" -a -e "$LAB_DIR/own"
defaults
without_vip
unit_options
listed
congestion
exchanged
upgraded
wrong_usage
tap_end
