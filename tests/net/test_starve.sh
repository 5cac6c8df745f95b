#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Nobody can keep the operator, or the servers' heartbeats, from the daemon: neither users of the
# control socket, nor who connects to the join API, nor a reader of the log that stands still.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9
SOCKET=/run/sipxdp/ctl.sock

# config [LINE...]: px1 in the file, others may join by IPv6; the lines go to `join:`.
config() {
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			services:
			  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
			pools:
			  - name: proxies
			    record_time: 0s
			    backends:
			      - {name: px1, address: 10.0.0.11}
			join:
			  listen: '[2001:db8::2]:$PORT'
			  secret: $SECRET
			  node_timeout: 5s
		YAML
		[ $# -eq 0 ] || printf '  %s\n' "$@"
	} | lab_write balancer "$LAB_CONFIG"
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

# --- a log that nobody reads

mkfifo "$LAB_DIR/log"
# Both ends, so that opening does not wait; it is read later.
exec {LOG}<> "$LAB_DIR/log"
_lab_exec balancer sipxdpd -c "$LAB_CONFIG" < /dev/null > /dev/null 2>&"$LOG" &
LAB_PROCESS[sipxdpd]=$!
check "a daemon whose log nobody reads" wait_for 10 lab_ctl status
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
like "a request whose bytes come one by one ends after 2 s, root's too" "$(cat "$LAB_DIR/slow.log")" \
	"request not completed in time.* after [2-9]\."

rm "/proc/${LAB_HOLDER[balancer]}/root$SOCKET"
check "a control socket that was removed is made anew" wait_for 5 lab_ctl status
check "... which the log says" log_has "listening on $SOCKET anew"
rm -r "/proc/${LAB_HOLDER[balancer]}/root${SOCKET%/*}"
check "... also with its directory" wait_for 5 lab_ctl status
tap_end
