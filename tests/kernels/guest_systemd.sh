#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The tests of the units that run inside the machine of test_systemd.sh. Prints TAP. The balancer is the machine itself; the
# lab adds the client and the backends.
set -euo pipefail
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

LAB_CLIENTS=1
LAB_POLL=0.3
LAB_POOL="probe: {type: icmp, interval: 1s, timeout: 900ms}"
UNITS=(sipxdp-loader.service sipxdpd.service)

# The balancer's host is the machine: its namespaces are those of systemd.
eval "$(declare -f _lab_host | sed '1s/_lab_host/_lab_new_host/')"
_lab_host() {
	if [ "$1" = balancer ]; then
		LAB_HOLDER[balancer]=1
	else
		_lab_new_host "$1"
	fi
}

_lab_own_etc() {
	:
}

# through NAME COMMAND...: replaces the function of numbered.sh; this emulated machine is slow.
through() {
	local name=$1
	shift
	start_packets --rate 200 --window 32 --streams 64 --seconds 900
	check "$name" "$@"
	sleep 1
	lab_stop numbered || true
	diag "$(cat "$LAB_DIR/numbered.log")"
	check "... packets are sent meanwhile" test "$(result sent)" -gt 100
	is "... none of $(result sent) is lost" "$(result lost)" 0
	is "... none goes to a different backend" "$(result moved)" 0
}

# show UNIT PROPERTY
show() {
	systemctl show --value -p "$2" "$1"
}

active() {
	systemctl is-active "${UNITS[@]}" | xargs
}

# of_daemon FIELD: prints a field of the status of the daemon's process.
of_daemon() {
	awk -v field="$1:" '$1 == field { print $2 }' "/proc/$(show sipxdpd.service MainPID)/status"
}

# probed COUNT: have exactly COUNT backends answered a probe?
probed() {
	[ "$(sipxdp-ctl --json backend list | jq '[.[] | select(.state == "up" and .latency_last > 0)] | length')" -eq "$1" ]
}

program() {
	sipxdp-loader status --json | jq -r '[.programs[].interfaces[].program.id][0] // "none"'
}

weight() {
	sipxdp-ctl --json backend list | jq "map(select(.name == \"$1\"))[0].weight"
}

exposure() {
	systemd-analyze security --no-pager sipxdpd.service | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p'
}

# start_corosync: a cluster of one node. The user of the daemon has access as docs/group.md says.
start_corosync() {
	mkdir -p /etc/corosync/uidgid.d /var/lib/corosync /var/log/corosync
	printf 'uidgid {\n\tuid: sipxdp\n\tgid: sipxdp\n}\n' > /etc/corosync/uidgid.d/sipxdp
	cat > /etc/corosync/corosync.conf <<- CONF
		totem {
			version: 2
			cluster_name: edge
			transport: knet
			token: 20000
		}
		quorum {
			provider: corosync_votequorum
		}
		system {
			sched_rr: no
		}
		logging {
			to_stderr: yes
			to_syslog: no
		}
		nodelist {
			node {
				nodeid: 1
				name: lb1
				ring0_addr: $LAB_BALANCER
			}
		}
	CONF
	lab_start corosync balancer corosync -f
	wait_for 60 grep -q 'ready to provide service' "$LAB_DIR/corosync.log"
}

agrees() {
	[ "$(sipxdp-ctl --json group | jq -r .state)" = agreeing ]
}

