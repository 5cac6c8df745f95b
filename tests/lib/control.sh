# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Test servers for the control socket, and clients for them. The server is the control socket of the daemon
# (ctl/daemon/control/) with tests/tools/control-echo behind it. Source tests/lib/tap.sh first.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
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

# responds PATH: does a server respond on this socket?
responds() {
	"$ctl" --socket "$1" status > /dev/null 2>&1
}

# start NAME SOCKET COMMAND...: starts a server in the background and waits until it responds.
start() {
	local name=$1 path=$2 i
	shift 2
	"$@" 2> "$dir/$name.err" &
	server[$name]=$!
	for ((i = 0; i < 100; i++)); do
		responds "$path" && return
		sleep 0.05
	done
	diag "$name does not respond: $(cat "$dir/$name.err")"
}

# stop NAME [SIGNAL]
stop() {
	kill "-${2:-TERM}" "${server[$1]}"
	wait "${server[$1]}" 2> /dev/null
	unset "server[$1]"
}

# run ARGUMENT...: runs sipxdp-ctl with the main server; sets out, err and status.
run() {
	out=$("$ctl" --socket "$socket" "$@" 2> "$dir/err")
	status=$?
	err=$(cat "$dir/err")
}

# raw SCRIPT: runs a Python script with clients that send any bytes.
cat > "$dir/raw.py" <<'PY'
import json, os, select, socket, sys, time
MAIN = os.environ['MAIN']
IMPATIENT = os.environ['IMPATIENT']
status = b'{"command": "status"}\n'

class Client:
    def __init__(self, path=MAIN):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.buffer = b''
    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass # a reply sent before the close can still be read
        return self
    def receive(self):
        try:
            got = self.socket.recv(65536)
        except ConnectionResetError:
            got = b''
        self.buffer += got
        return got
    def line(self): # None after the close
        got = self.buffer
        while b'\n' not in got:
            got = self.receive()
            if not got:
                return None
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)
    def said(self): # a summary of the next reply
        line = self.line()
        if line is None:
            return 'closed'
        if not line['ok']:
            return line['error']
        return line['result']['command'] if 'command' in line['result'] else 'ok'
    def ask(self, data=status):
        return self.send(data).said()
    def closed(self): # has the server closed the connection?
        poll = select.poll()
        poll.register(self.socket, 0)
        return bool(poll.poll(0))
    def end(self): # the number of bytes and of seconds until the server closes
        start, count = time.time(), len(self.buffer)
        while got := self.receive():
            count += len(got)
        return count, time.time() - start
PY
raw() {
	PYTHONPATH=$dir PYTHONDONTWRITEBYTECODE=1 MAIN=$socket IMPATIENT=$dir/impatient.sock timeout 300 python3 -c "from raw import *
$1" 2>&1
}
