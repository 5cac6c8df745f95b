#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The control socket and sipxdp-ctl, each against every kind of partner. The server is
# the daemon's own (ctl/daemon/control*.c), with nothing behind it: tests/tools/control-echo.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/lib/tap.sh"
build=${BUILD:-$root/build}
echo_server=$build/tests/tools/control-echo
ctl=$build/sipxdp-ctl

dir=$(mktemp -d /tmp/sipxdp-control.XXXXXX)
chmod 755 "$dir"
socket=$dir/run/ctl.sock
replies=$dir/replies
mkdir "$replies"
declare -A server=() # name -> process

cleanup() {
	local status=$? pids=("${server[@]}")
	[ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[@]}" 2> /dev/null
	wait 2> /dev/null
	rm -rf "$dir"
	exit $status
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# answers PATH: does a server answer there?
answers() {
	"$ctl" --socket "$1" status > /dev/null 2>&1
}

# start NAME SOCKET COMMAND...: in the background, until it answers.
start() {
	local name=$1 path=$2 i
	shift 2
	"$@" 2> "$dir/$name.err" &
	server[$name]=$!
	for ((i = 0; i < 100; i++)); do
		answers "$path" && return
		sleep 0.05
	done
	diag "$name does not answer: $(cat "$dir/$name.err")"
}

# stop NAME [SIGNAL]
stop() {
	kill "-${2:-TERM}" "${server[$1]}"
	wait "${server[$1]}" 2> /dev/null
	unset "server[$1]"
}

# run ARGUMENT...: sipxdp-ctl at the usual socket; sets out, err and status.
run() {
	out=$("$ctl" --socket "$socket" "$@" 2> "$dir/err")
	status=$?
	err=$(cat "$dir/err")
}

# raw SCRIPT: clients that are not sipxdp-ctl, in Python.
cat > "$dir/raw.py" <<'PY'
import json, os, select, socket, sys, time
MAIN = os.environ['MAIN']
IMPATIENT = os.environ['IMPATIENT']
status = b'{"command": "status"}\n'

class Client:
    def __init__(self, path=MAIN):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.buffer = b''
    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass # what the server said before it closed is still to be read
        return self
    def receive(self):
        try:
            got = self.socket.recv(65536)
        except ConnectionResetError:
            got = b''
        self.buffer += got
        return got
    def line(self): # None at the end
        got = self.buffer
        while b'\n' not in got:
            got = self.receive()
            if not got:
                return None
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)
    def said(self): # the next reply in few words
        line = self.line()
        if line is None:
            return 'closed'
        if not line['ok']:
            return line['error']
        return line['result']['command'] if 'command' in line['result'] else 'ok'
    def ask(self, data=status):
        return self.send(data).said()
    def closed(self): # by the server, whatever is still to be read
        poll = select.poll()
        poll.register(self.socket, 0)
        return bool(poll.poll(0))
    def end(self): # bytes until the server closes, and the seconds that it took
        start, count = time.time(), len(self.buffer)
        while got := self.receive():
            count += len(got)
        return count, time.time() - start
PY
raw() {
	PYTHONPATH=$dir PYTHONDONTWRITEBYTECODE=1 MAIN=$socket IMPATIENT=$dir/impatient.sock timeout 60 python3 -c "from raw import *
$1" 2>&1
}

# --- the socket

start main "$socket" "$echo_server" "$socket" "$replies"
is "the directory is made and the socket has mode 0660" "$(stat -c '%F %a' "$socket")" "socket 660"
check "a server answers" answers "$socket"

out=$("$echo_server" "$socket" "$replies" 2>&1)
is "a second server is refused" "$?: $out" "1: control-echo: $socket: Address already in use"
check "and the first one goes on" answers "$socket"

kill -STOP "${server[main]}"
out=$(timeout 5 "$echo_server" "$socket" "$replies" 2>&1)
is "a server that is only stopped is not taken for dead" "$?: $out" "1: control-echo: $socket: Address already in use"
kill -CONT "${server[main]}"

stop main KILL
check "a killed server leaves its socket" test -S "$socket"
start main "$socket" "$echo_server" "$socket" "$replies"
check "which the next one replaces" answers "$socket"

