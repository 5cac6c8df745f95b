# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# A group of balancers in a lab (lab.sh): lb1, lb2 ... (10.0.0.21 and up), each with its own corosync.

GROUP_NODES=()
GROUP_MORE=
GROUP_QUORUM= # a line for `quorum` of corosync.conf

# group_open COUNT: adds the balancers to a lab with backends and starts corosync on each. Their corosync uses the address
# 10.0.0.2N.
group_open() {
	local i
	for ((i = 1; i <= $1; i++)); do
		GROUP_NODES+=("lb$i")
		lab_peer "lb$i" $((20 + i))
		_lab_own_etc "lb$i"
		# A killed corosync leaves its shared memory there.
		lab_in "lb$i" mount -t tmpfs tmpfs /dev/shm
	done
	for ((i = 1; i <= $1; i++)); do
		group_write_corosync "lb$i" "$1"
		group_start_corosync "lb$i"
	done
}

# group_write_corosync HOST COUNT: the file of docs/group.md, with the same key on all nodes, and a token timeout for a busy
# machine.
group_write_corosync() {
	local i
	# shellcheck disable=SC2016 # expanded there
	lab_in "$1" sh -c 'mkdir -p /etc/corosync /run/corosync && head -c 256 /dev/zero > /etc/corosync/authkey &&
		chmod 400 /etc/corosync/authkey'
	{
		cat <<- CONF
			totem {
				version: 2
				cluster_name: edge
				transport: knet
				token: 2000
				seqno_unchanged_const: 3
				crypto_cipher: aes256
				crypto_hash: sha256
			}
			quorum {
				provider: corosync_votequorum
				$GROUP_QUORUM
			}
			system {
				state_dir: /run/corosync
				sched_rr: no
				move_to_root_cgroup: no
			}
			logging {
				to_stderr: yes
				to_syslog: no
			}
			nodelist {
		CONF
		for ((i = 1; i <= $2; i++)); do
			printf '\tnode {\n\t\tnodeid: %s\n\t\tname: lb%s\n\t\tring0_addr: 10.0.0.2%s\n\t}\n' $i $i $i
		done
		echo "}"
	} | lab_write "$1" /etc/corosync/corosync.conf
}

group_start_corosync() {
	lab_start "corosync-$1" "$1" corosync -f
}

# group_config HOST [MORE-BACKENDS]: writes the file of a balancer to standard output. GROUP_KEYS: more keys of `group:`.
# GROUP_POOL: keys of the pool. GROUP_MORE: further lines,
# in which ADDRESS is the address of the balancer.
group_config() {
	cat <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		group: {name: edge, node: $1${GROUP_KEYS:+, $GROUP_KEYS}}
		${GROUP_MORE//ADDRESS/10.0.0.2${1#lb}}
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		pools:
		  - name: proxies
		    probe: {type: icmp, via: address, interval: 1s, timeout: 500ms, fall: 2, rise: 1}
		    $(sed 's/, /\n    /g' <<< "${GROUP_POOL:-record_time: 2s}")
		    backends:
		      - {name: px1, address: 10.0.0.11}
		      - {name: px2, address: 10.0.0.12}
		      - {name: px3, address: 10.0.0.13}
	YAML
	[ $# -lt 2 ] || echo "      - {name: $2, address: 10.0.0.$((10 + ${2#px}))}"
}

# group_start HOST: attaches the balancer there and starts its daemon.
group_start() {
	group_config "$1" | lab_write "$1" "$LAB_CONFIG"
	lab_in "$1" sipxdp-loader attach -c "$LAB_CONFIG"
	group_start_daemon "$1"
}

group_start_daemon() {
	lab_start "sipxdpd-$1" "$1" sipxdpd -c "$LAB_CONFIG"
}

# group_ctl HOST ARGUMENT...: sipxdp-ctl there
group_ctl() {
	local host=$1
	shift
	lab_in "$host" sipxdp-ctl "$@"
}

# group_log_time HOST TEXT: the time of the last line with this text in the log of the daemon, in ms
group_log_time() {
	local line
	line=$(grep "$2" "$LAB_DIR/sipxdpd-$1.log" | tail -n 1)
	date -d "${line:0:23}" +%s%3N
}

# group_is HOST JQ-CONDITION: does the result of `group` meet the condition?
group_is() {
	group_ctl "$1" --json group | jq -e "$2" > /dev/null
}

# group_backend HOST NAME: the state of a backend there
group_backend() {
	group_ctl "$1" --json backend list | jq -r --arg name "$2" '.[] | select(.name == $name) | .state'
}

group_backend_is() {
	[ "$(group_backend "$1" "$2")" = "$3" ]
}

# group_all COMMAND...: does the command succeed with each node as its first argument?
group_all() {
	local node command=$1
	shift
	for node in "${GROUP_NODES[@]}"; do
		"$command" "$node" "$@" || return 1
	done
}

# group_owners HOST: "CALL-ID BACKEND" of 100 calls
group_owners() {
	seq -f 'group-%g@example.net' 100 | group_ctl "$1" lookup sip - | awk '{ print $1, $2 }'
}

# group_has_owners HOST OWNERS
group_has_owners() {
	[ "$(group_owners "$1")" = "$2" ]
}

# group_same_owners: do these calls have the same owners at all nodes?
group_same_owners() {
	local owners
	owners=$(group_owners "${GROUP_NODES[0]}")
	[ -n "$owners" ] && group_all group_has_owners "$owners"
}

# group_agrees: do all nodes agree, and do all of them know it?
group_agrees() {
	group_all group_is '.state == "agreeing" and ([.members[] | select(.state == "agreeing")] | length) == '${#GROUP_NODES[@]}
}

# group_logged HOST REGEX: does the log of the daemon there contain it?
group_logged() {
	grep -q "$2" "$LAB_DIR/sipxdpd-$1.log"
}

# group_cut BACKEND HOST...: the backend no longer answers echo requests of these balancers. Its MAC address stays known.
group_cut() {
	local backend=$1 host
	shift
	for host; do
		lab_in "$backend" ip route add blackhole "10.0.0.2${host#lb}/32"
	done
}

group_mend() {
	local backend=$1 host
	shift
	for host; do
		lab_in "$backend" ip route del blackhole "10.0.0.2${host#lb}/32"
	done
}
