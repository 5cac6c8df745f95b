# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Pools that share load by calls, in the lab of lab.sh with the calls of sip.sh.

CALLS=60 # long ones, in calls_survive

# configure POOL-LINES [COUNTED-CALLS [BACKEND...]]
configure() {
	LAB_POOL=$'record_time: 1s\n'"$1" LAB_SECTIONS="limits: {counted_calls: ${2:-4096}}" lab_config dsr "${@:3}"
}

# serve SCENARIO: starts a server on each backend.
serve() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		sip_answer "$backend" "$backend" "$LAB_VIP" "$1"
	done
}

# field NAME FILTER: prints a field of a backend.
field() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

# have CALLS: have all servers together this number of calls?
have() {
	lab_ctl --json backend list | jq -e "[.[].calls] | add == $1"
}

# up BACKEND: the number of calls that have begun and not ended, as the server has seen it.
up() {
	sip_seen "$1" | awk '$1 == "INVITE" { calls[$2] } $1 == "BYE" { delete calls[$2] } END { print length(calls) }'
}

# all_up: prints this number for each server.
all_up() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		echo "$backend $(up "$backend")"
	done | xargs
}

# are_up CALLS: are so many calls up?
are_up() {
	[ "$(all_up | xargs -n 2 | awk '{ sum += $2 } END { print sum }')" -eq "$1" ]
}

# counted: prints the number of calls of each server as sipxdp shows it.
counted() {
	lab_ctl --json backend list | jq -r '[.[] | "\(.name) \(.calls)"] | join(" ")'
}

# received BACKEND: the number of calls whose INVITE the server has received.
received() {
	sip_seen "$1" | awk '$1 == "INVITE" { print $2 }' | sort -u | wc -l
}

# acknowledged: the number of calls whose ACK the servers have received.
acknowledged() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		sip_seen "$backend"
	done | grep ^ACK | sort -u | wc -l
}

are_acknowledged() {
	[ "$(acknowledged)" -eq "$1" ]
}

# changes POOL-LINES: changes that must not move a call, while short calls begin and end. No call begins during the upgrade to
# new maps: then its next message might reach a different server (docs/design/restart.md).
changes() {
	local before
	sip_client short client "$LAB_CLIENT" call 60 20 -d 300 -p 5070
	lab_stop sipxdpd KILL || true
	lab_daemon
	check "the daemon was killed and restarts; a reload" lab_ctl reload
	check "60 short calls succeed" lab_wait short 60
	before=$(acknowledged)
	sip_hold begun client "$LAB_CLIENT" 5080 call 20 20
	check "20 calls begin" wait_for 20 are_acknowledged $((before + 20))
	configure "$1" 8192
	check "an upgrade makes new maps" lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
	sip_release begun
	check "... the 20 calls end well" lab_wait begun 60
	lab_start wait balancer sipxdp-ctl backend drain proxies px3 --wait 600
	sip_client late client "$LAB_CLIENT" call 60 20 -d 300 -p 5085
	check "60 more short calls succeed" lab_wait late 60
}

# are_level NUMBER: has each server this number of calls, or one more or less? Calls that begin while the daemon writes a new
# sequence are not in it.
are_level() {
	lab_ctl --json backend list | jq -e "all(.[]; (.calls - $1 | fabs) <= 1)"
}

# calls_survive POOL-LINES: calls of very different lengths in a pool whose calls are all counted. The servers have equal numbers of
# long calls, and no call moves while changes happen.
calls_survive() {
	local left
	sip_hold long client "$LAB_CLIENT" 5075 call $CALLS 30
	check "$CALLS long calls are counted" wait_for 20 have $CALLS
	check "... each server has the same number, or one call more or less" are_level $((CALLS / 3))
	is "... which the servers have seen" "$(all_up)" "$(counted)"
	is "... exactly" "$(field px1 .calls_error)" 0
	changes "$1"
	check "... only the long calls remain" wait_for 20 have $CALLS
	is "... at the same servers" "$(counted)" "$(all_up)"
	left=$(field px3 .calls)
	is "... backend calls lists those of the draining server" "$(lab_ctl --json backend calls proxies px3 | jq length)" "$left"
	check "... and drain --wait waits for them" lab_running wait
	sip_release long
	check "all long calls succeed" lab_wait long 90
	is "... all $CALLS of them" "$(sip_statistic long 'SuccessfulCall(C)')" $CALLS
	is "no call has moved" "$(sip_strays)" ""
	check "no calls remain" wait_for 10 have 0
}
