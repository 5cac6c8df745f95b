/* SPDX-License-Identifier: GPL-2.0 */
/* Writes SIP messages as a farm sees them, and stranger ones: every spelling of a Call-ID
 * that RFC 3261 allows among headers in any order. Spoils them, too. */
#pragma once

#include <stddef.h>
#include "rng.h"

#define SIP_MESSAGE_SIZE 4096
#define SIP_CALL_ID_SIZE 224 /* with its closing NUL: values that count whole */

struct sip_message {
	char text[SIP_MESSAGE_SIZE];
	size_t length;
};

/* A Call-ID of one of the families that are about: UUIDs, counters, words of RFC 3261's grammar. */
void sip_message_call_id(struct rng *rng, char call_id[SIP_CALL_ID_SIZE]);

/* A request or response. Its first Call-ID has the given value, and is spelt anyhow; NULL: there
 * is none. Text that looks like another Call-ID may be anywhere else. Within the scanner's limits. */
void sip_message_write(struct rng *rng, const char *call_id, struct sip_message *message);

/* Spoils it: bytes flipped, cut off, taken out, doubled, put in. Or all of it is garbage. */
void sip_message_spoil(struct rng *rng, struct sip_message *message);
