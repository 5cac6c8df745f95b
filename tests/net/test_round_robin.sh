#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# balance: round-robin with calls of very different lengths: the servers have equal numbers of calls, and no established call
# moves while the daemon is killed, the file is reloaded, new maps are made and a server drains.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/balance.sh

lab_open
lab_flat 3
configure 'balance: round-robin'
lab_balance
serve answer
like "without calls the numbers are exact" "$(lab_ctl --json backend list | jq -c '[.[] | [.calls, .calls_error]]')" '^\[\[0,0\],\[0,0\],\[0,0\]\]$'
calls_survive 'balance: round-robin'
tap_end
