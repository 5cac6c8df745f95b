// SPDX-License-Identifier: GPL-2.0
/* See capture.h. The formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. */
#include <errno.h>
#include <string.h>
#include "capture.h"

#define FILE_HEADER 24
#define PACKET_HEADER 16
#define MAGIC_MICROSECONDS 0xa1b2c3d4
#define MAGIC_NANOSECONDS 0xa1b23c4d

/* pcapng consists of blocks: type, length, contents, and the length once more. */
#define MAGIC_BYTE_ORDER 0x1a2b3c4d
#define BLOCK_MINIMUM 12

enum block_type {
	BLOCK_SECTION = 0x0a0d0d0a, /* the same number in both byte orders */
	BLOCK_INTERFACE = 1,
	BLOCK_SIMPLE_PACKET = 3, /* of the first interface */
	BLOCK_PACKET = 6,
};

enum link_type {
	LINK_ETHERNET = 1,
	LINK_RAW = 101,
	LINK_LINUX_SLL = 113, /* tcpdump -i any: a header of 16 bytes before the packet */
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_LINUX_SLL2 = 276, /* tcpdump -i any: a header of 20 bytes before the packet */
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

	return is_magic(magic) || is_magic(__builtin_bswap32(magic)) || magic == BLOCK_SECTION;
}

/* Returns the number of bytes to remove before the IP header; 0 for Ethernet, whose header is kept; -1 for an unknown
 * link layer. */
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

/* Determines the byte order of the pcapng section at `at`. False: the section is damaged. */
static bool begin_section(struct capture *capture, size_t at)
{
	if (capture->length - at < BLOCK_MINIMUM)
		return false;
	capture->swapped = false;
	capture->swapped = get32(capture, at + 8) != MAGIC_BYTE_ORDER;
	capture->interfaces = 0;
	return get32(capture, at + 8) == MAGIC_BYTE_ORDER;
}

int capture_open(struct capture *capture, const uint8_t *bytes, size_t length, const char **reason)
{
	uint32_t magic = magic_of(bytes, length);

	*capture = (struct capture){
		.bytes = bytes, .length = length, .swapped = !is_magic(magic), .is_pcapng = magic == BLOCK_SECTION};
	*reason = "this is neither a pcap nor a pcapng file, or it is damaged";
	if (capture->is_pcapng)
		return begin_section(capture, 0) ? 0 : -EINVAL;
	if (length < FILE_HEADER || !capture_is_capture(bytes, length))
		return -EINVAL;
	capture->at = FILE_HEADER;
	capture->link = get32(capture, 20) & 0xffff; /* the upper bits contain the length of the frame check sequence */
	*reason = "the packets have neither Ethernet nor IP headers (see 'capinfos')";
	return link_header(capture->link) < 0 ? -EINVAL : 0;
}

/* Removes the header of the link layer unless it is Ethernet. Returns false if the packet is not IP. */
static bool strip(const struct capture *capture, struct captured *packet)
{
	int header = link_header(capture->link);

	packet->is_frame = capture->link == LINK_ETHERNET;
	if (packet->is_frame)
		return true;
	if (header < 0 || packet->length <= (size_t)header)
		return false;
	packet->data += header;
	packet->length -= header;
	packet->original -= header;
	return *packet->data >> 4 == 4 || *packet->data >> 4 == 6;
}

/* Reads a packet from a pcap file. The results are those of capture_next(). */
static int next_pcap(struct capture *capture, struct captured *out)
{
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
	return 1;
}

/* Reads a packet from the pcapng block at `at`. False: the block is damaged. */
static bool read_packet(struct capture *capture, size_t at, size_t length, bool simple, struct captured *out)
{
	size_t header = simple ? 12 : 28, interface;

	if (length < header + 4)
		return false;
	interface = simple ? 0 : get32(capture, at + 8);
	out->original = get32(capture, at + header - 4);
	out->length = get32(capture, at + (simple ? 8 : 20));
	if (simple && out->length > length - header - 4)
		out->length = length - header - 4; /* no other field shows that a simple packet is truncated */
	out->data = capture->bytes + at + header;
	/* link_header() does not know a link layer with the number 0. */
	capture->link = interface < capture->interfaces ? capture->links[interface] : 0;
	return out->length <= length - header - 4 && out->original >= out->length;
}

/* The type of the link layer has 16 bits; the two bytes after it are 0. */
static bool read_interface(struct capture *capture, size_t at, size_t length)
{
	uint16_t link;

	if (length < BLOCK_MINIMUM + 8)
		return false;
	memcpy(&link, capture->bytes + at + 8, sizeof(link));
	if (capture->interfaces < CAPTURE_INTERFACES)
		capture->links[capture->interfaces++] = capture->swapped ? __builtin_bswap16(link) : link;
	return true;
}

/* Reads pcapng blocks up to the next packet. The results are those of capture_next(). */
static int next_pcapng(struct capture *capture, struct captured *out)
{
	for (;;) {
		size_t at = capture->at, left = capture->length - at, length;
		uint32_t type;

		if (!left)
			return 0;
		if (left < BLOCK_MINIMUM)
			return -EINVAL;
		type = get32(capture, at);
		if (type == BLOCK_SECTION && !begin_section(capture, at))
			return -EINVAL;
		length = get32(capture, at + 4);
		if (length < BLOCK_MINIMUM || length % 4 || length > left)
			return -EINVAL;
		capture->at += length;
		if (type == BLOCK_INTERFACE && !read_interface(capture, at, length))
			return -EINVAL;
		if (type == BLOCK_PACKET || type == BLOCK_SIMPLE_PACKET)
			return read_packet(capture, at, length, type == BLOCK_SIMPLE_PACKET, out) ? 1 : -EINVAL;
	}
}

int capture_next(struct capture *capture, struct captured *out)
{
	int result;

	do
		result = capture->is_pcapng ? next_pcapng(capture, out) : next_pcap(capture, out);
	while (result > 0 && !strip(capture, out));
	return result;
}
