// SPDX-License-Identifier: GPL-2.0
/* See listening.h. */
#include <stdio.h>
#include <string.h>
#include "ctl/daemon/log.h"
#include "listening.h"

void listening_end(struct listening *listening)
{
	listening->close(listening->data);
	listening->is_open = false;
}

static void begin(struct listening *listening)
{
	char text[ENDPOINT_TEXT_SIZE];
	int error = listening->open(listening->data, listening->where);

	endpoint_format(&listening->where, text);
	listening->is_open = !error;
	if (!error) {
		log_info("%s: listening on %s", listening->key, text);
		*listening->fault = '\0';
	} else {
		listening->close(listening->data);
		snprintf(listening->fault, sizeof(listening->fault), "cannot listen on %s: %s", text, strerror(-error));
	}
	if (error && error != listening->error)
		log_error("%s: %s; trying again every second", listening->key, listening->fault);
	listening->error = error;
}

void listening_update(struct listening *listening, struct endpoint where)
{
	if (!endpoint_equal(&where, &listening->where)) {
		listening_end(listening);
		if (!where.port)
			log_info("%s: disabled by the configuration", listening->key);
		listening->where = where;
		listening->error = 0;
		*listening->fault = '\0';
	}
	if (where.port && !listening->is_open)
		begin(listening);
}

const char *listening_fault(const struct listening *listening)
{
	return *listening->fault ? listening->fault : NULL;
}
