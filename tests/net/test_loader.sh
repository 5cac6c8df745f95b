#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# sipxdp-loader in correct and incorrect use: the attached programs and the pins after each command. A command
# that fails changes nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PINS=/sys/fs/bpf/sipxdp

loader() {
	lab_in balancer sipxdp-loader "$@"
}

# fails NAME REGEX ARGUMENT...: exit status 1, with a message that matches.
fails() {
	fails_with 1 "$@"
}

fails_with() {
	local wanted=$1 name=$2 regex=$3 output status=0
	shift 3
	output=$(loader "$@" 2>&1) || status=$?
	if [ $status -eq "$wanted" ] && grep -Eq -- "$regex" <<< "$output"; then
		ok "$name"
	else
		not_ok "$name" "$(printf 'exit status %d, wanted %d; wanted to match: %s\n%s' $status "$wanted" "$regex" "$output")"
	fi
}

# config INTERFACE... [-- LINE...]: writes the balancer's file and appends the lines.
config() {
	local interfaces=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		interfaces+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	lab_config dsr
	{
		lab_in balancer sed "s/^interfaces: .*/interfaces: [$(IFS=,; echo "${interfaces[*]}")]/" "$LAB_CONFIG"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} | lab_write balancer "$LAB_CONFIG.new"
	lab_in balancer mv "$LAB_CONFIG.new" "$LAB_CONFIG"
}

# xdp INTERFACE: prints "MODE NAME" of its XDP program; nothing without one.
xdp() {
	lab_in balancer ip -j -d link show "$1" |
		jq -r '.[0].xdp // empty | if .mode == 1 then "native" elif .mode == 2 then "generic" else .mode end + " " + .prog.name'
}

program_id() {
	lab_in balancer ip -j link show "$1" | jq '.[0].xdp.prog.id'
}

# pins: prints all pins, those of the top directory first.
pins() {
	lab_in balancer find $PINS -type f -printf '%d %P\n' 2> /dev/null | LC_ALL=C sort | cut -d' ' -f2 | xargs
}

MAPS=$({
	printf "balancer\nobserver\ncall_writer\n" # the programs
	sed -n 's/^} \([a-z0-9_]*\) SEC("\.maps");.*/\1/p' bpf/maps.h bpf/guard_maps.h
} | LC_ALL=C sort | xargs)

state() {
	loader status --json | jq -r "$1"
}

# answers_pings: the balancer answers pings of the client.
answers_pings() {
	lab_in client ping -c 2 -i 0.05 -W 2 "$LAB_BALANCER"
}

is_untouched() {
	is "$1" "$(xdp eth0)$(xdp eth1)$(pins)" ""
}

# --- nothing is attached

usage() {
	fails_with 2 "no command" "name a command" --verbose
	fails_with 2 "an unknown command" "unknown command frobnicate" frobnicate
	fails_with 2 "an unknown option" "unknown option --frobnicate" attach --frobnicate
	fails_with 2 "an option of a different command" "json" attach --json
	fails_with 2 "an option without its argument" "missing after -c" attach -c
	fails_with 2 "attach without a file" "-c FILE" attach
	fails_with 2 "the balancer's interface as an argument" "remove the argument eth0" attach -c "$LAB_CONFIG" eth0
	fails_with 2 "decap without an interface" "name at least one interface" attach --program decap
	fails_with 2 "a mode that does not exist" "'native' or 'generic'" attach -c "$LAB_CONFIG" --mode fast
	fails_with 2 "a mode for an upgrade of the balancer" "remove --mode" upgrade --mode native
	fails_with 2 "a program that does not exist" "'balancer' or 'decap'" status --program frobnicate
	fails_with 2 "an invalid address" "10.0.0.256" attach --program decap eth0 --address 10.0.0.256
	fails_with 2 "a relative directory for pins" "absolute" status --pin-dir pins
	fails_with 0 "--help" "detach" --help
	fails_with 0 "--help after a command" "detach" attach --help
	fails_with 0 "--version" "^sipxdp-loader [^ ]+$" --version
}

