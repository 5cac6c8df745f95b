#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Faults of the daemon itself must not count against the servers. The daemon is stopped for a while, has no free
# descriptors, or cannot read a file.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9
NODE_TIMEOUT=2s

# config [PORT]: writes a file with px1, where other servers may join.
config() {
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			join: {listen: '$LAB_BALANCER:${1:-$PORT}', secret: $SECRET, node_timeout: $NODE_TIMEOUT}
			services:
			  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
			pools:
			  - name: proxies
			    record_time: 0s
			    drain_timeout: 1s
			    backends:
			      - {name: px1, address: 10.0.0.11}
		YAML
	} | lab_write balancer "$LAB_CONFIG"
}

log_has() {
	[ "$(grep -Ec "$1" "$LAB_DIR/sipxdpd.log")" -ge "${2:-1}" ]
}

# heard NAME COUNT: has the daemon answered at least COUNT heartbeats of this server?
heard() {
	[ "$(grep -c '^ok' "$LAB_DIR/$1.log")" -ge "$2" ]
}

# lost NAME COUNT: has this server lost at least COUNT heartbeats?
lost() {
	[ "$(grep -c '^lost' "$LAB_DIR/$1.log")" -ge "$2" ]
}

# loses NAME COUNT: waits until this server has lost COUNT more heartbeats.
loses() {
	wait_for 60 lost "$1" $(($(grep -c '^lost' "$LAB_DIR/$1.log" || true) + $2))
}

# warns PATTERN
warns() {
	lab_ctl status | grep -Eq "$1"
}

# try_port_in_use: restarts the daemon while a different program uses the port of join:.
try_port_in_use() {
	lab_stop sipxdpd || true
	lab_start busy balancer python3 -c "import signal, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('$LAB_BALANCER', $PORT))
signal.pause()"
	wait_for 10 eval '[ -n "$(lab_in balancer ss -Hlnu sport = :$PORT)" ]'
	check "the daemon is restarted, and cannot listen for heartbeats" lab_daemon
	check "... status reports it, and that silence does not count" warns \
		'servers cannot join: cannot listen on .*: Address already in use; the silence of servers does not count'
	check "... the servers lose heartbeats for longer than twice node_timeout" loses px3 22
	unlike "... no server is down or removed" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"
	lab_stop busy || true
	check "... the port is free again: heartbeats continue" goes_on
	unlike "... no server is down or removed" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"
}

# try_wrong_address: a reload with an address that the balancer does not have.
try_wrong_address() {
	config
	sed -i "s/listen: '$LAB_BALANCER:/listen: '10.0.0.3:/" "/proc/${LAB_HOLDER[balancer]}/root$LAB_CONFIG"
	check "a reload sets a wrong address for join:" lab_ctl reload
	check "... the servers lose heartbeats for longer than twice node_timeout" loses px3 22
	unlike "... no server is down or removed" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"
	config
	lab_ctl reload > /dev/null
	check "... with the right address, heartbeats continue" goes_on
}

# try_descriptors_of_join: px3 sends its heartbeats by HTTP, and no connection is accepted.
try_descriptors_of_join() {
	local limit
	limit=$(prlimit --pid "${LAB_PROCESS[sipxdpd]}" --nofile -o SOFT --noheadings)
	check "the daemon runs out of descriptors" out_of_descriptors
	check "... the servers lose heartbeats for longer than twice node_timeout" loses px3 22
	unlike "... no server is down or removed" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"
	check "... the log reports it" log_has 'join: requests are lost, because no file descriptor is free'
	check "... status reports it" warns 'silence of servers did not count: so far 0 datagrams .* and [1-9][0-9]* connections'
	prlimit --pid "${LAB_PROCESS[sipxdpd]}" --nofile="${limit// /}:"
	check "... it has descriptors again: heartbeats continue" goes_on
}

