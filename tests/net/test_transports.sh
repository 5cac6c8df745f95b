#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# All protocols of one VIP besides SIP over UDP port 5060, over IPv4 and IPv6: SIP over TCP, TLS and WebSocket,
# HTTP, a range of ports, media to the ports of a backend, and ping.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

CLIENT6=2001:db8::${LAB_CLIENT##*.}
ECHOES=5060,5073,5080,5081,30000,30500,30999,31000,31999,32000
MESSAGES=0 # sent by fragments.py so far

# write_config PING
write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: [$LAB_VIP, "$LAB_VIP6"], port: 5060-5080, pool: proxies, ping: $1}
		  - {name: sip-tcp, vip: [$LAB_VIP, "$LAB_VIP6"], port: 5060, protocol: tcp, pool: proxies}
		  - {name: sips, vip: [$LAB_VIP, "$LAB_VIP6"], port: 5061, protocol: tcp, pool: proxies}
		  - {name: tcp, vip: [$LAB_VIP, "$LAB_VIP6"], port: 0, protocol: tcp, pool: proxies}
		pools:
		  - name: proxies
		    record_time: 0s
		    backends:
		      - {name: px1, address: 10.0.0.11, ports: 30000-30999}
		      - {name: px2, address: 10.0.0.12, ports: 31000-31999}
		      - {name: px3, address: 10.0.0.13}
	YAML
}

packets_of_service() {
	lab_ctl --json service list | jq "[.[] | select(.name == \"$1\") | .packets] | add"
}

# --- TCP

# tcp_answer NAME BACKEND ADDRESS: a sipp that answers calls over TCP.
tcp_answer() {
	lab_start "$1" "$2" sipp -sf "$SIP_SCENARIOS/answer.xml" -i "$3" -p 5060 -t t1 -nostdin -skip_rlimit \
		-deadcall_wait 4000 -trace_shortmsg -shortmessage_file "$LAB_DIR/$1.messages" \
		-trace_err -error_file "$LAB_DIR/$1.errors"
	wait_for 5 lab_in "$2" sh -c "ss -Hlnt sport = :5060 | grep -Fq '$3'"
}

# calls_of FAMILY: prints the number of calls of each backend.
calls_of() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		sip_seen_by_sipp "$backend-$1" | grep -c ^INVITE || true
	done
}

# shared_out FAMILY COUNT: checks that each backend received at least half of its share of COUNT calls.
shared_out() {
	calls_of "$1" | xargs
	calls_of "$1" | awk -v count="$2" '{ sum += $1; few += $1 < count / 6 } END { exit sum != count || few }'
}

calls_by_tcp() {
	sip_client "$@" && lab_wait "$1" 60
}

try_tcp() {
	local backend before
	for backend in "${LAB_BACKENDS[@]}"; do
		tcp_answer "$backend-4" "$backend" "$LAB_VIP"
		tcp_answer "$backend-6" "$backend" "$LAB_VIP6"
	done
	before=$(lab_verdict flow)
	check "200 calls, each over its own TCP connection, succeed" calls_by_tcp tcp4 client "$LAB_CLIENT" call 200 100 -t tn -max_socket 400 -d 500
	check "... and every backend receives its share" shared_out 4 200
	LAB_VIP="[$LAB_VIP6]" check "100 calls over IPv6 succeed" calls_by_tcp tcp6 client "$CLIENT6" call 100 100 -t tn -max_socket 400 -d 500
	check "... and every backend receives its share" shared_out 6 100
	check "... the verdict is flow" test $(($(lab_verdict flow) - before)) -gt 1500
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_stop "$backend-4" || true
		lab_stop "$backend-6" || true
	done
}

# --- TLS, WebSocket, HTTP

certify() {
	local subject="/CN=lab"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$subject CA" -days 2 \
		-keyout "$LAB_DIR/ca.key" -out "$LAB_DIR/ca.pem"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$subject" \
		-keyout "$LAB_DIR/sip.key" -out "$LAB_DIR/sip.csr"
	openssl x509 -req -in "$LAB_DIR/sip.csr" -CA "$LAB_DIR/ca.pem" -CAkey "$LAB_DIR/ca.key" -CAcreateserial -days 2 \
		-extfile <(echo "subjectAltName=IP:$LAB_VIP,IP:$LAB_VIP6") -out "$LAB_DIR/sip.pem"
}

