#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Planned changes, one on top of the other, while calls and connections are up: none is
# lost, none moves, and new ones go where they should. The daemon is killed among them.
#
# Runs alone: its clients give calls up when they do not get to run for long.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

LONG=150 # calls a second that last some 22 s, two times silent for SILENCE
SHORT=50 # and of those that are cancelled
SILENCE=10000
SECONDS_OF_CALLS=40
LAB_CLIENTS=40 # addresses, for affinity by source
FLOW=5070
SOURCE=5080

configure() {
	cat <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		  - {name: flow, vip: $LAB_VIP, port: $FLOW, protocol: tcp, affinity: flow, pool: proxies}
		  - {name: source, vip: $LAB_VIP, port: $SOURCE, protocol: tcp, affinity: source, pool: proxies}
		  - {name: soon, vip: $LAB_VIP, port: 5062, pool: soon}
		  - {name: usual, vip: $LAB_VIP, port: 5064, pool: usual}
		  - {name: chain, vip: $LAB_VIP, port: 5066, pool: chain}
		pools:
		  - name: proxies
		    probe: {type: icmp, interval: 1s, timeout: 1s, fall: 5}
		    record_time: 3s
		    backends:
		      - {name: px1, address: 10.0.0.11}
		      - {name: px2, address: 10.0.0.12}
		      - {name: px3, address: 10.0.0.13}
		      - {name: px4, address: 10.0.0.14}
		  - name: soon
		    record_time: 1s
		    drain_timeout: 2s
		    backends:
		      - {name: s1, address: 10.0.0.11}
		      - {name: s2, address: 10.0.0.12}
		  - name: usual
		    backends:
		      - {name: u1, address: 10.0.0.11}
		      - {name: u2, address: 10.0.0.12}
		  - name: chain
		    record_time: 500ms
		    backends:
		      - {name: c1, address: 10.0.0.11}
	YAML
}

# backend POOL NAME FILTER
backend() {
	lab_ctl --json backend list "$1" | jq -r ".[] | select(.name == \"$2\") | $3"
}

has_no_slots() {
	[ "$(backend "$1" "$2" .slots)" -eq 0 ]
}

state_is() {
	[ "$(backend proxies "$1" .state)" = "$2" ]
}

# Has all moved that is to move?
nothing_waits() {
	lab_ctl --json backend list proxies | jq -e 'all(.migrating | test("gaining|losing") | not)'
}

something_waits() {
	! nothing_waits > /dev/null
}

slots() {
	lab_ctl --json backend list "$1" | jq -r '.[] | "\(.name) \(.slots)"' | xargs
}

kill_and_start() {
	lab_stop sipxdpd KILL || true
	sleep "$1"
	lab_daemon
}

# How many calls of the pool the kernel has noted before a time (seconds of CLOCK_MONOTONIC).
notes_before() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/tracked_calls |
		jq "[.[] | select(.formatted.key.pool == 0 and .formatted.value.seen < $1)] | length"
}

has_a_call() {
	[ "$(backend "$1" "$2" .calls)" -eq 1 ]
}

# left_meanwhile POOL NAME OTHER: has it left while slots of others move again and again?
left_meanwhile() {
	lab_ctl backend weight "$1" "$3" $((1 + SECONDS % 1000)) > /dev/null
	has_left "$1" "$2"
}

has_left() {
	[ -z "$(backend "$1" "$2" .name)" ]
}

# Calls and connections from now on. Connections are told by when they were opened, from
# where, by whom they were answered, how often, and how they ended.
start_traffic() {
	local sources
	mapfile -t sources < <(seq -f '10.0.0.%g' 100 $((99 + LAB_CLIENTS)))
	sip_client long client "$LAB_CLIENT" long-call $((LONG * SECONDS_OF_CALLS)) $LONG -d $SILENCE -p 5100 -buff_size 1000000
	lab_start flow client tests/net/tcp_lines.py "$LAB_VIP" $FLOW 10 20 $SECONDS_OF_CALLS "$LAB_CLIENT"
	lab_start source client tests/net/tcp_lines.py "$LAB_VIP" $SOURCE 10 20 $SECONDS_OF_CALLS "${sources[@]}"
}

