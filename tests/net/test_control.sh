#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# sipxdp-ctl: command line, error messages, and the output of each command as text and as JSON. The server is
# control-echo (tests/lib/control.sh), which returns the result that the test has prepared.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/control.sh

start main "$socket" "$echo_server" "$socket" "$replies"

# --- sipxdp-ctl: the command line

for words in "frobnicate" "backend" "backend drown p b" "status now" "backend weight p b" "backend weight p b x" \
	"backend weight p b 1001" "backend add p b 10.0.0" "backend maint p a/b" "status --weight 1" "status --wait" \
	"status --json=1" "stats 5" "stats --rate 0" "stats --rate x" "top now" "--socket" "lookup sip" "help frobnicate" ""; do
	# shellcheck disable=SC2086
	out=$("$ctl" $words 2> "$dir/err")
	is "usage: sipxdp-ctl $words" "$? '$out' $(grep -c '^sipxdp-ctl: ' "$dir/err")" "2 '' 1"
done
run frobnicate
is "an unknown command is named, with a pointer to the help" "$err" "sipxdp-ctl: unknown command 'frobnicate'
see 'sipxdp-ctl help'"
run backend weight p
is "a wrong argument shows the usage of the command" "$err" "sipxdp-ctl: NAME is missing
usage: sipxdp-ctl backend weight POOL NAME N [--force]"
run backend weight p b 1001 --json
is "with --json a usage error is JSON" "$status $(jq -c . <<< "$out")$err" \
	'2 {"error":"weight: not a number from 0 to 1000","faults":[]}'

run help
is "help names every command" "$(grep -cE '^  (status|(service|pool) list|backend [a-z]+|lookup|plan|reload|save|stats|top) ' <<< "$out")" 18
is "help exits with status 0" "$status$err" 0
run --help backend
is "help for a group names only its commands" "$(grep -c '^  backend' <<< "$out") $(grep -c '^  status' <<< "$out")" "8 0"
run backend add --help
like "help for a command shows its arguments" "$out" '^usage: sipxdp-ctl backend add POOL NAME ADDRESS \[OPTION\.\.\.\]$'
run --version
like "--version" "$status $out" '^0 sipxdp-ctl [^ ]+$'

run backend add proxies px3 2001:DB8::13 --json --weight=7
is "options may stand anywhere" "$(jq -r '"\(.command) \(.pool) \(.backend) \(.address) \(.weight)"' <<< "$out")" \
	"backend add proxies px3 2001:db8::13 7"
run backend list --json
is "a missing argument is not sent" "$(jq -c '[.pool, .weight]' <<< "$out")" '[null,-1]'
run lookup sip -- --json
is "words after -- are not options" "$out" "$(printf -- '--json\tpx1\t10.0.0.11')"
run plan "$root/README.none"
is "an unreadable file is named" "$status $err" "1 sipxdp-ctl: cannot read $root/README.none: No such file or directory"
printf 'a: b\n' > "$dir/new.yaml"
run plan "$dir/new.yaml" --json
is "the path and the text of a file are sent" "$(jq -r '"\(.path) \(.text)"' <<< "$out")" "$dir/new.yaml 5"
out=$("$ctl" -s "$socket" -j plan - < "$dir/new.yaml")
is "- is standard input" "$(jq -r '"\(.path) \(.text)"' <<< "$out")" "- 5"
printf 'a: \xff\n' > "$dir/latin1.yaml"
run plan "$dir/latin1.yaml"
is "a file that is not UTF-8 is refused" "$status $err" "1 sipxdp-ctl: $dir/latin1.yaml: not UTF-8 text"
head -c 17000000 /dev/zero | tr '\0' '#' > "$dir/huge.yaml"
run plan "$dir/huge.yaml"
is "a file that is too large is refused" "$status $err" "1 sipxdp-ctl: $dir/huge.yaml: too large, the limit is 16 MiB"
head -c 16777216 /dev/zero | tr '\0' '#' > "$dir/huge.yaml"
run plan "$dir/huge.yaml"
like "a file that only fits without the request around it is refused" "$status $err" '^1 sipxdp-ctl: the request is too large'