stream_server() {
	lab_start "$1" "$1" kamailio -f "$SIP_SCENARIOS/streams.cfg" -DD -E -m 64 -M 8 -Y "$LAB_DIR/$1" \
		-P "$LAB_DIR/$1/pid" -w "$LAB_DIR/$1" -l "tls:$LAB_VIP:5061" -l "tls:[$LAB_VIP6]:5061" \
		-l "tcp:$LAB_VIP:8080" -l "tcp:[$LAB_VIP6]:8080" -A "WHO=\"$1\"" \
		-A "CERTIFICATE=\"$LAB_DIR/sip.pem\"" -A "KEY=\"$LAB_DIR/sip.key\""
	wait_for 10 lab_in "$1" sh -c "ss -Hlnt sport = :8080 | grep -q ." || cat "$LAB_DIR/$1.log" >&2
}

stream_servers() {
	local backend
	certify > "$LAB_DIR/openssl.log" 2>&1
	for backend in "${LAB_BACKENDS[@]}"; do
		mkdir "$LAB_DIR/$backend"
		stream_server "$backend"
	done
}

# restart_crashed: starts the servers that have ended; status 1 if none has.
restart_crashed() {
	local backend crashed=1
	for backend in "${LAB_BACKENDS[@]}"; do
		! lab_running "$backend" || continue
		diag "the server of $backend has ended and starts again"
		lab_stop "$backend" || true
		stream_server "$backend"
		crashed=0
	done
	return $crashed
}

# streams KIND VIP PORT: opens 60 connections; writes the backends that answered each to $LAB_DIR/streams. Kamailio 5.6
# sometimes crashes in libcrypto 3. The client then starts again, with new servers.
streams() {
	local try
	for try in 1 2 3; do
		! lab_in client tests/net/streams.py "$@" 60 "$LAB_DIR/ca.pem" > "$LAB_DIR/streams" || return 0
		wait_for 2 restart_crashed || return 1
	done
	return 1
}

# try_streams KIND PORT SERVICE NAME
try_streams() {
	local vip before
	for vip in "$LAB_VIP" "$LAB_VIP6"; do
		before=$(packets_of_service "$3")
		check "60 connections to $vip, $4" streams "$1" "$vip" "$2"
		is "... one backend answers all three requests of each connection" \
			"$(awk 'NF == 3 && $1 == $2 && $1 == $3' "$LAB_DIR/streams" | wc -l)" 60
		is "... and every backend receives some connections" "$(cut -d' ' -f1 "$LAB_DIR/streams" | sort -u | xargs)" "${LAB_BACKENDS[*]}"
		check "... counted for service $3" test $(($(packets_of_service "$3") - before)) -gt 300
	done
}

# --- ranges

echo_everywhere() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_start "$backend-echo" "$backend" tests/net/named_echo.py "$backend" $ECHOES "$LAB_VIP" "$LAB_VIP6"
		wait_for 5 grep -q listening "$LAB_DIR/$backend-echo.log"
	done
}

# say FAMILY: sends the rows of standard input by say.py; prints the backend that answers each.
say() {
	case $1 in
	4) lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" 10.0.0.101 10.0.0.102 ;;
	6) lab_in client tests/net/say.py "$LAB_VIP6" "$CLIENT6" ;;
	esac
}

# owners FAMILY PORT: prints the backend that answers each of 40 Call-IDs.
owners() {
	local i
	for ((i = 0; i < 40; i++)); do
		printf '%d\tOPTIONS sip:x@example.net SIP/2.0\tVia: SIP/2.0/UDP a.invalid\tCall-ID: range-%d\n' "$2" $i
	done | say "$1"
}

# media FAMILY PORT...: sends three datagrams to each port; prints the backends that answer.
media() {
	local family=$1 port
	shift
	for port; do
		printf '%d\tRTP-like\n' "$port" "$port" "$port"
	done | say "$family" | xargs
}

try_ranges() {
	local wanted family port
	wanted=$(printf 'range-%d\n' {0..39} | lab_ctl lookup sip - | cut -f2)
	is "each backend owns some of 40 Call-IDs" "$(sort -u <<< "$wanted" | xargs)" "${LAB_BACKENDS[*]}"
	for family in 4 6; do
		for port in 5060 5073 5080; do
			is "IPv$family, port $port of the range: the owner answers each Call-ID" "$(owners $family $port)" "$wanted"
		done
		is "... and outside the range no backend answers" "$(owners $family 5081 | sort -u)" refused
	done
}

