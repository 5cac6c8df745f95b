#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Probes and their effects: a dead server is taken out in time without harm to calls of other servers;
# fail-open with too few live servers; priorities, groups, slow start.
#
# Has priority: a server that receives no processor for 300 ms fails its probe.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PROBE='type: options, interval: 500ms, timeout: 300ms'
IN_TIME=2000 # ms: three intervals, the timeout, and 200 ms

# configure POOL-LINES [KEYS-OF-PX1 [KEYS-OF-PX2 ...]]: configures px1 to px4; each further argument adds keys to the entry of
# one server.
configure() {
	LAB_POOL="record_time: 1s"$'\n'$1 lab_config dsr "px1${2:+, $2}" "px2${3:+, $3}" "px3${4:+, $4}" "px4${5:+, $5}"
}

# reconfigure ...: the same with a reload; ends all migrations.
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

# The backends that have slots.
serving() {
	lab_ctl --json backend list proxies | jq -r '.[] | select(.slots > 0) | .name' | xargs
}

serving_are() {
	[ "$(serving)" = "$1" ]
}

# owners: "CALL-ID BACKEND" for 2,000 Call-IDs, as the balancer computes it now.
owners() {
	seq -f 'health-%g@example.net' 2000 | lab_ctl lookup sip - | awk '{ print $1, $2 }'
}

owners_are() {
	[ "$(owners)" = "$1" ]
}

# moved BEFORE: "FROM TO" for each Call-ID whose owner has changed.
moved() {
	paste -d' ' <(cut -d' ' -f2 <<< "$1") <(owners | cut -d' ' -f2) | awk '$1 != $2'
}

# changes NAME: the number of state changes of the backend in the log.
changes() {
	grep -c " backend proxies/$1 is " "$LAB_DIR/sipxdpd.log" || true
}

# answers NAME: the number of 200 responses to OPTIONS that this server has logged so far.
answers() {
	grep -c ' 200 OK' "$LAB_DIR/$1.messages" || true
}

# out_in NAME EVENT...: runs the event; prints the time until the backend's state changes, in ms (at most 20 s).
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

# start_saying NAME STATUS: starts a server that responds to OPTIONS with this status.
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

# dies NAME EVENT-NAME RECOVERY... -- EVENT...: runs the event and checks that the server is taken out,
# then runs the recovery and checks that the server is back.
OUTAGES= # "NAME FROM TO" of each outage, in seconds
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
	diag "$words: state changed after $took ms, due within $IN_TIME ms"
	check "$words: its state changes" [ "$took" -lt 20000 ]
	check "... it owns no slots" wait_for 5 slots_are "$name" 0
	is "... no calls of other servers move" "$(moved "$before" | cut -d' ' -f1 | sort -u)" "$name"
	is "... its calls are spread over all other servers" "$(moved "$before" | cut -d' ' -f2 | sort -u | xargs)" "$(xargs <<< "${LAB_BACKENDS[*]/$name/}")"
	"${back[@]}"
	OUTAGES+="$name $begin $(date +%s.%N)"$'\n'
	check "... after the recovery it is up" wait_for 10 state_is "$name" up
	check "... and owns its slots again" wait_for 10 owners_are "$before"
}

