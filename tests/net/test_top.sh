#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# `sipxdp-ctl top` in a real terminal (tmux), and `stats --rate` and `--watch`, while a client calls.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

term() {
	lab_in balancer tmux -S "$LAB_DIR/tmux" -f /dev/null "$@"
}

press() {
	term send-keys -t top "$@"
}

screen() {
	term capture-pane -p -t top
}

# shows REGEX: does a line of the screen match?
shows() {
	screen | grep -Eq -- "$1"
}

shows_not() {
	! shows "$1"
}

# appears NAME REGEX: passes when a line of the screen matches.
appears() {
	if wait_for 15 shows "$2"; then
		ok "$1"
	else
		not_ok "$1" "$(screen)"
	fi
}

vanishes() {
	if wait_for 15 shows_not "$2"; then
		ok "$1"
	else
		not_ok "$1" "$(screen)"
	fi
}

# The backends on the screen from top to bottom.
rows() {
	screen | grep -Eo '\bpx[0-9]\b' | xargs
}

rows_are() {
	[ "$(rows)" = "$1" ]
}

in_order() {
	if wait_for 15 rows_are "$2"; then
		ok "$1"
	else
		not_ok "$1" "$(screen)"
	fi
}

# Is text with this pattern red on the screen?
is_red() {
	term capture-pane -p -e -t top | grep -Eq -- $'\033''\[([0-9;]*;)?31m'"$1"
}

# The settings of the terminal, and whether the cursor is visible and the alternate screen is off.
terminal() {
	term send-keys -t top "stty -g > $LAB_DIR/stty && touch $LAB_DIR/stty.done" Enter
	wait_for 10 test -e "$LAB_DIR/stty.done"
	rm "$LAB_DIR/stty.done"
	cat "$LAB_DIR/stty"
	term display-message -p -t top '#{cursor_flag} #{alternate_on}'
}

# run_top [VARIABLE=VALUE...]: starts top in the pane's shell, which then prints "status N".
run_top() {
	press "clear; $* sipxdp-ctl top; echo status \$?" Enter
}

# The process of top: the only child of the pane's shell. Labs share the numbers of processes with the machine.
top_process() {
	pgrep -P "$(term display-message -p -t top '#{pane_pid}')"
}

has_ended() {
	! grep -q '^State:[[:space:]]*[^Z]' "/proc/$1/status"
}

# ends_well NAME: top has ended with status 0, and the terminal is as it was.
ends_well() {
	appears "$1" '^status 0$'
	is "... the terminal is as it was" "$(terminal)" "$before"
}

lab_open
lab_flat 3
for host in "${LAB_BACKENDS[@]}"; do
	sip_answer "$host" "$host" "$LAB_VIP"
done
LAB_POOL='record_time: 0s'
lab_config dsr
lab_balance
sip_client load client "$LAB_CLIENT" call 100000 60

# --- stats

line=$(lab_ctl stats --rate --json)
is "stats --rate: one line of JSON" "$(wc -l <<< "$line")" 1
check "... with the rate of the packets" jq -e '.seconds > 0.5 and (.verdicts[] | select(.name == "call_id").packets > 10) and
	.services[0].packets > 10 and ([.backends[].packets] | add > 10)' <<< "$line"
like "... as text" "$(lab_ctl stats --rate)" '^per second, over [0-9.]+ s:$'
lines=$({ lab_ctl stats --watch --json || true; } | head -3) # ends with the pipe
check "stats --watch: one line for each sample" test "$(jq -c .time <<< "$lines" | wc -l)" = 3
check "... with growing counters" jq -es '[.[].services[0].packets] | .[0] < .[1] and .[1] < .[2]' <<< "$lines"

# --- top

term new-session -d -s top -x 80 -y 24 sh
press "PS1='> '" Enter
before=$(terminal)

