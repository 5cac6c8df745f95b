#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Hints: a backend originates calls from the VIP, and their Call-IDs hash to other backends. Responses and later
# requests reach the originating backend, because they contain its name. Also affinity by user: all calls to one
# number reach the same backend.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

CALLS=100 # originated by each backend
DOMAIN=sip.example.net
USER_PORTS=(5070 5071 5072) # services with affinity from-user, to-user, request-user
USERS=40

# write_config FORWARD HINTS: HINTS selects the hint of each backend: its "name", its "address", a "parameter", or "none".
write_config() {
	local backend hints
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			services:
			  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
			  - {name: callers, vip: $LAB_VIP, port: ${USER_PORTS[0]}, affinity: from-user, pool: proxies}
			  - {name: callees, vip: $LAB_VIP, port: ${USER_PORTS[1]}, affinity: to-user, pool: proxies}
			  - {name: numbers, vip: $LAB_VIP, port: ${USER_PORTS[2]}, affinity: request-user, pool: proxies}
			pools:
			  - name: proxies
			    forward: $1
			    record_time: 0s
			    backends:
		YAML
		for backend in "${LAB_BACKENDS[@]}"; do
			hints=
			[ "$2" = none ] || hints=$(self_of "$backend" "$2") hints=", hints: [${hints#"$LAB_VIP"}]"
			echo "      - {name: $backend, address: $(own_address "$backend")$hints}"
		done
	} | lab_write balancer "$LAB_CONFIG"
}

own_address() {
	echo "10.0.$LAB_SUBNET.$((10 + ${1#px}))"
}

# self_of BACKEND HOW: prints the host that the backend writes into Via and Contact: its "name", its "address", the "vip", or
# the VIP with a "parameter".
self_of() {
	case $2 in
	name) echo "$1.$DOMAIN" ;;
	address) own_address "$1" ;;
	vip) echo "$LAB_VIP" ;;
	parameter) echo "$LAB_VIP;node=$1" ;;
	esac
}

# use_hints HINTS: loads a configuration with these hints; see write_config.
use_hints() {
	write_config dsr "$1"
	lab_ctl reload --move-calls > /dev/null
}

far_end() {
	sip_answer far "$1" "$2" end
}

# begin NAME HOST SELF LOCAL REMOTE COUNT SECONDS: starts COUNT calls from LOCAL to REMOTE in the background. HOST
# writes SELF as its own name. The Call-IDs start with NAME.
begin() {
	rm -f "$LAB_DIR/$1."{messages,errors,stat,log}
	SIP_CLIENTS=$((SIP_CLIENTS + 1))
	lab_start "$1" "$2" sipp "$5:5060" -sf "$SIP_SCENARIOS/begin.xml" -i "$4" -bind_local -p 5060 -key self "$3" \
		-m "$6" -r 50 -l "$6" -cid_str "$1-$SIP_RUN-$SIP_CLIENTS-%u@%s" -nostdin -skip_rlimit -timeout "$7" \
		-timeout_error -fd 1 -trace_stat -stf "$LAB_DIR/$1.stat" -trace_err -error_file "$LAB_DIR/$1.errors" \
		-trace_shortmsg -shortmessage_file "$LAB_DIR/$1.messages"
}

# all_begin HOW COUNT SECONDS: each backend makes COUNT calls from the VIP. Status 0 if all calls succeed.
all_begin() {
	local backend status=0
	for backend in "${LAB_BACKENDS[@]}"; do
		begin "$backend" "$backend" "$(self_of "$backend" "$1")" "$LAB_VIP" "$LAB_CLIENT" "$2" "$3"
	done
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_wait "$backend" 60 || { status=$? && tail -n 3 "$LAB_DIR/$backend.errors"; }
	done
	return $status
}

ended_well() {
	local backend sum=0
	for backend in "${LAB_BACKENDS[@]}"; do
		sum=$((sum + $(sip_statistic "$backend" 'SuccessfulCall(C)')))
	done
	echo $sum
}

