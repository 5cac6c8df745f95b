#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# `sipxdp-ctl health` answers without the daemon, and agrees with /readyz.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PORT=9464
PINS=/sys/fs/bpf/sipxdp
POLLS=50         # calls of `health` whose processor time is measured

# answer [ARGUMENT...]: prints the exit status of `health` and its first line
answer() {
	local status=0 text
	text=$(lab_in balancer sipxdp-ctl health "$@" 2>&1) || status=$?
	echo "$status ${text%%$'\n'*}"
}

answer_is() {
	[ "$(answer)" = "$1" ]
}

# readyz HOST: prints the first line of /readyz
readyz() {
	lab_in "$1" curl -sS --max-time 20 "http://$LAB_BALANCER:$PORT/readyz" | head -n 1
}

# readyz_is LINE [HOST]
readyz_is() {
	[ "$(readyz "${2-client}")" = "$1" ]
}

# cost: the processor time of one call of `health`, in ms
cost() {
	# shellcheck disable=SC2016 # the inner shell counts
	lab_in balancer bash -c '
		for ((i = 0; i < $1; i++)); do sipxdp-ctl health > /dev/null || exit 1; done
		times' bash "$POLLS" |
		awk -v polls="$POLLS" 'NR == 2 { for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); sum += t[1] * 60 + t[2] }
			printf "%.1f", sum * 1000 / polls }'
}

lab_open
lab_flat 2
LAB_SECTIONS="metrics: {listen: '$LAB_BALANCER:$PORT'}" lab_config dsr
like "without maps the balancer is not healthy" "$(answer)" '^1 the balancer is detached'
lab_balance
check "a balancer with backends is healthy" wait_for 10 answer_is "0 healthy"
is "... as JSON" "$(lab_in balancer sipxdp-ctl --json health | jq -c .)" '{"healthy":true,"reasons":[]}'
is "an unknown service is an error" "$(answer --service nothing)" \
	"2 sipxdp-ctl: no service 'nothing' in the maps (see 'sipxdp-ctl service list')"
is "... and --forwarding has no service" "$(answer --service sip --forwarding)" \
	"2 sipxdp-ctl: --forwarding checks no service: omit --service"
check "a known service is healthy" lab_in balancer sipxdp-ctl health --service sip
as_other_user() {
	lab_in balancer setpriv --reuid=65534 --regid=65534 --clear-groups "$(type -p sipxdp-ctl)" health
}

status=0
text=$(as_other_user 2>&1) || status=$?
is "a user without access cannot determine it" "$status" 2
like "... and the message says why" "$text" "needs root, or CAP_BPF"

lab_stop sipxdpd KILL || true
is "a balancer without its daemon is healthy" "$(answer)" "0 healthy"
msec=$(cost)
echo "# health takes $msec ms of processor time"
lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
check "... also after the daemon has started" wait_for 10 readyz_is ready

# --- an upgrade to new maps
lab_in balancer sh -c 'while [ ! -e "$1/upgraded" ]; do sipxdp-ctl health >> "$1/answers" 2>&1; done' sh "$LAB_DIR" &
LAB_PROCESS[watch]=$!
wait_for 10 test -s "$LAB_DIR/answers"
LAB_SECTIONS="limits: {pools: 16}"$'\n'"metrics: {listen: '$LAB_BALANCER:$PORT'}" lab_config dsr
check "an upgrade makes new maps" lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
touch "$LAB_DIR/upgraded"
lab_wait watch 30 || true
is "... the balancer is healthy all the time" "$(sort -u "$LAB_DIR/answers")" healthy

# --- a renamed interface
rename() {
	lab_in balancer ip link set "$1" down
	lab_in balancer ip link set "$1" name "$2"
	lab_in balancer ip link set "$2" up
}
# change_file FROM TO: renames the interface in the file.
change_file() {
	lab_in balancer sed -i "/^interfaces:/s/$1/$2/" "$LAB_CONFIG"
	lab_ctl reload > /dev/null
}

rename eth0 wan0
is "an interface is renamed, the file is not changed: the balancer is healthy" "$(answer)" "0 healthy"
check "... /readyz agrees" wait_for 10 readyz_is ready balancer
is "... status names the remedy" "$(lab_ctl status | grep '^warning: *interface' | tr -s ' ')" \
	"warning: interface eth0: the balancer runs on wan0, which was eth0: change \`interfaces:\` in $LAB_CONFIG, then run 'sipxdp-ctl reload'"
