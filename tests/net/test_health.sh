#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Probes, and what follows from them: who dies is out in time and hurts nobody else's
# calls; too few alive are not believed; priorities, groups, slow start.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PROBE='type: options, interval: 500ms, timeout: 300ms'
IN_TIME=2000 # ms: three times the interval, the timeout, and 200

# configure POOL-LINES [MORE-OF-PX1 ...]: px1 to px4, with more keys of each.
configure() {
	local i lines=$1
	shift
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			services:
			  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
			pools:
			  - name: proxies
			    record_time: 1s
			$(sed 's/^/    /' <<< "$lines")
			    backends:
		YAML
		for i in 1 2 3 4; do
			echo "      - {name: px$i, address: 10.0.0.1$i${1:+, $1}}"
			shift $(($# > 0))
		done
	} | lab_write balancer "$LAB_CONFIG"
}

# reconfigure ...: likewise, and nothing is migrating then.
reconfigure() {
	configure "$@"
	lab_ctl reload > /dev/null && lab_ctl pool finish proxies > /dev/null
}

# backend NAME FILTER
backend() {
	lab_ctl --json backend list proxies | jq -r ".[] | select(.name == \"$1\") | $2"
}

states() {
	lab_ctl --json backend list proxies | jq -r '.[].state' | xargs
}

states_are() {
	[ "$(states)" = "$1" ]
}

state_is() {
	[ "$(backend "$1" .state)" = "$2" ]
}

# Who has slots.
serving() {
	lab_ctl --json backend list proxies | jq -r '.[] | select(.slots > 0) | .name' | xargs
}

serving_are() {
	[ "$(serving)" = "$1" ]
}

# owners: "CALL-ID BACKEND" of 2,000 Call-IDs, as the balancer has it now.
owners() {
	seq -f 'health-%g@example.net' 2000 | lab_ctl lookup sip - | awk '{ print $1, $2 }'
}

owners_are() {
	[ "$(owners)" = "$1" ]
}

# moved BEFORE: "FROM TO" of each Call-ID that has another owner than then.
moved() {
	paste -d' ' <(cut -d' ' -f2 <<< "$1") <(owners | cut -d' ' -f2) | awk '$1 != $2'
}

# changes NAME: how often its state has changed, by the log.
changes() {
	grep -c " backend proxies/$1 is " "$LAB_DIR/sipxdpd.log" || true
}

# answers NAME: how many OPTIONS this server has said 200 to, as far as it has written.
answers() {
	grep -c ' 200 OK' "$LAB_DIR/$1.messages" || true
}

# out_in NAME EVENT...: how long after the event its calls have been taken from it, ms;
# 20 s at most.
out_in() {
	local name=$1 before begin now
	before=$(changes "$1")
	shift
	begin=${EPOCHREALTIME/[.,]/}
	"$@" > /dev/null 2>&1 || true
	while now=${EPOCHREALTIME/[.,]/} && [ $((now - begin)) -lt 20000000 ] && [ "$(changes "$name")" -eq "$before" ]; do
		sleep 0.01
	done
	echo $(((now - begin) / 1000))
}

start_server() {
	[ -z "${LAB_PROCESS[$1]:-}" ] || lab_stop "$1" > /dev/null 2>&1 || true
	sip_answer "$1" "$1" "$LAB_VIP" "${@:2}"
}

# start_saying NAME STATUS: a server that answers OPTIONS so.
start_saying() {
	sed "s/200 OK/$2/" "$SIP_SCENARIOS/answer-options.xml" > "$LAB_DIR/$1-says.xml"
	SIP_SCENARIOS=$LAB_DIR start_server "$1" "$1-says"
}

stop_server() {
	kill -s "$2" "${LAB_PROCESS[$1]}"
}

pull_the_cable() {
	lab_in switch ip link set "$1-eth0" down
}

put_it_back() {
	lab_in switch ip link set "$1-eth0" up
}

slots_are() {
	[ "$(backend "$1" .slots)" -eq "$2" ]
}

# dies NAME WORDS BACK... -- EVENT...: by the event, and comes back.
OUTAGES= # "NAME FROM TO", in seconds
dies() {
	local name=$1 words=$2 back=() before took begin
	shift 2
	while [ "$1" != -- ]; do
		back+=("$1")
		shift
	done
	shift
	before=$(owners)
	begin=$(date +%s.%N)
	took=$(out_in "$name" "$@")
	diag "$words: out after $took ms, $IN_TIME are due"
	check "$words: it is out" [ "$took" -lt 20000 ]
	check "... it has no slots" wait_for 5 slots_are "$name" 0
	is "... no other's calls move" "$(moved "$before" | cut -d' ' -f1 | sort -u)" "$name"
	is "... they are spread over all others" "$(moved "$before" | cut -d' ' -f2 | sort -u | xargs)" "$(xargs <<< "${LAB_BACKENDS[*]/$name/}")"
	"${back[@]}"
	OUTAGES+="$name $begin $(date +%s.%N)"$'\n'
	check "... is up again" wait_for 10 state_is "$name" up
	check "... and has its slots again" wait_for 10 owners_are "$before"
}

# unfinished NAME: its calls that saw no BYE, but for those that may have been hurt.
unfinished() {
	awk -F'\t' -v name="$1" -v outages="$OUTAGES" '
		BEGIN { n = split(outages, lines, "\n"); for (i = 1; i <= n; i++) { split(lines[i], word, " "); if (word[1] == name) { from = word[2]; to = word[3] } } }
		$4 != "R" || $5 !~ /^sx/ { next }
		!($5 in first) { first[$5] = $3 }
		$7 ~ /^BYE/ { ended[$5] = 1 }
		END { for (call in first) if (!ended[call] && (first[call] < from - 3 || first[call] > to + 1)) print call }' "$LAB_DIR/$1.messages"
}

lab_open
lab_flat 4
for host in "${LAB_BACKENDS[@]}"; do
	start_server "$host" answer
done
configure "probe: {$PROBE}"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
check "all are up" wait_for 10 states_are "up up up up"
check "... and serve" wait_for 10 serving_are "px1 px2 px3 px4"

# --- who dies

lab_ctl pool finish proxies > /dev/null
sip_client calls client "$LAB_CLIENT" call 1200 40 -d 2000
sleep 2
dies px1 "a SIP server is killed" start_server px1 answer -- stop_server px1 KILL
dies px2 "a SIP server hangs" stop_server px2 CONT -- stop_server px2 STOP
dies px3 "a cable is pulled" put_it_back px3 -- pull_the_cable px3
lab_wait calls 60 || true
diag "of $(sip_statistic calls TotalCallCreated) calls $(sip_strays | wc -l) went on elsewhere"
for host in "${LAB_BACKENDS[@]}"; do
	is "no other call of $host was hurt" "$(unfinished "$host")" ""
done
like "the latency is known" "$(backend px4 '"\(.latency_last) \(.latency_mean) \(.latency_p95)"')" '^[1-9][0-9]* [1-9][0-9]* [1-9][0-9]*$'

# --- what is an answer

start_saying px1 "404 Not Found"
start_saying px2 "503 Service Unavailable"
lab_stop px3 > /dev/null || true
check "404 is an answer, 503 is none" wait_for 10 states_are "up down down up"
# It answers OPTIONS with a Max-Forwards of 0 before its configuration sees it.
kamailio_start px3 px3 STATELESS
check "... and Kamailio's is one" wait_for 10 states_are "up down up up"
like "... status says so" "$(lab_ctl status)" 'warning: .*px2 is down: 503 Service Unavailable'
sleep 1
is "... and it stays so" "$(states)" "up down up up"
lab_stop px3 > /dev/null || true
for host in px1 px2 px3; do
	start_server $host answer
done
check "all are up" wait_for 10 states_are "up up up up"

lab_in px2 ip address del "$LAB_VIP/32" dev lo
check "one without the VIP is down" wait_for 10 states_are "up down up up"
check "... though its address answers" lab_in balancer ping -c 1 -W 2 10.0.0.12
reconfigure "probe: {type: icmp, via: address, interval: 500ms, timeout: 300ms}"
check "... by its address it is up" wait_for 10 states_are "up up up up"
lab_address px2 lo "$LAB_VIP/32"

# --- answers get lost

# Of every sixth message here, so that 30 of 100 probes have no answer.
start_server px2 answer -lost 16
reconfigure "probe: {type: options, interval: 200ms, timeout: 150ms, fall: 10}"
check "all are up, though answers of one get lost" wait_for 30 states_are "up up up up"
before=$(owners) count=$(changes px2) begin=$EPOCHREALTIME
answered=$(answers px2)
sleep 10
is "30 % of the answers get lost: its state does not change" "$(changes px2)" "$count"
is "... nor do the slots" "$(moved "$before")" ""
answered=$(($(answers px2) - answered))
asked=$(awk -v begin="$begin" '$4 == "R" && $3 > begin' FS='\t' "$LAB_DIR/px1.messages" | wc -l)
diag "$answered answers to some $asked probes"
check "... they did get lost" [ $((answered * 100)) -lt $((asked * 90)) ]
start_server px2 answer

# --- the daemon starts again

reconfigure "probe: {$PROBE}"
wait_for 10 states_are "up up up up"
stop_server px1 STOP
lab_ctl backend drain proxies px2 > /dev/null
check "one is down, one drains" wait_for 10 serving_are "px3 px4"
lab_ctl pool finish proxies > /dev/null
before=$(owners) count=$(changes px1)
lab_stop sipxdpd KILL || true
lab_daemon
is "the daemon is killed: they are as they were" "$(states) $(backend px2 .admin)" "down up up up drain"
sleep 2
is "... and so are the slots" "$(moved "$before")" ""
is "... the log says nothing of px1" "$(changes px1)" "$count"
stop_server px1 CONT
lab_ctl backend ready proxies px2 > /dev/null
check "both come back" wait_for 10 serving_are "px1 px2 px3 px4"

# --- too few

lab_ctl pool finish proxies > /dev/null
before=$(owners)
for host in "${LAB_BACKENDS[@]}"; do
	stop_server "$host" STOP
done
check "all are silent" wait_for 10 states_are "suspected suspected suspected suspected"
is "... which is not believed" "$(moved "$before")" ""
like "... status says so" "$(lab_ctl status)" 'warning: .*pool proxies: 4 of 4 backends stopped answering .*network trouble'
stop_server px2 CONT
check "one returns" wait_for 10 state_is px2 up
check "... is believed, and has all when the others go on to be silent" wait_for 10 serving_are px2
unlike "... status says nothing any more" "$(lab_ctl status)" 'network trouble'
like "... to drain it, too, brings a warning" "$(lab_ctl backend drain proxies px2)" \
	'^warning: .*pool proxies: nobody alive is left to take new calls: they will go to servers that fail their probes'
unlike "... which ready does not" "$(lab_ctl backend ready proxies px2)" warning
for host in px1 px3 px4; do
	stop_server $host CONT
done
check "all return" wait_for 10 owners_are "$before"

# --- priorities

reconfigure "probe: {$PROBE}" "" "" "priority: 2" "priority: 2"
check "those of priority 1 have all" wait_for 10 serving_are "px1 px2"
stop_server px1 STOP
check "... one of them, if the other is down" wait_for 10 serving_are px2
stop_server px2 STOP
check "... those of priority 2 if both are" wait_for 10 serving_are "px3 px4"
sip_client standby client "$LAB_CLIENT" call 180 30 -d 5000
sleep 3
stop_server px1 CONT
check "... until one is up again" wait_for 10 serving_are px1
check "... and no call is lost by that" lab_wait standby 40
is "... each was at one server" "$(sip_strays | grep -- "-$SIP_CLIENTS-")" ""
over=$(awk -F'\t' -v clients="$SIP_CLIENTS" '$4 == "R" && $7 ~ /^BYE/ && $5 ~ "-" clients "-"' "$LAB_DIR"/px[34].messages | wc -l)
diag "$over calls ended at those of priority 2"
check "... on either side" [ "$over" -gt 50 ]
stop_server px2 CONT

# --- groups

reconfigure "probe: {$PROBE}"$'\n'"groups: [{name: a, backends: [px1, px2]}, {name: b, backends: [px3, px4]}]"
check "two groups" wait_for 10 serving_are "px1 px2 px3 px4"
lab_ctl pool finish proxies > /dev/null
before=$(owners)
stop_server px1 STOP
check "one of a group dies" wait_for 10 serving_are "px2 px3 px4"
is "... the rest of its group has its calls" "$(moved "$before" | sort -u)" "px1 px2"
stop_server px2 STOP
check "the other dies" wait_for 10 serving_are "px3 px4"
is "... the other group has them" "$(moved "$before" | sort -u | xargs)" "px1 px3 px1 px4 px2 px3 px2 px4"
stop_server px1 CONT
stop_server px2 CONT
check "both return" wait_for 10 owners_are "$before"

# --- slow start

reconfigure "probe: {$PROBE}"$'\n'"slow_start: 8s"
wait_for 10 states_are "up up up up"
before=$(owners)
stop_server px1 STOP
wait_for 10 serving_are "px2 px3 px4"
stop_server px1 CONT
wait_for 10 serving_are "px1 px2 px3 px4"
shares=
for ((i = 0; i < 14; i++)); do
	shares+="$(backend px1 '.share | round') "
	sleep 0.7
done
diag "per cent: $shares"
check "one that returns has its share in steps" [ "$(tr ' ' '\n' <<< "$shares" | sort -un | wc -l)" -ge 5 ]
is "... which grow" "$(tr ' ' '\n' <<< "$shares" | sort -n | xargs)" "$(xargs <<< "$shares")"
check "... until it has its own again" wait_for 5 owners_are "$before"
tap_end