# overtake HOST RATE: from now on a tenth of the packets that it sends wait in a queue of
# that rate, and others overtake them. Where the kernel has not what that takes, none do.
overtake() {
	# A classic BPF program: one of two classes, by a random number.
	lab_in "$1" tc qdisc add dev eth0 root handle 1: htb &&
		lab_in "$1" tc class add dev eth0 parent 1: classid 1:1 htb rate 10gbit quantum 60000 &&
		lab_in "$1" tc class add dev eth0 parent 1: classid 1:2 htb rate "$2" burst 2k cburst 2k &&
		lab_in "$1" tc filter add dev eth0 parent 1: bpf bytecode \
			'4,32 0 0 4294963256,53 0 1 429496730,6 0 0 65537,6 0 0 65538'
}

# first_seen NAME: "TIME CALL-ID" of each call of a backend, when it saw it first.
first_seen() {
	awk -F'\t' '$4 == "R" && !seen[$5]++ { print $3, $5 }' "$LAB_DIR/$1.messages"
}

# calls_over NAME TIME: how many calls were there before that time, and had a BYE after.
calls_over() {
	awk -F'\t' -v time="$2" '$4 == "R" && $3 < time { before[$5] = 1 }
		$4 == "R" && $3 > time && $7 ~ /^BYE/ && before[$5] { over++ } END { print over + 0 }' "$LAB_DIR/$1.messages"
}

# connections_over SERVICE NAME TIME: likewise, of 20 s each.
connections_over() {
	awk -v name="$2" -v time="$3" '$1 < time && $1 + 20 > time && $3 == name { over++ } END { print over + 0 }' "$LAB_DIR/$1.log"
}

# trails CLIENT: what became of the first calls in its list of errors: the errors, and what
# the servers have seen and sent, and why they gave up.
trails() {
	local call
	head -n 20 "$LAB_DIR/$1.errors"
	grep -o "$SIP_RUN-[0-9]*-[0-9]*@[0-9.]*" "$LAB_DIR/$1.errors" | sort -u | head -n 5 | while read -r call; do
		grep -F "$call" "$LAB_DIR"/px*.messages | sed "s|$LAB_DIR/||" | sort -k 2 | head -n 40
		grep -hF "Call-Id '$call'" "$LAB_DIR"/px*.errors 2> /dev/null | head -n 5
	done || true
	lab_ctl --json stats | jq -c .verdicts 2> /dev/null || true
}

# say_to_chain METHOD CALL-ID TO-TAG: nobody answers.
say_to_chain() {
	printf '%s\t' 5066 "$1 sip:px@$LAB_VIP SIP/2.0" "Via: SIP/2.0/UDP $LAB_CLIENT;branch=z9hG4bK1" \
		'Max-Forwards: 70' 'From: <sip:client>;tag=1' "To: <sip:px>$3" "Call-ID: $2" "CSeq: 1 $1" |
		lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" > /dev/null
}

# owner_is CALL-ID OWNER: and nobody else.
owner_is() {
	[ "$(lab_ctl lookup chain "$1" | cut -f2-)" = "$2" ]
}

lab_open
lab_flat 5
for host in "${LAB_BACKENDS[@]}"; do
	sip_answer "$host" "$host" "$LAB_VIP" long-answer -buff_size 1000000
	lab_start "$host-flow" "$host" tests/net/named_echo.py "$host" $FLOW "$LAB_VIP"
	lab_start "$host-source" "$host" tests/net/named_echo.py "$host" $SOURCE "$LAB_VIP"
done
lab_in px4 sysctl -qw net.ipv4.icmp_echo_ignore_all=1
configure | lab_write balancer "$LAB_CONFIG"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
check "px1 to px3 are up" wait_for 10 lab_serving 8
check "px4 is down" wait_for 15 state_is px4 down
check "the pool is settled" lab_ctl pool finish proxies

# --- changes, one on top of the other

for host in client "${LAB_BACKENDS[@]}"; do
	overtake "$host" "$([ "$host" = client ] && echo 700kbit || echo 300kbit)" || diag "no packets overtake others of $host"
