#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Operations on a running balancer: each change takes effect at once and moves only the
# calls that it must move.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

# owners: prints "CALL-ID BACKEND" for 2,000 Call-IDs.
owners() {
	seq -f 'operate-%g@example.net' 2000 | lab_ctl lookup sip - | awk '{ print $1, $2 }'
}

# moved BEFORE: prints "FROM TO" for each Call-ID whose owner has changed since BEFORE.
moved() {
	paste -d' ' <(cut -d' ' -f2 <<< "$1") <(owners | cut -d' ' -f2) | awk '$1 != $2'
}

same_owners() {
	[ -z "$(moved "$1")" ]
}

share() {
	lab_ctl --json backend list | jq ".[] | select(.name == \"$1\") | .share | round"
}

backend() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

# calls_end_well NAME: runs calls, which must all succeed.
calls_end_well() {
	sip_client "$1" client "$LAB_CLIENT" options 60 100
	lab_wait "$1" 20
}

pull_the_cable() {
	lab_in switch ip link set "$1-eth0" down
}

put_it_back() {
	lab_in switch ip link set "$1-eth0" up
}

is_out() {
	[ "$(backend "$1" .slots)" -eq 0 ]
}

mac_is() {
	[ "$(backend "$1" .mac)" = "$2" ]
}

# Has the migration of each pool ended? While it lasts, a plan says so in the text of its steps.
is_settled() {
	lab_ctl --json pool list | jq -e 'all(.[]; .migrating == false)'
}

start_again() {
	lab_stop sipxdpd || true
	lab_daemon && wait_for 10 lab_serving "$1"
}

lab_open
lab_flat 4
for host in "${LAB_BACKENDS[@]}"; do
	sip_answer "$host" "$host" "$LAB_VIP" answer-options
done
# Linux verifies a silent neighbour after half a minute by default; here after a few seconds.
lab_in balancer sysctl -qw net.ipv4.neigh.eth0.base_reachable_time_ms=2000 net.ipv4.neigh.eth0.delay_first_probe_time=1
LAB_POOL=$'record_time: 0s\ndrain_timeout: 1s'
lab_config dsr px1 px2 px3
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
wait_for 10 lab_serving 3
first=$(owners)

like "maint prints the slots that move" "$(lab_ctl backend maint proxies px2)" '^33\.[0-9]+% of the slots of proxies move '
is "... px2 has no slots" "$(share px2)" 0
is "... only px2's calls move" "$(moved "$first" | cut -d' ' -f1 | sort -u)" px2
is "... they move to all other backends" "$(moved "$first" | cut -d' ' -f2 | sort -u | xargs)" "px1 px3"
check "... calls succeed" calls_end_well maint
like "... backend list shows maint" "$(backend px2 .admin)" maint
check "ready" lab_ctl backend ready proxies px2
is "... px2 owns exactly its previous slots" "$(moved "$first")" ""

check "weight 3" lab_ctl backend weight proxies px1 3
is "... gives px1 three fifths" "$(share px1)" 60
is "... calls move to px1 only" "$(moved "$first" | cut -d' ' -f2 | sort -u)" px1
check "... the weight survives a restart of the daemon" start_again 3
is "... px1 still has three fifths" "$(share px1)" 60
check "reload" lab_ctl reload
is "... restores the weight of the file" "$(moved "$first")" ""

check "add" lab_ctl backend add proxies px4 10.0.0.14
check "... it owns slots as soon as its neighbour entry resolves" wait_for 5 lab_serving 4
is "... it has a quarter of the slots" "$(share px4)" 25
is "... calls move to px4 only" "$(moved "$first" | cut -d' ' -f2 | sort -u)" px4
check "... calls succeed" calls_end_well add
lab_ctl save | lab_write balancer /etc/sipxdp/saved.yaml
check "save writes a valid file" lab_in balancer sipxdpd -c /etc/sipxdp/saved.yaml --check
like "... the file contains the new backend" "$(lab_in balancer cat /etc/sipxdp/saved.yaml)" 10.0.0.14
is "... its plan moves no slots" \
	"$(lab_ctl --json plan /etc/sipxdp/saved.yaml | jq .moved_percent)" 0
