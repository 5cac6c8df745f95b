#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# lookup agrees with the packet path: by Call-ID, source and hint. Without a running daemon, lookup, status, stats
# and backend list give the same answers from the maps.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

COUNT=20
SECOND=10.0.0.120 # a second address of the client

configure() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		  - {name: source, vip: $LAB_VIP, port: 5061, affinity: source, pool: proxies}
		  - {name: tcp, vip: $LAB_VIP, port: 5070, protocol: tcp, pool: proxies}
		pools:
		  - name: proxies
		    record_time: 1s
		    backends:
		      - {name: px1, address: 10.0.0.11, hints: [one.example.net]}
		      - {name: px2, address: 10.0.0.12, hints: ["two.example.net:5062"]}
		      - {name: px3, address: 10.0.0.13}
	YAML
}

# said ARGUMENT...: prints the backend of each line of a lookup.
said() {
	lab_ctl lookup "$@" 2> /dev/null | cut -f2
}

# answered: prints the backends that respond to the messages.
answered() {
	lab_in client tests/net/ask.py "$LAB_VIP"
}

# question NUMBER LINE...: prints a UDP message, with tabs between its lines.
question() {
	local number=$1
	shift
	local IFS=$'\t'
	echo "udp	$LAB_CLIENT	$((20000 + number))	5060	$*	From: <sip:a@example.net>;tag=1	To: <sip:b@example.net>;tag=2	Call-ID: lookup-$number	CSeq: 1 INFO"
}

# same NAME SERVICE OPTION LINE...: sends COUNT messages, and compares with lookups with this option.
same() {
	local name=$1 service=$2 option=$3 i
	shift 3
	is "$name" "$(seq -f 'lookup-%g' $COUNT | lab_ctl lookup "$service" - $option | cut -f2 | xargs)" \
		"$(for ((i = 1; i <= COUNT; i++)); do question "$i" "$@"; done | answered | xargs)"
}

sources() {
	seq -f "$LAB_CLIENT:%g" 30000 $((30000 + COUNT - 1))
}

# everything: prints the answers to all look-ups below. The lab itself causes packets that are not IP, or for other hosts.
everything() {
	seq -f 'lookup-%g' $COUNT | lab_ctl lookup sip -
	lab_ctl lookup sip --via one.example.net
	lab_ctl lookup tcp --source "$LAB_CLIENT:30000"
	lab_ctl backend list | awk '{ print $1, $2, $3, $4, $5, $7, $8 }'
	lab_ctl stats | sed '/^not_ip /d; /^other_host /d; /^not_service /d'
}

lab_open
lab_flat 3
lab_address client eth0 $SECOND/24
configure
lab_balance
for host in "${LAB_BACKENDS[@]}"; do
	lab_start "$host" "$host" tests/net/named_echo.py "$host" 5060,5061,5070 "$LAB_VIP"
	wait_for 10 grep -q listening "$LAB_DIR/$host.log"
done
lab_ctl pool finish proxies > /dev/null

REQUEST="INFO sip:b@$LAB_VIP SIP/2.0"
same "Call-IDs of requests" sip "" "$REQUEST" "Via: SIP/2.0/UDP c.invalid;branch=z9hG4bK1"
same "a response with a Via that is a hint" sip "--via one.example.net" "SIP/2.0 200 OK" "Via: SIP/2.0/UDP one.example.net;branch=z9hG4bK1"
same "... with a port" sip "--via two.example.net:5062" "SIP/2.0 200 OK" \
	"Via: SIP/2.0/UDP two.example.net:5062;branch=z9hG4bK1"
same "... a hint of a different backend" sip "--via two.example.net" "SIP/2.0 200 OK" "Via: SIP/2.0/UDP two.example.net;branch=z9hG4bK1"
same "... with an address" sip "--via 10.0.0.13" "SIP/2.0 200 OK" "Via: SIP/2.0/UDP 10.0.0.13:5060;branch=z9hG4bK1"
same "a request with a Route that is a hint" sip "--route one.example.net" "$REQUEST" \
	"Via: SIP/2.0/UDP c.invalid;branch=z9hG4bK1" "Route: <sip:one.example.net;lr>"
