/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the parts of a SIP message that identify it in a trace: its method or status code, and its Call-ID. No I/O.
 */
#pragma once

#include <stddef.h>
#include "span.h"

#define MESSAGE_NAME_SIZE 48

struct message {
	char name[MESSAGE_NAME_SIZE]; /* "INVITE"; for a response "200/BYE": the status code, and the method in CSeq */
	struct span call_id;          /* in the text; empty: none */
};

/* Reads the start-line and the headers of a message, which may be truncated. 0, or -EINVAL if it is not SIP. */
int message_read(const char *text, size_t length, struct message *out);