# try_full_buffer: fills the receive buffer while the daemon is stopped for a moment.
try_full_buffer() {
	config 5060 # to which the tool sends
	lab_stop sipxdpd
	lab_daemon
	kill -STOP "${LAB_PROCESS[sipxdpd]}"
	lab_in client build/tests/tools/flood invite eth0 10.0.0.100 "$LAB_BALANCER" 20000 10 > /dev/null
	kill -CONT "${LAB_PROCESS[sipxdpd]}"
	check "the receive buffer overflows: status reports it" wait_for 10 warns \
		'silence of servers did not count: so far [1-9][0-9]* datagrams .* and 0 connections'
	check "... the log, too" log_has 'join: requests are lost, because the receive buffer is full'
}

# goes_on: waits for four more answered heartbeats of each server, which take as long as two seconds.
goes_on() {
	local host
	for host in px2 px3; do
		wait_for 15 heard "$host" $(($(grep -c '^ok' "$LAB_DIR/$host.log") + 4)) || return 1
	done
}

# stopped_for SECONDS: suspends the daemon for this time.
stopped_for() {
	local stalls
	stalls=$(grep -c 'did not run for' "$LAB_DIR/sipxdpd.log" || true)
	kill -STOP "${LAB_PROCESS[sipxdpd]}"
	sleep "$1"
	kill -CONT "${LAB_PROCESS[sipxdpd]}"
	wait_for 10 log_has 'did not run for' $((stalls + 1))
}

# listens HOST PORT
listens() {
	[ -n "$(lab_in "$1" ss -Hlnt sport = ":$2")" ]
}

# listeners: starts a server on TCP port 5060 and one with TLS on port 5061 on each px.
listeners() {
	local host number
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=px.example.net \
		-addext subjectAltName=DNS:px.example.net -keyout "$LAB_DIR/key.pem" -out "$LAB_DIR/ca.pem" 2> /dev/null
	for host in "${LAB_BACKENDS[@]}"; do
		number=${host#px}
		lab_start "$host-tcp" "$host" tests/net/answer.py tcp "10.0.0.1$number" 5060 "200 OK"
		lab_start "$host-tls" "$host" tests/net/answer.py tls "10.0.0.1$number" 5061 "200 OK" \
			"$LAB_DIR/ca.pem" "$LAB_DIR/key.pem"
	done
	for host in "${LAB_BACKENDS[@]}"; do
		wait_for 10 listens "$host" 5060 && wait_for 10 listens "$host" 5061
	done
}

# probed PROBE [VIP]: writes a file with px1 to px3, probed like this every 200 ms.
probed() {
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			services:
			  - {name: sip, vip: "${2:-$LAB_VIP}", port: 5060, pool: proxies}
			pools:
			  - name: proxies
			    record_time: 0s
			    probe: {$1, interval: 200ms, timeout: 200ms, fall: 2, rise: 1}
			    backends:
			      - {name: px1, address: 10.0.0.11}
			      - {name: px2, address: 10.0.0.12}
			      - {name: px3, address: 10.0.0.13}
		YAML
	} | lab_write balancer "$LAB_CONFIG"
}

# states: prints the state of each backend.
states() {
	lab_ctl --json backend list | jq -r '[.[].state] | join(" ")'
}

# reasons PATTERN: does the reason of each backend match?
reasons() {
	lab_ctl --json backend list | jq -e --arg pattern "$1" 'all(.[]; .reason | test($pattern))'
}

# all_up: are all backends up and probed, with a third of the slots each, so that no slot is about to move?
all_up() {
	[ "$(states)" = "up up up" ] && reasons '^$' &&
		lab_ctl --json backend list | jq -e 'all(.[]; .slots > 80000)'
}

# out_of_descriptors: lowers the limit until the next descriptor of the daemon belongs to its reserve.
out_of_descriptors() {
	local pid=${LAB_PROCESS[sipxdpd]} free=0 limit
	while [ -e "/proc/$pid/fd/$free" ]; do
		free=$((free + 1))
	done
	limit=$free
	while [ $((limit + 1 - (limit + 1) / 8)) -le $free ]; do
		limit=$((limit + 1))
	done
	prlimit --pid "$pid" --nofile=$limit:
}

