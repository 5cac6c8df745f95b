#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Three balancers, each with its own corosync, agree which backends are down, and keep working while members, their
# corosync or their quorum are missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh

GROUP_KEYS="alone_after: 3s"

# health_failures: how often lb1 and lb2 have been unhealthy because they waited for the group
health_failures() {
	cat "$LAB_DIR"/sipxdpd-lb[12].log | grep -c "health checks fail: it waits for the state of its group" || true
}

# health_says HOST TEXT
health_says() {
	! group_ctl "$1" health > "$LAB_DIR/health" && grep -q "$2" "$LAB_DIR/health"
}

is_no_member() {
	! group_ctl "$1" group > "$LAB_DIR/group" 2>&1 && grep -q 'not a member of a group' "$LAB_DIR/group"
}

lab_open
lab_flat 3
group_open 3
for node in "${GROUP_NODES[@]}"; do
	group_start $node
done

check "three members agree" wait_for 20 group_agrees
check "all members see all backends" wait_for 10 group_all group_is \
	'([.members[] | select(.up == 3 and .down == 0)] | length) == 3 and .backends == []'
check "all have the same configuration" group_all group_is '[.members[].config] | unique == ["same"]'
check "a call has the same owner at all members" wait_for 10 group_same_owners
like "group prints the members" "$(group_ctl lb2 group)" '^lb2 +yes +2 +agreeing'

# --- one backend

before=$(group_owners lb1)
group_cut px1 lb1
check "a backend that one member cannot reach is suspected there" wait_for 10 group_backend_is lb1 px1 suspected
check "its vote is known to the others" wait_for 5 group_is lb3 '.backends[0].votes == ["lb1 down", "lb2 up", "lb3 up"]'
is "the backend remains up for the others" "$(group_backend lb3 px1)" up
is "no call moves at the member that cannot reach it" "$(group_owners lb1)" "$before"
like "the reason names the votes" "$(group_ctl lb1 backend list)" 'up for 2 of 3 balancers of the group, down for this one: no reply'
group_cut px1 lb2
check "with two votes the backend is down for all" wait_for 10 group_all group_backend_is px1 down
check "its calls have the same new owners at all members" wait_for 10 group_same_owners
like "the member that reaches it says why it is down" "$(group_ctl lb3 backend list)" \
	'down for 2 of 3 balancers of the group, up for this one'
group_mend px1 lb1 lb2
check "it is up again for all" wait_for 10 group_all group_backend_is px1 up
check "and has its calls again at all members" wait_for 20 group_all group_has_owners "$before"

# --- a member that sees no backend

for backend in px1 px2 px3; do
	group_cut $backend lb1
done
check "a member to which no backend responds says so" wait_for 30 group_is lb1 \
	'[.warnings[] | select(test("no backend responds to this balancer"))] | length == 1'
check "its health fails" wait_for 5 health_says lb1 'no backend responds to this balancer'
check "the health of the others does not" group_ctl lb2 health
is "it keeps the decision of the others" "$(group_owners lb1)" "$before"
is "no backend is down" "$(for node in lb1 lb2 lb3; do group_backend $node px1; done | grep -c down)" 0
for backend in px1 px2 px3; do
	group_mend $backend lb1
done
check "the warning ends when backends respond" wait_for 15 group_is lb1 '.warnings == []'
check "and health succeeds" wait_for 5 group_ctl lb1 health

# --- a stopped daemon

kill -STOP "${LAB_PROCESS[sipxdpd-lb2]}"
check "the others notice a stopped daemon" wait_for 10 group_is lb1 '.members[1].state == "silent"'
group_cut px1 lb1 lb3
like "... the log says so" "$(cat "$LAB_DIR/sipxdpd-lb3.log")" 'group edge: these members do not send, and their votes do not count: 2 \(lb2\)'
check "its old votes do not count" wait_for 10 group_backend_is lb3 px1 down
group_mend px1 lb1 lb3
kill -CONT "${LAB_PROCESS[sipxdpd-lb2]}"
check "it takes part again when it continues" wait_for 15 group_agrees
check "and all have the backend again" wait_for 15 group_all group_backend_is px1 up

# --- corosync stopped, killed, without quorum

kill -STOP "${LAB_PROCESS[corosync-lb3]}"
check "without corosync a member decides alone" wait_for 20 group_is lb3 '.state == "alone"'
check "its daemon answers at once" lab_in lb3 timeout 6 sipxdp-ctl status
check "the two others agree without it" wait_for 20 group_is lb1 '.state == "agreeing" and (.members | length) == 2'
group_cut px2 lb3
check "it uses its own probes" wait_for 15 group_backend_is lb3 px2 down
is "the others do not" "$(group_backend lb1 px2)" up
kill -CONT "${LAB_PROCESS[corosync-lb3]}"
check "it agrees again when corosync continues" wait_for 30 group_agrees
check "the majority decides there, too" wait_for 10 group_backend_is lb3 px2 suspected
group_mend px2 lb3

lab_stop corosync-lb3 KILL || true
check "corosync killed: the member decides alone" wait_for 20 group_is lb3 '.state == "alone" and .connected == false'
like "status says what is missing" "$(group_ctl lb3 status)" 'warning: +group edge: .*corosync does not run.*; this balancer decides by itself'
lab_stop corosync-lb2 KILL || true
check "without quorum the last member decides alone" wait_for 30 group_is lb1 '.state == "alone" and .quorate == false'
like "it says so" "$(group_ctl lb1 status)" 'warning: +group edge: corosync has no quorum; this balancer decides by itself'
failures=$(health_failures)
group_start_corosync lb2
check "the quorum is back" wait_for 30 group_is lb1 '.state == "agreeing"'
check "... not all are unhealthy meanwhile, because none has the state of the group before" [ "$(health_failures)" -lt $((failures + 2)) ]
group_start_corosync lb3
check "all agree when corosync is back" wait_for 40 group_agrees

# --- different files

group_config lb3 px4 | lab_write lb3 "$LAB_CONFIG"
check "a different file is accepted" group_ctl lb3 reload
check "the others see that it differs" wait_for 10 group_is lb1 '.members[2].config == "differs" and .members[1].config == "same"'
check "group prints the line" wait_for 10 group_is lb3 \
	'.differences[0].lines == ["pools: proxies: backends: - {name: px4, address: 10.0.0.14, weight: 1}"]'
like "status warns" "$(group_ctl lb1 status)" 'the running configuration differs from that of member lb3'
group_config lb3 | lab_write lb3 "$LAB_CONFIG"
group_ctl lb3 reload > "$LAB_DIR/reload"
check "the warning ends with the difference" wait_for 10 group_is lb1 '.differences == [] and .warnings == []'

# --- start and end

lab_stop sipxdpd-lb1
check "a daemon that ends leaves the group" wait_for 10 group_is lb2 '(.members | length) == 2'
lab_stop corosync-lb1 KILL || true
group_start_daemon lb1
check "a daemon starts without corosync" wait_for 20 group_is lb1 '.state == "alone"'
is "its backends are up" "$(group_backend lb1 px3)" up
group_config lb1 | sed '/^group:/d' | lab_write lb1 "$LAB_CONFIG"
check "a reload without 'group:'" group_ctl lb1 reload
check "the balancer is then not a member" wait_for 5 is_no_member lb1
tap_end
