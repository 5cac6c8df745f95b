#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The status page in Chromium: on a wall screen, on a phone, and with scripts off.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

URL=http://$LAB_BALANCER:9464
LAB_CONFIG='/etc/sipxdp/<b id=hostile>"&'\''.yaml' # the page shows this name in a warning
NO_SCROLLING='document.documentElement.scrollWidth <= innerWidth'

# browse NAME OPTION... EXPRESSION...: tests/net/browser.py in the background. It writes the value of each expression
# as a line to $LAB_DIR/NAME.log once the expression is true, and then the errors of the browser.
browse() {
	local name=$1
	shift
	lab_start "$name" client tests/net/browser.py "$URL/" --profile "$LAB_DIR/$name-profile" "$@"
}

# printed NAME COUNT: has this browser printed COUNT values?
printed() {
	[ "$(wc -l < "$LAB_DIR/$1.log")" -ge "$2" ]
}

# value NAME NUMBER: a value that this browser printed
value() {
	sed -n "$2p" "$LAB_DIR/$1.log" | jq -r .
}

# ends NAME: does the browser end without an error?
ends() {
	lab_wait "$1" 60 || {
		cat "$LAB_DIR/$1.log"
		return 1
	}
}

# tile BACKEND TEXT: an expression that is true while the tile of the backend shows the text
tile() {
	echo "[...document.querySelectorAll('.tile')].some(tile => tile.querySelector('h3').innerText === '$1' &&" \
		"tile.innerText.includes('$2'))"
}

# serve BACKEND: starts its server
serve() {
	lab_start "$1" "$1" sipp -sf tests/net/sip/answer-options.xml -i "$LAB_VIP" -p 5060 -nostdin
}

# one_warning TEXT: does `status` have exactly one warning with this text?
one_warning() {
	[ "$(lab_ctl --json status | jq --arg text "$1" '[.warnings[] | select(contains($text))] | length')" = 1 ]
}

has_samples() {
	[ "$(lab_in client curl -sS "$URL/api/v1/history" | jq '.services[0].calls | length')" -ge "$1" ]
}

lab_open
lab_flat 3
for backend in px1 px2 px3; do
	serve $backend
done
LAB_SECTIONS="metrics: {listen: '$LAB_BALANCER:9464'}"
LAB_POOL="probe: {type: options, interval: 500ms, timeout: 400ms, fall: 2, rise: 1}" lab_config dsr
lab_balance
lab_ctl backend weight proxies px3 2 > /dev/null
check "status has a warning with the name of the file" one_warning "$LAB_CONFIG"

# --- a wall screen
script=$(cat tests/net/contrast.js)
hostile="document.querySelector('#warnings').innerText.includes(\`$LAB_CONFIG\`)"
browse wall --width 1920 --height 1080 "$(tile px2 up)" "$(tile px2 down)" "$hostile" \
	"!document.querySelector('#hostile')" \
	"document.querySelector('#warnings').innerText.includes('px2 is down')" \
	"[...document.querySelectorAll('#warnings li')].map(line => line.innerText).join('\n')" \
	"$script" "$NO_SCROLLING" "document.querySelectorAll('#wires path').length"
check "the page shows that a backend is up" wait_for 60 printed wall 1
began=$EPOCHREALTIME
lab_stop px2 KILL || true
check "the daemon finds that it is dead" wait_for 30 one_warning "backend proxies/px2 is down"
check "... and the page shows it" wait_for 60 printed wall 2
diag "$(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms after its death"
check "the browser reports no error" ends wall
is "the name of the file is shown as text" "$(value wall 3)" true
is "... and adds no element" "$(value wall 4)" true
is "the warnings are those of status" "$(value wall 6)" "$(lab_ctl status | sed -n 's/^warning: *\(.*\)/warning: \1/p')"
like "each text has enough contrast" "$(value wall 7)" "^[1-9][0-9]* texts are readable$"
is "nothing scrolls sideways" "$(value wall 8)" true
is "a line connects service and pool" "$(value wall 9)" 1

# --- a phone
browse phone --width 360 --height 740 --dark "$(tile px2 down)" "$NO_SCROLLING" "$script" \
	"getComputedStyle(document.body).backgroundColor"
check "on a phone in the dark, the browser reports no error" ends phone
is "... nothing scrolls sideways at 360 pixels" "$(value phone 2)" true
like "... each text has enough contrast" "$(value phone 3)" "^[1-9][0-9]* texts are readable$"
is "... the page is dark" "$(value phone 4)" "rgb(14, 19, 26)"

# --- without scripts
row="[...document.querySelectorAll('tr')].map(row => row.innerText).find(text => text.startsWith('px2'))"
browse plain --width 360 --height 740 --no-script "$row?.includes('down')" "!document.querySelector('#hostile')" \
	"document.querySelector('#static').innerText.includes(\`$LAB_CONFIG\`)" "$NO_SCROLLING" "$script" \
	"document.querySelector('main').checkVisibility() ? 'visible' : 'hidden'" "$row?.includes('up')"
check "with scripts off, the page shows its tables" wait_for 60 printed plain 6
serve px2
check "... loads again by itself" wait_for 60 printed plain 7
check "... and the browser reports no error" ends plain
is "... the name of the file is text there, too" "$(value plain 2) $(value plain 3)" "true true"
is "... nothing scrolls sideways" "$(value plain 4)" true
like "... each text has enough contrast" "$(value plain 5)" "^[1-9][0-9]* texts are readable$"
is "... the picture of the farm is hidden" "$(value plain 6)" hidden

# --- the last 15 minutes
check "the daemon takes samples of each service" wait_for 30 has_samples 2

# --- what the page may load
policy=$(lab_in client curl -sS -D - -o "$LAB_DIR/page" "$URL/" | grep -i '^content-security-policy')
like "scripts and styles need the right hash" "$policy" "default-src 'none'; script-src 'sha256-.*'; style-src 'sha256-"
unlike "... no others are allowed" "$policy" "unsafe"
is "the page names no other server" "$(grep -o 'https\?://[^"]*' "$LAB_DIR/page" | sort -u)" "http://www.w3.org/2000/svg"

# --- the daemon stops
browse silent "$(tile px2 up)" "document.querySelector('#silence').checkVisibility() && document.querySelector('#silence').innerText" \
	"$script"
check "a page is open" wait_for 60 printed silent 1
lab_stop sipxdpd
check "when the daemon stops, the page says so" wait_for 60 printed silent 3
like "... in plain words" "$(value silent 2)" "^sipxdpd has not answered this page since .*: what follows is old"
like "... and readable" "$(value silent 3)" "^[1-9][0-9]* texts are readable$"
lab_wait silent 60 || true # the failed requests are errors
tap_end
