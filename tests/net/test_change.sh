#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Overlapping planned changes while calls and connections are established: no call is lost, no call moves, and new
# calls reach the right backend. The daemon is killed several times during the changes.
#
# Has priority: its clients abandon calls when the machine is too busy.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

LONG=60 # calls per second; each lasts about 22 s and is silent twice for SILENCE ms
SHORT=20 # cancelled calls per second
SILENCE=10000
MOST_SECONDS=400 # of calls; they end as soon as the changes have ended
LAB_CLIENTS=40 # client addresses, for affinity by source
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
		    record_time: 6s # several checks need slots that still wait
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

# backend POOL NAME FILTER: prints a field of a backend.
backend() {
	lab_ctl --json backend list "$1" | jq -r ".[] | select(.name == \"$2\") | $3"
}

has_no_slots() {
	[ "$(backend "$1" "$2" .slots)" -eq 0 ]
}

state_is() {
	[ "$(backend proxies "$1" .state)" = "$2" ]
}

# no_slot_waits: does no slot wait for the end of its recording?
no_slot_waits() {
	lab_ctl --json backend list proxies | jq -e 'all(.migrating | test("gaining|losing") | not)'
}

some_slot_waits() {
	! no_slot_waits > /dev/null
}

slots() {
	lab_ctl --json backend list "$1" | jq -r '.[] | "\(.name) \(.slots)"' | xargs
}

kill_and_start() {
	lab_stop sipxdpd KILL || true
	sleep "$1"
	lab_daemon
}

# The number of calls that the kernel tracked before a time (seconds of CLOCK_MONOTONIC).
tracked_before() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/tracked_calls |
		jq "[.[] | select(.formatted.key.pool == 0 and .formatted.value.seen < $1)] | length"
}

has_a_call() {
	[ "$(backend "$1" "$2" .tracked_calls)" -eq 1 ]
}

# removed_while_slots_move POOL NAME OTHER: changes the weight of OTHER, so that slots keep moving; succeeds when
# NAME is removed.
removed_while_slots_move() {
	lab_ctl backend weight "$1" "$3" $((1 + SECONDS % 1000)) > /dev/null
	is_removed "$1" "$2"
}

is_removed() {
	[ -z "$(backend "$1" "$2" .name)" ]
}

# Starts calls and connections, until end_traffic. The log has a line for each connection: opening time, source, the servers that
# responded, number of responses, result.
start_traffic() {
	local sources
	mapfile -t sources < <(seq -f '10.0.0.%g' 100 $((99 + LAB_CLIENTS)))
	sip_client long client "$LAB_CLIENT" long-call $((LONG * MOST_SECONDS)) $LONG -d $SILENCE -p 5100 \
		-buff_size 1000000 -timeout ${MOST_SECONDS}s
	lab_start flow client tests/net/tcp_lines.py "$LAB_VIP" $FLOW 10 20 $MOST_SECONDS "$LAB_CLIENT"
	lab_start source client tests/net/tcp_lines.py "$LAB_VIP" $SOURCE 10 20 $MOST_SECONDS "${sources[@]}"
}

# has_traffic NAME: have enough calls begun at this server, and has it enough open connections, for the changes?
has_traffic() {
	local port
	[ "$(first_seen "$1" | wc -l)" -gt 150 ] || return 1
	for port in $FLOW $SOURCE; do
		[ "$(lab_in "$1" ss -Hnt state established "sport = :$port" | wc -l)" -gt 25 ] || return 1
	done
}

# No call and no connection begins any more.
end_traffic() {
	local client
	for client in long cancelled flow source; do
		kill -USR1 "${LAB_PROCESS[$client]}"
	done
}

# new_calls NAME TIME: the number of calls of a backend that began after that time.
new_calls() {
	first_seen "$1" | awk -v time="$2" '$1 > time' | wc -l
}

has_new_calls() {
	sleep 0.5 # the logs are long
	[ "$(new_calls "$1" "$2")" -gt 50 ]
}

