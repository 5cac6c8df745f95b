#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Mistakes of operators and clients: each causes a clear message and does not disturb the running balancer.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

# fails NAME REGEX COMMAND...: exit status 1, with a message that matches.
fails() {
	fails_with 1 "$@"
}

fails_with() {
	local wanted=$1 name=$2 regex=$3 output status=0
	shift 3
	output=$(timeout 20 nsenter --target "${LAB_HOLDER[balancer]}" --net --mount --wd -- "$@" 2>&1) || status=$?
	if [ $status -eq "$wanted" ] && grep -Eiq -- "$regex" <<< "$output"; then
		ok "$name"
	else
		not_ok "$name" "$(printf 'exit status %d, wanted %d; wanted to match: %s\n%s' $status "$wanted" "$regex" "$output")"
	fi
}

# with_faults: writes a copy of the file with three faults to BAD.
BAD=/etc/sipxdp/bad.yaml
with_faults() {
	lab_in balancer sed -e 's/^interfaces/interfcaes/' -e 's/port: 5060/port: 70000/' -e 's/pool: proxies/pool: nobody/' \
		"$LAB_CONFIG" | lab_write balancer $BAD
}

calls_work() {
	sip_client "options$1" client "$LAB_CLIENT" options 30 100
	lab_wait "options$1" 20
}

backend() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

# --- before anything runs

nothing_attached() {
	with_faults
	fails "--check reports an unknown key with file:line:column" "$BAD:1:1: .*interfcaes" sipxdpd -c $BAD --check
	fails "... and in the same run a port out of range" "$BAD:6:[0-9]+: .*70000" sipxdpd -c $BAD --check
	fails "... and an undefined pool" "$BAD:9:[0-9]+: .*nobody" sipxdpd -c $BAD --check
	fails "the loader refuses such a file" "$BAD:[0-9]+:[0-9]+: " sipxdp-loader attach -c $BAD
	fails "a file that does not exist" "/nowhere.yaml.*No such file" sipxdpd -c /nowhere.yaml --check
	check "--check accepts a valid file" lab_in balancer sipxdpd -c "$LAB_CONFIG" --check
	lab_in balancer sed 's/eth0/eth7/' "$LAB_CONFIG" | lab_write balancer /etc/sipxdp/eth7.yaml
	fails "an interface that does not exist" "eth7.*(No such device|does not exist)" \
		sipxdp-loader attach -c /etc/sipxdp/eth7.yaml
	fails "the daemon, when nothing is attached, names the command to run" "sipxdp-loader attach" sipxdpd -c "$LAB_CONFIG"
	fails "sipxdp-ctl, when no daemon runs" "sipxdpd" sipxdp-ctl status
	fails_with 3 "upgrade, when nothing is attached" "attach" sipxdp-loader upgrade

	lab_in balancer ip link set dev eth0 xdpdrv object "$LAB_DIR/pass.bpf.o" section xdp.frags
	fails "a different XDP program is on the interface" "eth0.*(another|busy)" sipxdp-loader attach -c "$LAB_CONFIG"
	check "... and remains attached" has_program pass
	lab_in balancer ip link set dev eth0 xdpdrv off
}

has_program() {
	[ "$(lab_in balancer ip -j -d link show eth0 | jq -r '.[0].xdp.prog.name')" = "$1" ]
}

generic_mode() {
	check "attach --mode generic" lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --mode generic
	like "... status reports the mode" "$(lab_in balancer sipxdp-loader status)" generic
	check "... detach" lab_in balancer sipxdp-loader detach
	unlike "... leaves no program on the interface" "$(lab_in balancer ip link show eth0)" xdp
	is "... and no pin" "$(lab_in balancer find /sys/fs/bpf/sipxdp -type f 2> /dev/null)" ""
}

# Replaces a map by a map whose keys cannot be listed.
unreadable_maps() {
	local hints=/sys/fs/bpf/sipxdp/hints
	lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
	lab_in balancer rm $hints
	lab_in balancer bpftool map create $hints type ringbuf key 0 value 0 entries 4096 name hints
	fails "maps that cannot be read" "cannot read the maps" sipxdpd -c "$LAB_CONFIG"
	lab_in balancer sipxdp-loader detach > /dev/null
}

# If the kernel does not support the dispatcher, the message says so.
dispatcher() {
	local output status=0
	output=$(lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --dispatcher 2>&1) || status=$?
	if [ $status -eq 0 ]; then
		ok "--dispatcher attaches"
		lab_in balancer sipxdp-loader detach
	else
		like "--dispatcher: the message names the missing support of the kernel" "$output" "dispatcher"
	fi
	unlike "... and leaves nothing on the interface" "$(lab_in balancer ip link show eth0)" xdp
}

# --- while the balancer runs

