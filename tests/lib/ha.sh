# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Several balancers in the lab of lab.sh, from the files and commands of a page. `balancer` is lb1 of the page, `spare` is lb2,
# `third` is lb3.

HA_PAGE=docs/ha.md
HA_SPARE=10.0.0.3
HA_BALANCERS=(balancer spare)
# A machine under load must not seem dead: keepalived waits for 3.6 s instead of 0.7 s, and for 5 s for its health check.
HA_SLOWER='s/advert_int 0\.2/advert_int 1/; s/^    timeout 1$/    timeout 5/'
# The servers are probed by ICMP. No server answers after ha_answer_probes 0.
HA_PROBED='s/^  - name: proxies/&\n    probe: icmp/'
HA_PATH=/usr/local/sbin:$PATH
HA_LEAVE_OUT= # regular expression: ha_run leaves out the blocks that begin with it

# ha_host NAME NUMBER: adds a balancer with address 10.0.0.NUMBER.
ha_host() {
	_lab_host "$1"
	lab_plug "$1" eth0 br0
	lab_address "$1" eth0 "10.0.0.$2/24" "2001:db8::$2/64"
	_lab_own_etc "$1"
}

# ha_read_page: reads the page. keepalived runs a program only if root alone can replace it, so each balancer has a copy of
# sipxdp-ctl.
ha_read_page() {
	local host
	for host in "${HA_BALANCERS[@]}"; do
		lab_in "$host" mount -t tmpfs -o mode=755 tmpfs /usr/local
		lab_in "$host" install -D -t /usr/local/sbin build/sipxdp-ctl
	done
	mkdir "$LAB_DIR/page"
	tests/lib/readme-blocks $HA_PAGE "$LAB_DIR/page" > "$LAB_DIR/blocks"
}

# ha_prepare: adds the second balancer. Neither balancer has the VIPs.
ha_prepare() {
	ha_host spare "${HA_SPARE##*.}"
	lab_in balancer ip address del "$LAB_VIP/32" dev eth0
	lab_in balancer ip address del "$LAB_VIP6/128" dev eth0
	ha_read_page
}

# ha_write_files [SED-SCRIPT]: writes the files of the page to the hosts that the page names, by default to all balancers. The
# script changes the files.
ha_write_files() {
	local index place action argument hosts host
	while IFS=$'\t' read -r index place action argument hosts; do
		[ "$action" = file ] || continue
		for host in ${hosts:-"${HA_BALANCERS[@]}"}; do
			sed "${1:-}" "$LAB_DIR/page/$index" | lab_write "$host" "$argument"
		done
	done < "$LAB_DIR/blocks"
}

# _ha_block INDEX PLACE ACTION HOST: runs a block of the page.
_ha_block() {
	local name="$HA_PAGE:$2: $(head -n 1 "$LAB_DIR/page/$1") (on $4)"
	if [ "$3" = background ]; then
		lab_start "sipxdpd-$4" "$4" env PATH="$HA_PATH" bash -euo pipefail -c "exec $(cat "$LAB_DIR/page/$1")"
		check "$name" wait_for 10 lab_in "$4" sipxdp-ctl health
	else
		check "$name" lab_in "$4" env PATH="$HA_PATH" bash -euo pipefail "$LAB_DIR/page/$1"
	fi
}

# ha_run ACTION...: runs the blocks of the page that have one of these actions, in the order of the page.
ha_run() {
	local index place action argument host
	while IFS=$'\t' read -r index place action argument <&3; do
		[[ " $* " == *" $action "* ]] || continue
		[[ -z $HA_LEAVE_OUT || ! $(head -n 1 "$LAB_DIR/page/$index") =~ ^($HA_LEAVE_OUT) ]] || continue
		if [ "$action" = skip ]; then
			skip "$HA_PAGE:$place: $(head -n 1 "$LAB_DIR/page/$index")" "$argument"
			continue
		fi
		for host in $argument; do
			_ha_block "$index" "$place" "$action" "$host"
		done
	done 3< "$LAB_DIR/blocks"
}

# ha_start: runs the commands of the page until keepalived or the routing daemon can start.
ha_start() {
	ha_run run background skip
}

# ha_keepalived HOST: starts keepalived.
ha_keepalived() {
	lab_start "keepalived-$1" "$1" env PATH="$HA_PATH" keepalived --dont-fork --log-console --log-detail
}

# ha_is_backup HOST: has keepalived finished its first checks, without the VIPs?
ha_is_backup() {
	grep -E 'Entering (BACKUP|MASTER|FAULT) STATE' "$LAB_DIR/keepalived-$1.log" | tail -n 1 | grep -q BACKUP &&
		ha_has_no_vip "$1"
}

# ha_has_vips HOST: does the host have the VIPs of both families?
ha_has_vips() {
	[ "$(lab_in "$1" ip -oneline address show dev eth0 | grep -cE " ($LAB_VIP/32|$LAB_VIP6/128) ")" -eq 2 ]
}

ha_has_no_vip() {
	! lab_in "$1" ip -oneline address show dev eth0 | grep -qE " ($LAB_VIP/32|$LAB_VIP6/128) "
}

# ha_moved FROM TO: are the VIPs only on the host TO?
ha_moved() {
	ha_has_vips "$2" && ha_has_no_vip "$1"
}

# ha_answer_probes 0|1: the servers ignore or answer the probes of all balancers. All other packets reach them.
ha_answer_probes() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" sysctl -qw "net.ipv4.icmp_echo_ignore_all=$((1 - $1))"
	done
}

# ha_health_is HOST STATUS: the exit status of `sipxdp-ctl health`
ha_health_is() {
	local status=0
	lab_in "$1" sipxdp-ctl health > /dev/null 2>&1 || status=$?
	[ "$status" -eq "$2" ]
}

# grows HOST: do packets reach this balancer?
grows() {
	local before
	before=$(ha_packets "$1")
	sleep 0.2
	[ "$(ha_packets "$1")" -gt "$before" ]
}

# ha_packets HOST: the packets for services that have reached this balancer
ha_packets() {
	lab_in "$1" sipxdp-ctl --json stats | jq '[.services[].packets] | add'
}

# steady_start [BYTES]: sends datagrams of this size to the IPv6 VIP all the time.
steady_start() {
	: > "$LAB_DIR/steady.log"
	lab_start steady client tests/net/steady.py "$LAB_VIP6" 5060 "$@"
	wait_for 10 grep -q answered "$LAB_DIR/steady.log"
}

# steady_all_answered NAME: ends the sender to the IPv6 VIP, and checks that each datagram was answered.
steady_all_answered() {
	lab_stop steady || true
	is "$1" "$(sed -n 's/^sent [0-9]* //p' "$LAB_DIR/steady.log")" "unanswered 0"
}
