#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The status page shows real calls and failures: the current rates, the rates of each backend, and the plots of the
# last 15 minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

URL=http://$LAB_BALANCER:9464

# fail_calls: sends 50 responses 503 to INVITE per second to the VIP, as a peer of a server would
fail_calls() {
	lab_start failures client python3 -c '
import socket, sys, time
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(5000):
    peer.sendto(b"SIP/2.0 503 Service Unavailable\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\n"
                b"To: <sip:c@d>;tag=2\r\nCall-ID: failure-%d\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
                % (sys.argv[1].encode(), i, i), (sys.argv[1], 5060))
    time.sleep(0.02)' "$LAB_VIP"
}

# number SELECTOR: an expression for the number that the page shows there, once it is not 0
number() {
	echo "parseFloat(document.querySelector('$1').innerText)"
}

lab_open
lab_flat 1
sip_answer px1 px1 "$LAB_VIP"
LAB_SECTIONS="metrics: {listen: '$LAB_BALANCER:9464'}" lab_config dsr
lab_balance
lab_start browser client tests/net/browser.py "$URL/" --profile "$LAB_DIR/profile" \
	"$(number '#services .number')" "$(number '.tile .row .end:not(.state)')" \
	"document.querySelector('.calls.plot .line').getAttribute('d')" \
	"$(number '#services .small.number')" "document.querySelector('.failures.plot .line').getAttribute('d')" \
	"document.querySelector('#services').innerText"
sip_client caller client "$LAB_CLIENT" call 4000 100 -d 200
fail_calls
check "the browser reports no error" lab_wait browser 100
mapfile -t shown < "$LAB_DIR/browser.log"
diag "${shown[5]:-}"
like "the page shows calls per second of the service" "${shown[0]:-}" '^[1-9]'
like "... and of the backend" "${shown[1]:-}" '^[1-9]'
like "... and a plot" "${shown[2]:-}" '^"M[0-9. L]+"$'
like "it shows failures per second" "${shown[3]:-}" '^[1-9]'
like "... and a plot" "${shown[4]:-}" '^"M[0-9. L]+"$'
is "the backend has all calls of the service" \
	"$(lab_ctl --json backend list | jq '.[0].initial_invite > 0')" true

lab_in balancer sed -i 's/^    pool: proxies/&\n    message_counters: false/' "$LAB_CONFIG"
check "a reload stops counting" lab_ctl reload
lab_start plain client tests/net/browser.py "$URL/" --profile "$LAB_DIR/plain-profile" \
	"document.querySelector('#services').innerText.includes('SIP messages are not counted')" \
	"document.querySelector('.plot').checkVisibility() ? 'visible' : 'hidden'"
check "... and the page says so" lab_wait plain 60
is "... without plots" "$(tail -n 1 "$LAB_DIR/plain.log")" '"hidden"'
tap_end