running() {
	fails_with 3 "a second attach has nothing to do" "already|attached" sipxdp-loader attach -c "$LAB_CONFIG"
	fails "a second daemon is refused" "running|lock|already" sipxdpd -c "$LAB_CONFIG"
	check "... and the first daemon continues" calls_work 1

	is "a backend that does not answer owns no slot" "$(backend px9 .slots)" 0
	like "... backend list shows the reason" "$(backend px9 .reason)" "10.0.0.99|answer|neighbour|reach"
	like "... status names it" "$(lab_ctl status)" "px9"
	is "... the other backends own all slots" "$(lab_ctl --json backend list | jq '[.[].share] | add | round')" 100

	with_faults
	lab_in balancer cp "$LAB_CONFIG" "$LAB_CONFIG.good"
	lab_in balancer cp $BAD "$LAB_CONFIG"
	fails "reload refuses a file with faults" "$LAB_CONFIG:6:[0-9]+: .*70000" sipxdp-ctl reload
	kill -HUP "${LAB_PROCESS[sipxdpd]}"
	check "SIGHUP refuses it, too, and logs the faults" wait_for 5 grep -Eq "$LAB_CONFIG:9:[0-9]+: .*nobody" "$LAB_DIR/sipxdpd.log"
	check "... and calls continue with the previous configuration" calls_work 2
	is "... status shows the previous configuration" "$(lab_ctl --json service list | jq -r '.[0].pool')" proxies
	lab_in balancer cp "$LAB_CONFIG.good" "$LAB_CONFIG"
	check "reload accepts the corrected file" lab_ctl reload

	fails "a backend that does not exist" "px77" sipxdp-ctl backend maint proxies px77
	fails "a pool that does not exist" "nobody" sipxdp-ctl backend maint nobody px1
	fails "a service that does not exist" "nobody" sipxdp-ctl lookup nobody some-call-id
	fails_with 2 "a command that does not exist" "usage|unknown" sipxdp-ctl frobnicate
	fails_with 2 "a weight that is not a number" "weight|heavy" sipxdp-ctl backend weight proxies px1 heavy
	fails "with --json the error is JSON" '"error": ' sipxdp-ctl --json backend maint nobody px1
}

# speak TEXT: sends bytes to the control socket and prints the reply.
speak() {
	lab_in balancer python3 - "$1" <<- 'PYTHON'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(3)
		s.connect("/run/sipxdp/ctl.sock")
		try:
		    s.sendall(sys.argv[1].encode())
		    s.shutdown(socket.SHUT_WR)
		    while data := s.recv(65536):
		        sys.stdout.write(data.decode())
		except OSError as error:
		    print(error)
	PYTHON
}

control_socket() {
	local i
	like "a line that is not JSON gets an error from the control socket" "$(speak $'\x01\x02 garbage\n')" '"ok": ?false'
	like "an unknown command gets an error" "$(speak $'{"command": "frobnicate"}\n')" '"ok": ?false'
	speak '{"command": "sta' > /dev/null
	check "the daemon survives a truncated request" lab_ctl status
	for i in 1 2 3 4 5; do
		lab_start "stalled$i" balancer python3 -c '
import socket, time
s = socket.socket(socket.AF_UNIX)
s.connect("/run/sipxdp/ctl.sock")
s.sendall(b"{\"comm")
time.sleep(60)'
	done
	check "stalled clients do not delay other clients" timeout 3 nsenter --target "${LAB_HOLDER[balancer]}" --net --mount \
		-- "$(command -v sipxdp-ctl)" status
	lab_start flood balancer python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/run/sipxdp/ctl.sock")
while True:
    s.sendall(b"x" * 65536)'
	check "a client that never ends its line is disconnected" wait_for 15 has_ended flood
	check "... and the daemon continues" lab_ctl status
	check "... and calls work" calls_work 3
}

has_ended() {
	! lab_running "$1"
}

# The warning is tested before the first packet: after that, packets to the VIP show that it is reachable.
vip_is_not_configured() {
	lab_in balancer ip address del "$LAB_VIP/32" dev eth0
	like "status warns if the VIP is not an address of the balancer" "$(lab_ctl status)" "$LAB_VIP"
	lab_in balancer ip address add "$LAB_VIP/32" dev eth0
	unlike "... the warning ends when the address is configured again" "$(lab_ctl status)" "warning.*$LAB_VIP"
}

examples() {
	local file
	for file in yaml-examples/*.yaml; do
		[ -e "$file" ] || continue
		check "$file has no fault" sipxdpd -c "$file" --check
	done
}

lab_open
lab_flat 2
for host in "${LAB_BACKENDS[@]}"; do
	sip_answer "$host" "$host" "$LAB_VIP" answer-options
done
lab_config dsr
nothing_attached
generic_mode
unreadable_maps
dispatcher
lab_in balancer sh -c "echo '      - {name: px9, address: 10.0.0.99}' >> $LAB_CONFIG"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
check "the daemon starts although a backend does not answer" wait_for 10 lab_serving 2
vip_is_not_configured
running
control_socket
examples
tap_end
