#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The configuration of docs/servers.md, taken from the page: three Kamailio servers with phones on UDP,
# TCP and TLS, one of them behind NAT. The phones are baresip; sipp makes many calls at a time.
#
# Has priority: Kamailio requests the registrations of the others only once, when it starts.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/phones.sh

# --- servers

# write_page: writes the files of the page to the hosts, and its commands to $LAB_DIR/page.
write_page() {
	local index place action argument host
	mkdir "$LAB_DIR/page"
	tests/lib/readme-blocks docs/servers.md "$LAB_DIR/page" > "$LAB_DIR/blocks"
	while read -r index place action argument; do
		case $action:$argument in
		file:/etc/sipxdp/*) lab_write balancer "$argument" < "$LAB_DIR/page/$index" ;;
		file:*) for host in "${LAB_BACKENDS[@]}"; do lab_write "$host" "$argument" < "$LAB_DIR/page/$index"; done ;;
		esac
	done < "$LAB_DIR/blocks"
}

# run_page ACTION: runs the commands of the page that have this action.
run_page() {
	local index place action argument host
	while read -r index place action argument <&3; do
		[ "$action" = "$1" ] || continue
		for host in $argument; do
			check "docs/servers.md:$place: $(head -n 1 "$LAB_DIR/page/$index") (on $host)" \
				lab_in "$host" bash -euo pipefail "$LAB_DIR/page/$index"
		done
	done 3< "$LAB_DIR/blocks"
}

server_prepare() {
	_lab_own_etc "$1"
	lab_in "$1" mkdir -p /etc/kamailio /run/kamailio
	lab_in "$1" cp "$LAB_DIR/sip.key" "$LAB_DIR/sip.pem" /etc/kamailio
}

server_start() {
	lab_start "$1" "$1" kamailio -f /etc/kamailio/kamailio.cfg -DD -E -m 64 -M 8
}

server_runs() {
	lab_in "$1" kamcmd core.uptime
}

# Ends all of its processes at once.
server_dies() {
	local pid
	for pid in $(ip netns pids "$LAB_ID-$1"); do
		[ "$(cat "/proc/$pid/comm" 2> /dev/null)" != kamailio ] || kill -KILL "$pid"
	done
	lab_wait "$1" 5 || true
}

state_is() {
	[ "$(lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | .state")" = "$2" ]
}

path_of() {
	lab_in px1 kamcmd ul.dump | awk -v user="$1" '$1 == "AoR:" { found = $2 == user } found && $1 == "Path:" { print $2 }' |
		cut -d: -f2 | tr -d ']'
}

# has_path USER REGEX: does a binding of this user have such a Path?
has_path() {
	path_of "$1" | grep -Eqx "$2"
}

# --- many calls

callee_registers() {
	sip_client register callee 10.0.0.200 register 1 10 -s callee -key contact_port 5060
	lab_wait register 20
}

# calls_start NAME COUNT SIPP-OPTION...: calls to the callee.
calls_start() {
	sip_client "$1" client "$LAB_CLIENT" call "$2" 30 -s callee "${@:3}"
}

# calls_are_up COUNT: does the last client have COUNT established calls?
calls_are_up() {
	[ "$(cat "$LAB_DIR"/px?.log | grep -o "ACK $SIP_RUN-$SIP_CLIENTS-[^ ]*" | sort -u | wc -l)" -eq "$1" ]
}

# calls NAME COUNT SIPP-OPTION...
calls() {
	local name=$1
	calls_start "$@"
	lab_wait "$name" 30 || { tail -n 3 "$LAB_DIR/$name.log" "$LAB_DIR/$name.errors" && return 1; }
}

lab_open
lab_flat 3
lab_hosts "${LAB_BACKENDS[@]}" <<- HOSTS
	127.0.0.1 localhost
	$LAB_VIP sip.example.net px1.sip.example.net px2.sip.example.net px3.sip.example.net
HOSTS
certify
for host in "${LAB_BACKENDS[@]}"; do
	server_prepare "$host"
done
write_page
run_page run
for host in "${LAB_BACKENDS[@]}"; do
	server_start "$host"
done
for host in "${LAB_BACKENDS[@]}"; do
	check "Kamailio runs on $host" wait_for 30 server_runs "$host"
done
lab_balance

phone_on px1 udp udp
phone_behind_nat
phone_on px1 tcp1 tcp
phone_on px2 tls2 tls
phone_on px3 tls3 tls
for host in "${LAB_BACKENDS[@]}"; do
	check "$host knows the phones on UDP, TCP and TLS" wait_for 30 knows "$host" udp nat tcp1 tls2 tls3
done
is "the Path of a phone on TCP or TLS names its server" "$(path_of tcp1) $(path_of tls2) $(path_of tls3)" \
	"10.0.0.11 10.0.0.12 10.0.0.13"
unlike "a phone on UDP has no Path" "$(path_of udp) $(path_of nat)" '10\.'
run_page last
check "each phone calls each other phone; re-INVITE and BYE from both sides" phones pairs udp nat tcp1 tls2 tls3

lab_peer callee 200
sip_answer callee callee 10.0.0.200
check "a callee registers over UDP" callee_registers
check "60 calls over UDP" calls udp-calls 60 -d 200
hints=$(lab_verdict hint)
check "60 calls over TCP to the callee on UDP" calls tcp-calls 60 -d 200 -t tn -max_socket 100
check "... the balancer sends their responses by Via to the server with the connection" \
	test $(($(lab_verdict hint) - hints)) -ge 120

check "a call between phones on px1 and px2" phones up tcp1 tls2
check "a call between phones on UDP, at px2" phones up_at "$LAB_DIR/px2.log" udp nat
calls_start before-drain 30 -d 4000
check "30 calls over UDP are up" wait_for 20 calls_are_up 30
check "px2 is drained" lab_ctl backend drain proxies px2
check "the call between px1 and px2 has a re-INVITE from each side" phones reinvite tcp1 tls2
check "... and the callee ends it" phones down tls2 tcp1
check "the call on UDP has a re-INVITE from each side" phones reinvite udp nat
check "... and the callee ends it" phones down nat udp
check "the phone on px2 receives a call" phones up udp tls2
check "... and ends it" phones down tls2 udp
check "30 new calls over UDP" calls after-drain 30 -d 200
check "the 30 calls end without a failure" lab_wait before-drain 60
check "px2 is ready again" lab_ctl backend ready proxies px2

check "a call between phones on UDP, at px3" phones up_at "$LAB_DIR/px3.log" udp nat
calls_start before-death 30 -d 9000
check "30 calls over UDP are up" wait_for 20 calls_are_up 30
server_dies px3 2> /dev/null
check "the balancer detects the death of px3" wait_for 30 state_is px3 down
check "the call on UDP has a re-INVITE from each side" phones reinvite udp nat
check "... and the callee ends it" phones down nat udp
check "the 30 calls end without a failure" lab_wait before-death 60
check "30 new calls over UDP" calls after-death 30 -d 200
# baresip reconnects without a command, but only after up to a minute.
lab_stop phone-tls3 KILL || true
phone_start tls3 tls
check "the phone that was connected to px3 registers at a different server" wait_for 30 has_path tls3 "10.0.0.1[12]"
check "... and receives a call" phones up udp tls3
check "... and ends it" phones down tls3 udp
server_start px3
check "px3 starts again" wait_for 30 server_runs px3
check "... and receives the registrations from the others" wait_for 30 knows px3 udp nat tcp1 tls2 tls3 callee
tap_end