# delay_some_packets HOST RATE: sends a tenth of the packets of HOST through a queue with this rate, so that later
# packets arrive before them. Fails if the kernel lacks the queue.
delay_some_packets() {
	# A classic BPF program that chooses one of two classes at random.
	lab_in "$1" tc qdisc add dev eth0 root handle 1: htb &&
		lab_in "$1" tc class add dev eth0 parent 1: classid 1:1 htb rate 10gbit quantum 60000 &&
		lab_in "$1" tc class add dev eth0 parent 1: classid 1:2 htb rate "$2" burst 2k cburst 2k &&
		lab_in "$1" tc filter add dev eth0 parent 1: bpf bytecode \
			'4,32 0 0 4294963256,53 0 1 429496730,6 0 0 65537,6 0 0 65538'
}

# first_seen NAME: prints "TIME CALL-ID" for each call of a backend: the time of its first message.
first_seen() {
	awk -F'\t' '$4 == "R" && !seen[$5]++ { print $3, $5 }' "$LAB_DIR/$1.messages"
}

# calls_established_at NAME TIME: the number of calls that began before that time and had a BYE after it.
calls_established_at() {
	awk -F'\t' -v time="$2" '$4 == "R" && $3 < time { before[$5] = 1 }
		$4 == "R" && $3 > time && $7 ~ /^BYE/ && before[$5] { over++ } END { print over + 0 }' "$LAB_DIR/$1.messages"
}

# connections_open_at SERVICE NAME TIME: the number of connections (of 20 s each) that were open at that time.
connections_open_at() {
	awk -v name="$2" -v time="$3" '$1 < time && $1 + 20 > time && $3 == name { over++ } END { print over + 0 }' "$LAB_DIR/$1.log"
}

# print_failed_calls CLIENT: prints the first failed calls of the client: the errors, the messages that the servers
# received and sent, and the reason why the servers abandoned them.
print_failed_calls() {
	local call
	head -n 20 "$LAB_DIR/$1.errors"
	grep -o "$SIP_RUN-[0-9]*-[0-9]*@[0-9.]*" "$LAB_DIR/$1.errors" | sort -u | head -n 5 | while read -r call; do
		grep -F "$call" "$LAB_DIR"/px*.messages | sed "s|$LAB_DIR/||" | sort -k 2 | head -n 40
		grep -hF "Call-Id '$call'" "$LAB_DIR"/px*.errors 2> /dev/null | head -n 5
	done || true
	lab_ctl --json stats | jq -c .verdicts 2> /dev/null || true
}

# send_to_chain METHOD CALL-ID TO-TAG: sends a request; no server responds.
send_to_chain() {
	printf '%s\t' 5066 "$1 sip:px@$LAB_VIP SIP/2.0" "Via: SIP/2.0/UDP $LAB_CLIENT;branch=z9hG4bK1" \
		'Max-Forwards: 70' 'From: <sip:client>;tag=1' "To: <sip:px>$3" "Call-ID: $2" "CSeq: 1 $1" |
		lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" > /dev/null
}

# owner_is CALL-ID OWNER: does lookup print this owner and no previous owner?
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
check "migrations of the pool are finished" lab_ctl pool finish proxies

# --- overlapping changes

for host in client "${LAB_BACKENDS[@]}"; do
	delay_some_packets "$host" "$([ "$host" = client ] && echo 700kbit || echo 300kbit)" || diag "cannot reorder the packets of $host"
done
start_traffic
check "px3 has calls and connections" wait_for 20 has_traffic px3
# No call is cancelled when the recording begins: if the kernel sees only the ACK of a cancelled call, it cannot tell
# that the call has ended, and px3 would not become empty (docs/design/migration.md).
sip_client cancelled client "$LAB_CLIENT" cancelled-call $((SHORT * MOST_SECONDS)) $SHORT -d 6000 -p 5200 \
	-timeout ${MOST_SECONDS}s
like "drain: px3's slots wait while their calls are recorded" "$(lab_ctl backend drain proxies px3)" \
	'^33[0-9.]+% of the slots of proxies will move after their calls have been recorded'