# --- sipxdp-ctl: servers that fail

out=$("$ctl" -s "$dir/none.sock" status 2>&1)
is "no daemon" "$? $out" "1 sipxdp-ctl: cannot connect to $dir/none.sock: No such file or directory (is sipxdpd running?)"
python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$dir/dead.sock')"
out=$("$ctl" -s "$dir/dead.sock" status 2>&1)
is "a dead daemon" "$? $out" "1 sipxdp-ctl: cannot connect to $dir/dead.sock: Connection refused (is sipxdpd running?)"
out=$("$ctl" -s "$dir/none.sock" status --json 2> "$dir/err")
is "with --json such an error is JSON" "$? $(jq -r '.error, (.faults | length)' <<< "$out")$(cat "$dir/err")" \
	"1 cannot connect to $dir/none.sock: No such file or directory (is sipxdpd running?)
0"
out=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$ctl" -s "$socket" status 2>&1)
is "no permission" "$? $out" \
	"1 sipxdp-ctl: cannot connect to $socket: Permission denied (only root and members of the group sipxdp have access)"

# partner BYTES: accepts one connection, sends these bytes as a reply and closes.
partner() {
	rm -f "$dir/partner.sock"
	python3 -c "
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind('$dir/partner.sock'); s.listen(); c = s.accept()[0]
c.recv(100); c.sendall(sys.argv[1].encode())" "$1" &
	local pid=$! i
	for ((i = 0; i < 100; i++)); do
		[ ! -S "$dir/partner.sock" ] || break
		sleep 0.05
	done
	sleep 0.1
	out=$("$ctl" -s "$dir/partner.sock" status 2>&1)
	status=$?
	wait $pid
}
partner $'HTTP/1.1 400 Bad Request\n'
is "a server that is not sipxdpd" "$status $out" "1 sipxdp-ctl: the program that listens on $dir/partner.sock is not sipxdpd"
partner '{"ok": tr'
like "a daemon that dies during its reply" "$status $out" "^1 sipxdp-ctl: sipxdpd at $dir/partner.sock closed the connection without an answer"
partner $'{"ok": false, "error": "odd \\u001b[31m \\u202e name", "faults": []}\n'
is "control characters in a message are escaped" "$status $out" \
	'1 sipxdp-ctl: odd \x1b[31m \xe2\x80\xae name'

echo '{"ok": false, "error": "too many clients: try again", "faults": []}' > "$replies/stats.json"
run away --wait 1
is "away --wait fails if the daemon refuses to print the counters" "$status $err" "1 sipxdp-ctl: too many clients: try again"
rm "$replies/stats.json"

cat > "$replies/plan.json" <<'JSON'
{"ok": false, "error": "2 faults, nothing was changed", "faults": [
 {"line": 3, "column": 7, "message": "unknown key 'sevices'"}, {"line": 0, "column": 0, "message": "no pools"}]}
JSON
run plan "$dir/new.yaml"
is "faults are printed with line and column" "$status $out$err" "1 sipxdp-ctl: 2 faults, nothing was changed
$dir/new.yaml:3:7: unknown key 'sevices'
$dir/new.yaml: no pools"
run plan "$dir/new.yaml" --json
is "faults are printed in JSON" "$status $(jq -c '.error, .faults[0]' <<< "$out")" '1 "2 faults, nothing was changed"
{"column":7,"line":3,"message":"unknown key '"'sevices'"'"}'

# --- sipxdp-ctl: output

