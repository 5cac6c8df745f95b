#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Servers join a pool by themselves, by HTTP with the script of docs/join.md and by SIP. They receive
# calls, fall silent, and leave. Invalid requests are refused.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9 # as in the examples
NODE_TIMEOUT=8s # a silent backend is down until twice this time: long enough for the checks of a busy machine

FROM=            # default

# config [PORT [SECRET]]: px1 is in the file. Without a port, joining is disabled.
config() {
	LAB_SECTIONS=
	[ $# -eq 0 ] ||
		LAB_SECTIONS="join: {listen: '$LAB_BALANCER:$1', secret: ${2:-$SECRET}, node_timeout: $NODE_TIMEOUT${FROM:+, from: [$FROM]}}"
	LAB_POOL=$'record_time: 1s\ndrain_timeout: 4s' lab_config dsr px1
}

# script HOST NAME ADDRESS ACTION: runs the script of docs/join.md once on the host.
script() {
	write_settings "$2" "$3"
	lab_in "$1" env SIPXDP_JOIN="$LAB_DIR/$2.conf" sh "$LAB_DIR/sipxdp-join" "$4"
}

write_settings() {
	cat > "$LAB_DIR/$1.conf" <<- EOF
		BALANCER=$LAB_BALANCER:$PORT
		SECRET=$SECRET
		POOL=proxies
		NAME=$1
		ADDRESS=$2
		INTERVAL=1
	EOF
}

# run HOST NAME ADDRESS: starts the script in the background; it sends heartbeats.
run() {
	write_settings "$2" "$3"
	lab_start "$2-run" "$1" env SIPXDP_JOIN="$LAB_DIR/$2.conf" sh "$LAB_DIR/sipxdp-join" run
}

# sign TIME TEXT [SECRET]
sign() {
	printf '%s\n%s' "$1" "$2" | openssl dgst -sha256 -hmac "${3:-$SECRET}" -r | cut -d' ' -f1
}

# post BODY [TIME [SECRET]]: "STATUS TEXT".
post() {
	local time=${2:-$(date +%s)}
	curl_to -H "X-Sipxdp-Time: $time" -H "X-Sipxdp-Signature: $(sign "$time" "$1" "${3:-$SECRET}")" --data-raw "$1"
}

# curl_to OPTION...
curl_to() {
	lab_in px4 curl -s --max-time 5 -w '\n%{http_code}' "$@" "http://$LAB_BALANCER:$PORT/" |
		jq -rs '"\(.[1]) \(.[0].result // .[0].error)"'
}

# sip HOST PARAMETERS [TIME [SECRET]]: the first line of the response to an OPTIONS.
sip() {
	local time=${3:-$(date +%s)}
	send_sip "$1" "X-Sipxdp-Heartbeat: $2; time=$time; signature=$(sign "$time" "$2" "${4:-$SECRET}")"
}

# send_sip HOST HEADER
send_sip() {
	# shellcheck disable=SC2016 # $1 is the inner shell's
	lab_in "$1" bash -c '
		exec 3<> "/dev/udp/$1/$2"
		printf "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP px;rport;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:px>;tag=1\r\nTo: <sip:lb>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\n%s\r\nContent-Length: 0\r\n\r\n" "$1" $$ $$ "$3" |
			cat >&3 # in one datagram: bash would send it line by line
		timeout 10 head -n 1 <&3 | tr -d "\r"' sh "$LAB_BALANCER" "$PORT" "$2"
}

backend() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

is_backend() {
	[ "$(backend "$1" "$2")" = "$3" ]
}

# all_slots NAME...: do these backends, and no others, have slots?
all_slots() {
	[ "$(lab_ctl --json backend list |
		jq -r '[.[] | select(.slots > 0)] | "\(map(.name) | sort | join(" ")) \(map(.slots) | add)"')" = "$* 262144" ]
}

is_gone() {
	[ -z "$(backend "$1" .name)" ]
}

# calls_reach NAME: do 60 requests end normally, and does this server receive some of them?
calls_reach() {
	local before
	before=$(sip_seen "$1" | wc -l)
	sip_client "to-$1-$before" client "$LAB_CLIENT" options 60 100
	lab_wait "to-$1-$before" 20 && [ "$(sip_seen "$1" | wc -l)" -gt "$before" ]
}

# logs TEXT LINES: does the log of the daemon contain the text, after its first LINES?
logs() {
	tail -n "+$(($2 + 1))" "$LAB_DIR/sipxdpd.log" | grep -qF "$1"
}

# logs_long_datagram: sends a long datagram, which is logged if no other refusal was logged within the last 10 s.
logs_long_datagram() {
	printf '%5000s' x | lab_in px4 bash -c "cat > /dev/udp/$LAB_BALANCER/$PORT"
	logs "refused a request from 10.0.0.14: a datagram may have at most 4096 bytes (413)" 0
}

# listens_at: "PROTOCOL ADDRESS:PORT" of the daemon's sockets, sorted.
listens_at() {
	lab_in balancer ss -Hlntup | awk '/sipxdpd/ { print $1, $5 }' | sort | paste -sd ' '
}

listens_on() {
	[ "$(listens_at)" = "tcp $LAB_BALANCER:$1 udp $LAB_BALANCER:$1" ]
}

# block NAME FILE: copies the block of this name from docs/join.md.
block() {
	mkdir -p "$LAB_DIR/blocks"
	cp "$LAB_DIR/blocks/$(tests/lib/readme-blocks docs/join.md "$LAB_DIR/blocks" |
		awk -v name="$1" '$4 == name { print $1 }')" "$2"
}

