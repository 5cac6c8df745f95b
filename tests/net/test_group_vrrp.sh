#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Calls through a group of three balancers that share a VIP by VRRP (keepalived), so that one of them forwards at a time. The VIP
# moves in the middle of migrations: by `away`, because a balancer dies, and because it comes back from a reboot. No established
# call may reach a different server. What VRRP and the router lose at the death of a balancer is printed, and does not count.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh
. tests/lib/group_calls.sh
. tests/lib/group_troubles.sh
. tests/lib/ha.sh

CALLS_WRONG=(misrouted)
MASTER=

# The router sends packets to the balancer that answers ARP for the VIP.
calls_announce() {
	:
}

calls_withdraw() {
	:
}

# write_keepalived HOST: as on docs/ha.md, with two peers
write_keepalived() {
	local host peers=
	for host in "${GROUP_NODES[@]}"; do
		[ "$host" = "$1" ] || peers+="10.0.0.2${host#lb} "
	done
	lab_write "$1" /etc/keepalived/keepalived.conf <<- CONF
		global_defs {
			enable_script_security
			script_user root
		}
		vrrp_script forwarding {
			script "sipxdp-ctl health --forwarding"
			interval 1
			timeout 5
			fall 2
			rise 2
			weight -50
			init_fail
		}
		vrrp_script servers {
			script "sipxdp-ctl health"
			interval 1
			timeout 5
			fall 2
			rise 2
			weight -20
			init_fail
		}
		vrrp_instance sip {
			state BACKUP
			interface eth0
			version 3
			virtual_router_id 10
			priority 100
			advert_int 1
			unicast_src_ip 10.0.0.2${1#lb}
			unicast_peer {
				$(tr ' ' '\n' <<< "$peers")
			}
			virtual_ipaddress {
				$LAB_VIP/32 dev eth0
			}
			track_script {
				forwarding
				servers
			}
		}
	CONF
}

# keepalived runs a program only if root alone can replace it, so each balancer has a copy of sipxdp-ctl.
prepare_keepalived() {
	lab_in "$1" mount -t tmpfs -o mode=755 tmpfs /usr/local
	lab_in "$1" install -D -t /usr/local/sbin build/sipxdp-ctl
	write_keepalived "$1"
}

has_vip() {
	lab_in "$1" ip -oneline address show dev eth0 | grep -q " $LAB_VIP/32 "
}

# moved [FROM]: does exactly one balancer other than FROM have the VIP? Sets MASTER.
moved() {
	local host holders=()
	for host in "${GROUP_NODES[@]}"; do
		if has_vip "$host"; then
			holders+=("$host")
		fi
	done
	[ ${#holders[@]} -eq 1 ] && [ "${holders[0]}" != "${1:-}" ] || return 1
	MASTER=${holders[0]}
}

# moves_while NAME SERVER FROM: the VIP has left FROM while slots of SERVER migrate.
moves_while() {
	check "$1: the VIP moves away from $3" wait_for 30 moved "$3"
	check "... calls pass $MASTER" wait_for 20 grows "$MASTER"
	calls_go_on
	check "... slots still migrate there" group_migrates "$MASTER"
}

_have_arrived() {
	calls_do report
	[ "$(calls_count received)" -ge "$1" ]
}

# calls_go_on: waits until messages of established calls have arrived, and checks that they reached their servers.
calls_go_on() {
	calls_do report
	check "... calls go on" wait_for 30 _have_arrived $(($(calls_count received) + 1000))
	calls_check "... all established calls stay at their servers"
}

group_migrates() {
	group_ctl "$1" --json pool list | jq -e '.[0].migrating == true' > /dev/null
}

GROUP_POOL="record_time: 3s, drain_timeout: 30s"
lab_open
calls_lab
lab_in router ip route replace "$LAB_VIP/32" dev eth0
check "three members agree" wait_for 20 group_agrees
for host in "${GROUP_NODES[@]}"; do
	check "... $host is healthy" wait_for 20 group_ctl "$host" health
	prepare_keepalived "$host"
	ha_keepalived "$host"
done
check "one balancer gets the VIP" wait_for 30 moved
diag "seed $CALLS_SEED"
calls_start
check "it forwards calls" wait_for 20 grows "$MASTER"

# --- away
SERVER=px1
FROM=$MASTER
begin server_drained "$FROM"
check "slots migrate" wait_for 20 group_migrates "$FROM"
check "... away at $FROM" group_ctl "$FROM" away
moves_while "away" px1 "$FROM"
end server_drained "$MASTER"
check "... back" group_ctl "$FROM" back
settled "away"

# --- a balancer dies, and comes back with empty maps
SERVER=px2
FROM=$MASTER
begin server_drained "$FROM"
check "slots migrate" wait_for 20 group_migrates "$FROM"
calls_do report
LOST=$(($(calls_count sent) - $(calls_count received)))
blind "$FROM"
lab_in switch ip link set dev "$FROM-eth0" down
calls_keep_counters "$FROM"
lab_stop "keepalived-$FROM" KILL || true
lab_stop "sipxdpd-$FROM" KILL || true
lab_stop "corosync-$FROM" KILL || true
lab_in "$FROM" sipxdp-loader detach > /dev/null
lab_in "$FROM" ip address del "$LAB_VIP/32" dev eth0 2> /dev/null || true # keepalived may have noticed the lost link
moves_while "a balancer dies" px2 "$FROM"
calls_do report
diag "lost at its death: $(($(calls_count sent) - $(calls_count received) - LOST)) of $(calls_count sent) messages"
lab_in switch ip link set dev "$FROM-eth0" up
group_start_corosync "$FROM"
group_start "$FROM" > /dev/null
check "... $FROM agrees again" wait_for 40 group_is "$FROM" '.state == "agreeing"'
check "... it is healthy" wait_for 20 group_ctl "$FROM" health
sees "$FROM"
ha_keepalived "$FROM"

# --- the VIP moves to the balancer that has come back
for host in "${GROUP_NODES[@]}"; do
	[ "$host" = "$FROM" ] || group_ctl "$host" away > /dev/null
done
check "the balancer that has come back gets the VIP" wait_for 40 has_vip "$FROM"
check "... calls pass it" wait_for 20 grows "$FROM"
calls_go_on
for host in "${GROUP_NODES[@]}"; do
	[ "$host" = "$FROM" ] || group_ctl "$host" back > /dev/null
done
end server_drained "$FROM"
settled "the end"

calls_do end
check "all calls end" wait_for 40 _lab_ended calls
lab_wait calls 1 || true
diag "$(tail -n 1 "$LAB_DIR/calls.log")"
is "of $(calls_count calls) calls, with $(calls_count sent) messages, all have stayed at their servers" "$(calls_wrong)" 0
check "... most of them came to their end" [ "$(calls_count completed)" -gt $(($(calls_count calls) / 2)) ]
check "... some used several balancers" [ "$(calls_count mixed)" -gt 0 ]
is "... no message arrived twice" "$(calls_count twice)" 0
tap_end
