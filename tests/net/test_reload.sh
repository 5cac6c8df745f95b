#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0 plan and reload with established calls and connections: which changes reload refuses,
# that a reload has the effects that plan predicts, and which runtime changes survive a reload.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

KEPT=100

# write_file [SED...]: the configuration, with changes.
write_file() {
	local change
	cat > "$LAB_DIR/file.yaml" <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, affinity: call-id, pool: proxies}
		  - {name: tcp, vip: $LAB_VIP, port: 5070, protocol: tcp, affinity: flow, pool: proxies}
		pools:
		  - name: proxies
		    record_time: 10m
		    drain_timeout: 1h
		    backends:
		      - {name: px1, address: 10.0.0.11, weight: 1, hints: [px1.example.net]}
		      - {name: px2, address: 10.0.0.12, weight: 1}
		      - {name: px3, address: 10.0.0.13, weight: 1}
		    groups: [{name: rack1, backends: [px1]}, {name: rack2, backends: [px2]}]
		  - {name: others, backends: [{name: o1, address: 10.0.0.11}]}
	YAML
	for change; do
		sed -i "$change" "$LAB_DIR/file.yaml"
	done
	lab_write balancer "$LAB_CONFIG" < "$LAB_DIR/file.yaml"
}

backend() {
	lab_ctl --json backend list proxies | jq -r ".[] | select(.name == \"$1\") | $2"
}

slots() {
	lab_ctl --json backend list proxies | jq -c '[.[] | [.name, .slots, .migrating]]'
}

keep() {
	coproc KEPT_BY { lab_in client tests/net/keep.py "$LAB_VIP" 5070 5060 $KEPT; }
	read -r -t 60 begun <&"${KEPT_BY[0]}" && [ "$begun" = begun ]
}

# kept [anew]: prints how many connections and how many calls have changed their server. "anew" first opens all of them again.
kept() {
	echo "${1-}" >&"${KEPT_BY[1]}"
	read -r -t 120 moved <&"${KEPT_BY[0]}" && echo "$moved"
}

# refuses NAME WORDS SED...: checks that a reload of this file is refused.
refuses() {
	local name=$1 words=$2
	shift 2
	write_file "$@"
	like "$name: plan says that it is refused" "$(lab_ctl plan "$LAB_CONFIG")" "^warning: *a reload will refuse this: .*$words"
	like "... reload refuses it and says why" "$(lab_ctl reload 2>&1 || true)" "$words"
	check "... reload exits with an error status" eval '! lab_ctl reload > /dev/null 2>&1'
}

lab_open
lab_flat 3
write_file
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
check "all backends are up" wait_for 10 lab_serving 4
for host in "${LAB_BACKENDS[@]}"; do
	lab_start "$host" "$host" tests/net/named_echo.py "$host" 5060,5070 "$LAB_VIP"
	wait_for 10 grep -q listening "$LAB_DIR/$host.log"
done
check "calls and connections are up" keep
is "... all are at the right server" "$(kept)" "0 0"

# --- refused changes