bad_input() {
	fails "a file that does not exist" "/nowhere.yaml.*No such file" attach -c /nowhere.yaml
	lab_in balancer sed -e 's/^hash_key/hsah_key/' -e 's/port: 5060/port: 70000/' "$LAB_CONFIG" |
		lab_write balancer /etc/sipxdp/bad.yaml
	fails "a file with faults: the first fault" "^/etc/sipxdp/bad.yaml:2:1: .*hsah_key" attach -c /etc/sipxdp/bad.yaml
	fails "... and the second one in the same run" "^/etc/sipxdp/bad.yaml:6:[0-9]+: .*70000" attach -c /etc/sipxdp/bad.yaml
	config eth0 eth7
	fails "an interface that does not exist" "cannot attach to eth7: No such device" attach -c "$LAB_CONFIG"
	is_untouched "... no other interface is attached"
	fails "a directory that is not on a bpffs" "/tmp/pins is not on a bpffs" attach -c "$LAB_CONFIG" --pin-dir /tmp/pins
	fails "the root of bpffs, which is shared with other programs" "is the root of a bpffs" attach -c "$LAB_CONFIG" --pin-dir /sys/fs/bpf
	like "output that cannot be written" "$(lab_in balancer sh -c 'sipxdp-loader status > /dev/full' 2>&1 || true)" \
		"cannot write: No space"
	config eth0
	fails_with 3 "upgrade, when nothing is attached" "sipxdp-loader attach" upgrade
	fails_with 0 "detach, when nothing is attached" "not attached to anything" detach
	fails "... detach of a named interface" "not attached to eth0" detach eth0
	fails_with 0 "status, when nothing is attached" "nothing is attached" status
	is "... in JSON" "$(state '.programs, .warnings' | jq -c . | xargs)" "[] []"
}

unprivileged() {
	local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+bpf,+net_admin,+perfmon
		--ambient-caps=+bpf,+net_admin,+perfmon "$(command -v sipxdp-loader)")
	fails_as_nobody "without privileges: the message names the required ones" "root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
	is_untouched "... and nothing is attached"
	check "the three capabilities suffice" lab_in balancer "${nobody[@]}" attach -c "$LAB_CONFIG"
	is "... the program is attached" "$(xdp eth0)" "native balancer"
	fails "... root refuses pins that an unprivileged user can change" "belongs to user 65534" detach
	check "... the unprivileged user detaches" lab_in balancer "${nobody[@]}" detach
	is_untouched "... and nothing remains"
}

