// SPDX-License-Identifier: GPL-2.0
/* Arbitrary bytes as a request: it is read or refused. A request that is written again reads back equal. */
#include <stdlib.h>
#include "core/control/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[PROTOCOL_ERROR_SIZE], *line;
	struct request request, again;
	struct reply reply;

	if (protocol_parse_request((const char *)data, size, &request, error) == 0) {
		line = protocol_encode(request.json, &size);
		if (protocol_parse_request(line, size - 1, &again, error) < 0 || !json_equal(request.json, again.json))
			abort();
		protocol_request_free(&again);
		protocol_request_free(&request);
		free(line);
	} else {
		json_decref(protocol_error(NULL, "%s", error));
	}
	if (protocol_parse_reply((const char *)data, size, &reply) == 0)
		protocol_reply_free(&reply);
	return 0;
}