try_media() {
	local family before
	for family in 4 6; do
		before=$(lab_verdict port_range)
		is "IPv$family: media to the ports of px1" "$(media $family 30000 30500 30999 | tr ' ' '\n' | sort | uniq -c | xargs)" "9 px1"
		is "... and to the ports of px2" "$(media $family 31000 31999 | tr ' ' '\n' | sort | uniq -c | xargs)" "6 px2"
		is "... the verdict is always port_range" "$(($(lab_verdict port_range) - before))" 15
		is "... and a port without a backend receives no response" "$(media $family 32000)" "refused refused refused"
	done
	lab_ctl backend drain proxies px1 > /dev/null
	is "while px1 is drained it receives its media" "$(media 4 30500)" "px1 px1 px1"
	lab_ctl backend maint proxies px1 > /dev/null
	for family in 4 6; do
		before=$(lab_verdict no_backend)
		is "IPv$family: while px1 is in maintenance its media is refused" "$(media $family 30000 30999 | tr ' ' '\n' | sort -u)" refused
		is "... the verdict is no_backend" "$(($(lab_verdict no_backend) - before))" 6
		is "... and px2 receives its own media" "$(media $family 31000)" "px2 px2 px2"
	done
	lab_ctl backend ready proxies px1 > /dev/null
	is "when px1 is ready it receives its media again" "$(media 4 30500)" "px1 px1 px1"
}

# arrived: prints the backends that received the complete datagrams of the last run.
arrived() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		awk -v backend="$backend" -v first="$MESSAGES" \
			'$2 == 3500 && substr($1, 6) + 0 >= first { print backend }' "$LAB_DIR/$backend".received-*
	done | sort | uniq -c | xargs
}

arrived_is() {
	[ "$(arrived)" = "$1" ]
}

# try_fragments SOURCE VIP PORT BACKEND
try_fragments() {
	local order
	for order in 012 210; do
		MESSAGES=$((MESSAGES + 20))
		lab_in client tests/net/fragments.py send "$1" "$2" "$3" $order $MESSAGES 20 20 100
		wait_for 3 arrived_is "20 $4" || true
		is "20 datagrams in three fragments, order $order, to $2 port $3, arrive complete at $4" "$(arrived)" "20 $4"
	done
}

try_media_in_fragments() {
	local backend port
	for backend in "${LAB_BACKENDS[@]}"; do
		for port in 30100 31100; do
			lab_start "$backend-$port" "$backend" tests/net/fragments.py receive $port "$LAB_DIR/$backend.received-$port"
			wait_for 5 lab_in "$backend" sh -c "ss -lun | grep -q ':$port '"
		done
	done
	try_fragments "$LAB_CLIENT" "$LAB_VIP" 30100 px1
	try_fragments "$CLIENT6" "$LAB_VIP6" 31100 px2
}

# --- ping

pings() {
	lab_in client ping -q -c 5 -i 0.1 -W 1 "$1" | sed -n 's/.* \([0-9]*\) received.*/\1/p'
}

# The echo requests that the balancer's kernel has received.
kernels_pings() {
	lab_in balancer nstat -asz IcmpInEchos Icmp6InEchos | awk '/Echos/ { sum += $2 } END { print sum }'
}

try_ping() {
	local vip replies seen
	for vip in "$LAB_VIP" "$LAB_VIP6"; do
		replies=$(lab_verdict echo_reply) seen=$(kernels_pings)
		is "5 pings to $vip are answered" "$(pings "$vip")" 5
		is "... by the program" "$(($(lab_verdict echo_reply) - replies))" 5
		is "... and the kernel receives none" "$(($(kernels_pings) - seen))" 0
	done
	write_config false
	lab_ctl reload > /dev/null
	is "without 'ping:' pings are still answered" "$(pings "$LAB_VIP") $(pings "$LAB_VIP6")" "5 5"
	is "... by the kernel" "$(($(kernels_pings) - seen)) $(($(lab_verdict echo_reply) - replies))" "10 5"
}

lab_open
lab_flat 3
# With this every datagram without a receiver is refused. The masks lift the limit per destination; the limit
# for all destinations remains 50 ICMP messages at once and 1,000 a second.
lab_in balancer sysctl -qw net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratemask=255
write_config true
lab_balance

try_tcp
stream_servers
try_streams tls 5061 sips "SIP over TLS"
try_streams ws 8080 tcp "SIP over WebSocket"
try_streams http 8080 tcp "HTTP"
echo_everywhere
try_ranges
try_media
try_media_in_fragments
try_ping
tap_end