# prints COMMAND RESULT TEXT [ARGUMENTS [SUFFIX]]: the text and JSON output for a result
prints() {
	printf '{"ok": true, "result": %s}\n' "$2" > "$replies/$1.json"
	# shellcheck disable=SC2086
	run $1 ${4:-}
	is "text of $1${5:-}" "$status $err$out" "0 $3"
	# shellcheck disable=SC2086
	run $1 ${4:-} --json
	is "JSON of $1${5:-}" "$(jq -c . <<< "$out")" "$(jq -c . <<< "$2")"
	rm "$replies/$1.json"
}

prints status '{"version": "1.0", "pid": 42, "uptime": 7384, "config": "/etc/sipxdp/sipxdp.yaml", "log_level": "info",
	"pin_dir": "/sys/fs/bpf/sipxdp", "interfaces": [{"name": "eth0", "attached": true, "mode": "native"},
	{"name": "eth1", "attached": false, "mode": "none"}], "services": 1, "pools": 1, "backends": 3, "in_table": 2,
	"packets": 1000, "forwarded": 990, "anomalies": [{"verdict": "no_call_id", "packets": 10,
	"text": "SIP whose headers end without a Call-ID"}], "warnings": ["192.0.2.10 is not an address of this machine"]}' \
	'version:     1.0
pid:         42
uptime:      2h03m
config:      /etc/sipxdp/sipxdp.yaml
log level:   info
pinned in:   /sys/fs/bpf/sipxdp
interfaces:  eth0, attached, native
             eth1, not attached
services:    1
pools:       1
backends:    3, 2 in the table
packets:     1000
forwarded:   990
anomaly:     10 no_call_id: SIP whose headers end without a Call-ID
warning:     192.0.2.10 is not an address of this machine'

prints "service list" '[{"name": "sip", "vips": ["192.0.2.10", "2001:db8:f::10"], "port": 5060, "ports": "5060-5080", "protocol": "udp",
	"affinity": "call-id", "pool": "proxies", "packets": 12345678901, "bytes": 7}]' \
	'NAME  VIP                        PORT       PROTOCOL  AFFINITY  POOL         PACKETS  BYTES
sip   192.0.2.10,2001:db8:f::10  5060-5080  udp       call-id   proxies  12345678901      7'
prints "service list" '[]' 'no services' '' ', empty'
prints "pool list" '[{"name": "proxies", "balance": "bounded", "forward": "dsr", "probe": "options", "fail_open": false, "migrating": true,
	"backends": 3, "in_table": 2, "slots": 262144, "services": []}]' \
	'NAME     BALANCE  FORWARD  PROBE    FAIL OPEN  MIGRATING  BACKENDS  IN TABLE   SLOTS  SERVICES
proxies  bounded  dsr      options  no         yes               3         2  262144  -'
prints "backend list" '[{"pool": "proxies", "name": "px1", "address": "10.0.0.11", "weight": 1, "admin": "ready",
	"state": "up", "share": 33.333333, "slots": 87381, "packets": 5, "bytes": 2500, "mac": "02:00:00:00:00:11",
	"interface": "eth0", "since": 0, "reason": "", "overrides": []},
	{"pool": "proxies", "name": "px\u00e42", "address": "10.0.0.12", "weight": 10, "admin": "maint", "state": "unreachable",
	"share": 0, "slots": 0, "migrating": "12 gaining", "calls": 3, "connections": 2, "latency_mean": 1249, "packets": 123, "bytes": 0, "mac": null, "interface": "", "since": 0,
	"reason": "no route\u001b[2J\nto it", "overrides": ["added", "weight"]}]' \
	'POOL     NAME  ADDRESS    WEIGHT  ADMIN  SINCE  STATE        SHARE  MIGRATING   CALLS  CONNS  PROBE RTT  PACKETS  INTERFACE  MAC                OVERRIDE      REASON