check "... it still owns them" [ "$(backend proxies px3 .slots)" -gt 0 ]
check "... it owns no slots after the recording" wait_for 8 has_no_slots proxies px3
drained=$(date +%s.%N)
read_by=$((${drained%.*} + 3)) # px3 on a busy machine reads late what it received before
left=$(backend proxies px3 '"\(.calls) \(.migrating)"')
like "... status counts the remaining calls" "$left" '^[0-9]{2,} [0-9]+ releasing$'

check "px5 is added" lab_ctl backend add proxies px5 10.0.0.15
lab_in px4 sysctl -qw net.ipv4.icmp_echo_ignore_all=0
check "px4 changes from down to up" wait_for 10 state_is px4 up
check "px1 gets three times the weight" lab_ctl backend weight proxies px1 3
check "slots wait for the end of their recording" some_slot_waits
check "... the daemon is killed, and starts again" kill_and_start 0.5
check "... the recording continues" some_slot_waits
check "... until all slots have moved" wait_for 10 no_slot_waits
moved=$(date +%s.%N)
before=$(slots proxies)
like "... each backend owns slots in proportion to its weight" "$before" '^px1 [0-9]{6} px2 [0-9]{5} px3 0 px4 [0-9]{5} px5 [0-9]{5}$'
check "the daemon is killed again, and starts again" kill_and_start 1
is "... the owners are the same" "$(slots proxies)" "$before"
like "... calls stay on their backends" "$(backend proxies px3 .migrating)" ' releasing$'

check "px5 is drained" lab_ctl backend drain proxies px5
check "... and set to ready during the recording" lab_ctl backend ready proxies px5
check "... no slot waits for the end of a recording" no_slot_waits
is "... no slot has moved" "$(slots proxies)" "$before"
check "px2 is drained" lab_ctl backend drain proxies px2
check "... it owns no slots after the recording" wait_for 8 has_no_slots proxies px2
check "... it is set to ready" lab_ctl backend ready proxies px2
check "... the slots move back after a recording" wait_for 8 no_slot_waits
is "... each backend owns as many slots as before" "$(slots proxies)" "$before"
changed=$(date +%s.%N)
check "... and receives new calls" wait_for 30 has_new_calls px2 "$changed"
check "px5 also has received new calls" wait_for 30 has_new_calls px5 "$moved"
end_traffic

lab_start wait balancer sipxdp-ctl backend drain proxies px3 --wait 80

# --- removal with --drain

check "a server is removed with --drain" lab_ctl backend remove soon s2 --drain
is "... its state is leaving" "$(backend soon s2 .admin)" leaving
check "... it is removed after drain_timeout" wait_for 10 is_removed soon s2
lab_ctl backend add soon s3 10.0.0.13 > /dev/null
lab_ctl backend add soon s4 10.0.0.14 > /dev/null
lab_ctl pool finish soon > /dev/null
lab_ctl backend remove soon s4 --drain > /dev/null
check "... a second server is removed, too, although slots of other backends keep moving" wait_for 15 removed_while_slots_move soon s4 s3
is "... slots of the pool are still migrating" "$(lab_ctl --json backend list soon | jq 'any(.migrating != "")')" true
lab_ctl backend add soon s5 10.0.0.15 > /dev/null
lab_ctl backend remove soon s5 --drain > /dev/null
check "... a server that never owned a slot is removed without waiting" wait_for 5 removed_while_slots_move soon s5 s3

before=$(slots usual)
began=$SECONDS
check "a server of a pool with default times is drained" lab_ctl backend drain usual u2
sleep 5
after=$(slots usual)
if [ $((SECONDS - began)) -lt 30 ]; then
	is "... it still owns all its slots after 5 s" "$after" "$before"
else
	skip "... it still owns all its slots after 5 s" "a busy machine: $((SECONDS - began)) s have passed, and record_time is 32 s"
fi
check "... pool finish moves them" lab_ctl pool finish usual
check "... it owns no slots any more" has_no_slots usual u2

lab_ctl backend add chain c2 10.0.0.12 > /dev/null
lab_ctl backend drain chain c1 > /dev/null
check "the slots of a server move to a second server" wait_for 8 has_no_slots chain c1
is "lookup names the second server, and the first for established calls" "$(lab_ctl lookup chain silent)" \
	"$(printf 'silent\tc2\t10.0.0.12\tc1 for established calls')"
