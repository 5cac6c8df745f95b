# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What happens to a group in the lab of group_calls.sh: each event is a pair of functions, begin_NAME and end_NAME. They have a
# balancer as argument; $SERVER is the server of events with a server.

SERVER=px1
declare -A BLIND=() # balancer -> 1
DETECTED=0.3 # seconds until the router no longer sends packets to a balancer that it cannot reach

# choose WORD...: sets CHOSEN to one of them. (A subshell would have its own random numbers.)
choose() {
	CHOSEN=${*:1 + RANDOM % $#:1}
}

# pause SECONDS: up to this time
pause() {
	sleep $((RANDOM % $1)).$((RANDOM % 10))
}

# begin NAME HOST
begin() {
	diag "$(date +%T.%3N) $1 begins: $2 $SERVER"
	"begin_$1" "$2"
}

# end NAME HOST
end() {
	diag "$(date +%T.%3N) $1 ends: $2 $SERVER"
	"end_$1" "$2"
}

# blind HOST: the balancer forwards, but does not exchange its calls with the others.
blind() {
	BLIND[$1]=1
	calls_do "blind $1"
}

sees() {
	unset "BLIND[$1]"
	calls_do "sees $1"
}

# settled NAME: waits until all balancers agree.
settled() {
	local host
	check "$1: all agree" wait_for 40 group_agrees
	for host in "${!BLIND[@]}"; do
		sees "$host"
	done
	check "... all have the same owners" wait_for 20 group_same_owners
	calls_check "... all calls stay at their servers"
}

# trouble NAME HOST: an event that passes
trouble() {
	begin "$1" "$2"
	pause "$CALLS_LONGEST"
	end "$1" "$2"
	settled "$1 $2"
}

# --- programs of a balancer; its kernel forwards

begin_daemon_killed() {
	blind "$1"
	lab_stop "sipxdpd-$1" KILL || true
}

end_daemon_killed() {
	group_start_daemon "$1"
}

begin_daemon_stopped() {
	blind "$1"
	kill -STOP "${LAB_PROCESS[sipxdpd-$1]}"
}

end_daemon_stopped() {
	kill -CONT "${LAB_PROCESS[sipxdpd-$1]}"
}

begin_corosync_killed() {
	blind "$1"
	lab_stop "corosync-$1" KILL || true
}

end_corosync_killed() {
	group_start_corosync "$1"
}

begin_corosync_stopped() {
	blind "$1"
	kill -STOP "${LAB_PROCESS[corosync-$1]}"
}

end_corosync_stopped() {
	kill -CONT "${LAB_PROCESS[corosync-$1]}"
}

# --- its messages to the other members; calls pass

_cut_corosync() {
	local host=$1 hook
	shift
	for hook; do
		lab_in "$host" nft "add table inet cut; add chain inet cut $hook { type filter hook $hook priority 0; };" \
			"add rule inet cut $hook udp dport 5405 drop"
	done
}

begin_group_cut() {
	blind "$1"
	_cut_corosync "$1" input output
}

begin_group_deaf() {
	blind "$1"
	_cut_corosync "$1" input
}

begin_group_mute() {
	blind "$1"
	_cut_corosync "$1" output
}

end_group_cut() {
	lab_in "$1" nft delete table inet cut
}

end_group_deaf() {
	end_group_cut "$1"
}

end_group_mute() {
	end_group_cut "$1"
}

# --- the whole balancer

_undetected() {
	sleep $DETECTED
	calls_withdraw "$1"
}

_returns() {
	check "... $1 agrees again" wait_for 30 group_is "$1" '.state == "agreeing"'
	check "... it is healthy" wait_for 10 group_ctl "$1" health
	sees "$1"
	calls_announce "$1"
}

begin_balancer_cut() {
	lab_in switch ip link set dev "$1-eth0" down
	_undetected "$1"
}

end_balancer_cut() {
	lab_in switch ip link set dev "$1-eth0" up
	_returns "$1"
}

# Frames pass in one direction only.
_cut_frames() {
	lab_in switch nft "add table bridge cut; add chain bridge cut forward { type filter hook forward priority 0; };" \
		"add rule bridge cut forward $2 $1-eth0 drop"
	_undetected "$1"
}

_mend_frames() {
	lab_in switch nft delete table bridge cut
	_returns "$1"
}

begin_balancer_deaf() {
	_cut_frames "$1" oifname
}

end_balancer_deaf() {
	_mend_frames "$1"
}

begin_balancer_mute() {
	_cut_frames "$1" iifname
}

end_balancer_mute() {
	_mend_frames "$1"
}

# It comes back with empty maps.
begin_balancer_rebooted() {
	begin_balancer_cut "$1"
	calls_keep_counters "$1"
	begin_daemon_killed "$1"
	begin_corosync_killed "$1"
	lab_in "$1" sipxdp-loader detach > /dev/null
}

end_balancer_rebooted() {
	lab_in switch ip link set dev "$1-eth0" up
	group_start_corosync "$1"
	group_start "$1" > /dev/null
	_returns "$1"
}

# The router sends all packets to one balancer, as if the VIP moved there.
begin_vip_moved() {
	CALLS_ROUTED=([$1]=1)
	calls_route
}

end_vip_moved() {
	local host
	for host in "${GROUP_NODES[@]}"; do
		calls_announce "$host"
	done
}

# --- servers

# One balancer no longer receives the responses to its probes.
begin_server_unseen() {
	group_cut $SERVER "$1"
}

end_server_unseen() {
	group_mend $SERVER "$1"
}

begin_server_died() {
	calls_do "dead $SERVER"
	lab_in switch ip link set dev "$SERVER-eth0" down
}

end_server_died() {
	calls_do "alive $SERVER"
	lab_in switch ip link set dev "$SERVER-eth0" up
}

# --- changes by an operator

begin_server_drained() {
	calls_change "$1" backend drain proxies $SERVER
}

end_server_drained() {
	calls_change "$1" backend ready proxies $SERVER
}

begin_server_weighted() {
	calls_change "$1" backend weight proxies $SERVER 3
}

end_server_weighted() {
	calls_change "$1" backend weight proxies $SERVER 1
}

# A server whose removal has not ended is still there.
begin_server_added() {
	if [ -n "$(group_backend "$1" px4)" ]; then
		calls_change "$1" backend ready proxies px4
	else
		calls_change "$1" backend add proxies px4 10.0.0.14
	fi
}

end_server_added() {
	calls_change "$1" backend remove proxies px4 --drain
}

begin_nothing() {
	:
}

end_nothing() {
	:
}