# kamailio_joins: starts Kamailio on px4 with the lines of docs/join.md, with an interval of one second.
kamailio_joins() {
	{
		printf 'log_stderror=yes\nrequest_route { exit; }\n'
		sed 's/interval=3/interval=1/' "$LAB_DIR/join.cfg"
	} > "$LAB_DIR/kamailio.cfg"
	mkdir "$LAB_DIR/kamailio"
	lab_start kamailio px4 kamailio -f "$LAB_DIR/kamailio.cfg" -DD -E -m 32 -M 4 -x fm -X fm \
		-Y "$LAB_DIR/kamailio" -P "$LAB_DIR/kamailio/pid" -w "$LAB_DIR/kamailio" -l udp:10.0.0.14:5060
}

lab_open
lab_flat 4
for host in "${LAB_BACKENDS[@]}"; do
	sip_answer "$host" "$host" "$LAB_VIP" answer-options
done
block /usr/local/bin/sipxdp-join "$LAB_DIR/sipxdp-join"
block join.cfg "$LAB_DIR/join.cfg"
block /etc/cron.d/sipxdp-join "$LAB_DIR/cron"

config
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
wait_for 10 lab_serving 1
is "without join: in the file, the daemon does not listen" "$(listens_at)" ""
config $PORT
check "a reload adds join:" lab_ctl reload
is "... the daemon listens only on the configured address" "$(listens_at)" "tcp $LAB_BALANCER:$PORT udp $LAB_BALANCER:$PORT"

# --- joining

heard=$(script px2 px2 10.0.0.12 heartbeat || echo "exit status $?")
like "a heartbeat before start is refused" "$heard" "no backend 'px2'.*has not joined"
like "... the script exits with a status for this case" "$heard" "^exit status 4$"
run px2 px2 10.0.0.12
check "px2 joins by the script and gets slots" wait_for 10 all_slots px1 px2
is "... it is marked as joined" "$(backend px2 '.overrides | join(" ")')" joined
check "... calls reach it" calls_reach px2
is "px3 joins by SIP" "$(sip px3 'action=start; pool=proxies; name=px3; address=10.0.0.13; weight=2')" "SIP/2.0 200 joined"
check "... it gets slots" wait_for 10 all_slots px1 px2 px3
is "... its weight is set" "$(backend px3 .weight)" 2
is "... a heartbeat by SIP is accepted" "$(sip px3 'action=heartbeat; pool=proxies; name=px3')" "SIP/2.0 200 heartbeat received"
check "... calls reach it" calls_reach px3
check "... after node_timeout without a heartbeat it is down" wait_for 15 is_backend px3 .state down
is "... for this reason" "$(backend px3 .reason)" "sends no heartbeats"
check "... and owns no slots" all_slots px1 px2
is "... the next heartbeat is accepted" "$(sip px3 'action=heartbeat; pool=proxies; name=px3; weight=1')" "SIP/2.0 200 heartbeat received"
check "... and px3 owns its slots again" wait_for 10 all_slots px1 px2 px3
check "... after twice node_timeout without a heartbeat it is forgotten" wait_for 20 is_gone px3
is "... then a heartbeat is refused" "$(sip px3 'action=heartbeat; pool=proxies; name=px3; address=10.0.0.13')" \
	"SIP/2.0 404 no backend 'px3' in pool 'proxies': it has not joined, or its heartbeats were missing"