echo precious > "$dir/file"
out=$("$echo_server" "$dir/file" "$replies" 2>&1)
is "a path that is no socket is refused" "$?: $out: $(cat "$dir/file")" "1: control-echo: $dir/file: File exists: precious"
out=$("$echo_server" "$dir/$(printf '%0120d' 0)" "$replies" 2>&1)
like "a path that is too long is refused" "$?: $out" "^1: .*: File name too long$"
out=$("$echo_server" "$dir/none/such/ctl.sock" "$replies" 2>&1)
like "only one directory is made" "$?: $out" "^1: .*: No such file or directory$"

start ended "$dir/ended.sock" "$echo_server" "$dir/ended.sock" "$replies"
stop ended
check "a server that ends removes its socket" test ! -e "$dir/ended.sock"
start older "$dir/taken.sock" "$echo_server" "$dir/taken.sock" "$replies"
rm "$dir/taken.sock"
start newer "$dir/taken.sock" "$echo_server" "$dir/taken.sock" "$replies"
stop older
check "but not the one of a server that has taken its place" answers "$dir/taken.sock"
stop newer

if unshare --mount true 2> /dev/null; then
	{ cat /etc/group; echo sipxdp:x:64999:; } > "$dir/group"
	# shellcheck disable=SC2016
	start group "$dir/group.sock" unshare --mount sh -c 'mount --bind "$1" /etc/group && shift && exec "$@"' sh \
		"$dir/group" "$echo_server" "$dir/group.sock" "$replies"
	is "the socket belongs to the group sipxdp where there is one" "$(stat -c '%g %a' "$dir/group.sock")" "64999 660"
	out=$(setpriv --reuid=65534 --regid=64999 --clear-groups "$ctl" --socket "$dir/group.sock" --json save 2>&1 | jq -r .command)
	is "whose members may use it" "$out" save
	stop group
else
	skip "the socket belongs to the group sipxdp where there is one" "no mount namespaces here"
	skip "whose members may use it" "no mount namespaces here"
fi

# --- what clients may send

# fds: how many files the main server has open.
fds() {
	set -- "/proc/${server[main]}/fd/"*
	echo $#
}
fds_before=$(fds)

is "garbage is answered with an error, and the connection goes on" "$(raw '
c = Client()
for garbage in b"\n", b"GET / HTTP/1.1\r\n", bytes(range(11, 256)) + b"\n", b"{\"command\": \"status\\u0000\"}\n", b"\0\n":
    error = c.ask(garbage)
    print(error if not error.startswith("not valid JSON") else "ok", c.ask())')" "$(yes 'ok status' | head -5)"

is "so are lines that would take much memory" "$(raw '
c = Client()
print(c.ask(b"[" * 1000000 + b"\n"), c.ask(b"[" + b"[]," * 1000000 + b"[]]\n"), c.ask(), sep="\n")')" \
	"the request is nested too deeply at byte 4
the request has too many values; a list may have at most 1024
status"

is "a command that is none, or lacks something, is refused by name" "$(raw '
c = Client()
print(c.ask(b"{\"command\": \"top\"}\n"))
print(c.ask(b"{\"command\": \"backend maint\", \"arguments\": {\"pool\": \"p\"}}\n"))')" \
	"unknown command 'top'
backend: missing"

is "many requests may come at once and are answered in order" "$(raw '
c = Client()
c.send(b"".join(b"{\"command\": \"%s\"}\n" % name for name in (b"save", b"reload", b"nonsense", b"stats") * 500))
said = [c.said() for _ in range(2000)]
print(said == ["save", "reload", "unknown command \u0027nonsense\u0027", "stats"] * 500)')" True

is "a request may come byte by byte" "$(raw '
c = Client()
for byte in b"{\"command\": \"status\"}":
    c.send(bytes([byte]))
    time.sleep(0.01)
print(c.ask(b"\n"))')" status

is "a client that has said all it will gets its answers, then the end" "$(raw '
c = Client()
c.send(status * 3).socket.shutdown(socket.SHUT_WR)
print(c.said(), c.said(), c.said(), c.said())')" "status status status closed"

