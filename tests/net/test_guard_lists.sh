#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The lists and blocks of the guard: which sources they drop, and how a reload, a faulty file, a restart, an upgrade and
# requests of servers change them.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9
DENIED=10.0.0.131 OTHER=10.0.0.132 TRUSTED=10.0.0.133 UNLISTED=10.0.0.134

# config [TRACKED_CALLS [IPV4_BITS]]: a list in the configuration, and one in the file $FEED.
config() {
	LAB_SECTIONS="guard: {mode: enforce, source: {ipv4: ${2:-32}}, lists: [{name: carriers, action: trust, prefixes: [$TRUSTED, $LAB_CLIENT]}, {name: feed, action: deny, file: $FEED}, {name: offices, action: trust, file: $OFFICES}]}
join: {listen: '$LAB_BALANCER:$PORT', secret: $SECRET, guard: true}
limits: {tracked_calls: ${1:-4096}}"
	lab_config dsr
}

# feed LINE...: replaces the list file in one step.
feed() {
	printf '%s\n' "$@" > "$FEED.new"
	mv "$FEED.new" "$FEED"
}

# send SOURCE: sends an INVITE from this address of the client.
send() {
	lab_in client python3 - "$1" "$LAB_VIP" <<- 'PYTHON'
		import socket, sys, uuid
		sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		sender.bind((sys.argv[1], 0))
		call = uuid.uuid4()
		sender.sendto(f'INVITE sip:a@example.org SIP/2.0\r\nVia: SIP/2.0/UDP {sys.argv[1]};branch=z9hG4bK{call}\r\n'
		              f'From: <sip:b@example.org>;tag=1\r\nTo: <sip:a@example.org>\r\nCall-ID: {call}\r\n'
		              'CSeq: 1 INVITE\r\n\r\n'.encode(), (sys.argv[2], 5060))
	PYTHON
}

# drops SOURCE: does the balancer drop an INVITE from this source as denied?
drops() {
	local before
	before=$(lab_verdict denied)
	send "$1"
	wait_for 2 counted "$before"
}
counted() { [ "$(lab_verdict denied)" -gt "$1" ]; }

# passes SOURCE: does the balancer forward an INVITE from this source?
passes() {
	local before
	before=$(forwarded)
	send "$1"
	wait_for 2 forwards_more "$before"
}
forwarded() { lab_ctl --json status | jq .forwarded; }
forwards_more() { [ "$(forwarded)" -gt "$1" ]; }

blocked() {
	lab_ctl --json guard list | jq -r '[.blocks[].prefix] | join(" ")'
}
blocked_is() { [ "$(blocked)" = "$1" ]; }

# warns: does status have a warning about the lists?
warns() {
	lab_ctl --json status | jq -e 'any(.warnings[]; test("lists of its files"))' > /dev/null
}
is_calm() { ! warns; }

# ban ARGUMENT...: runs the script of docs/guard.md on px1.
ban() {
	lab_in px1 env SIPXDP_BAN="$LAB_DIR/ban.conf" sh "$LAB_DIR/sipxdp-ban" "$@"
}

# knows_trusted: does the balancer refuse a ban of a trusted source because of its list? Fails for ever if it has accepted the ban.
knows_trusted() {
	ban block $TRUSTED 10m > "$LAB_DIR/ban.log" 2>&1
	case $(cat "$LAB_DIR/ban.log") in
	*"is on list carriers"*) [ -z "$(blocked | grep -w $TRUSTED)" ] ;;
	*) return 1 ;;
	esac
}

lab_open
lab_flat 2
mkdir "$LAB_DIR/lists"
FEED=$LAB_DIR/lists/feed.txt OFFICES=$LAB_DIR/lists/offices.txt
: > "$OFFICES"
feed "$DENIED"
lab_address client eth0 $DENIED/24 $OTHER/24 $TRUSTED/24 $UNLISTED/24
sed -n '/<!-- file: .*sipxdp-ban -->/,/^```$/p' docs/guard.md | sed '1,2d;$d' > "$LAB_DIR/sipxdp-ban"
printf 'BALANCERS=%s\nSECRET=%s\nNAME=px1\n' "$LAB_BALANCER:$PORT" "$SECRET" > "$LAB_DIR/ban.conf"
config
lab_balance
check "the lists are in use" wait_for 10 lab_lists_in_use
check "a source on a list with the action deny is dropped" drops $DENIED
check "... a source on no list passes" passes $UNLISTED
check "... a source on a trusted list passes" passes $TRUSTED

feed "$DENIED" "$OTHER"
check "guard reload reads the file again" lab_ctl guard reload
check "... the new source is dropped" drops $OTHER
feed "$DENIED" "$OTHER" "::/8" "::/0"
check "a list with ::/0" lab_ctl guard reload
check "... drops no source with an IPv4 address" passes $UNLISTED
like "... guard why agrees" "$(lab_ctl guard why $UNLISTED)" "list:? *none"
check "... except for listed ones" drops $OTHER
like "a block with IPv6 and IPv4 addresses is refused" "$(lab_ctl guard block ::/0 --force 2>&1)" \
	"cannot block ::/0: it contains IPv6 and IPv4 addresses: write 0.0.0.0/0"