same "... with a Request-URI that is a hint" sip "--request-uri 10.0.0.12" "INFO sip:b@10.0.0.12 SIP/2.0" \
	"Via: SIP/2.0/UDP c.invalid;branch=z9hG4bK1"
same "... a Route takes precedence over the Request-URI" sip "--request-uri 10.0.0.12 --route else.example.net" \
	"INFO sip:b@10.0.0.12 SIP/2.0" "Via: SIP/2.0/UDP c.invalid;branch=z9hG4bK1" "Route: <sip:else.example.net;lr>"
is "a lookup with a hint needs no Call-ID" "$(lab_ctl lookup sip --via one.example.net)" \
	"one.example.net	px1	10.0.0.11	named in its via"
like "... a lookup with a host name that is not a hint needs a Call-ID" "$(lab_ctl lookup sip --via else.example.net 2>&1 || true)" "a Call-ID or a user is missing"

for source in "$LAB_CLIENT" $SECOND; do
	is "affinity source: $source" "$(said source --source "$source")" \
		"$(question 0 "$REQUEST" | sed "s/$LAB_CLIENT	[0-9]*	5060/$source	21000	5061/" | answered)"
done
is "lookups of connections agree with the packet path" "$(for source in $(sources); do said tcp --source "$source"; done | xargs)" \
	"$(sources | tr : '\t' | sed 's/^/tcp	/; s/$/	5070	hello/' | answered | xargs)"
is "lookups of messages without a Call-ID agree with the packet path" "$(said sip --source "$LAB_CLIENT:29000")" \
	"$(printf 'udp\t%s\t29000\t5060\tno message\n' "$LAB_CLIENT" | answered)"
like "a connection needs a source" "$(lab_ctl lookup tcp a-call 2>&1 || true)" "--source ADDRESS:PORT"

# --- without the daemon

wrong=$(lab_ctl --socket /run/wrong.sock status 2>&1 || true)
unlike "with a wrong --socket, status does not say that the daemon is not running" "$wrong" "not running"
is "... both warnings name the socket" "$(grep -c "sipxdpd does not answer at /run/wrong.sock" <<< "$wrong")" 2
before=$(everything)
lab_stop sipxdpd KILL || true
for words in status stats "backend list" "lookup sip a-call"; do
	# shellcheck disable=SC2086 # words of a command
	is "without a daemon $words prints a warning first" "$({ lab_ctl $words 2>&1 || true; } | head -n 1)" \
		"sipxdp-ctl: read from the maps: sipxdpd does not answer at /run/sipxdp/ctl.sock (is it running, and is --socket right?)"
	# shellcheck disable=SC2086
	check "... --json prints JSON" jq -e . <(lab_ctl --json $words 2> /dev/null || true)
done
is "... the answers equal the answers of the daemon" "$(everything 2> /dev/null)" "$before"
check "status fails, so that monitoring notices" eval '! lab_ctl status > /dev/null 2>&1'
like "... has a warning" "$(lab_ctl status 2> /dev/null || true)" "^warning: *sipxdpd does not answer at /run/sipxdp/ctl.sock: .*'systemctl start sipxdpd'"
like "... and lists the interface" "$(lab_ctl status 2> /dev/null || true)" "^interfaces: *eth0, attached, native"
like "a command that needs the daemon fails" "$(lab_ctl backend drain proxies px1 2>&1 || true)" "is sipxdpd running"
like "... an unknown service is an error" "$(lab_ctl lookup none a 2>&1 || true)" "no service 'none'"
lab_in balancer sipxdp-loader detach > /dev/null
like "without maps sipxdp-ctl cannot connect" "$(lab_ctl status 2>&1 || true)" "^sipxdp-ctl: cannot connect to .*is sipxdpd running"
tap_end
