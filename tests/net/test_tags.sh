#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Hints that are tags: all backends use the VIP in every header, and only the start of their tags tells them apart.
# Requests find the backend by the tag in To, responses by the tag in From.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

CALLS=60 # from the client, and from each backend

# write_config HASH-KEY [HINTS]: HINTS are the hints of px1, px2 and px3, each a list; default: tag=px1- and so on.
write_config() {
	local key=$1 backend
	shift
	[ $# -gt 0 ] || set -- tag=PX1- tag=px2- tag=px3-
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: $key
			services:
			  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
			pools:
			  - name: proxies
			    record_time: 0s
			    backends:
		YAML
		for backend in "${LAB_BACKENDS[@]}"; do
			echo "      - {name: $backend, address: 10.0.0.$((10 + ${backend#px})), hints: [$1]}"
			shift
		done
	} | lab_write balancer "$LAB_CONFIG"
}

KEY=2b7e151628aed2a6abf7158809cf4f3c
OTHER_KEY=d7530ac91e6b48f280c4f69ab17e2d05

# with_tag BACKEND SCENARIO: the scenario with tags that start with the backend's name; prints the new scenario's name,
# relative to the others.
with_tag() {
	sed "s/;tag=\[pid\]/;tag=$1-[pid]/" "$SIP_SCENARIOS/$2.xml" > "$LAB_DIR/$2-$1.xml"
	realpath --relative-to="$SIP_SCENARIOS" "$LAB_DIR/$2-$1" | sed 's/\.xml$//'
}

# seen PATTERN: the number of messages that the backends have received, whose method or status is PATTERN.
seen() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		sip_seen "$backend"
	done | grep -c "^$1 " || true
}

established() {
	[ "$(seen ACK)" -eq $CALLS ]
}

# Calls from the client, whose Call-IDs all get new owners while they last.
try_calls_to_servers() {
	local backend moved
	for backend in "${LAB_BACKENDS[@]}"; do
		sip_answer "$backend" "$backend" "$LAB_VIP" "$(with_tag "$backend" answer)"
	done
	sip_client caller client "$LAB_CLIENT" call $CALLS 100 -d 5000
	check "$CALLS calls are established" wait_for 20 established
	write_config $OTHER_KEY
	check "... then hash_key changes" lab_ctl reload --move-calls
	moved=$(sip_owners | while read -r call owner; do
		[ "$(lab_ctl lookup sip "$call" | cut -f2)" = "$owner" ] || echo "$call"
	done | wc -l)
	check "... so that most Call-IDs have a different owner" test "$moved" -gt $((CALLS / 2))
	check "... all calls end well" lab_wait caller 60
	is "... the BYE of each call reaches its server" "$(seen BYE) $(sip_strays)" "$CALLS "
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_stop "$backend" || true
	done
}

# Calls from each backend, from the VIP, with the VIP in Via and Contact.
try_calls_by_servers() {
	local backend status=0 before
	sip_answer far client "$LAB_CLIENT" end
	before=$(lab_verdict hint)
	for backend in "${LAB_BACKENDS[@]}"; do
		rm -f "$LAB_DIR/$backend.messages"
		SIP_CLIENTS=$((SIP_CLIENTS + 1))
		lab_start "$backend" "$backend" sipp "$LAB_CLIENT:5060" -sf "$SIP_SCENARIOS/$(with_tag "$backend" begin).xml" \
			-i "$LAB_VIP" -bind_local -p 5060 -key self "$LAB_VIP" -m $CALLS -r 50 -l $CALLS \
			-cid_str "$backend-$SIP_RUN-$SIP_CLIENTS-%u@%s" -nostdin -skip_rlimit -timeout 60s -timeout_error -fd 1 \
			-trace_err -error_file "$LAB_DIR/$backend.errors" \
			-trace_shortmsg -shortmessage_file "$LAB_DIR/$backend.messages"
	done
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_wait "$backend" 60 || { status=$? && tail -n 3 "$LAB_DIR/$backend.errors"; }
	done
	is "each backend makes $CALLS calls from the VIP, and all succeed" $status 0
	is "... each backend receives only messages of its own calls" \
		"$(sip_owners | awk '$1 !~ "^" $2 "-"' | wc -l)" 0
	check "... although different backends own most Call-IDs" \
		test "$(sip_owners | cut -d' ' -f1 | lab_ctl lookup sip - | awk '$1 !~ "^" $2 "-"' | wc -l)" -gt $CALLS
	# 180, 200, INVITE, ACK and BYE of each call
	check "... the tag selects the backend of each message" test $(($(lab_verdict hint) - before)) -ge $((5 * 3 * CALLS))
	lab_stop far || true
}

