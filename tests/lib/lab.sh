# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# A lab of network namespaces: hosts with an eth0 each, connected by a switch, among them the balancer.
# Each host has its own network, /run, /sys and bpffs, so programs run with their default paths and
# two labs never conflict.
#
#   . tests/lib/lab.sh
#   lab_open                   opens the lab; it is removed when the script ends
#   lab_flat 3                 client, balancer, px1 to px3 on one switch (for DSR), or
#   lab_routed 3               ... px1 to px3 behind a router (for IP-in-IP), or
#   lab_nat 3                  ... px1 to px3 behind the balancer (for NAT)
#   lab_in client ping -c1 "$LAB_VIP"
#   lab_start uas px1 sipp ... in the background, output in $LAB_DIR/uas.log
#
# Outside the namespaces only a directory in /tmp is used.

LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$LAB_ROOT/build:$PATH:/usr/sbin:/sbin

# The addresses of the README's examples. The VIP is outside the subnets of the lab. The client reaches
# it on link, and the balancer has it on its interface and answers ARP for it.
LAB_VIP=192.0.2.10
LAB_VIP6=2001:db8:f::10
LAB_CLIENT=10.0.0.100 # the client has LAB_CLIENTS addresses from this one upwards
LAB_CLIENTS=4
LAB_BALANCER=10.0.0.2
LAB_CONFIG=/etc/sipxdp/sipxdp.yaml # in the balancer only
LAB_BARE=                          # if set, hosts start without the VIP and its settings
LAB_POOL=                          # lines for the pool that lab_config writes: "record_time: 3s"
LAB_SECTIONS=                      # lines that lab_config appends to the file: "join: ..."

LAB_ID=sx$$
LAB_DIR=
LAB_SUBNET=0 # third byte of the backends' subnet: 0 flat, 1 behind the router
LAB_BACKENDS=()
LAB_HOSTS=()              # every host whose namespace may exist
declare -A LAB_HOLDER=()  # host -> the process that holds its namespaces
declare -A LAB_PROCESS=() # name given to lab_start -> process

# wait_for SECONDS COMMAND...: repeats the command until it succeeds; status 1 on timeout. SECONDS is the longest time
# on an idle machine; the timeout is six times as long, for a busy one. The pauses become longer, from 30 to 250 ms, because
# a command costs much more processor time than a pause. Emulated machines set LAB_POLL: there a command takes longer than
# these pauses.
wait_for() {
	local deadline=$((SECONDS + 6 * $1 + 1)) msec=30 pause
	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || return 1
		printf -v pause '0.%03d' $msec
		sleep "${LAB_POLL:-$pause}"
		msec=$((msec < 167 ? msec * 3 / 2 : 250))
	done
}

# --- start and end of a lab

lab_open() {
	LAB_DIR=$(mktemp -d -t sipxdp-lab.XXXXXX)
	trap _lab_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	cp "$LAB_ROOT/build/tests/lib/pass.bpf.o" "$LAB_DIR" 2> /dev/null || # `make tests` builds it, `make` does not
		clang -target bpf -mcpu=v3 -O2 -g -c "$LAB_ROOT/tests/lib/pass.bpf.c" -o "$LAB_DIR/pass.bpf.o"
	_lab_host switch
}

