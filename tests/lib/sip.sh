# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# sipp and Kamailio in the lab of lab.sh.

SIP_SCENARIOS=$LAB_ROOT/tests/net/sip
# Each Call-ID contains both, so that no two runs and no two clients share a Call-ID.
SIP_RUN=$LAB_ID-$(date +%s)
SIP_CLIENTS=0

# Ignores a late message that was overtaken by a newer one. By default sipp would end the call with an
# error; other user agents ignore such a message and retransmit. Its watchdog ends a sipp that waited for a processor
# for more than 3 s for the tenth time: there is none.
SIP_PATIENCE=(-default_behaviors all,-abortunexp -watchdog_interval 0)

# sip_answer NAME HOST ADDRESS [SCENARIO [SIPP OPTION...]]: starts a sipp that responds at ADDRESS:5060.
# It writes each received message as a line to $LAB_DIR/NAME.messages; see sip_seen_by_sipp.
sip_answer() {
	local name=$1 host=$2 address=$3 scenario=${4:-answer}
	shift $(($# < 4 ? $# : 4))
	lab_start "$name" "$host" sipp -sf "$SIP_SCENARIOS/$scenario.xml" -i "$address" -p 5060 -bind_local \
		-nostdin -skip_rlimit -deadcall_wait 4000 -trace_shortmsg -shortmessage_file "$LAB_DIR/$name.messages" \
		-trace_err -error_file "$LAB_DIR/$name.errors" "${SIP_PATIENCE[@]}" "$@"
	wait_for 5 sip_listens "$host" "$address"
}

# sip_listens HOST ADDRESS: does a socket have UDP port 5060 of this address?
sip_listens() {
	local address=$2
	[[ $address != *:* ]] || address="[$address]"
	[ -n "$(lab_in "$1" ss -Hlnu src "$address" sport = :5060)" ]
}

# sip_client NAME HOST ADDRESS SCENARIO COUNT RATE [SIPP OPTION...]: starts a sipp in the background
# that sends COUNT requests or calls from ADDRESS to the VIP, RATE per second. lab_wait NAME returns its
# exit status: 0 if all succeed.
sip_client() {
	local name=$1 host=$2 address=$3 scenario=$4 count=$5 rate=$6
	shift 6
	SIP_CLIENTS=$((SIP_CLIENTS + 1))
	lab_start "$name" "$host" sipp "$LAB_VIP:5060" -sf "$SIP_SCENARIOS/$scenario.xml" -i "$address" -bind_local \
		-m "$count" -r "$rate" -l "$count" -cid_str "$SIP_RUN-$SIP_CLIENTS-%u@%s" \
		-nostdin -skip_rlimit -timeout 600s -timeout_error -fd 1 -trace_stat -stf "$LAB_DIR/$name.stat" \
		-trace_err -error_file "$LAB_DIR/$name.errors" "${SIP_PATIENCE[@]}" "$@"
}

# sip_hold NAME HOST ADDRESS PORT SCENARIO COUNT RATE [SIPP OPTION...]: a sip_client from this port, whose calls last until
# sip_release. So a busy machine may take any time for the checks in between. The scenario contains <pause/>.
declare -A SIP_HELD=() # NAME -> "HOST ADDRESS PORT"
sip_hold() {
	local name=$1 host=$2 address=$3 port=$4 scenario=$5 loop
	shift 5
	loop='<label id="91"/><pause distribution="uniform" min="300" max="2000"/><nop next="92" test="released"/><nop next="91"/><label id="92"/>'
	sed "s|<pause/>|$loop|; s|^<scenario .*>|&<Global variables=\"released\"/>|" "$SIP_SCENARIOS/$scenario.xml" \
		> "$LAB_DIR/held-$scenario.xml"
	SIP_HELD[$name]="$host $address $port"
	SIP_SCENARIOS=$LAB_DIR sip_client "$name" "$host" "$address" "held-$scenario" "$@" -p "$port" \
		-oocsf "$SIP_SCENARIOS/release.xml"
}

# sip_release NAME: ends the calls of a sip_hold.
sip_release() {
	local host address port
	read -r host address port <<< "${SIP_HELD[$1]}"
	lab_in "$host" sipp "$address:$port" -sf "$SIP_SCENARIOS/options.xml" -i "$address" -bind_local -m 1 -nostdin \
		-skip_rlimit -timeout 60s -timeout_error "${SIP_PATIENCE[@]}" > "$LAB_DIR/release-$1.log" 2>&1
}

# sip_statistic NAME COLUMN: a number of the last report of a sip_client. The columns are sipp's:
# TotalCallCreated, SuccessfulCall(C), FailedCall(C), Retransmissions(C), CurrentCall ...
sip_statistic() {
	awk -F';' -v column="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) field = i }
		NR > 1 { value = $field }
		END { print value + 0 }' "$LAB_DIR/$1.stat"
}

# sip_seen_by_sipp NAME: "METHOD-OR-STATUS CALL-ID" of each message that a sip_answer received, in
# order.
sip_seen_by_sipp() {
	awk -F'\t' '$4 == "R" { split($7, line, " "); print line[line[1] == "SIP/2.0" ? 2 : 1], $5 }' "$LAB_DIR/$1.messages"
}

# kamailio_start NAME HOST [DEFINE...]: tests/net/sip/kamailio.cfg explains the DEFINEs. Kamailio talks
# to the other servers of its farm on port 5090 of its own address. SIP_SELF, if set, replaces the VIP
# in Via and Record-Route.
kamailio_start() {
	local name=$1 host=$2 define defines=() own
	shift 2
	own=$(lab_in "$host" ip -j -4 address show dev eth0 | jq -r '.[0].addr_info[0].local')
	for define; do
		defines+=(-A "$define")
	done
	mkdir -p "$LAB_DIR/$name"
	lab_start "$name" "$host" kamailio -f "$SIP_SCENARIOS/kamailio.cfg" -DD -E -m 32 -M 4 -x fm -X fm \
		-Y "$LAB_DIR/$name" -P "$LAB_DIR/$name/pid" -w "$LAB_DIR/$name" -l "udp:$LAB_VIP:5060${SIP_SELF:+/$SIP_SELF:5060}" \
		-l "udp:$own:5090" "${defines[@]}"
	wait_for 10 sip_listens "$host" "$LAB_VIP" || {
		echo "kamailio $name does not start; it says:" >&2
		cat "$LAB_DIR/$name.log" >&2
		return 1
	}
}

# kamailio_seen NAME: "METHOD-OR-STATUS CALL-ID" of each message that it received.
kamailio_seen() {
	sed -n 's/.*<script>: seen //p' "$LAB_DIR/$1.log"
}

# kamailio_rpc NAME COMMAND...: runs a command by kamcmd.
kamailio_rpc() {
	kamcmd -s "unix:$LAB_DIR/$1/kamailio_ctl" "${@:2}"
}

# kamailio_has_peer ADDRESS KAMCMD...: does the server, which this command line reaches, replicate its registrations to the one
# with this address? A registration that arrives earlier is not replicated.
kamailio_has_peer() {
	"${@:2}" dmq.list_nodes | awk -v address="$1" '
		$1 == "host:" { host = $2 }
		$1 == "status:" && $2 == "active" && host == address { found = 1 }
		END { exit !found }'
}

# sip_seen NAME: sip_seen_by_sipp or kamailio_seen, by the kind of server.
sip_seen() {
	if [ -e "$LAB_DIR/$1.messages" ]; then
		sip_seen_by_sipp "$1"
	else
		kamailio_seen "$1"
	fi
}

# sip_owners: "CALL-ID BACKEND" for each Call-ID that a backend received, sorted.
sip_owners() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		sip_seen "$backend" | awk -v backend="$backend" '{ print $2, backend }'
	done | sort -u
}

# sip_strays: Call-IDs that more than one backend received.
sip_strays() {
	sip_owners | cut -d' ' -f1 | uniq -d
}

# phones_register: registers phone0, phone1, ... through the VIP, as many as PHONES says, with contacts at 10.0.0.200.
phones_register() {
	local i status=0
	for ((i = 0; i < PHONES; i++)); do
		sip_client "register$i" callee 10.0.0.200 register 1 10 -s "phone$i" -p $((5100 + i)) -key contact_port 5060
	done
	for ((i = 0; i < PHONES; i++)); do
		lab_wait "register$i" 20 || status=$?
	done
	return $status
}

# has_registrations NAME: checks that the server has all registrations, its own and the replicated ones.
has_registrations() {
	[ "$(kamailio_rpc "$1" ul.dump | grep -c 'AoR: phone')" -eq "$PHONES" ]
}
