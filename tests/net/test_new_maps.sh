#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# New maps with different limits or a different ABI version replace the pinned maps while numbered packets
# arrive: no packet is lost, and the new maps contain the state of the old ones.
#
# Starts early: it takes nearly a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

PINS=/sys/fs/bpf/sipxdp

# configure LIMITS: writes a file with three backends, which are probed by pings to the VIP.
configure() {
	LAB_POOL="$POOL" lab_config dsr
	lab_in balancer sh -c "echo 'limits: {$1}' >> $LAB_CONFIG"
}
POOL=$'record_time: 0s\nprobe: {type: icmp, interval: 200ms, timeout: 150ms}'

# field NAME FILTER: prints a field of a backend.
field() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

field_is() {
	[ "$(field "$1" "$2")" = "$3" ]
}

# known: prints the state that operators and probes have set.
known() {
	lab_ctl --json backend list | jq -c '.[] | [.name, .state, .admin, .weight]' | xargs
}

# owners: prints a digest of the owner of each call.
owners() {
	seq 1000 | lab_ctl lookup sip - | md5sum
}

contract() {
	lab_in balancer sipxdp-loader status --json | jq ".programs[0].contract.$1"
}

upgrade() {
	lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG" "$@"
}

no_temporary_pins() {
	! lab_in balancer test -e $PINS/next && [ "$(lab_in balancer find $PINS -name '*_to_take*')" = "" ]
}

# says WORDS: does the log of the daemon contain these words?
says() {
	grep -Fq "$1" "$LAB_DIR/sipxdpd.log"
}

# refuses NAME WORDS UPGRADE-OPTION...: checks that an upgrade fails with this reason and changes nothing.
refuses() {
	local name=$1 words=$2 before output status=0
	shift 2
	before=$(lab_in balancer find $PINS | sort)
	output=$(upgrade "$@" 2>&1) || status=$?
	is "$name: refused" $status 1
	like "... with a reason" "$output" "$words"
	is "... no temporary pins remain" "$(lab_in balancer find $PINS | sort)" "$before"
}

next_is_filled() {
	[ "$(lab_in balancer bpftool -j map lookup pinned $PINS/next/contract key 0 0 0 0 | jq .formatted.value.filled)" = 1 ]
}

# stop_loader_before_switch: starts an upgrade, and stops the loader when it has pinned the new maps. Then the daemon fills them.
stop_loader_before_switch() {
	: > "$LAB_DIR/upgrade.log"
	kill -STOP "${LAB_PROCESS[sipxdpd]}"
	lab_start upgrade balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
	wait_for 10 lab_in balancer test -e $PINS/next/contract
	kill -STOP "${LAB_PROCESS[upgrade]}"
	kill -CONT "${LAB_PROCESS[sipxdpd]}"
	wait_for 10 next_is_filled
}

# refuses_stale_maps NAME: checks that the stopped loader continues, but does not activate the new maps.
refuses_stale_maps() {
	local status=0
	kill -CONT "${LAB_PROCESS[upgrade]}"
	lab_wait upgrade 10 || status=$?
	is "$1: it does not activate the new maps" $status 1
	like "... with a reason" "$(cat "$LAB_DIR/upgrade.log")" "sipxdpd has returned to the old maps .* nothing was changed: run"
	check "... no temporary pins remain" no_temporary_pins
	check "... the old maps are still pinned" lab_in balancer test -e $PINS/contract
}

lab_open
lab_flat 3
configure 'backends: 16'
lab_balance
check "all backends are up" wait_for 10 eval '[ "$(lab_ctl --json backend list | jq -r ".[].state" | xargs)" = "up up up" ]'
lab_ctl backend maint proxies px3 > /dev/null
lab_ctl backend weight proxies px2 2 > /dev/null
lab_ctl pool finish proxies > /dev/null
before=$(known) calls=$(owners)

# --- new limits

configure 'backends: 64, tracked_calls: 4096'
through "more backends and tracked calls" upgrade
stays
is "... the maps have room for them" "$(contract backends) $(contract tracked_calls)" "64 4096"
is "... backends keep their state" "$(known)" "$before"
is "... calls keep their backends" "$(owners)" "$calls"
check "... the daemon uses the new maps" wait_for 5 says "the new maps are in place"
check "... no temporary pins remain" no_temporary_pins
unlike "... status has no warning about maps or interfaces" "$(lab_ctl status)" 'warning: .*(attach|detach|interface|map)'
lab_in balancer sed -i 's/\(name: px1, .*\)}/\1, weight: 9}/' "$LAB_CONFIG"
lab_in balancer sed -i 's/backends: 64/backends: 65/' "$LAB_CONFIG"
through "other changes of FILE wait for a reload" upgrade
stays
is "... the maps have room for one backend more" "$(contract backends)" 65
is "... backends keep their state" "$(known) $(owners)" "$before $calls"
through "the new maps forward packets" true
is "... and the counters grow for both active backends" \
	"$(lab_ctl --json backend list | jq '[.[] | select(.packets > 0)] | length')" 2