# Ends the lab's processes and namespaces. The script may open a new lab afterwards.
lab_close() {
	local host pids=()
	[ ${#LAB_PROCESS[@]} -eq 0 ] || kill "${LAB_PROCESS[@]}" 2> /dev/null || true
	wait_for 3 _lab_all_ended || true
	# Also kills children of these processes, and processes that did not end on request.
	for host in "${LAB_HOSTS[@]}"; do
		mapfile -t -O ${#pids[@]} pids < <(ip netns pids "$LAB_ID-$host" 2> /dev/null)
	done
	[ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[@]}" 2> /dev/null || true
	wait "${LAB_PROCESS[@]}" "${LAB_HOLDER[@]}" 2> /dev/null || true
	for host in "${LAB_HOSTS[@]}"; do
		ip netns del "$LAB_ID-$host" 2> /dev/null || true
	done
	LAB_PROCESS=()
	LAB_HOLDER=()
	LAB_HOSTS=()
	LAB_BACKENDS=()
	[ -n "${LAB_KEEP:-}" ] || rm -rf "$LAB_DIR"
	[ -z "${LAB_KEEP:-}" ] || echo "logs are kept in $LAB_DIR" >&2
}

_lab_end() {
	local status=$?
	# A signal may reach a child before its exec; the child then still runs this script.
	[ $BASHPID -eq $$ ] || exit $status
	trap '' HUP INT TERM
	trap - EXIT
	lab_close
	exit $status
}

_lab_all_ended() {
	local pid
	for pid in "${LAB_PROCESS[@]}"; do
		! kill -0 "$pid" 2> /dev/null || return 1
	done
}

# --- hosts

_lab_host() {
	local host=$1
	LAB_HOSTS+=("$host")
	ip netns add "$LAB_ID-$host"
	# A new /sys shows the interfaces of this host's network namespace. It hides bpffs, so an empty
	# one is mounted, too; its pins vanish with the last process. With DSR a response takes a different path than
	# its request, so rp_filter is 0.
	# shellcheck disable=SC2016 # $1 is the inner shell's
	(cd "$LAB_ROOT" && exec nsenter --net="/run/netns/$LAB_ID-$host" unshare --mount sh -c '
		mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf && mount -t tmpfs tmpfs /run &&
		ip link set lo up &&
		sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
			net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 &&
		touch "$1" && exec sleep infinity' holder "$LAB_DIR/$host.ready") < /dev/null &
	LAB_HOLDER[$host]=$!
	wait_for 20 test -e "$LAB_DIR/$host.ready"
}

# lab_in HOST COMMAND...: runs the command on the host, in the root of the repository. (ip netns exec
# would mount a new /sys, which hides the pins.)
lab_in() {
	(_lab_exec "$@")
}

# lab_cron HOST TEXT: runs the job of a file for /etc/cron.d, which may set PATH, in the environment of Debian's cron.
lab_cron() {
	local path=PATH=/usr/bin:/bin job
	path=$(grep '^PATH=' <<< "$2" || echo $path)
	job=$(grep -v '^PATH=' <<< "$2" | cut -d ' ' -f 7-)
	lab_in "$1" env -i SHELL=/bin/sh HOME=/root LOGNAME=root "$path" /bin/sh -c "$job"
}

# lab_unit HOST UNIT KEY [OPTION...]: runs the commands of KEY (ExecStart, ExecReload) of a unit as systemd does: the first
# failure stops them. %I is eth0, and the options replace the variable.
lab_unit() {
	local host=$1 unit=systemd/$2 key=$3 line command status
	shift 3
	while read -r line; do
		command=${line#*/sbin/}
		command=${command//%I/eth0}
		status=0
		# shellcheck disable=SC2086 # several words: split them
		lab_in "$host" ${command/\$SIPXDP_DECAP_OPTIONS/$*} < /dev/null || status=$?
		[[ $status -eq 0 || $line == -* ]] || grep -q "^SuccessExitStatus=$status$" "$unit" || return $status
	done < <(sed -n "s/^$key=//p" "$unit")
}

_lab_exec() {
	local host=$1
	shift
	exec nsenter --target "${LAB_HOLDER[$host]}" --net --mount --wd -- "$@"
}

# lab_full_queues: the number of packets that the links of the lab dropped because the receiver's queue was full
lab_full_queues() {
	local host
	for host in "${LAB_HOSTS[@]}"; do
		lab_in "$host" ip -json -stats link show type veth
	done | jq -s '[.[][].stats64.tx.dropped] | add'
}

# lab_plug HOST INTERFACE BRIDGE: adds an interface to the host and connects it to the switch.
lab_plug() {
	local host=$1 interface=$2 bridge=$3 port=$1-$2
	lab_in switch ip link show "$bridge" > /dev/null 2>&1 ||
		lab_in switch ip link add "$bridge" up type bridge stp_state 0 mcast_snooping 0
	lab_in switch ip -batch - <<- COMMANDS
		link add $port type veth peer name $interface netns ${LAB_HOLDER[$host]}
		link set dev $port xdpdrv object $LAB_DIR/pass.bpf.o section xdp.frags
		link set dev $port master $bridge up
	COMMANDS
	# If the sender leaves the checksum to the hardware, XDP forwards a frame with a wrong checksum.
	lab_in switch ethtool -K "$port" tx off > /dev/null
	lab_in "$host" ethtool -K "$interface" tx off > /dev/null
	lab_in "$host" ip link set dev "$interface" up
}

# lab_address HOST INTERFACE ADDRESS/LENGTH... A program can use the addresses at once: without nodad, an IPv6 address is
# tentative until a worker of the kernel runs, which takes seconds on a busy machine.
lab_address() {
	local host=$1 interface=$2 address
	shift 2
	for address; do
		[[ $address != *:* ]] || address+=" nodad"
		echo "address add $address dev $interface"
	done | lab_in "$host" ip -batch -
}

# lab_announce HOST ADDRESS: the host announces by gratuitous ARP that it has the address.
lab_announce() {
	lab_in "$1" python3 - "$2" <<- 'PYTHON'
		import socket, sys
		address = socket.inet_aton(sys.argv[1])
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		s.bind(("eth0", 0x0806))
		mac = s.getsockname()[4]
		s.send(b"\xff" * 6 + mac + bytes.fromhex("0806000108000604 0001") + mac + address + bytes(6) + address)
	PYTHON
}

# lab_peer NAME NUMBER: adds a host on the clients' side with address 10.0.0.NUMBER. It reaches the VIP
# as the client does.
lab_peer() {
	_lab_host "$1"
	lab_plug "$1" eth0 br0
	lab_address "$1" eth0 "10.0.0.$2/24" "2001:db8::$2/64"
	lab_in "$1" ip route add "$LAB_VIP/32" dev eth0 src "10.0.0.$2"
	lab_in "$1" ip -6 route add "$LAB_VIP6/128" dev eth0
}

_lab_client_and_balancer() {
	local i
	lab_peer client "${LAB_CLIENT##*.}"
	for ((i = 1; i < LAB_CLIENTS; i++)); do
		lab_address client eth0 "10.0.0.$((${LAB_CLIENT##*.} + i))/24"
	done
	_lab_host balancer
	lab_plug balancer eth0 br0
	lab_address balancer eth0 "$LAB_BALANCER/24" 2001:db8::2/64
	[ -n "$LAB_BARE" ] || lab_address balancer eth0 "$LAB_VIP/32" "$LAB_VIP6/128"
	_lab_own_etc balancer
}

# Gives a host a private /etc, for its configuration.
_lab_own_etc() {
	# shellcheck disable=SC2016 # $1 is the inner shell's
	lab_in "$1" sh -c 'mkdir "$1" && mount -t tmpfs tmpfs "$1" && cp -a /etc/. "$1" &&
		mount --bind "$1" /etc && mkdir -p /etc/sipxdp' sh "$LAB_DIR/$1-etc"
}

# lab_hosts HOST...: standard input becomes the /etc/hosts of these hosts.
lab_hosts() {
	local host
	cat > "$LAB_DIR/hosts"
	for host; do
		lab_in "$host" mount --bind "$LAB_DIR/hosts" /etc/hosts
	done
}

# lab_backend NAME NUMBER BRIDGE: adds a backend with address 10.0.LAB_SUBNET.NUMBER, and the VIP on lo
# without ARP, as DSR requires.
lab_backend() {
	local name=$1 number=$2 bridge=$3
	_lab_host "$name"
	lab_plug "$name" eth0 "$bridge"
	lab_address "$name" eth0 "10.0.$LAB_SUBNET.$number/24" "2001:db8:$LAB_SUBNET::$number/64"
	LAB_BACKENDS+=("$name")
	[ -z "$LAB_BARE" ] || return 0
	lab_in "$name" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
	lab_address "$name" lo "$LAB_VIP/32" "$LAB_VIP6/128"
}

# lab_flat COUNT: client, balancer and backends px1, px2 ... (10.0.0.11 and up) on one switch. A backend
# responds directly to the client.
lab_flat() {
	local i
	LAB_SUBNET=0
	_lab_client_and_balancer
	for ((i = 1; i <= $1; i++)); do
		lab_backend "px$i" $((10 + i)) br0
	done
}

# lab_routed COUNT: the backends (10.0.1.11 and up) are behind a router, where MAC rewriting does not
# reach them.
lab_routed() {
	local i
	LAB_SUBNET=1
	_lab_client_and_balancer
	_lab_host router
	lab_in router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	lab_plug router eth0 br0
	lab_plug router eth1 br1
	lab_address router eth0 10.0.0.1/24 2001:db8::1/64
	lab_address router eth1 10.0.1.1/24 2001:db8:1::1/64
	for i in client balancer; do
		lab_in $i ip route add default via 10.0.0.1
		lab_in $i ip -6 route add default via 2001:db8::1
	done
	for ((i = 1; i <= $1; i++)); do
		lab_backend "px$i" $((10 + i)) br1
		lab_in "px$i" ip route add default via 10.0.1.1
		lab_in "px$i" ip -6 route add default via 2001:db8:1::1
	done
}

# Connects the balancer of a routed lab to the backends' network by eth1.
lab_second_arm() {
	lab_plug balancer eth1 br1
	lab_address balancer eth1 10.0.1.2/24 2001:db8:1::2/64
}

# lab_nat COUNT: the backends (10.0.1.11 and up) are behind the balancer, which is their router. They have neither
# the VIP nor settings for it.
lab_nat() {
	local i
	LAB_SUBNET=1
	_lab_client_and_balancer
	lab_second_arm
	lab_in balancer sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for ((i = 1; i <= $1; i++)); do
		LAB_BARE=1 lab_backend "px$i" $((10 + i)) br1
		lab_in "px$i" ip route add default via 10.0.1.2
		lab_in "px$i" ip -6 route add default via 2001:db8:1::2
	done
}

# --- processes

# lab_start NAME HOST COMMAND...: runs the command in the background; its output goes to
# $LAB_DIR/NAME.log. Ends with the lab or by lab_stop.
lab_start() {
	local name=$1 host=$2
	shift 2
	_lab_exec "$host" "$@" < /dev/null >> "$LAB_DIR/$name.log" 2>&1 &
	LAB_PROCESS[$name]=$!
}

lab_running() {
	kill -0 "${LAB_PROCESS[$1]}" 2> /dev/null
}

_lab_ended() {
	! lab_running "$1"
}

# lab_wait NAME SECONDS: waits until the process ends by itself; returns its exit status, or 124 on
# timeout.
lab_wait() {
	local status=0
	# Hides bash's message about a process that a signal ended.
	wait_for "$2" _lab_ended "$1" 2> /dev/null || return 124
	wait "${LAB_PROCESS[$1]}" 2> /dev/null || status=$?
	unset "LAB_PROCESS[$1]"
	return $status
}

# lab_stop NAME [SIGNAL]: ends the process and waits; returns its exit status.
lab_stop() {
	kill -s "${2:-TERM}" "${LAB_PROCESS[$1]}" 2> /dev/null || true
	wait_for 5 _lab_ended "$1" 2> /dev/null || kill -KILL "${LAB_PROCESS[$1]}" 2> /dev/null || true
	lab_wait "$1" 5
}

# --- the balancer's own programs

# lab_config dsr|ipip|gue|nat [BACKEND...]: writes the balancer's file: one service on UDP port 5060 with one
# pool. A BACKEND is a name, or a name and more keys: "px1, weight: 2". Default: all backends.
lab_config() {
	local forward=$1 backend name
	shift
	[ $# -gt 0 ] || set -- "${LAB_BACKENDS[@]}"
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			services:
			  - name: sip
			    vip: $LAB_VIP
			    port: 5060
			    protocol: udp
			    affinity: call-id
			    pool: proxies
			pools:
			  - name: proxies
			    forward: $forward
		YAML
		[ -z "$LAB_POOL" ] || sed 's/^/    /' <<< "$LAB_POOL"
		echo "    backends:"
		for backend; do
			name=${backend%%,*}
			echo "      - {name: $name, address: 10.0.$LAB_SUBNET.$((10 + ${name#px}))${backend#"$name"}}"
		done
		[ -z "$LAB_SECTIONS" ] || echo "$LAB_SECTIONS"
	} | lab_write balancer "$LAB_CONFIG"
}

# lab_write HOST FILE: writes standard input to a file on that host.
lab_write() {
	# shellcheck disable=SC2016 # $1 is the inner shell's
	lab_in "$1" sh -c 'mkdir -p "$(dirname "$1")" && cat > "$1"' sh "$2"
}

# lab_answers: does sipxdpd answer? (`status` would also work without the daemon.)
lab_answers() {
	lab_ctl save
}

# Starts sipxdpd and waits until it answers.
lab_daemon() {
	lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
	wait_for 10 lab_answers || {
		echo "sipxdpd does not answer; it says:" >&2
		cat "$LAB_DIR/sipxdpd.log" >&2
		return 1
	}
}

# lab_ctl ARGUMENT...: sipxdp-ctl on the balancer.
lab_ctl() {
	lab_in balancer sipxdp-ctl "$@"
}

# lab_verdict NAME [HOST [MAP]]: a counter, summed over the CPUs, from the pinned map. Like lab_serving it is called so often
# that it does without jq, which takes 25 ms to start.
lab_verdict() {
	lab_in "${2:-balancer}" bpftool -j map dump pinned "/sys/fs/bpf/sipxdp/${3:-verdicts}" |
		grep -o "\"$1\":[0-9]*" | awk -F: '{ sum += $2 } END { print sum }'
}

# lab_serving COUNT: do exactly COUNT backends have slots?
lab_serving() {
	local count
	count=$(lab_ctl --json backend list | grep -c '"slots": [1-9]') || true
	[ "$count" -eq "$1" ]
}

# Are all backends up?
lab_all_up() {
	[ "$(lab_ctl --json backend list | jq -r '[.[].state] | unique | join(" ")')" = up ]
}

# Attaches the program, starts the daemon, and waits until every backend serves.
lab_balance() {
	lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
	lab_daemon
	wait_for 10 lab_serving ${#LAB_BACKENDS[@]}
}

# Does the daemon use the lists of the guard? It loads them after the limits.
lab_lists_in_use() {
	grep -q "lists are in use" "$LAB_DIR/sipxdpd.log"
}