count_downs() {
	grep -c ' is down' "$LAB_DIR/sipxdpd.log" || true
}

# owners: prints a digest of the owners of 200 Call-IDs.
owners() {
	seq 200 | lab_ctl --json lookup sip - | jq -r '.[] | "\(.call_id) \(.backend)"' | cksum
}

lab_open
lab_flat 3
config
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
lab_start px2 px2 tests/net/heartbeats.py sip "$LAB_BALANCER" $PORT $SECRET proxies px2 10.0.0.12 0.5
lab_start px3 px3 tests/net/heartbeats.py http "$LAB_BALANCER" $PORT $SECRET proxies px3 10.0.0.13 0.5
check "two servers have joined" wait_for 10 lab_serving 3

# --- the daemon is stopped

check "the daemon is stopped for longer than node_timeout" stopped_for 3
check "... heartbeats continue" goes_on
unlike "... no server is down" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"
check "the daemon is stopped for longer than twice node_timeout" stopped_for 5
check "... heartbeats continue" goes_on
unlike "... no server is down or removed" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"

# --- the daemon cannot receive heartbeats

NODE_TIMEOUT=5s # longer than px2 waits for a response
config
lab_ctl reload > /dev/null
try_port_in_use
try_wrong_address
try_descriptors_of_join

# --- a server is dead

lab_stop px3 || true
check "a dead server is detected as before" wait_for 15 log_has 'backend proxies/px3 is down: sends no heartbeats'
is "... and only that server" "$(grep -c 'is down' "$LAB_DIR/sipxdpd.log")" 1
lab_stop px2 || true
try_full_buffer
lab_stop sipxdpd || true

# --- no free descriptors

listeners
probed "type: tcp, via: address, port: 5060"
lab_daemon
check "three servers are probed by TCP" wait_for 10 all_up
limit=$(prlimit --pid "${LAB_PROCESS[sipxdpd]}" --nofile -o SOFT --noheadings)
before=$(owners)
downs=$(count_downs)
check "the daemon runs out of descriptors" out_of_descriptors
check "... the log reports that probes fail" wait_for 10 log_has 'the balancer cannot probe backend proxies/px[123].*: Too many open files'
check "... backend list shows the reason" wait_for 10 reasons 'Too many open files'
is "... no server is down" "$(states)" "up up up"
status=$(lab_ctl status)
like "... status warns" "$status" 'pool proxies: the balancer cannot probe 3 of 3 backends.*Too many open files'
unlike "... status does not report the balancer as detached" "$status" 'detached|no balancer is attached|cannot determine'
check "... a reload works" lab_ctl reload
is "... no call has moved" "$(owners)" "$before"
is "... no server was down meanwhile" "$(count_downs)" "$downs"
check "the daemon has descriptors again" prlimit --pid "${LAB_PROCESS[sipxdpd]}" --nofile="${limit// /}:"
check "... it probes all servers" wait_for 10 all_up
check "... the log reports it" log_has 'can probe all backends again'
lab_stop px3-tcp || true
check "... a dead server is detected" wait_for 10 log_has 'backend proxies/px3 is down: connection refused'

# --- no source address for probes: the VIP is IPv6, and the balancer has no IPv6 address

for host in "${LAB_BACKENDS[@]}"; do
	lab_start "$host-tcp6" "$host" tests/net/answer.py tcp "$LAB_VIP6" 5060 "200 OK"
	wait_for 10 listens "$host" 5060