# --- single messages

VIA="Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1"

# answered LINE...: sends 12 messages with these lines and different Call-IDs; prints the backends that answer.
answered() {
	local i text
	text=$(IFS=$'\t' && echo "$*")
	for ((i = 0; i < 12; i++)); do
		printf '5060\t%s\t%s\tCall-ID: tag-%d\tCSeq: 2 BYE\n' "$text" "$VIA" $i
	done | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" | sort -u | xargs
}

BYE="BYE sip:x@example.org SIP/2.0"

try_messages() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_start "$backend" "$backend" tests/net/named_echo.py "$backend" 5060 "$LAB_VIP"
		wait_for 5 grep -q listening "$LAB_DIR/$backend.log"
	done
	is "a request with a To tag of px2 goes to px2" "$(answered "$BYE" "To: <sip:a@b>;tag=px2-8f3a")" px2
	is "... a From tag of px3 does not matter" "$(answered "$BYE" "From: <sip:c@d>;tag=px3-1" "To: <sip:a@b>;tag=px2-8f3a")" px2
	is "... a Route to px3 takes precedence" "$(answered "$BYE" "Route: <sip:10.0.0.13;lr>" "To: <sip:a@b>;tag=px2-8f3a")" px2
	is "a response with a From tag of px2 goes to px2" "$(answered "SIP/2.0 200 OK" "From: <sip:a@b>;tag=PX2-8f3a")" px2
	is "a request without such a tag goes to the owner of its Call-ID" "$(answered "$BYE" "To: <sip:a@b>;tag=8f3a")" "px1 px2 px3"
	lab_ctl backend maint proxies px2 > /dev/null
	is "while px2 is in maint, its messages go to the owners of their Call-IDs" \
		"$(answered "$BYE" "To: <sip:a@b>;tag=px2-8f3a")" "px1 px3"
	lab_ctl backend ready proxies px2 > /dev/null
	is "when px2 is ready again, they go to px2" "$(answered "$BYE" "To: <sip:a@b>;tag=px2-8f3a")" px2
}

# explained LINE...: the steps "hint" and "backend" of explain.
explained() {
	printf '%s\r\n' "$@" "$VIA" "Call-ID: tag-0" "CSeq: 2 BYE" "" > "$LAB_DIR/message"
	lab_ctl explain "$LAB_DIR/message" --service sip | sed -n 's/^ *\(hint\|backend\): *//p'
}

try_operation() {
	like "lookup --tag names px2" "$(lab_ctl lookup sip --tag px2-8f3a)" $'^px2-8f3a\tpx2'
	like "explain shows the tag and its backend" "$(explained "$BYE" "To: <sip:a@b>;tag=px2-8f3a")" \
		'^tag px2-8f3a at offset [0-9]*: backend px2'
	like "... a tag that no backend has" "$(explained "$BYE" "To: <sip:a@b>;tag=px4-8f3a")" \
		'^tag px4-8f3a at offset [0-9]*: no backend has this tag'
	write_config $OTHER_KEY tag=px1- tag=new- tag=px3-
	like "reload refuses to remove a tag" "$(lab_ctl reload 2>&1 || true)" 'hints: tag=px2- is removed'
	write_config $OTHER_KEY tag=px1- "tag=px2-, tag=new-" tag=px3-
	check "... and accepts a second tag" lab_ctl reload
	is "... requests with either of them go to px2" \
		"$(answered "$BYE" "To: <sip:a@b>;tag=new-1") $(answered "$BYE" "To: <sip:a@b>;tag=px2-1")" "px2 px2"
}

