# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Three balancers behind a router with ECMP, from the files and commands of docs/ha-ecmp.md. The client is behind the router.
# Needs lab.sh, numbered.sh and ha.sh.

HA_PAGE=docs/ha-ecmp.md
HA_BALANCERS=(balancer spare third)
# A machine under load must not seem dead: BFD waits for 3 s instead of 0.9 s.
ECMP_SLOWER='s/multiplier 3/multiplier 10/'
ECMP_PORTS=16

# ecmp_lab dsr|gue|nat: the servers are on the network of the balancers, behind the router, or behind the balancers.
ecmp_lab() {
	local host number=1
	_lab_host client
	lab_plug client eth0 br9
	lab_address client eth0 198.51.100.100/24 2001:db8:9::100/64
	for host in router "${HA_BALANCERS[@]}"; do
		ha_host "$host" $((number++))
	done
	lab_plug router eth1 br9
	lab_address router eth1 198.51.100.1/24 2001:db8:9::1/64
	lab_in router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	_ecmp_default client 198.51.100.1 2001:db8:9::1
	for host in "${HA_BALANCERS[@]}"; do
		_ecmp_default "$host" 10.0.0.1 2001:db8::1
	done
	"_ecmp_servers_$1"
	# Some kernels have no dummy interfaces. An ifb interface also keeps addresses without sending anything.
	lab_in router ip link add standby type dummy 2> /dev/null || ECMP_SLOWER+='; s/type dummy/type ifb/'
	ha_read_page
}

_ecmp_default() {
	lab_in "$1" ip route add default via "$2"
	lab_in "$1" ip -6 route add default via "$3"
}

_ecmp_servers_dsr() {
	local i
	LAB_SUBNET=0
	for i in 1 2 3; do
		lab_backend "px$i" $((10 + i)) br0
		_ecmp_default "px$i" 10.0.0.1 2001:db8::1
	done
}

_ecmp_servers_gue() {
	local i
	LAB_SUBNET=1
	lab_plug router eth2 br1
	lab_address router eth2 10.0.1.1/24 2001:db8:1::1/64
	for i in 1 2 3; do
		lab_backend "px$i" $((10 + i)) br1
		_ecmp_default "px$i" 10.0.1.1 2001:db8:1::1
	done
}

# All responses return through the second balancer.
_ecmp_servers_nat() {
	local i host number=2
	LAB_SUBNET=1
	for host in "${HA_BALANCERS[@]}"; do
		lab_plug "$host" eth1 br1
		lab_address "$host" eth1 "10.0.1.$((number++))/24"
		lab_in "$host" sysctl -qw net.ipv4.ip_forward=1
	done
	for i in 1 2 3; do
		LAB_BARE=1 lab_backend "px$i" $((10 + i)) br1
		lab_in "px$i" ip route add default via 10.0.1.3
	done
}

# --- the programs of the page

ecmp_announce() {
	lab_start "announce-$1" "$1" env PATH="$HA_PATH" /usr/local/sbin/sipxdp-announce
}

ecmp_bird() {
	lab_in "$1" mkdir -p /run/bird
	lab_start "bird-$1" "$1" bird -f -c /etc/bird/bird.conf
}

_ecmp_knows_zebra() {
	local clients
	clients=$(lab_in "$1" vtysh -d zebra -c 'show zebra client summary')
	grep -q '^bgp ' <<< "$clients" && grep -q '^bfd ' <<< "$clients"
}

# Loads the file when bgpd and bfdd are clients of zebra, as watchfrr does: bgpd creates no BFD session, and drops IPv6 routes,
# for neighbours that it connects to before.
ecmp_frr() {
	local daemon zebra_options
	zebra_options=$(lab_in "$1" sh -c '. /etc/frr/daemons; echo "$zebra_options"')
	lab_in "$1" install -d -o frr -g frr /run/frr
	for daemon in "zebra $zebra_options" bgpd bfdd; do
		# shellcheck disable=SC2086 # the options are words
		lab_start "${daemon%% *}-$1" "$1" /usr/lib/frr/$daemon
		daemon=${daemon%% *}
		wait_for 10 lab_in "$1" test -S "/run/frr/$daemon.vty"
	done
	wait_for 10 _ecmp_knows_zebra "$1"
	lab_in "$1" vtysh -b
}

# --- what happens

# ecmp_hops COUNT: does the router distribute the packets of both VIPs over COUNT balancers?
ecmp_hops() {
	[ "$(lab_in router ip route show "$LAB_VIP" | grep -c ' via ')" -eq "$1" ] &&
		{ [ -n "${ECMP_NO_IPV6:-}" ] || [ "$(lab_in router ip -6 route show "$LAB_VIP6" | grep -c ' via ')" -eq "$1" ]; }
}

# ecmp_paths COUNT PATH: does the router know COUNT paths to the VIP with this AS path?
ecmp_paths() {
	[ "$(lab_in router vtysh -c "show bgp ipv4 unicast $LAB_VIP/32 json" | jq --arg path "$2" \
		'[.paths[] | select(.aspath.string == $path)] | length')" -eq "$1" ]
}

# ecmp_no_server_answers: the balancers stay reachable while all servers ignore their probes.
ecmp_no_server_answers() {
	ecmp_send --calls
	ha_answer_probes 0
	check "no server answers the probes: all balancers are the last choice" wait_for 60 ecmp_paths 3 "64513 64513 64513"
	check "... the router distributes packets over three balancers" wait_for 30 ecmp_hops 3
	lab_in third sipxdp-ctl away > /dev/null
	check "... one is away: two balancers receive packets" wait_for 30 ecmp_hops 2
	lab_in third sipxdp-ctl back > /dev/null
	check "... back: three balancers receive packets" wait_for 30 ecmp_hops 3
	ha_answer_probes 1
	check "the servers answer: no balancer is the last choice" wait_for 60 ecmp_paths 3 64513
	check "... the router distributes packets over three balancers" wait_for 30 ecmp_hops 3
	ecmp_none_lost "all of this"
}

ecmp_packets() {
	local host sum=0
	for host in "${HA_BALANCERS[@]}"; do
		sum=$((sum + $(ha_packets "$host")))
	done
	echo $sum
}

ecmp_send() {
	start_packets --rate "$RATE" --ports $ECMP_PORTS "$@"
}

ecmp_sent() {
	lab_stop numbered || true
	diag "$(cat "$LAB_DIR/numbered.log")"
}

# ecmp_none_lost NAME: ends the packets.
ecmp_none_lost() {
	ecmp_sent
	is "$1: none of $(result sent) packets is lost" "$(result lost)" 0
	is "... none is duplicated" "$(result duplicated)" 0
	stays
}