check "... px2 kept its slots all the time" all_slots px1 px2

# --- refused requests

# In this section px4 sends single requests. On a slow machine more than 8 s can pass between two requests, so the
# timeout is longer.
NODE_TIMEOUT=60s config $PORT
lab_ctl reload > /dev/null
start='{"action": "start", "pool": "proxies", "name": "px4", "address": "10.0.0.14"}'
now=$(date +%s)
is "a wrong secret" "$(post "$start" "$now" 4ff8d27cf1b5a0e8)" "401 the signature is wrong"
like "an old time" "$(post "$start" $((now - 40)))" "^401 the time is [45][0-9] s old: are both clocks right\?$"
like "a time in the future" "$(post "$start" $((now + 50)))" "^401 the time is [45][0-9] s ahead"
is "no signature" "$(curl_to --data-raw "$start")" "401 time or signature is missing"
is "an unknown pool" "$(post "${start/proxies/unknown}")" "404 no pool 'unknown'"
is "the address of a VIP" "$(post "${start/10.0.0.14/$LAB_VIP}")" "409 $LAB_VIP is a VIP: a backend needs an address of its own"
is "the name of a backend in the file" "$(post "${start/px4/px1}")" \
	"409 backend 'px1' of pool 'proxies' is in the file: only backends outside the file can join and leave"
is "the address of a backend in the file" "$(post "${start/10.0.0.14/10.0.0.11}")" \
	"409 backend 'px1' of pool 'proxies' has the address 10.0.0.11 already"
is "no valid address" "$(post "${start/10.0.0.14/px4}")" "400 address must be the address of a host"
like "not JSON" "$(post nonsense)" "^400 not JSON"
is "GET" "$(curl_to)" "405 only POST is accepted"
is "more than 4 KiB" "$(post "$(printf '%5000s' "$start")")" "413 a request may have at most 4096 bytes"
is "more than 4 KiB in chunks" "$(curl_to -H 'Transfer-Encoding: chunked' --data-raw "$(printf '%9000s' x)")" \
	"413 a request may have at most 4096 bytes"
check "more than 4 KiB by SIP: the log reports it" wait_for 30 logs_long_datagram
is "SIP with a wrong secret: 403 instead of 401, without a challenge" \
	"$(sip px4 'action=start; pool=proxies; name=px4; address=10.0.0.14' "$now" wrong)" "SIP/2.0 403 the signature is wrong"
is "SIP with the address of a VIP" "$(sip px4 "action=start; pool=proxies; name=px4; address=$LAB_VIP")" \
	"SIP/2.0 409 $LAB_VIP is a VIP: a backend needs an address of its own"
is "SIP with an unknown pool" "$(sip px4 'action=start; pool=unknown; name=px4; address=10.0.0.14')" \
	"SIP/2.0 404 no pool 'unknown'"
is "SIP without a heartbeat" "$(send_sip px4 'Subject: none')" "SIP/2.0 400 no X-Sipxdp-Heartbeat"
check "... none of these requests changed the pool" all_slots px1 px2
now=$(date +%s)
is "a valid start is accepted" "$(post "$start" "$now")" "200 joined"
is "... the same request again is refused" "$(post "$start" "$now")" "401 this request was accepted before"
is "... a heartbeat by SIP is accepted" "$(sip px4 'action=heartbeat; pool=proxies; name=px4' "$now")" "SIP/2.0 200 heartbeat received"
is "... the same request again is refused" "$(sip px4 'action=heartbeat; pool=proxies; name=px4' "$now")" \
	"SIP/2.0 403 this request was accepted before"
check "... px4 gets slots" wait_for 10 all_slots px1 px2 px4
is "stop is accepted" "$(post "${start/start/stop}")" "200 removed"
check "... and removes px4 at once" wait_for 2 all_slots px1 px2
FROM=10.0.0.13 NODE_TIMEOUT=60s config $PORT
check "a reload reduces from: to one address" lab_ctl reload
is "... px4, which has authenticated before, gets no answer" "$(sip px4 'action=start; pool=proxies; name=px4; address=10.0.0.14')" ""
# In the same second as a heartbeat of its own, the request is a repetition.
check "... a heartbeat of px2, which is a backend, is accepted" wait_for 10 script px2 px2 10.0.0.12 heartbeat
is "... px3, which is inside from:, joins" "$(sip px3 'action=start; pool=proxies; name=px3; address=10.0.0.13')" "SIP/2.0 200 joined"
is "... and leaves" "$(sip px3 'action=stop; pool=proxies; name=px3')" "SIP/2.0 200 removed"