is "a request of 16 MiB is answered" "$(raw '
start, end = b"{\"command\": \"plan\", \"arguments\": {\"path\": \"x\", \"text\": \"", b"\"}}\n"
c = Client()
print(c.ask(start + b"#" * ((16 << 20) - len(start) - len(end) + 1) + end))
print(c.ask(start + b"#" * ((16 << 20) - len(start) - len(end) + 2) + end))
print(c.ask())')" "plan
the request has more than 16777216 bytes
status"

is "a line without an end is refused and closed, while others are served" "$(raw '
c, other = Client(), Client()
for _ in range(40):
    c.send(b"x" * (1 << 19))
    assert other.ask() == "status"
print(c.said(), c.said())')" "the request is too long: a line has at most 16 MiB closed"

# --- many clients

is "with 64 clients, the one that is idle for longest makes room" "$(raw '
clients = []
for _ in range(64):
    clients.append(Client())
    assert clients[-1].ask() == "status"
clients[0].ask()
print(Client().ask(), clients[1].said(), clients[0].ask(), clients[2].ask())')" "status closed status status"

is "when all 64 are busy the newcomer is told" "$(raw '
clients = [Client().send(b"{") for _ in range(64)]
time.sleep(0.3)
newcomer = Client()
print(newcomer.said(), newcomer.said())
clients[0].send(b"}\n").line()
print(Client().ask())')" "sipxdpd already serves the largest number of clients: try again closed
status"

# As others, and as root.
chmod 777 "$socket"
is "others have 48 of the 64 places, so that root still has one" "$(raw '
os.seteuid(65534)
others = [Client().send(b"{") for _ in range(49)]
told = [c for c in others[-1:] if "too many clients" in c.said()]
os.seteuid(0)
print(len(told), [Client().ask() for _ in range(16)] == ["status"] * 16)')" "1 True"
is "root may have all 64; others are told so" "$(raw '
clients = [Client().send(b"{") for _ in range(64)]
os.seteuid(65534)
print(Client().said())
os.seteuid(0)
print(clients[63].ask(b"}\n"))')" "sipxdpd already serves the largest number of clients: try again
command: missing, or not a string"
chmod 660 "$socket"

is "many large requests at once do not keep small ones out" "$(raw '
large = [Client().send(b"x" * (15 << 20)) for _ in range(14)]
time.sleep(0.2)
print(Client().ask())
print(sorted(set(c.ask(b"\n")[:14] for c in large)))')" "status
['not valid JSON', 'too many large']"

start few "$dir/few.sock" prlimit --nofile=16 "$echo_server" "$dir/few.sock" "$replies"
is "out of file descriptors, the server waits without spinning, and goes on" "$(raw "
path, pid = '$dir/few.sock', ${server[few]}
def cpu():
    return sum(map(int, open(f'/proc/{pid}/stat').read().split()[13:15]))
clients = [Client(path) for _ in range(30)]
before = cpu()
time.sleep(1.5)
print('spinning' if cpu() - before > 20 else 'calm')
for c in clients:
    c.socket.close()
print(Client(path).ask())")" "calm
status"
stop few

# --- clients that stall

python3 -c 'import json; print(json.dumps({"ok": True, "result": {"yaml": "x" * 8000000}}))' > "$replies/save.json"
start impatient "$dir/impatient.sock" "$echo_server" "$dir/impatient.sock" "$replies" 1500 4000

is "a client that stalls in a request is told and closed; others are served meanwhile" "$(raw '
c, other = Client(IMPATIENT).send(b"{\"comm"), Client(IMPATIENT)
start = time.time()
c.socket.setblocking(False)
while time.time() - start < 0.8:
    assert other.ask() == "status"
    time.sleep(0.01)
try:
    print(c.socket.recv(1))
except BlockingIOError:
    c.socket.setblocking(True)
print(c.said(), c.said(), other.ask())')" \
	"the request was not complete in time closed status"

is "a client that does not read is closed; others are served meanwhile" "$(raw '
c, other = Client(IMPATIENT), Client(IMPATIENT)
c.send(b"{\"command\": \"save\"}\n")
while not c.closed():
    assert other.ask() == "status"
    time.sleep(0.01)
