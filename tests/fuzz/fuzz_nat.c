// SPDX-License-Identifier: GPL-2.0
/* NAT of arbitrary frames. Checksums are added up from all bytes before and after: the sum of the bytes that a checksum
 * covers does not change, whether the checksum was right or wrong. Only the addresses, ports and checksums change.
 *
 * The input: 1 byte (bit 0: the end to replace), the new port (2 bytes), the new address (16 bytes), the frame. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <linux/icmp.h>

#define __noinline __attribute__((noinline, unused))

#include "bpf/nat.h"

#define ROOM 0x10000
#define HEAD (1 + 2 + 16)

/* What replaces one end of a packet. */
struct change {
	enum nat_end end;
	const __u8 *port;    /* 2 bytes; 0: the port stays */
	const __u8 *address; /* 16 bytes */
};

/* The parts of a packet that change: the packet itself, or the packet that an ICMP error quotes. */
struct part {
	enum nat_end end;
	__u32 ip;
	__u32 transport;
	__u32 stop; /* of the bytes that the transport checksum covers */
	bool has_ports, has_check;
};

/* One's complement sum of a range. The values 0 and 0xffff are equal. */
static __u32 add(const __u8 *from, const __u8 *to)
{
	__u64 sum = 0;

	for (; from + 1 < to; from += 2)
		sum += from[0] << 8 | from[1];
	if (from < to)
		sum += from[0] << 8;
	return sum % 0xffff;
}

static __u32 address_at(const struct part *part, bool ipv6, enum nat_end end)
{
	return part->ip + (ipv6 ? 8 + 16 * end : 12 + 4 * end);
}

/* The sum that a transport checksum covers; the constant parts of the pseudo header are omitted. */
static __u32 transport_sum(const __u8 *frame, const struct packet *p, const struct part *part, bool pseudo)
{
	__u32 at = address_at(part, p->ipv6, NAT_SOURCE), sum = add(frame + part->transport, frame + part->stop);

	if (pseudo)
		sum += add(frame + at, frame + at + (p->ipv6 ? 32 : 8));
	return sum % 0xffff;
}

static __u32 header_sum(const __u8 *frame, const struct packet *p, const struct part *part)
{
	return p->ipv6 ? 0 : add(frame + part->ip, frame + part->ip + 20);
}

static __u32 check_at(const struct packet *p, const struct part *part)
{
	return part->transport + (p->protocol == IPPROTO_UDP ? 6 : 16);
}

static bool is_unused(const __u8 *frame, const struct packet *p, const struct part *part)
{
	const __u8 *check = frame + check_at(p, part);

	return p->protocol == IPPROTO_UDP && !check[0] && !check[1];
}

/* Compares one part of the packets, then makes it equal, so that the rest can be compared byte by byte. */
static void check_part(
	__u8 *before, const __u8 *after, const struct packet *p, const struct part *part, const struct change *change)
{
	__u32 at = address_at(part, p->ipv6, part->end), size = p->ipv6 ? 16 : 4, check = check_at(p, part),
	      port_at = part->transport + 2 * part->end;
	bool new_port = change->port[0] || change->port[1];

	assert(!memcmp(after + at, change->address + 16 - size, size));
	assert(header_sum(before, p, part) == header_sum(after, p, part));
	if (part->has_check && is_unused(before, p, part)) {
		assert(is_unused(after, p, part));
	} else if (part->has_check) {
		assert(!is_unused(after, p, part));
		assert(transport_sum(before, p, part, true) == transport_sum(after, p, part, true));
		memcpy(before + check, after + check, 2);
	}
	if (part->has_ports) {
		assert(!memcmp(after + port_at, new_port ? change->port : before + port_at, 2));
		memcpy(before + port_at, after + port_at, 2);
	}
	memcpy(before + at, after + at, size);
	if (!p->ipv6)
		memcpy(before + part->ip + 10, after + part->ip + 10, 2);
}

/* `stop`: end of the packet. For an ICMP error, p->end is the end of the quoted packet. */
static void check(__u8 *before, const __u8 *after, const struct packet *p, __u32 stop, const struct change *change)
{
	struct part outer = {.end = change->end, .ip = p->ip, .transport = p->transport, .stop = stop};
	struct part quoted = {
		.end = !change->end, .ip = p->transport + 8, .transport = p->quoted, .stop = p->end, .has_ports = true};
	bool is_error = p->kind == PACKET_ICMP_ERROR;

	if (is_error) {
		assert(transport_sum(before, p, &outer, p->ipv6) == transport_sum(after, p, &outer, p->ipv6));
		quoted.has_check = check_at(p, &quoted) + 2 <= p->end;
		check_part(before, after, p, &quoted, change);
		memcpy(before + p->transport + 2, after + p->transport + 2, 2);
	}
	outer.has_ports = outer.has_check = !is_error && p->kind != PACKET_LATER_FRAGMENT;
	check_part(before, after, p, &outer, change);
}

/* Returns a frame below 4 GB. Its IP header is aligned, and ASan reports accesses to the bytes behind `length`. */
static __u8 *frame_place(size_t length)
{
	static __u8 *room;

	if (!room)
		room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (room == MAP_FAILED)
		abort();
	ASAN_UNPOISON_MEMORY_REGION(room, ROOM);
	ASAN_POISON_MEMORY_REGION(room + 2 + length, ROOM - 2 - length);
	return room + 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static __u8 before[ROOM];
	const struct change change = {.end = size ? data[0] & 1 : 0, .port = data + 1, .address = data + 3};
	size_t length = size < HEAD ? 0 : size - HEAD;
	struct packet packet = {};
	struct address address;
	struct cursor cursor;
	struct xdp_md ctx;
	__u8 *frame;
	__be16 port;
	__u32 stop;

	if (size < HEAD || length > FRAME_OFFSET_MASK)
		return 0;
	frame = frame_place(length);
	cursor = (struct cursor){.data = frame, .data_end = frame + length, .length = length};
	ctx = (struct xdp_md){.data = (uintptr_t)frame, .data_end = (uintptr_t)(frame + length)};
	memcpy(frame, data + HEAD, length);
	memcpy(before, frame, length);
	memcpy(&port, change.port, sizeof(port));
	memcpy(&address, change.address, sizeof(address));
	if (packet_parse(&cursor, &packet) != VERDICT_CONTINUE)
		return 0;
	stop = packet.end;
	if (packet.kind == PACKET_ICMP)
		packet_parse_icmp(&cursor, &packet);
	if (packet.kind > PACKET_ICMP_ERROR)
		return 0;
	if (!nat_rewrite(&ctx, &packet, &address, port, change.end))
		check(before, frame, &packet, stop, &change);
	assert(!memcmp(before, frame, length));
	return 0;
}
