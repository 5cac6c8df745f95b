#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Frames for test_explain.sh, one capture file for each.

  frames.py make DIRECTORY MAC      writes NAME.pcap for frames to this MAC address, and all.pcap
  frames.py send FILE INTERFACE     sends the frames of a capture file
  frames.py repeat FILE INTERFACE   sends them ten times per second until it is ended

Prints the names, in the order in which the test uses them."""

import ipaddress
import socket
import struct
import sys
import time

CLIENT, VIP, VIP6 = "10.0.0.100", "192.0.2.10", "2001:db8:f::10"
SDP = "\r\n".join(["v=0"] + ["a=ptime:20"] * 120)


def message(first, *lines, call_id="explain-1", body="", to=""):
    headers = [first, *lines, "From: <sip:a@example.net>;tag=1", f"To: <sip:b@example.net>{to}"]
    headers += [f"Call-ID: {call_id}"] if call_id else []
    method = first.split(" ")[0]
    return "\r\n".join(headers + [f"CSeq: 1 {method if method[0] != 'S' else 'INVITE'}", "", body]).encode()


def request(method, *lines, **rest):
    return message(f"{method} sip:b@{VIP} SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.100;branch=z9hG4bK1", *lines, **rest)


def response(via):
    return message("SIP/2.0 200 OK", f"Via: SIP/2.0/UDP {via};branch=z9hG4bK1")


def udp(payload, port=5060, source_port=5060):
    return 17, struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload


def tcp(port, flags=2):
    return 6, struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 5 << 4, flags, 1000, 0, 0)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(transport, source=CLIENT, to=VIP, number=0, at=0, more=False, whole=False):
    protocol, data = transport
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(to).packed
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(data), number, at // 8 | more << 13 | whole << 14, 64, protocol)
    return start + struct.pack("!H", checksum(start + b"\0\0" + addresses)) + addresses + data


def ipv6(transport):
    protocol, data = transport
    addresses = ipaddress.ip_address("2001:db8::64").packed + ipaddress.ip_address(VIP6).packed
    return struct.pack("!IHBB", 6 << 28, len(data), protocol, 64) + addresses + data


def icmp_error(quoted):
    data = struct.pack("!BBHI", 3, 3, 0, 0) + quoted
    return 1, data[:2] + struct.pack("!H", checksum(data + b"\0" * (len(data) % 2))) + data[4:]


def fragments(number):
    protocol, data = udp(request("INVITE", call_id=f"fragment-{number}", body=SDP))
    first = ipv4((protocol, data[:1400]), number=number, more=True)
    return first, ipv4((protocol, data[1400:]), number=number, at=1400)


QUOTED = ipv4(udp(response("px3.example.net"), port=5060), source=VIP, to=CLIENT)
VLAN = struct.pack("!HH", 0x8100, 7)

# name: an IP packet, or a whole frame without its addresses
ROWS = {
    "invite": ipv4(udp(request("INVITE"))),
    "update": ipv4(udp(request("INVITE", to=";tag=2"))),
    "bye": ipv4(udp(request("BYE", call_id="explain-2"))),
    "method_pool": ipv4(udp(request("REGISTER"))),
    "ipv6": ipv6(udp(request("INVITE", call_id="explain-3"))),
    "via_of_a_backend": ipv4(udp(response("one.example.net"))),
    "via_of_a_backend_that_is_down": ipv4(udp(response("three.example.net"))),
    "via_of_nobody": ipv4(udp(response("nobody.example.net"))),
    "route_of_a_backend": ipv4(udp(request("BYE", "Route: <sip:two.example.net;lr>"))),
    "parameter_of_a_backend": ipv4(udp(request("BYE", f"Route: <sip:{VIP};lr;node=px1>"))),
    "route_by_the_vip": ipv4(udp(request("BYE", f"Route: <sip:{VIP};lr>", "Route: <sip:one.example.net;lr>"))),
    "no_call_id": ipv4(udp(request("OPTIONS", call_id=None))),
    "compact_call_id": ipv4(udp(request("OPTIONS", "i: a:b:c@example.net", call_id=None))),
    "not_sip": ipv4(udp(b"hello")),
    "keepalive": ipv4(udp(b"\r\n\r\n")),
    "stun": ipv4(udp(bytes.fromhex("000100002112a442") + bytes(12))),
    "from_user": ipv4(udp(request("INVITE"), port=5070)),
    "source": ipv4(udp(request("INVITE"), port=5080)),
    "tcp": ipv4(tcp(5060)),
    "port_range": ipv4(udp(b"\x80\x00rtp", port=30001)),
    "icmp_error": ipv4(icmp_error(QUOTED)),
    "echo_request": ipv4((1, bytes.fromhex("0800f7fe00010000"))),
    "no_service": ipv4(udp(b"x", port=9)),
    "vlan": VLAN + struct.pack("!H", 0x0800) + ipv4(udp(request("INVITE"))),
    "malformed": ipv4((17, struct.pack("!HHHH", 5060, 5060, 100, 0) + b"short")),
    "tunnel": ipv4(udp(request("INVITE"), port=5090)),
    "tunnel_oversize": ipv4(udp(request("INVITE", body=SDP[:1290]), port=5090), whole=True),
    "first_fragment": fragments(7)[0],
    "fragment_without_its_first": fragments(8)[1],
    "no_ip": struct.pack("!H", 0x88CC) + bytes(46),
}


def frame(mac, data):
    versions = {4: 0x0800, 6: 0x86DD}
    if data[:2] not in (VLAN[:2], struct.pack("!H", 0x88CC)):
        data = struct.pack("!H", versions[data[0] >> 4]) + data
    return bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("020000000099") + data


def write(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for data in frames:
            file.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)


def make(directory, mac):
    for name, data in ROWS.items():
        write(f"{directory}/{name}.pcap", [frame(mac, data)])
    write(f"{directory}/later_fragment.pcap", [frame(mac, fragments(7)[1])])
    write(f"{directory}/both_fragments.pcap", [frame(mac, data) for data in fragments(7)])
    write(f"{directory}/all.pcap", [frame(mac, data) for data in ROWS.values()])
    print("\n".join(ROWS))


def send(path, interface):
    with open(path, "rb") as file, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((interface, 0))
        file.read(24)
        while header := file.read(16):
            s.send(file.read(struct.unpack("<IIII", header)[2]))


def repeat(path, interface):
    while True:
        send(path, interface)
        time.sleep(0.1)


{"make": make, "send": send, "repeat": repeat}[sys.argv[1]](*sys.argv[2:])
