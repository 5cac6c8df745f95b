#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Probes against real servers (Kamailio, sipp, openssl) and against answer.py, which can respond
# incorrectly in many ways. tests/tools/probe.c runs ctl/daemon/probe/probes.h without the rest of the
# daemon. The balancer probes px1 at px1's own address.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PROBE=${PROBE:-build/tests/tools/probe}
SERVER=10.0.0.11
SERVER6=2001:db8::11

# probe ARGUMENT...: two results of the tool.
probe() {
	lab_in balancer timeout 10 "$PROBE" interval=50 timeout="${PROBE_TIMEOUT:-300}" results=2 "$@" < /dev/null
}

# passes NAME ARGUMENT...: checks that both probes pass.
passes() {
	like "$1" "$(probe "${@:2}" | grep -v ^changed | tr '\n' ' ')" '^pass [0-9]+ up pass [0-9]+ up $'
}

# fails NAME REASON ARGUMENT...: checks that both probes fail for this reason (a regular expression).
fails() {
	like "$1" "$(probe "${@:3}" | grep -v ^changed | tr '\n' ' ')" "^fail unknown $2 fail unknown $2 \$"
}

# prober ARGUMENT...: starts a tool that runs until it is stopped; `tell KEY=VALUE...` changes its
# options.
prober() {
	rm -f "$LAB_DIR/commands"
	mkfifo "$LAB_DIR/commands"
	: > "$LAB_DIR/probe.log"
	_lab_exec balancer "$PROBE" "$@" < "$LAB_DIR/commands" >> "$LAB_DIR/probe.log" 2>&1 &
	LAB_PROCESS[probe]=$!
	exec {COMMANDS}> "$LAB_DIR/commands"
}

tell() {
	: > "$LAB_DIR/probe.log"
	echo "$*" >&"$COMMANDS"
}

says() {
	grep -Eq -- "$1" "$LAB_DIR/probe.log"
}

stop_prober() {
	exec {COMMANDS}>&-
	lab_stop probe || true
}

# listens udp|tcp PORT
listens() {
	[ -n "$(lab_in px1 ss -Hln "--$1" sport = ":$2")" ]
}

# serve NAME TRANSPORT PORT HOW [CERTIFICATE KEY]
serve() {
	local name=$1 transport=$2
	lab_start "$name" px1 tests/net/answer.py "$transport" "${SERVER_ADDRESS:-$SERVER}" "${@:3}"
	wait_for 5 listens "${transport/tls/tcp}" "$3"
}

# --- over UDP

udp_of_real_servers() {
	sip_answer sipp-udp px1 "$SERVER" answer-options
	passes "sipp responds to OPTIONS" "$SERVER" 5060
	lab_stop sipp-udp || true

	sip_answer callee client "$LAB_CLIENT" answer-options
	kamailio_start kamailio px1 "CALLEE=\"sip:$LAB_CLIENT:5060\""
	passes "Kamailio, configured to relay OPTIONS, responds itself" user=bob "$SERVER" 5090
	is "and relays none to the server behind it" "$(sip_seen_by_sipp callee | wc -l)" 0
	fails "483 can be configured as a failure" "483 Too Many Hops" codes=200 user=bob "$SERVER" 5090
	passes "Kamailio responds to REGISTER" type=register "$SERVER" 5090
	like "and registers no contact" "$(kamailio_rpc kamailio ul.dump)" 'Records: 0'
	lab_stop kamailio || true
}

