#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Two balancers with `two_node: 1`: what docs/group.md says about a fault of the network between them, in both directions and
# in one, about a killed corosync, and about a balancer that starts while the other one is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh

GROUP_KEYS="alone_after: 3s"
GROUP_QUORUM="two_node: 1"

# deafen HOST: corosync there receives nothing from the other nodes.
deafen() {
	lab_in "$1" nft "add table inet cut; add chain inet cut input { type filter hook input priority 0; };
		add rule inet cut input udp dport 5405 drop"
}

hear() {
	lab_in "$1" nft delete table inet cut
}

# each_decides: px1 does not respond to lb1, and each member uses its own probes. Both are quorate.
each_decides() {
	check "each is the only member of its half, which is quorate" wait_for 20 group_all group_is \
		'.state == "agreeing" and .quorate and (.members | length) == 1'
	check "... it warns" group_all group_is '[.warnings[] | select(test("corosync has 1 of 2 votes"))] | length == 1'
	check "... lb1 takes the backend out of service that does not respond to it" wait_for 10 group_backend_is lb1 px1 down
	is "... lb2 does not" "$(group_backend lb2 px1)" up
}

both_decide() {
	check "both agree again" wait_for 30 group_agrees
	check "... without a warning" wait_for 10 group_all group_is '.warnings == []'
	check "... the backend is suspected, and up for the group" wait_for 10 group_backend_is lb1 px1 suspected
	check "... all calls are where they were" wait_for 20 group_all group_has_owners "$owners"
}

lab_open
lab_flat 3
group_open 2
for node in "${GROUP_NODES[@]}"; do
	group_start $node
done
check "two members agree" wait_for 20 group_agrees
check "a call has the same owner at both" wait_for 10 group_same_owners
owners=$(group_owners lb1)
group_cut px1 lb1
check "a backend that one of them cannot reach stays up" wait_for 10 group_backend_is lb1 px1 suspected

diag "the network between them fails in both directions"
deafen lb1
deafen lb2
each_decides
hear lb1
hear lb2
both_decide

diag "it fails in one direction"
deafen lb2
each_decides
hear lb2
both_decide

diag "corosync of lb2 is killed"
lab_stop corosync-lb2 KILL || true
check "lb1 stays quorate and decides" wait_for 20 group_is lb1 '.state == "agreeing" and (.members | length) == 1'
check "... by its own probes" wait_for 10 group_backend_is lb1 px1 down
check "lb2 decides alone" wait_for 10 group_is lb2 '.state == "alone"'

diag "corosync of lb1 starts while lb2 is missing"
lab_stop corosync-lb1 KILL || true
group_start_corosync lb1
check "it has no quorum until it has seen lb2" wait_for 20 group_is lb1 '.connected and .quorate == false'
check "... lb1 decides alone" wait_for 10 group_is lb1 '.state == "alone"'
is "... its health is good" "$(group_ctl lb1 health > /dev/null && echo good)" good
group_start_corosync lb2
both_decide
tap_end
