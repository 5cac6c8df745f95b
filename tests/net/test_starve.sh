#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Operators and heartbeats always reach the daemon, even with hostile users of the control socket,
# hostile clients of the join API, or a reader of the log that has stopped.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9
SOCKET=/run/sipxdp/ctl.sock

# config [KEYS]: px1 is in the file, others may join over IPv6. The keys go to `join:`.
config() {
	LAB_SECTIONS="join: {listen: '[2001:db8::2]:$PORT', secret: $SECRET, node_timeout: 5s${1:+, $1}}"
	LAB_POOL="record_time: 0s" lab_config dsr px1
}

log_has() {
	grep -Eq "$1" "$LAB_DIR/sipxdpd.log"
}

# as_member COMMAND...: runs the command as a user of the group sipxdp.
as_member() {
	lab_in balancer setpriv --reuid=64998 --regid=64999 --clear-groups "$@"
}

lab_open
lab_flat 3
lab_in balancer groupadd --gid 64999 sipxdp 2> /dev/null || lab_in balancer sh -c 'echo sipxdp:x:64999: >> /etc/group'
config
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null

# --- a log without a reader

mkfifo "$LAB_DIR/log"
# Opens both ends, so that the open does not block. The log is read later.
exec {LOG}<> "$LAB_DIR/log"
_lab_exec balancer sipxdpd -c "$LAB_CONFIG" < /dev/null > /dev/null 2>&"$LOG" &
LAB_PROCESS[sipxdpd]=$!
check "a daemon starts with a log that no process reads" wait_for 10 lab_answers
lab_in balancer sh -c 'cp "$1" "$1.good"; seq 2000 | sed "s/.*/key&: 1/" >> "$1"' sh "$LAB_CONFIG"
check "... it logs 100,000 lines" python3 -c "
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
for i in range(100):
    s.sendall(json.dumps({'command': 'reload'}).encode() + b'\n')
    line = b''
    while not line.endswith(b'\n'):
        line += s.recv(1 << 20)
faults = json.loads(line)['faults']
assert len(faults) == 1001 and faults[-1]['message'] == 'and 1000 more faults', faults[-1]
" "/proc/${LAB_HOLDER[balancer]}/root$SOCKET"
like "... it continues, and status reports the lost lines" "$(lab_ctl status)" "[0-9]{5,} log lines of sipxdpd are lost"
lab_in balancer cp "$LAB_CONFIG.good" "$LAB_CONFIG"
check "... a reload works" lab_ctl reload
cat <&"$LOG" > "$LAB_DIR/sipxdpd.log" &
LAB_PROCESS[reader]=$!
check "... a reader starts: the log says how many lines were lost" wait_for 5 log_has '[0-9]{5,} log lines lost'
check "... a command works" lab_ctl backend weight proxies px1 2
check "... and is logged" wait_for 5 log_has 'proxies/px1: weight 2'
like "... each line begins with the time" "$(tail -n 1 "$LAB_DIR/sipxdpd.log")" '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{3} '

# --- users of the control socket

is "save shows the secret to root" "$(lab_ctl save | grep -c "$SECRET")" 1
is "... and not to the group" "$(as_member sipxdp-ctl save | grep -c "$SECRET" || true)" 0
as_member sipxdp-ctl save > "$LAB_DIR/saved.yaml"
like "... the file for the group contains a placeholder, which --check refuses" "$(sipxdpd -c "$LAB_DIR/saved.yaml" --check 2>&1 || true)" \
	"saved.yaml:[0-9]+:[0-9]+: 'secret' of join is hidden in this file"
lab_start tricklers balancer python3 -c "
import os, socket, time
os.setgroups([])
os.setegid(64999)
os.seteuid(64998)
def client():
    s = socket.socket(socket.AF_UNIX)
    s.connect('$SOCKET')
    return s
clients = [client() for _ in range(64)]
while True:
    for i, s in enumerate(clients):
        try:
            s.send(b'{')
        except OSError:
            s.close()
            clients[i] = client()
    print('trickled', flush=True)
    time.sleep(0.2)
"
wait_for 10 grep -q trickled "$LAB_DIR/tricklers.log"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	lab_ctl status > /dev/null || break
	sleep 0.1
done
check "64 clients of the group that send single bytes do not keep root out" lab_ctl status
lab_stop tricklers || true
lab_start slow balancer python3 -c "
import socket, time
s = socket.socket(socket.AF_UNIX)
s.connect('$SOCKET')
begin = time.time()
try:
    while time.time() - begin < 20:
        s.send(b'{')
        time.sleep(0.05)
except OSError:
    pass
print(s.recv(4096), 'after', time.time() - begin, flush=True)
"
lab_wait slow 25 || true
like "a request sent byte by byte is refused after 2 s, also from root" "$(cat "$LAB_DIR/slow.log")" \
	"the request was not complete in time.* after [2-9]\."

