#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The operator and the servers' heartbeats always reach the daemon, whatever users of the control
# socket do, clients of the join API, or a reader of the log that stands still.
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

# as_member COMMAND...: as a user of the group sipxdp.
as_member() {
	lab_in balancer setpriv --reuid=64998 --regid=64999 --clear-groups "$@"
}

lab_open
lab_flat 3
lab_in balancer groupadd --gid 64999 sipxdp 2> /dev/null || lab_in balancer sh -c 'echo sipxdp:x:64999: >> /etc/group'
config
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null

# --- a log that nothing reads

mkfifo "$LAB_DIR/log"
# Both ends, so that opening does not wait; it is read later.
exec {LOG}<> "$LAB_DIR/log"
_lab_exec balancer sipxdpd -c "$LAB_CONFIG" < /dev/null > /dev/null 2>&"$LOG" &
LAB_PROCESS[sipxdpd]=$!
check "a daemon with a log that nothing reads" wait_for 10 lab_answers
lab_in balancer sh -c 'cp "$1" "$1.good"; seq 2000 | sed "s/.*/key&: 1/" >> "$1"' sh "$LAB_CONFIG"
check "... 100,000 lines" python3 -c "
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
for i in range(50):
    s.sendall(json.dumps({'command': 'reload'}).encode() + b'\n')
    line = b''
    while not line.endswith(b'\n'):
        line += s.recv(1 << 20)
assert len(json.loads(line)['faults']) == 2000
" "/proc/${LAB_HOLDER[balancer]}/root$SOCKET"
like "... it goes on, and status says it" "$(lab_ctl status)" "[0-9]{5,} lines of the daemon's log are lost"
lab_in balancer cp "$LAB_CONFIG.good" "$LAB_CONFIG"
check "... a reload" lab_ctl reload
cat <&"$LOG" > "$LAB_DIR/sipxdpd.log" &
LAB_PROCESS[reader]=$!
check "... when it is read again, the log says how many lines were lost" wait_for 5 log_has '[0-9]{5,} log lines lost'
check "... and goes on" lab_ctl backend weight proxies px1 2
check "... with what happens" wait_for 5 log_has 'proxies/px1: weight 2'
like "... each line begins with the time" "$(tail -n 1 "$LAB_DIR/sipxdpd.log")" '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{3} '

# --- users of the control socket

is "save shows the secret to root" "$(lab_ctl save | grep -c "$SECRET")" 1
is "... and not to the group" "$(as_member sipxdp-ctl save | grep -c "$SECRET" || true)" 0
as_member sipxdp-ctl save > "$LAB_DIR/saved.yaml"
like "... with a word in its place, that no file may have" "$(sipxdpd -c "$LAB_DIR/saved.yaml" --check 2>&1 || true)" \
	"saved.yaml:[0-9]+:[0-9]+: 'secret' of join was left out"
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
check "64 clients of the group that send a byte now and then do not keep root out" lab_ctl status
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
like "a request that comes byte by byte ends after 2 s, root's too" "$(cat "$LAB_DIR/slow.log")" \
	"request not completed in time.* after [2-9]\."

rm "/proc/${LAB_HOLDER[balancer]}/root$SOCKET"
check "a control socket that was removed is made anew" wait_for 5 lab_answers
check "... which the log says" log_has "listening on $SOCKET anew"
rm -r "/proc/${LAB_HOLDER[balancer]}/root${SOCKET%/*}"
check "... also with its directory" wait_for 5 lab_answers

# --- the join API

# beat HOST NAME WAY: heartbeats of a server, two a second.
beat() {
	lab_start "$2" "$1" tests/net/heartbeats.py "$3" 2001:db8::2 $PORT $SECRET proxies "$2" "2001:db8::1${1#px}" 0.5
}

# goes_on NAME...: six more heartbeats of each are answered.
goes_on() {
	local name
	for name; do
		grep -c '^ok' "$LAB_DIR/$name.log" > "$LAB_DIR/$name.count" || true
	done
	for name; do
		wait_for 30 heard "$name" $(($(cat "$LAB_DIR/$name.count") + 6)) || return 1
	done
}

# heard NAME COUNT: so many heartbeats of it were answered.
heard() {
	[ "$(grep -c '^ok' "$LAB_DIR/$1.log")" -ge "$2" ]
}

# lost NAME...: heartbeats that were, after the first that was answered.
lost() {
	local name
	for name; do
		sed -n '/^ok/,$p' "$LAB_DIR/$name.log"
	done | grep -c '^lost' || true
}

sources=()
for i in {1..20}; do
	lab_in client ip address add "2001:db8::a:$i/64" dev eth0
	sources+=("2001:db8::a:$i")
done
beat px2 px2 http
beat px3 px3 sip
check "two servers join, one by HTTP, one by SIP" goes_on px2 px3
lab_start trickle client tests/net/trickle.py 2001:db8::2 $PORT 320 2 "${sources[@]}"
check "one host trickles on 320 connections, from 20 addresses of the servers' network" \
	wait_for 20 grep -Eq '320 held, [0-9]{3,} hung up' "$LAB_DIR/trickle.log"
check "... the heartbeats go on" goes_on px2 px3
is "... none is lost" "$(lost px2 px3)" 0
beat px1 px4 http # which has not authenticated before
check "... another server can join" goes_on px4
is "... and loses none from then on" "$(lost px4)" 0
lab_stop trickle || true
lab_start trickle2 client tests/net/trickle.py 2001:db8::2 $PORT 1000 60 "${sources[@]}"
check "1,000 connections that say nothing" wait_for 20 grep -Eq '1000 held, [0-9]{3,} hung up' "$LAB_DIR/trickle2.log"
check "... the heartbeats go on" goes_on px2 px3 px4
is "... none is lost" "$(lost px2 px3 px4)" 0
lab_stop trickle2 || true
unlike "... no server was taken for silent" "$(cat "$LAB_DIR/sipxdpd.log")" 'backend [^ ]* is (down|forgotten)'

# post SOURCE [TARGET]: the status of an HTTP request from there, 000 when there is no answer.
post() {
	lab_in client curl -gs -o /dev/null -w '%{http_code}' --max-time 5 --interface "$1" --data-raw '{}' \
		"http://[2001:db8::2]:$PORT/" || true
}

lab_in client ip address add 2001:db8:99::1/128 dev eth0
lab_in balancer ip -6 route add 2001:db8:99::/64 via 2001:db8::100
is "from the servers' network a request is answered" "$(post 2001:db8::a:1)" 401
is "... from another network it is not" "$(post 2001:db8:99::1)" 000
like "... status says so" "$(lab_ctl status)" \
	"join: [0-9]+ requests from outside the networks of 'from:' were rejected, the last one from 2001:db8:99::1"
config 'from: [2001:db8:99::/64, 2001:db8::12, 2001:db8::13]'
check "from: names that network, and two servers: reload" lab_ctl reload
is "... it is answered there" "$(post 2001:db8:99::1)" 401
is "... and not in the servers' network" "$(post 2001:db8::a:1)" 000
check "... the servers go on, also the one that is not named but was there" goes_on px2 px3 px4
is "... no heartbeat is lost" "$(lost px2 px3 px4)" 0
tap_end