refuses "a different affinity for TCP" "service tcp: affinity source, was flow" 's/affinity: flow/affinity: source/'
refuses "a different affinity for calls" "service sip: affinity from-user, was call-id" 's/affinity: call-id/affinity: from-user/'
refuses "a different hash key" "hash_key has a new value" 's/^hash_key: 2b/hash_key: 2c/'
refuses "a different pool" "service sip: pool others, was proxies" '/name: sip,/s/pool: proxies/pool: others/'
refuses "a deleted server" "run 'sipxdp-ctl backend remove proxies px3 --drain', then reload" '/name: px3/d'
refuses "a renamed server" "run 'sipxdp-ctl backend remove proxies px3 --drain', then reload" 's/name: px3/name: sbc3/'
refuses "a server with a different address" "live calls may be at its address 10.0.0.13" 's/10.0.0.13/10.0.0.14/'
refuses "a different VIP" "service tcp: $LAB_VIP tcp port 5070 is removed" "/name: tcp,/s/$LAB_VIP/192.0.2.11/"
refuses "a removed hint" "px1.example.net is removed" 's/, hints: \[px1.example.net\]//'
is "no call and no connection has moved" "$(kept)" "0 0"
like "the log says why" "$(cat "$LAB_DIR/sipxdpd.log")" "not reloaded: .* would move established calls"
write_file '/name: tcp,/a\  - {name: new, vip: 192.0.2.77, port: 5060, affinity: source, pool: others}'
like "a new service is not refused" "$(lab_ctl reload)" "service new: add 192.0.2.77 udp port 5060"
write_file
like "... its removal is not refused" "$(lab_ctl reload)" "service new: remove 192.0.2.77 udp port 5060"
is "... nothing has moved" "$(kept)" "0 0"

# --- reload does what plan says

write_file 's/record_time: 10m/record_time: 9m/' '/px1/s/weight: 1/weight: 2/'
planned=$(lab_ctl --json plan "$LAB_CONFIG")
like "plan shows a changed key that no map contains" "$planned" "pool proxies: record_time 9m, was 10m"
is "... reload does the same" "$(lab_ctl --json reload | jq -c .)" "$(jq -c . <<< "$planned")"
for change in '/name: px2/s/weight: 1/weight: 3/' '/name: px3/s/weight: 1/weight: 0/' '/name: px2/s/}/, priority: 2}/' '/name: px3/s/}/, admin: drain}/'; do
	write_file "$change"
	planned=$(lab_ctl --json plan "$LAB_CONFIG")
	is "in the middle of a migration, $change has the same result" "$(lab_ctl --json reload | jq -c .)" "$(jq -c . <<< "$planned")"
done
is "... no call has moved" "$(kept)" "0 0"
write_file
lab_ctl backend ready proxies px3 > /dev/null
lab_ctl reload > /dev/null
lab_ctl pool finish proxies > /dev/null

TYPO_WARNING="^warning: *interface eht1 does not exist"
write_file 's/^interfaces: .*/interfaces: [eth0, eht1]/'
like "plan warns of an interface that does not exist" "$(lab_ctl plan "$LAB_CONFIG")" "$TYPO_WARNING"
like "... reload, too" "$(lab_ctl reload)" "$TYPO_WARNING"
write_file
unlike "... not after the correction" "$(lab_ctl reload)" "^warning:"
EMPTY_WARNING='^warning: .*pool others: no healthy backend accepts new calls; the balancer cannot forward them$'
unlike "plan has no warning while each pool has a server" "$(lab_ctl plan "$LAB_CONFIG")" "^warning:"
write_file '/name: others/s/\[.*\]/[]/'
like "plan warns of a pool that becomes empty" "$(lab_ctl plan "$LAB_CONFIG")" "$EMPTY_WARNING"
like "... reload, too" "$(lab_ctl reload)" "$EMPTY_WARNING"
write_file
lab_ctl reload > /dev/null

# --- drain and maint

lab_ctl backend drain proxies px2 > /dev/null
lab_ctl backend maint proxies px3 > /dev/null
lab_ctl save > "$LAB_DIR/saved.yaml"
like "save writes drain" "$(cat "$LAB_DIR/saved.yaml")" "name: px2,.* admin: drain}"
like "... and maint" "$(cat "$LAB_DIR/saved.yaml")" "name: px3,.* admin: maint}"
lab_write balancer "$LAB_CONFIG" < "$LAB_DIR/saved.yaml"
lab_ctl pool finish proxies > /dev/null
is "... the saved file changes nothing" "$(lab_ctl plan "$LAB_CONFIG")" "no slot would move"
lab_ctl reload > /dev/null
lab_ctl backend ready proxies px2 > /dev/null
like "a reload applies admin states of the file" "$(lab_ctl reload)" "backend proxies/px2: drain, was ready"
write_file '/name: px2/s/}/, admin: ready}/'
like "... also the state ready" "$(lab_ctl reload)" "backend proxies/px2: ready, was drain"
is "... and keeps a state that the file does not mention" "$(backend px3 .admin)" maint
lab_ctl backend ready proxies px3 > /dev/null