# --- restart and reload

config $PORT
lab_ctl reload > /dev/null
lab_stop sipxdpd KILL || true
check "the daemon is killed and restarts" lab_daemon
check "... px2 keeps its slots" all_slots px1 px2
is "... and is still marked as joined" "$(backend px2 '.overrides | join(" ")')" joined
is "a reload moves no slots" "$(lab_ctl --json reload | jq .moved_percent)" 0
check "... px2 keeps its slots" all_slots px1 px2
unlike "... and status does not suggest saving px2" "$(lab_ctl status)" "a reload will undo"
unlike "save does not print px2" "$(lab_ctl save)" px2
config $PORT the-new-secret-of-the-file
check "a reload changes the secret" lab_ctl reload
is "... the previous secret is refused" "$(post "$start")" "401 the signature is wrong"
config 7947
lab_start busy balancer python3 -c "import socket, time
s = socket.create_server(('$LAB_BALANCER', 7947))
time.sleep(1000)"
wait_for 5 eval '[ -n "$(lab_in balancer ss -Hlnt sport = :7947)" ]'
check "a reload succeeds although the new port is in use" lab_ctl reload
like "... status reports it" "$(lab_ctl status)" "servers cannot join: cannot listen on $LAB_BALANCER:7947: Address already in use"
check "... calls still reach px1" calls_reach px1
lab_stop busy || true
check "... the daemon listens as soon as the port is free" wait_for 4 listens_on 7947
config $PORT
lab_ctl reload > /dev/null
check "... and on the first port after one more reload" listens_on $PORT
check "... px2 sends heartbeats and owns its slots" wait_for 10 all_slots px1 px2

# --- leaving

sip_client before client "$LAB_CLIENT" options 60 100
lab_wait before 20
lab_stop sipxdpd || true
kill -TERM "${LAB_PROCESS[px2-run]}"
sleep 2
check "a server shuts down while no daemon runs: the script retries its stop request" lab_running px2-run
check "... the daemon starts" lab_daemon
check "... px2 is leaving" wait_for 5 is_backend px2 .admin leaving
lab_stop sipxdpd || true
sleep 2
check "the daemon stops for a moment: the script still waits" lab_running px2-run
check "... the daemon starts" lab_daemon
check "... px2 is still leaving" is_backend px2 .admin leaving
check "... and up" is_backend px2 .state up
check "... after drain_timeout it is removed" wait_for 15 is_gone px2
check "... and the script ends" lab_wait px2-run 5
check "... px1 owns all slots" all_slots px1

# --- Kamailio

kamailio_joins
check "px4 joins by Kamailio" wait_for 15 all_slots px1 px4
sleep 9
check "... and stays for longer than node_timeout" is_backend px4 .state up
lines=$(wc -l < "$LAB_DIR/sipxdpd.log")
like "px4 shuts down while Kamailio runs" "$(script px4 px4 10.0.0.14 shutdown)" leaving
check "... its heartbeats do not cancel this: px4 is removed" wait_for 20 logs "backend proxies/px4: remove" "$lines"
check "... Kamailio then sends start" wait_for 15 logs "backend proxies/px4: add" "$lines"
lab_stop kamailio || true
check "... until Kamailio ends" wait_for 20 is_gone px4

# --- cron

lab_in px4 mount -t tmpfs tmpfs /usr/local
lab_write px4 /usr/local/bin/sipxdp-join < "$LAB_DIR/sipxdp-join"
lab_in px4 chmod 755 /usr/local/bin/sipxdp-join
lab_write px4 /etc/sipxdp-join < "$LAB_DIR/px4.conf"
like "px4 joins by cron" "$(lab_cron px4 "$(cat "$LAB_DIR/cron")" 2>&1)" joined
is "... it is in the pool" "$(backend px4 '.overrides | join(" ")')" joined
like "... and stops" "$(script px4 px4 10.0.0.14 stop)" removed

# --- join: is removed from the file

run px2 px2 10.0.0.12
check "px2 joins again" wait_for 10 all_slots px1 px2
lines=$(wc -l < "$LAB_DIR/sipxdpd.log")
config
check "a reload removes join:" lab_ctl reload
is "... the daemon does not listen any more" "$(listens_at)" ""
check "... px2 keeps its slots" all_slots px1 px2
check "... until node_timeout has passed" wait_for 15 logs "backend proxies/px2 is down: sends no heartbeats" "$lines"
tap_end