check "all public IPv6 addresses can be blocked" lab_ctl guard block 2000::/3 --force
check "... which drops no source with an IPv4 address" passes $UNLISTED
lab_ctl guard unblock 2000::/3 > /dev/null
feed "$OTHER" "10.0.0"
check "a reload of a faulty file is refused" test "$(lab_ctl guard reload 2>&1 | grep -c 'feed.txt:2: ')" -eq 1
check "... status warns" warns
check "... the previous lists stay in use" drops $DENIED
like "... reload refuses the configuration with this fault, too" "$(lab_ctl reload 2>&1)" "feed.txt:2: '10.0.0' is not"
feed "$DENIED" "$OTHER"
kill -HUP "$(lab_ctl --json status | jq .pid)"
check "after SIGHUP with a file without faults the warning ends" wait_for 10 is_calm
printf '10.0.0.0/1' > "$FEED"
like "a truncated file is refused" "$(lab_ctl guard reload 2>&1)" "feed.txt:1: the last line has no newline"
rm "$FEED"
like "a missing file is refused" "$(lab_ctl guard reload 2>&1)" "feed.txt: it cannot be read: No such file"
lab_stop sipxdpd > /dev/null
lab_daemon
check "a daemon that cannot read a file keeps the lists of the previous daemon" wait_for 10 warns
check "... a listed source is dropped" drops $DENIED
like "... guard why shows its list" "$(lab_ctl guard why $DENIED)" "list: *feed"
like "... an unknown source may be on a list" "$(lab_ctl guard why 5.5.5.5)" "list: *unknown: the daemon has not read"
config 8192
like "... an upgrade to new maps cannot keep these lists, and changes nothing" \
	"$(lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG" --timeout 3 2>&1)" "nothing was changed"
check "... the log has the reason" grep -q "new maps wait until the lists of the guard are read" "$LAB_DIR/sipxdpd.log"
check "... the source is still dropped" drops $DENIED
config
feed "$OTHER"
check "a file without faults replaces the lists" lab_ctl guard reload
check "... the warning ends" is_calm
check "... a source that is no longer listed passes" passes $DENIED
check "... a listed source is dropped" drops $OTHER

seq 0 999999 | awk '{ printf "11.%d.%d.%d\n", $1 / 65536, $1 / 256 % 256, $1 % 256 }' > "$FEED.new"
echo "$DENIED" >> "$FEED.new"
mv "$FEED.new" "$FEED"
lab_ctl guard reload > "$LAB_DIR/million" 2>&1 &
million=$!
check "a block during a reload of a million prefixes" lab_ctl guard block $UNLISTED --for 1h --reason "load"
check "... applies at once" drops $UNLISTED
check "... the reload succeeds" wait "$million"
like "... with all prefixes" "$(cat "$LAB_DIR/million")" "1000003 prefixes on 3 lists are in use"
check "... the new lists apply" drops $DENIED
check "... the block is still there" drops $UNLISTED
sed -i '1d' "$FEED"
PACKETS_A_SECOND=5000 through "packets of a trusted source pass during such a reload" lab_ctl guard reload
lab_stop sipxdpd > /dev/null
lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
check "while a daemon reads its lists, a server cannot block a trusted source" wait_for 20 knows_trusted
echo 10.0.0 > "$OFFICES"
lab_stop sipxdpd > /dev/null
lab_daemon
check "while a list of trusted sources has a fault" wait_for 10 warns
like "... guard block says so" "$(lab_ctl guard block 5.5.5.5 2>&1)" "cannot block 5.5.5.5: trusted list offices is not loaded.*--force"
like "... a server receives 503" "$(ban block 5.5.5.5 10m 2>&1 | tr "\n" " ")" "503.*trusted list offices is not loaded"
check "... --force blocks" lab_ctl guard block 5.5.5.5 --force
lab_ctl guard unblock 5.5.5.5 > /dev/null
: > "$OFFICES"
lab_ctl guard reload > /dev/null
sed -i '700000s/.*/11.0.0/' "$FEED"
like "a fault in line 700,000 is found" "$(lab_ctl guard reload 2>&1)" "feed.txt:700000: '11.0.0' is not"
feed "$DENIED"
lab_ctl guard reload > /dev/null

lab_stop sipxdpd > /dev/null
check "a block applies while no daemon runs" drops $UNLISTED
lab_daemon
is "... and survives a restart" "$(blocked)" "$UNLISTED"
config 8192
check "an upgrade to new maps" lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
is "... keeps the block" "$(blocked)" "$UNLISTED"
check "... in the new maps" drops $UNLISTED
check "... and the lists" drops $DENIED
check "guard unblock ends it" lab_ctl guard unblock $UNLISTED
check "... the source passes" passes $UNLISTED
like "... a second time there is nothing to end" "$(lab_ctl guard unblock $UNLISTED 2>&1)" "is not blocked"
lab_ctl guard block $OTHER --for 1s > /dev/null
check "a block with a time ends by itself" wait_for 10 blocked_is ""
check "... the source passes" passes $OTHER
check "guard trust exempts a denied source" lab_ctl guard trust $DENIED
check "... it passes" passes $DENIED
check "... until guard unblock" lab_ctl guard unblock $DENIED
check "... then it is dropped again" drops $DENIED
lab_ctl guard block 10.0.0.130/31 --for 10m > /dev/null
lab_ctl guard block $DENIED --for 10m > /dev/null
like "guard unblock within a wider block names this block" "$(lab_ctl guard unblock $DENIED)" \
	"$DENIED: 10.0.0.130/31 is still blocked by operator"
