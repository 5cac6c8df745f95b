#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The HTTP listener of `metrics:`: health, the API, and clients that misbehave. The control socket answers
# throughout.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PORT=9464
URL=http://$LAB_BALANCER:$PORT

# write [PORT]: the file with `metrics:` at this port, or without it
write() {
	LAB_SECTIONS=${1:+"metrics: {listen: '$LAB_BALANCER:$1'}"} lab_config dsr
}

# get PATH [ARGUMENT...]: prints the body
get() {
	local path=$1
	shift
	lab_in client curl -sS --max-time 20 "$@" "$URL$path"
}

# code PATH [ARGUMENT...]: prints the status code
code() {
	get "$@" -o /dev/null -w '%{http_code}'
}

is_code() {
	[ "$(code "$1")" = "$2" ]
}

clients() {
	lab_in client tests/net/clients.py "$LAB_BALANCER" $PORT "$@"
}

# logged COUNT PATTERN: does the log have at least COUNT lines with the pattern?
logged() {
	[ "$(grep -c "$2" "$LAB_DIR/sipxdpd.log")" -ge "$1" ]
}

# control_answers: the daemon's event loop runs
control_answers() {
	lab_ctl save
}

lab_open
lab_flat 2
write $PORT
lab_balance

# --- health and API
is "/healthz" "$(get /healthz)" ok
is "... also for HEAD" "$(code /healthz -I)" 200
check "/readyz is 200 when every service has a live backend" wait_for 10 is_code /readyz 200
is "... its text says so" "$(get /readyz)" ready
for name in status services pools backends stats; do
	case $name in
	status | stats) command=$name ;;
	*) command="${name%s} list" ;;
	esac
	# shellcheck disable=SC2086 # a command of two words
	is "/api/v1/$name is what sipxdp-ctl --json $command prints" \
		"$(get "/api/v1/$name" | jq 'del(.. | objects | (.uptime, .longest_turn_ms, .packets, .bytes))')" \
		"$(lab_ctl --json $command | jq 'del(.. | objects | (.uptime, .longest_turn_ms, .packets, .bytes))')"
done
cmp=$(diff <(get /api/v1/services) <(lab_ctl --json service list)) || true
is "... byte for byte" "$cmp" ""
like "the Content-Type of JSON is right" "$(get /api/v1/status -D - -o /dev/null)" '^Content-Type: application/json'
like "no page may load other resources" "$(get /healthz -D - -o /dev/null)" "^Content-Security-Policy: default-src 'none'"

# --- requests that are refused
is "the target of a request may be a complete URI" "$(code / --request-target "$URL/healthz")" 200
is "... also with a different name, and in capitals" "$(code / --request-target HTTP://LB/readyz)" 200
is "... without a path it is the page" "$(code /healthz --request-target "$URL")" 200
is "... and the path must exist" "$(code / --request-target "$URL/nothing")" 404
is "a path that does not exist gets 404" "$(code /nothing)" 404
is "a path with '..' gets 404" "$(code /../etc/passwd --path-as-is)" 404
is "POST changes nothing" "$(code /api/v1/status -d x)" 405
like "... and the response lists the accepted methods" "$(get /healthz -X DELETE -D - -o /dev/null)" '^Allow: GET, HEAD'
is "a large body is not read" "$(head -c 4000000 /dev/zero | code /healthz --data-binary @- -H Expect:)" 405
like "a request that is not HTTP is refused" "$(clients garbage)" '^(HTTP/1.[01] 400|closed)'
like "a request with a huge header is refused" "$(clients huge)" '^(HTTP/1.[01] (413|431|400)|closed)'

# --- slow clients and many clients
# All clients have one address, and the server closes the oldest connections of an address. The silent clients must therefore connect
# before curl does.
lab_start silent client tests/net/clients.py "$LAB_BALANCER" $PORT silent 400
check "400 clients say nothing" wait_for 20 grep -q connected "$LAB_DIR/silent.log"
lab_start slow client tests/net/clients.py "$LAB_BALANCER" $PORT slow
mkfifo "$LAB_DIR/hold"
lab_in client tests/net/clients.py "$LAB_BALANCER" $PORT slow-reader 200 /api/v1/backends \
	< "$LAB_DIR/hold" > "$LAB_DIR/readers.log" &
