#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# SIPVicious attacks two Kamailio registrars through the balancer. Without a guard, SIPVicious finds server and users,
# and guesses passwords. With `scanners`, none of its messages reaches a server. With limits alone, the rate of its
# guesses is limited.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

ATTACKER=$LAB_CLIENT PHONES=10.0.0.101
USERS=15     # phone1 to phone15
GUESSES=200  # passwords
RATE=5       # of the limit for REGISTER
BURST=20
ATTACK_SECONDS=30

# guard LINE...: reloads the balancer with these lines in `guard:`.
guard() {
	LAB_SECTIONS=$(echo "guard:" && printf '  %s\n' "$@")
	lab_config dsr
	lab_ctl reload
}

# attack NAME PORT COMMAND...: starts a program of SIPVicious; its output goes to $LAB_DIR/NAME.log. It exits by itself
# some seconds after the last response.
attack() {
	local name=$1 port=$2
	shift 2
	lab_start "$name" client timeout "$ATTACK_SECONDS" env HOME="$LAB_DIR" TERM=dumb "$@" \
		-x "$ATTACKER" -b "$ATTACKER" -P "$port" -t 0.001 "$LAB_VIP"
}

guess_passwords() {
	attack "$1" 5073 svcrack -u phone3 -r "100-$((99 + GUESSES))" --maximumtime 2
}

# attack_all NAME: svmap searches servers, svwar searches users, svcrack guesses passwords.
attack_all() {
	local program
	attack "$1-map" 5071 svmap
	attack "$1-war" 5072 svwar -m REGISTER -e "1-$USERS" -T 'phone%d' --maximumtime 2
	guess_passwords "$1-crack"
	for program in map war crack; do
		lab_wait "$1-$program" 60 || true
	done
}

finds() {
	grep -q "$2" "$LAB_DIR/$1.log"
}

# seen: the number of messages that the servers have received.
seen() {
	{ kamailio_seen px1 && kamailio_seen px2; } | wc -l
}

# register NAME: some phones register with their password, from a different address.
register() {
	sip_client "$1" client $PHONES register-auth 8 50 -s "phone-$1-" -t un -au office -ap lemon7
	lab_wait "$1" 30
}

lab_open
lab_flat 2
for i in 1 2; do
	kamailio_start px$i px$i STATEFUL 'PASSWORD="lemon7"'
done
lab_config dsr
lab_balance

# --- without a guard
attack_all open
check "without a guard svmap finds the server" finds open-map "$LAB_VIP:5060"
is "svwar finds each user" "$(grep -c 'phone[0-9]* .*reqauth' "$LAB_DIR/open-war.log")" $USERS
check "all guesses of svcrack reach a server" test "$(seen)" -ge $GUESSES

# --- scanners
check "the guard starts to drop scanners" guard 'mode: enforce' 'scanners: true'
before=$(seen)
attack_all closed
unlike "svmap finds nothing" "$(cat "$LAB_DIR/closed-map.log")" "$LAB_VIP"
unlike "svwar finds no user" "$(cat "$LAB_DIR/closed-war.log")" "reqauth"
is "no message of an attacker reaches a server" "$(seen)" "$before"
check "each of these messages is counted" test "$(lab_verdict scanner)" -ge 3
like "... by the rule scanner" "$(lab_ctl guard stats)" "^default +scanner +$(lab_verdict scanner) +0 .* $ATTACKER\$"
printf '%s\r\n' "OPTIONS sip:$LAB_VIP SIP/2.0" "Via: SIP/2.0/UDP $ATTACKER;branch=z9hG4bK1" "From: <sip:a@b>;tag=1" \
	"To: <sip:c@d>" "Call-ID: 1" "CSeq: 1 OPTIONS" "User-Agent: friendly-scanner" "" > "$LAB_DIR/scan"
is "guard test shows the same decision" \
	"$(lab_ctl --json guard test "$LAB_DIR/scan" --service sip | jq -r '.[0] | .guard_result + " " + .guard_rule')" "dropped scanner"
check "phones register meanwhile" register phones

# --- limits alone
check "the guard limits registrations" guard 'mode: enforce' 'limits: slow' \
	"limit_sets: [{name: slow, register: {rate: $RATE, burst: $BURST}}]"
before=$(seen)
start=$SECONDS
ATTACK_SECONDS=8
guess_passwords slow-crack
lab_wait slow-crack 60 || true
passed=$(($(seen) - before))
allowed=$((BURST + RATE * (SECONDS - start + 1)))
check "the guesses that reach a server are within burst and rate: $passed of at most $allowed" test $passed -le $allowed
check "... and at least the burst" test $passed -ge $BURST
check "... the others are counted" test "$(lab_verdict limited)" -gt 0
check "phones with other addresses register meanwhile" register other-phones
tap_end
