// SPDX-License-Identifier: GPL-2.0
/* See capture.h. The format: draft-ietf-opsawg-pcap. */
#include <errno.h>
#include <string.h>
#include "capture.h"

#define FILE_HEADER 24
#define PACKET_HEADER 16
#define MAGIC_MICROSECONDS 0xa1b2c3d4
#define MAGIC_NANOSECONDS 0xa1b23c4d
#define MAGIC_PCAPNG 0x0a0d0d0a

enum link_type {
	LINK_ETHERNET = 1,
	LINK_RAW = 101,
	LINK_LINUX_SLL = 113, /* tcpdump -i any: 16 bytes before the packet */
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_LINUX_SLL2 = 276, /* likewise, 20 bytes */
};

static uint32_t get32(const struct capture *capture, size_t at)
{
	uint32_t value;

	memcpy(&value, capture->bytes + at, sizeof(value));
	return capture->swapped ? __builtin_bswap32(value) : value;
}

static bool is_magic(uint32_t magic)
{
	return magic == MAGIC_MICROSECONDS || magic == MAGIC_NANOSECONDS;
}

static uint32_t magic_of(const uint8_t *bytes, size_t length)
{
	uint32_t magic = 0;

	if (length >= sizeof(magic))
		memcpy(&magic, bytes, sizeof(magic));
	return magic;
}

bool capture_is_capture(const uint8_t *bytes, size_t length)
{
	uint32_t magic = magic_of(bytes, length);

	return is_magic(magic) || is_magic(__builtin_bswap32(magic)) || magic == MAGIC_PCAPNG;
}

/* The bytes before the IP header, -1 for an unknown link layer. 0 for Ethernet, which stays. */
static int link_header(uint32_t link)
{
	switch (link) {
	case LINK_ETHERNET:
	case LINK_RAW:
	case LINK_IPV4:
	case LINK_IPV6:
		return 0;
	case LINK_LINUX_SLL:
		return 16;
	case LINK_LINUX_SLL2:
		return 20;
	}
	return -1;
}

int capture_open(struct capture *capture, const uint8_t *bytes, size_t length, const char **reason)
{
	uint32_t magic = magic_of(bytes, length);

	*capture = (struct capture){.bytes = bytes, .length = length, .at = FILE_HEADER, .swapped = !is_magic(magic)};
	*reason = "this is pcapng, and only pcap is supported ('editcap -F pcap IN OUT' converts it)";
	if (magic == MAGIC_PCAPNG)
		return -EINVAL;
	*reason = "this is not a pcap file";
	if (length < FILE_HEADER || !capture_is_capture(bytes, length))
		return -EINVAL;
	capture->link = get32(capture, 20) & 0xffff; /* the upper bits say how long the frame check sequence is */
	*reason = "the packets have neither Ethernet nor IP headers (see 'capinfos')";
	return link_header(capture->link) < 0 ? -EINVAL : 0;
}

/* Removes the header of the link layer, except Ethernet. False: the packet is not IP. */
static bool strip(const struct capture *capture, struct captured *packet)
{
	size_t header = link_header(capture->link);

	packet->is_frame = capture->link == LINK_ETHERNET;
	if (packet->is_frame)
		return true;
	if (packet->length <= header)
		return false;
	packet->data += header;
	packet->length -= header;
	packet->original -= header;
	return *packet->data >> 4 == 4 || *packet->data >> 4 == 6;
}

int capture_next(struct capture *capture, struct captured *out)
{
	do {
		size_t left = capture->length - capture->at;

		if (!left)
			return 0;
		if (left < PACKET_HEADER)
			return -EINVAL;
		out->length = get32(capture, capture->at + 8);
		out->original = get32(capture, capture->at + 12);
		out->data = capture->bytes + capture->at + PACKET_HEADER;
		if (out->length > left - PACKET_HEADER || out->original < out->length)
			return -EINVAL;
		capture->at += PACKET_HEADER + out->length;
	} while (!strip(capture, out));
	return 1;
}
