#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In generic mode the program receives TCP segments that were merged, or not yet segmented, as one packet that is
# longer than any frame. Such a packet is not oversize: it is forwarded unchanged. A tunnel cannot carry it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

BYTES=2000000

# write_config FORWARD
write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: lines, vip: $LAB_VIP, port: 5061, protocol: tcp, affinity: flow, pool: lines}
		pools:
		  - name: lines
		    forward: $1
		    backends:
		      - {name: px1, address: 10.0.0.11}
	YAML
}

# Reads a connection to its end and replies with the number of bytes.
SINK='
import socket, sys
server = socket.create_server((sys.argv[1], 5061))
print("listening", flush=True)
while True:
    connection, total = server.accept()[0], 0
    while data := connection.recv(1 << 20):
        total += len(data)
    connection.sendall(b"%d" % total)
    connection.close()
'
SOURCE='
import socket, sys
client = socket.create_connection((sys.argv[1], 5061), timeout=20)
client.sendall(bytes(int(sys.argv[2])))
client.shutdown(socket.SHUT_WR)
print(client.recv(64).decode())
'

merged_are_counted() {
	[ "$(lab_verdict merged_segments)" -gt 0 ]
}

lab_open
lab_flat 1
write_config dsr
lab_start sink px1 python3 -c "$SINK" "$LAB_VIP"
wait_for 5 grep -q listening "$LAB_DIR/sink.log"
# The client offloads segmentation and checksums to its interface. Native XDP disables that on a veth, so the
# lab's programs on the switch are detached.
for port in client-eth0 balancer-eth0 px1-eth0; do
	lab_in switch ip link set dev $port xdpdrv off
	lab_in switch ethtool -K $port tx on tso on gso on > /dev/null
done
lab_in client ethtool -K eth0 tx on tso on gso on > /dev/null
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --mode generic > /dev/null 2>&1
lab_daemon
check "the backend serves" wait_for 10 lab_serving 1
is "generic mode, direct return: a stream of $BYTES bytes arrives" "$(lab_in client python3 -c "$SOURCE" "$LAB_VIP" $BYTES)" $BYTES
packets=$(lab_verdict flow)
check "... in fewer packets than frames" [ "$packets" -lt $((BYTES / 1448 / 2)) ]
is "... none of them was oversize" "$(lab_verdict oversize) $(lab_verdict too_big)" "0 0"

lab_in px1 sipxdp-loader attach --program decap eth0 --mode generic --from "$LAB_BALANCER" > /dev/null 2>&1
write_config ipip
lab_ctl reload --move-calls > /dev/null
(lab_in client timeout 10 python3 -c "$SOURCE" "$LAB_VIP" $BYTES || true) > "$LAB_DIR/tunnel.log" 2>&1 &
check "in a tunnel: the verdict is merged_segments" wait_for 10 merged_are_counted
like "... status shows the verdict" "$(lab_ctl status)" "merged_segments.*GRO"
wait $! || true
tap_end
