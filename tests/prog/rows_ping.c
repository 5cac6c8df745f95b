// SPDX-License-Identifier: GPL-2.0
/* Echo requests to a VIP: the program answers them if a service of the VIP has `ping:`, otherwise the kernel receives
 * them. */

#include <linux/bpf.h>
#include "rows.h"

#define FOR_IPV4 .families = IPV4_ONLY, .setup = {.ping = true}
#define FOR_IPV6 .families = IPV6_ONLY, .setup = {.ping = true}
#define ANSWERED .verdict = VERDICT_echo_reply, .action = XDP_TX
#define LEFT_ALONE .verdict = VERDICT_not_service, .action = XDP_PASS

static const struct row rows[] = {
	{"an echo request is answered", FOR_IPV4, .in = {.icmp_type = 8, .payload = "0123456789"}, ANSWERED},
	{"an ICMPv6 echo request is answered", FOR_IPV6, .in = {.icmp_type = 128, .payload = "0123456789"}, ANSWERED},
	{"an echo request without data is answered", FOR_IPV4, .in = {.icmp_type = 8}, ANSWERED},
	{"an ICMPv6 echo request without data is answered", FOR_IPV6, .in = {.icmp_type = 128}, ANSWERED},
	{"an echo request to the VIP of a second service is answered", FOR_IPV4, .service = SERVICE_ANY,
		.in = {.icmp_type = 8}, ANSWERED},
	{"padding is kept", FOR_IPV4, .in = {.icmp_type = 8}, .trailer = 18, ANSWERED},
	{"VLAN tags are kept", FOR_IPV4, .in = {.icmp_type = 8, .payload = "a", .vlan = {0x6064}}, ANSWERED},
	{"both QinQ tags are kept", FOR_IPV6, .in = {.icmp_type = 128, .payload = "a", .vlan = {100, 200}}, ANSWERED},
	{"the reply has a new TTL", FOR_IPV4, .in = {.icmp_type = 8, .ttl = 1}, ANSWERED},
	{"the reply has a new hop limit", FOR_IPV6, .in = {.icmp_type = 128, .ttl = 255}, ANSWERED},
	{"the reply keeps type of service, identification and DF", FOR_IPV4,
		.in = {.icmp_type = 8, .tos = 0xb8, .id = 0xbeef, .dont_fragment = true}, ANSWERED},
	{"without `ping:` an echo request is passed to the kernel", IPV4_ONLY, .in = {.icmp_type = 8}, LEFT_ALONE},
	{"without `ping:` an ICMPv6 echo request is passed to the kernel", IPV6_ONLY, .in = {.icmp_type = 128},
		LEFT_ALONE},
	{"an echo request to an address that is not a VIP is passed to the kernel", FOR_IPV4,
		.in = {.icmp_type = 8, .destination = "192.0.2.99"}, LEFT_ALONE},
	{"a first fragment is passed to the kernel", FOR_IPV4,
		.in = {.icmp_type = 8, .more_fragments = true, .id = 5100}, LEFT_ALONE},
	{"a first fragment of ICMPv6 is passed to the kernel", FOR_IPV6,
		.in = {.icmp_type = 128, .more_fragments = true, .id = 5100}, LEFT_ALONE},
	{"an echo request with IP options is passed to the kernel", FOR_IPV4, .in = {.icmp_type = 8, .option_words = 1},
		LEFT_ALONE},
	{"an echo request with extension headers is passed to the kernel", FOR_IPV6,
		.in = {.icmp_type = 128, .extensions = 1}, LEFT_ALONE},
	{"an echo request from a multicast address is passed to the kernel", FOR_IPV4,
		.in = {.icmp_type = 8, .source = "224.0.0.1"}, LEFT_ALONE},
	{"an echo request from the broadcast address is passed to the kernel", FOR_IPV4,
		.in = {.icmp_type = 8, .source = "255.255.255.255"}, LEFT_ALONE},
	{"an echo request from the unspecified address is passed to the kernel", FOR_IPV4,
		.in = {.icmp_type = 8, .source = "0.0.0.0"}, LEFT_ALONE},
	{"an echo request from a loopback address is passed to the kernel", FOR_IPV4,
		.in = {.icmp_type = 8, .source = "127.0.0.1"}, LEFT_ALONE},
	{"an ICMPv6 echo request from a multicast address is passed to the kernel", FOR_IPV6,
		.in = {.icmp_type = 128, .source = "ff02::1"}, LEFT_ALONE},
	{"an ICMPv6 echo request from the unspecified address is passed to the kernel", FOR_IPV6,
		.in = {.icmp_type = 128, .source = "::"}, LEFT_ALONE},
	{"an echo request to the broadcast MAC address is passed to the kernel", FOR_IPV4,
		.in = {.icmp_type = 8, .to_mac = "ff:ff:ff:ff:ff:ff"}, .verdict = VERDICT_other_host,
		.action = XDP_PASS},
	{"an echo reply is passed to the kernel", FOR_IPV4, .in = {.icmp_type = FRAME_ECHO_REPLY}, LEFT_ALONE},
	{"an ICMPv6 echo reply is passed to the kernel", FOR_IPV6, .in = {.icmp_type = 129}, LEFT_ALONE},
	{"type 128 is not an echo request in IPv4", FOR_IPV4, .in = {.icmp_type = 128}, LEFT_ALONE},
	{"type 8 is not an echo request in IPv6", FOR_IPV6, .in = {.icmp_type = 8}, LEFT_ALONE},
	{"a timestamp request is passed to the kernel", FOR_IPV4, .in = {.icmp_type = 13}, LEFT_ALONE},
};

const struct row_table rows_ping = {"ping", rows, sizeof(rows) / sizeof(rows[0])};
