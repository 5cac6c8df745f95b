#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# `sipxdp-ctl top sources`: the heaviest sources and Call-IDs, as a report and in a real terminal (tmux), also in a flood
# from forged sources. The program counts packets only during the command. A flood's warning names its source.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

program_is() {
	[ "$(lab_in balancer sipxdp-loader status --json | jq -r '.programs[0].interfaces[0].program.name')" = "$1" ]
}

# report_has FILTER: a report for which this filter of jq is true. $r is the row of a source, by its address.
report_has() {
	lab_ctl --json top sources --seconds 1 > "$LAB_DIR/report.json"
	jq -e "(.sources | map({key: .source, value: .}) | from_entries) as \$r | $1" "$LAB_DIR/report.json"
}

# reports NAME FILTER
reports() {
	if wait_for 10 report_has "$2"; then
		ok "$1"
	else
		not_ok "$1" "$(cat "$LAB_DIR/report.json")"
	fi
}

term() {
	lab_in balancer tmux -S "$LAB_DIR/tmux" -f /dev/null "$@"
}

shows() {
	term capture-pane -p -t top | grep -Eq -- "$1"
}

appears() {
	if wait_for 15 shows "$2"; then
		ok "$1"
	else
		not_ok "$1" "$(term capture-pane -p -t top)"
	fi
}

warns() {
	lab_ctl --json status | jq -e --arg text "$1" 'any(.warnings[]; test($text))'
}

# judged: has the daemon learned the usual rates (USUAL_RATE_LEARNING in core/health/usual_rate.h)?
judged() {
	[ "$(lab_ctl --json status | jq .uptime)" -gt 12 ]
}

# flood KIND NAME WARNING
flood() {
	lab_start "flood-$1" client python3 tests/net/flood.py "$LAB_VIP" "$1"
	if wait_for 20 warns "$3"; then
		ok "$2"
	else
		not_ok "$2" "$(lab_ctl --json status | jq .warnings)"
	fi
}

lab_open
lab_flat 2
lab_config dsr
lab_in balancer sed -i "s/vip: .*/vip: [$LAB_VIP, '$LAB_VIP6']/" "$LAB_CONFIG"
lab_balance
lab_address client eth0 2001:db8::abcd/64
check "without top sources the plain program runs" program_is balancer
lab_start senders client python3 tests/net/senders.py "$LAB_VIP" "$LAB_VIP6" 10.0.0.100 10.0.0.101 10.0.0.102 10.0.0.103 \
	2001:db8::100 2001:db8::abcd

# --- reports
reports "each source has its rate, the heaviest first" '.sources[0].source == "10.0.0.100" and .sources[1].source == "2001:db8::/64" and
	(.sources | length) == 5 and $r["10.0.0.100"].packets > 2 * $r["10.0.0.101"].packets'
reports "... and its share: 4 of 9 packets" '$r["10.0.0.100"].share > 40 and $r["10.0.0.100"].share < 50'
reports "INVITEs are initial requests, also over IPv6, but not BYEs" '$r["10.0.0.100"].initial == $r["10.0.0.100"].packets and
	$r["2001:db8::/64"].initial == $r["2001:db8::/64"].packets and $r["10.0.0.101"].initial == 0'
reports "responses with a code of 400 or above are failed" \
	'$r["10.0.0.102"].failed_share == 100 and $r["10.0.0.100"].failed_share == 0'
reports "packets that are not SIP" '$r["10.0.0.103"].not_sip_share == 100 and $r["10.0.0.100"].not_sip_share == 0'
reports "one Call-ID of many packets comes first" '.call_ids[0].call_id == "one-call-of-the-second-s..." and
	.call_ids[0].share > 9'
check "the program counts meanwhile" program_is observer
like "a report as text" "$(lab_ctl top sources < /dev/null)" '^10\.0\.0\.100 +[0-9.]+ +4[0-9]\.[0-9]% '
check "... which ends a few seconds afterwards" wait_for 10 program_is balancer

# --- the screen
term new-session -d -s top -x 80 -y 24 sh
term send-keys -t top "PS1='> '; clear; sipxdp-ctl top sources; echo status \$?" Enter
appears "the screen shows the sources" '^10\.0\.0\.100 +[1-9][0-9.]*k? +4[0-9]\.[0-9]% '
appears "... and the rate of all packets" '^packets [1-9][0-9.]*k?/s +sources shown 5'
term send-keys -t top Tab
appears "Tab shows Call-IDs" '^one-call-of-the-second-s\.\.\. +[1-9]'
term send-keys -t top q
appears "q leaves the screen" '^status 0'
term send-keys -t top "clear; sipxdp-ctl top sources" Enter
appears "once more" '^10\.0\.0\.100 '
pid=$(pgrep -P "$(term display-message -p -t top '#{pane_pid}')")
kill -KILL "$pid"
check "after SIGKILL the counting ends, too" wait_for 10 program_is balancer
term kill-server

# --- floods
wait_for 30 judged
flood forged "a flood from many sources has no single source" \
	'^[0-9]+ packets that are not SIP per second, .*; no single source: the 10 heaviest send [0-9] % of them'
reports "... and hides no heavy source" '.sources[0].source == "10.0.0.100" and ([.sources[:5][].source] | sort) ==
	["10.0.0.100", "10.0.0.101", "10.0.0.102", "10.0.0.103", "2001:db8::/64"]'
lab_stop flood-forged || true
flood one_call "a flood from one source names it and its Call-ID" \
	'^[0-9]+ SIP messages .*; 10\.0\.0\.100 sends (9[0-9]|100) % of them; [5-9][0-9] % of them have the Call-ID flood0$'
like "... in the log, too" "$(cat "$LAB_DIR/sipxdpd.log")" \
	'; 10\.0\.0\.100 sends [0-9]+ % of them; .* event=flood_source kind=messages$'
lab_stop flood-one_call || true
check "then the plain program runs" wait_for 10 program_is balancer

# --- refusals
lab_in balancer rm /sys/fs/bpf/sipxdp/observer
like "without the program observer, the reason is shown" "$(lab_ctl top sources --seconds 1 2>&1 || echo "status $?")" \
	'^sipxdp-ctl: cannot count the packets of sources: .*observer'
lab_stop sipxdpd KILL > /dev/null || true
like "without the daemon, too" "$(lab_ctl top sources --seconds 1 2>&1 || echo "status $?")" 'sipxdpd.*'$'\n''status 1'
tap_end
