#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Bans for one service and for a time, lists during a restart, and the programs that ban sources, as docs/guard.md shows them: Kamailio, fail2ban,
# and a feed of attackers. The programs are the real ones; each ban is seen by the packets that it drops.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

GUESSER=10.0.0.131 PERSISTENT=10.0.0.132 LISTED=10.0.0.133 BLOCKED=10.0.0.134

# page_file PATH: the text of the file with this name on the page.
page_file() {
	awk -v path="$1" '
		$0 == "<!-- file: " path " -->" { found = 1; next }
		found && /^```/ { if (inside) exit; inside = 1; next }
		inside' docs/guard.md
}

# install HOST PATH...: writes files of the page to the host.
install() {
	local host=$1 path
	shift
	for path; do
		page_file "$path" | lab_write "$host" "$path"
		lab_in "$host" chmod 755 "$path"
	done
}

configure() {
	LAB_SECTIONS="guard: {mode: enforce, lists: [{name: feed, action: deny, file: /etc/sipxdp/feed.txt}]}
join: {listen: '$LAB_BALANCER:7946', secret: 4ff8d27cf1b5a0e9, guard: true}"
	lab_config dsr
	lab_in balancer sed -i "s/^services:/&\n  - {name: trunk, vip: $LAB_VIP, port: 5070, pool: proxies, guard: {mode: enforce}}/" "$LAB_CONFIG"
	lab_in balancer touch /etc/sipxdp/feed.txt
}

guarded() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/services_ipv4 | jq -e 'all(.formatted.value.guard > 0)'
}

# drops SOURCE [PORT]: does the balancer drop a packet of this source to this port, as one of a denied source?
drops() {
	local before
	before=$(lab_verdict denied)
	sends "$@"
	wait_for 1 counted "$before"
}
counted() { [ "$(lab_verdict denied)" -gt "$1" ]; }

# passes SOURCE [PORT]
passes() {
	local before
	before=$(forwarded)
	sends "$@"
	wait_for 1 forwards_more "$before"
}
forwarded() { lab_ctl --json status | jq .forwarded; }
forwards_more() { [ "$(forwarded)" -gt "$1" ]; }

sends() {
	lab_in client python3 - "$1" "$LAB_VIP" "${2:-5060}" <<- 'PYTHON'
		import socket, sys
		sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		sender.bind((sys.argv[1], 0))
		sender.sendto(b'OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1@b\r\n\r\n', (sys.argv[2], int(sys.argv[3])))
	PYTHON
}

# entry PREFIX: "BY WHO REASON" of the block of this prefix.
entry() {
	lab_ctl --json guard list |
		jq -er --arg prefix "$1" '.blocks[] | select(.prefix == $prefix) | [.by, .who, .reason] | join(" ")'
}
has_entry() { entry "$1"; }
has_no_entry() { ! entry "$1"; }

# registrar DEFINE...: starts Kamailio on px1; its log is $LAB_DIR/kamailio.log.
registrar() {
	local define defines=()
	for define; do
		defines+=(-A "$define")
	done
	mkdir -p "$LAB_DIR/kamailio"
	cp tests/net/sip/passwords.cfg "$LAB_DIR/kamailio/"
	page_file /etc/kamailio/bans.cfg > "$LAB_DIR/kamailio/bans.cfg"
	lab_start kamailio px1 kamailio -f "$LAB_DIR/kamailio/passwords.cfg" -DD -E -m 32 -M 4 -Y "$LAB_DIR/kamailio" \
		-P "$LAB_DIR/kamailio/pid" -w "$LAB_DIR/kamailio" -l "udp:$LAB_VIP:5060" "${defines[@]}"
	wait_for 10 sip_listens px1 "$LAB_VIP"
}

# guesses SOURCE COUNT: the number of wrong passwords that the server has answered.
guesses() {
	lab_in client tests/net/wrong_passwords.py "$1" "$LAB_VIP" "$2"
}

kamailio_bans() {
	check "Kamailio with the file of the page starts" registrar BANS
	is "a source tries 9 wrong passwords" "$(guesses $GUESSER 9)" 9
	check "... and is not banned" has_no_entry $GUESSER
	check "... after the next ones it has no answer" test "$(guesses $GUESSER 1000)" -lt 1000
	is "... Kamailio has banned it" "$(entry $GUESSER)" "server px1 wrong passwords"
	check "... its packets are dropped" drops $GUESSER
	check "... a different source receives answers" test "$(guesses $PERSISTENT 1)" -eq 1
	lab_stop kamailio > /dev/null
}

# The jail of the page reads the journal, which the lab does not have; here fail2ban reads the log of Kamailio, which has
# no times. A ban of one hour would be too long for a test.
fail2ban_start() {
	cp -r /etc/fail2ban "$LAB_DIR/fail2ban" && rm -f "$LAB_DIR"/fail2ban/jail.d/*
	page_file /etc/fail2ban/action.d/sipxdp.conf > "$LAB_DIR/fail2ban/action.d/sipxdp.conf"
	page_file /etc/fail2ban/jail.d/sipxdp.conf | sed -e 's/^backend = .*/backend = polling/' \
		-e "s|^journalmatch = .*|logpath = $LAB_DIR/kamailio.log\ndatepattern = {NONE}|" > "$LAB_DIR/fail2ban/jail.d/sipxdp.conf"
	echo -e '[Definition]\ndbfile = None' > "$LAB_DIR/fail2ban/fail2ban.local"
	lab_start fail2ban px1 fail2ban-server -f -x -c "$LAB_DIR/fail2ban" -s "$LAB_DIR/fail2ban.sock" \
		-p "$LAB_DIR/fail2ban.pid" --loglevel INFO --logtarget STDOUT start
	wait_for 10 fail2ban status kamailio-passwords
}
fail2ban() { lab_in px1 fail2ban-client -c "$LAB_DIR/fail2ban" -s "$LAB_DIR/fail2ban.sock" "$@"; }

fail2ban_bans() {
	: > "$LAB_DIR/kamailio.log"
	registrar
	check "fail2ban with the files of the page starts" fail2ban_start
	check "a source tries wrong passwords until it has no answer" test "$(guesses $PERSISTENT 10000)" -lt 10000
	check "... fail2ban has banned it" wait_for 10 has_entry $PERSISTENT
	is "... guard list has the name of the jail" "$(entry $PERSISTENT)" "server px1 fail2ban: kamailio-passwords"
	check "... its packets are dropped" drops $PERSISTENT
	check "fail2ban ends the ban" fail2ban set kamailio-passwords unbanip $PERSISTENT
	check "... in the balancer, too" wait_for 5 has_no_entry $PERSISTENT
	check "... its packets pass" passes $PERSISTENT
	lab_stop fail2ban > /dev/null
	lab_stop kamailio > /dev/null
}

# Runs the cron file of the page, with a feed of the lab.
feed_job() {
	lab_cron balancer "$(page_file /etc/cron.d/sipxdp-feed | sed "s|https://[^ ]*|http://10.0.0.11:8080/$1|")"
}

feed_is_loaded() {
	mkdir "$LAB_DIR/feed"
	printf '# attackers of today\n%s\n' $LISTED > "$LAB_DIR/feed/sip.txt"
	echo "10.0.0" > "$LAB_DIR/feed/faulty.txt"
	: > "$LAB_DIR/feed/empty.txt"
	lab_start feed px1 python3 -m http.server -d "$LAB_DIR/feed" 8080
	wait_for 10 lab_in px1 curl -sf http://10.0.0.11:8080/sip.txt
	check "a source that no list contains passes" passes $LISTED
	check "the command for cron loads a feed" feed_job sip.txt
	check "... its sources are dropped" drops $LISTED
	for feed in faulty.txt empty.txt missing.txt; do
		check "... $feed is refused" fails feed_job $feed
		check "... the lists stay in use" drops $LISTED
	done
	check "... the next reload of the configuration succeeds" lab_ctl reload
}
fails() { ! "$@"; }

blocks_of_a_service() {
	check "guard block for one service" lab_ctl guard block $BLOCKED --service trunk --for 1h
	check "... its packets for this service are dropped" drops $BLOCKED 5070
	check "... those for a different service pass" passes $BLOCKED
	check "guard unblock ends it" lab_ctl guard unblock $BLOCKED --service trunk
	check "guard trust of a whole network for one service" lab_ctl guard trust 10.0.0.128/25 --service trunk --for 1h
	check "... a block of one of its addresses for all services" lab_ctl guard block $BLOCKED --for 1h --force
	check "... drops its packets for this service" drops $BLOCKED 5070
	check "... unblock of the address" lab_ctl guard unblock $BLOCKED
	check "... and of the network" lab_ctl guard unblock 10.0.0.128/25 --service trunk
	check "... its packets pass" passes $BLOCKED 5070
	lab_ctl guard block $BLOCKED --for 10m > /dev/null
	check "a block with a time drops packets" drops $BLOCKED
	lab_ctl guard block $BLOCKED --for 1s > /dev/null
	check "... until it expires" wait_for 10 has_no_entry $BLOCKED
	check "... then they pass" passes $BLOCKED
}

# flooded NAME COMMAND...: runs the command during a flood from a listed source. A packet that is not dropped by the list
# would count for the limits, which the flood exceeds.
flooded() {
	local name=$1 denied limited
	shift
	denied=$(lab_verdict denied)
	limited=$(lab_verdict limited)
	lab_start flood client build/tests/tools/flood invite eth0 $LISTED "$LAB_VIP" 100000000 60
	wait_for 10 counted "$denied"
	check "$name" "$@"
	lab_stop flood > /dev/null
	denied=$(($(lab_verdict denied) - denied))
	check "... the list drops $denied packets" test "$denied" -gt 1000
	is "... none of them has passed the list" "$(lab_verdict limited)" "$limited"
}
restart() {
	lab_stop sipxdpd > /dev/null
	lab_daemon && wait_for 10 loaded
}
loaded() { grep -q event=guard_lists "$LAB_DIR/sipxdpd.log"; }
reload_lists() {
	printf '%s\n' "$@" | lab_write balancer /etc/sipxdp/feed.txt && lab_ctl guard reload
}
limited_more() { [ "$(lab_verdict limited)" -gt "$1" ]; }

lists_have_no_gap() {
	local limited
	flooded "a reload of the lists" reload_lists $LISTED $BLOCKED
	: > "$LAB_DIR/sipxdpd.log"
	flooded "a restart of the daemon" restart
	reload_lists $BLOCKED > /dev/null
	limited=$(lab_verdict limited)
	lab_in client build/tests/tools/flood invite eth0 $LISTED "$LAB_VIP" 1000 10 > /dev/null
	check "a flood of a source on no list exceeds its limits" wait_for 5 limited_more "$limited"
}

# After a boot there are no maps. A long list of attackers does not delay the limits.
limits_come_first() {
	local line
	lab_stop sipxdpd > /dev/null
	lab_in balancer sipxdp-loader detach > /dev/null
	{ echo $LISTED && seq 0 99999 | awk '{ printf "11.%d.%d.%d\n", $1 / 65536, $1 / 256 % 256, $1 % 256 }'; } |
		lab_write balancer /etc/sipxdp/feed.txt
	: > "$LAB_DIR/sipxdpd.log"
	lab_balance 2> /dev/null
	check "after a boot the daemon loads a long list" wait_for 20 log_has "guard: 100001 prefixes on 1 lists are in use"
	line=$(grep -m 1 event=guard_lists "$LAB_DIR/sipxdpd.log")
	like "... it has applied the limits before" "$line" "the limits are in use; the lists whose sources are dropped follow"
	check "... the services have guards" guarded
	check "... the sources of the list are dropped" drops $LISTED
}
log_has() { grep -q "$1" "$LAB_DIR/sipxdpd.log"; }

lab_open
lab_flat 1
lab_address client eth0 $GUESSER/24 $PERSISTENT/24 $LISTED/24 $BLOCKED/24
lab_in balancer mount -t tmpfs tmpfs /usr/local
lab_in balancer install -D -t /usr/local/sbin build/sipxdp-ctl
lab_in px1 mount -t tmpfs tmpfs /usr/local
_lab_own_etc px1
configure
lab_balance
check "the services have guards" wait_for 10 guarded
install px1 /usr/local/bin/sipxdp-ban /etc/sipxdp-ban
lab_in px1 sed -i "s/^BALANCERS=.*/BALANCERS=$LAB_BALANCER:7946/" /etc/sipxdp-ban
install balancer /usr/local/bin/sipxdp-feed
blocks_of_a_service
kamailio_bans
fail2ban_bans
feed_is_loaded
lists_have_no_gap
limits_come_first
tap_end