like "... attach with the previous name says so" "$(lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" 2>&1 || true)" \
	'cannot attach to eth0: the interface is now called wan0'
lab_in switch ip link set balancer-eth0 down
is "... without a carrier the balancer is not healthy" "$(answer)" "1 interface eth0 has no carrier"
lab_in switch ip link set balancer-eth0 up
change_file eth0 wan0
check "an interface is renamed: the balancer is healthy" wait_for 10 answer_is "0 healthy"
check "... /readyz agrees" wait_for 10 readyz_is ready balancer
unlike "... status has no warning of it" "$(lab_ctl status)" '^warning: *interface'
rename wan0 eth0
change_file wan0 eth0
check "... and healthy with the first name" wait_for 10 answer_is "0 healthy"

# --- what makes the balancer unhealthy
lab_ctl backend maint proxies px1 > /dev/null
lab_ctl backend maint proxies px2 > /dev/null
reason="service sip: pool proxies: no backend can receive packets"
check "without a live backend the balancer is not healthy" wait_for 10 answer_is "1 $reason"
check "... /readyz has the same reason" wait_for 10 readyz_is "$reason"
is "... but it forwards" "$(answer --forwarding)" "0 healthy"
lab_ctl backend ready proxies px1 > /dev/null
check "... and it is healthy again with a live backend" wait_for 10 answer_is "0 healthy"
lab_in switch ip link set balancer-eth0 down
reason="interface eth0 has no carrier"
check "a balancer whose only interface has no carrier is not healthy" wait_for 10 answer_is "1 $reason"
check "... /readyz has the same reason" wait_for 10 readyz_is "$reason" balancer
is "... nor can it forward" "$(answer --forwarding)" "1 $reason"
like "... status warns of it" "$(lab_ctl status)" "^warning: *interface eth0: no packet can pass, because it has no carrier \(see 'ip link show eth0'\)$"
lab_in switch ip link set balancer-eth0 up
check "... and it is healthy again with a carrier" wait_for 10 answer_is "0 healthy"
lab_stop sipxdpd KILL || true
lab_in balancer ip link set eth0 down
is "without the daemon, a balancer whose only interface is down is not healthy" "$(answer)" "1 interface eth0 is down"
lab_in balancer ip link set eth0 up
check "... and it is healthy again when the interface is up" wait_for 10 answer_is "0 healthy"
lab_in balancer sipxdp-loader detach > /dev/null
like "a detached balancer is not healthy" "$(answer)" '^1 the balancer is detached'
like "... nor does it forward" "$(answer --forwarding)" '^1 the balancer is detached'
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null 2>&1
like "... nor is one with empty maps" "$(answer)" '^1 sipxdpd has not filled the maps yet: wait if it is running'

# --- an unmounted bpffs: only the daemon keeps the pins
lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
check "the daemon fills the maps" wait_for 10 answer_is "0 healthy"
lab_in balancer umount -l /sys/fs/bpf
like "bpffs is unmounted: health names the interface that still forwards" "$(answer)" \
	'^1 nothing is pinned in .*, but interface eth0 runs a balancer \(was bpffs unmounted\?\): do not stop sipxdpd'
check "... /readyz agrees" wait_for 10 readyz_is "the pins in $PINS are gone: forwarding ends when sipxdpd stops" balancer
is "... status says only this" "$(lab_ctl status | grep -E '^interfaces:|^warning: *(interface|the )' | tr -s ' ')" \
"interfaces: eth0, attached, native
warning: the pins in $PINS are gone (was bpffs unmounted?): the balancer still forwards, but only until sipxdpd stops. Do not stop it before an outage is possible"
fails_to_attach() {
	! lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null 2>&1
}
check "... attach cannot help while the daemon runs" fails_to_attach
check "... the daemon stops" lab_stop sipxdpd
like "... its log says that forwarding ends" "$(cat "$LAB_DIR/sipxdpd.log")" "exiting; the pins in $PINS are gone, so forwarding ends"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null 2>&1
lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
check "... after attach and a start the balancer is healthy again" wait_for 10 answer_is "0 healthy"
tap_end