udp_of_others() {
	local port=7000 how
	for how in "200 OK" "503 Service Unavailable" trying request branch call-id cseq elsewhere silent late; do
		serve "udp-$how" udp $port "$how"
		case $how in
		503*) fails "503 is a failure" "503 Service Unavailable" "$SERVER" $port &&
			passes "... unless the accepted codes include it" codes=503 "$SERVER" $port ;;
		200*) passes "200 OK" "$SERVER" $port ;;
		trying) passes "100 does not end the wait" "$SERVER" $port ;;
		request) passes "a request does not end it either" "$SERVER" $port ;;
		late) fails "a response to an earlier probe does not count" "no response to OPTIONS within 300 ms" \
			interval=350 "$SERVER" $port ;;
		*) fails "no valid response: $how" "no response to OPTIONS within 300 ms" "$SERVER" $port ;;
		esac
		port=$((port + 1))
	done
	fails "no response to REGISTER" "no response to REGISTER within 300 ms" type=register "$SERVER" 7008
	fails "no process listens" "connection refused" "$SERVER" 6999
	fails "no host has the address" "no response to OPTIONS within 300 ms" 10.0.0.99 5060
	SERVER_ADDRESS=$SERVER6 serve udp-ipv6 udp 7050 "200 OK"
	passes "IPv6" "$SERVER6" 7050
	like "its address is in brackets" "$(cat "$LAB_DIR/udp-ipv6.log")" '^Via: SIP/2.0/UDP \[2001:db8::2\]:[0-9]+;rport;'
}

# --- over TCP

tcp_of_real_servers() {
	lab_start sipp-tcp px1 sipp -t t1 -sf "$SIP_SCENARIOS/answer-options.xml" -i "$SERVER" -p 5060 -nostdin -skip_rlimit
	wait_for 5 listens tcp 5060
	passes "sipp responds to OPTIONS over TCP" transport=tcp "$SERVER" 5060

	lab_write px1 "$LAB_DIR/tcp.cfg" <<- CFG
		#!KAMAILIO
		children=1
		tcp_children=1
		auto_aliases=no
		log_stderror=yes
		loadmodule "sl.so"
		loadmodule "pv.so"
		loadmodule "maxfwd.so"
		request_route {
			if (!mf_process_maxfwd_header("10"))
				sl_send_reply("483", "Too Many Hops");
			else
				sl_send_reply("200", "OK");
		}
	CFG
	mkdir -p "$LAB_DIR/kamailio-tcp"
	lab_start kamailio-tcp px1 kamailio -f "$LAB_DIR/tcp.cfg" -DD -E -m 32 -M 4 -Y "$LAB_DIR/kamailio-tcp" \
		-P "$LAB_DIR/kamailio-tcp/pid" -w "$LAB_DIR/kamailio-tcp" -l "tcp:$SERVER:5070"
	wait_for 10 listens tcp 5070
	passes "Kamailio responds to OPTIONS over TCP" transport=tcp "$SERVER" 5070
	passes "Kamailio responds to REGISTER over TCP" transport=tcp type=register "$SERVER" 5070
	passes "and accepts connections" type=tcp "$SERVER" 5070
	fails "but has no TLS" "(connection closed|TLS: [a-z ]+|Connection reset by peer), no TLS handshake|no TLS handshake within 300 ms" \
		type=tls "$SERVER" 5070
}

tcp_of_others() {
	local port=7100 how
	for how in "200 OK" "503 Service Unavailable" trying pieces request branch silent close endless chatter bad-length; do
		serve "tcp-$how" tcp $port "$how"
		case $how in
		503*) fails "503 over TCP" "503 Service Unavailable" transport=tcp "$SERVER" $port ;;
		branch | silent | chatter) fails "no answer over TCP: $how" "no response to OPTIONS within 300 ms" \
			transport=tcp "$SERVER" $port ;;
		close) fails "the server closes the connection" "connection closed, no response to OPTIONS" transport=tcp "$SERVER" $port ;;
		endless) fails "headers without an end" "a response of more than 16384 bytes" transport=tcp "$SERVER" $port ;;
		bad-length) fails "an invalid Content-Length" "a response without a readable Content-Length" \
			transport=tcp "$SERVER" $port ;;
		*) passes "$how over TCP" transport=tcp "$SERVER" $port ;;
		esac
		port=$((port + 1))
	done
	fails "no process listens on TCP" "connection refused" type=tcp "$SERVER" 6999
	fails "no host has the address, over TCP" "no connection within 300 ms" type=tcp 10.0.0.99 5060
}

# --- over TLS, with the test's own CA

# certificate NAME DAYS SUBJECT-ALT-NAME
certificate() {
	(
		cd "$LAB_DIR"
		openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
		openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$2" -out "$1.pem" \
			-extfile <(echo "subjectAltName=$3")
	) 2> /dev/null
}

