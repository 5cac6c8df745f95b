/* SPDX-License-Identifier: GPL-2.0 */
/* Calls each reader of bpf/sip_headers.h, bpf/sip_dialog.h and bpf/sip_usual.h once for a message: in the kernel from
 * sip_reader.bpf.c, on the host from test_sip_reader.c. The file that includes this one defines struct source and the
 * steps, whose names begin with read_ and which use a source instead of a text. */
#pragma once

#include "bpf/sip_usual.h"

enum reading_header {
	READING_TO,
	READING_FROM,
	READING_VIA,
	READING_ROUTE,
	READING_REQUEST_URI,
	READING_COUNT,
};

/* The results for one header. A number is 0 if an earlier step found nothing. */
struct reading_of {
	__u32 result; /* enum sip_result */
	__u32 colon;
	__u32 at; /* its URI, or the host of a Via */
	__u32 host_at;
	__u32 usual_host_at; /* by sip_usual.h */
	__u64 usual_user;    /* likewise: its hash */
	__u64 part;          /* hash of the host with its port */
	struct sip_host host;
	struct sip_user user;
};

struct reading_dialog {
	struct sip_lines lines;
	__u32 number; /* of CSeq */
	__u32 method; /* of CSeq */
	__u32 to_tag;
	__u32 from_tag;
	__u32 branch;
	__u32 expires_now;
	__u64 to_prefix; /* hash */
	/* the same by sip_usual.h */
	__u32 usual_to; /* enum sip_result */
	__u32 usual_to_tag;
	__u32 usual_branch;
	__u32 usual_number;
	__u32 usual_method;
};

struct reading {
	struct sip_start start;
	__u32 tag; /* enum sip_result */
	struct reading_of of[READING_COUNT];
	struct reading_dialog dialog;
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
	of->part = read_part(source, of->host_at, SIP_HOST_OR_PARAMETER);
	of->result = read_host(source, of->host_at, &of->host);
	if (of->result != SIP_FOUND)
		of->host.hash = of->host.port = 0;
}

static __always_inline void read_header(
	struct source *source, struct reading *reading, __u32 which, enum sip_header name)
{
	struct reading_of *of = &reading->of[which];

	of->result = read_find_header(source, reading->start.line, name, &of->colon);
	if (of->result != SIP_FOUND) {
		of->colon = 0;
		return;
	}
	if (read_usual_host(source, of->colon, &of->usual_host_at) != SIP_FOUND)
		of->usual_host_at = 0;
	of->usual_user = read_usual_user(source, of->colon);
	if (name == SIP_TO)
		reading->tag = read_has_tag(source, of->colon);
	of->result = name == SIP_VIA ? read_via_host(source, of->colon, &of->at) : read_uri(source, of->colon, &of->at);
	if (of->result == SIP_FOUND)
		read_named(source, of, name == SIP_VIA);
	else
		of->at = 0;
}

static __always_inline __u32 read_parameter_hash(struct source *source, __u32 colon, __u64 name)
{
	__u32 at = 0;

	if (!colon || read_parameter(source, colon, name, &at) != SIP_FOUND ||
		read_value_at(source, at, &at) != SIP_FOUND)
		return 0;
	return read_token(source, at);
}

static __always_inline __u64 read_tag_prefix(struct source *source, __u32 colon)
{
	__u32 at = 0;

	if (!colon || read_parameter(source, colon, SIP_TAG_NAME, &at) != SIP_FOUND ||
		read_value_at(source, at, &at) != SIP_FOUND)
		return 0;
	return read_part(source, at, SIP_TAG_PREFIX);
}

static __always_inline void read_dialog(struct source *source, __u32 line, struct reading_dialog *dialog)
{
	__u32 at = 0;

	dialog->lines.at = line;
	read_lines(source, &dialog->lines);
	dialog->to_tag = read_parameter_hash(source, dialog->lines.colon[SIP_TO], SIP_TAG_NAME);
	dialog->to_prefix = read_tag_prefix(source, dialog->lines.colon[SIP_TO]);
	dialog->from_tag = read_parameter_hash(source, dialog->lines.colon[SIP_FROM], SIP_TAG_NAME);
	dialog->branch = read_parameter_hash(source, dialog->lines.colon[SIP_VIA], SIP_BRANCH_NAME);
	if (dialog->lines.colon[SIP_EXPIRES] &&
		read_value_at(source, dialog->lines.colon[SIP_EXPIRES], &at) == SIP_FOUND)
		dialog->expires_now = read_is_zero(source, at);
	dialog->usual_to =
		read_usual_parameter(source, dialog->lines.colon[SIP_TO], SIP_TAG_NAME, &dialog->usual_to_tag);
	read_usual_parameter(source, dialog->lines.colon[SIP_VIA], SIP_BRANCH_NAME, &dialog->usual_branch);
	dialog->usual_method = read_usual_cseq(source, dialog->lines.colon[SIP_CSEQ], &dialog->usual_number);
	if (!dialog->lines.colon[SIP_CSEQ] || read_value_at(source, dialog->lines.colon[SIP_CSEQ], &at) != SIP_FOUND)
		return;
	dialog->number = read_number(source, &at);
	if (read_value_at(source, at - 1, &at) == SIP_FOUND)
		dialog->method = read_named_method(source, at);
}

/* `reading` is all zero. */
static __always_inline void read_message(struct source *source, struct reading *reading)
{
	struct reading_of *uri = &reading->of[READING_REQUEST_URI];

	uri->result = read_start(source, &reading->start);
	if (uri->result != SIP_FOUND)
		return;
	read_dialog(source, reading->start.line, &reading->dialog);
	read_header(source, reading, READING_TO, SIP_TO);
	read_header(source, reading, READING_FROM, SIP_FROM);
	read_header(source, reading, READING_VIA, SIP_VIA);
	read_header(source, reading, READING_ROUTE, SIP_ROUTE);
	uri->at = reading->start.uri;
	if (uri->at)
		read_named(source, uri, false);
}