done
start_traffic
sleep 8
# None of them is cancelled when the recording begins: of one whose ACK only is seen nobody
# could say that it is over, and px3 would not be empty (docs/design/migration.md).
sip_client cancelled client "$LAB_CLIENT" cancelled-call $((SHORT * SECONDS_OF_CALLS)) $SHORT -d 6000 -p 5200
like "drain: px3's slots wait while their calls are recorded" "$(lab_ctl backend drain proxies px3)" \
	'^33[0-9.]+% of the slots of proxies will move after their calls have been recorded'
check "... it has them yet" [ "$(backend proxies px3 .slots)" -gt 0 ]
check "... not for long" wait_for 8 has_no_slots proxies px3
drained=$(date +%s.%N)
left=$(backend proxies px3 '"\(.calls) \(.migrating)"')
like "... and about so many calls are left" "$left" '^[0-9]{3,} [0-9]+ releasing$'

check "px5 is added" lab_ctl backend add proxies px5 10.0.0.15
lab_in px4 sysctl -qw net.ipv4.icmp_echo_ignore_all=0
check "px4 is back from down" wait_for 10 state_is px4 up
check "px1 is to have three times as much" lab_ctl backend weight proxies px1 3
check "while this is recorded" something_waits
check "... the daemon is killed, and starts again" kill_and_start 0.5
check "... and goes on recording" something_waits
check "... until it has moved" wait_for 10 nothing_waits
moved=$(date +%s.%N)
before=$(slots proxies)
like "... all has its share" "$before" '^px1 [0-9]{6} px2 [0-9]{5} px3 0 px4 [0-9]{5} px5 [0-9]{5}$'
check "the daemon is killed again, and starts again" kill_and_start 1
is "... it is as it was" "$(slots proxies)" "$before"
like "... and calls stay where they were" "$(backend proxies px3 .migrating)" ' releasing$'

check "px5 is drained" lab_ctl backend drain proxies px5
check "... and ready again while this is recorded" lab_ctl backend ready proxies px5
check "... nothing is to move" nothing_waits
is "... and nothing has" "$(slots proxies)" "$before"
check "px2 is drained" lab_ctl backend drain proxies px2
check "... has no slots" wait_for 8 has_no_slots proxies px2
check "... is ready again" lab_ctl backend ready proxies px2
check "... has its slots again" wait_for 8 nothing_waits
is "... those" "$(slots proxies)" "$before"
changed=$(date +%s.%N)

lab_start wait balancer sipxdp-ctl backend drain proxies px3 --wait 80

# --- other pools

check "a server is to leave" lab_ctl backend remove soon s2 --drain
is "... is leaving" "$(backend soon s2 .admin)" leaving
check "... has left when its time is over" wait_for 10 has_left soon s2
lab_ctl backend add soon s3 10.0.0.13 > /dev/null
lab_ctl backend add soon s4 10.0.0.14 > /dev/null
lab_ctl pool finish soon > /dev/null
lab_ctl backend remove soon s4 --drain > /dev/null
check "... another one likewise, though slots of others move on and on" wait_for 15 left_meanwhile soon s4 s3
is "... slots of the pool are migrating then" "$(lab_ctl --json backend list soon | jq 'any(.migrating != "")')" true
lab_ctl backend add soon s5 10.0.0.15 > /dev/null
lab_ctl backend remove soon s5 --drain > /dev/null
check "... one that has had no slot yet does not wait" wait_for 5 left_meanwhile soon s5 s3

before=$(slots usual)
check "a server of a pool with the usual times is drained" lab_ctl backend drain usual u2
sleep 5
is "... has all its slots 5 s later" "$(slots usual)" "$before"
check "... and none after pool finish" lab_ctl pool finish usual
check "... at once" has_no_slots usual u2

lab_ctl backend add chain c2 10.0.0.12 > /dev/null
lab_ctl backend drain chain c1 > /dev/null
check "calls go from one server to a second" wait_for 8 has_no_slots chain c1
is "lookup names the second, and the first for a call that is up" "$(lab_ctl lookup chain silent)" \
	"$(printf 'silent\tc2\t10.0.0.12\tc1 for established calls')"