is "... also in JSON" "$(lab_ctl --json lookup chain silent | jq -r '.[] | "\(.backend) \(.previous_owner)"')" "c2 c1"
send_to_chain OPTIONS opening ''
check "... for a tracked call, lookup names its backend" wait_for 5 owner_is opening $'c2\t10.0.0.12'
send_to_chain BYE continuing ';tag=1'
check "... also if that is the previous owner" wait_for 5 owner_is continuing $'c1\t10.0.0.11'
send_to_chain INVITE one-that-goes-on ''
check "... the second server has a tracked call" wait_for 5 has_a_call chain c2
lab_ctl backend add chain c3 10.0.0.13 > /dev/null
check "... it is removed with --drain, and a third server is added" lab_ctl backend remove chain c2 --drain
check "... it owns no slots" wait_for 8 has_no_slots chain c2
sleep 2
is "... it stays until its call ends" "$(backend chain c2 .admin)" leaving
lab_ctl backend ready chain c1 > /dev/null
lab_ctl backend remove chain c3 --drain > /dev/null
check "... c3 has no call and is removed" wait_for 8 is_removed chain c3

# --- results of the calls

check "no long call failed" lab_wait long 90
check "no cancelled call failed" lab_wait cancelled 5
diag "delayed packets of the client: $(lab_in client tc -s class show dev eth0 classid 1:2 2>&1 | grep Sent)"
for client in long cancelled; do
	is "... $client: successful calls" "$(sip_statistic $client 'SuccessfulCall(C)')" \
		"$(sip_statistic $client TotalCallCreated)"
	diag "$(sip_statistic $client TotalCallCreated) calls, $(sip_statistic $client 'Retransmissions(C)') retransmissions"
	[ "$(sip_statistic $client 'FailedCall(C)')" -eq 0 ] || diag "$(print_failed_calls "$client")"
done
is "all messages of a call reached one server" "$(sip_strays)" ""
diag "$(calls_established_at px3 "$drained") calls of px3 were up when it was drained"
check "... there were many such calls" [ "$(calls_established_at px3 "$drained")" -gt 100 ]
check "... px2 also had many established calls during the changes" [ "$(calls_established_at px2 "$moved")" -gt 100 ]
is "px3 had no new call after it was drained" "$(new_calls px3 $read_by)" 0

for service in flow source; do
	check "TCP, affinity $service: all connections have ended" lab_wait $service 10
	diag "$(wc -l < "$LAB_DIR/$service.log") connections"
	is "... no connection broke" "$(grep -v ' ok$' "$LAB_DIR/$service.log")" ""
	is "... each was served by one server" "$(awk '$3 ~ /,/' "$LAB_DIR/$service.log")" ""
	check "... some connections to px3 were open when it was drained" [ "$(connections_open_at $service px3 "$drained")" -gt 20 ]
	is "... no connection to px3 was opened after that" "$(awk -v time="$drained" '$1 > time && $3 == "px3"' "$LAB_DIR/$service.log")" ""
done
is "with affinity source, a client keeps one server for new connections" \
	"$(awk -v time="$changed" '$1 > time { print $2, $3 }' "$LAB_DIR/source.log" | sort -u | cut -d' ' -f1 | uniq -d)" ""

check "drain --wait returns when px3 is empty" lab_wait wait 60
check "... px3 has no calls" [ "$(backend proxies px3 .calls)" -eq 0 ]
check "px3 is removed with --drain" lab_ctl backend remove proxies px3 --drain
check "... pool finish ends its migrations" lab_ctl pool finish proxies
check "... it is removed within a second" wait_for 5 is_removed proxies px3
is "no slot is migrating afterwards" "$(lab_ctl --json backend list proxies | jq -r '.[].migrating' | xargs)" ""

drained_again=$(cut -d. -f1 /proc/uptime)
check "calls are tracked" [ "$(tracked_before "$drained_again")" -gt 500 ]
check "px2 is drained once more" lab_ctl backend drain proxies px2
is "... earlier tracked calls are deleted" "$(tracked_before "$drained_again")" 0
tap_end
