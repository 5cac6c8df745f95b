#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What operators learn about the guard from guard stats, top, why and test, from explain, the log, status and metrics.
# With real packets.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

KNOWN=10.0.0.101 DENIED=10.0.0.102 CALLER=10.0.0.103 PHONE=10.0.0.104 FLOOD=10.0.0.105

send() {
	lab_in client tests/net/from_source.py "$LAB_VIP" "$@"
}

# stats FILTER: the result of jq for `guard stats`; $r is the row of a rule by its name.
stats() {
	lab_ctl --json guard stats > "$LAB_DIR/stats.json"
	jq -r "(.rules | map({key: .rule, value: .}) | from_entries) as \$r | $1" "$LAB_DIR/stats.json"
}

# counts NAME FILTER: the statistics fulfil the filter soon.
counts() {
	if wait_for 10 stats_are "$2"; then
		ok "$1"
	else
		not_ok "$1" "$(cat "$LAB_DIR/stats.json")"
	fi
}

stats_are() {
	[ "$(stats "$1")" = true ]
}

top_has() {
	lab_ctl --json guard top | jq -e "$1"
}

# step NAME: this step in the text of `guard why` or `explain` on standard input
step() {
	sed -n "s/^$1: *//p"
}

# judged SOURCE: "RESULT RULE" of `guard test` for each message of the source
judged() {
	lab_ctl --json guard test "$1" --service sip |
		jq -r '[.[] | "\(.message) \(.guard_result)\(if .guard_rule then ":" + .guard_rule else "" end)"] | join(", ")'
}

# judged_as SOURCE RESULTS
judged_as() {
	[ "$(judged "$1")" = "$2" ]
}

# prints REGEX COMMAND...: does a line of the command's output match?
prints() {
	lab_ctl "${@:2}" | grep -Ex -- "$1"
}

warns() {
	lab_ctl --json status | jq -e --arg text "$1" 'any(.warnings[]; test($text))'
}

lab_open
lab_flat 2
for source in "$PHONE" "$FLOOD"; do
	lab_address client eth0 "$source/24"
done
LAB_SECTIONS="metrics: {listen: '127.0.0.1:9090'}
guard:
  mode: enforce
  limits: small
  limit_sets:
    - name: small
      invite: {rate: 1, burst: 5}
      register: {rate: 1, burst: 3, mode: observe}
      options: {rate: 1, burst: 5}
  lists:
    - {name: carriers, action: trust, prefixes: [$KNOWN]}
    - {name: bad, action: deny, prefixes: [10.0.0.102/31]}
    - {name: callers, action: limit, limits: small, prefixes: [$CALLER]}
  scanners: true"
lab_config dsr
lab_balance
wait_for 10 lab_lists_in_use
lab_start flood client tests/net/from_source.py "$LAB_VIP" "$FLOOD" OPTIONS 100000 0.002

# --- counters
is "a source that has sent nothing has no entry" "$(lab_ctl guard why $CALLER | step state)" \
	"no entry: the guard has received no packet of this source recently"
send $CALLER INVITE 8
send $PHONE REGISTER 10
send $KNOWN INVITE 20
send $DENIED INVITE 7
send $CALLER BYE 30
counts "a limit drops the packets after the burst" '$r.invite.dropped == 3 and $r.invite.observed == 0'
counts "in mode observe it only counts them" '$r.register.observed == 7 and $r.register.dropped == 0'
counts "packets of a list with the action deny" '$r.denied.dropped == 7 and $r.denied.sources == ["'$DENIED'"]'
counts "packets of trusted sources and of established calls are exempt" \
	'.exempt[0].trusted == 20 and .exempt[0].dialog == 30 and .exempt[0].services == ["sip"]'
like "as text" "$(lab_ctl guard stats)" "^default +invite +3 +0 +0 +[0-9]+ +[0-9]+s +$CALLER\$"
like "... per second" "$(lab_ctl guard stats --rate)" "^default +invite +0\.0 "
is "... repeatedly" "$({ lab_ctl guard stats --rate --watch --json || true; } | head -n 2 | jq -s '[.[] | .rules | length > 0]' -c)" \
	"[true,true]"
like "metrics" "$(lab_in balancer curl -sS http://127.0.0.1:9090/metrics)" \
	'^sipxdp_guard_packets_total{guard="default",rule="invite",result="dropped"} 3$'

# --- why and test
is "why: the list, by its prefix" "$(lab_ctl guard why $DENIED | step list)" "bad, entry 10.0.0.102/31"
is "why: a trusted source" "$(lab_ctl guard why $KNOWN | step action)" \
	"trusted: the limits for each source do not apply, and the guard does not search for scanners"
check "why: the limit that a source is over" wait_for 10 prints "over: +the limit options: the next packet conforms in [01]\.[0-9] s" \
	guard why "$FLOOD"
check "... in its table" wait_for 10 prints "options +enforce +drop +1 +5 +5 +yes" guard why "$FLOOD"
is "test: a new source" "$(judged 10.0.0.200)" \
	"INVITE passes, REGISTER passes, OPTIONS passes, SUBSCRIBE passes, MESSAGE passes, PUBLISH passes, BYE passes, not SIP passes"
check "test: a source over a limit" wait_for 10 judged_as "$FLOOD" \
	"INVITE passes, REGISTER passes, OPTIONS dropped:options, SUBSCRIBE passes, MESSAGE passes, PUBLISH passes, BYE passes, not SIP passes"
is "test: a denied source" "$(judged $DENIED | cut -d, -f1,7)" "INVITE dropped:denied, BYE dropped:denied"
is "test: a trusted source" "$(judged $KNOWN | cut -d, -f1)" "INVITE passes"
before=$(stats .)
judged 10.0.0.200 > /dev/null
is "test counts nothing" "$(stats '[.rules[] | select(.rule == "invite")]')" \
	"$(jq '[.rules[] | select(.rule == "invite")]' <<< "$before")"
lab_ctl guard block 10.0.0.200 --for 10m --reason testing > /dev/null
like "why: a block" "$(lab_ctl guard why 10.0.0.200 | step block)" \
	'^10\.0\.0\.200 is blocked by the operator .* for another [0-9]+ s: testing$'
is "test: a blocked source" "$(judged 10.0.0.200 | cut -d, -f1)" "INVITE dropped:blocked"

# --- top, log, status
check "top: the source of a flood" wait_for 15 top_has \
	"(.sources[0] | .source == \"$FLOOD\" and .rule == \"options\" and .mode == \"enforce\" and .packets > 10) and .limited >= 1"
like "the log names rule, number and source" "$(cat "$LAB_DIR/sipxdpd.log")" \
	"guard default: rule invite dropped [0-9]+ packets; the last source is $CALLER event=guard guard=default rule=invite source=$CALLER"
check "status warns of a rule that is active for more than a minute" wait_for 90 warns \
	"^guard default: rule options drops .* packets per second, for 1 min: OPTIONS requests outside a dialog; $FLOOD sends about (9[0-9]|100) % of them"
is "one line a minute for each rule" "$(grep -c 'rule=options' "$LAB_DIR/sipxdpd.log")" 2
lab_stop flood > /dev/null || true
lab_stop sipxdpd
like "the counters remain without the daemon" "$(lab_ctl guard stats 2> /dev/null)" "^default +invite +3 "
tap_end
