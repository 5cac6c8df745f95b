/* SPDX-License-Identifier: GPL-2.0 */
/* Keeps a listener open at the endpoint of the configuration. Retries at each call after a failure,
 * and logs only the first of several equal failures. */
#pragma once

#include "core/net/endpoint.h"

struct listening {
	const char *key;                                /* key in the configuration, for messages */
	int (*open)(void *data, struct endpoint where); /* 0 or -errno */
	void (*close)(void *data);                      /* also called after a failure of open() */
	void *data;
	struct endpoint where; /* port 0: none */
	bool is_open;
	int error; /* of the last attempt, -errno */
	char fault[128];
};

/* Call it every second and after a change of the configuration. Port 0 closes the listener. */
void listening_update(struct listening *listening, struct endpoint where);

void listening_end(struct listening *listening);

/* The reason why the configured address is unusable; NULL: it is usable. */
const char *listening_fault(const struct listening *listening);
