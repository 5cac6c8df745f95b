#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The control socket of the daemon with broken, slow and greedy clients, many clients, and file descriptors
# that run out. The server is control-echo (tests/lib/control.sh).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/control.sh

# --- the socket

start main "$socket" "$echo_server" "$socket" "$replies"
is "the directory is created, and the socket has mode 0660" "$(stat -c '%F %a' "$socket")" "socket 660"
check "a server responds" responds "$socket"
is "... the directory has mode 0711" "$(stat -c %a "${socket%/*}")" 711
check "... another user cannot lock it" eval \
	'! setpriv --reuid=65534 --regid=65534 --clear-groups flock --nonblock "${socket%/*}" true 2> /dev/null'

out=$("$echo_server" "$socket" "$replies" 2>&1)
is "a second server is refused" "$?: $out" "1: control-echo: $socket: Address already in use"
check "the first server continues" responds "$socket"

kill -STOP "${server[main]}"
out=$(timeout 5 "$echo_server" "$socket" "$replies" 2>&1)
is "a stopped server does not count as dead" "$?: $out" "1: control-echo: $socket: Address already in use"
kill -CONT "${server[main]}"

stop main KILL
check "a killed server leaves its socket" test -S "$socket"
start main "$socket" "$echo_server" "$socket" "$replies"
check "the next server replaces the socket" responds "$socket"

echo precious > "$dir/file"
out=$("$echo_server" "$dir/file" "$replies" 2>&1)
is "a path that is not a socket is refused" "$?: $out: $(cat "$dir/file")" "1: control-echo: $dir/file: File exists: precious"
out=$("$echo_server" "$dir/$(printf '%0120d' 0)" "$replies" 2>&1)
like "a path that is too long is refused" "$?: $out" "^1: .*: File name too long$"
out=$("$echo_server" "$dir/none/such/ctl.sock" "$replies" 2>&1)
like "only the last directory is created" "$?: $out" "^1: .*: No such file or directory$"

mkdir "$dir/locked"
exec {lock}< "$dir/locked"
flock "$lock"
out=$(timeout -s KILL 20 "$echo_server" "$dir/locked/ctl.sock" "$replies" 2>&1)
is "a server does not wait for a process that has locked the directory" "$?: $out" \
	"1: control-echo: $dir/locked/ctl.sock: Resource temporarily unavailable"
exec {lock}<&-
start locked "$dir/locked/ctl.sock" "$echo_server" "$dir/locked/ctl.sock" "$replies"
check "... it starts when the directory is free" responds "$dir/locked/ctl.sock"
stop locked

start ended "$dir/ended.sock" "$echo_server" "$dir/ended.sock" "$replies"
stop ended
check "a server removes its socket when it exits" test ! -e "$dir/ended.sock"
start older "$dir/taken.sock" "$echo_server" "$dir/taken.sock" "$replies"
rm "$dir/taken.sock"
start newer "$dir/taken.sock" "$echo_server" "$dir/taken.sock" "$replies"
stop older
check "a server does not remove the socket of its successor" responds "$dir/taken.sock"
stop newer

if unshare --mount true 2> /dev/null; then
	{ cat /etc/group; echo sipxdp:x:64999:; } > "$dir/group"
	# shellcheck disable=SC2016
	start group "$dir/group.sock" unshare --mount sh -c 'mount --bind "$1" /etc/group && shift && exec "$@"' sh \
		"$dir/group" "$echo_server" "$dir/group.sock" "$replies"
	is "the socket belongs to the group sipxdp if the group exists" "$(stat -c '%g %a' "$dir/group.sock")" "64999 660"
	out=$(setpriv --reuid=65534 --regid=64999 --clear-groups "$ctl" --socket "$dir/group.sock" --json save 2>&1 | jq -r .command)
	is "members of the group may use the socket" "$out" save
	stop group
else
	skip "the socket belongs to the group sipxdp if the group exists" "no mount namespaces here"
	skip "members of the group may use the socket" "no mount namespaces here"
fi

# --- requests

# fds: the number of open files of the main server.
fds() {
	set -- "/proc/${server[main]}/fd/"*
	echo $#
}
fds_before=$(fds)

is "a line that is not JSON gets an error, and the connection stays open" "$(raw '
c = Client()
for garbage in b"\n", b"GET / HTTP/1.1\r\n", bytes(range(11, 256)) + b"\n", b"{\"command\": \"status\\u0000\"}\n", b"\0\n":
    error = c.ask(garbage)
    print(error if not error.startswith("not valid JSON") else "ok", c.ask())')" "$(yes 'ok status' | head -5)"

is "a line that would need much memory gets an error" "$(raw '
c = Client()
print(c.ask(b"[" * 1000000 + b"\n"), c.ask(b"[" + b"[]," * 1000000 + b"[]]\n"), c.ask(), sep="\n")')" \
	"the request is nested too deeply at byte 4
the request has too many values; a list may have at most 1024
status"

is "an unknown command and a missing argument are named" "$(raw '
c = Client()
print(c.ask(b"{\"command\": \"top\"}\n"))
print(c.ask(b"{\"command\": \"backend maint\", \"arguments\": {\"pool\": \"p\"}}\n"))')" \
	"unknown command 'top'
backend: missing"

is "many requests in one piece are answered in order" "$(raw '
c = Client()
c.send(b"".join(b"{\"command\": \"%s\"}\n" % name for name in (b"save", b"reload", b"nonsense", b"stats") * 500))
said = [c.said() for _ in range(2000)]
print(said == ["save", "reload", "unknown command \u0027nonsense\u0027", "stats"] * 500)')" True

is "a request may arrive byte by byte" "$(raw '
c = Client()
for byte in b"{\"command\": \"status\"}":
    c.send(bytes([byte]))
    time.sleep(0.01)
print(c.ask(b"\n"))')" status

is "a client that has closed its sending side gets its replies, then the connection is closed" "$(raw '
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

is "a line without an end is refused and closed, while other clients are served" "$(raw '
c, other = Client(), Client()
for _ in range(40):
    c.send(b"x" * (1 << 19))
    assert other.ask() == "status"
print(c.said(), c.said())')" "the request is too long: a line has at most 16 MiB closed"

# --- many clients

is "with 64 clients, a new client replaces the client with the longest idle time" "$(raw '
clients = []
for _ in range(64):
    clients.append(Client())
    assert clients[-1].ask() == "status"
clients[0].ask()
print(Client().ask(), clients[1].said(), clients[0].ask(), clients[2].ask())')" "status closed status status"

is "when all 64 clients are busy, a new client gets an error" "$(raw '
clients = [Client().send(b"{") for _ in range(64)]
time.sleep(0.3)
late = Client()
print(late.said(), late.said())
clients[0].send(b"}\n").line()
print(Client().ask())')" "sipxdpd already serves the largest number of clients: try again closed
status"

# As another user, and as root.
chmod 777 "$socket"
is "other users have 48 of the 64 places: 16 are reserved for root" "$(raw '
os.seteuid(65534)
others = [Client().send(b"{") for _ in range(49)]
told = [c for c in others[-1:] if "largest number of clients" in c.said()]
os.seteuid(0)
print(len(told), [Client().ask() for _ in range(16)] == ["status"] * 16)')" "1 True"
is "root may use all 64 places; other users then get an error" "$(raw '
clients = [Client().send(b"{") for _ in range(64)]
os.seteuid(65534)
print(Client().said())
os.seteuid(0)
print(clients[63].ask(b"}\n"))')" "sipxdpd already serves the largest number of clients: try again
command: missing, or not a string"
chmod 660 "$socket"

start patient "$dir/patient.sock" "$echo_server" "$dir/patient.sock" "$replies" 300000 300000
is "many large requests at the same time do not block small requests" "$(raw "
path = '$dir/patient.sock'
large = [Client(path).send(b'x' * (15 << 20)) for _ in range(14)]
print(Client(path).ask())
print(sorted(set(c.ask(b'\n')[:14] for c in large)))")" "status
['not valid JSON', 'too many large']"
stop patient

start few "$dir/few.sock" prlimit --nofile=16 "$echo_server" "$dir/few.sock" "$replies"
is "without free file descriptors the server waits without a busy loop, and recovers" "$(raw "
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

is "a client that stalls in a request gets an error and is closed; other clients are served" "$(raw '
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

is "a client that does not read is closed; other clients are served" "$(raw '
c, other = Client(IMPATIENT), Client(IMPATIENT)
c.send(b"{\"command\": \"save\"}\n")
while not c.closed():
    assert other.ask() == "status"
    time.sleep(0.01)
print(c.end()[0] < 8000000, other.ask())')" "True status"

# The client has 1.5 s, and a second for each MB that it has read: after 2 s of slow reading it has about 0.7 s left. On a busy machine
# it tries again if it needed more.
is "a slow reader gets the complete reply" "$(raw '
for _ in range(20):
    start = time.time()
    c = Client(IMPATIENT).send(b"{\"command\": \"save\"}\n")
    for _ in range(4):
        time.sleep(0.5)
        for _ in range(4):
            c.receive()
    said = c.said()
    if said == "ok" or time.time() - start < 2.3:
        break
print(said)')" ok

is "an idle client is closed" "$(raw '
c = Client(IMPATIENT)
said = c.ask()
count, seconds = c.end()
print(said, count, 3.5 < seconds)')" "status 0 True"

is "a delay of the server does not close a client" "$(raw '
c, slow = Client(IMPATIENT).send(b"{\"command\":"), Client(IMPATIENT)
slow.send(b"{\"command\": \"lookup\", \"arguments\": {\"service\": \"s\", \"call_ids\": [\"sleep\"]}}\n")
time.sleep(0.3)
print(c.ask(b" \"status\"}\n"), slow.said())')" "status ok"
stop impatient

is "clients that disconnect during a request or a reply do not disturb the server" "$(raw '
for _ in range(10):
    c = Client().send(b"{\"command\": \"save\"}\n")
    c.socket.recv(1000)
    c.socket.close()
    Client().send(b"{\"command\": \"sa").socket.close()
    Client().send(b"{\"command\": \"save\"}\n" * 3).socket.close()
print(Client().ask())')" status
rm "$replies/save.json"

sleep 0.2
is "every connection is closed at the end" "$(fds)" "$fds_before"

tap_end