# --- the tags of Kamailio

# kamailio_tag BACKEND METHOD: prints the start of the tag in Kamailio's response.
kamailio_tag() {
	lab_in "$1" python3 - "10.0.0.$((10 + ${1#px}))" "$2" <<- 'PYTHON'
		import re, socket, sys
		udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		udp.settimeout(5)
		udp.bind((sys.argv[1], 0))
		udp.sendto(("%s sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
			"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n"
			% (sys.argv[2], sys.argv[1], *udp.getsockname(), sys.argv[2])).encode(), (sys.argv[1], 5060))
		print(re.search(r"(?m)^To: .*;tag=([0-9a-f]+[.-])", udp.recv(4096).decode())[1])
	PYTHON
}

try_kamailio() {
	local backend tags=() tag i
	cat > "$LAB_DIR/kamailio.cfg" <<- 'CFG'
		children=1
		disable_tcp=yes
		log_stderror=yes
		dns=no
		rev_dns=no
		loadmodule "tm.so"
		loadmodule "sl.so"
		loadmodule "pv.so"
		loadmodule "xlog.so"
		request_route {
			xlog("L_ERR", "seen $rm $ci\n");
			if ($rm == "SUBSCRIBE") {
				t_newtran();
				t_reply("404", "Not Found");
				exit;
			}
			sl_send_reply("404", "Not Found");
		}
	CFG
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_stop "$backend" || true
		mkdir -p "$LAB_DIR/kamailio-$backend"
		lab_start "$backend" "$backend" kamailio -f "$LAB_DIR/kamailio.cfg" -DD -E -m 16 -M 4 -Y "$LAB_DIR/kamailio-$backend" \
			-P "$LAB_DIR/kamailio-$backend/pid" -w "$LAB_DIR/kamailio-$backend" \
			-l "udp:10.0.0.$((10 + ${backend#px})):5060" -l "udp:$LAB_VIP:5060"
		wait_for 10 sip_listens "$backend" "$LAB_VIP"
		tags+=("tag=$(kamailio_tag "$backend" INFO), tag=$(kamailio_tag "$backend" SUBSCRIBE)")
	done
	is "Kamailio's tags start with two different texts on each server" \
		"$(printf '%s\n' "${tags[@]}" | grep -o 'tag=[0-9a-f]*[.-]' | sort -u | wc -l)" 6
	write_config $OTHER_KEY "${tags[@]}"
	lab_ctl reload --move-calls > /dev/null
	for i in {0..11}; do
		tag=${tags[1]#tag=} # of stateless responses, or of others
		[ $((i % 2)) -eq 0 ] && tag=${tag%%,*} || tag=${tag##*=}
		printf '5060\t%s\t%s\tFrom: <sip:c@d>;tag=1\tTo: <sip:a@b>;tag=%s8f3a\tCall-ID: kamailio-%d\tCSeq: 2 BYE\tContent-Length: 0\n' \
			"$BYE" "$VIA" "$tag" "$i"
	done | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" > /dev/null
	is "... all of 12 requests with a tag of px2 reach px2" \
		"$(grep -l 'seen BYE kamailio-' "$LAB_DIR"/px?.log | xargs -n 1 basename) $(grep -c 'seen BYE kamailio-' "$LAB_DIR/px2.log")" \
		"px2.log 12"
}

lab_open
lab_flat 3
write_config $KEY
lab_balance
try_calls_to_servers
try_calls_by_servers
try_messages
try_operation
try_kamailio
tap_end
