# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Calls through a group of three balancers behind a router, which distributes packets by their ports. tests/tools/calls.c makes
# the calls and checks that all messages of a call reach one server. Needs lab.sh and group.sh.
#
# Environment: CALLS_SEED, of the order of events and of the calls; CALLS_ROUNDS, the number of rounds of a suite; CALLS_LONGEST, the
# longest duration of an event in seconds; CALLS_RATE, calls a second. Several minutes with many calls:
# CALLS_SEED=$RANDOM CALLS_ROUNDS=30 CALLS_LONGEST=10 CALLS_RATE=500 tests/net/test_group_calls.sh
# CALLS_CHANGES and CALLS_TROUBLES, names of group_troubles.sh: what tests/net/test_group_calls_moving.sh chooses from.
# CALLS_TOLERATED, the number of misrouted calls that do not make a suite fail.

CALLS_SEED=${CALLS_SEED:-1}
CALLS_LONGEST=${CALLS_LONGEST:-4}
RANDOM=$CALLS_SEED # bash generates the same numbers again for the same seed
CALLS_RATE=${CALLS_RATE:-200}
GROUP_POOL="record_time: 3s, drain_timeout: 8s"
CALLS_WRONG=(early unknown misrouted) # the counters of tests/tools/calls that must be 0
CALLS_TOLERATED=${CALLS_TOLERATED-0}
CALLS_BEFORE=0    # misrouted calls until the last check
CALLS_PACKETS=0   # messages that have reached the balancers
CALLS_FORWARDED=0
declare -A CALLS_ROUTED=() # balancer -> 1: the router sends packets to it

# calls_lab: client - router - three balancers and four servers on one switch. px4 is not in the file.
calls_lab() {
	local host i
	_lab_host client
	lab_plug client eth0 br9
	lab_address client eth0 198.51.100.100/24
	lab_in client ip route add default via 198.51.100.1
	_lab_host router
	lab_plug router eth0 br0
	lab_plug router eth1 br9
	lab_address router eth0 10.0.0.1/24
	lab_address router eth1 198.51.100.1/24
	lab_in router sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=1
	for i in 1 2 3 4; do
		lab_backend "px$i" $((10 + i)) br0
	done
	group_open 3
	for host in "${GROUP_NODES[@]}"; do
		group_start "$host"
	done
}

# calls_begin: opens the lab and starts the calls.
calls_begin() {
	local host
	lab_open
	calls_lab
	check "three members agree" wait_for 20 group_agrees
	for host in "${GROUP_NODES[@]}"; do
		calls_announce "$host"
	done
	diag "seed $CALLS_SEED"
	calls_start
	check "each balancer forwards calls" wait_for 10 calls_everywhere
}

# --- the router

# calls_route: the router sends packets to the balancers in CALLS_ROUTED.
calls_route() {
	local host hops=()
	for host in "${!CALLS_ROUTED[@]}"; do
		hops+=(nexthop via "10.0.0.2${host#lb}" dev eth0)
	done
	lab_in router ip route replace "$LAB_VIP/32" "${hops[@]}"
}

calls_withdraw() {
	unset "CALLS_ROUTED[$1]"
	calls_route
}

calls_announce() {
	CALLS_ROUTED[$1]=1
	calls_route
}

# --- the calls

calls_start() {
	local host arguments=()
	for host in "${GROUP_NODES[@]}"; do
		arguments+=("$host=$(lab_in "$host" cat /sys/class/net/eth0/address)")
	done
	for host in "${LAB_BACKENDS[@]}"; do
		arguments+=("$host=/run/netns/$LAB_ID-$host")
	done
	mkfifo "$LAB_DIR/commands"
	# Not on a lab host: the program enters the namespaces itself.
	"$LAB_ROOT/build/tests/tools/calls" "/run/netns/$LAB_ID-client" "$LAB_VIP" "$CALLS_RATE" "$CALLS_SEED" "${arguments[@]}" \
		< "$LAB_DIR/commands" > "$LAB_DIR/calls.log" 2>&1 &
	LAB_PROCESS[calls]=$!
	exec {CALLS_COMMANDS}> "$LAB_DIR/commands"
}

_calls_executed() {
	[ "$(grep -cx "$1" "$LAB_DIR/calls.log")" -gt "$2" ]
}

_calls_executed_or_ended() {
	_calls_executed "$@" || _lab_ended calls
}

# calls_do COMMAND: a command of tests/tools/calls; returns when it has been executed. Otherwise says what the program does: a
# suite without it ends at once. (A write to a program that has ended would end this shell without a word.)
calls_do() {
	local before process=${LAB_PROCESS[calls]}
	before=$(grep -cx "$1" "$LAB_DIR/calls.log") || true
	_lab_ended calls || echo "$1" >&"$CALLS_COMMANDS"
	wait_for 15 _calls_executed_or_ended "$1" "$before" || true
	! _calls_executed "$1" "$before" || return 0
	diag "tests/tools/calls has not executed '$1'; its state: $(ps -o stat=,wchan=,time= -p "$process" || echo ended). Its last lines:" \
		"$(tail -n 5 "$LAB_DIR/calls.log")" >&2
	return 1
}

# calls_count FIELD: a counter of the last report
calls_count() {
	grep '^calls ' "$LAB_DIR/calls.log" | tail -n 1 | sed -n "s/.*\b$1 \([0-9]*\).*/\1/p"
}

# calls_everywhere: has each balancer forwarded messages?
calls_everywhere() {
	local host
	calls_do report
	for host in "${GROUP_NODES[@]}"; do
		[ "$(calls_count "$host")" -gt 0 ] || return 1
	done
}

