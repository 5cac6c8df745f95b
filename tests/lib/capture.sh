# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Captured packets in the lab of lab.sh.

# capture NAME HOST FILTER: captures packets on eth0 of the host.
capture() {
	lab_start "$1" "$2" tshark -Q -i eth0 -w "$LAB_DIR/$1.pcap" "$3"
	wait_for 30 test -s "$LAB_DIR/$1.pcap"
}

# captured NAME FILTER: the number of captured packets that a display filter selects.
captured() {
	tshark -r "$LAB_DIR/$1.pcap" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE \
		-Y "$2" 2> /dev/null | wc -l
}

# A filter: packets with a wrong checksum.
WRONG='ip.checksum.status == 0 or udp.checksum.status == 0 or tcp.checksum.status == 0 or icmp.checksum.status == 0'
