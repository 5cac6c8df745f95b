// SPDX-License-Identifier: GPL-2.0
/* See pcap.h. The format: draft-ietf-opsawg-pcap. The numbers have the byte order of this machine. */
#include "pcap.h"

#define MAGIC_NANOSECONDS 0xa1b23c4d
#define LINK_ETHERNET 1
#define SNAP_LENGTH 262144

bool pcap_begin(FILE *file)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t reserved[2];
		uint32_t snap_length;
		uint32_t link_type;
	} header = {.magic = MAGIC_NANOSECONDS,
		.major = 2,
		.minor = 4,
		.snap_length = SNAP_LENGTH,
		.link_type = LINK_ETHERNET};

	return fwrite(&header, sizeof(header), 1, file) == 1 && !fflush(file);
}

bool pcap_put(FILE *file, int64_t nanoseconds, const uint8_t *frame, size_t captured, size_t length)
{
	const uint32_t header[] = {nanoseconds / 1000000000, nanoseconds % 1000000000, captured, length};

	return fwrite(header, sizeof(header), 1, file) == 1 && fwrite(frame, 1, captured, file) == captured &&
	       !fflush(file);
}