lab_in px1 ip address del "$LAB_VIP/32" dev lo
check "probes continue: a backend without the VIP is down" wait_for 10 field_is px1 .state down
lab_address px1 lo "$LAB_VIP/32"
check "... and up again" wait_for 10 field_is px1 .state up

configure 'backends: 4, tracked_calls: 4096, slots: 1024'
lab_ctl pool finish proxies > /dev/null
through "fewer backends, and a different number of slots" upgrade
is "... the maps have these sizes" "$(contract backends) $(contract slots)" "4 1024"
is "... backends keep their state" "$(known)" "$before"
is "... an upgrade with the same limits keeps the maps" "$(upgrade | grep -c 'has replaced program')" 1

# --- refused and waiting upgrades

lab_ctl backend add proxies px4 10.0.0.14 > /dev/null
configure 'backends: 3, slots: 2048'
refuses "limits too small for backends added by sipxdp-ctl" "no sipxdpd .* has filled the new maps within 2 s" --timeout 2
check "... the daemon logs the reason" says "the new maps have room for fewer backends than are running"
wait_for 20 field_is px4 .state unreachable
before_restart=$(known)
lab_stop sipxdpd TERM
configure 'backends: 8, slots: 2048'
lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
check "the daemon starts with a file that is too large for the maps, and waits" wait_for 5 says "slots is 2048, and the maps were made for 1024"
through "... an upgrade makes new maps" upgrade
check "... the daemon fills them" wait_for 10 says "the new maps are in place"
is "... backends keep their state" "$(known)" "$before_restart"
lab_ctl backend remove proxies px4 > /dev/null
lab_ctl pool finish proxies > /dev/null
configure 'backends: 32, slots: 1024'
refuses "an upgrade with --timeout 0" "nothing was changed" --timeout 0

POOL=${POOL/0s/1h} configure 'backends: 8, slots: 2048'
lab_ctl reload > /dev/null
lab_ctl backend ready proxies px3 > /dev/null
POOL=${POOL/0s/1h} configure 'backends: 32, slots: 1024'
refuses "slots are migrating" "pool finish" --timeout 3
check "... the daemon logs it, too" says "wait for the end of all migrations"
through "migrations end while the upgrade waits" eval 'upgrade & sleep 1.5; lab_ctl pool finish proxies && wait $!'
is "... the new maps are in use" "$(contract backends)" 32
check "... px3 owns slots" wait_for 5 lab_serving 3

lab_ctl backend drain proxies px3 > /dev/null
POOL=${POOL/0s/1h} configure 'backends: 33, slots: 1024'
through "slots are migrating and their number stays the same: new maps need not wait" upgrade
is "... the new maps are in use" "$(contract backends)" 33
like "... the migration continues" "$(field px3 .migrating)" losing
lab_ctl backend ready proxies px3 > /dev/null
lab_ctl pool finish proxies > /dev/null
before=$(known) calls=$(owners)

configure 'backends: 40, slots: 1024'
lab_stop sipxdpd TERM
refuses "no daemon runs" "no sipxdpd .* has filled" --timeout 1
lab_start upgrade balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
check "the loader waits" wait_for 10 lab_in balancer test -e $PINS/next/contract
lab_stop upgrade TERM || true
check "... is interrupted, and no temporary pins remain" no_temporary_pins
configure 'backends: 40, slots: 512'
lab_start upgrade balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
wait_for 10 lab_in balancer test -e $PINS/next/contract
lab_stop upgrade KILL || true
start_packets
lab_daemon
check "the loader is killed: the daemon fills the maps that it leaves behind" says "waiting for new maps"
like "... commands that change something are refused meanwhile" "$(lab_ctl backend weight proxies px1 7 2>&1)" "is switching to new maps"
check "... it switches back to the pinned maps" wait_for 10 says "switching to other maps, which are filled"
is "... backends keep their state" "$(known)" "$before"
lab_stop numbered || true
is "... no packet was lost meanwhile" "$(result lost)" 0
lab_in px2 sysctl -qw net.ipv4.icmp_echo_ignore_all=1
check "... probes continue" wait_for 10 field_is px2 .state down
lab_in px2 sysctl -qw net.ipv4.icmp_echo_ignore_all=0
check "... and detect the recovery" wait_for 10 field_is px2 .state up
lab_ctl pool finish proxies > /dev/null
through "the next upgrade makes new maps" upgrade
is "... the new maps are in use" "$(contract backends) $(contract slots)" "40 512"
check "... no temporary pins remain" no_temporary_pins