print(c.end()[0] < 8000000, other.ask())')" "True status"

is "a client that reads slowly gets everything" "$(raw '
c = Client(IMPATIENT).send(b"{\"command\": \"save\"}\n")
for _ in range(6):
    time.sleep(0.5)
    for _ in range(4):
        c.receive()
print(c.said())')" ok

is "a client that is idle for long is closed" "$(raw '
c = Client(IMPATIENT)
said = c.ask()
count, seconds = c.end()
print(said, count, 3.5 < seconds)')" "status 0 True"

is "when the server is late, no client is blamed" "$(raw '
c, slow = Client(IMPATIENT).send(b"{\"command\":"), Client(IMPATIENT)
slow.send(b"{\"command\": \"lookup\", \"arguments\": {\"service\": \"s\", \"call_ids\": [\"sleep\"]}}\n")
time.sleep(0.3)
print(c.ask(b" \"status\"}\n"), slow.said())')" "status ok"
stop impatient

is "clients that vanish in a reply or a request do no harm" "$(raw '
for _ in range(10):
    c = Client().send(b"{\"command\": \"save\"}\n")
    c.socket.recv(1000)
    c.socket.close()
    Client().send(b"{\"command\": \"sa").socket.close()
    Client().send(b"{\"command\": \"save\"}\n" * 3).socket.close()
print(Client().ask())')" status
rm "$replies/save.json"

sleep 0.2
is "every connection has been closed at the end" "$(fds)" "$fds_before"

# --- sipxdp-ctl: the command line

for words in "frobnicate" "backend" "backend drown p b" "status now" "backend weight p b" "backend weight p b x" \
	"backend weight p b 1001" "backend add p b 10.0.0" "backend maint p a/b" "status --weight 1" "status --wait" \
	"status --json=1" "--socket" "lookup sip" "help frobnicate" ""; do
	# shellcheck disable=SC2086
	out=$("$ctl" $words 2> "$dir/err")
	is "usage: sipxdp-ctl $words" "$? '$out' $(grep -c '^sipxdp-ctl: ' "$dir/err")" "2 '' 1"
done
run frobnicate
is "what is wrong is said, and where help is" "$err" "sipxdp-ctl: unknown command 'frobnicate'
see 'sipxdp-ctl help'"
run backend weight p
is "a known command's usage is shown" "$err" "sipxdp-ctl: NAME is missing
usage: sipxdp-ctl backend weight POOL NAME N"
run backend weight p b 1001 --json
is "with --json a usage error is JSON" "$status $(jq -c . <<< "$out")$err" \
	'2 {"error":"weight: not a number from 0 to 1000","faults":[]}'

run help
is "help names every command" "$(grep -cE '^  (status|(service|pool) list|backend [a-z]+|lookup|plan|reload|save|stats) ' <<< "$out")" 16
is "help is no error" "$status$err" 0
run --help backend
is "help with a group names its commands only" "$(grep -c '^  backend' <<< "$out") $(grep -c '^  status' <<< "$out")" "8 0"
run backend add --help
like "help with a command shows its words and options" "$out" '^usage: sipxdp-ctl backend add POOL NAME ADDRESS \[OPTION\.\.\.\]$'
run --version
like "--version" "$status $out" '^0 sipxdp-ctl [^ ]+$'

run backend add proxies px3 2001:DB8::13 --json --weight=7
is "options may stand anywhere" "$(jq -r '"\(.command) \(.pool) \(.backend) \(.address) \(.weight)"' <<< "$out")" \
	"backend add proxies px3 2001:db8::13 7"
