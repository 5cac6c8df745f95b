#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# How the daemon finds and tracks the routes to its backends, shown by follow-routes, which runs
# ctl/daemon/neighbour/neighbour.c without the rest of the daemon. No traffic flows here: entries are
# fresh only because the kernel was asked to keep them fresh.
#
# Starts early: it takes nearly a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

FOLLOW_ROUTES=${FOLLOW_ROUTES:-build/tests/tools/follow-routes}
LOG=
COMMANDS= # descriptor: standard input of follow-routes

# --- follow-routes

# follow_routes ADDRESS...: starts the tool.
follow_routes() {
	LOG=$LAB_DIR/follow-routes.log
	rm -f "$LAB_DIR/commands"
	mkfifo "$LAB_DIR/commands"
	: > "$LOG"
	_lab_exec balancer "$FOLLOW_ROUTES" "$@" < "$LAB_DIR/commands" > "$LOG" 2>&1 &
	LAB_PROCESS[follow]=$!
	exec {COMMANDS}> "$LAB_DIR/commands"
}

# tell COMMAND...: see tests/tools/follow-routes.c.
tell() {
	echo "$*" >&"$COMMANDS"
}

# follow ADDRESS...: replaces the watched addresses.
follow() {
	tell follow "$@"
}

# reports ADDRESS: all reports about the route to an address.
reports() {
	awk -v address="$1" '$1 == address && NF > 2' "$LOG"
}

# ends_well NAME COMMAND...: the command ends follow-routes and returns its status.
ends_well() {
	local status=0
	"${@:2}" || status=$?
	is "$1" "exit status $status" "exit status 0"
}

# route ADDRESS: "STATE INTERFACE NEXT-HOP SOURCE MTU ...", as last reported.
route() {
	reports "$1" | sed -n '$s/^[^ ]* //p'
}

route_is() {
	grep -Eqx -- "$2" <<< "$(route "$1")"
}

# comes NAME SECONDS ADDRESS REGEX: checks that the route matches in time, as a whole line.
comes() {
	wait_for "$2" route_is "$3" "$4" || true
	like "$1" "$(route "$3")" "^($4)\$"
}

# --- the lab

mac_of() {
	lab_in "$1" cat /sys/class/net/eth0/address
}

link_local_of() {
	lab_in "$1" ip -6 -oneline address show dev eth0 scope link | sed 's|.*inet6 \([^/]*\)/.*|\1|'
}

# entry ADDRESS: the kernel's neighbour entry
entry() {
	lab_in balancer ip neigh show to "$1" dev eth0
}

entry_matches() {
	entry "$1" | grep -Eq -- "$2"
}

unmanaged() {
	! entry_matches "$1" managed
}

# take_over HOST ADDRESS: moves the address to the host and announces it, as a cluster manager does
# (gratuitous ARP).
take_over() {
	lab_in "$1" ip address add "$2/24" dev eth0
	lab_announce "$1" "$2"
}

give_up() {
	lab_in "$1" ip address del "$2/24" dev eth0
}

# Restores the routes that vanish when an interface goes down.
balancer_routes() {
	lab_in balancer ip -6 address replace 2001:db8::2/64 dev eth0 nodad
	lab_in balancer ip route replace 10.1.0.0/16 via 10.0.0.11
	lab_in balancer ip route replace 10.2.0.0/16 dev eth0
	lab_in balancer ip route replace 10.3.0.0/16 via inet6 "$PX1_LL" dev eth0
	lab_in balancer ip -6 route replace 2001:db8:1::/64 via "$PX1_LL" dev eth0
}

# --- groups of tests

first_answers() {
	comes "a backend on link: its MAC, the interface, source address and MTU" 3 10.0.0.11 \
		"ready eth0 $PX1 10.0.0.2 1500"
	comes "... with IPv6" 3 2001:db8::11 "ready eth0 $PX1 2001:db8::2 1500"
	comes "behind a gateway: the gateway's MAC, marked via-gateway" 3 10.1.0.5 \
		"ready eth0 $PX1 10.0.0.2 1500 via-gateway"
	comes "... with IPv6, by the gateway's link-local address" 3 2001:db8:1::5 \
		"ready eth0 $PX1 2001:db8::2 1500 via-gateway"
	comes "IPv4 behind an IPv6 gateway" 3 10.3.0.5 "ready eth0 $PX1 10.0.0.2 1500 via-gateway"
	comes "no host has the address: the reason names address, protocol and interface" 5 10.0.0.66 \
		"failed eth0 - 10.0.0.2 1500 10.0.0.66 does not answer ARP on eth0 .*"
	like "... it was pending before" "$(reports 10.0.0.66 | head -n 1)" \
		"^10.0.0.66 pending eth0 - 10.0.0.2 1500 10.0.0.66 has not answered ARP on eth0 yet$"
	comes "... with IPv6" 5 2001:db8::66 "failed .* 2001:db8::66 does not answer neighbour discovery on eth0 .*"
}