like "... without one, the lists apply" "$(lab_ctl guard unblock 10.0.0.130/31)" "10.0.0.130/31: the lists apply again"
lab_ctl guard block 2001:db8:1:2::3 > /dev/null
like "guard unblock names the whole source" "$(lab_ctl guard unblock 2001:db8:1:2::4)" "2001:db8:1:2::/64: the lists apply again"

for prefix in $LAB_VIP "10.0.0.0/8" "$LAB_BALANCER" "$TRUSTED" "0.0.0.0/0"; do
	like "guard block refuses $prefix" "$(lab_ctl guard block "$prefix" 2>&1)" "cannot block"
done
check "... but --force permits a trusted source" lab_ctl guard block $TRUSTED --force
check "... which is then dropped" drops $TRUSTED
like "the audit log has the block" "$(grep event=audit "$LAB_DIR/sipxdpd.log")" "guard block $TRUSTED --force"

# refuses_trusted PREFIX: guard block names the trusted prefix and its operator.
refuses_trusted() {
	like "guard block $1 is refused within or around a trusted prefix" "$(lab_ctl guard block "$1" --for 1h 2>&1)" \
		"cannot block $1: 5\.5\.5\.0/24 is trusted by operator root \(--force"
}
check "an operator trusts a prefix" lab_ctl guard trust 5.5.5.0/24 --for 1h
refuses_trusted 5.5.5.0/24
refuses_trusted 5.5.5.5
refuses_trusted 5.5.0.0/16
entry_5() { lab_ctl --json guard list | jq -r '[.blocks[] | select(.prefix | startswith("5.")) | .prefix, .state] | join(" ")'; }
is "... the trust entry stays, and is the only one" "$(entry_5)" "5.5.5.0/24 trusted"
check "... --force blocks it" lab_ctl guard block 5.5.5.0/24 --force
is "... instead of the trust entry" "$(entry_5)" "5.5.5.0/24 blocked"
check "... trust replaces the block" lab_ctl guard trust 5.5.5.0/24
check "a server may block a source of such a prefix" ban block 5.5.5.5 10m
like "... but not replace the entry" "$(ban block 5.5.5.0/24 10m 2>&1)" "5.5.5.0/24 is trusted by operator root"
check "... it ends its block" ban unblock 5.5.5.5

check "a server blocks a source" ban block $OTHER 10m "wrong passwords"
check "... which is then dropped" drops $OTHER
is "... guard list has its name and reason" \
	"$(lab_ctl --json guard list | jq -r --arg p $OTHER '.blocks[] | select(.prefix == $p) | [.by, .who, .reason] | join(" ")')" \
	"server px1 wrong passwords"
like "... the server cannot end the block of an operator" "$(ban unblock $TRUSTED 2>&1)" "is blocked by operator"
like "... the server cannot block a VIP" "$(ban block "$LAB_VIP" 10m 2>&1)" "cannot block"
check "... the server ends its own block" ban unblock $OTHER
check "... the source passes" passes $OTHER
lab_ctl guard block 5.6.0.0/16 > /dev/null
like "... the server cannot trust a source within the block of an operator" "$(ban trust 5.6.7.8 10m 2>&1)" \
	"cannot trust 5.6.7.8: 5.6.0.0/16 is blocked by operator root"
lab_ctl guard unblock 5.6.0.0/16 > /dev/null
lab_ctl guard unblock $TRUSTED > /dev/null
lab_ctl guard unblock 5.5.5.0/24 > /dev/null
lab_ctl guard block $TRUSTED --force > /dev/null
config 8192 31
check "a reload with larger sources" lab_ctl reload
is "... a block contains whole sources" "$(blocked)" 10.0.0.132/31
check "... and still applies" drops $TRUSTED
check "... guard unblock ends it" lab_ctl guard unblock $TRUSTED
check "... its source passes" passes $TRUSTED
config 8192
lab_ctl reload > /dev/null
lab_ctl guard block $TRUSTED --force > /dev/null
lab_stop sipxdpd > /dev/null
config 8192 31
lab_daemon
is "after a restart with larger sources a block contains whole sources" "$(blocked)" 10.0.0.132/31
check "... and still applies" drops $TRUSTED
check "... guard unblock ends it" lab_ctl guard unblock $TRUSTED
check "... its source passes" passes $TRUSTED
sed -i s/SECRET=.*/SECRET=a-wrong-secret-of-16/ "$LAB_DIR/ban.conf"
like "a wrong secret is refused" "$(ban block $OTHER 10m 2>&1)" "the signature is wrong"

tap_end
