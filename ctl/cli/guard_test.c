// SPDX-License-Identifier: GPL-2.0
/* See guard_test.h. */
#include "core/net/address.h"
#include "core/sip/host.h"
#include "explain.h"
#include "guard_test.h"
#include "output_guard.h"

#define REQUEST(method, from, to)                                                                                      \
	method " sip:test@example.net SIP/2.0\r\n"                                                                     \
	       "Via: SIP/2.0/UDP example.net;branch=z9hG4bKtest\r\n"                                                   \
	       "From: <sip:" from "@example.net>;tag=test\r\n"                                                         \
	       "To: <sip:test@example.net>" to "\r\n"                                                                  \
	       "Call-ID: test\r\n"                                                                                     \
	       "CSeq: 1 " method "\r\n"                                                                                \
	       "Max-Forwards: 70\r\n"                                                                                  \
	       "Content-Length: 0\r\n"                                                                                 \
	       "\r\n"

/* The messages of a source: one for each limit, and one of an established call. */
static const char *const messages[] = {
	REQUEST("INVITE", "caller", ""),
	REQUEST("REGISTER", "caller", ""),
	REQUEST("OPTIONS", "caller", ""),
	REQUEST("SUBSCRIBE", "caller", ""),
	REQUEST("MESSAGE", "caller", ""),
	REQUEST("PUBLISH", "caller", ""),
	REQUEST("BYE", "caller", ";tag=test"),
	"neither SIP nor a keepalive",
	NULL,
};

/* Adds a packet to the list `rows`. */
static void add(struct output *output, const json_t *explained, void *rows)
{
	static const char *const keys[] = {"packet", "source", "service", "message", "guard", "guard_list",
		"guard_result", "guard_rule", "guard_text", "verdict"};
	json_t *row = json_object();

	(void)output;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(explained, keys[i]);

		if (value)
			json_object_set(row, keys[i], value);
	}
	json_array_append_new(rows, row);
}

/* Is this an address, or an address and a port? */
static bool is_source(const char *text)
{
	char host[HOST_SIZE];
	struct address address;
	uint16_t port;

	return !address_parse(text, &address) || (!host_parse(text, host, &port) && !address_parse(host, &address));
}

bool guard_test_run(struct output *output, const char *pin_directory, const json_t *arguments)
{
	const char *subject = json_string_value(json_object_get(arguments, "path"));
	json_t *rows = json_array(), *of_source;
	bool done;

	if (is_source(subject)) {
		of_source = json_copy((json_t *)arguments);
		json_object_set(of_source, "source", json_object_get(arguments, "path"));
		done = explain_messages(output, pin_directory, of_source, messages, add, rows);
		json_decref(of_source);
	} else {
		done = explain_file(output, pin_directory, arguments, add, rows);
	}
	if (done)
		output_result(output, COMMAND_GUARD_TEST, rows);
	json_decref(rows);
	return done;
}