routes_that_lead_nowhere() {
	comes "no route" 3 10.9.9.9 "failed - - - 0 no route to 10.9.9.9 \(see 'ip route get 10.9.9.9'\)"
	comes "... with IPv6" 3 2001:db9::9 "failed - - - 0 no route to 2001:db9::9 .*"
	comes "a blackhole route" 3 10.66.0.1 "failed .*'blackhole' route to 10.66.0.1 .*"
	comes "a prohibit route, with IPv6" 3 2001:db8:66::1 "failed .*'prohibit' route to 2001:db8:66::1 .*"
	comes "an address of the balancer itself" 3 10.0.0.2 "failed .*10.0.0.2 is an address of this machine"
	comes "a broadcast address" 3 10.0.0.255 "failed .*'broadcast' route to 10.0.0.255 .*"
	comes "an interface that is not Ethernet" 3 10.98.0.1 "failed lo .*interface lo is not Ethernet"
}

locality() {
	local address
	tell local 10.0.0.2 10.0.0.11 127.0.0.1 10.9.9.9 10.66.0.1 10.0.0.255 ::1 2001:db8::2 2001:db8::11 2001:db9::9
	wait_for 2 grep -q "^2001:db9::9 remote" "$LOG" || true
	for address in 10.0.0.2 127.0.0.1 ::1 2001:db8::2; do
		like "$address is local" "$(grep "^$address [a-z]*\$" "$LOG")" "^$address local$"
	done
	for address in 10.0.0.11 10.9.9.9 10.66.0.1 10.0.0.255 2001:db8::11 2001:db9::9; do
		like "$address is not local" "$(grep "^$address [a-z]*\$" "$LOG")" "^$address remote$"
	done
}

servers_come_and_move() {
	lab_in px2 ip address add 10.0.0.66/24 dev eth0
	comes "a server that comes up later is found without an announcement" 6 10.0.0.66 "ready eth0 $PX2 10.0.0.2 1500"
	give_up px2 10.0.0.66
	take_over px1 10.0.0.66
	comes "a different server announces the address: the new MAC at once" 1 10.0.0.66 "ready eth0 $PX1 .*"
	give_up px1 10.0.0.66
	take_over px2 10.0.0.66
	comes "... and back" 1 10.0.0.66 "ready eth0 $PX2 .*"
}

routes_change() {
	lab_in balancer ip route replace 10.1.0.0/16 via 10.0.0.12
	comes "a route is replaced: the new gateway" 2 10.1.0.5 "ready eth0 $PX2 10.0.0.2 1500 via-gateway"
	lab_in balancer ip route del 10.1.0.0/16
	comes "a route is deleted: failed, the last MAC is still shown" 2 10.1.0.5 "failed eth0 $PX2 .*no route to 10.1.0.5 .*"
	lab_in balancer ip route add 10.1.0.0/16 dev eth0
	lab_in px2 ip route add local 10.1.0.5 dev lo
	comes "a route without a gateway: the backend itself is resolved" 3 10.1.0.5 "ready eth0 $PX2 10.0.0.2 1500"
	lab_in balancer ip route add 10.1.0.0/24 via 10.0.0.11 mtu 1400
	comes "a longer prefix takes precedence, with its MTU" 2 10.1.0.5 "ready eth0 $PX1 10.0.0.2 1400 via-gateway"
	lab_in balancer ip route del 10.1.0.0/24
	comes "... and is removed" 2 10.1.0.5 "ready eth0 $PX2 10.0.0.2 1500"
	lab_in balancer ip rule add to 10.1.0.5 prohibit
	comes "a policy rule" 2 10.1.0.5 "failed .*'prohibit' route .*"
	lab_in balancer ip rule del to 10.1.0.5 prohibit
	comes "... and is removed" 2 10.1.0.5 "ready .*"
	lab_in balancer ip address add 10.1.0.5/32 dev lo
	comes "the address becomes the balancer's own" 2 10.1.0.5 "failed .*10.1.0.5 is an address of this machine"
	lab_in balancer ip address del 10.1.0.5/32 dev lo
	comes "... and is removed again" 2 10.1.0.5 "ready .*"
	lab_in balancer ip address add 10.0.0.3/24 dev eth0
	lab_in balancer ip route replace 10.1.0.0/16 dev eth0 src 10.0.0.3
	comes "a different source address" 2 10.1.0.5 "ready eth0 $PX2 10.0.0.3 1500"
	lab_in balancer ip address del 10.0.0.3/24 dev eth0
}

