// SPDX-License-Identifier: GPL-2.0
/* See oversize.h. */

#include <errno.h>
#include <string.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include "answer.h"
#include "checksum.h"
#include "oversize.h"

#define IP_RESERVED_AND_MORE 0xa000
#define IP_DONT_FRAGMENT 0x4000
#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET 0x1fff
#define OPTION_END 0
#define OPTION_NOTHING 1
#define OPTION_COPIED 0x80

#define ICMP_SIZE 8
#define ICMP_MOST 576                        /* RFC 1812, section 4.3.2.3 */
#define ICMPV6_MOST 1280                     /* the minimum MTU of IPv6 (RFC 8200, section 5) */
#define PRECEDENCE_INTERNETWORK_CONTROL 0xc0 /* RFC 1812, section 4.3.2.5 */

/* --- fragments */

bool oversize_may_fragment(const struct punt *punt)
{
	struct packet packet;

	return answer_parse(punt, &packet) && !packet.ipv6 && !(get16(punt->frame + packet.ip + 6) & IP_DONT_FRAGMENT);
}

int oversize_fragment_start(struct oversize_fragments *fragments, const struct punt *punt)
{
	struct packet packet;
	uint32_t header;

	if (punt->length > PUNT_FRAME_SIZE || !oversize_may_fragment(punt) || !answer_parse(punt, &packet))
		return -EINVAL;
	header = (punt->frame[packet.ip] & 15) * 4;
	if (punt->mtu < header + 8)
		return -EINVAL;
	*fragments = (struct oversize_fragments){
		.punt = punt,
		.ip = packet.ip,
		.start = packet.ip + header,
		.at = packet.ip + header,
		.end = packet.ip + get16(punt->frame + packet.ip + 2),
		.step = (punt->mtu - header) & ~7U,
		.most = punt->mtu - header,
	};
	return 0;
}

/* Overwrites the options that only the first fragment carries with no-operation options (RFC 791,
 * section 3.1). All fragments thus have headers of the same length. */
static void drop_options(uint8_t *option, const uint8_t *end)
{
	while (option < end && *option != OPTION_END) {
		size_t length = 1;

		if (*option != OPTION_NOTHING) {
			if (end - option < 2 || option[1] < 2 || option[1] > end - option)
				return; /* a malformed option: forward it unchanged */
			length = option[1];
			if (!(*option & OPTION_COPIED))
				memset(option, OPTION_NOTHING, length);
		}
		option += length;
	}
}

static void fix_header(const struct oversize_fragments *fragments, uint8_t *ip, uint32_t carried)
{
	uint32_t header = fragments->start - fragments->ip;
	uint16_t fragment = get16(ip + 6);
	uint16_t more = fragments->at + carried < fragments->end ? IP_MORE_FRAGMENTS : 0;
	uint16_t offset = (fragment & IP_OFFSET) + (fragments->at - fragments->start) / 8;

	put16(ip + 2, header + carried);
	put16(ip + 6, (fragment & IP_RESERVED_AND_MORE) | more | (offset & IP_OFFSET));
	if (fragments->at > fragments->start)
		drop_options(ip + sizeof(struct iphdr), ip + header);
	answer_put_ipv4_checksum(ip, header);
}

size_t oversize_fragment_next(struct oversize_fragments *fragments, uint8_t frame[PUNT_FRAME_SIZE])
{
	uint32_t left = fragments->end - fragments->at, carried = left <= fragments->most ? left : fragments->step;

	if (!left)
		return 0;
	memcpy(frame, fragments->punt->frame, fragments->start);
	memcpy(frame + fragments->start, fragments->punt->frame + fragments->at, carried);
	fix_header(fragments, frame + fragments->ip, carried);
	fragments->at += carried;
	return fragments->start + carried;
}

/* --- ICMP errors */

/* May an ICMP error be sent to the sender (RFC 1122, section 3.2.2)? Never if an address is multicast or broadcast,
 * never for an ICMP packet, and in IPv4 only for the first fragment. */
static bool may_send_error(const struct punt *punt, const struct packet *packet)
{
	if (!answer_is_allowed(punt, packet))
		return false;
	return packet->kind == PACKET_WHOLE || packet->kind == PACKET_FIRST_FRAGMENT ||
	       (packet->ipv6 && packet->kind == PACKET_LATER_FRAGMENT);
}

/* The number of bytes of the packet that an error quotes, at most `most`. */
static size_t quote_size(const struct punt *punt, const struct packet *packet, size_t most)
{
	size_t here = answer_bytes(punt);
	size_t bytes = (packet->end < here ? packet->end : here) - packet->ip;

	return bytes < most ? bytes : most;
}

/* Writes the ICMP header and the quote. Returns their size. The checksum is 0. */
static size_t put_error(
	uint8_t *icmp, const struct punt *punt, const struct packet *packet, uint8_t type, uint16_t mtu, size_t most)
{
	size_t quote = quote_size(punt, packet, most - ICMP_SIZE);

	memset(icmp, 0, ICMP_SIZE);
	icmp[0] = type;
	icmp[1] = packet->ipv6 ? 0 : ICMP_FRAG_NEEDED;
	put16(icmp + 6, mtu);
	memcpy(icmp + ICMP_SIZE, punt->frame + packet->ip, quote);
	return ICMP_SIZE + quote;
}

static size_t put_icmp(uint8_t *ip, const struct punt *punt, const struct packet *packet)
{
	uint8_t *icmp = ip + sizeof(struct iphdr);
	size_t length = put_error(icmp, punt, packet, ICMP_DEST_UNREACH, punt->mtu, ICMP_MOST - sizeof(struct iphdr));

	put16(icmp + 2, checksum_of(checksum_add(0, icmp, length)));
	return answer_put_ip(ip, packet, PRECEDENCE_INTERNETWORK_CONTROL, IPPROTO_ICMP, length) + length;
}

static size_t put_icmpv6(uint8_t *ip, const struct punt *punt, const struct packet *packet)
{
	uint16_t mtu = punt->mtu > ICMPV6_MOST ? punt->mtu : ICMPV6_MOST;
	uint8_t *icmp = ip + sizeof(struct ipv6hdr);
	size_t length = put_error(icmp, punt, packet, ICMPV6_PKT_TOOBIG, mtu, ICMPV6_MOST - sizeof(struct ipv6hdr));

	put16(icmp + 2, answer_checksum(packet, IPPROTO_ICMPV6, icmp, length));
	return answer_put_ip(ip, packet, 0, IPPROTO_ICMPV6, length) + length;
}

size_t oversize_error(const struct punt *punt, uint8_t frame[OVERSIZE_ERROR_SIZE])
{
	struct packet packet;
	size_t ip;

	if (!answer_parse(punt, &packet) || !may_send_error(punt, &packet))
		return 0;
	if (packet.ipv6 && get16(punt->frame + packet.ip + 4) + sizeof(struct ipv6hdr) <= ICMPV6_MOST)
		return 0;
	ip = answer_put_link(frame, punt, &packet);
	return ip + (packet.ipv6 ? put_icmpv6 : put_icmp)(frame + ip, punt, &packet);
}

/* --- rate */

#define INTERVAL (1000000 / OVERSIZE_ERRORS_PER_SECOND)
#define BURST 100000 /* usec: the errors permitted in this time may be sent in one burst */

bool oversize_error_is_allowed(struct oversize_error_rate *rate, uint64_t now)
{
	if (rate->next + BURST < now)
		rate->next = now - BURST;
	if (rate->next > now)
		return false;
	rate->next += INTERVAL;
	return true;
}
