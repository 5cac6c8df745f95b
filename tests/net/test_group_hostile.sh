#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A process in the process group of three balancers sends what no member sends; a corosync has a different key; a file names
# a different group; clocks differ by minutes; releases differ. Each is refused or reported, no decision changes, and the
# daemons answer.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh

GROUP_KEYS="alone_after: 3s"

# attacked NAME: has the attack of this name ended? Its process remains a member until it is killed.
attacked() {
	grep -q ' attacks$' "$LAB_DIR/$1.log"
}

# attack NAME COUNT [REGEX]: runs an attack from the host of lb2. Meanwhile the daemon of lb1 answers, and afterwards with
# this text.
attack() {
	lab_start "$1" lb2 build/tests/tools/group-hostile edge "$1" "$2"
	check "attack '$1': the daemon answers" answers ""
	check "... the attack ends" wait_for 20 attacked "$1"
	check "... the daemon still answers${3:+ and reports it}" wait_for 10 answers "${3:-}"
	check "... the members still agree" wait_for 10 group_all group_is '.state == "agreeing"'
	lab_stop "$1" KILL || true
	check "... all agree without it" wait_for 10 group_agrees
	is "... no call has moved" "$(group_owners lb3)" "$owners"
}

# answers REGEX: does the daemon of lb1 answer with this text?
answers() {
	group_ctl lb1 --json group | grep -q "$1"
}

memory() {
	awk '$1 == "VmHWM:" { print $2 }' "/proc/${LAB_PROCESS[sipxdpd-lb1]}/status"
}

# warns HOST REGEX: does `group` have this warning?
warns() {
	group_is "$1" "[.warnings[] | select(test(\"$2\"))] | length > 0"
}

lab_open
lab_flat 3
group_open 3
for node in "${GROUP_NODES[@]}"; do
	group_start $node
done
check "three members agree" wait_for 20 group_agrees
check "a call has the same owner at all members" wait_for 10 group_same_owners
owners=$(group_owners lb1)
memory=$(memory)

attack garbage 20000 'member [^ ]* has sent [0-9]* messages that are not valid'
like "... the log names it" "$(cat "$LAB_DIR/sipxdpd-lb3.log")" 'a message of node 2, process [0-9]+ is not valid'
attack truncated 20000
attack changed 5000
attack huge 20
attack later 5000 'the release of member [^ ]* ([^ ]*) is too different'
attack replayed 5000 'two members have the name lb[1-3]'
attack silent 100
attack votes 1000
attack questions 1000
attack states 1000
attack commands 2000
attack join 20
attack stay 0 'sipxdpd of member 2/[0-9]* does not send'
check "the daemons use at most 32 MB more memory than before" test $(($(memory) - memory)) -lt 32768
check "the warnings end with the processes" wait_for 5 group_all group_is '.warnings == []'

# --- a different key

lab_stop corosync-lb3 KILL || true
lab_in lb3 sh -c 'head -c 256 /dev/urandom > /etc/corosync/authkey'
group_start_corosync lb3
check "with a different key a member stays outside, and decides alone" wait_for 20 group_is lb3 \
	'.state == "alone" and .connected and .quorate == false'
like "... status says so" "$(group_ctl lb3 status)" 'warning: +group edge: corosync has no quorum; this balancer decides by itself'
check "... the others agree without it" wait_for 20 group_is lb1 '.state == "agreeing" and (.members | length) == 2'
lab_stop corosync-lb3 KILL || true
lab_in lb3 sh -c 'head -c 256 /dev/zero > /etc/corosync/authkey'
group_start_corosync lb3
check "with the right key it agrees again" wait_for 20 group_agrees

# --- a different name

group_config lb3 | sed 's/name: edge/name: core/' | lab_write lb3 "$LAB_CONFIG"
check "a member changes to a different group" group_ctl lb3 reload
check "... the others do not see it" wait_for 10 group_is lb1 '.state == "agreeing" and (.members | length) == 2'
check "... and it does not see them" wait_for 10 group_is lb3 '.name == "core" and (.members | length) == 1'
check "... both show that a node of corosync has no member" group_is lb1 '.nodes_without_member == [3]'
like "... also as text" "$(group_ctl lb3 group)" '^no member: +on these nodes of corosync: 1, 2$'
group_config lb3 | lab_write lb3 "$LAB_CONFIG"
check "it returns" group_ctl lb3 reload
check "... and agrees" wait_for 10 group_agrees

# --- clocks, releases

# restart HOST COMMAND...: starts a different daemon there.
restart() {
	local host=$1
	shift
	lab_stop "sipxdpd-$host"
	lab_start "sipxdpd-$host" "$host" "$@" -c "$LAB_CONFIG"
}

# votes_count: do the votes of lb2 and lb3 decide?
votes_count() {
	group_cut px1 lb2 lb3
	check "$1" wait_for 10 group_all group_backend_is px1 down
	group_mend px1 lb2 lb3
	check "... and it is up again for all" wait_for 10 group_all group_backend_is px1 up
}

restart lb2 faketime -f -7m sipxdpd
restart lb3 build/tests/later/sipxdpd-2
check "members with different clocks and adjacent releases agree" wait_for 20 group_agrees
check "... without a warning" wait_for 5 group_all group_is '.warnings == []'
votes_count "... and decide together"

restart lb3 build/tests/later/sipxdpd-3
check "a release that is too different is reported" wait_for 10 warns lb1 'the release of member lb3 .* is too different: its votes do not count'
check "... at both ends" wait_for 10 warns lb3 'the release of member lb1 .* is too different: its votes do not count'
check "... the others agree" wait_for 10 group_is lb1 '.state == "agreeing"'
group_cut px1 lb2 lb3
check "... its votes do not count" wait_for 10 group_backend_is lb2 px1 suspected
is "... the backend is up for the third member" "$(group_backend lb1 px1)" up
check "all daemons have run all the time" lab_running sipxdpd-lb1
tap_end