make_certificates() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Test CA" -keyout "$LAB_DIR/ca.key" \
		-out "$LAB_DIR/ca.pem" 2> /dev/null
	certificate px1 2 "DNS:px1.example.net,IP:$SERVER"
	certificate nameless 2 "DNS:px1.example.net"
	certificate expired -1 "IP:$SERVER"
}

tls_verification() {
	local ca=ca=$LAB_DIR/ca.pem PROBE_TIMEOUT=3000 # a handshake is slow on a busy machine
	lab_start openssl px1 openssl s_server -accept "$SERVER:7200" -cert "$LAB_DIR/px1.pem" -key "$LAB_DIR/px1.key" -quiet
	wait_for 5 listens tcp 7200
	passes "openssl's server: the certificate contains the address" type=tls "$ca" "$SERVER" 7200
	passes "or the name of sni" type=tls "$ca" sni=px1.example.net "$SERVER" 7200
	fails "a different name fails" "certificate: hostname mismatch" type=tls "$ca" sni=px2.example.net "$SERVER" 7200
	fails "an unknown CA fails" "certificate: unable to get local issuer certificate" \
		type=tls "$SERVER" 7200
	passes "without verification it passes" type=tls verify=no "$SERVER" 7200
	passes "also with a wrong name" type=tls verify=no sni=px2.example.net "$SERVER" 7200
	prober type=tls seed=up ca=/nowhere "$SERVER" 7200
	check "a missing certificate file is not a failure of the server" wait_for 5 says \
		'^cannot up cannot begin TLS with /nowhere: it cannot be read: No such file or directory$'
	unlike "... the server keeps its health" "$(cat "$LAB_DIR/probe.log")" '^fail'
	stop_prober

	cp "$LAB_DIR/expired.pem" "$LAB_DIR/other.pem"
	prober type=tls "ca=$LAB_DIR/other.pem" "$SERVER" 7200
	check "a different CA fails" wait_for 5 says '^fail .* certificate: unable to get local issuer certificate'
	cp "$LAB_DIR/ca.pem" "$LAB_DIR/other.pem"
	tell interval=50
	check "until its file contains the right CA" wait_for 5 says '^pass'
	stop_prober

	serve nameless tls 7201 "200 OK" "$LAB_DIR/nameless.pem" "$LAB_DIR/nameless.key"
	fails "a certificate without the address fails" "certificate: IP address mismatch" type=tls "$ca" "$SERVER" 7201
	serve expired tls 7202 "200 OK" "$LAB_DIR/expired.pem" "$LAB_DIR/expired.key"
	fails "an expired certificate fails" "certificate: certificate has expired" type=tls "$ca" "$SERVER" 7202
}

tls_messages() {
	local ca=ca=$LAB_DIR/ca.pem port=7210 how
	for how in "200 OK" trying pieces "503 Service Unavailable" silent chatter close; do
		serve "tls-$how" tls $port "$how" "$LAB_DIR/px1.pem" "$LAB_DIR/px1.key"
		case $how in
		503*) fails "503 over TLS" "503 Service Unavailable" transport=tls "$ca" "$SERVER" $port ;;
		silent | chatter) fails "no valid response over TLS: $how" "no response to OPTIONS within 300 ms" transport=tls "$ca" "$SERVER" $port ;;
		close) fails "the server closes the connection over TLS" "connection closed, no response to OPTIONS" transport=tls "$ca" "$SERVER" $port ;;
		*) passes "$how over TLS" transport=tls "$ca" "$SERVER" $port ;;
		esac
		port=$((port + 1))
	done
	passes "REGISTER over TLS" type=register transport=tls sni=px1.example.net "$ca" "$SERVER" 7210
	like "its Via names TLS" "$(cat "$LAB_DIR/tls-200 OK.log")" '^Via: SIP/2.0/TLS 10.0.0.2:[0-9]+;rport;branch=z9hG4bK'
	like "the probe sends the name by SNI" "$(cat "$LAB_DIR/tls-200 OK.log")" '^asked for px1.example.net'
	like "without a name the probe sends no SNI" "$(cat "$LAB_DIR/tls-200 OK.log")" '^asked for None'
	fails "a server that does not answer the handshake" "no TLS handshake within 300 ms" type=tls "$SERVER" 7106
}

