// SPDX-License-Identifier: GPL-2.0
/* See join_sip.h. */
#include "core/sip/response.h"
#include "join_sip.h"

/* Reads "action=...; time=...; signature=...". The signature covers everything before the last two parameters. */
static void read_heartbeat(struct span value, struct join_request *request)
{
	struct span rest = value;

	while (rest.at < rest.end) {
		const char *start = rest.at;
		struct span part = span_take(&rest, ';'), name = span_trim(span_take(&part, '='));

		if (!span_equals(name, "time"))
			continue;
		request->text = span_trim((struct span){value.at, start > value.at ? start - 1 : start});
		request->time = span_trim(part);
		part = span_take(&rest, ';');
		name = span_trim(span_take(&part, '='));
		if (span_equals(name, "signature") && rest.at == rest.end)
			request->signature = span_trim(part);
		return;
	}
}

unsigned int join_sip_read(struct span message, struct join_request *request, const char **text)
{
	struct sip_request sip;
	struct span line;
	bool found = false;

	*request = (struct join_request){.is_json = false};
	if (!request_read(message, &sip) || span_equals(sip.method, "ACK"))
		return 0;
	while (!found && request_take_header(&sip.headers, &line)) {
		found = span_take_name(&line, "X-Sipxdp-Heartbeat", NULL);
		if (found)
			read_heartbeat(line, request);
	}
	*text = !span_equals(sip.method, "OPTIONS") ? "only OPTIONS is accepted here" : "no X-Sipxdp-Heartbeat";
	return !span_equals(sip.method, "OPTIONS") ? 405 : found ? 200 : 400;
}

size_t join_sip_answer(struct span message, const struct join_answer *answer, uint64_t tag, struct endpoint *peer,
	char out[JOIN_SIP_ANSWER_SIZE])
{
	const struct response response = {
		.status = answer->status == 401 ? 403 : answer->status,
		.reason = answer->text,
		.tag = tag,
		.headers = "Allow: OPTIONS\r\nServer: sipxdp\r\n",
	};
	struct sip_request request;

	request_read(message, &request);
	return response_write(&request, &response, peer, out, JOIN_SIP_ANSWER_SIZE);
}
