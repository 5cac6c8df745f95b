/* SPDX-License-Identifier: GPL-2.0 */
/* Converts an explanation of the program `explainer` to text. No I/O. */
#pragma once

#include <jansson.h>
#include "bpf/explanation.h"
#include "core/maps/image.h"

/* A packet, and the decisions of the program about it. */
struct explained {
	const struct explanation *explanation;
	const uint8_t *frame; /* as the program received it */
	size_t length;
	const struct image *image; /* names of services, pools and backends */
};

/* Returns an object with members for programs, and with `steps` for people: a list of {"name": "key", "text": "..."} in
 * the order of the packet path. The caller must free the object. */
json_t *explanation_json(const struct explained *explained);

/* "slot", "hint" ... */
const char *explanation_reason(enum owner_reason reason);

/* Returns the reason why a payload is not SIP: "it is a STUN message (RFC 8489)". */
const char *explanation_not_sip(const uint8_t *payload, size_t length);