proxies  px1   10.0.0.11       1  ready      -  up           33.3%  -               -      -          -        5  eth0       02:00:00:00:00:11  -             -
proxies  pxä2  10.0.0.12      10  maint      -  unreachable   0.0%  12 gaining      3      2      1.2ms      123  -          -                  added,weight  no route\x1b[2J\x0ato it'
prints "backend calls" '[{"kind": "call", "age": 75, "silent": 3, "call": "a84b4c76e66710@pc33.exa"},
	{"kind": "connection", "age": 4000, "silent": 1, "call": "198.51.100.7:5060"}]' \
	'KIND          AGE  SILENT  CALL-ID OR SOURCE
call        1m15s      3s  a84b4c76e66710@pc33.exa
connection  1h06m      1s  198.51.100.7:5060' 'p px1'
change='{"steps": ["add backend px4 to proxies", "swap the table of proxies"], "pools": [{"name": "proxies",
	"slots": 262144, "moved": 65536, "percent": 25.0}, {"name": "others", "slots": 262144, "moved": 0, "percent": 0.0}],
	"moved_percent": 12.5}'
prints plan "$change" 'add backend px4 to proxies
swap the table of proxies
25.00% of the slots of proxies would move (65536 of 262144)' "$dir/new.yaml"
prints reload "$change" 'add backend px4 to proxies
swap the table of proxies
25.00% of the slots of proxies move (65536 of 262144)'
prints "backend maint" '{"steps": [], "pools": [], "moved_percent": 0.0}' 'no slot moves' 'p px1'
prints "backend drain" '{"steps": [], "pools": [], "moved_percent": 0.0, "warnings": ["no backend remains"]}' 'no slot moves
warning:     no backend remains' 'p px1'
prints stats '{"verdicts": [{"name": "call_id", "action": "forwarded", "packets": 100, "normal": true, "text": "SIP"},
	{"name": "no_backend", "action": "passed", "packets": 3, "normal": false, "text": "none is alive"}],
	"services": [{"name": "sip", "packets": 1, "bytes": 2, "not_sip": 3}], "requests": [{"service": "sip", "method": "INVITE",
	"dialog": "initial", "messages": 4}], "responses": [{"service": "sip", "cseq": "INVITE", "code": "486", "class": "4xx",
	"messages": 5}], "backends": [{"pool": "p", "name": "px1", "packets": 6, "bytes": 7, "initial_invite": 8,
	"initial_register": 9, "initial_other": 10, "in_dialog": 11, "unknown": 12, "response": 13, "not_sip": 14}]}' \
	'VERDICT     ACTION     PACKETS  NORMAL  MEANING
call_id     forwarded      100  yes     SIP
no_backend  passed           3  no      none is alive

SERVICE  PACKETS  BYTES  NOT SIP
sip            1      2        3

SERVICE  METHOD  DIALOG   REQUESTS
sip      INVITE  initial         4

SERVICE  CSEQ    CODE  RESPONSES
sip      INVITE  486           5

POOL  BACKEND  PACKETS  BYTES  INVITES  REGISTERS  OTHER INITIAL  IN DIALOG  UNKNOWN  RESPONSES  NOT SIP
p     px1            6      7        8          9             10         11       12         13       14'
prints save '{"yaml": "interfaces: [eth0]\nservices:\n  - name: caf\u00e9\u0007\n"}' 'interfaces: [eth0]
services:
  - name: café\x07'
prints stats '7' "no verdicts

no services

no requests

no responses

no backends" '' ', of an unexpected type'

# --- sipxdp-ctl lookup

run lookup sip a@b c@d
is "text of lookup" "$status $out" "0 $(printf 'a@b\tpx1\t10.0.0.11\nc@d\tpx1\t10.0.0.11')"
printf '{"ok": true, "result": [%s]}\n' \
	'{"call_id": "a", "backend": "px1", "address": "10.0.0.11", "previous_owner": "px3"}, {"call_id": "b", "backend": null}' \
	> "$replies/lookup.json"
run lookup sip a b
is "text of lookup while slots move" "$status $out" \
	"0 $(printf 'a\tpx1\t10.0.0.11\tpx3 for established calls\nb\t-\t-')"
