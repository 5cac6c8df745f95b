#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0 sipxdp-ctl explain: the balancer then processes the same packet as explained. explain
# sends, counts and records nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

configure() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: [$LAB_VIP, "$LAB_VIP6"], port: 5060, pool: proxies, methods: {REGISTER: registrars}, ping: true}
		  - {name: users, vip: $LAB_VIP, port: 5070, affinity: from-user, pool: proxies}
		  - {name: sources, vip: $LAB_VIP, port: 5080, affinity: source, pool: proxies}
		  - {name: tunnel, vip: $LAB_VIP, port: 5090, pool: tunnel}
		  - {name: tcp, vip: $LAB_VIP, port: 5060, protocol: tcp, pool: proxies}
		pools:
		  - name: proxies
		    record_time: 1s
		    backends:
		      - {name: px1, address: 10.0.0.11, hints: [one.example.net, ;node=px1], ports: 30000-30999}
		      - {name: px2, address: 10.0.0.12, hints: [two.example.net]}
		      - {name: px3, address: 10.0.0.13, hints: [three.example.net], admin: maint}
		  - name: registrars
		    backends:
		      - {name: reg1, address: 10.0.0.14}
		  - name: tunnel
		    forward: ipip
		    backends:
		      - {name: tun1, address: 10.0.0.15}
	YAML
}

send() {
	lab_in client tests/net/frames.py send "$1" eth0
}

# The counters of all verdicts, and the packets of all backends: "NAME COUNT" for each.
counters() {
	lab_ctl stats --json | jq -r '(.verdicts[] | "\(.name) \(.packets)"), (.backends[] | "\(.name) \(.packets)")'
}

# The state that explain must not change. The lab itself causes traffic that is not for a service.
recorded() {
	counters | grep -v "^not_\|^other_host\|^probe_reply"
	for map in tracked_calls transactions fragments held_fragments punt_readers; do
		lab_in balancer bpftool map dump pinned "/sys/fs/bpf/sipxdp/$map" | md5sum
	done
}

# changes_nothing NAME: explains all packets.
changes_nothing() {
	local before
	before=$(recorded)
	lab_ctl explain "$LAB_DIR/all.pcap" --json > "$LAB_DIR/all.json"
	is "$1: explain changes nothing" "$(recorded)" "$before"
}

# grown BEFORE AFTER: the names whose count has grown.
grown() {
	{ diff <(echo "$1") <(echo "$2") || true; } | sed -n 's/^> \(.*\) .*/\1/p' | LC_ALL=C sort | xargs
}

