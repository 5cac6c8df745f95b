#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What goes wrong in the balancer itself is no verdict on its servers: a daemon that is stopped for
# a while, that has no descriptors left, or cannot read a file that is named.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9

# config [LINE...]: px1 in the file, others may join; the lines go to the pool.
config() {
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			join: {listen: '$LAB_BALANCER:$PORT', secret: $SECRET, node_timeout: 2s}
			services:
			  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
			pools:
			  - name: proxies
			    record_time: 0s
			    drain_timeout: 1s
			    backends:
			      - {name: px1, address: 10.0.0.11}
		YAML
		[ $# -eq 0 ] || printf '    %s\n' "$@"
	} | lab_write balancer "$LAB_CONFIG"
}

log_has() {
	[ "$(grep -Ec "$1" "$LAB_DIR/sipxdpd.log")" -ge "${2:-1}" ]
}

# heard NAME COUNT: so many heartbeats of it were answered.
heard() {
	[ "$(grep -c '^ok' "$LAB_DIR/$1.log")" -ge "$2" ]
}

# goes_on: four more heartbeats of each were answered, which is as long as node_timeout.
goes_on() {
	local host
	for host in px2 px3; do
		wait_for 15 heard "$host" $(($(grep -c '^ok' "$LAB_DIR/$host.log") + 4)) || return 1
	done
}

# stopped_for SECONDS: the daemon is, and hears nothing.
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

# listeners: each px answers at TCP port 5060, and at 5061 with TLS.
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

# probed PROBE [VIP]: px1 to px3 in the file, and probed so, each 200 ms.
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

# states: of the backends.
states() {
	lab_ctl --json backend list | jq -r '[.[].state] | join(" ")'
}

# reasons PATTERN: each backend's matches.
reasons() {
	lab_ctl --json backend list | jq -e --arg pattern "$1" 'all(.[]; .reason | test($pattern))'
}

# all_up: and probed; and each has its third of the slots, so that none is about to move.
all_up() {
	[ "$(states)" = "up up up" ] && reasons '^$' &&
		lab_ctl --json backend list | jq -e 'all(.[]; .slots > 80000)'
}

# out_of_descriptors: lowers the limit so far that the daemon's next one is of those it keeps back.
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

# owners: of 200 Call-IDs, as a number.
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
check "... the heartbeats go on" goes_on
unlike "... no server was taken for dead" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"
check "... for longer than twice that time" stopped_for 5
check "... the heartbeats go on" goes_on
unlike "... no server was taken for dead or forgotten" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"
lab_stop px3 || true
check "one that dies is found out as ever" wait_for 15 log_has 'backend proxies/px3 is down: sends no heartbeats'
is "... and it alone" "$(grep -c 'is down' "$LAB_DIR/sipxdpd.log")" 1
lab_stop px2 || true
lab_stop sipxdpd || true

# --- no descriptors are left

listeners
probed "type: tcp, via: address, port: 5060"
lab_daemon
check "three servers are probed by TCP" wait_for 10 all_up
limit=$(prlimit --pid "${LAB_PROCESS[sipxdpd]}" --nofile -o SOFT --noheadings)
before=$(owners)
downs=$(count_downs)
check "the daemon is left without descriptors" out_of_descriptors
check "... the log says that it cannot probe" wait_for 10 log_has 'the balancer cannot probe backend proxies/px[123].*: Too many open files'
check "... and backend list why" wait_for 10 reasons 'Too many open files'
is "... no server is down" "$(states)" "up up up"
status=$(lab_ctl status)
like "... status says it" "$status" 'pool proxies: the balancer cannot probe 3 of 3 backends.*Too many open files'
unlike "... and does not take the balancer for detached" "$status" 'detached|no balancer is attached|cannot determine'
check "... a reload is possible" lab_ctl reload
is "... no call has moved" "$(owners)" "$before"
is "... and no server was down meanwhile" "$(count_downs)" "$downs"
check "descriptors again" prlimit --pid "${LAB_PROCESS[sipxdpd]}" --nofile="${limit// /}:"
check "... all are probed" wait_for 10 all_up
check "... the log says so" log_has 'can probe all backends again'
lab_stop px3-tcp || true
check "... a server that dies is found out" wait_for 10 log_has 'backend proxies/px3 is down: connection refused'