fails_as_nobody() {
	local output status=0
	output=$(lab_in balancer setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$(command -v sipxdp-loader)" attach -c "$LAB_CONFIG" 2>&1) || status=$?
	is "$1: exit status" $status 1
	like "$1" "$output" "$2"
}

bpffs_is_mounted() {
	local output
	# shellcheck disable=SC2016 # the inner shell expands $1
	output=$(lab_in balancer unshare --mount sh -c '
		umount /sys/fs/bpf && sipxdp-loader attach -c "$1" && findmnt -n -o FSTYPE /sys/fs/bpf && sipxdp-loader detach
		' sh "$LAB_CONFIG" 2>&1) || true
	like "attach mounts a missing bpffs" "$output" "^mounted bpffs at /sys/fs/bpf$"
	like "... bpffs is mounted afterwards" "$output" "^bpf$"
	is_untouched "... and detach works"
}

# --- attach

attach() {
	config eth0 -- "limits: {slots: 1024, pools: 3, services: 5, backends: 7}"
	is "attach reports its result" "$(loader attach -c "$LAB_CONFIG")" "balancer attached to eth0, native"
	is "... the program is attached" "$(xdp eth0)" "native balancer"
	is "... all maps, the program and the link are pinned" "$(pins)" "$MAPS links/eth0"
	is "the map contract contains the limits of the file" \
		"$(lab_in balancer bpftool -j map dump pinned $PINS/contract | jq -c '.[0].formatted.value | del(.version, .filled)')" \
		'{"backends":7,"counted_calls":65536,"guarded_sources":262144,"pools":3,"services":5,"slots":1024,"tracked_calls":262144}'
	is "services has twice the entries of the limit, for a reload" "$(map_entries services)" 10
	is "tables has two entries per pool" "$(map_entries tables)" 6
	is "... of 2 bytes per slot" "$(lab_in balancer bpftool -j map show pinned $PINS/tables | jq .bytes_value)" 2048
	is "backends has one more entry than the limit, because id 0 is reserved" "$(map_entries backends) $(map_entries backend_traffic)" "8 8"
	check "packets pass" answers_pings
	check "bpftool shows the counters by name" [ "$(lab_verdict not_service)" -ge 2 ]

	fails_with 3 "a second attach has nothing to do" "already attached to eth0" attach -c "$LAB_CONFIG"
	is "... the program remains attached" "$(xdp eth0)" "native balancer"
	config eth0 eth1 lan.7 -- "limits: {slots: 1024, pools: 3, services: 5, backends: 7}"
	fails_with 0 "attach adds the interfaces that are new in the file" "balancer attached to lan.7" attach -c "$LAB_CONFIG"
	is "... with the running program" "$(program_id eth1) $(program_id lan.7)" "$(program_id eth0) $(program_id eth0)"
	is "... and pins a link for each, without a dot in the name" "$(pins)" "$MAPS links/eth0 links/eth1 links/lan:7"

	is "status lists the three interfaces" "$(state '.programs[0] | .name, (.interfaces[] | .name, .state, .mode)' | xargs)" \
		"balancer eth0 attached native eth1 attached native lan.7 attached native"
	is "... with the program" "$(state '.programs[0].interfaces[0].program | "\(.name) \(.id)"')" \
		"balancer $(program_id eth0)"
	is "... the link's pin" "$(state '.programs[0].interfaces[2].pin')" "$PINS/links/lan:7"
	is "... the limits" "$(state '.programs[0].contract | "\(.slots) \(.backends)"')" "1024 7"
	is "... and no warnings" "$(state '.warnings[]')" ""
	like "status as text lists the interfaces, too" "$(loader status)" "^lan\.7 +attached +native +link +balancer"

	fails "detach of an interface that is not attached" "eth7" detach eth0 eth7
	is "... detaches none" "$(xdp eth0)" "native balancer"
	check "detach of one interface" loader detach lan.7
	is "... keeps the others" "$(xdp eth0) $(xdp eth1)$(xdp lan.7)" "native balancer native balancer"
	is "... and the maps" "$(pins)" "$MAPS links/eth0 links/eth1"
}

map_entries() {
	lab_in balancer bpftool -j map show pinned "$PINS/$1" | jq .max_entries
}

# --- upgrade, with eth0 and eth1 attached

upgrade() {
	local before
	before=$(program_id eth0)
	lab_in balancer bpftool map update pinned $PINS/pools key 1 0 0 0 value 9 0 0 0 0 0 0 0 0 0 0 0
	fails_with 0 "upgrade reports its result" "eth1: program [0-9]+ has replaced program $before" upgrade
	check "... the program is new" [ "$(program_id eth0)" -gt "$before" ]
	is "... on both interfaces" "$(program_id eth0)" "$(program_id eth1)"
	is "upgrade keeps the maps" \
		"$(lab_in balancer bpftool -j map lookup pinned $PINS/pools key 1 0 0 0 | jq .formatted.value.table)" 9
	check "upgrade with the file" loader upgrade -c "$LAB_CONFIG"
	is "... an interface attached later gets the new program" "$(attach_later)" "$(program_id eth0)"

	lab_start pings client ping -q -i 0.002 "$LAB_BALANCER"
	check "8 upgrades" upgrade_often 8
	lab_stop pings INT || true
	like "... lose no ping" "$(cat "$LAB_DIR/pings.log")" "^([0-9]{3,}) packets transmitted, \1 received"
}

attach_later() {
	loader attach -c "$LAB_CONFIG" > /dev/null
	program_id lan.7
	loader detach lan.7 > /dev/null
}

upgrade_often() {
	local i
	for ((i = 0; i < $1; i++)); do
		loader upgrade || return 1
	done
}

mismatch() {
	local before
	before=$(program_id eth0)
	config eth0 eth1 lan.7 -- "limits: {slots: 2048, pools: 3, services: 5, backends: 7}"
	fails "upgrade with other limits needs a daemon" "no sipxdpd of this release" upgrade -c "$LAB_CONFIG" --timeout 0
	fails "... attach of a further interface is refused" "room for 1024 slots, but $LAB_CONFIG needs 2048" attach -c "$LAB_CONFIG"
	fails "... with the command to run" "upgrade -c $LAB_CONFIG" attach -c "$LAB_CONFIG"
	is "... nothing changes" "$(program_id eth0) $(program_id eth1) $(xdp lan.7)" "$before $before "

	write_contract 77 0 0 0
	fails "upgrade over a different version needs a file" "contract version 77, but this program needs version .*upgrade -c" upgrade
	is "... nothing changes" "$(program_id eth0) $(program_id eth1)" "$before $before"
	like "... and status warns" "$(state '.warnings[]')" "version 77"
	write_contract "$(($(abi_version) & 255))" 0 0 0
	check "upgrade works over the right version" loader upgrade

	lab_in balancer rm $PINS/pools
	fails "upgrade without one of the maps is refused" "$PINS/pools: No such file" upgrade
	check "detach works without it" loader detach
	is_untouched "... and nothing remains"
}

abi_version() {
	sed -n 's/^#define ABI_VERSION //p' bpf/abi.h
}

# write_contract BYTE BYTE BYTE BYTE: writes the version and keeps the sizes.
write_contract() {
	local sizes
	mapfile -t sizes < <(lab_in balancer bpftool -j map lookup pinned $PINS/contract key 0 0 0 0 | jq -r '.value[4:][]')
	lab_in balancer bpftool map update pinned $PINS/contract key 0 0 0 0 value "$@" "${sizes[@]}"
}

# --- changes by other programs

interface_goes() {
	config eth0 lan.7
	loader attach -c "$LAB_CONFIG" > /dev/null
	lab_in balancer ip link del lan.7
	like "status warns of a deleted interface" "$(state '.warnings[]')" "lan.7: the interface no longer exists"
	fails_with 0 "... upgrade warns, too, and upgrades the others" "lan.7: nothing is attached any more" upgrade
	is "... afterwards status warns of the deleted interface only" "$(state '.warnings[] | select(contains("no longer exists") | not)')" ""
	fails "... attach is refused" "cannot attach to lan.7: No such device" attach -c "$LAB_CONFIG"
	lab_plug balancer lan.7 br1
	like "after its return status warns that nothing is attached" "$(state '.warnings[]')" "lan.7: nothing is attached any more"
	check "... attach works" loader attach -c "$LAB_CONFIG"
	is "... with the program of the other interfaces" "$(program_id lan.7)" "$(program_id eth0)"
	lab_in balancer ip link del lan.7
	fails_with 0 "detach removes the pin of a deleted interface" "lan.7: was detached already" detach
	is_untouched "... and all others"
	lab_plug balancer lan.7 br1
}

unit() {
	lab_unit balancer sipxdp-loader.service "$1"
}

unit_runs() {
	local before
	config lan.7
	check "the unit attaches the balancer" unit ExecStart
	is "... to the interfaces of the file" "$(xdp lan.7)" "native balancer"
	before=$(program_id lan.7)
	check "... it starts again, without another interface" unit ExecStart
	check "... and replaces the program" [ "$(program_id lan.7)" -gt "$before" ]
	lab_in balancer ip link del lan.7
	lab_plug balancer lan.7 br1
	check "after the only interface was created again, a reload works" unit ExecReload
	is "... and attaches the interface" "$(xdp lan.7)" "native balancer"
	config lan.7 eth1
	pass_on eth1
	before=$(program_id lan.7)
	like "if an interface refuses, the reload fails" "$(unit ExecReload 2>&1 || echo "status $?")" "^status 1$"
	check "... after it has replaced the program of the others" [ "$(program_id lan.7)" -gt "$before" ]
	lab_in balancer ip link set dev eth1 xdpdrv off
	check "... and works when the interface is free" unit ExecReload
	is "... all interfaces are attached" "$(xdp lan.7) $(xdp eth1)" "native balancer native balancer"
	loader detach > /dev/null
}

interface_is_renamed() {
	config lan.7
	loader attach -c "$LAB_CONFIG" > /dev/null
	lab_in balancer sh -c "ip link set lan.7 down && ip link set lan.7 name wan && ip link set wan up"
	is "status lists a renamed interface by its new name" "$(state '.programs[0].interfaces[0] | "\(.name) \(.state)"')" \
		"wan attached"
	like "... and reports the previous one" "$(state '.warnings[]')" "wan: the interface was called lan.7"
	lab_in balancer ip link add lan.7 up type veth peer name lan7peer
	fails "attach to a new interface of the previous name is refused" "lan.7.* is now called wan" attach -c "$LAB_CONFIG"
	check "detach accepts the new name" loader detach wan
	is_untouched "... and nothing remains"
	lab_in balancer ip link del lan.7
	config wan
	loader attach -c "$LAB_CONFIG" > /dev/null
	lab_in balancer sh -c "ip link set wan down && ip link set wan name lan.7 && ip link set lan.7 up"
	config lan.7
	like "attach with the current name keeps the attachment" "$(loader attach -c "$LAB_CONFIG" 2>&1)" \
		"balancer is already attached to lan.7"
	is "... and renames the pin: no warning remains" "$(state '.warnings[]')" ""
	check "... detach finds it" loader detach lan.7
}

foreign_program() {
	local before
	config eth1 eth0
	pass_on eth0
	before=$(program_id eth0)
	fails "attach names the XDP program on the interface" "cannot attach to eth0: Device or resource busy \(XDP program 'pass' \(id $before\)" \
		attach -c "$LAB_CONFIG"
	fails "... and a command that shows it" "ip link show eth0" attach -c "$LAB_CONFIG"
	is "... the other program remains" "$(program_id eth0)" "$before"
	is "... the other interface is not attached" "$(xdp eth1)$(pins)" ""
	lab_in balancer ip link set dev eth0 xdpdrv off

	loader attach -c "$LAB_CONFIG" > /dev/null
	lab_in balancer bpftool link detach pinned $PINS/links/eth0
	pass_on eth0
	like "status warns of a different program in place of the balancer" "$(state '.warnings[]')" \
		"eth0: XDP program 'pass' .* has replaced the program of sipxdp"
	check "detach removes the pins" loader detach
	is "... and keeps the other program" "$(xdp eth0)" "native pass"
	lab_in balancer ip link set dev eth0 xdpdrv off
}

pass_on() {
	lab_in balancer ip link set dev "$1" xdpdrv object "$LAB_DIR/pass.bpf.o" section xdp.frags
}

other_namespace() {
	config eth0
	loader attach -c "$LAB_CONFIG" > /dev/null
	as_the_client_sees_it() {
		nsenter --target "${LAB_HOLDER[balancer]}" --mount --net="/run/netns/$LAB_ID-client" sipxdp-loader "$@"
	}
	is "status in a different network namespace reports elsewhere" \
		"$(as_the_client_sees_it status --json | jq -r '.programs[0].interfaces[0].state')" elsewhere
	like "... attach refuses to replace the pin" "$(as_the_client_sees_it attach -c "$LAB_CONFIG" 2>&1 || true)" \
		"network namespace .*--pin-dir"
	check "... upgrade works through the link" as_the_client_sees_it upgrade
	check "... detach, too" as_the_client_sees_it detach
	is_untouched "... nothing remains"
}

# A driver without native XDP, and a driver that refuses it with the current settings of the interface.
generic_mode() {
	lab_in balancer ip link add soft up type bridge
	config soft
	fails "a driver without native XDP: the message suggests generic mode" "cannot attach to soft: .*--mode generic" \
		attach -c "$LAB_CONFIG"
	is "... the loader does not select it by itself" "$(xdp soft)$(pins)" ""
	fails_with 0 "attach --mode generic warns" "warning: generic" attach -c "$LAB_CONFIG" --mode generic
	is "... and attaches" "$(xdp soft)" "generic balancer"
	like "... status warns, too" "$(state '.warnings[]')" "soft: the program runs in generic mode"
	check "... upgrade" loader upgrade
	is "... keeps the mode" "$(xdp soft)" "generic balancer"
	check "... detach" loader detach
	lab_in balancer ip link del soft

	lab_in balancer ip link add few up numrxqueues 1 type veth peer name many numtxqueues 4
	lab_in balancer ethtool -L many tx 4
	config eth0 few
	fails "a driver that refuses: the message contains the reason of the driver" "cannot attach to few: .*rx queues.*--mode generic" \
		attach -c "$LAB_CONFIG"
	is_untouched "... the interface attached before is detached again"
	lab_in balancer ip link del few
}

# --- a loader that is interrupted

interrupted() {
	local i attached=0 nothing=0 other=
	config eth0 eth1 lan.7
	for ((i = 0; i < 24; i++)); do
		lab_start interrupted balancer sipxdp-loader attach -c "$LAB_CONFIG"
		sleep "0.0$((i % 12))$((RANDOM % 10))"
		lab_stop interrupted INT 2> /dev/null || true
		case "$(xdp eth0)|$(xdp eth1)|$(xdp lan.7)|$(pins)" in
		"|||") nothing=$((nothing + 1)) ;;
		"native balancer|native balancer|native balancer|$MAPS links/eth0 links/eth1 links/lan:7") attached=$((attached + 1)) ;;
		*) other+="$(xdp eth0)|$(xdp eth1)|$(xdp lan.7)|$(pins) " ;;
		esac
		loader detach > /dev/null
	done
	is "an interrupted attach leaves all or nothing ($attached times all, $nothing times nothing)" "$other" ""
}

