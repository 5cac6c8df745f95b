#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Network trouble near the balancer can look the same as dead servers. No call moves until the daemon can distinguish the
# two; dead servers are then taken out. Four pools share four servers: probed by OPTIONS, by TCP and by echo
# requests, and one without probes.
#
# Starts early: it takes nearly a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

POOLS="options tcp icmp plain"
CALLS=60

probe_of() {
	case $1 in
	options | icmp) echo "probe: {type: $1, interval: 1s, timeout: 500ms}" ;;
	tcp) echo "probe: {type: tcp, port: 5060, interval: 1s, timeout: 500ms}" ;;
	esac
}

configure() {
	local pool
	cat <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: options, vip: $LAB_VIP, port: 5060, pool: options}
		  - {name: tcp, vip: $LAB_VIP, port: 5062, pool: tcp}
		  - {name: icmp, vip: $LAB_VIP, port: 5064, pool: icmp}
		  - {name: plain, vip: $LAB_VIP, port: 5066, pool: plain}
		pools:
	YAML
	for pool in $POOLS; do
		cat <<- YAML
			  - name: $pool
			    $(probe_of $pool)
			    backends:
			      - {name: px1, address: 10.0.0.11}
			      - {name: px2, address: 10.0.0.12}
			      - {name: px3, address: 10.0.0.13}
			      - {name: px4, address: 10.0.0.14}
		YAML
	done
}

# owners: "POOL CALL-ID BACKEND" for 300 Call-IDs in each pool.
owners() {
	local pool
	for pool in $POOLS; do
		seq -f 'outage-%g@example.net' 300 | lab_ctl lookup "$pool" - | awk -v pool="$pool" '{ print pool, $1, $2 }'
	done
}

# moved BEFORE: "POOL FROM TO" for each Call-ID whose owner has changed.
moved() {
	paste -d' ' <(cut -d' ' -f1,3 <<< "$1") <(owners | cut -d' ' -f3) | awk '$2 != $3' | sort | uniq -c
}

# states POOL
states() {
	lab_ctl --json backend list "$1" | jq -r '.[].state' | xargs
}

states_are() {
	[ "$(states "$1")" = "$2" ]
}