interfaces_change() {
	lab_in balancer ip link set dev eth0 mtu 1400
	comes "a different MTU" 2 10.0.0.11 "ready eth0 $PX1 10.0.0.2 1400"
	lab_in balancer ip link set dev eth0 mtu 1500
	lab_in switch ip link set dev balancer-eth0 down
	comes "the link loses its carrier" 2 10.0.0.11 "failed eth0 $PX1 10.0.0.2 .* interface eth0 has no carrier"
	lab_in switch ip link set dev balancer-eth0 up
	comes "... and regains it" 4 10.0.0.11 "ready eth0 $PX1 10.0.0.2 1500"
	lab_in balancer ip link set dev eth0 down
	comes "the interface is set down" 2 10.0.0.11 "failed eth0 $PX1 10.0.0.2 .* interface eth0 is down"
	lab_in balancer ip link set dev eth0 up
	balancer_routes
	comes "... and up" 4 10.0.0.11 "ready eth0 $PX1 10.0.0.2 1500"
	comes "... with IPv6" 6 2001:db8::11 "ready eth0 $PX1 2001:db8::2 1500"
	comes "... by the gateway" 4 10.1.0.5 "ready eth0 $PX1 10.0.0.2 1500 via-gateway"
}

operator_entries() {
	lab_in balancer ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent
	lab_in px2 ip address add 10.0.0.88/24 dev eth0
	lab_in balancer ip neigh add 10.0.0.88 dev eth0 managed proto 77
	follow 10.0.0.11 10.0.0.77 10.0.0.88
	comes "an operator's permanent entry is used unchanged" 2 10.0.0.77 "ready eth0 02:00:00:00:00:77 .*"
	lab_in balancer ip neigh replace 10.0.0.11 lladdr 02:00:00:00:00:11 dev eth0 nud permanent
	comes "... also an entry that is set later" 2 10.0.0.11 "ready eth0 02:00:00:00:00:11 .*"
	sleep 3
	follow 10.0.0.77
	wait_for 2 unmanaged 10.0.0.11 || true
	like "... and stays while the address is watched" "$(entry 10.0.0.77)" "02:00:00:00:00:77 PERMANENT"
	follow 10.0.0.11
	sleep 0.5
	like "... and afterwards" "$(entry 10.0.0.77)" "02:00:00:00:00:77 PERMANENT"
	like "... an entry that was set later also stays" "$(entry 10.0.0.11)" "02:00:00:00:00:11 PERMANENT"
	lab_in balancer ip neigh del 10.0.0.11 dev eth0
	comes "a permanent entry is deleted: the backend is resolved" 4 10.0.0.11 "ready eth0 $PX1 .*"
	like "an entry that a different program manages stays managed" "$(entry 10.0.0.88)" "managed.*proto 77"
}

entries_are_deleted() {
	local before dead=()
	mapfile -t dead < <(seq -f '10.0.0.%g' 40 60)
	follow 10.0.0.11 "${dead[@]}"
	comes "(one backend, and many addresses without a host)" 5 10.0.0.60 "failed .*"
	before=$(reports 10.0.0.11 | wc -l)
	check "the neighbour table can be flushed" lab_in balancer ip neigh flush dev eth0
	check "... and the watched addresses are resolved again" wait_for 3 entry_matches 10.0.0.11 "managed.*REACHABLE"
	check "... the route did not change" test "$(reports 10.0.0.11 | wc -l)" -eq "$before"
	lab_in balancer ip neigh replace 10.0.0.11 lladdr "$PX1" dev eth0 nud stale
	check "an entry that lost its flags gets them back" wait_for 4 entry_matches 10.0.0.11 managed
}

# Seconds since the backend last confirmed this address.
confirmed() {
	lab_in balancer ip -statistics neigh show to "$1" dev eth0 |
		sed -n 's|.*used *[0-9]*/\([0-9]*\)/.*|\1|p'
}