LAB_PROCESS[readers]=$!
exec 9> "$LAB_DIR/hold"
check "200 clients do not read their responses" wait_for 20 grep -q sent "$LAB_DIR/readers.log"
is "... a different client is served" "$(code /api/v1/backends)" 200
is "... and /healthz" "$(get /healthz)" ok
check "... and the control socket" control_answers
check "silent clients are closed" lab_wait silent 30
is "... no connection remains" "$(tail -n 1 "$LAB_DIR/silent.log")" 400
check "a client that sends a byte at a time is closed" lab_wait slow 30
exec 9>&-
check "the readers end" lab_wait readers 10

# --- reload
write 9465
check "a reload changes the port" lab_ctl reload
is "... the new port answers" "$(lab_in client curl -sS "http://$LAB_BALANCER:9465/healthz")" ok
check "... the old port is closed" eval '! get /healthz 2> /dev/null'
write 9466
like "a plan names the change" "$(lab_ctl plan "$LAB_CONFIG")" \
	"metrics: listen '$LAB_BALANCER:9466', was '$LAB_BALANCER:9465'"
like "save writes it" "$(lab_ctl save)" "listen: '$LAB_BALANCER:9465'"
write
check "a reload removes metrics" lab_ctl reload
check "... the port is closed" eval '! lab_in client curl -sS "http://$LAB_BALANCER:9465/healthz" 2> /dev/null'

lab_start squatter balancer python3 -m http.server --bind "$LAB_BALANCER" $PORT
check "a different program takes the port" wait_for 10 get /
write $PORT
check "a reload with this port is accepted" lab_ctl reload
like "... status says why metrics are missing" "$(lab_ctl status)" \
	"monitoring cannot read metrics: cannot listen on $LAB_BALANCER:$PORT: Address already in use"
lab_stop squatter || true
check "... once the port is free, the daemon listens" wait_for 10 is_code /healthz 200

# --- an upgrade to new maps: forwarding continues, so the balancer stays ready
# watch_ready: writes each status code of /readyz that is not 200, until the file "upgraded" is there
watch_ready() {
	while [ ! -e "$LAB_DIR/upgraded" ]; do
		is_code /readyz 200 || get /readyz >> "$LAB_DIR/not-ready"
		echo >> "$LAB_DIR/polls"
	done
}

LAB_SECTIONS="limits: {pools: 16}"$'\n'"metrics: {listen: '$LAB_BALANCER:$PORT'}" lab_config dsr
watch_ready &
LAB_PROCESS[watch]=$!
wait_for 10 test -s "$LAB_DIR/polls"
check "an upgrade makes new maps" lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
check "... the daemon uses the new maps" wait_for 10 is_code /readyz 200
touch "$LAB_DIR/upgraded"
lab_wait watch 30
is "... the balancer was ready all the time" "$(cat "$LAB_DIR/not-ready" 2> /dev/null)" ""

# --- what makes the balancer not ready
lab_ctl backend maint proxies px1 > /dev/null
lab_ctl backend maint proxies px2 > /dev/null
check "/readyz is 503 without a live backend" wait_for 10 is_code /readyz 503
is "... with the reason" "$(get /readyz)" "service sip: pool proxies: no backend can receive packets"
lab_ctl backend ready proxies px1 > /dev/null
check "... and 200 again with a live backend" wait_for 10 is_code /readyz 200
lab_in balancer sipxdp-loader detach > /dev/null
check "/readyz is 503 while the balancer is detached" wait_for 10 is_code /readyz 503
like "... with the reason" "$(get /readyz)" "interface eth0: no balancer is attached"
is "... /healthz is still 200" "$(code /healthz)" 200
lab_start readers client tests/net/clients.py "$LAB_BALANCER" $PORT silent 3
check "a stop with open connections is clean" lab_stop sipxdpd
tap_end