# lose_link [PIN...]: removes the pin of the link, and further pins, and waits until the program is detached.
lose_link() {
	lab_in balancer rm $PINS/links/eth0 "$@"
	wait_for 10 has_no_program
}

has_no_program() {
	[ -z "$(xdp eth0)" ]
}

# A killed loader can leave pins without a link.
killed() {
	config eth0 -- "limits: {slots: 1024}"
	loader attach -c "$LAB_CONFIG" > /dev/null
	lab_in balancer bpftool map update pinned $PINS/pools key 1 0 0 0 value 9 0 0 0 0 0 0 0 0 0 0 0
	lose_link
	like "status warns of maps without an interface" "$(state '.warnings[]')" "maps are pinned, but no interface is attached"
	fails_with 3 "... upgrade has nothing to do" "not attached to anything" upgrade
	check "... attach uses these maps" loader attach -c "$LAB_CONFIG"
	is "... with their content" \
		"$(lab_in balancer bpftool -j map lookup pinned $PINS/pools key 1 0 0 0 | jq .formatted.value.table)" 9
	lose_link
	lab_in balancer ip link add soft up type bridge
	config eth0 soft -- "limits: {slots: 2048, services: 9}"
	fails "... a failed attach with different limits" "cannot attach to soft" attach -c "$LAB_CONFIG"
	is "... keeps the maps" "$(pins) $(map_entries services)" "$MAPS 1024"
	lab_in balancer ip link del soft
	config eth0 -- "limits: {slots: 2048, services: 9}"
	fails_with 0 "... a successful one replaces them" "the loader replaces these maps" attach -c "$LAB_CONFIG"
	is "... by maps of the new limits" "$(map_entries services)" 18
	lose_link $PINS/contract
	check "incomplete maps: attach replaces them" loader attach -c "$LAB_CONFIG"
	is "... by a complete set" "$(pins)" "$MAPS links/eth0"
	lose_link $PINS/contract
	check "... detach removes them" loader detach
	is_untouched "... and nothing remains"
}