# --- a backend is added with all options

added=$(lab_ctl backend add proxies px4 10.0.0.13 2>&1 || true)
like "an address of a different backend is refused" "$added" "10.0.0.13"
lab_address px3 eth0 10.0.0.14/24
added=$(lab_ctl backend add proxies px4 10.0.0.14 --weight 2 --hints px4.example.net,px4.example.org:5062 \
	--ports 40000-40009 --group rack2 --priority 1)
like "add says how many slots will move" "$added" "of the slots of proxies will move after their calls have been recorded"
like "... and when" "$added" "backend proxies/px4: receives no packets until it can be reached"
check "... it becomes reachable" wait_for 10 eval '[ "$(backend px4 .state)" = up ]'
saved=$(lab_ctl save)
like "save prints all options" "$saved" \
	"name: px4, address: 10.0.0.14, weight: 2, hints: \[px4.example.net, 'px4.example.org:5062'\], ports: 40000-40009}"
lab_stop sipxdpd KILL || true
lab_daemon
is "... after a restart of the daemon, too" "$(lab_ctl save)" "$saved"
like "a hint of a different backend is refused" \
	"$(lab_ctl backend add proxies px5 10.0.0.15 --hints px4.example.net 2>&1 || true)" "px4.example.net"
like "... ports of a different backend, too" "$(lab_ctl backend add proxies px5 10.0.0.15 --ports 40005 2>&1 || true)" "4000"
lab_ctl pool finish proxies > /dev/null
write_file '/^services:/i\limits: {backends: 64}'
check "new maps keep the backend" lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
is "... with all options" "$(lab_ctl save | grep "name: px4")" "$(grep "name: px4" <<< "$saved")"
write_file '/^services:/i\limits: {backends: 64}'
lab_ctl reload --move-calls > /dev/null
is "a reload removes the backend" "$(backend px4 .name)" ""

# --- one server in a tunnel

lab_ctl pool finish proxies > /dev/null
is "new calls and connections start" "$(kept anew)" "0 0"
check "decap attaches at px3" lab_in px3 sipxdp-loader attach --program decap eth0 --from "$LAB_BALANCER"
write_file '/name: px3/s/}/, forward: ipip}/'
tunnels=$(lab_ctl reload)
like "one backend gets a tunnel" "$tunnels" "backend proxies/px3: forward ipip, was none"
unlike "... the other backends do not" "$tunnels" "px[12]: "
is "... all calls and connections stay at their server" "$(kept)" "0 0"
check "... some of them through the tunnel" [ "$(lab_verdict decapsulated px3 decap_verdicts)" -gt 0 ]
write_file
lab_ctl reload > /dev/null
lab_in px3 sipxdp-loader detach --program decap > /dev/null
is "... also after the tunnel is removed" "$(kept)" "0 0"

# --- --wait, while a different operator ends the drain

admin_is() { [ "$(backend px2 .admin)" = "$1" ]; }