# --- no source address for probes: the VIP is of IPv6, and the balancer has no other address of it

for host in "${LAB_BACKENDS[@]}"; do
	lab_start "$host-tcp6" "$host" tests/net/answer.py tcp "$LAB_VIP6" 5060 "200 OK"
	wait_for 10 listens "$host" 5060
done
probed "type: tcp, port: 5060" "$LAB_VIP6"
check "three servers are probed at a VIP of IPv6: reload" lab_ctl reload --move-calls
check "... they are up" wait_for 20 all_up
before=$(owners)
downs=$(count_downs)
lab_in balancer ip address del 2001:db8::2/64 dev eth0
check "the balancer's only address of IPv6 is taken away" wait_for 10 reasons 'Cannot assign requested address'
is "... no server is down" "$(states)" "up up up"
is "... no call has moved" "$(owners)" "$before"
is "... and no server was down meanwhile" "$(count_downs)" "$downs"
lab_in balancer ip address add 2001:db8::2/64 dev eth0
check "... it is back" wait_for 10 all_up

# --- a file that is named cannot be read

probed "type: tls, via: address, port: 5061, sni: px.example.net, ca: /etc/sipxdp/ca.pem"
refused="yaml:8:75: 'ca' of the probe of pool proxies: /etc/sipxdp/ca.pem: it cannot be read: No such file or directory"
like "--check opens the file of certificates" "$(lab_in balancer sipxdpd -c "$LAB_CONFIG" --check 2>&1)" "$refused"
like "... so does plan" "$(lab_ctl plan "$LAB_CONFIG" 2>&1)" "$refused"
like "... so does reload" "$(lab_ctl reload 2>&1)" "$refused"
lab_write balancer /etc/sipxdp/ca.pem < /dev/null
like "an empty one" "$(lab_ctl reload 2>&1)" "ca.pem: (it contains no certificate|cannot read its certificates)"
head -c 300 "$LAB_DIR/ca.pem" | lab_write balancer /etc/sipxdp/ca.pem
like "half of one" "$(lab_ctl reload 2>&1)" "ca.pem: cannot read its certificates \(damaged PEM\)"
lab_in balancer sh -c 'rm /etc/sipxdp/ca.pem && mkfifo /etc/sipxdp/ca.pem'
like "a FIFO" "$(lab_ctl reload 2>&1)" "ca.pem: it is a FIFO or pipe; a regular file is needed"
lab_in balancer rm /etc/sipxdp/ca.pem
lab_write balancer /etc/sipxdp/ca.pem < "$LAB_DIR/ca.pem"
check "the right one" lab_ctl reload
check "... the servers are up" wait_for 10 all_up
before=$(owners)
echo damaged | lab_write balancer /etc/sipxdp/ca.pem # and then the daemon looks at the backends anew
check "it is damaged later" lab_ctl backend weight proxies px1 1
check "... which the log says" wait_for 10 log_has 'cannot probe backend proxies/px.*: cannot begin TLS with /etc/sipxdp/ca.pem: it contains no cert'
check "... and backend list" wait_for 10 reasons 'cannot begin TLS with /etc/sipxdp/ca.pem'
is "... no server is down" "$(states)" "up up up"
is "... no call has moved" "$(owners)" "$before"

# --- a configuration file that would block the daemon

lab_in balancer sh -c 'mv "$1" "$1.regular" && mkfifo "$1"' sh "$LAB_CONFIG"
like "a FIFO as configuration file" "$(timeout 10 nsenter --target "${LAB_HOLDER[balancer]}" --net --mount sipxdp-ctl reload 2>&1)" \
	"sipxdp.yaml: it is a FIFO or pipe; a regular file is needed"
lab_in balancer rm "$LAB_CONFIG"
lab_in balancer mkdir "$LAB_CONFIG"
like "a directory" "$(lab_ctl reload 2>&1)" "sipxdp.yaml: it is a directory; a regular file is needed"
lab_write balancer /etc/sipxdp/ca.pem < "$LAB_DIR/ca.pem"
check "--check takes a pipe" lab_in balancer bash -c 'sipxdpd -c <(cat "$1.regular") --check' bash "$LAB_CONFIG"
tap_end