at_once() {
	local failed=0 i
	config eth0 eth1
	for i in 1 2 3 4; do
		lab_start "at-once$i" balancer sipxdp-loader attach -c "$LAB_CONFIG"
	done
	for i in 1 2 3 4; do
		lab_wait "at-once$i" 20 || failed=$((failed + 1))
	done
	is "one of four concurrent attaches succeeds" $failed 3
	is "... for both interfaces" "$(xdp eth0) $(xdp eth1)" "native balancer native balancer"
	is "... with one program" "$(program_id eth0)" "$(program_id eth1)"
	loader detach > /dev/null
}

other_directory() {
	config eth0
	check "attach --pin-dir" loader attach -c "$LAB_CONFIG" --pin-dir /sys/fs/bpf/some/where/
	is "... pins in that directory" "$(lab_in balancer ls /sys/fs/bpf/some/where/links) $(pins)" "eth0 "
	like "... status --pin-dir" "$(loader status --pin-dir /sys/fs/bpf/some/where)" "eth0 +attached"
	check "... upgrade --pin-dir" loader upgrade --pin-dir /sys/fs/bpf/some/where
	check "... detach --pin-dir" loader detach --pin-dir /sys/fs/bpf/some/where
	is "... removes the pins" "$(lab_in balancer find /sys/fs/bpf/some -type f)$(xdp eth0)" ""
}