before=$(owners)
is "plan with the original file would move the slots of px4" \
	"$(lab_ctl --json plan "$LAB_CONFIG" | jq '.moved_percent | round')" 25
is "... plan itself moves nothing" "$(moved "$before")" ""
check "remove" lab_ctl backend remove proxies px4
is "... each call has its previous owner again" "$(moved "$first")" ""
check "remove a backend of the file" lab_ctl backend remove proxies px3
is "... only its calls move" "$(moved "$first" | cut -d' ' -f1 | sort -u)" px3
check "... the removal survives a restart of the daemon" start_again 2
is "... only its calls have moved" "$(moved "$first" | cut -d' ' -f1 | sort -u)" px3
check "reload" lab_ctl reload
check "... brings it back" wait_for 5 lab_serving 3
is "... with its previous slots" "$(moved "$first")" ""

pull_the_cable px2
check "a backend whose cable is pulled loses its slots" wait_for 30 is_out px2
is "... only its calls move" "$(moved "$first" | cut -d' ' -f1 | sort -u)" px2
check "... calls succeed" calls_end_well cable
put_it_back px2
check "... it owns slots again after the cable is back" wait_for 30 lab_serving 3
is "... exactly its previous slots" "$(moved "$first")" ""
lab_in px2 ip link set dev eth0 address 02:00:00:00:00:77
wait_for 10 lab_in px2 ping -c 1 -W 2 "$LAB_BALANCER"
check "a new MAC address of a backend is detected" wait_for 30 mac_is px2 02:00:00:00:00:77
check "... calls succeed" calls_end_well card

unlike "drain of the first backend gives no warning" "$(lab_ctl backend drain proxies px1)" warning
unlike "... maint of the second backend gives no warning" "$(lab_ctl backend maint proxies px2)" warning
LAST_WARNING='^warning: .*pool proxies: no healthy backend accepts new calls; the balancer cannot forward them$'
like "... drain of the last backend warns" "$(lab_ctl backend drain proxies px3)" "$LAST_WARNING"
like "... maint of the last backend warns" "$(lab_ctl backend maint proxies px3)" "$LAST_WARNING"
for backend in px1 px2 px3; do
	unlike "$backend: ready, without a warning" "$(lab_ctl backend ready proxies $backend)" warning
done
check "... all backends own their previous slots" wait_for 5 same_owners "$first"
check "... and no pool is migrating" wait_for 10 is_settled

lab_in px2 ip address add 10.0.0.42/24 dev eth0
lab_in balancer cp "$LAB_CONFIG" "$LAB_CONFIG.before"
lab_in balancer sed -i 's/10\.0\.0\.12}/10.0.0.42}/' "$LAB_CONFIG"
planned=$(lab_ctl --json plan "$LAB_CONFIG")
is "plan with a new address: the slots of px2 (a third) move until the address resolves" "$(jq '.moved_percent | round' <<< "$planned")" 33
unlike "... the plan contains no invented MAC address" "$planned" "next hop is now"
is "... reload has the effects that plan printed" "$(lab_ctl --json reload --move-calls | jq -c .steps,.pools)" "$(jq -c .steps,.pools <<< "$planned")"
check "... px2 owns slots once its address resolves" wait_for 5 lab_serving 3
is "... with its previous slots" "$(moved "$first")" ""
lab_in balancer cp "$LAB_CONFIG.before" "$LAB_CONFIG"
lab_ctl reload --move-calls > /dev/null

for words in status "service list" "pool list" "backend list" stats "lookup sip a-call"; do
	# shellcheck disable=SC2086 # words of a command
	check "--json: $words prints JSON" jq -e . <(lab_ctl --json $words)
done
tap_end
