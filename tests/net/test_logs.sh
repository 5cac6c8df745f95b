#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The log of the daemon: fields after the sentence, levels, the audit of changes, and the fields in a real
# journal.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/lab.sh

log() { cat "$LAB_DIR/sipxdpd.log"; }
log_has() { grep -Eq -- "$1" "$LAB_DIR/sipxdpd.log"; }

lab_open
lab_flat 2
lab_config dsr
lab_balance

# --- fields

check "a backend's state has fields after the sentence" \
	wait_for 10 log_has 'backend proxies/px1 is up event=backend_state pool=proxies backend=px1 state=up$'

# --- audit

lab_ctl backend drain proxies px1 > /dev/null
check "a change is logged with its user, process, command and effect" log_has \
	"root requested 'backend drain proxies px1': done, 2 steps: backend proxies/px1: drain, was ready .* event=audit result=done uid=0 user=root pid=[1-9][0-9]* pool=proxies backend=px1 command=\"backend drain proxies px1\"$"
lab_ctl backend drain proxies px9 > /dev/null 2>&1 || true
check "a refused change is logged, too" log_has \
	"root requested 'backend drain proxies px9': refused: .*px9.* event=audit result=refused uid=0 .* backend=px9 "
lab_in balancer sh -c 'echo "broken: [" >> /etc/sipxdp/sipxdp.yaml'
lab_ctl reload > /dev/null 2>&1 || true
check "a refused reload is logged" log_has "root requested 'reload': refused: not reloaded: .* has faults"
lab_config dsr

# nobody ARGUMENT...: sipxdp-ctl as a different user, who may use the socket for this test.
nobody() {
	lab_in balancer chmod 666 /run/sipxdp/ctl.sock
	lab_in balancer setpriv --reuid=65534 --regid=65534 --clear-groups "$LAB_ROOT/build/sipxdp-ctl" "$@"
}
if nobody status > /dev/null 2>&1; then
	nobody backend ready proxies px1 > /dev/null
	check "the audit names the user of the client" log_has \
		"nobody requested 'backend ready proxies px1': done.* uid=65534 user=nobody "
else
	skip "the audit names the user of the client" "the user nobody cannot run the programs in this directory"
fi
lines=$(log | wc -l)
lab_in balancer python3 - <<'PY'
import json, socket
s = socket.socket(socket.AF_UNIX)
s.connect('/run/sipxdp/ctl.sock')
s.sendall(json.dumps({'command': 'backend add', 'arguments': {'pool': 'proxies', 'backend': 'px8',
    'address': '10.0.0.18', 'hints': 'a\n2026 forged line\r\x1b[2J'}}).encode() + b'\n')
s.recv(65536)
PY
is "an argument with line breaks stays in one line" "$(log | grep -c '^2026 forged')" 0
check "... and has no control characters" log_has '"backend add proxies px8 10.0.0.18 --hints a 2026 forged line  \[2J"'
is "... one event is one line" "$(($(log | wc -l) - lines))" 1

# --- levels

is "status shows the level" "$(lab_ctl --json status | jq -r .log_level)" info
unlike "requests that only read are not logged" "$(log)" "request 'status'"
is "the level changes at run time" "$(lab_ctl log level debug)" "log level:   debug"
lab_ctl status > /dev/null
check "the level debug shows requests that only read" log_has "request 'status' from uid 0, pid [1-9]"
lab_ctl log level warning > /dev/null
lab_ctl backend maint proxies px2 > /dev/null
unlike "the level warning hides the change of a state" "$(log)" "px2 is maint"
check "... but shows a change by an operator" log_has "requested 'backend maint proxies px2': done"
check "... and the change of the level" log_has "requested 'log level warning': done event=audit"
out=$(lab_ctl log level loud 2>&1)
like "an unknown level is refused" "$?: $out" "^1: .*no log level 'loud' \(use debug, info or warning\)"
is "... and the level stays" "$(lab_ctl --json status | jq -r .log_level)" warning
lab_stop sipxdpd > /dev/null
lab_daemon
is "a restart resets the level" "$(lab_ctl --json status | jq -r .log_level)" info
lab_stop sipxdpd > /dev/null

# --- a full disk