# --- decap

DECAP_MAPS="decap decap_addresses decap_ports decap_sources decap_verdicts decap_vips"

decap() {
	lab_in balancer ip address add 10.0.0.33/24 dev eth0 label eth0:1
	config eth1
	loader attach -c "$LAB_CONFIG" > /dev/null
	fails_with 0 "decap attaches" "decap attached to eth0, native" attach --program decap eth0 --address 10.9.9.9
	is "... the program is attached" "$(xdp eth0)" "native decap"
	is "... for the addresses of the interface except link-local ones, and for the address of --address" "$(tunnel_ends)" \
		"10.0.0.2 10.0.0.33 10.9.9.9 192.0.2.10 2001:db8::2 2001:db8:f::10"
	is "... the pins are beside those of the balancer" "$(pins)" \
		"${MAPS/counted_calls/counted_calls $DECAP_MAPS} decap_links/eth0 links/eth1"
	check "packets pass" answers_pings
	check "... and are counted" [ "$(lab_verdict not_tunnelled balancer decap_verdicts)" -ge 2 ]
	fails "an interface without an address" "lan.7 has no address" attach --program decap lan.7
	check "... unless --address names one" loader attach --program decap lan.7 --address 10.9.9.10
	fails_with 3 "a second attach has nothing to do" "already attached to lan.7" attach --program decap lan.7 --address 10.9.9.10
	fails_with 0 "... with a new address adds the address" "1 new tunnel endpoint" attach --program decap lan.7 --address 2001:db8::99
	is "status lists both programs" "$(state '.programs[] | .name, .interfaces[].name' | xargs)" "balancer eth1 decap eth0 lan.7"
	fails_with 0 "upgrade of decap" "lan.7: program" upgrade --program decap
	check "... keeps the addresses" [ "$(tunnel_ends | wc -w)" -eq 8 ]
	check "detach of one interface" loader detach --program decap eth0
	is "... removes the addresses of the interface, not those of --address" "$(tunnel_ends)" "10.9.9.10 10.9.9.9 2001:db8::99"
	check "detach of the balancer" loader detach
	is "... keeps decap" "$(pins)" "$DECAP_MAPS decap_links/lan:7"
	check "detach of decap" loader detach --program decap
	is_untouched "... nothing remains"
	lab_in balancer ip address del 10.0.0.33/24 dev eth0
}