lab_start holder balancer flock --no-fork "${SOCKET%/*}" sleep 300
wait_for 10 eval '! lab_in balancer flock --nonblock "${SOCKET%/*}" true'
rm "/proc/${LAB_HOLDER[balancer]}/root$SOCKET"
check "a process locks the directory of a removed control socket: the daemon logs it and does not wait" \
	wait_for 5 log_has "another process has locked the directory ${SOCKET%/*}/"
lab_stop holder || true
check "... the control socket is created again" wait_for 5 lab_answers
check "... the log says so" log_has "listening on $SOCKET again"
rm -r "/proc/${LAB_HOLDER[balancer]}/root${SOCKET%/*}"
check "... also if its directory was removed" wait_for 5 lab_answers

# --- the join API

# beat HOST NAME TRANSPORT: sends two heartbeats per second for a server.
beat() {
	lab_start "$2" "$1" tests/net/heartbeats.py "$3" 2001:db8::2 $PORT $SECRET proxies "$2" "2001:db8::1${1#px}" 0.5
}

# goes_on NAME...: are six more heartbeats of each server answered?
goes_on() {
	local name
	for name; do
		grep -c '^ok' "$LAB_DIR/$name.log" > "$LAB_DIR/$name.count" || true
	done
	for name; do
		wait_for 30 heard "$name" $(($(cat "$LAB_DIR/$name.count") + 6)) || return 1
	done
}

# heard NAME COUNT: were at least COUNT of its heartbeats answered?
heard() {
	[ "$(grep -c '^ok' "$LAB_DIR/$1.log")" -ge "$2" ]
}

# lost NAME...: the number of lost heartbeats after the first that was answered.
lost() {
	local name
	for name; do
		sed -n '/^ok/,$p' "$LAB_DIR/$name.log"
	done | grep -c '^lost' || true
}

sources=()
for i in {1..20}; do
	lab_in client ip address add "2001:db8::a:$i/64" dev eth0 nodad
	sources+=("2001:db8::a:$i")
done
beat px2 px2 http
beat px3 px3 sip
check "two servers join, one by HTTP, one by SIP" goes_on px2 px3
lab_start trickle client tests/net/trickle.py 2001:db8::2 $PORT 320 2 "${sources[@]}"
check "one host sends single bytes on 320 connections, from 20 addresses of the servers' network" \
	wait_for 20 grep -Eq '320 held, [0-9]{3,} hung up' "$LAB_DIR/trickle.log"
check "... heartbeats are still answered" goes_on px2 px3
is "... none is lost" "$(lost px2 px3)" 0
beat px1 px4 http # has not authenticated before
check "... a further server can join" goes_on px4
is "... and loses no heartbeat from then on" "$(lost px4)" 0
lab_stop trickle || true
lab_start trickle2 client tests/net/trickle.py 2001:db8::2 $PORT 1000 60 "${sources[@]}"
check "1,000 idle connections" wait_for 20 grep -Eq '1000 held, [0-9]{3,} hung up' "$LAB_DIR/trickle2.log"
check "... heartbeats are still answered" goes_on px2 px3 px4
is "... none is lost" "$(lost px2 px3 px4)" 0
lab_stop trickle2 || true
unlike "... no server counts as silent" "$(cat "$LAB_DIR/sipxdpd.log")" 'backend [^ ]* is (down|forgotten)'

# post SOURCE [TARGET]: the status of an HTTP request from this address; 000: no response.
post() {
	lab_in client curl -gs -o /dev/null -w '%{http_code}' --max-time 5 --interface "$1" --data-raw '{}' \
		"http://[2001:db8::2]:$PORT/" || true
}

lab_in client ip address add 2001:db8:99::1/128 dev eth0 nodad
lab_in balancer ip -6 route add 2001:db8:99::/64 via 2001:db8::100
is "a request from the servers' network gets a response" "$(post 2001:db8::a:1)" 401
is "... from a different network it does not" "$(post 2001:db8:99::1)" 000
like "... status reports it" "$(lab_ctl status)" \
	"join: [0-9]+ requests from outside the networks of 'from:' were rejected, the last one from 2001:db8:99::1"
config 'from: [2001:db8:99::/64, 2001:db8::12, 2001:db8::13]'
check "a reload sets from: to that network and two servers" lab_ctl reload
is "... now requests from there get a response" "$(post 2001:db8:99::1)" 401
is "... and requests from the servers' network do not" "$(post 2001:db8::a:1)" 000
check "... heartbeats of all servers are accepted, also of the joined one that from: does not list" goes_on px2 px3 px4
is "... no heartbeat is lost" "$(lost px2 px3 px4)" 0
tap_end
