/* SPDX-License-Identifier: GPL-2.0 */
/* Puts an explanation of the program `explainer` into words. Pure. */
#pragma once

#include <jansson.h>
#include "bpf/explanation.h"
#include "core/maps/image.h"

/* A packet and what the program made of it. */
struct explained {
	const struct explanation *explanation;
	const uint8_t *frame; /* as the program received it */
	size_t length;
	const struct image *image; /* names of services, pools and backends */
};

/* An object with the members that a program needs, and `steps`: a list of {"name": "key", "text": "..."} for people, in
 * the order of the packet path. To be freed by the caller. */
json_t *explanation_json(const struct explained *explained);

/* "slot", "hint" ... */
const char *explanation_reason(enum owner_reason reason);

/* Why a payload is not SIP, as the end of a sentence: "it is a STUN message (RFC 8489)". */
const char *explanation_not_sip(const uint8_t *payload, size_t length);
