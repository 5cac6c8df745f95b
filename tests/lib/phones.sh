# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Phones (baresip) in the lab of lab.sh, each on a host of its own. They trust the certificate $LAB_DIR/sip.pem.

declare -A ADDRESS=() # phone -> address of its control connection

certify() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=sip.example.net \
		-days 2 -keyout "$LAB_DIR/sip.key" -out "$LAB_DIR/sip.pem" 2> "$LAB_DIR/openssl.log"
}

# owned_by SERVER: the last number of an unused client address whose connections belong to this server.
owned_by() {
	local i
	for i in {120..149}; do
		[[ " ${ADDRESS[*]} " != *" 10.0.0.$i "* ]] || continue
		[ "$(lab_ctl lookup sip-tcp --source "10.0.0.$i:1" | cut -f2)" != "$1" ] || { echo "$i" && return; }
	done
	return 1
}

# phone_start NAME TRANSPORT: starts a phone on the host NAME.
phone_start() {
	local directory=$LAB_DIR/phone-$1
	mkdir -p "$directory"
	: > "$directory/contacts"
	echo "<sip:$1@sip.example.net;transport=$2>;auth_pass=x;answermode=auto;regint=20;audio_codecs=pcmu" \
		> "$directory/accounts"
	cat > "$directory/config" <<- CONFIG
		module_path /usr/lib/baresip/modules
		module g711.so
		module aubridge.so
		module_tmp account.so
		module_app menu.so
		module_app ctrl_tcp.so
		ctrl_tcp_listen 0.0.0.0:4444
		dns_server 127.0.0.1:53
		sip_cafile $LAB_DIR/sip.pem
		audio_source aubridge,$1
		audio_player aubridge,$1
		audio_alert aubridge,$1
	CONFIG
	lab_start "phone-$1" "$1" baresip -4 -f "$directory"
}

# Resolves the names of the page on this host, with the VIP.
names_start() {
	lab_start "dns-$1" "$1" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file= \
		--user=root --bind-interfaces --listen-address=127.0.0.1 --address="/sip.example.net/$LAB_VIP"
	wait_for 5 lab_in "$1" sh -c 'ss -Hlnu sport = :53 | grep -q .'
}

# phone_on SERVER NAME TRANSPORT: a phone whose address belongs to this server.
phone_on() {
	local number
	number=$(owned_by "$1")
	lab_peer "$2" "$number"
	ADDRESS[$2]=10.0.0.$number
	names_start "$2"
	phone_start "$2" "$3"
}

# A phone in 192.168.7.0/24, behind a router that changes addresses and ports.
phone_behind_nat() {
	lab_peer router 150
	lab_plug router eth1 br7
	lab_address router eth1 192.168.7.1/24
	lab_in router sysctl -qw net.ipv4.ip_forward=1
	lab_in router nft -f - <<- NFT
		table ip nat {
			chain out { type nat hook postrouting priority 100; oifname eth0 masquerade random; }
			chain in { type nat hook prerouting priority -100; iifname eth0 tcp dport 4444 dnat to 192.168.7.2; }
		}
	NFT
	_lab_host nat
	lab_plug nat eth0 br7
	lab_address nat eth0 192.168.7.2/24
	lab_in nat ip route add default via 192.168.7.1
	ADDRESS[nat]=10.0.0.150
	names_start nat
	phone_start nat udp
}

# phones COMMAND ARGUMENT...: phones.py, with addresses added to the names of phones.
phones() {
	local argument arguments=()
	for argument; do
		arguments+=("$argument${ADDRESS[$argument]:+=${ADDRESS[$argument]}}")
	done
	lab_in client tests/net/phones.py "${arguments[@]}"
}

# knows NAME USER...: does the server have a registration of each user?
knows() {
	local name=$1 user
	lab_in "$name" kamcmd ul.dump > "$LAB_DIR/$name.registrations"
	for user in "${@:2}"; do
		grep -q "AoR: $user\$" "$LAB_DIR/$name.registrations" || return 1
	done
}
