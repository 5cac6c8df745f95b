#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# `sipxdp-ctl trace`: the filters, the output as text, JSON and pcap for real readers (tshark, sngrep), several traces at
# once, and clients that are slow or die.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

RATE=10000 # packets a second
OTHER=10.0.0.101 # a second address of the client

write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		  - {name: registrar, vip: $LAB_VIP, port: 5070, pool: registrars}
		pools:
		  - name: proxies
		    backends:
		      - {name: px1, address: 10.0.0.11}
		      - {name: px2, address: 10.0.0.12}
		  - name: registrars
		    backends:
		      - {name: px3, address: 10.0.0.13}
	YAML
}

# message FIRST-LINE CALL-ID FROM TO CSEQ: a message on one line, as say.py reads it.
message() {
	printf '%s\tVia: SIP/2.0/UDP 10.0.0.12:5060;branch=z9hG4bK1\tMax-Forwards: 70\tFrom: <sip:%s@example.net>;tag=1\tTo: <sip:%s@example.net>\tCall-ID: %s\tCSeq: %s\tSubject: private\n' \
		"$1" "$3" "$4" "$2" "$5"
}

# The traffic of the filters' test: four SIP messages and a keepalive. The second one has a different source.
talk() {
	{
		printf '5060\t'
		message "INVITE sip:bob@example.net SIP/2.0" invite@x alice bob "1 INVITE"
		printf '5060\t'
		message "BYE sip:dave@example.net SIP/2.0" bye@x carol dave "2 BYE"
		printf '5070\t'
		message "REGISTER sip:example.net SIP/2.0" register@x erin erin "3 REGISTER"
		printf '5060\t'
		message "SIP/2.0 200 OK" response@x alice bob "1 INVITE"
		printf '5060\t\t\n'
	} | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" $OTHER "$LAB_CLIENT" "$LAB_CLIENT" "$LAB_CLIENT" > /dev/null
}

# trace NAME [OPTION...]: starts a trace and waits until it sees packets. Its output is in $LAB_DIR/NAME.out.
trace() {
	local name=$1
	shift
	: > "$LAB_DIR/$name.out"
	lab_start "$name" balancer sh -c "exec sipxdp-ctl \"\$@\" > $LAB_DIR/$name.out" sh trace "$@"
	wait_for 10 test -s "$LAB_DIR/$name.out"
}

# packets NAME COUNT: has the trace printed this many packets (and a header)?
packets() {
	[ "$(wc -l < "$LAB_DIR/$1.out")" -eq $(($2 + 1)) ]
}

# call_ids NAME: the packets of a trace, as the first word of their Call-IDs.
call_ids() {
	sed '1d' "$LAB_DIR/$1.out" | cut -c54- | sed 's/ .*//; s/@x//' | xargs
}

program_is() {
	[ "$(lab_in balancer sipxdp-loader status --json | jq -r '.programs[0].interfaces[0].program.name')" = "$1" ]
}

term() {
	lab_in balancer tmux -S "$LAB_DIR/tmux" -f /dev/null "$@"
}

press() {
	term send-keys -t sngrep "$@"
}

# shows REGEX: does a line of the screen match?
shows() {
	term capture-pane -p -t sngrep | grep -Eq -- "$1"
}

# selects WANTED OPTION...: adds a row to the table of filters.
FILTERS=()
selects() {
	FILTERS+=("$*")
}