# strays [WHAT]: prints the number of calls of which a backend other than the originating one received messages. WHAT
# limits these to "responses" or "requests".
strays() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		sip_seen "$backend" | awk -v begun="^$backend-" -v what="${1:-}" '$2 !~ begun {
			if (what == "" || (what == "responses") == ($1 ~ /^[0-9]/)) print $2
		}'
	done | sort -u | wc -l
}

# Prints the number of calls whose Call-ID hashes to a backend other than the originating one.
owned_by_others() {
	sip_owners | cut -d' ' -f1 | sort -u | lab_ctl lookup sip - | awk '$1 !~ "^" $2 "-"' | wc -l
}

# try_calls HOW WORDS
try_calls() {
	local hinted owned
	hinted=$(lab_verdict hint) owned=$(lab_verdict call_id)
	check "$2: each backend makes $CALLS calls from the VIP, and all succeed" all_begin "$1" $CALLS 60s
	check "... most of their Call-IDs hash to a different backend" test "$(owned_by_others)" -gt "$CALLS"
	is "... no message reaches a different backend" "$(strays)" 0
	# 180, 200, INVITE, ACK and BYE of each call
	check "... the hint selects the backend of each message" test $(($(lab_verdict hint) - hinted)) -ge $((5 * CALLS * ${#LAB_BACKENDS[@]}))
	is "... the Call-ID selects the backend of none" "$(($(lab_verdict call_id) - owned))" 0
}

# Control: without hints, messages of such calls reach other backends.
try_unnamed() {
	use_hints none
	all_begin vip 30 3s > /dev/null || true
	check "without names, most of 90 such calls fail" test "$(ended_well)" -lt 60
	check "... their responses reach different backends" test "$(strays responses)" -gt 30
	lab_stop far || true
	far_end client "$LAB_CLIENT"
	all_begin address 30 3s > /dev/null || true
	is "... with addresses in Via, all responses reach the right backend" "$(strays responses)" 0
	check "... but in-dialog requests from the peer do not" test "$(strays requests)" -gt 30
	lab_stop far || true
	use_hints name
}

# --- proxies that change the Call-ID

farm_start() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		rm -f "$LAB_DIR/$backend."{messages,log}
		SIP_SELF=$backend.$DOMAIN kamailio_start "$backend" "$backend" STATEFUL HIDING 'CALLEE="sip:10.0.0.200:5060"'
	done
}

farm_stop() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_stop "$backend" || true
	done
}

# calls_by_proxies COUNT SECONDS
calls_by_proxies() {
	begin caller client "$LAB_CLIENT:5060" "$LAB_CLIENT" "$LAB_VIP" "$1" "$2"
	lab_wait caller 60 || tail -n 3 "$LAB_DIR/caller.errors"
	[ "$(sip_statistic caller 'SuccessfulCall(C)')" -eq "$1" ]
}

calls_are_spread() {
	! calls_by_proxies 30 3s && [ -n "$(sip_strays)" ]
}

# Call-IDs that both ends of the calls received.
common_call_ids() {
	comm -12 <(sip_seen caller | cut -d' ' -f2 | sort -u) <(sip_seen far | cut -d' ' -f2 | sort -u) | wc -l
}

try_proxies() {
	lab_peer callee 200
	far_end callee 10.0.0.200
	# Kamailio must be able to resolve the name that it uses as its own.
	printf "$LAB_VIP %s.$DOMAIN\\n" "${LAB_BACKENDS[@]}" | lab_hosts "${LAB_BACKENDS[@]}"
	farm_start
	check "150 calls through proxies that hide the Call-ID succeed" calls_by_proxies 150 60s
	is "... the two ends of a call have different Call-IDs" "$(common_call_ids)" 0
	is "... one proxy receives all messages of a call, in both directions" "$(sip_strays)" ""
	is "... every proxy receives calls" "$(sip_owners | cut -d' ' -f2 | sort -u | xargs)" "${LAB_BACKENDS[*]}"
	use_hints none
	check "without hints, several proxies receive messages of one call" calls_are_spread
	use_hints name
	farm_stop
	lab_stop far || true
}

# --- single messages

echo_everywhere() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_start "$backend" "$backend" tests/net/named_echo.py "$backend" "5060,$(IFS=, && echo "${USER_PORTS[*]}")" "$LAB_VIP"
		wait_for 5 grep -q listening "$LAB_DIR/$backend.log"
	done
}

