// SPDX-License-Identifier: GPL-2.0
/* See frame.h. */

#include <arpa/inet.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <string.h>
#include "frame.h"

static void put16(uint8_t **at, uint16_t value)
{
	*(*at)++ = value >> 8;
	*(*at)++ = value;
}

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* The sum of RFC 1071 over bytes, not yet folded. */
static uint32_t sum(const uint8_t *bytes, size_t length, uint32_t start)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		start += get16(bytes + i);
	if (length & 1)
		start += bytes[length - 1] << 8;
	return start;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static const char *text_or(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

static bool is_ipv6(const struct frame_spec *spec)
{
	return strchr(text_or(spec->destination, "192.0.2.10"), ':') != NULL;
}

static uint8_t carried_protocol(const struct frame_spec *spec)
{
	if (spec->inner && !spec->gue)
		return is_ipv6(spec->inner) ? 41 : 4;
	if (spec->icmp_type)
		return is_ipv6(spec) ? 58 : 1;
	return spec->protocol ? spec->protocol : 17;
}

static void put_ethernet(uint8_t **at, const struct frame_spec *spec)
{
	memcpy(*at, ether_aton(text_or(spec->to_mac, "02:00:00:00:00:01")), 6);
	memcpy(*at + 6, ether_aton(text_or(spec->from_mac, "02:00:00:00:00:99")), 6);
	*at += 12;
	for (int i = 0; i < 2 && spec->vlan[i]; i++) {
		put16(at, i == 0 && spec->vlan[1] ? 0x88a8 : 0x8100);
		put16(at, spec->vlan[i]);
	}
	put16(at, spec->ethertype ? spec->ethertype : is_ipv6(spec) ? 0x86dd : 0x0800);
}

static void put_ipv4(uint8_t **at, const struct frame_spec *spec, size_t carried)
{
	uint8_t *ip = *at;
	size_t header = 20 + spec->option_words * 4;

	memset(ip, 0, header);
	*(*at)++ = 0x40 | header / 4;
	*(*at)++ = spec->tos;
	put16(at, header + carried);
	put16(at, spec->id);
	put16(at, spec->dont_fragment << 14 | spec->more_fragments << 13 | spec->fragment_offset / 8);
	*(*at)++ = spec->ttl ? spec->ttl : 64;
	*(*at)++ = carried_protocol(spec);
	inet_pton(AF_INET, text_or(spec->source, "198.51.100.7"), ip + 12);
	inet_pton(AF_INET, text_or(spec->destination, "192.0.2.10"), ip + 16);
	memset(ip + 20, 1, spec->option_words * 4); /* no operation */
	*at = ip + 10;
	put16(at, ~fold(sum(ip, header, 0)));
	*at = ip + header;
}

/* A destination options header that contains only padding. */
static void put_options(uint8_t **at, uint8_t next)
{
	static const uint8_t padding[8] = {0, 0, 1, 4}; /* PadN of 4 bytes */

	memcpy(*at, padding, sizeof(padding));
	(*at)[0] = next;
	*at += sizeof(padding);
}

static void put_ipv6(uint8_t **at, const struct frame_spec *spec, size_t carried)
{
	bool fragment = spec->more_fragments || spec->fragment_offset;
	int left = spec->extensions + fragment;
	bool more_options = fragment && spec->options_in_fragments;

	put16(at, 0x6000 | spec->tos << 4);
	put16(at, 0);
	put16(at, carried + left * 8 + (more_options && !spec->fragment_offset ? 8 : 0));
	*(*at)++ = left > fragment ? 60 : fragment ? 44 : carried_protocol(spec);
	*(*at)++ = spec->ttl ? spec->ttl : 64;
	inet_pton(AF_INET6, text_or(spec->source, "2001:db8::7"), *at);
	inet_pton(AF_INET6, spec->destination, *at + 16);
	*at += 32;
	for (; left > 0; left--) {
		bool last_option = left - 1 == fragment;

		if (left == 1 && fragment) {
			(*at)[0] = more_options ? 60 : carried_protocol(spec);
			(*at)[1] = 0;
			*at += 2;
			put16(at, spec->fragment_offset | spec->more_fragments);
			put16(at, 0);
			put16(at, spec->id);
		} else {
			put_options(at, left == 1 ? carried_protocol(spec) : last_option && fragment ? 44 : 60);
		}
	}
	if (more_options && !spec->fragment_offset)
		put_options(at, carried_protocol(spec));
}

/* The sum over the pseudo header and the payload of the IP packet. */
static uint16_t carried_sum(const uint8_t *ip, uint8_t protocol, const uint8_t *carried, size_t length)
{
	bool ipv6 = ip[0] >> 4 == 6;
	uint32_t total = ipv6 ? sum(ip + 8, 32, 0) : sum(ip + 12, 8, 0);

	return fold(sum(carried, length, protocol == 1 ? 0 : total + protocol + length));
}

static void put_packet(uint8_t **at, const struct frame_spec *spec);

static size_t payload_length(const struct frame_spec *spec)
{
	return spec->payload_length ? spec->payload_length : strlen(text_or(spec->payload, ""));
}

static void put_icmp(uint8_t **at, const struct frame_spec *spec)
{
	uint8_t *start = *at;

	memset(start, 0, 8);
	start[0] = spec->icmp_type;
	*at += 8;
	if (!spec->quote) {
		memcpy(*at, text_or(spec->payload, ""), payload_length(spec));
		*at += payload_length(spec);
		return;
	}
	put_packet(at, spec->quote);
	if (spec->quote_length && *at > start + 8 + spec->quote_length)
		*at = start + 8 + spec->quote_length;
	if (spec->quote_extended) {
		/* ICMPv6 counts words of 64 bits, ICMP words of 32 bits. */
		if (is_ipv6(spec))
			start[4] = spec->quote_length / 8;
		else
			start[5] = spec->quote_length / 4;
		memcpy(*at, "\x20\0\0\0\0\x08\x01\x01mpls", 12);
		*at += 12;
	}
}

static void put_inner(uint8_t **at, const struct frame_spec *spec)
{
	uint8_t *udp = *at;

	if (!spec->gue) {
		put_packet(at, spec->inner);
		return;
	}
	put16(at, spec->source_port);
	put16(at, spec->destination_port);
	*at = udp + 8;
	put_packet(at, spec->inner);
	udp[4] = (*at - udp) >> 8;
	udp[5] = *at - udp;
	memset(udp + 6, 0, 2);
}

/* Writes the payload of the IP packet. */
static void put_carried(uint8_t **at, const struct frame_spec *spec)
{
	if (spec->inner) {
		put_inner(at, spec);
		return;
	}
	if (spec->icmp_type) {
		put_icmp(at, spec);
		return;
	}
	if (!spec->fragment_offset) {
		put16(at, spec->source_port ? spec->source_port : 5060);
		put16(at, spec->destination_port ? spec->destination_port : 5060);
		if (carried_protocol(spec) == 17) {
			put16(at, 8 + payload_length(spec));
			put16(at, 0);
		} else if (spec->tcp_header) {
			memcpy(*at, "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x50\x18\xff\xff\0\0\0\0", 16);
			*at += 16;
		}
	}
	memcpy(*at, text_or(spec->payload, ""), payload_length(spec));
	*at += payload_length(spec);
}

static void put_checksum(const uint8_t *ip, const struct frame_spec *spec, uint8_t *carried, size_t length)
{
	uint8_t protocol = carried_protocol(spec);
	size_t at = protocol == 17 ? 6 : protocol == 6 ? 16 : 2;
	uint16_t check;

	if (spec->inner && !(spec->gue && is_ipv6(spec)))
		return;
	if (spec->fragment_offset || (protocol != 17 && !spec->icmp_type && !spec->tcp_header))
		return;
	check = ~carried_sum(ip, protocol, carried, length);
	if (protocol == 17 && !check)
		check = 0xffff;
	carried[at] = check >> 8;
	carried[at + 1] = check;
}

static void put_packet(uint8_t **at, const struct frame_spec *spec)
{
	uint8_t carried[FRAME_SIZE], *end = carried, *ip = *at;
	size_t length;

	put_carried(&end, spec);
	length = end - carried;
	if (is_ipv6(spec))
		put_ipv6(at, spec, length);
	else
		put_ipv4(at, spec, length);
	memcpy(*at, carried, length);
	put_checksum(ip, spec, *at, length);
	*at += length;
}

void frame_build(struct frame *frame, const struct frame_spec *spec)
{
	uint8_t *at = frame->data;

	put_ethernet(&at, spec);
	put_packet(&at, spec);
	frame->length = at - frame->data;
}

void frame_put_udp_checksum(uint8_t *ip, size_t length)
{
	uint8_t *udp = ip + (ip[0] >> 4 == 6 ? 40 : (ip[0] & 15) * 4);
	uint16_t check;

	memset(udp + 6, 0, 2);
	check = ~carried_sum(ip, 17, udp, ip + length - udp);
	udp[6] = check ? check >> 8 : 0xff;
	udp[7] = check ? check : 0xff;
}

bool frame_ipv4_is_sound(const uint8_t *ip, size_t length)
{
	return length >= 20 && ip[0] >> 4 == 4 && get16(ip + 2) <= length &&
	       fold(sum(ip, (ip[0] & 15) * 4, 0)) == 0xffff;
}

static bool is_sound(const uint8_t *ip, size_t length, uint8_t protocol)
{
	size_t header = ip[0] >> 4 == 6 ? 40 : (ip[0] & 15) * 4;

	return length >= header + 8 && carried_sum(ip, protocol, ip + header, length - header) == 0xffff;
}

bool frame_udp_is_sound(const uint8_t *ip, size_t length)
{
	return is_sound(ip, length, 17);
}

bool frame_icmp_is_sound(const uint8_t *ip, size_t length)
{
	return is_sound(ip, length, ip[0] >> 4 == 6 ? 58 : 1);
}