# all_are STATES [POOL...]: do the backends have these states in each pool, or in the given pools?
all_are() {
	local pool wanted=$1
	shift
	[ $# -gt 0 ] || set -- $POOLS
	for pool; do
		states_are "$pool" "$wanted" || return 1
	done
}

# serving_are POOL NAMES: are these the backends that have slots?
serving_are() {
	[ "$(lab_ctl --json backend list "$1" | jq -r '.[] | select(.slots > 0) | .name' | xargs)" = "$2" ]
}

# migrating: the pools with migrating slots.
migrating() {
	lab_ctl --json pool list | jq -r '.[] | select(.migrating) | .name' | xargs
}

# ports up|down HOST...: switches the ports of several hosts at the same time.
ports() {
	local host state=$1
	shift
	for host; do
		echo "link set $host-eth0 $state"
	done | lab_in switch ip -batch -
}

log_has() {
	grep -Eq -- "$1" "$LAB_DIR/sipxdpd.log"
}

# keeps NAME BEFORE: checks that no slot has moved or is about to move.
keeps() {
	is "$1: no call moves" "$(moved "$2")" ""
	is "... and no migration is planned" "$(migrating)" ""
}

first_start() {
	check "at the first start all servers come up" wait_for 20 all_are "up up up up"
	unlike "... and no slots migrate, whichever server responds first" "$(cat "$LAB_DIR/sipxdpd.log")" 'slots will move'
}

a_switch_fails() {
	ports down px1 px2 px3 px4
	check "the switch fails: the servers are suspected" wait_for 20 all_are "suspected suspected suspected suspected" options tcp icmp
	keeps "... during the failure" "$BEFORE"
	like "... status warns of it" "$(lab_ctl status)" 'warning: +pool options: 4 of 4 backends stopped answering within .*: a network fault'
	like "... backend list shows the reason" "$(lab_ctl backend list options)" 'px2 .*suspected.*no response to OPTIONS'
	is "... the balancer is not healthy" "$(lab_ctl health --service options || true)" \
		"service options: pool options: its backends are down or suspected (see 'sipxdp-ctl backend list')"
	sleep 5
	keeps "... for longer than it takes to detect dead servers" "$BEFORE"
	ports up px1
	wait_for 20 states_are options "up suspected suspected suspected" || true
	is "the first server that returns gets no calls of other servers" "$(moved "$BEFORE")" ""
	ports up px2 px3 px4
	check "all servers are back" wait_for 20 all_are "up up up up"
	check "... the balancer is healthy" wait_for 10 lab_ctl health
	keeps "... with their previous slots" "$BEFORE"
	check "... the log reports the outage" log_has 'pool options: 4 of 4 backends stopped answering within'
}

some_ports_fail() {
	ports down px3 px4
	check "a part of the switch fails: two servers are suspected" wait_for 20 states_are options "up up suspected suspected"
	ports up px3 px4
	check "... and come back" wait_for 20 all_are "up up up up"
	keeps "... with their previous slots" "$BEFORE"
}

# A daemon that starts during the outage knows only that no backend responds.
the_daemon_is_killed_too() {
	ports down px1 px2 px3 px4
	wait_for 20 all_are "suspected suspected suspected suspected" options tcp icmp || true
	lab_stop sipxdpd KILL || true
	lab_daemon
	sleep 5
	keeps "the daemon is killed in the middle of an outage" "$BEFORE"
	kill -STOP "${LAB_PROCESS[sipxdpd]}"
	ports up px1 px2 px3 px4
	sleep 3
	ports down px1 px2 px3
	sleep 1
	kill -CONT "${LAB_PROCESS[sipxdpd]}"
	ports up px1 px2 px3
	check "... the outage ends while the daemon is stopped: all servers are up" wait_for 20 all_are "up up up up"
	keeps "... when the daemon continues" "$BEFORE"
}

calls_continue() {
	check "every call ended normally" lab_wait calls 60
	is "... at the server where it began" "$(sip_strays)" ""
	is "... and there were calls" "$(sip_owners | grep -c -- "^$SIP_RUN-")" $CALLS
}

another_mac() {
	local mac=02:00:00:00:00:99 before
	before=$(grep -c "px1 is \(down\|unreachable\)" "$LAB_DIR/sipxdpd.log" || true)
	lab_in px1 sh -c "ip link set eth0 down; ip link set eth0 address $mac; ip link set eth0 up; ip route add $LAB_CLIENT/32 dev eth0"
	check "a server changes its MAC address without an announcement: the probes detect the change" wait_for 20 \
		eval "lab_ctl --json backend list options | jq -e '.[0].mac == \"$mac\"'"
	check "... the server is up" wait_for 20 all_are "up up up up"
	is "... and was never taken out" "$(grep -c "px1 is \(down\|unreachable\)" "$LAB_DIR/sipxdpd.log" || true)" "$before"
}

an_interface_is_deleted() {
	lab_in balancer ip link del eth0
	check "the balancer's interface is deleted" wait_for 20 states_are plain "suspected suspected suspected suspected"
	keeps "... while it is missing" "$BEFORE"
	lab_plug balancer eth0 br0
	lab_address balancer eth0 "$LAB_BALANCER/24" "$LAB_VIP/32"
	lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > "$LAB_DIR/attach.log" 2>&1 || cat "$LAB_DIR/attach.log"
	check "... after it is created again, all servers are up" wait_for 30 all_are "up up up up"
	keeps "... with their previous slots" "$BEFORE"
}

a_rack_dies() {
	ports down px1 px2
	check "two servers die at the same time: they are taken out" wait_for 30 serving_are options "px3 px4"
	is "... no calls of other servers move" "$(moved "$BEFORE" | awk '$2 == "options" { print $3 }' | sort -u | xargs)" "px1 px2"
	is "... and each call of the dead servers moves once" "$(grep -c 'pool options: .* slots move' "$LAB_DIR/sipxdpd.log")" "$1"
}

lab_open
lab_flat 4
for host in "${LAB_BACKENDS[@]}"; do
	sip_answer "$host" "$host" "$LAB_VIP"
	lab_start "$host-tcp" "$host" tests/net/answer.py tcp "$LAB_VIP" 5060 "200 OK"
done
configure | lab_write balancer "$LAB_CONFIG"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
first_start
BEFORE=$(owners)
sip_client calls client "$LAB_CLIENT" call $CALLS 30 -d 25000
sleep 2.5
a_switch_fails
some_ports_fail
the_daemon_is_killed_too
calls_continue
another_mac
an_interface_is_deleted
a_rack_dies "$(($(grep -c 'pool options: .* slots move' "$LAB_DIR/sipxdpd.log" || true) + 1))"
tap_end
