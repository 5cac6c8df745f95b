/* SPDX-License-Identifier: GPL-2.0 */
/* Messages of calls, sent through the balancer of the current test (suite.h). */
#pragma once

#include "balancer.h"

/* One message of a call: its first line, its To, and the expected backend. */
struct message {
	const char *line;
	const char *to;
	uint32_t receiver;
	const char *branch; /* NULL: a branch of its own */
	int number;         /* of CSeq; 0: 1 */
};

#define TO "<sip:bob@example.com>"
#define TO_TAGGED "<sip:bob@example.com>;tag=314159"
#define REQUEST(method) method " sip:bob@example.com SIP/2.0"
#define INITIAL(method, to_backend)                                                                                    \
	{                                                                                                              \
		.line = REQUEST(method), .to = TO, .receiver = to_backend                                              \
	}
#define WITHIN(method, to_backend)                                                                                     \
	{                                                                                                              \
		.line = REQUEST(method), .to = TO_TAGGED, .receiver = to_backend                                       \
	}

/* Sends a frame. Returns the id of the backend that receives it; 0: none. */
uint32_t call_receiver(const struct frame_spec *spec);

/* Sends a message to SERVICE_SIP: to `destination`, or to its IPv4 address. Each first line has a branch of its own.
 * Returns the same as call_receiver(). */
uint32_t send_sip(const char *call_id, const struct message *message, const char *destination);

/* Sets backend.alive of a backend of the setup. */
void call_set_alive(const struct balancer_setup *setup, uint32_t id, bool alive);

/* Every slot of pool 0 has this owner and this previous owner. `migrating`: pool.migrating. */
void call_set_owners(const struct balancer_setup *setup, uint16_t owner, uint16_t previous, bool migrating);
