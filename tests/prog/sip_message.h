/* SPDX-License-Identifier: GPL-2.0 */
/* Generates common and uncommon SIP messages: every form of a Call-ID header that RFC 3261 allows, among headers in
 * any order. Can also damage the messages. */
#pragma once

#include <stddef.h>
#include "rng.h"

#define SIP_MESSAGE_SIZE 4096
#define SIP_CALL_ID_SIZE 224 /* with the closing NUL: the scanner hashes all bytes of such values */

struct sip_message {
	char text[SIP_MESSAGE_SIZE];
	size_t length;
};

/* A Call-ID of a common family: UUIDs, counters, words of the grammar in RFC 3261. */
void sip_message_call_id(struct rng *rng, char call_id[SIP_CALL_ID_SIZE]);

/* A request or response. Its first Call-ID has the given value, in any form; NULL: the message has none. Text that
 * looks like a second Call-ID may be anywhere else. The message is within the limits of the scanner. */
void sip_message_write(struct rng *rng, const char *call_id, struct sip_message *message);

/* Damages a message: flips, truncates, removes, duplicates or inserts bytes, or replaces the whole message with
 * garbage. */
void sip_message_spoil(struct rng *rng, struct sip_message *message);