# unfinished NAME: prints the calls of the server without a BYE, except calls that an outage may have broken: its own, or that of
# a different server that has also received the call.
unfinished() {
	(cd "$LAB_DIR" && awk -F'\t' -v name="$1" -v outages="$OUTAGES" '
		BEGIN {
			n = split(outages, lines, "\n")
			for (i = 1; i <= n; i++) {
				split(lines[i], word, " ")
				from[word[1]] = word[2] - 3
				to[word[1]] = word[3] + 1
			}
		}
		$4 != "R" || $5 !~ /^sx/ { next }
		{ server = FILENAME; sub(/\.messages$/, "", server) }
		!($5 in first) || $3 < first[$5] { first[$5] = $3 }
		{ received[$5, server] = 1 }
		server == name { own[$5] = 1 }
		server == name && $7 ~ /^BYE/ { ended[$5] = 1 }
		END {
			for (call in own) {
				broken = 0
				for (server in from)
					if ((call, server) in received && first[call] >= from[server] && first[call] <= to[server])
						broken = 1
				if (!ended[call] && !broken)
					print call
			}
		}' "${LAB_BACKENDS[@]/%/.messages}")
}

lab_open
lab_flat 4
for host in "${LAB_BACKENDS[@]}"; do
	start_server "$host" answer
done
configure "probe: {$PROBE}"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
check "all servers are up" wait_for 10 states_are "up up up up"
check "... and own slots" wait_for 10 serving_are "px1 px2 px3 px4"

# --- a server dies

lab_ctl pool finish proxies > /dev/null
sip_client calls client "$LAB_CLIENT" call 1200 40 -d 2000
sleep 2
dies px1 "a SIP server is killed" start_server px1 answer -- stop_server px1 KILL
dies px2 "a SIP server hangs" stop_server px2 CONT -- stop_server px2 STOP
dies px3 "a cable is pulled" put_it_back px3 -- pull_the_cable px3
lab_wait calls 60 || true
diag "of $(sip_statistic calls TotalCallCreated) calls, $(sip_strays | wc -l) moved to a different server"
for host in "${LAB_BACKENDS[@]}"; do
	is "$host loses only calls that were up during its own outage" "$(unfinished "$host")" ""
done
like "the latency of a probe is shown" "$(backend px4 '"\(.latency_last) \(.latency_mean) \(.latency_p95)"')" '^[1-9][0-9]* [1-9][0-9]* [1-9][0-9]*$'

# --- which responses pass

start_saying px1 "404 Not Found"
start_saying px2 "503 Service Unavailable"
lab_stop px3 > /dev/null || true
check "the response 404 passes, 503 fails" wait_for 10 states_are "up down down up"
# Kamailio responds to an OPTIONS with Max-Forwards: 0 before its routing script runs.
kamailio_start px3 px3 STATELESS
check "... Kamailio's response to Max-Forwards: 0 passes" wait_for 10 states_are "up down up up"
like "... status warns of the failing server" "$(lab_ctl status)" 'warning: .*px2 is down: 503 Service Unavailable'
sleep 1
is "... the states remain" "$(states)" "up down up up"
lab_stop px3 > /dev/null || true
for host in px1 px2 px3; do
	start_server $host answer
done
check "all servers are up again" wait_for 10 states_are "up up up up"

lab_in px2 ip address del "$LAB_VIP/32" dev lo
check "a server without the VIP is down" wait_for 10 states_are "up down up up"
check "... although its own address responds to ping" lab_in balancer ping -c 1 -W 2 10.0.0.12
reconfigure "probe: {type: icmp, via: address, interval: 500ms, timeout: 300ms}"
check "... probed at its own address, it is up" wait_for 10 states_are "up up up up"
lab_address px2 lo "$LAB_VIP/32"

# --- lost responses

# sipp loses one message in six: 30 of 100 probes lose their request or their response.
start_server px2 answer -lost 16
reconfigure "probe: {type: options, interval: 200ms, timeout: 150ms, fall: 10}"
check "all servers are up, although responses of one server are lost" wait_for 30 states_are "up up up up"
before=$(owners) count=$(changes px2) begin=$EPOCHREALTIME
answered=$(answers px2)
sleep 10
is "with 30 % of the responses lost the state does not change" "$(changes px2)" "$count"
is "... and no slots move" "$(moved "$before")" ""
answered=$(($(answers px2) - answered))
asked=$(awk -v begin="$begin" '$4 == "R" && $3 > begin' FS='\t' "$LAB_DIR/px1.messages" | wc -l)
diag "$answered responses to about $asked probes"
check "... responses were lost" [ $((answered * 100)) -lt $((asked * 90)) ]
start_server px2 answer

# --- the daemon restarts

reconfigure "probe: {$PROBE}"
wait_for 10 states_are "up up up up"
stop_server px1 STOP
lab_ctl backend drain proxies px2 > /dev/null
check "one server is down, one drains" wait_for 10 serving_are "px3 px4"
lab_ctl pool finish proxies > /dev/null
before=$(owners) count=$(changes px1)
lab_stop sipxdpd KILL || true
lab_daemon
is "after the daemon is killed and restarted, the states are the same" "$(states) $(backend px2 .admin)" "down up up up drain"
sleep 2
is "... and the owners of all slots" "$(moved "$before")" ""
is "... no change of px1 is logged" "$(changes px1)" "$count"
stop_server px1 CONT
lab_ctl backend ready proxies px2 > /dev/null
check "both servers own slots again" wait_for 10 serving_are "px1 px2 px3 px4"

# --- fail-open

lab_ctl pool finish proxies > /dev/null
before=$(owners)
for host in "${LAB_BACKENDS[@]}"; do
	stop_server "$host" STOP
done
check "no server responds: all are suspected" wait_for 10 states_are "suspected suspected suspected suspected"
is "... no calls move" "$(moved "$before")" ""
like "... status warns of a network fault" "$(lab_ctl status)" 'warning: .*pool proxies: 4 of 4 backends stopped answering .*network fault'
stop_server px2 CONT
check "one server recovers" wait_for 10 state_is px2 up
check "... it owns all slots once the silent servers count as down" wait_for 10 serving_are px2
unlike "... status no longer warns" "$(lab_ctl status)" 'network fault'
like "... draining the only live server gives a warning" "$(lab_ctl backend drain proxies px2)" \
	'^warning: .*pool proxies: no healthy backend accepts new calls; the balancer sends them to backends that fail their probes'
unlike "... ready gives none" "$(lab_ctl backend ready proxies px2)" warning
for host in px1 px3 px4; do
	stop_server $host CONT
done
check "all servers recover and own their previous slots" wait_for 10 owners_are "$before"

# --- no server takes new calls

for host in px1 px2 px3; do
	lab_ctl backend maint proxies $host > /dev/null
done
lab_ctl backend drain proxies px4 > /dev/null
check "the last ready server drains: no server owns slots" wait_for 10 serving_are ""
like "... status says that its calls are still forwarded" "$(lab_ctl status)" \
	'^warning: *pool proxies: no backend takes new calls: only existing calls are forwarded$'
is "... health says that no server takes new calls" "$(lab_ctl health || true)" "service sip: pool proxies: no backend takes new calls"
lab_ctl backend maint proxies px4 > /dev/null
like "... after maint, status says that no calls are forwarded" "$(lab_ctl status)" \
	'^warning: *pool proxies: no backend can receive packets: its calls are not forwarded$'
for host in "${LAB_BACKENDS[@]}"; do
	lab_ctl backend ready proxies "$host" > /dev/null
done
check "... all servers are ready and own their previous slots" wait_for 10 owners_are "$before"

# --- the interface of the balancer is down

cannot_probe() {
	grep -q 'warning: .*the balancer cannot probe 4 of 4 backends' <<< "$(lab_ctl status)"
}

# The servers are up before their next probe: the result of the previous one is that it was not sent.
reconfigure "probe: {type: options, interval: 4s, timeout: 300ms}"
lab_in balancer ip link set eth0 down
check "the interface of the balancer is down: it cannot probe" wait_for 10 cannot_probe
check "... all servers are suspected" wait_for 30 states_are "suspected suspected suspected suspected"
lab_in balancer ip link set eth0 up
check "... the interface is up, and all servers" wait_for 10 states_are "up up up up"
is "... the log gives no reason for this" "$(grep -E 'backend proxies/px[0-9] is up:' "$LAB_DIR/sipxdpd.log")" ""
is "... no calls have moved" "$(moved "$before")" ""

# --- priorities

reconfigure "probe: {$PROBE}" "" "" "priority: 2" "priority: 2"
check "the servers of priority 1 own all slots" wait_for 10 serving_are "px1 px2"
stop_server px1 STOP
check "... if one of them is down, the other one owns all slots" wait_for 10 serving_are px2
stop_server px2 STOP
check "... if both are down, the servers of priority 2 do" wait_for 10 serving_are "px3 px4"
sip_client standby client "$LAB_CLIENT" call 180 30 -d 5000
sleep 3
stop_server px1 CONT
check "... until a server of priority 1 is up again" wait_for 10 serving_are px1
check "... no call is lost when it takes the slots back" lab_wait standby 40
is "... every call stayed at one server" "$(sip_strays | grep -- "-$SIP_CLIENTS-")" ""
over=$(awk -F'\t' -v clients="$SIP_CLIENTS" '$4 == "R" && $7 ~ /^BYE/ && $5 ~ "-" clients "-"' "$LAB_DIR"/px[34].messages | wc -l)
diag "$over calls ended at servers of priority 2"
check "... and calls ended at servers of both priorities" [ "$over" -gt 50 ]
stop_server px2 CONT

# --- groups

reconfigure "probe: {$PROBE}"$'\n'"groups: [{name: a, backends: [px1, px2]}, {name: b, backends: [px3, px4]}]"
check "two groups: all servers own slots" wait_for 10 serving_are "px1 px2 px3 px4"
lab_ctl pool finish proxies > /dev/null
before=$(owners)
stop_server px1 STOP
check "one server of a group dies" wait_for 10 serving_are "px2 px3 px4"
is "... the other server of its group takes its calls" "$(moved "$before" | sort -u)" "px1 px2"
stop_server px2 STOP
check "the second server of the group dies" wait_for 10 serving_are "px3 px4"
is "... the other group takes the calls" "$(moved "$before" | sort -u | xargs)" "px1 px3 px1 px4 px2 px3 px2 px4"
stop_server px1 CONT
stop_server px2 CONT
check "both servers recover and own their previous slots" wait_for 10 owners_are "$before"

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
diag "shares in percent: $shares"
check "a recovered server gets its share in steps" [ "$(tr ' ' '\n' <<< "$shares" | sort -un | wc -l)" -ge 5 ]
is "... the steps only increase" "$(tr ' ' '\n' <<< "$shares" | sort -n | xargs)" "$(xargs <<< "$shares")"
check "... until it owns its previous slots" wait_for 5 owners_are "$before"
tap_end