# The kernel resolves an entry again when it is stale (here after 1 s) and has traffic; a managed entry
# at the latest 5 s later; and with a delay of 1 s.
freshness() {
	local age before
	lab_in balancer sysctl -qw net.ipv4.neigh.eth0.base_reachable_time_ms=1000 \
		net.ipv4.neigh.eth0.delay_first_probe_time=1
	follow 10.0.0.11 10.0.0.12
	comes "(two backends)" 3 10.0.0.12 "ready .*"
	before=$(reports 10.0.0.11 | wc -l)
	sleep 14
	age=$(confirmed 10.0.0.11)
	check "an entry is confirmed repeatedly without traffic (last ${age:-never} s ago)" test "${age:-99}" -le 9
	check "... this is not reported" test "$(reports 10.0.0.11 | wc -l)" -eq "$before"
	# The first three requests are lost; the server responds to the second round.
	before=$(reports 10.0.0.12 | wc -l)
	give_up px2 10.0.0.12
	wait_for 20 entry_matches 10.0.0.12 INCOMPLETE || true
	lab_in px2 ip address add 10.0.0.12/24 dev eth0
	check "a server misses the requests of one round" wait_for 4 entry_matches 10.0.0.12 REACHABLE
	check "... its route stays ready" test "$(reports 10.0.0.12 | wc -l)" -eq "$before"
	give_up px2 10.0.0.12
	comes "a server disappears silently: failed, its MAC is still shown" 20 10.0.0.12 \
		"failed eth0 $PX2 .* does not answer ARP .*"
	lab_in px2 ip address add 10.0.0.12/24 dev eth0
	comes "... it returns" 6 10.0.0.12 "ready eth0 $PX2 .*"
}

stop_watching() {
	follow 10.0.0.12
	check "an address that is no longer watched is no longer managed" wait_for 2 unmanaged 10.0.0.11
	like "... the other address still is" "$(entry 10.0.0.12)" "managed"
	ends_well "it ends on SIGTERM" lab_stop follow
	like "the kernel keeps the entry fresh without the daemon" "$(entry 10.0.0.12)" "managed"
	lab_in balancer ip neigh add 10.0.0.88 dev eth0 managed proto 77
	follow_routes 10.0.0.11
	comes "(a new daemon starts)" 3 10.0.0.11 "ready .*"
	check "the next daemon releases the entry if it does not need it" wait_for 2 unmanaged 10.0.0.12
	like "the entry of a different program is not released" "$(entry 10.0.0.88)" "managed.*proto 77"
}

drops() {
	# shellcheck disable=SC2016 # awk's
	lab_in balancer awk 'NR > 1 { sum += $(NF - 1) } END { print sum + 0 }' /proc/net/netlink
}

# More notifications arrive than the socket holds; the final state counts.
lost_messages() {
	local i
	follow 10.0.0.11 10.1.0.5
	comes "(a backend behind a gateway)" 3 10.1.0.5 "ready eth0 $PX1 .*"
	kill -STOP "${LAB_PROCESS[follow]}"
	for ((i = 0; i < 65536; i++)); do
		echo "route add 10.111.$((i / 256)).$((i % 256)) dev eth0"
	done | lab_in balancer ip -batch -
	lab_in balancer ip route replace 10.1.0.0/16 via 10.0.0.12
	check "(notifications were lost)" test "$(drops)" -gt 0
	kill -CONT "${LAB_PROCESS[follow]}"
	comes "notifications were lost: all routes are looked up again" 4 10.1.0.5 "ready eth0 $PX2 .*"
}

many() {
	local i addresses=()
	for ((i = 0; i < 2000; i++)); do
		addresses+=("10.2.$((i / 250)).$((i % 250 + 1))")
	done
	lab_in px1 ip route add local 10.2.0.0/16 dev lo
	follow_routes "${addresses[@]}"
	check "2,000 addresses, twice the kernel's default limit of neighbours, are resolved within seconds" wait_for 5 all_ready 2000
	is "... each entry is managed" "$(lab_in balancer ip neigh show to 10.2.0.0/16 | grep -c managed)" 2000
	exec {COMMANDS}>&-
	ends_well "it ends at the end of its standard input" lab_wait follow 5
}

all_ready() {
	[ "$(grep -c ' ready ' "$LOG")" -eq "$1" ]
}

lab_open
lab_peer balancer 2
lab_peer px1 11
lab_peer px2 12
PX1=$(mac_of px1)
PX2=$(mac_of px2)
PX1_LL=$(link_local_of px1)
balancer_routes
lab_in balancer ip route add blackhole 10.66.0.0/16
lab_in balancer ip -6 route add prohibit 2001:db8:66::/64
lab_in balancer ip route add 10.98.0.0/16 dev lo

follow_routes 10.0.0.11 2001:db8::11 10.1.0.5 2001:db8:1::5 10.3.0.5 10.0.0.66 2001:db8::66 10.9.9.9 2001:db9::9 \
	10.66.0.1 2001:db8:66::1 10.0.0.2 10.0.0.255 10.98.0.1
first_answers
routes_that_lead_nowhere
locality
servers_come_and_move
routes_change
interfaces_change
operator_entries
entries_are_deleted
freshness
stop_watching
lost_messages
ends_well "it ends on SIGTERM, also in the second run" lab_stop follow
many
tap_end