is "... also in JSON" "$(lab_ctl --json lookup chain silent | jq -r '.[] | "\(.backend) \(.previous_owner)"')" "c2 c1"
say_to_chain OPTIONS opening ''
check "... where something has been heard of it, the one that has it" wait_for 5 owner_is opening $'c2\t10.0.0.12'
say_to_chain BYE continuing ';tag=1'
check "... whoever that is" wait_for 5 owner_is continuing $'c1\t10.0.0.11'
say_to_chain INVITE one-that-goes-on ''
check "... one is noted" wait_for 5 has_a_call chain c2
lab_ctl backend add chain c3 10.0.0.13 > /dev/null
check "... which is to leave for a third" lab_ctl backend remove chain c2 --drain
check "... has no slots" wait_for 8 has_no_slots chain c2
sleep 2
is "... and stays for the call that it has" "$(backend chain c2 .admin)" leaving
lab_ctl backend ready chain c1 > /dev/null
lab_ctl backend remove chain c3 --drain > /dev/null
check "... which c3 has not" wait_for 8 has_left chain c3

# --- what became of the calls

check "no long call failed" lab_wait long 90
check "no cancelled call failed" lab_wait cancelled 5
diag "packets of the client that others could overtake: $(lab_in client tc -s class show dev eth0 classid 1:2 2>&1 | grep Sent)"
for client in long cancelled; do
	is "... $client: calls that ended well" "$(sip_statistic $client 'SuccessfulCall(C)')" \
		"$(sip_statistic $client TotalCallCreated)"
	diag "$(sip_statistic $client TotalCallCreated) calls, $(sip_statistic $client 'Retransmissions(C)') retransmissions"
	[ "$(sip_statistic $client 'FailedCall(C)')" -eq 0 ] || diag "$(trails "$client")"
done
is "every message of a call was at one server" "$(sip_strays)" ""
diag "$(calls_over px3 "$drained") calls of px3 were up when it was drained"
check "... they were many" [ "$(calls_over px3 "$drained")" -gt 200 ]
check "... and so they were elsewhere when things changed" [ "$(calls_over px2 "$moved")" -gt 200 ]
is "px3 had no new call when it was drained" "$(first_seen px3 | awk -v time="$drained" '$1 > time' | wc -l)" 0
check "... px2 had" [ "$(first_seen px2 | awk -v time="$changed" '$1 > time' | wc -l)" -gt 100 ]
check "... px5 had" [ "$(first_seen px5 | awk -v time="$moved" '$1 > time' | wc -l)" -gt 100 ]

for service in flow source; do
	check "TCP, affinity $service: all connections have ended" lab_wait $service 10
	diag "$(wc -l < "$LAB_DIR/$service.log") connections"
	is "... none broke" "$(grep -v ' ok$' "$LAB_DIR/$service.log")" ""
	is "... each was answered by one server" "$(awk '$3 ~ /,/' "$LAB_DIR/$service.log")" ""
	check "... some of px3 were open when it was drained" [ "$(connections_over $service px3 "$drained")" -gt 20 ]
	is "... none was opened to it after that" "$(awk -v time="$drained" '$1 > time && $3 == "px3"' "$LAB_DIR/$service.log")" ""
done
is "a client has one server for its new connections" \
	"$(awk -v time="$changed" '$1 > time { print $2, $3 }' "$LAB_DIR/source.log" | sort -u | cut -d' ' -f1 | uniq -d)" ""

check "drain --wait returns when px3 is empty" lab_wait wait 60
check "... no call is left" [ "$(backend proxies px3 .calls)" -eq 0 ]
check "px3 is to leave" lab_ctl backend remove proxies px3 --drain
check "... and goes when the pool is settled" lab_ctl pool finish proxies
check "... with the next second" wait_for 5 has_left proxies px3
is "nothing is migrating then" "$(lab_ctl --json backend list proxies | jq -r '.[].migrating' | xargs)" ""

drained_again=$(cut -d. -f1 /proc/uptime)
check "calls were noted" [ "$(notes_before "$drained_again")" -gt 1000 ]
check "px2 is drained once more" lab_ctl backend drain proxies px2
is "... what was noted of calls before is forgotten" "$(notes_before "$drained_again")" 0
tap_end