done
probed "type: tcp, port: 5060" "$LAB_VIP6"
check "a reload probes three servers at an IPv6 VIP" lab_ctl reload --move-calls
check "... they are up" wait_for 20 all_up
held=$(tests/net/hold_sockets.py "${LAB_PROCESS[sipxdpd]}" 3)
check "a different process still holds sockets of probes that have ended" [ "$held" -gt 10 ]
check "... all servers are up" wait_for 20 all_up
before=$(owners)
downs=$(count_downs)
lab_in balancer ip address del 2001:db8::2/64 dev eth0
check "the only IPv6 address of the balancer is removed" wait_for 10 reasons 'Cannot assign requested address'
is "... no server is down" "$(states)" "up up up"
is "... no call has moved" "$(owners)" "$before"
is "... no server was down meanwhile" "$(count_downs)" "$downs"
lab_in balancer ip address add 2001:db8::2/64 dev eth0 nodad
check "... all servers are up after its return" wait_for 10 all_up

# --- unreadable files

probed "type: tls, via: address, port: 5061, sni: px.example.net, ca: /etc/sipxdp/ca.pem"
refused="yaml:8:75: 'ca' of the probe of pool proxies: /etc/sipxdp/ca.pem: it cannot be read: No such file or directory"
like "--check reads the certificate file" "$(lab_in balancer sipxdpd -c "$LAB_CONFIG" --check 2>&1)" "$refused"
like "... plan does, too" "$(lab_ctl plan "$LAB_CONFIG" 2>&1)" "$refused"
like "... reload does, too" "$(lab_ctl reload 2>&1)" "$refused"
lab_write balancer /etc/sipxdp/ca.pem < /dev/null
like "an empty certificate file is refused" "$(lab_ctl reload 2>&1)" "ca.pem: (it contains no certificate|cannot read its certificates)"
head -c 300 "$LAB_DIR/ca.pem" | lab_write balancer /etc/sipxdp/ca.pem
like "a truncated certificate file is refused" "$(lab_ctl reload 2>&1)" "ca.pem: cannot read its certificates \(damaged PEM\)"
lab_in balancer sh -c 'rm /etc/sipxdp/ca.pem && mkfifo /etc/sipxdp/ca.pem'
like "a FIFO is refused" "$(lab_ctl reload 2>&1)" "ca.pem: it is a FIFO or pipe; a regular file is needed"
lab_in balancer rm /etc/sipxdp/ca.pem
lab_write balancer /etc/sipxdp/ca.pem < "$LAB_DIR/ca.pem"
check "a valid certificate file is accepted" lab_ctl reload --move-calls
check "... the servers are up" wait_for 10 all_up
before=$(owners)
echo damaged | lab_write balancer /etc/sipxdp/ca.pem # and then the daemon looks at the backends anew
check "the certificate file is damaged later" lab_ctl backend weight proxies px1 1
check "... the log reports it" wait_for 10 log_has 'cannot probe backend proxies/px.*: cannot begin TLS with /etc/sipxdp/ca.pem: it contains no cert'
check "... backend list shows it" wait_for 10 reasons 'cannot begin TLS with /etc/sipxdp/ca.pem'
is "... no server is down" "$(states)" "up up up"
is "... no call has moved" "$(owners)" "$before"

# --- a configuration file that would block the daemon

lab_in balancer sh -c 'mv "$1" "$1.regular" && mkfifo "$1"' sh "$LAB_CONFIG"
like "a FIFO is refused as configuration file" "$(timeout 10 nsenter --target "${LAB_HOLDER[balancer]}" --net --mount sipxdp-ctl reload 2>&1)" \
	"sipxdp.yaml: it is a FIFO or pipe; a regular file is needed"
lab_in balancer rm "$LAB_CONFIG"
lab_in balancer mkdir "$LAB_CONFIG"
like "a directory is refused" "$(lab_ctl reload 2>&1)" "sipxdp.yaml: it is a directory; a regular file is needed"
lab_write balancer /etc/sipxdp/ca.pem < "$LAB_DIR/ca.pem"
check "--check accepts a pipe" lab_in balancer bash -c 'sipxdpd -c <(cat "$1.regular") --check' bash "$LAB_CONFIG"
tap_end