# calls_server_down: does no balancer send calls to $SERVER?
calls_server_down() {
	local host
	for host in "${GROUP_NODES[@]}"; do
		group_ctl "$host" --json backend list | jq -e --arg name "$SERVER" '.[] | select(.name == $name) | .slots == 0' || return 1
	done
}

# _calls_stalls: the times (seconds since 1970) when a balancer noticed that corosync delivers nothing
_calls_stalls() {
	local host day time
	for host in "${GROUP_NODES[@]}"; do
		sed -n 's/^\([0-9-]*\) \([0-9:.]*\) .*: new calls go to the owners .*/\1 \2/p' "$LAB_DIR/sipxdpd-$host.log"
	done | while read -r day time; do
		date -d "$day $time" +%s.%3N
	done
}

# _calls_lines EXCUSED: the lines of misrouted calls. EXCUSED 1: of those that began up to a second before a balancer noticed that
# corosync delivers nothing, because a member failed or the machine is busy; the other balancers cannot know them (docs/group.md).
# A call begins when its first message is sent: a balancer may place it that no server can hear, and a different one may receive the
# repeated message. 0: of all others.
_calls_lines() {
	awk -v excused="$1" -v kinds="^($(IFS='|' && echo "${CALLS_WRONG[*]}"))$" '
		NR == FNR { stalls[NR] = $1; next }
		$1 != "wrong:" || $2 !~ kinds { next }
		{
			line = $0
			gsub(/[][,-]/, " ")
			at = ago = is_excused = 0
			for (i = 1; i <= NF; i++) {
				if ($i == "at") at = $(i + 1)
				if ($(i + 1) == "ms" && $i > ago) ago = $i
			}
			for (i in stalls) {
				early = stalls[i] - (at - ago / 1000)
				if (early > -0.05 && early < 1) is_excused = 1
			}
		}
		is_excused == excused { print line }' <(_calls_stalls && echo 0) "$LAB_DIR/calls.log"
}

# calls_wrong: the number of misrouted calls in the last report
calls_wrong() {
	local kind excused sum=0
	for kind in "${CALLS_WRONG[@]}"; do
		sum=$((sum + $(calls_count "$kind")))
	done
	excused=$(_calls_lines 1 | wc -l)
	[ "$sum" -eq 0 ] || diag "$sum misrouted calls, of which $excused began before a balancer noticed that corosync delivers nothing" >&2
	sum=$((sum - excused - CALLS_TOLERATED))
	echo $((sum > 0 ? sum : 0))
}

# calls_check NAME: checks that no further call was misrouted; otherwise describes the first ones.
calls_check() {
	local before=$CALLS_BEFORE
	calls_do report
	CALLS_BEFORE=$(calls_wrong)
	is "$1" $((CALLS_BEFORE - before)) 0
	[ "$CALLS_BEFORE" -eq "$before" ] || diag "$(_calls_describe "$before")"
}

# _calls_describe SKIP: the messages of misrouted calls after the first SKIP ones, and what the balancers say about them now
_calls_describe() {
	local call host
	_calls_lines 0 | tail -n +$(($1 + 1)) | head -n 5 | while read -r call; do
		echo "$call"
		call=$(grep -o '[0-9]*-[0-9]*@calls.example.net' <<< "$call")
		for host in "${GROUP_NODES[@]}"; do
			echo "  $host: $(group_ctl "$host" lookup sip "$call" | cut -f2- | tr '\t' ' ')"
		done
	done
	for host in "${GROUP_NODES[@]}"; do
		echo "$host:"
		group_ctl "$host" --json backend list |
			jq -r '.[] | "  \(.name) \(.admin) \(.state) slots \(.slots) \(.migrating)"'
		tail -n 5 "$LAB_DIR/sipxdpd-$host.log" | sed 's/^/  /'
	done
}

# calls_keep_counters HOST: remembers the counters of a balancer that is about to lose them.
calls_keep_counters() {
	local packets forwarded
	packets=$(group_ctl "$1" --json stats | jq '[.services[].packets] | add')
	forwarded=$(group_ctl "$1" --json status | jq .forwarded)
	CALLS_PACKETS=$((CALLS_PACKETS + packets))
	CALLS_FORWARDED=$((CALLS_FORWARDED + forwarded))
}

# calls_results: ends the calls, and checks the counters. A message may be lost on three ways.
calls_results() {
	local host sent
	calls_do end
	check "all calls end" wait_for 30 _lab_ended calls
	lab_wait calls 1 || true
	for host in "${GROUP_NODES[@]}"; do
		calls_keep_counters "$host"
	done
	diag "$(tail -n 1 "$LAB_DIR/calls.log")"
	sent=$(calls_count sent)
	is "of $(calls_count calls) calls, with $sent messages, all have stayed at their servers" "$(calls_wrong)" 0
	check "... most of them came to their end" [ "$(calls_count completed)" -gt $(($(calls_count calls) / 2)) ]
	check "... most of them used several balancers" [ "$(calls_count mixed)" -gt $(($(calls_count calls) / 2)) ]
	is "... no message arrived twice" "$(calls_count twice)" 0
	diag "lost by the router: $((sent - CALLS_PACKETS)), behind the balancers: $((CALLS_FORWARDED - $(calls_count received)))"
	is "... the balancers dropped none" $((CALLS_PACKETS - CALLS_FORWARDED)) 0
}

# calls_change HOST ARGUMENT...: an operator's change. A balancer refuses it while it does not agree, for example just after a
# short break that it notices late; the operator then repeats it.
calls_change() {
	check "... $*" wait_for 20 group_ctl "$@"
}