# check_filters: runs the traces of all rows, as many at once as are allowed.
check_filters() {
	local i j row wanted options
	for ((i = 0; i < ${#FILTERS[@]}; i += 4)); do
		for ((j = i; j < i + 4 && j < ${#FILTERS[@]}; j++)); do
			read -r wanted options <<< "${FILTERS[j]}"
			# shellcheck disable=SC2086 # the options are words
			trace "filter$j" $options
		done
		trace_all_see_end "$i"
		for ((j = i; j < i + 4 && j < ${#FILTERS[@]}; j++)); do
			read -r wanted options <<< "${FILTERS[j]}"
			lab_stop "filter$j" INT || true
			is "trace $options" "$(call_ids "filter$j")" "$(sed 's/none//; s/,/ /g' <<< "$wanted")"
		done
	done
}

# The traffic, and then the time until the daemon has read all its records: a trace of everything shows the last one.
trace_all_see_end() {
	talk
	sleep 0.3
}

lab_open
lab_flat 3
write_config
lab_balance
for backend in px1 px2 px3; do
	lab_start "$backend" "$backend" tests/net/named_echo.py "$backend" 5060,5070 "$LAB_VIP"
done
for backend in px1 px2 px3; do
	wait_for 10 grep -q listening "$LAB_DIR/$backend.log"
done

selects invite,bye,register,response,-
selects invite --call-id invite@x
selects invite,bye --call-id invite@x --call-id bye@x
selects none --call-id other@x
selects invite,response --from alice
selects invite,response --from sip:alice@example.org
selects bye --to dave
selects bye --source $OTHER
selects invite,bye,register,response,- --source 10.0.0.0/24
selects none --source 10.0.1.0/24
selects invite,response --method INVITE
selects bye,register --method bye --method REGISTER
selects register --service registrar
selects register --backend px3
selects response --verdict hint
selects - --verdict not_sip
selects response --from alice --verdict hint --method invite
selects none --from alice --service registrar
check_filters

trace text
talk
check "a line for each packet" wait_for 5 packets text 5
check "trace ends with SIGINT" lab_stop text INT
like "... and prints its totals" "$(cat "$LAB_DIR/text.log")" '5 packets, 0 lost$'
like "a line has time, source, message, Call-ID, verdict, slot and backend" "$(cat "$LAB_DIR/text.out")" \
	'^[0-9:.]{15} 10\.0\.0\.100:[0-9]+ +INVITE +invite@x +call_id +slot [0-9]+ +px[12]$'
like "... a response also has the method of its CSeq" "$(cat "$LAB_DIR/text.out")" '200/INVITE +response@x +hint +hint +px2$'
like "... a packet that is not SIP has protocol and length" "$(cat "$LAB_DIR/text.out")" ' udp, 4[0-9] bytes +- +not_sip +slot'
check "the plain program is back" wait_for 5 program_is balancer

: > "$LAB_DIR/json.out"
lab_start json balancer sh -c "exec sipxdp-ctl --json trace --count 1 --body --method BYE > $LAB_DIR/json.out"
wait_for 5 program_is observer
talk
check "--count ends the trace" lab_wait json 10
is "--json prints one object for each packet" "$(jq -rs 'map([.interface, .message, .call_id, .verdict, .reason, .pool, .service] | join(" ")) | join(",")' < "$LAB_DIR/json.out")" \
	"eth0 BYE bye@x call_id slot proxies sip"
like "... and --body adds the message" "$(jq -r .body < "$LAB_DIR/json.out")" '^Subject: private'
is "... trace and lookup have the same slot" "$(jq .slot < "$LAB_DIR/json.out")" "$(lab_ctl --json lookup sip bye@x | jq '.[0].slot')"
is "... and the same backend" "$(jq -r .backend < "$LAB_DIR/json.out")" "$(lab_ctl --json lookup sip bye@x | jq -r '.[0].backend')"

trace body --body --call-id invite@x
talk
check "--body prints the message" wait_for 5 grep -q '^Subject: private' "$LAB_DIR/body.out"
lab_stop body INT || true

check "--seconds ends the trace" lab_in balancer sipxdp-ctl trace --seconds 1

# --- pcap

trace pcap --pcap "$LAB_DIR/trace.pcap"
talk
wait_for 5 packets pcap 5
lab_stop pcap INT || true
mac=$(lab_in balancer cat /sys/class/net/eth0/address)
is "tshark reads a pcap file: frames as they arrived" \
	"$(tshark -n -r "$LAB_DIR/trace.pcap" -Y 'sip' -T fields -e eth.dst -e ip.dst -e sip.Call-ID 2> /dev/null | tr '\t' ' ')" \
	"$(printf "$mac $LAB_VIP %s@x\n" invite bye register response)"
is "... in the order of their times, in nanoseconds" "$(tshark -n -r "$LAB_DIR/trace.pcap" -T fields -e frame.time_epoch 2> /dev/null | sort -nc && capinfos -t "$LAB_DIR/trace.pcap" | grep -c nanosecond)" 1
like "... of today" "$(tshark -n -r "$LAB_DIR/trace.pcap" -c 1 -T fields -e frame.time_epoch 2> /dev/null)" "^$(date +%s | cut -c1-7)"

lab_start full balancer bash -c "trap '' XFSZ; ulimit -f 8; exec sipxdp-ctl trace --pcap $LAB_DIR/full.pcap > /dev/null"
wait_for 10 program_is observer
is_full() {
	talk
	! lab_running full
}
check "a pcap file that cannot grow ends the trace" wait_for 20 is_full
is "... as a failure" "$(lab_wait full 10; echo $?)" 1
like "... says why" "$(cat "$LAB_DIR/full.log")" 'cannot write the pcap file: File too large'
like "... and counts the packets that are complete in the file" "$(tail -n 1 "$LAB_DIR/full.log")" \
	"^sipxdp-ctl: $(tshark -n -r "$LAB_DIR/full.pcap" 2> /dev/null | wc -l) packets, 0 lost"

lab_start pipe balancer sh -c "sipxdp-ctl trace --count 5 --pcap - | tshark -l -n -r - -T fields -e sip.Call-ID > $LAB_DIR/pipe.out"
wait_for 5 program_is observer
talk
check "tshark reads packets from a pipe at once" wait_for 10 grep -qx response@x "$LAB_DIR/pipe.out"
check "... and ends after the last packet" lab_wait pipe 10
term new-session -d -s sngrep -x 120 -y 30 "sipxdp-ctl trace --pcap - 2> $LAB_DIR/sngrep.log | sngrep -I -"
wait_for 10 program_is observer
talk
check "sngrep shows the dialogs from a pipe" wait_for 20 shows 'INVITE +alice@example.net +bob@example.net'
press Escape
check "... and asks before it quits" wait_for 10 shows 'Are you sure'
press Enter
talk # sngrep ends when it has read a further packet
check "the trace ends with its reader" wait_for 10 program_is balancer

# --- limits and failures

for i in 1 2 3 4; do
	trace "tracer$i"
done
like "a fifth trace is refused" "$(lab_in balancer sipxdp-ctl trace 2>&1 || true)" '4 traces are already running'
talk
for i in 1 2 3 4; do
	check "trace $i of 4 sees all packets" wait_for 5 packets "tracer$i" 5
done
for i in 1 2 3; do
	lab_stop "tracer$i" KILL || true
done
check "the observer stays for the last trace" program_is observer
lab_stop tracer4 KILL || true
check "SIGKILL of the last trace: the plain program is back" wait_for 5 program_is balancer

for backend in px1 px2 px3; do
	lab_stop $backend || true # the receivers of numbered packets need their port
done
trace slow --pcap "$LAB_DIR/slow.pcap"
kill -STOP "${LAB_PROCESS[slow]}"
through "a trace does not read" sleep 3
check "... the daemon answers" lab_answers
kill -CONT "${LAB_PROCESS[slow]}"
check "... the trace ends" lab_stop slow INT
like "... and says how many packets are lost" "$(cat "$LAB_DIR/slow.log")" '[0-9]+ packets, [1-9][0-9]* lost'

# The totals count every packet. The reader of the first trace starts to read when the time of the trace is over. The reader of
# the second one is too slow.
SENT=2000

packets_of_sip() {
	lab_ctl --json stats | jq '.services[] | select(.name == "sip") | .packets'
}

have_arrived() {
	[ "$(packets_of_sip)" -ge "$1" ]
}

send_all() {
	local before
	before=$(packets_of_sip)
	lab_in client python3 - "$LAB_VIP" $SENT <<- 'PYTHON'
		import socket, sys, time
		udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for number in range(int(sys.argv[2])):
		    udp.sendto(b"\r\n", (sys.argv[1], 5060))
		    time.sleep(0.0002)
	PYTHON
	wait_for 10 have_arrived $((before + SENT))
}

trace late --seconds 5
kill -STOP "${LAB_PROCESS[late]}"
send_all
sleep 5
kill -CONT "${LAB_PROCESS[late]}"
check "a trace whose time is over ends" lab_wait late 20
is "... and its totals include the packets that waited" "$(cat "$LAB_DIR/late.log")" "sipxdp-ctl: $SENT packets, 0 lost"
check "... it has shown all of them" packets late $SENT

: > "$LAB_DIR/lazy.out"
lab_start lazy balancer sh -c "sipxdp-ctl --json trace --seconds 3 |
	while read -r line; do echo \"\$line\" >> $LAB_DIR/lazy.out; sleep 0.02; done"
wait_for 5 program_is observer
send_all
check "a trace with a slow reader ends" lab_wait lazy 60
shown=$(wc -l < "$LAB_DIR/lazy.out")
like "... and says how many packets it has not shown" "$(cat "$LAB_DIR/lazy.log")" \
	"^sipxdp-ctl: $shown packets, 0 lost, $((SENT - shown)) not shown"

# The daemon reads the records in portions. When the first trace ends after such a portion, its other records are still
# in the ring buffer, and the second trace has the same index.
trace first
kill -STOP "${LAB_PROCESS[sipxdpd]}"
start_packets --rate 2000
lab_stop numbered || true
lab_stop first KILL || true
kill -CONT "${LAB_PROCESS[sipxdpd]}"
trace second --from carol
talk
check "a trace selects a packet after a trace of other packets" wait_for 5 packets second 1
is "... and shows no packets of that trace" "$(call_ids second)" bye
lab_stop second INT || true

# A client that does not read. It ends the trace when its queue is full, but reads nothing then, either.
cat > "$LAB_DIR/deaf.py" <<- 'PYTHON'
	import array, fcntl, socket, termios, time
	daemon = socket.socket(socket.AF_UNIX)
	daemon.connect('/run/sipxdp/ctl.sock')
	daemon.sendall(b'{"command": "trace", "arguments": {"body": true}}\n')
	before, now = -1, array.array('i', [0])
	while now[0] < 1 << 20 or now[0] != before: # until the queue has not grown for a while
	    before = now[0]
	    time.sleep(0.5)
	    fcntl.ioctl(daemon, termios.FIONREAD, now)
	daemon.shutdown(socket.SHUT_WR)
	print('full', flush=True)
	time.sleep(1000)
PYTHON
lab_start deaf balancer python3 "$LAB_DIR/deaf.py"
start_packets
check "the queue of a client that does not read is full" wait_for 20 grep -q full "$LAB_DIR/deaf.log"
check "... the daemon ends its trace" wait_for 10 grep -q 'the trace for uid .* is over: its client does not read' "$LAB_DIR/sipxdpd.log"
lab_stop numbered || true
check "... and the plain program is back" wait_for 5 program_is balancer
lab_stop deaf KILL || true

lab_in balancer sipxdp-ctl backend add proxies px4 10.0.0.13 > /dev/null
trace gone --backend px4
is "status shows the number of traces" "$(lab_ctl status | grep '^traces:' | xargs)" "traces: 1 running"
lab_in balancer sipxdp-ctl backend remove proxies px4 > /dev/null
status=0
lab_wait gone 10 || status=$?
is "a trace of a backend fails when the backend is removed" "$status" 1
like "... and says why" "$(cat "$LAB_DIR/gone.log")" "sipxdpd ended the trace: no backend 'px4'"
lab_in balancer sipxdp-ctl backend remove proxies px2 > /dev/null
like "a removed backend of the file cannot be traced" "$(lab_in balancer sipxdp-ctl trace --backend px2 --seconds 1 2>&1 || true)" "no backend 'px2'"
lab_in balancer sipxdp-ctl backend add proxies px2 10.0.0.12 > /dev/null

trace orphan
: > "$LAB_DIR/lines.out"
lab_start lines balancer sh -c "sipxdp-ctl --json trace > $LAB_DIR/lines.out"
lab_start stream balancer sh -c "exec sipxdp-ctl --json trace --pcap - > $LAB_DIR/stream.pcap"
wait_for 10 test -s "$LAB_DIR/stream.pcap"
is_traced() {
	send_all
	[ -s "$LAB_DIR/lines.out" ]
}
wait_for 10 is_traced
lab_stop sipxdpd KILL || true
check "SIGKILL of the daemon: the plain program is back" wait_for 5 program_is balancer
is "... the trace fails" "$(lab_wait orphan 10; echo $?)" 1
like "... and says why" "$(cat "$LAB_DIR/orphan.log")" 'closed the connection'
lab_wait lines 10 || true
is "... with --json on one line, like each packet" "$(jq -rR 'try (fromjson | type) catch "no JSON"' < "$LAB_DIR/lines.out" | sort -u)" object
like "... which is the last one" "$(tail -n 1 "$LAB_DIR/lines.out")" '^\{"error": ?".*closed the connection'
lab_wait stream 10 || true
check "... with --pcap - the output is a complete pcap file" tshark -n -r "$LAB_DIR/stream.pcap"
like "... and the error is in standard error" "$(cat "$LAB_DIR/stream.log")" '^sipxdp-ctl: .*closed the connection'
like "the errors of repeated samples are lines, too" "$(lab_in client sipxdp-ctl --json stats --watch || true)" '^\{"error": .*\}$'
lab_daemon

for refused in "--verdict lost:no verdict 'lost'" "--method x:no method 'x'" "--service x:no service 'x'" \
	"--backend x:no backend 'x'" "--source 10.0.0.1/8:'10.0.0.1/8' is not a network" \
	"--call-id 1 --call-id 2 --call-id 3 --call-id 4 --call-id 5:can be given 4 times"; do
	# shellcheck disable=SC2086 # the options are words
	like "refused: trace ${refused%%:*}" "$(lab_in balancer sipxdp-ctl trace ${refused%%:*} 2>&1 || true)" "${refused#*:}"
done
lab_in balancer mkdir /sys/fs/bpf/sipxdp/dispatched
like "an interface of libxdp's dispatcher is refused" "$(lab_in balancer sipxdp-ctl trace 2>&1 || true)" "libxdp's dispatcher, which cannot replace"
lab_in balancer rmdir /sys/fs/bpf/sipxdp/dispatched
lab_in balancer rm /sys/fs/bpf/sipxdp/observer
like "without the program observer, trace is refused" "$(lab_in balancer sipxdp-ctl trace 2>&1 || true)" 'observer is not pinned.*upgrade'
check "... upgrade loads the observer again" lab_in balancer sipxdp-loader upgrade
check "... and a trace works again" lab_in balancer sipxdp-ctl trace --seconds 1
tap_end
