# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Three Kamailio servers behind `forward: nat` with `passive:`. Their probes (OPTIONS) pass all the time.

SERVERS=(px1 px2 px3)
WINDOW=8s # of passive:, also the time for which a server is down after its first failure

write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0, eth1]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		metrics: {listen: '127.0.0.1:9464'}
		services: [{name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}]
		pools:
		  - name: proxies
		    forward: nat
		    record_time: 1s
		    probe: {type: options, interval: 500ms, timeout: 400ms}
		    passive: {fall: 3, codes: [503], window: $WINDOW}
		    backends:
		      - {name: px1, address: 10.0.1.11, hints: [px1.lab]}
		      - {name: px2, address: 10.0.1.12, hints: [px2.lab]}
		      - {name: px3, address: 10.0.1.13, hints: [px3.lab]}
	YAML
}

start_server() {
	local name=$1 own=10.0.1.1${1#px}
	mkdir -p "$LAB_DIR/$name"
	lab_start "$name" "$name" kamailio -f "$SIP_SCENARIOS/kamailio.cfg" -DD -E -m 32 -M 4 -x fm -X fm -A FAULT \
		-A 'CALLEE="sip:10.0.0.200:5060"' -Y "$LAB_DIR/$name" -P "$LAB_DIR/$name/pid" -w "$LAB_DIR/$name" \
		-l "udp:$own:5060/$name.lab:5060"
	wait_for 10 sip_listens "$name" "$own"
}

# fault CODE SERVER...: the servers answer INVITEs with this code; 1: they do not answer; 0: they work again.
fault() {
	local code=$1 name
	shift
	for name; do
		kamailio_rpc "$name" pv.shvSet fault int "$code" > /dev/null
	done
}

# states: the states of all servers, in the order of their names
states() {
	lab_ctl --json backend list | jq -r '[sort_by(.name)[].state] | join(" ")'
}

are_states() {
	[ "$(states)" = "$*" ]
}

# of NAME FILTER: a value of a server in `backend list`
of() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

# traffic NAME COUNT RATE [SIPP OPTION...]: calls, some of which may fail
traffic() {
	sip_client "$1" client "$LAB_CLIENT" call "$2" "$3" -s phone "${@:4}"
}

# Ends calls that are still in progress.
end_traffic() {
	lab_stop "$1" KILL || true
}

# are_established COUNT: have so many calls been answered and acknowledged?
are_established() {
	[ "$(sip_seen_by_sipp callee | grep -c ^ACK)" -ge "$1" ]
}

all_succeed() {
	lab_wait "$1" 60
}

# passive_open: starts the lab, the servers and the balancer.
passive_open() {
	local name
	lab_open
	lab_nat 3
	lab_peer callee 200
	write_config
	lab_hosts "${SERVERS[@]}" <<< "$LAB_VIP ${SERVERS[*]/%/.lab}"
	for name in "${SERVERS[@]}"; do
		start_server "$name"
	done
	sip_answer callee callee 10.0.0.200
	lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null 2>&1
	lab_daemon
}