run_top
appears "top shows calls and packets per second of a backend" '^proxies +px1 +up +33\.[0-9]% +[1-9][0-9.]* .* [1-9][0-9.]*k? +[0-9.]+[kM]'
appears "... the totals" '^packets [0-9.]+k?/s +calls [1-9][0-9.]*/s +services 1 +pools 1 +backends 3, 3 in the table'
appears "... a plot of the last minute" 'max [0-9.]+k?/s$'
appears "... the keys" 'q quit'
press '<' '<' '<' '<' '<' '<' '<'
in_order "sorted by name" "px1 px2 px3"
press r
in_order "in reverse" "px3 px2 px1"
press / px2
in_order "narrowed by typing" "px2 px2" # also in the line of the filter
press Escape
in_order "Escape clears the filter" "px3 px2 px1"
press Tab
appears "pools, with their calls per second" '^proxies +3 +3 +[1-9][0-9.]* .* [0-9.]+[kM] '
press Tab
appears "services, with their calls per second" '^sip +[1-9][0-9.]* .* [0-9.]+[kM]$'
press Tab
appears "verdicts" '^call_id +forwarded +[1-9]'
press Tab

term resize-window -t top -x 44 -y 12
vanishes "a narrow terminal omits columns" 'RTT'
appears "... but not the rate" '^BACKEND +STATE .*PKT/S'
is "... and fills the screen" "$(screen | wc -l)" 12
term resize-window -t top -x 120 -y 40
appears "a wider terminal shows them" 'PKT/S .*RTT'

for host in px1 px2 px3; do
	lab_ctl backend maint proxies $host > /dev/null
done
appears "a counter that should be 0" '^anomaly: no_backend [1-9]'
check "... is red" is_red '(warning|anomaly): ' # tmux shows a colour only where it begins
for host in px1 px2 px3; do
	lab_ctl backend ready proxies $host > /dev/null
done

kill -STOP "${LAB_PROCESS[sipxdpd]}"
appears "a daemon that does not answer" 'has not answered within 3 s'
kill -CONT "${LAB_PROCESS[sipxdpd]}"
vanishes "... answers again" 'has not answered'
lab_stop sipxdpd KILL > /dev/null || true
appears "a daemon that dies: the maps answer" '^warning: sipxdpd does not answer at'
appears "... with rates" '^proxies +px1 +up +33\.[0-9]% .* [0-9.]+[kM] '
lab_daemon
vanishes "... until it is back" 'does not answer'
press q
ends_well "q"

run_top
appears "once more" 'q quit'
press C-c
ends_well "Ctrl-C"

run_top NO_COLOR=1 LC_ALL=C
appears "without colour" '^anomaly: no_backend'
check "... nothing is red" sh -c "! tmux -S '$LAB_DIR/tmux' capture-pane -p -e -t top | grep -q '\[31m'"
check "... the plot is ASCII" sh -c "! tmux -S '$LAB_DIR/tmux' capture-pane -p -t top | LC_ALL=C grep -q '[^ -~]'"
press q
ends_well "... q"

run_top TERM=vt100
appears "on a VT100" '^proxies +px1 +up'
pid=$(top_process)
kill -TERM "$pid"
ends_well "SIGTERM"

run_top TERM=none
appears "a terminal that is not known" "cannot use the terminal 'none'"
run_top TERM=dumb
appears "a terminal that cannot place the cursor" "cannot use the terminal 'dumb'"
press "sipxdp-ctl top --json; echo status \$?" Enter
appears "--json is refused" '^status 2'

run_top
appears "a terminal that is closed" 'q quit'
pid=$(top_process)
term kill-server
check "... ends top" wait_for 5 has_ended "$pid"

term -u new-session -d -s top -x 100 -y 24 env LC_ALL=C.UTF-8 sipxdp-ctl top
appears "with UTF-8 the plot has blocks" '(▁|▂|▃|▄|▅|▆|▇|█) max'
term kill-server
tap_end