run backend list --json
is "what is left out is not sent" "$(jq -c '[.pool, .weight]' <<< "$out")" '[null,-1]'
run lookup sip -- --json
is "after -- there are only words" "$out" "$(printf -- '--json\tpx1\t10.0.0.11')"
run plan "$root/README.none"
is "a file that cannot be read is named" "$status $err" "1 sipxdp-ctl: cannot read $root/README.none: No such file or directory"
printf 'a: b\n' > "$dir/new.yaml"
run plan "$dir/new.yaml" --json
is "a file's path and text are sent" "$(jq -r '"\(.path) \(.text)"' <<< "$out")" "$dir/new.yaml 5"
out=$("$ctl" -s "$socket" -j plan - < "$dir/new.yaml")
is "- is standard input" "$(jq -r '"\(.path) \(.text)"' <<< "$out")" "- 5"
printf 'a: \xff\n' > "$dir/latin1.yaml"
run plan "$dir/latin1.yaml"
is "a file that is not UTF-8 is refused" "$status $err" "1 sipxdp-ctl: $dir/latin1.yaml: not UTF-8 text"
head -c 17000000 /dev/zero | tr '\0' '#' > "$dir/huge.yaml"
run plan "$dir/huge.yaml"
is "so is one that is too large" "$status $err" "1 sipxdp-ctl: $dir/huge.yaml: too large, the limit is 16 MiB"
head -c 16777216 /dev/zero | tr '\0' '#' > "$dir/huge.yaml"
run plan "$dir/huge.yaml"
like "or is so with the request around it" "$status $err" '^1 sipxdp-ctl: the request is too large'

# --- sipxdp-ctl: daemons that fail

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

# partner BYTES: one connection is given these bytes, as a reply, and closed.
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
is "a partner that is not sipxdpd" "$status $out" "1 sipxdp-ctl: the program that listens on $dir/partner.sock is not sipxdpd"
partner '{"ok": tr'
like "a daemon that dies in its reply" "$status $out" "^1 sipxdp-ctl: sipxdpd at $dir/partner.sock closed the connection before"
partner $'{"ok": false, "error": "odd \\u001b[31m \\u202e name", "faults": []}\n'
is "nothing in a message reaches the terminal unescaped" "$status $out" \
	'1 sipxdp-ctl: odd \x1b[31m \xe2\x80\xae name'

cat > "$replies/plan.json" <<'JSON'
{"ok": false, "error": "2 faults, nothing was changed", "faults": [
 {"line": 3, "column": 7, "message": "unknown key 'sevices'"}, {"line": 0, "column": 0, "message": "no pools"}]}
JSON
run plan "$dir/new.yaml"
is "faults are shown with their places" "$status $out$err" "1 sipxdp-ctl: 2 faults, nothing was changed
$dir/new.yaml:3:7: unknown key 'sevices'
$dir/new.yaml: no pools"
run plan "$dir/new.yaml" --json
is "and in JSON" "$status $(jq -c '.error, .faults[0]' <<< "$out")" '1 "2 faults, nothing was changed"
{"line":3,"column":7,"message":"unknown key '"'sevices'"'"}'

# --- sipxdp-ctl: what is printed

# prints COMMAND RESULT TEXT
prints() {
	printf '{"ok": true, "result": %s}\n' "$2" > "$replies/$1.json"
	# shellcheck disable=SC2086
	run $1 ${4:-}
	is "text of $1${5:-}" "$status $err$out" "0 $3"
	# shellcheck disable=SC2086
	run $1 ${4:-} --json
	is "JSON of $1${5:-}" "$(jq -cS . <<< "$out")" "$(jq -cS . <<< "$2")"
	rm "$replies/$1.json"
}

prints status '{"version": "1.0", "pid": 42, "uptime": 7384, "config": "/etc/sipxdp/sipxdp.yaml",
	"pin_dir": "/sys/fs/bpf/sipxdp", "interfaces": [{"name": "eth0", "attached": true, "mode": "native"},
	{"name": "eth1", "attached": false, "mode": "none"}], "services": 1, "pools": 1, "backends": 3, "in_table": 2,
	"packets": 1000, "forwarded": 990, "anomalies": [{"verdict": "no_call_id", "packets": 10,
	"text": "SIP whose headers end without a Call-ID"}], "warnings": ["192.0.2.10 is not an address of this machine"]}' \
	'version:     1.0
pid:         42
uptime:      2h03m
config:      /etc/sipxdp/sipxdp.yaml
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
prints "pool list" '[{"name": "proxies", "forward": "dsr", "probe": "options", "fail_open": false, "migrating": true,
	"backends": 3, "in_table": 2, "slots": 262144, "services": []}]' \
	'NAME     FORWARD  PROBE    FAIL OPEN  MIGRATING  BACKENDS  IN TABLE   SLOTS  SERVICES
