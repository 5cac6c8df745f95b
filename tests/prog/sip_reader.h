/* SPDX-License-Identifier: GPL-2.0 */
/* All that bpf/sip_headers.h reads in a message, once: in the kernel by sip_reader.bpf.c, on
 * the host by test_sip_reader.c. Who includes this defines struct source and the steps, which
 * begin with read_ and take a source for a text. */
#pragma once

#include "../../bpf/sip_user.h"

enum reading_header {
	READING_TO,
	READING_FROM,
	READING_VIA,
	READING_ROUTE,
	READING_REQUEST_URI,
	READING_COUNT,
};

/* What one header came to. Numbers are 0 where a step before has found nothing. */
struct reading_of {
	__u32 result; /* enum sip_result */
	__u32 colon;
	__u32 at; /* its URI, or the host of a Via */
	__u32 host_at;
	struct sip_host host;
	struct sip_user user;
};

struct reading {
	__u32 line;
	__u32 tag; /* enum sip_result */
	struct reading_of of[READING_COUNT];
};

static __always_inline void read_named(struct source *source, struct reading_of *of, bool is_via)
{
	of->host.hash_key[0] = of->user.hash_key[0] = 0x0123456789abcdef;
	of->host.hash_key[1] = of->user.hash_key[1] = 0xfedcba9876543210;
	of->host_at = of->at;
	if (!is_via) {
		if (read_user(source, of->at, &of->user) != SIP_FOUND)
			of->user.hash = 0;
		of->result = read_uri_host(source, of->at, &of->host_at);
		if (of->result != SIP_FOUND)
			return;
	}
	of->result = read_host(source, of->host_at, &of->host);
	if (of->result != SIP_FOUND)
		of->host.hash = of->host.port = 0;
}

static __always_inline void read_header(struct source *source, struct reading *reading, __u32 which, __u64 name)
{
	struct reading_of *of = &reading->of[which];

	of->result = read_find_header(source, reading->line, name, &of->colon);
	if (of->result != SIP_FOUND) {
		of->colon = 0;
		return;
	}
	if (name == SIP_TO)
		reading->tag = read_has_tag(source, of->colon);
	of->result = name == SIP_VIA ? read_via_host(source, of->colon, &of->at) : read_uri(source, of->colon, &of->at);
	if (of->result == SIP_FOUND)
		read_named(source, of, name == SIP_VIA);
	else
		of->at = 0;
}

/* `reading` is all zero. */
static __always_inline void read_message(struct source *source, struct reading *reading)
{
	struct reading_of *uri = &reading->of[READING_REQUEST_URI];

	uri->result = read_start_line(source, 0, &reading->line);
	if (uri->result != SIP_FOUND)
		return;
	read_header(source, reading, READING_TO, SIP_TO);
	read_header(source, reading, READING_FROM, SIP_FROM);
	read_header(source, reading, READING_VIA, SIP_VIA);
	read_header(source, reading, READING_ROUTE, SIP_ROUTE);
	uri->result = read_request_uri(source, reading->line, &uri->at);
	if (uri->result == SIP_FOUND)
		read_named(source, uri, false);
}