# say: sends the rows of standard input by say.py, from all addresses of the client; prints the backend that answers
# each.
say() {
	local i sources=()
	for ((i = 0; i < LAB_CLIENTS; i++)); do
		sources+=("10.0.0.$((${LAB_CLIENT##*.} + i))")
	done
	lab_in client tests/net/say.py "$LAB_VIP" "${sources[@]}"
}

# messages_with LINE...: prints 30 messages with these lines and the Call-IDs dead-0 to dead-29.
messages_with() {
	local i text
	text=$(IFS=$'\t' && echo "$*")
	for ((i = 0; i < 30; i++)); do
		printf '5060\t%s\tCall-ID: dead-%d\tCSeq: 2 BYE\n' "$text" $i
	done
}

answered() {
	messages_with "$@" | say | sort -u | xargs
}

BYE_URI="BYE sip:someone@px2.$DOMAIN SIP/2.0"
VIA="Via: SIP/2.0/UDP $LAB_CLIENT;branch=z9hG4bK1"

try_messages() {
	local owners
	is "a request whose Route names px2 goes to px2" "$(answered 'BYE sip:x@example.org SIP/2.0' "$VIA" "Route: <sip:PX2.$DOMAIN:5060;lr>")" px2
	is "a request whose Request-URI names px2 goes to px2" "$(answered "$BYE_URI" "$VIA")" px2
	is "... unless its Route names a different backend" "$(answered "$BYE_URI" "$VIA" "Route: <sip:px3.$DOMAIN;lr>")" px3
	is "a response whose Via names px2 goes to px2" "$(answered 'SIP/2.0 200 OK' "Via: SIP/2.0/UDP px2.$DOMAIN;branch=z9hG4bK1" "$VIA")" px2
	lab_ctl backend drain proxies px2 > /dev/null
	is "while px2 is drained, messages that name it go to px2" "$(answered "$BYE_URI" "$VIA")" px2

	lab_ctl backend maint proxies px2 > /dev/null
	owners=$(printf 'dead-%d\n' {0..29} | lab_ctl lookup sip - | cut -f2)
	is "while px2 is in maint, they go to the owners of their Call-IDs" "$(messages_with "$BYE_URI" "$VIA" | say)" "$owners"
	is "... these owners are the other backends" "$(sort -u <<< "$owners" | xargs)" "px1 px3"
	lab_ctl backend ready proxies px2 > /dev/null
	is "when px2 is ready again, they go to px2" "$(answered "$BYE_URI" "$VIA")" px2
}

# --- users

# user_row PORT URI-OF-REQUEST FROM TO: prints an INVITE with a unique Call-ID.
user_row() {
	ROW=$((${ROW:-0} + 1))
	printf '%s\tINVITE %s SIP/2.0\t%s\t%s\tTo: %s\tCall-ID: user-%d\tCSeq: 1 INVITE\n' "$1" "$2" "$VIA" "$3" "$4" $ROW
}

# The same user in several spellings, in the header that the service uses as key; "N" stands for a number. The other
# headers contain a different user in each message.
spellings_of() {
	local n=$1 other=someone$((RANDOM))
	user_row 5070 "sip:$other@example.org" "From: <sip:+1201555$n@example.net>;tag=1" "<sip:$other@example.org>"
	user_row 5070 "sip:a$other@example.org" "f: \"sip:x@y\" <tel:+1-201-555-$n>;tag=2" "<sip:$other@example.org>"
	user_row 5070 "sip:b$other@example.org" "From: sip:%2B1201%3555$n:secret@10.9.9.9;tag=3" "<sip:$other@example.org>"
	user_row 5071 "sip:$other@example.org" "From: <sip:$other@example.org>;tag=4" "<sip:+1201555$n@example.net>"
	user_row 5071 "sip:c$other@example.org" "From: <sip:d$other@example.org>;tag=5" "Bob <tel:+1(201)555.$n;ext=5>;tag=z"
	user_row 5072 "sips:+1201555$n@example.net" "From: <sip:e$other@example.org>;tag=6" "<sip:$other@example.org>"
	user_row 5072 "tel:+1201-555$n" "From: <sip:f$other@example.org>;tag=7" "<sip:g$other@example.org>"
	user_row 5072 "sip:+12015%35%35$n@10.0.0.1:5062;user=phone" "From: <sip:h$other@example.org>;tag=8" "<sip:$other@example.org>"
}