counted() {
	local now
	now=$(counters)
	[ "$(sed -n "s/^$1 //p" <<< "$now")" -gt "$(sed -n "s/^$1 //p" <<< "$2")" ]
}

# The verdict and, of a packet that is forwarded, the backend.
answer() {
	jq -r 'if .action == "forwarded" then .verdict, .backend else .verdict end' | LC_ALL=C sort | xargs
}

# explained NAME: the output of the last changes_nothing() for this packet. `explain` prints one line for each packet.
explained() {
	sed -n "$(grep -nx "$1" "$LAB_DIR/names" | cut -d: -f1)p" "$LAB_DIR/all.json"
}

# does_as FILE EXPLANATION: sends the packet. Do the counters of its verdict and its backend grow, and no others?
# Leaves them in GOT and WANTED. The lab itself causes packets with some verdicts: neighbour discovery, floods.
does_as() {
	local before verdict
	WANTED=$(answer <<< "$2")
	verdict=$(jq -r .verdict <<< "$2")
	before=$(counters)
	send "$1"
	wait_for 5 counted "$verdict" "$before" || true
	GOT=$(grown "$before" "$(counters)" | xargs -n 1 |
		awk -v verdict="$verdict" '$1 == verdict || !/^(not_ip|not_service|other_host)$/' | xargs)
	[ "$GOT" = "$WANTED" ]
}

agrees() {
	does_as "$LAB_DIR/$1.pcap" "$(explained "$1")" || true
	is "$1: the balancer does as explained" "$GOT" "$WANTED"
}

# explained_by_its_first: does explain know the first fragment? Leaves the explanation in LATER.
explained_by_its_first() {
	LATER=$(lab_ctl explain "$LAB_DIR/later_fragment.pcap" --json)
	[ "$(jq -r .reason <<< "$LATER")" = fragment ]
}

# The balancer forgets a first fragment after 2 s, which a busy machine may exceed: the client repeats it meanwhile, and
# then sends both at once.
later_fragment() {
	local first
	first=$(explained first_fragment)
	lab_start first client tests/net/frames.py repeat "$LAB_DIR/first_fragment.pcap" eth0
	check "a later fragment: explain finds its first fragment" wait_for 20 explained_by_its_first
	lab_stop first || true
	is "... and names the same backend" "$(jq -r .backend <<< "$LATER")" "$(jq -r .backend <<< "$first")"
	does_as "$LAB_DIR/both_fragments.pcap" "$LATER" || true
	is "... the balancer does as explained" "$GOT" \
		"$( (answer <<< "$first"; answer <<< "$LATER") | xargs -n 1 | LC_ALL=C sort -u | xargs)"
}

# step PACKET STEP: the text of a step.
step() {
	explained "$1" | jq -r ".steps[] | select(.name == \"$2\") | .text"
}

packets() {
	local name mac
	mac=$(lab_in balancer cat /sys/class/net/eth0/address)
	tests/net/frames.py make "$LAB_DIR" "$mac" > "$LAB_DIR/names"
	changes_nothing "all packets"
	while read -r name; do
		agrees "$name"
	done < "$LAB_DIR/names"
	later_fragment
	is "... one object for each" "$(jq -s 'length' "$LAB_DIR/all.json")" "$(wc -l < "$LAB_DIR/names")"
	is "... one block for each as text" "$(lab_ctl explain "$LAB_DIR/all.pcap" | grep -c '^verdict: ')" \
		"$(wc -l < "$LAB_DIR/names")"
}

steps() {
	like "the message" "$(step invite message)" "^request INVITE, [0-9]+ bytes at offset 42$"
	like "the headers" "$(step invite headers)" "Via at 7[0-9], From at [0-9]+, To at [0-9]+, CSeq at [0-9]+, Call-ID at [0-9]+"
	is "the key" "$(step invite key)" "Call-ID explain-1"
	is "... in the compact form, with colons" "$(step compact_call_id key)" "Call-ID a:b:c@example.net"
	is "... of a user" "$(step from_user service)" "users, affinity from-user"
	like "... without a Call-ID" "$(step no_call_id key)" "^source 10.0.0.100:5060: there is no Call-ID$"
	like "the pool of a method" "$(step method_pool pool)" "^registrars, selected by .methods:. of the service"
	like "a hint" "$(step via_of_a_backend hint)" "^one.example.net at offset [0-9]+: backend px1$"
	like "... of a backend that is down" "$(step via_of_a_backend_that_is_down hint)" "px3, not used because it is down"
	like "... that no backend has" "$(step via_of_nobody hint)" "nobody.example.net at offset [0-9]+: no backend has this host"
	like "... behind the VIP" "$(step route_by_the_vip hint | xargs)" "192.0.2.10 .* the VIP, so the next host is looked up one.example.net .* px1"
	is "... in a parameter" "$(step parameter_of_a_backend hint | sed 's/offset [0-9]*/offset/')" \
		"192.0.2.10;lr;node=px1 at offset: backend px1"
	like "a packet that is not SIP" "$(step not_sip message)" "5 bytes at offset 42, not SIP: its first line"
	like "... but a keepalive" "$(step keepalive message)" "keepalive \(RFC 5626"
	like "... or STUN" "$(step stun message)" "STUN"
	like "TCP" "$(step tcp hint)" "sipxdp does not read SIP over TCP"
	like "a port range" "$(step port_range backend)" "px1 .*the port belongs to it"
	like "an ICMP error" "$(step icmp_error packet)" "quoted by an ICMP error"
	is "a packet that is too long for its tunnel" "$(explained tunnel_oversize | jq -r '.verdict, .action' | xargs)" "oversize held"
	is "no service" "$(step no_service service)" "none"
}

# as_text TEXT [OPTION...]: explains a message, prints the JSON.
as_text() {
	local text=$1
	shift
	printf "$text" | lab_ctl explain - --json "$@"
}

remarks() {
	jq -r '.steps[] | select(.name == "input") | .text' | xargs
}

text() {
	local message='INVITE sip:b@192.0.2.10 SIP/2.0\nVia: SIP/2.0/UDP a\nCall-ID: explain-1\nCSeq: 1 INVITE\n\n' same
	same=$(lab_ctl explain "$LAB_DIR/invite.pcap" --json | jq -r '.slot, .backend' | xargs)
	is "text with LF: as the packet" "$(as_text "$message" --service sip | jq -r '.slot, .backend' | xargs)" "$same"
	like "... with a remark" "$(as_text "$message" --service sip | remarks)" "LF\) became CRLF"
	is "text with CRLF" "$(as_text "${message//\\n/\\r\\n}" --service sip | remarks)" "the source is assumed to be 198.51.100.1:5060 (--source)"
	is "a source" "$(as_text "$message" --service sip --source 10.0.0.9:5070 | jq -r .source)" "10.0.0.9:5070"
	is "a destination" "$(as_text "$message" --destination "$LAB_VIP:5080" --source 10.0.0.9 | jq -r .service)" "sources"
	is "... that is IPv6" "$(as_text "$message" --destination "[$LAB_VIP6]:5060" | jq -r '.service, .backend' | xargs)" "sip ${same#* }"
	like "several services and no --service: refused" "$(as_text "$message" 2>&1 || true)" "are several services over UDP: use --service"
	like "a service that does not exist" "$(as_text "$message" --service nobody 2>&1 || true)" "no service 'nobody'"
	like "source and destination of different families: refused" "$(as_text "$message" --service sip --source 2001:db8::9 2>&1 || true)" "both be IPv4 or both be IPv6"
	like "a long message: its first fragment" \
		"$(as_text "$message$(printf 'x%.0s' {1..2000})" --service sip | jq -r '.steps[].text' | xargs)" \
		"longer than the MTU: this is its first fragment.*first fragment;"
	lab_in balancer tshark -r "$LAB_DIR/invite.pcap" -F pcapng -w /tmp/invite.pcapng 2> /dev/null
	is "a capture of Wireshark" "$(lab_ctl explain /tmp/invite.pcapng --json | jq -r '.slot, .backend' | xargs)" "$same"
	head -c 100 "$LAB_DIR/invite.pcap" | lab_write balancer /tmp/cut.pcap
	like "a truncated capture" "$(lab_ctl explain /tmp/cut.pcap 2>&1 || true)" "the file ends within packet 1, or it is damaged"
	like "a file that does not exist" "$(lab_ctl explain /nowhere 2>&1 || true)" "cannot read /nowhere"
	like "without privileges" "$(lab_in balancer setpriv --reuid=65534 --clear-groups --inh-caps=-all \
		"$(command -v sipxdp-ctl)" explain "$LAB_DIR/invite.pcap" 2>&1 || true)" "needs root|Permission denied"
}

# What `trace` wrote can be explained.
traced() {
	lab_start trace balancer sipxdp-ctl trace --call-id explain-1 --count 1 --pcap "$LAB_DIR/trace.pcap"
	wait_for 10 trace_has_ended
	is "a packet that was traced" "$(lab_ctl explain "$LAB_DIR/trace.pcap" --json | jq -r '.verdict, .backend, .slot' | xargs)" \
		"$(explained invite | jq -r '.verdict, .backend, .slot' | xargs)"
}

trace_has_ended() {
	send "$LAB_DIR/invite.pcap"
	! lab_running trace
}

# A migration: a call that is tracked, calls that are not, and hints.
migration() {
	local owner
	owner=$(lab_ctl explain "$LAB_DIR/invite.pcap" --json | jq -r .backend)
	lab_ctl backend drain proxies "$owner" > /dev/null
	wait_for 10 is_moving
	changes_nothing "a migration"
	like "a new call" "$(step invite dialog)" "may begin a call: it goes to the owner"
	is "... is not tracked" "$(step invite tracked)" "no"
	like "a request within a call" "$(step update dialog)" "belongs to a call: it goes to the previous owner"
	like "... the backend is the previous owner" "$(step update backend)" "$owner .*it is the previous owner of the slot"
	agrees update # its call, with the same Call-ID, is now tracked
	changes_nothing "a tracked call"
	like "the call is tracked" "$(step invite tracked)" "^a call at $owner, last packet [0-9]+ s ago$"
	like "... the tracked call selects the backend" "$(step invite backend)" "$owner .*the call is tracked on this backend"
	for name in invite bye via_of_a_backend parameter_of_a_backend tcp icmp_error; do
		agrees $name
	done
}

is_moving() {
	lab_ctl explain "$LAB_DIR/invite.pcap" | grep -q "^migration: .*previous owner is"
}

lab_open
lab_flat 5
configure
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
wait_for 10 lab_serving 4
lab_ctl pool finish proxies > /dev/null
packets
steps
text
traced
migration
is "without the daemon" "$(lab_stop sipxdpd; lab_ctl explain "$LAB_DIR/no_service.pcap" --json 2> /dev/null | jq -r .verdict)" not_service
lab_in balancer sipxdp-loader detach > /dev/null
like "when nothing is attached" "$(lab_ctl explain "$LAB_DIR/invite.pcap" 2>&1 || true)" "run 'sipxdp-loader attach"
tap_end
