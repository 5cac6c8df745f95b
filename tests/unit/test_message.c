// SPDX-License-Identifier: GPL-2.0
/* The name and the Call-ID of a SIP message, as `trace` prints them. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/sip/message.h"

/* Reads an exact copy of the text, so that the address sanitizer finds a read beyond its end. "NAME CALL-ID", or "". */
static const char *read_text(const char *text, size_t length)
{
	static char result[256];
	char *copy = malloc(length ? length : 1);
	struct message message;

	memcpy(copy, text, length);
	*result = '\0';
	if (!message_read(copy, length, &message))
		snprintf(result, sizeof(result), "%s %.*s", message.name,
			(int)(message.call_id.end - message.call_id.at), message.call_id.at);
	free(copy);
	return result;
}

Test(message, has_a_method_or_a_status_code_and_a_call_id)
{
	static const struct {
		const char *text, *result;
	} rows[] = {
		{"INVITE sip:a@b SIP/2.0\r\nCall-ID: x@y\r\nCSeq: 1 INVITE\r\n\r\n", "INVITE x@y"},
		{"\r\n\r\nBYE sip:a@b SIP/2.0\r\ni:x\r\n\r\n", "BYE x"},
		{"SIP/2.0 200 OK\r\nCSeq: 12 BYE\r\ncall-id : x\r\n\r\n", "200/BYE x"},
		{"SIP/2.0 180 Ringing\nCall-ID: x\n\n", "180 x"},
		{"SIP/2.0 200 OK\r\nCSeq: 12\r\n BYE\r\nCall-ID:\r\n x\r\n\r\n", "200/BYE x"},
		{"INVITE sip:a@b SIP/2.0\r\nCall-ID: first\r\nCall-ID: second\r\n\r\n", "INVITE first"},
		{"INVITE sip:a@b SIP/2.0\r\nTo: x\r\n\r\nCall-ID: body\r\n", "INVITE "},
		{"INVITE sip:a@b SIP/2.0\r\nCall-ID: trunc", "INVITE trunc"},
		{"SIP/2.0 999 OK\r\nCall-ID: x\r\n\r\n", ""},
		{"SIP/2.0 x OK\r\nCall-ID: x\r\n\r\n", ""},
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""},
		{"INVITE sip:a@b SIP/2.0", ""},
		{"\r\n\r\n", ""},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_str_eq(read_text(rows[i].text, strlen(rows[i].text)), rows[i].result, "%s: got '%s'",
			rows[i].text, read_text(rows[i].text, strlen(rows[i].text)));
}

Test(message, is_read_wherever_the_packet_is_truncated)
{
	static const char text[] = "SIP/2.0 200 OK\r\nVia: x\r\nCSeq: 12 BYE\r\nCall-ID: x@y\r\n\r\nbody";
	size_t length;

	for (length = 0; length <= strlen(text); length++)
		read_text(text, length);
	cr_expect_str_eq(read_text(text, length - 1), "200/BYE x@y");
}
