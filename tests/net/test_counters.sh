#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The counters of SIP messages equal the senders' counts: sipp's statistics of real calls and registrations through a
# balancer with two servers. A service without message_counters counts no messages.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

CALLS=60
REGISTRATIONS=40

# counted METHOD DIALOG: prints the number of requests that the service counted.
counted() {
	lab_ctl --json stats | jq "[.requests[] | select(.method == \"$1\" and .dialog == \"$2\") | .messages] | add // 0"
}

# sent NAME FIRST_WORD: prints the number of messages in the client's trace that start with this word.
sent() {
	awk -F'\t' -v word="$2" '$4 == "S" { split($7, line, " "); count += line[1] == word } END { print count + 0 }' \
		"$LAB_DIR/$1.messages"
}

# of_backends COUNTER: prints the sum of the counter over all backends.
of_backends() {
	lab_ctl --json stats | jq "[.backends[].$1] | add"
}

# responses CODE CSEQ COUNT: the client sends this response COUNT times.
responses() {
	lab_in client python3 -c '
import socket, sys
vip, code, cseq, count = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(count)):
    s.sendto(f"SIP/2.0 {code} Text\r\nVia: SIP/2.0/UDP {vip};branch=z9hG4bK{i}\r\nFrom: <sip:a@example.net>;tag=1\r\n"
        f"To: <sip:b@example.net>;tag=2\r\nCall-ID: {code}-{i}@example.net\r\nCSeq: 1 {cseq}\r\n"
        "Content-Length: 0\r\n\r\n".encode(), (vip, 5060))' "$LAB_VIP" "$@"
}

# responded CODE CSEQ: prints the number of responses that the service counted.
responded() {
	lab_ctl --json stats | jq "[.responses[] | select(.code == \"$1\" and .cseq == \"$2\") | .messages] | add // 0"
}

try_requests() {
	sip_client calls client "$LAB_CLIENT" call $CALLS 60 -d 300 -s callee -trace_shortmsg \
		-shortmessage_file "$LAB_DIR/calls.messages"
	check "$CALLS calls succeed" lab_wait calls 40
	sip_client phones client "$LAB_CLIENT" register $REGISTRATIONS 60 -s alice -key contact_port 5080 -trace_shortmsg \
		-shortmessage_file "$LAB_DIR/phones.messages"
	lab_wait phones 40 || true # the servers of this test do not register
	is "INVITEs without a To tag" "$(counted INVITE initial)" "$(sent calls INVITE)"
	is "... are all INVITEs" "$(counted INVITE in_dialog)" 0
	is "ACKs" "$(counted ACK in_dialog)" "$(sent calls ACK)"
	is "BYEs with a To tag" "$(counted BYE in_dialog)" "$(sent calls BYE)"
	is "REGISTERs" "$(counted REGISTER initial)" "$(sent phones REGISTER)"
	is "the backends receive each INVITE" "$(of_backends initial_invite)" "$(sent calls INVITE)"
	is "... each REGISTER" "$(of_backends initial_register)" "$(sent phones REGISTER)"
	is "... and each request in a dialog" "$(of_backends in_dialog)" $(($(sent calls ACK) + $(sent calls BYE)))
	like "stats prints the INVITEs" "$(lab_ctl stats)" "sip +INVITE +initial +$(sent calls INVITE)"
	is "bpftool prints them by name" "$(lab_verdict initial_invite balancer service_traffic)" "$(sent calls INVITE)"
}

try_responses() {
	responses 486 INVITE 7
	responses 401 REGISTER 5
	responses 299 BYE 3
	is "responses 486 to INVITE" "$(responded 486 INVITE)" 7
	is "responses 401 to REGISTER" "$(responded 401 REGISTER)" 5
	is "other responses 2xx to a different method" "$(responded other_2xx other)" 3
	is "the backends receive them" "$(of_backends response)" 15
	is "the sums of their classes are right" "$(lab_ctl --json stats | jq -c '[.responses[] | {(.class): .messages}] | add')" '{"2xx":3,"4xx":5}'
}

# switch_counters true|false
switch_counters() {
	lab_in balancer sed -i "/message_counters/d; s/^    pool: proxies/&\n    message_counters: $1/" "$LAB_CONFIG"
	lab_ctl reload
}

try_off() {
	like "message_counters: false takes effect at a reload" "$(switch_counters false)" "message_counters false, was true"
	responses 486 INVITE 4
	is "... and nothing is counted" "$(responded 486 INVITE)" 7
	like "... until the key is true again" "$(switch_counters true)" "message_counters true, was false"
	responses 486 INVITE 2
	is "... the counters then continue" "$(responded 486 INVITE)" 9
}

lab_open
lab_flat 2
lab_config dsr
lab_balance
for backend in "${LAB_BACKENDS[@]}"; do
	sip_answer "$backend" "$backend" "$LAB_VIP"
done
try_requests
try_responses
try_off
tap_end