try_users() {
	local n counted before missing
	counted=$(lab_verdict user)
	for ((n = 0; n < USERS; n++)); do
		spellings_of $((1000 + n))
	done | say | xargs -n 8 > "$LAB_DIR/users"
	is "one backend receives all calls of a user in From, To or Request-URI, in every spelling" \
		"$(awk '{ for (i = 2; i <= NF; i++) if ($i != $1) { print NR ": " $0; next } }' "$LAB_DIR/users")" ""
	is "... for each of $USERS users" "$(wc -l < "$LAB_DIR/users")" $USERS
	is "... and each backend receives some of the users" "$(cut -d' ' -f1 "$LAB_DIR/users" | sort -u | xargs)" "${LAB_BACKENDS[*]}"
	is "... the verdict is user" "$(($(lab_verdict user) - counted))" $((8 * USERS))
	before=$(lab_verdict no_user)
	missing=$(user_row 5072 "sip:example.net" "From: <sip:a@example.org>;tag=1" "<sip:b@example.org>" | say)
	like "a request without a user is answered" "$missing" '^px[123]$'
	is "... the verdict is no_user" "$(($(lab_verdict no_user) - before))" 1
}

# owners_of FORMAT: writes the users of try_users in this format; prints their owners according to lookup.
owners_of() {
	seq -f "$1" 1000 $((999 + USERS)) | lab_ctl lookup callers - | cut -f2
}

# refuses WORDS SERVICE TEXT REASON
refuses() {
	local output status=0
	output=$(lab_ctl lookup "$2" "$3" 2>&1) || status=$?
	is "$1" "$status $output" "1 sipxdp-ctl: '$3': $4"
}

NO_USER="no user in it: expected the user alone, or a sip, sips or tel URI with a user"

try_lookup() {
	local format
	for format in '+1201555%g' 'SIP:+1201555%g@example.net' 'sips:%%2B1201555%g:x@example.net' 'TEL:+1-201-555-%g;ext=5'; do
		is "lookup of $format names the backend that has responded" "$(owners_of "$format")" "$(cut -d' ' -f1 "$LAB_DIR/users")"
	done
	refuses "lookup of a URI without a user" callers sip:example.net "$NO_USER"
	refuses "... of a tel URI without a number" callees tel: "$NO_USER"
	refuses "... of a header instead of a Call-ID" sip "Call-ID: q1" "a Call-ID must not be empty or contain white space"
	is "... the next Call-ID of the same command gets its answer" "$(lab_ctl lookup sip "Call-ID: q1" q2 2> /dev/null | cut -f1)" q2
	is "... also in JSON" \
		"$(lab_ctl --json lookup sip "Call-ID: q1" q2 | jq -r '.[] | "\(.call_id) \(.error != null) \(.backend != null)"')" \
		$'Call-ID: q1 true false\nq2 false true'
}

lab_open
lab_flat 3
far_end client "$LAB_CLIENT"
write_config dsr name
lab_balance

try_calls name "by names"
# Starts a new far end: on a busy machine the previous one still retransmits a BYE that contains a removed hint.
lab_stop far || true
far_end client "$LAB_CLIENT"
use_hints address
try_calls address "by addresses"
lab_stop far || true
far_end client "$LAB_CLIENT"
use_hints parameter
try_calls parameter "by parameters of the VIP"
lab_stop far || true
far_end client "$LAB_CLIENT"
use_hints address
try_unnamed
try_proxies
echo_everywhere
try_messages
try_users
try_lookup

lab_close
lab_open
lab_routed 3
far_end client "$LAB_CLIENT"
for backend in "${LAB_BACKENDS[@]}"; do
	lab_in "$backend" sipxdp-loader attach --program decap eth0 > /dev/null
done
write_config ipip name
lab_balance
try_calls name "by IP-in-IP"
tap_end