proxies  dsr      options  no         yes               3         2  262144  -'
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
prints "backend drain" '{"steps": [], "pools": [], "moved_percent": 0.0, "warnings": ["no backend is left"]}' 'no slot moves
warning:     no backend is left' 'p px1'
prints stats '{"verdicts": [{"name": "call_id", "action": "forwarded", "packets": 100, "normal": true, "text": "SIP"},
	{"name": "no_backend", "action": "passed", "packets": 3, "normal": false, "text": "none is alive"}],
	"services": [{"name": "sip", "packets": 1, "bytes": 2}], "backends": []}' \
	'VERDICT     ACTION     PACKETS  NORMAL  MEANING
call_id     forwarded      100  yes     SIP
no_backend  passed           3  no      none is alive

SERVICE  PACKETS  BYTES
sip            1      2

no backends'
prints save '{"yaml": "interfaces: [eth0]\nservices:\n  - name: caf\u00e9\u0007\n"}' 'interfaces: [eth0]
services:
  - name: café\x07'
prints stats '7' "no verdicts

no services

no backends" '' ', of a shape that was not expected'

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
is "more Call-IDs than one request holds" "$status $(cut -f1 <<< "$out" | md5sum)" "0 $(seq 3000 | md5sum)"
# shellcheck disable=SC2046
run --json lookup sip $(seq 3000)
is "in JSON they are one list" "$status $(jq -r '.[].call_id' <<< "$out" | md5sum)" "0 $(seq 3000 | md5sum)"
out=$("$ctl" -s "$socket" --json lookup sip - < /dev/null)
is "of nothing, an empty list" "$? $out" "0 []"

# 64 MiB of address space hold the program, and no million of Call-IDs.
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
is "while others are answered in time" "$(cat "$dir/meanwhile")" "in time"
out=$({ "$ctl" -s "$socket" lookup sip - < "$dir/million" 2>&1 1>&3 | cat >&2; } 3>&1 2> "$dir/err" | head -n 1)
is "a reader that goes away is no error worth a word" "$out$(cat "$dir/err")" \
	"$(printf '0000001-a84b4c76e66710@pc33.example.com\tpx1\t10.0.0.11')"
"$ctl" -s "$socket" lookup sip - < "$dir/million" > /dev/full 2> "$dir/err"
is "a full disk is an error" "$? $(cat "$dir/err")" "1 sipxdp-ctl: cannot write: No space left on device"

{ printf 'first\r\n\n  second \n\xff\nth\0ird\n'; head -c 200000 /dev/zero | tr '\0' x; printf '\nlast'; } > "$dir/odd"
out=$("$ctl" -s "$socket" lookup sip - < "$dir/odd" 2> "$dir/err")
is "lines with no Call-ID are left out by number" "$? $(cut -f1 <<< "$out" | tr '\n' ' ')
$(cat "$dir/err")" "1 first second last 
sipxdp-ctl: standard input, line 4: not UTF-8 text; skipped
sipxdp-ctl: standard input, line 5: not UTF-8 text; skipped
sipxdp-ctl: standard input, line 6: too long; skipped"

coproc lookup { exec "$ctl" -s "$socket" lookup sip - 2>&1; }
# shellcheck disable=SC2154
lookup_pid=$lookup_PID # the variable goes with the process
ask_lookup() {
	echo "$1" >&"${lookup[1]}"
	read -r -t 5 out <&"${lookup[0]}"
}
ask_lookup one
is "a line is answered when it comes" "$out" "$(printf 'one\tpx1\t10.0.0.11')"
stop main
start main "$socket" "$echo_server" "$socket" "$replies"
ask_lookup two
is "also after the daemon was restarted" "$out" "$(printf 'two\tpx1\t10.0.0.11')"
stop main
ask_lookup three
is "and not while there is none" "$out" \
	"sipxdp-ctl: cannot connect to $socket: No such file or directory (is sipxdpd running?)"
wait "$lookup_pid" 2> /dev/null
is "which ends it" "$?" 1

tap_end