# ended_by ERROR ADMIN COMMAND CHANGE: the command waits; the change of a different operator ends it with this error.
ended_by() {
	local error=$1 admin=$2 command=$3 change=$4 status=0
	# shellcheck disable=SC2086
	lab_start operator balancer sipxdp-ctl --json $command --wait 600
	wait_for 10 admin_is "$admin"
	# shellcheck disable=SC2086
	lab_ctl $change > /dev/null
	lab_wait operator 10 || status=$?
	is "$command --wait fails at once after $change" "$status" 1
	is "... its output is one document, with the reason" "$(jq -c .error "$LAB_DIR/operator.log")" "\"$error\""
	rm "$LAB_DIR/operator.log"
}
ended_by "the drain was cancelled: proxies/px2 is ready" drain "backend drain proxies px2" "backend ready proxies px2"
ended_by "the removal was cancelled: proxies/px2 is ready" leaving "backend remove proxies px2 --drain" "backend ready proxies px2"
ended_by "the drain was cancelled: proxies/px2 is maint" drain "backend drain proxies px2" "backend maint proxies px2"
ended_by "proxies/px2 was removed before its calls had ended" drain "backend drain proxies px2" "backend remove proxies px2"

# A different operator turns the drain into a removal: px2 is removed after the end of its only call, and before it has been
# quiet for 32 s.

# message METHOD CALL-ID [TAG]: prints a request for say.py.
message() {
	local IFS=$'\t' lines=("$1 sip:a@example.org SIP/2.0" "Via: SIP/2.0/UDP $LAB_CLIENT;branch=z9hG4bK$1"
		"From: <sip:b@example.org>;tag=1" "To: <sip:a@example.org>${3-}" "Call-ID: $2" "CSeq: 1 $1")
	echo "5060	${lines[*]}"
}
tracks() { [ "$(backend px2 .tracked_calls)" -eq "$1" ]; }

write_file 's/record_time: 10m/record_time: 4s/' 's/drain_timeout: 1h/drain_timeout: 8s/'
lab_ctl reload > /dev/null
lab_ctl backend ready proxies px2 > /dev/null
wait_for 10 eval '[ "$(backend px2 .state)" = up ]'
lab_ctl pool finish proxies > /dev/null
call=$(seq -f 'call-%g' 100 | lab_ctl lookup sip - | awk '$2 == "px2" { print $1; exit }')
lab_start operator balancer sipxdp-ctl backend drain proxies px2 --wait 600
wait_for 10 admin_is drain
message INVITE "$call" | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" > /dev/null
check "a call begins during the recording" wait_for 5 tracks 1
lab_ctl backend remove proxies px2 --drain > /dev/null
message BYE "$call" ";tag=2" | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" > /dev/null
check "... and ends" wait_for 5 tracks 0
is "... the drain is not at its end" "$(backend px2 '"\(.admin) \(.empty)"')" "leaving false"
check "drain --wait succeeds after the removal with --drain by a different operator" lab_wait operator 20
check "... px2 is removed" wait_for 5 eval '[ -z "$(backend px2 .name)" ]'

# --- remove --drain --wait

write_file 's/record_time: 10m/record_time: 0s/' 's/drain_timeout: 1h/drain_timeout: 1s/'
lab_ctl reload > /dev/null
lab_ctl pool finish proxies > /dev/null
removed=$(lab_ctl --json backend remove proxies px3 --drain --wait 60)
is "remove --drain --wait returns, with one document" "$(jq -r '.steps[0]' <<< "$removed")" "backend proxies/px3: leaving; it is removed when its calls have ended"
is "... after the backend is removed" "$(backend px3 .name)" ""
like "--wait without --drain is refused" "$(lab_ctl backend remove proxies px2 --wait 5 2>&1 || true)" "--wait needs --drain"
is "... nothing is removed" "$(backend px2 .name)" px2

# --- reload --move-calls

write_file 's/affinity: call-id/affinity: to-user/'
lab_stop sipxdpd KILL || true
lab_daemon
check "a restart with a different affinity warns" wait_for 10 grep -q \
	"service sip: affinity to-user, was call-id: live calls would move to other servers" "$LAB_DIR/sipxdpd.log"
write_file 's/affinity: call-id/affinity: to-user/' 's/affinity: flow/affinity: source/'
check "reload --move-calls applies a different affinity" lab_ctl reload --move-calls
moved=$(kept)
check "... connections break" [ "${moved%% *}" -gt 0 ]
tap_end