lab_start sipxdpd balancer sh -c 'exec sipxdpd -c /etc/sipxdp/sipxdp.yaml 2> /dev/full'
check "the daemon runs, although its log cannot be written" wait_for 10 lab_answers
like "... status says why lines are lost" "$(lab_ctl status)" 'warning: +[0-9]+ log lines of sipxdpd are lost: No space left on device'
lab_stop sipxdpd > /dev/null

# --- the journal

# journal FIELD=VALUE...: the matching lines as JSON.
journal() {
	lab_in balancer journalctl --quiet --no-pager --output=json "$@"
}
journal_has() {
	[ -n "$(journal "$@")" ]
}

if [ -x /lib/systemd/systemd-journald ] && [ -s /etc/machine-id ]; then
	lab_write balancer /etc/systemd/journald.conf.d/lab.conf <<< $'[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no'
	lab_in balancer mkdir -p /run/systemd/journal /run/log/journal
	lab_in balancer mount -t cgroup2 cgroup2 /sys/fs/cgroup # where it looks for the unit of a process
	lab_start journald balancer /lib/systemd/systemd-journald
	check "a journal is started" wait_for 10 lab_in balancer test -S /run/systemd/journal/stdout
	# systemd sets JOURNAL_STREAM for a service; systemd-cat of this release does not.
	lab_start sipxdpd balancer systemd-cat sh -c \
		'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec sipxdpd -c /etc/sipxdp/sipxdp.yaml'
	check "the daemon logs to the journal" wait_for 10 lab_answers
	lab_ctl backend weight proxies px1 3 > /dev/null
	check "the journal finds a change by its fields" wait_for 10 journal_has SIPXDP_EVENT=audit SIPXDP_BACKEND=px1
	is "... with priority, pool, user and command" "$(journal SIPXDP_EVENT=audit SIPXDP_BACKEND=px1 |
		jq -r '[.PRIORITY, .SYSLOG_IDENTIFIER, .SIPXDP_POOL, .SIPXDP_UID, .SIPXDP_USER, .SIPXDP_COMMAND, .SIPXDP_RESULT] | join("|")')" \
		"5|sipxdpd|proxies|0|root|backend weight proxies px1 3|done"
	like "... and the sentence first" "$(journal SIPXDP_EVENT=audit SIPXDP_BACKEND=px1 | jq -r .MESSAGE)" \
		"^root requested 'backend weight proxies px1 3': done"
	lab_ctl backend ready proxies px2 > /dev/null
	check "a backend's state is found by pool and state" \
		wait_for 10 journal_has SIPXDP_EVENT=backend_state SIPXDP_POOL=proxies SIPXDP_STATE=up
	is "no line goes to standard error as well" "$(journal _TRANSPORT=stdout | grep -c SIPXDP || true)" 0
	# A journal that does not read must not stop the daemon.
	kill -STOP "${LAB_PROCESS[journald]}"
	for _ in $(seq 1200); do
		echo '{"command": "backend weight", "arguments": {"pool": "proxies", "backend": "px1", "weight": 3}}'
	done > "$LAB_DIR/requests"
	is "a stopped journal does not stop the daemon" "$(lab_in balancer timeout 60 python3 - "$LAB_DIR/requests" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect('/run/sipxdp/ctl.sock')
replies = s.makefile()
for line in open(sys.argv[1]):
    s.sendall(line.encode())
    replies.readline()
print('replied')
PY
	)" replied
	lost=$(lab_ctl --json status | jq '[.warnings[] | select(test("log lines"))] | length')
	is "... and lost lines are a warning of status" "$lost" 1
	kill -CONT "${LAB_PROCESS[journald]}"
	check "... the journal receives a line about them afterwards" wait_for 10 journal_has SIPXDP_EVENT=log_lost
	lab_stop sipxdpd > /dev/null
	lab_stop journald > /dev/null
else
	skip "the fields in a journal" "there is no systemd-journald, or no /etc/machine-id"
fi

# --- without standard error
lab_start sipxdpd balancer sh -c 'exec sipxdpd -c /etc/sipxdp/sipxdp.yaml <&- >&- 2>&-'
check "the daemon runs without standard input, output and error" wait_for 10 lab_answers
for number in 0 1 2; do
	is "... descriptor $number is not one of its sockets" \
		"$(readlink "/proc/${LAB_PROCESS[sipxdpd]}/fd/$number")" /dev/null
done

tap_end