# Addresses that two interfaces share, and addresses of deleted interfaces.
decap_addresses() {
	loader attach --program decap eth0 > /dev/null
	lab_address balancer lan.7 10.0.0.2/32 10.7.7.7/32
	loader attach --program decap lan.7 > /dev/null
	loader detach --program decap eth0 > /dev/null
	is "detach keeps an address that a second interface has" "$(tunnel_ends)" "10.0.0.2 10.7.7.7"
	fails_with 1 "attach fails for a missing interface" "eth7" attach --program decap eth0 eth7 --address 10.9.9.9
	lab_in balancer ip link add soft up type bridge
	fails_with 1 "... and after the first of two interfaces" "cannot attach to soft" attach --program decap eth0 soft --address 10.9.9.9
	is "... the addresses are unchanged" "$(tunnel_ends)" "10.0.0.2 10.7.7.7"
	lab_in balancer ip link del soft
	loader attach --program decap eth0 > /dev/null
	lab_in balancer ip link del lan.7
	loader detach --program decap lan.7 > /dev/null
	is "detach removes the addresses of a deleted interface" "$(tunnel_ends)" "10.0.0.2 192.0.2.10 2001:db8::2 2001:db8:f::10"
	lab_plug balancer lan.7 br1
	lab_address balancer lan.7 10.7.7.7/32
	loader attach --program decap lan.7 > /dev/null
	lab_in balancer ip link del lan.7
	lab_plug balancer lan.7 br1
	lab_address balancer lan.7 10.7.7.7/32 10.7.7.8/32
	loader attach --program decap lan.7 > /dev/null
	is "attach of a recreated interface adds its addresses" "$(tunnel_ends)" \
		"10.0.0.2 10.7.7.7 10.7.7.8 192.0.2.10 2001:db8::2 2001:db8:f::10"
	lab_in balancer bpftool link detach pinned $PINS/decap_links/lan:7
	loader detach --program decap lan.7 > /dev/null
	is "detach removes the addresses of an interface that bpftool has detached" "$(tunnel_ends)" \
		"10.0.0.2 192.0.2.10 2001:db8::2 2001:db8:f::10"
	loader detach --program decap > /dev/null
	lab_in balancer ip link del lan.7
	lab_plug balancer lan.7 br1
}