# The loader is delayed, and the daemon uses the old maps again.
configure 'backends: 36, slots: 512'
stop_loader_before_switch
check "the loader is stopped: the daemon returns to the old maps and accepts changes" wait_for 10 lab_ctl backend maint proxies px1
refuses_stale_maps "... the loader continues"
is "... the change stays" "$(field px1 .admin)" maint
stop_loader_before_switch
lab_stop sipxdpd KILL || true
lab_daemon
lab_ctl backend ready proxies px1 > /dev/null
refuses_stale_maps "the daemon is restarted while the loader is stopped"
is "... the change stays" "$(field px1 .admin)" ready
lab_ctl pool finish proxies > /dev/null
through "the next upgrade makes new maps" upgrade
is "... the new maps are in use" "$(contract backends)" 36
is "... backends keep their state" "$(known)" "$before"

# The state after a loader was killed while it moved pins.
lab_in balancer sh -c "mkdir $PINS/next && mv $PINS/pools $PINS/contract $PINS/next"
like "some pins are moved: the status of the loader warns" "$(lab_in balancer sipxdp-loader status)" 'warning: .*was interrupted'
through "... upgrade completes the move" upgrade
check "... no temporary pins remain" no_temporary_pins
is "... backends keep their state" "$(known)" "$before"

# --- a different ABI version

# Makes the sources of a release with a different ABI version and different structs.
make_next_release() {
	local next=$LAB_DIR/next-release
	mkdir "$next"
	cp -a bpf vmlinux core loader ctl Makefile "$next"
	sed -i -e 's/^#define ABI_VERSION .*/#define ABI_VERSION 1000/' \
		-e '/^struct \(backend_record\|backend\|service\|contract\|pool\) {/,/^}/ { /^};/i\	__u64 grown;
		}' -e '/^_Static_assert(sizeof(struct \(backend_record\|backend\|service\|contract\|pool\))/d' \
		-e '/^struct backend_record {/,/^}/ s/^\t__u16 weight;/\t__u64 before;\n&/' "$next/bpf/abi.h"
	make -s -j2 -C "$next" CFLAGS=-O0 build/sipxdp-loader build/sipxdpd build/sipxdp-ctl > "$LAB_DIR/next-release.log" 2>&1 || { tail -n 20 "$LAB_DIR/next-release.log" && return 1; }
}

check "a release with a different ABI version is built" make_next_release
lab_ctl backend maint proxies px3 > /dev/null
lab_ctl backend weight proxies px1 3 > /dev/null
lab_ctl pool finish proxies > /dev/null
lab_in px2 sysctl -qw net.ipv4.icmp_echo_ignore_all=1
check "one backend is down" wait_for 10 field_is px2 .state down
before=$(known) calls=$(owners)
PATH=$LAB_DIR/next-release/build:$PATH
like "its loader names the needed command" "$(lab_in balancer sipxdp-loader upgrade 2>&1)" 'contract version .*1000: .*upgrade -c FILE'
lab_stop sipxdpd TERM
lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
check "its daemon waits" wait_for 10 says "this program needs version 1000"
kill -HUP "${LAB_PROCESS[sipxdpd]}"
sleep 0.3
check "... also after SIGHUP" lab_running sipxdpd
through "its maps replace the maps of this release" upgrade
stays
check "... it responds to sipxdp-ctl" wait_for 10 lab_answers
is "... the maps have its ABI version" "$(contract version) $(contract backends)" "1000 36"
is "... backends keep their state" "$(known)" "$before"
is "... calls keep their backends" "$(owners)" "$calls"
check "... no temporary pins remain" no_temporary_pins
lab_in px2 sysctl -qw net.ipv4.icmp_echo_ignore_all=0
check "probes continue" wait_for 10 field_is px2 .state up
through "its next upgrade keeps the maps" lab_in balancer sipxdp-loader upgrade
stays
lab_ctl pool finish proxies > /dev/null
lab_stop sipxdpd TERM
PATH=${PATH#*:}
lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
check "the daemon of this release waits for its maps" wait_for 10 says "this program needs version $(sed -n 's/^#define ABI_VERSION //p' bpf/abi.h):"
check "... and stops on SIGTERM" lab_stop sipxdpd TERM
lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
through "an upgrade back to this release" upgrade
stays
check "... px3 is still in maint" wait_for 10 field_is px3 .admin maint
tap_end