# --- ICMP echo

icmp() {
	passes "ICMP echo" type=icmp "$SERVER" 0
	passes "ICMPv6 echo" type=icmp "$SERVER6" 0
	lab_in balancer sysctl -qw net.ipv4.ping_group_range="0 2147483647"
	passes "ICMP echo without a raw socket" type=icmp "$SERVER" 0
	passes "ICMPv6 echo without a raw socket" type=icmp "$SERVER6" 0
	lab_in px1 sysctl -qw net.ipv4.icmp_echo_ignore_all=1
	fails "no reply to echo requests" "no reply to an echo request within 300 ms" type=icmp "$SERVER" 0
}

# --- several probes in sequence

# results: "pass up", "fail unknown" ... and the reported changes, in one line.
results() {
	sed -E 's/^pass [0-9]+/pass/; s/^(fail [a-z]+) .*/\1/' "$LAB_DIR/probe.log" | tr '\n' ',' | sed 's/,$//; s/,/, /g'
}

# in_turn RESULT...: a regular expression for these results in sequence, from the start. A change may be
# reported without a change of the state, such as the first failure.
in_turn() {
	local result expression=^
	for result; do
		expression+="$result, (changed ${result#* }, )?"
	done
	echo "${expression%, (changed*}"
}

health_over_time() {
	prober interval=50 timeout=40 fall=3 rise=2 "$SERVER" 7300
	check "down after three failures" wait_for 5 says 'changed down'
	like "and not earlier" "$(results)" "$(in_turn 'fail unknown' 'fail unknown' 'fail down' 'changed down')"
	tell interval=50
	serve over-time udp 7300 "200 OK"
	check "up after two successes" wait_for 5 says 'changed up'
	like "and not earlier" "$(results)" "^(fail down, )*$(in_turn 'pass down' 'pass up' 'changed up' | cut -c2-)"
	lab_stop over-time || true
	tell interval=50
	check "down again" wait_for 5 says 'changed down'
	tell type=tcp interval=60
	wait_for 5 says 'fail'
	like "a different probe of the same backend keeps its health" "$(results)" '^fail down(, fail down)*$'
	tell type=none
	sleep 0.3
	tell type=none
	sleep 0.3
	is "a backend that is not probed has no results" "$(results)" ""
	stop_prober

	prober interval=50 timeout=40 fall=3 seed=up "$SERVER" 7300
	check "up before a restart: down after three failures as well" wait_for 5 says 'changed down'
	like "and not earlier" "$(results)" "$(in_turn 'fail up' 'fail up' 'fail down' 'changed down')"
	stop_prober
}

# Gaps between requests in ms: "COUNT MEAN SHORTEST LONGEST".
gaps() {
	awk '$1 == "at" { if (n++) { gap = ($2 - last) * 1000; sum += gap
			if (n == 2 || gap < least) least = gap
			if (gap > most) most = gap }
		last = $2 }
		END { print n - 1, sum / (n - 1), least, most }' "$LAB_DIR/jitter.log"
}

# 90 to 100 ms each, with a margin for a busy machine. tests/unit/test_health.c checks the longest gap.
gaps_are_of_many_lengths() {
	gaps
	gaps | awk '{ exit !($1 == 39 && $2 > 85 && $2 < 200 && $3 < 97 && $4 - $3 > 3) }'
}

jitter() {
	serve jitter udp 7400 "200 OK"
	lab_in balancer timeout 10 "$PROBE" interval=100 results=40 "$SERVER" 7400 < /dev/null > /dev/null
	check "probes come every 90 to 100 ms, at random intervals" gaps_are_of_many_lengths
	is "each with its own branch and Call-ID" \
		"$(grep -Ei '^(via|call-id):' "$LAB_DIR/jitter.log" | sort | uniq -d)" ""
	is "and with Max-Forwards: 0" "$(grep -c '^Max-Forwards: 0' "$LAB_DIR/jitter.log")" 40
}

lab_open
lab_flat 1
udp_of_real_servers
udp_of_others
tcp_of_real_servers
tcp_of_others
make_certificates
tls_verification
tls_messages
icmp
health_over_time
jitter
tap_end
