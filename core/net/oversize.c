// SPDX-License-Identifier: GPL-2.0
/* See oversize.h. */

#include <errno.h>
#include <string.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include "bpf/packet.h"
#include "oversize.h"

#define IP_RESERVED_AND_MORE 0xa000
#define IP_DONT_FRAGMENT 0x4000
#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET 0x1fff
#define OPTION_END 0
#define OPTION_NOTHING 1
#define OPTION_COPIED 0x80

#define ANSWER_TTL 64
#define ICMP_SIZE 8
#define ICMP_MOST 576                        /* RFC 1812, section 4.3.2.3 */
#define ICMPV6_MOST 1280                     /* the minimum MTU of IPv6 (RFC 8200, section 5) */
#define PRECEDENCE_INTERNETWORK_CONTROL 0xc0 /* RFC 1812, section 4.3.2.5 */

/* --- fields and checksums */

static size_t bytes_here(const struct punt *punt)
{
	return punt->length < PUNT_FRAME_SIZE ? punt->length : PUNT_FRAME_SIZE;
}

/* Parses the headers. False if the XDP program never punts such a packet. Works on a
 * copy in which the IP header is aligned. */
static bool parse(const struct punt *punt, struct packet *packet)
{
	uint8_t copy[2 + PUNT_FRAME_SIZE] __attribute__((aligned(4)));
	struct cursor cursor = {.data = copy + 2, .data_end = copy + 2 + bytes_here(punt), .length = punt->length};

	memcpy(copy + 2, punt->frame, bytes_here(punt));
	*packet = (struct packet){0};
	return packet_parse(&cursor, packet) == VERDICT_CONTINUE;
}

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* RFC 1071. */
static uint32_t sum(const uint8_t *bytes, size_t length, uint32_t start)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		start += get16(bytes + i);
	return start + (length & 1 ? bytes[length - 1] << 8 : 0);
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

static void put_ipv4_checksum(uint8_t *ip, size_t header)
{
	put16(ip + 10, 0);
	put16(ip + 10, fold(sum(ip, header, 0)));
}

/* --- fragments */

bool oversize_may_fragment(const struct punt *punt)
{
	struct packet packet;

	return parse(punt, &packet) && !packet.ipv6 && !(get16(punt->frame + packet.ip + 6) & IP_DONT_FRAGMENT);
}

int oversize_fragment_start(struct oversize_fragments *fragments, const struct punt *punt)
{
	struct packet packet;
	uint32_t header;

	if (punt->length > PUNT_FRAME_SIZE || !oversize_may_fragment(punt) || !parse(punt, &packet))
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

/* Replaces options that only the first fragment carries by no-operation options (RFC 791,
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
	put_ipv4_checksum(ip, header);
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

/* Is the source the address of a single host (not unspecified, loopback, multicast or broadcast)? */
static bool is_one_host(const struct packet *packet)
{
	const uint8_t *source = (const uint8_t *)&packet->source;

	if (packet->ipv6)
		return source[0] != 0xff && source[0] != 0;
	return source[12] != 0 && source[12] != 127 && source[12] < 224;
}

/* May an ICMP error go to the sender (RFC 1122, section 3.2.2)? Never for a group address or
 * an ICMP packet, and in IPv4 only for the first fragment. */
static bool may_send_error(const struct punt *punt, const struct packet *packet)
{
	bool group = punt->frame[0] & 1 || punt->frame[6] & 1;

	if (group || !is_one_host(packet))
		return false;
	return packet->kind == PACKET_WHOLE || packet->kind == PACKET_FIRST_FRAGMENT ||
	       (packet->ipv6 && packet->kind == PACKET_LATER_FRAGMENT);
}

/* Writes the Ethernet header and VLAN tags of the packet with the MAC addresses swapped. */
static void put_link(uint8_t *frame, const struct punt *punt, const struct packet *packet)
{
	memcpy(frame, punt->frame + ETH_ALEN, ETH_ALEN);
	memcpy(frame + ETH_ALEN, punt->frame, ETH_ALEN);
	memcpy(frame + 2 * ETH_ALEN, punt->frame + 2 * ETH_ALEN, packet->ip - 2 * ETH_ALEN);
}

/* The number of bytes of the packet that an error quotes, at most `most`. */
static size_t quote_size(const struct punt *punt, const struct packet *packet, size_t most)
{
	size_t here = bytes_here(punt);
	size_t bytes = (packet->end < here ? packet->end : here) - packet->ip;

	return bytes < most ? bytes : most;
}

static size_t put_icmp(uint8_t *ip, const struct punt *punt, const struct packet *packet)
{
	size_t quote = quote_size(punt, packet, ICMP_MOST - sizeof(struct iphdr) - ICMP_SIZE);
	struct iphdr header = {
		.version = 4,
		.ihl = 5,
		.tos = PRECEDENCE_INTERNETWORK_CONTROL,
		.tot_len = htons(sizeof(header) + ICMP_SIZE + quote),
		.ttl = ANSWER_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = packet->destination.word[3],
		.daddr = packet->source.word[3],
	};
	uint8_t *icmp = ip + sizeof(header);

	memcpy(ip, &header, sizeof(header));
	put_ipv4_checksum(ip, sizeof(header));
	memset(icmp, 0, ICMP_SIZE);
	icmp[0] = ICMP_DEST_UNREACH;
	icmp[1] = ICMP_FRAG_NEEDED;
	put16(icmp + 6, punt->mtu);
	memcpy(icmp + ICMP_SIZE, punt->frame + packet->ip, quote);
	put16(icmp + 2, fold(sum(icmp, ICMP_SIZE + quote, 0)));
	return sizeof(header) + ICMP_SIZE + quote;
}

static size_t put_icmpv6(uint8_t *ip, const struct punt *punt, const struct packet *packet)
{
	size_t quote = quote_size(punt, packet, ICMPV6_MOST - sizeof(struct ipv6hdr) - ICMP_SIZE);
	size_t length = ICMP_SIZE + quote;
	struct ipv6hdr header = {
		.version = 6,
		.payload_len = htons(length),
		.nexthdr = IPPROTO_ICMPV6,
		.hop_limit = ANSWER_TTL,
	};
	uint8_t *icmp = ip + sizeof(header);

	memcpy(&header.saddr, &packet->destination, sizeof(header.saddr));
	memcpy(&header.daddr, &packet->source, sizeof(header.daddr));
	memcpy(ip, &header, sizeof(header));
	memset(icmp, 0, ICMP_SIZE);
	icmp[0] = ICMPV6_PKT_TOOBIG;
	put16(icmp + 6, punt->mtu > ICMPV6_MOST ? punt->mtu : ICMPV6_MOST);
	memcpy(icmp + ICMP_SIZE, punt->frame + packet->ip, quote);
	put16(icmp + 2, fold(sum(ip + 8, 2 * sizeof(struct address), sum(icmp, length, IPPROTO_ICMPV6 + length))));
	return sizeof(header) + length;
}

size_t oversize_error(const struct punt *punt, uint8_t frame[OVERSIZE_ERROR_SIZE])
{
	struct packet packet;

	if (!parse(punt, &packet) || !may_send_error(punt, &packet))
		return 0;
	if (packet.ipv6 && get16(punt->frame + packet.ip + 4) + sizeof(struct ipv6hdr) <= ICMPV6_MOST)
		return 0;
	put_link(frame, punt, &packet);
	if (packet.ipv6)
		return packet.ip + put_icmpv6(frame + packet.ip, punt, &packet);
	return packet.ip + put_icmp(frame + packet.ip, punt, &packet);
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