rm "$replies/lookup.json"
# shellcheck disable=SC2046
run lookup sip $(seq 3000)
is "more Call-IDs than one request can hold" "$status $(cut -f1 <<< "$out" | md5sum)" "0 $(seq 3000 | md5sum)"
# shellcheck disable=SC2046
run --json lookup sip $(seq 3000)
is "JSON output is one list" "$status $(jq -r '.[].call_id' <<< "$out" | md5sum)" "0 $(seq 3000 | md5sum)"
out=$("$ctl" -s "$socket" --json lookup sip - < /dev/null)
is "no Call-ID: an empty list" "$? $out" "0 []"

# The program fits 64 MiB of address space; a million Call-IDs do not.
seq -f '%07.0f-a84b4c76e66710@pc33.example.com' 1000000 > "$dir/million"
{
	sleep 0.5
	raw '
c, longest = Client(), 0
for _ in range(30):
    start = time.time()
    assert c.ask() == "status"
    longest = max(longest, time.time() - start)
    time.sleep(0.02)
print("late: %.3f s" % longest if longest > 1 else "in time")' > "$dir/meanwhile"
} &
meanwhile=$!
# shellcheck disable=SC2094
out=$(prlimit --as=67108864 "$ctl" -s "$socket" lookup sip - < "$dir/million" | cut -f1 | cmp - "$dir/million")
is "a million Call-IDs in constant memory" "$? $out" "0 "
wait $meanwhile
is "other clients are answered in time meanwhile" "$(cat "$dir/meanwhile")" "in time"
out=$({ "$ctl" -s "$socket" lookup sip - < "$dir/million" 2>&1 1>&3 | cat >&2; } 3>&1 2> "$dir/err" | head -n 1)
is "a closed pipe causes no error message" "$out$(cat "$dir/err")" \
	"$(printf '0000001-a84b4c76e66710@pc33.example.com\tpx1\t10.0.0.11')"
"$ctl" -s "$socket" lookup sip - < "$dir/million" > /dev/full 2> "$dir/err"
is "a full disk is an error" "$? $(cat "$dir/err")" "1 sipxdp-ctl: cannot write: No space left on device"

{ printf 'first\r\n\n  second \n\xff\nth\0ird\n'; head -c 200000 /dev/zero | tr '\0' x; printf '\nlast'; } > "$dir/odd"
out=$("$ctl" -s "$socket" lookup sip - < "$dir/odd" 2> "$dir/err")
is "invalid lines are skipped, with their number" "$? $(cut -f1 <<< "$out" | tr '\n' ' ')
$(cat "$dir/err")" "1 first second last 
sipxdp-ctl: standard input, line 4: not UTF-8 text; skipped
sipxdp-ctl: standard input, line 5: not UTF-8 text; skipped
sipxdp-ctl: standard input, line 6: too long; skipped"

coproc lookup { exec "$ctl" -s "$socket" lookup sip - 2>&1; }
# shellcheck disable=SC2154
lookup_pid=$lookup_PID # bash unsets the variable when the process exits
ask_lookup() {
	echo "$1" >&"${lookup[1]}"
	read -r -t 5 out <&"${lookup[0]}"
}
ask_lookup one
is "a line is answered when it arrives" "$out" "$(printf 'one\tpx1\t10.0.0.11')"
stop main
start main "$socket" "$echo_server" "$socket" "$replies"
ask_lookup two
is "lookup connects again after a restart of the daemon" "$out" "$(printf 'two\tpx1\t10.0.0.11')"
stop main
ask_lookup three
is "lookup fails while no daemon runs" "$out" \
	"sipxdp-ctl: cannot connect to $socket: No such file or directory (is sipxdpd running?)"
wait "$lookup_pid" 2> /dev/null
is "lookup then exits with status 1" "$?" 1

tap_end