upgrade_packages() {
	DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /packages/*.deb
}

# warnings: prints those of the units. A busy host may stop the machine for a few seconds, which the daemon reports. The
# senders then catch up, which looks like a flood.
warnings() {
	journalctl -q -o cat -p warning -u sipxdpd -u sipxdp-loader | sed '/^the daemon did not run for /d; / event=flood /d'
}

all() {
	diag "systemd started this test after $(cut -d. -f1 /proc/uptime) s"
	lab_open
	lab_flat 2
	is "without a configuration file no unit starts, and none fails" \
		"$(active), $(systemctl list-units -q --failed 'sipxdp*')" "inactive inactive, "
	lab_config dsr
	lab_in balancer chmod 640 "$LAB_CONFIG"
	check "systemctl start" systemctl start "${UNITS[@]}"
	is "... both units are active" "$(active)" "active active"
	is "... the balancer is attached" "$(sipxdp-loader status --json | jq -r '.programs[0].interfaces[0].name')" eth0
	check "... all backends are probed and serve" wait_for 60 probed 2
	is "the daemon has its own user, three capabilities, no_new_privs and a filter of system calls" \
		"$(show sipxdpd.service User) $(of_daemon Uid) $(of_daemon CapEff) $(of_daemon CapBnd) $(of_daemon NoNewPrivs) $(of_daemon Seccomp)" \
		"sipxdp $(id -u sipxdp) $(printf '%016x %016x' $((1 << 39 | 1 << 12 | 1 << 13)) $((1 << 39 | 1 << 12 | 1 << 13))) 1 2"
	diag "systemd-analyze security: $(exposure)"
	check "... systemd-analyze security: at most 2.5" awk "BEGIN { exit !($(exposure) <= 2.5) }"
	is "... status reports no problem" "$(sipxdp-ctl --json status | jq -c .warnings)" "[]"

	sed -i 's/{name: px1, /{name: px1, weight: 3, /' "$LAB_CONFIG"
	check "systemctl reload sipxdpd applies the file" systemctl reload sipxdpd
	is "... the new weight" "$(weight px1)" 3
	through "systemctl restart sipxdpd" systemctl restart sipxdpd
	check "... all backends are probed again" wait_for 60 probed 2
	before=$(program)
	through "systemctl reload sipxdp-loader" systemctl reload sipxdp-loader
	check "... a new program runs" test "$(program)" != "$before"
	echo "limits: {backends: 2000}" >> "$LAB_CONFIG"
	through "... also with other limits, which need new maps" systemctl reload sipxdp-loader
	is "... the maps have the new size" "$(sipxdp-loader status --json | jq '.programs[0].contract.backends')" 2000
	before="$(program) $(show sipxdpd.service MainPID)"
	through "the packages are upgraded" upgrade_packages
	check "... a new program runs" test "$(program)" != "${before% *}"
	check "... and a new daemon" test "$(show sipxdpd.service MainPID)" != "${before#* }"
	check "... all backends are probed again" wait_for 60 probed 2

	check "corosync starts" start_corosync
	echo "group: {name: edge, node: lb1}" >> "$LAB_CONFIG"
	check "systemctl reload sipxdpd with 'group:'" systemctl reload sipxdpd
	check "... the daemon connects to corosync" wait_for 60 agrees
	is "... and reads its quorum" "$(sipxdp-ctl --json group | jq -c '[.quorate, .votes, .votes_expected]')" "[true,1,1]"
	check "systemctl restart sipxdpd" systemctl restart sipxdpd
	check "... it connects again" wait_for 60 agrees

	is "both units are active, and systemd reports no failure" "$(active), $(systemctl list-units -q --failed)" \
		"active active, "
	is "the log has no warning" "$(warnings)" ""

	check "dpkg --remove stops the units" dpkg --remove sipxdp
	is "... and detaches the balancer" "$(ip -j link show eth0 | jq -r '.[0].xdp // "none"')" none
	check "systemctl start sipxdp-decap@eth0" systemctl start sipxdp-decap@eth0
	is "... attaches decap" "$(sipxdp-loader status --json | jq -r '.programs[0].name')" decap
	check "dpkg --purge" dpkg --purge sipxdp sipxdp-decap
	is "... detaches decap, and removes the configuration" \
		"$(ip -j link show eth0 | jq -r '.[0].xdp // "none"') $(ls -d /etc/sipxdp 2> /dev/null || true)" "none "
	tap_end
}

all
