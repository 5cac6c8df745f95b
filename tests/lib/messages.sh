# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Large SIP messages in the lab of lab.sh. tests/net/fragments.py and large.py send them and record
# which backend received them complete. A suite sets COUNT, the number of messages of a run, and FIRST,
# the number of the run's first message. The Call-ID of a message is PREFIX-NUMBER.

# receive_messages: starts a receiver on every backend. It records the complete messages.
receive_messages() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		: > "$LAB_DIR/$backend.received"
		lab_start "$backend" "$backend" tests/net/fragments.py receive 5060 "$LAB_DIR/$backend.received"
		wait_for 20 lab_in "$backend" sh -c "ss -lun | grep -q ':5060 '"
	done
}

# arrived PREFIX SIZE: "CALL-ID BACKEND" of every message of this run that arrived complete.
arrived() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		awk -v backend="$backend" -v first="$FIRST" -v prefix="$1-" -v size="$2" \
			'$2 == size && index($1, prefix) == 1 && substr($1, length(prefix) + 1) + 0 >= first { print $1, backend }' \
			"$LAB_DIR/$backend.received"
	done | sort
}

# owners PREFIX: the same, as computed by the balancer.
owners() {
	local n
	for ((n = FIRST; n < FIRST + COUNT; n++)); do
		echo "$1-$n"
	done | lab_ctl lookup sip - | awk -F '\t' '{ print $1, $2 }' | sort
}

# all_arrived PREFIX SIZE
all_arrived() {
	[ "$(arrived "$@" | wc -l)" -ge $COUNT ]
}

# arrive_at_owners PREFIX SIZE NAME: checks that every message of this run arrives at its owner exactly
# once.
arrive_at_owners() {
	wait_for 3 all_arrived "$1" "$2" || true
	is "$3" "$(arrived "$1" "$2")" "$(owners "$1")"
}