tunnel_ends() {
	lab_in balancer bpftool -j map dump pinned $PINS/decap_addresses | python3 -c '
import ipaddress, json, sys
for entry in json.load(sys.stdin):
    address = ipaddress.ip_address(bytes(int(byte, 16) for byte in entry["key"]))
    print(address.ipv4_mapped or address)' | LC_ALL=C sort | xargs
}

# --- libxdp's dispatcher, if this kernel supports it

dispatcher() {
	local output status=0
	config eth0
	output=$(loader attach -c "$LAB_CONFIG" --dispatcher 2>&1) || status=$?
	if [ $status -eq 1 ]; then
		like "--dispatcher on a kernel without support: the message names the reason" "$output" "BPF_PROG_TYPE_EXT .*dispatcher"
		is_untouched "... and attaches nothing"
		skip "the dispatcher itself" "this kernel refuses programs of type BPF_PROG_TYPE_EXT"
		return
	fi
	is "--dispatcher attaches libxdp's dispatcher" "$(xdp eth0)" "native xdp_dispatcher"
	is "... the dispatcher calls the balancer" "$(state '.programs[0].interfaces[0] | "\(.name) \(.state) \(.dispatcher) \(.program.name)"')" \
		"eth0 attached true balancer"
	check "packets pass" answers_pings
	check "... and are counted" [ "$(lab_verdict not_service)" -ge 2 ]
	check "... upgrade" loader upgrade
	check "... detach" loader detach
	is_untouched "... nothing remains"
}

lab_open
lab_flat 1
# Not on the client's switch, where each interface would answer ARP requests for the addresses of the other.
lab_plug balancer eth1 br1
lab_plug balancer lan.7 br1
config eth0
usage
bad_input
unprivileged
bpffs_is_mounted
attach
upgrade
mismatch
interface_goes
unit_runs
interface_is_renamed
foreign_program
other_namespace
generic_mode
interrupted
killed
at_once
other_directory
decap
decap_addresses
dispatcher
tap_end
