// SPDX-License-Identifier: GPL-2.0
/* Requests and replies: valid lines become values, all others are refused with a reason. */
#include <errno.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/control/protocol.h"

/* Parses a copy without further bytes, so that ASan reports any read beyond the line. */
static int parse(const char *line, size_t length, struct request *request, char *error)
{
	char *copy = malloc(length ? length : 1);
	int err;

	memcpy(copy, line, length);
	err = protocol_parse_request(copy, length, request, error);
	free(copy);
	return err;
}

/* Describes a request as text. */
static const char *describe(const struct request *request, char *text, size_t size)
{
	char address[ADDRESS_TEXT_SIZE], prefix[PREFIX_TEXT_SIZE];
	FILE *out = fmemopen(text, size, "w");

	fputs(protocol_commands[request->command].words, out);
	if (request->service)
		fprintf(out, " service=%s", request->service);
	if (request->pool)
		fprintf(out, " pool=%s", request->pool);
	if (request->backend)
		fprintf(out, " backend=%s", request->backend);
	if (request->command == COMMAND_BACKEND_ADD)
		fprintf(out, " address=%s", address_format(&request->address, address));
	if (request->weight != PROTOCOL_NOT_GIVEN)
		fprintf(out, " weight=%d", request->weight);
	for (size_t i = 0; i < request->call_ids.count; i++)
		fprintf(out, " call_id=%s", request->call_ids.items[i]);
	if (request->guard.prefix.bits)
		fprintf(out, " prefix=%s", prefix_format(&request->guard.prefix, prefix));
	if (request->guard.time)
		fprintf(out, " for=%u", request->guard.time);
	if (request->force)
		fputs(" force", out);
	if (request->path)
		fprintf(out, " path=%s text=%s", request->path, request->text);
	fclose(out);
	return text;
}

static const struct {
	const char *line;
	const char *request;
} right[] = {
	{"{\"command\":\"status\"}", "status"},
	{"{\"command\":\"status\",\"arguments\":{}}", "status"},
	{" { \"arguments\" : { } , \"command\" : \"reload\" } \r", "reload"},
	{"{\"command\":\"\\u0073ave\"}", "save"},
	{"{\"command\":\"service list\"}", "service list"},
	{"{\"command\":\"backend list\"}", "backend list"},
	{"{\"command\":\"backend list\",\"arguments\":{\"pool\":\"proxies\"}}", "backend list pool=proxies"},
	{"{\"command\":\"backend add\",\"arguments\":{\"pool\":\"p\",\"backend\":\"px1\",\"address\":\"10.0.0.11\"}}",
		"backend add pool=p backend=px1 address=10.0.0.11"},
	{"{\"command\":\"backend add\",\"arguments\":"
	 "{\"address\":\"2001:DB8::1\",\"weight\":1000,\"backend\":\"x\",\"pool\":\"p\"}}",
		"backend add pool=p backend=x address=2001:db8::1 weight=1000"},
	{"{\"command\":\"backend weight\",\"arguments\":{\"pool\":\"p\",\"backend\":\"px1\",\"weight\":0}}",
		"backend weight pool=p backend=px1 weight=0"},
	{"{\"command\":\"lookup\",\"arguments\":{\"service\":\"sip\",\"call_ids\":[\"a@b\",\"\xc3\xa9\",\"-\"]}}",
		"lookup service=sip call_id=a@b call_id=\xc3\xa9 call_id=-"},
	{"{\"command\":\"plan\",\"arguments\":{\"path\":\"a.yaml\",\"text\":\"a: [1, {b: '}]\\\"'}]\\n\"}}",
		"plan path=a.yaml text=a: [1, {b: '}]\"'}]\n"},
	{"{\"command\":\"plan\",\"arguments\":{\"path\":\"-\",\"text\":\"\"}}", "plan path=- text="},
	{"{\"command\":\"guard block\",\"arguments\":{\"prefix\":\"203.0.113.0/24\",\"for\":\"10m\",\"force\":true}}",
		"guard block prefix=203.0.113.0/24 for=600000 force"},
	{"{\"command\":\"guard unblock\",\"arguments\":{\"prefix\":\"2001:DB8::1\"}}",
		"guard unblock prefix=2001:db8::1"},
};

Test(protocol, valid_requests_are_read)
{
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		char error[PROTOCOL_ERROR_SIZE] = "", text[512];
		struct request request;

		cr_assert_eq(parse(right[i].line, strlen(right[i].line), &request, error), 0, "%s: %s", right[i].line,
			error);
		cr_expect_str_eq(describe(&request, text, sizeof(text)), right[i].request);
		protocol_request_free(&request);
	}
}

#define NAME_OF_64 "0123456789012345678901234567890123456789012345678901234567890123"
#define BLOCK(value) "{\"command\":\"guard block\",\"arguments\":{\"prefix\":" value "}}"
#define WEIGHT(value)                                                                                                  \
	"{\"command\":\"backend weight\",\"arguments\":{\"pool\":\"p\",\"backend\":\"b\",\"weight\":" value "}}"
#define ADDRESS(value)                                                                                                 \
	"{\"command\":\"backend add\",\"arguments\":{\"pool\":\"p\",\"backend\":\"b\",\"address\":" value "}}"
#define LOOKUP(value) "{\"command\":\"lookup\",\"arguments\":{\"service\":\"sip\",\"call_ids\":" value "}}"

static const struct {
	const char *line;
	const char *error;
} wrong[] = {
	{"", "not valid JSON"},
	{"   ", "not valid JSON"},
	{"status", "not valid JSON"},
	{"GET / HTTP/1.1\r", "not valid JSON"},
	{"{\"command\":\"status\"} {", "not valid JSON"},
	{"{\"command\":\"status\",\"command\":\"save\"}", "duplicate object key"},
	{"{\"command\":\"sta\xfftus\"}", "not valid JSON"},
	{"{\"command\":\"sta\xc3\"}", "not valid JSON"},
	{"{\"command\":\"\\ud800\"}", "not valid JSON"},
	{"{\"command\":\"status\\u0000\"}", "not valid JSON"},
	{"{\"command\\u0000\":\"status\"}", "not valid JSON"},
	{"{\"command\":\"sta\ttus\"}", "not valid JSON"},
	{"[]", "not an object"},
	{"\"status\"", "not valid JSON"},
	{"{}", "command: missing"},
	{"{\"command\":7}", "command: missing, or not a string"},
	{"{\"command\":\"\"}", "unknown command ''"},
	{"{\"command\":\"Status\"}", "unknown command 'Status'"},
	{"{\"command\":\"backend drown\"}", "unknown command 'backend drown'"},
	{"{\"command\":\"status\",\"id\":1}", "id: unknown; a request has only"},
	{"{\"command\":\"status\",\"arguments\":[]}", "arguments: not an object"},
	{"{\"command\":\"status\",\"arguments\":null}", "arguments: not an object"},
	{"{\"command\":\"status\",\"arguments\":{\"pool\":\"p\"}}", "pool: not an argument of 'status'"},
	{"{\"command\":\"backend list\",\"arguments\":{\"pool\":1}}", "pool: not a string"},
	{"{\"command\":\"backend list\",\"arguments\":{\"pool\":null}}", "pool: not a string"},
	{"{\"command\":\"backend list\",\"arguments\":{\"pool\":\"\"}}", "pool: '' is not a valid name"},
	{"{\"command\":\"backend list\",\"arguments\":{\"pool\":\"a b\"}}", "pool: 'a b' is not a valid name"},
	{"{\"command\":\"backend list\",\"arguments\":{\"pool\":\"" NAME_OF_64 "\"}}", "is not a valid name"},
	{"{\"command\":\"backend maint\",\"arguments\":{\"pool\":\"p\"}}", "backend: missing"},
	{"{\"command\":\"plan\",\"arguments\":{\"path\":\"x\"}}", "text: missing"},
	{"{\"command\":\"plan\",\"arguments\":{\"path\":\"x\",\"text\":[]}}", "text: not a string"},
	{BLOCK("7"), "prefix: not a string"},
	{BLOCK("\"\""), "prefix: '' is not a network"},
	{BLOCK("\"203.0.113.5/24\""), "prefix: '203.0.113.5/24' is not a network with all host bits 0"},
	{BLOCK("\"203.0.113.5\",\"for\":10"), "for: not a string"},
	{BLOCK("\"203.0.113.5\",\"for\":\"10\""), "for: '10' is not a time"},
	{BLOCK("\"203.0.113.5\",\"for\":\"0s\""), "for: '0s' is not a time"},
	{WEIGHT("\"3\""), "weight: not a number from 0 to 1000"},
	{WEIGHT("1001"), "weight: not a number"},
	{WEIGHT("-1"), "weight: not a number"},
	{WEIGHT("4294967297"), "weight: not a number"},
	{WEIGHT("1.0"), "weight: not a number"},
	{WEIGHT("true"), "weight: not a number"},
	{WEIGHT("99999999999999999999"), "not valid JSON"},
	{WEIGHT("1e999"), "not valid JSON"},
	{ADDRESS("\"10.0.0\""), "address: '10.0.0' is not an IPv4 or IPv6 address"},
	{ADDRESS("\"10.0.0.1 \""), "is not an IPv4 or IPv6 address"},
	{ADDRESS("167772161"), "address: not a string"},
	{ADDRESS("\"127.0.0.1\""), "not an address that a host can have"},
	{ADDRESS("\"ff02::1\""), "not an address that a host can have"},
	{LOOKUP("\"a\""), "call_ids: not a list"},
	{LOOKUP("[]"), "call_ids: 0 values"},
	{LOOKUP("[\"a\",1]"), "call_ids: not a string"},
	{LOOKUP("[\"a\",\"\"]"), "call_ids: value 2 is empty"},
	{LOOKUP("[\"a\",[\"b\"]]"), "nested too deeply"},
	{"[[[[[[[[[[[[[[[[", "nested too deeply at byte 4"},
	{"{\"command\":{\"a\":{\"b\":{}}}}", "nested too deeply"},
};

Test(protocol, invalid_requests_are_refused_with_a_reason)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char error[PROTOCOL_ERROR_SIZE] = "";
		struct request request;

		cr_expect_lt(parse(wrong[i].line, strlen(wrong[i].line), &request, error), 0, "%s", wrong[i].line);
		cr_expect(strstr(error, wrong[i].error), "%s: %s", wrong[i].line, error);
	}
}

Test(protocol, a_nul_byte_is_refused)
{
	static const char line[] = "{\"command\":\"status\0\"}";
	static const char text[] = "a\0b";
	char error[PROTOCOL_ERROR_SIZE] = "";
	struct request request;
	json_t *arguments;

	cr_expect_lt(parse(line, sizeof(line) - 1, &request, error), 0);
	arguments = json_pack("{s:s, s:s%}", "path", "x", "text", text, sizeof(text) - 1);
	cr_expect_lt(protocol_check_request(protocol_request(COMMAND_PLAN, arguments), &request, error), 0);
	cr_expect(strstr(error, "text: contains a NUL"), "%s", error);
}

Test(protocol, a_request_truncated_at_any_byte_is_refused)
{
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		const char *end = strrchr(right[i].line, '}');
		char error[PROTOCOL_ERROR_SIZE];
		struct request request;

		for (size_t length = 0; length < (size_t)(end - right[i].line); length++)
			cr_expect_lt(
				parse(right[i].line, length, &request, error), 0, "%.*s", (int)length, right[i].line);
	}
}

Test(protocol, a_request_with_any_byte_changed_is_a_request_or_refused)
{
	static const char changes[] = "\"\\{}[],:0-\xff\x00\x7f";
	size_t understood = 0, refused = 0;

	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		char line[512], error[PROTOCOL_ERROR_SIZE];
		struct request request;

		for (size_t at = 0; right[i].line[at]; at++) {
			for (size_t change = 0; change < sizeof(changes); change++) {
				strcpy(line, right[i].line);
				line[at] = changes[change];
				if (parse(line, strlen(right[i].line), &request, error) == 0) {
					protocol_request_free(&request);
					understood++;
				} else {
					refused++;
				}
			}
		}
	}
	cr_expect_gt(understood, 0);
	cr_expect_gt(refused, understood);
}

/* A request `plan` whose line has this length. */
static char *plan_of(size_t length)
{
	static const char start[] = "{\"command\":\"plan\",\"arguments\":{\"path\":\"x\",\"text\":\"";
	char *line = malloc(length);

	memset(line, '#', length);
	memcpy(line, start, sizeof(start) - 1);
	memcpy(line + length - 3, "\"}}", 3);
	return line;
}

Test(protocol, a_line_at_the_limit_is_read_and_a_longer_line_is_refused)
{
	char error[PROTOCOL_ERROR_SIZE], *line = plan_of(PROTOCOL_REQUEST_MAX + 1);
	struct request request;

	cr_expect_lt(protocol_parse_request(line, PROTOCOL_REQUEST_MAX + 1, &request, error), 0);
	cr_expect(strstr(error, "more than 16777216 bytes"), "%s", error);
	free(line);
	line = plan_of(PROTOCOL_REQUEST_MAX);
	cr_expect_eq(protocol_parse_request(line, PROTOCOL_REQUEST_MAX, &request, error), 0);
	cr_expect_gt(strlen(request.text), PROTOCOL_REQUEST_MAX - 100);
	protocol_request_free(&request);
	free(line);
}

static int parse_lookup_of(size_t count, char error[PROTOCOL_ERROR_SIZE])
{
	json_t *call_ids = json_array(), *json;
	struct request request;
	size_t length;
	char *line;
	int err;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(call_ids, json_string("a,b"));
	json = protocol_request(COMMAND_LOOKUP, json_pack("{s:s, s:o}", "service", "sip", "call_ids", call_ids));
	line = protocol_encode(json, &length);
	err = protocol_parse_request(line, length, &request, error);
	if (!err) {
		cr_expect_eq(request.call_ids.count, count);
		protocol_request_free(&request);
	}
	free(line);
	json_decref(json);
	return err;
}

Test(protocol, a_list_at_the_limit_is_read_and_a_longer_list_is_refused)
{
	char error[PROTOCOL_ERROR_SIZE] = "";

	cr_expect_eq(parse_lookup_of(PROTOCOL_LIST_MAX, error), 0, "%s", error);
	cr_expect_lt(parse_lookup_of(PROTOCOL_LIST_MAX + 1, error), 0);
	cr_expect(strstr(error, "1025 values, but 1 to 1024 are allowed"), "%s", error);
	cr_expect_lt(parse_lookup_of(PROTOCOL_LIST_MAX * 2, error), 0);
	cr_expect(strstr(error, "too many values"), "%s", error);
}

/* A valid value for an argument. */
static json_t *example(const struct protocol_argument *argument)
{
	switch (argument->type) {
	case ARGUMENT_NAME:
		return json_string("a.B_9-");
	case ARGUMENT_ADDRESS:
		return json_string("192.0.2.1");
	case ARGUMENT_PREFIX:
		return json_string("203.0.113.0/24");
	case ARGUMENT_TIME:
		return json_string("10m");
	case ARGUMENT_NUMBER:
		return json_integer(argument->maximum);
	case ARGUMENT_TEXT:
		return json_string("\"\n\x01\xe2\x82\xac\\");
	case ARGUMENT_SWITCH:
		return json_true();
	case ARGUMENT_LIST:
		return json_pack("[s, s]", "a", "\xf0\x9f\x93\x9e");
	}
	return NULL;
}

Test(protocol, every_command_is_read_back_as_it_was_built)
{
	for (enum command command = 0; command < COMMAND_COUNT; command++) {
		const struct protocol_argument *argument = protocol_commands[command].arguments;
		json_t *arguments = json_object(), *json;
		char error[PROTOCOL_ERROR_SIZE], *line;
		struct request request;
		size_t length;

		for (; argument->name; argument++)
			json_object_set_new(arguments, argument->name, example(argument));
		json = protocol_request(command, arguments);
		if (protocol_commands[command].is_local) {
			cr_expect_eq(protocol_check_request(json, &request, error), -EINVAL);
			continue;
		}
		line = protocol_encode(json, &length);
		cr_expect_eq(line[length - 1], '\n');
		cr_expect_eq((size_t)(strchr(line, '\n') - line), length - 1, "one line only");
		cr_assert_eq(protocol_parse_request(line, length - 1, &request, error), 0, "%s: %s", line, error);
		cr_expect_eq(request.command, command);
		cr_expect(json_equal(request.json, json));
		protocol_request_free(&request);
		free(line);
		json_decref(json);
	}
}

Test(protocol, the_table_fits_a_command_line)
{
	for (enum command command = 0; command < COMMAND_COUNT; command++) {
		const struct protocol_argument *argument = protocol_commands[command].arguments;
		bool last = false;

		cr_expect_eq(protocol_find(protocol_commands[command].words), command);
		cr_expect(protocol_commands[command].help);
		for (; argument->name; argument++) {
			if (argument->use == ARGUMENT_FLAG || argument->use == ARGUMENT_CONTENTS)
				continue;
			cr_expect(!last, "%s: a word after one that may be left out or repeated",
				protocol_commands[command].words);
			last = argument->use == ARGUMENT_OPTIONAL || argument->type == ARGUMENT_LIST;
			cr_expect(argument->placeholder && argument->help);
		}
		cr_expect_leq(argument - protocol_commands[command].arguments, PROTOCOL_ARGUMENTS);
	}
}

/* --- replies */

static void expect_line(json_t *json, const char *wanted)
{
	size_t length;
	char *line = protocol_encode(json, &length);

	cr_assert(line);
	cr_expect_str_eq(line, wanted);
	free(line);
	json_decref(json);
}

Test(protocol, replies_are_written)
{
	struct faults faults = {0};

	faults_add(&faults, (struct position){3, 7}, "unknown key '%s'", "sevices");
	faults_add(&faults, (struct position){0, 0}, "no pools");
	expect_line(protocol_ok(json_array()), "{\"ok\":true,\"result\":[]}\n");
	expect_line(protocol_ok(json_real(1.0 / 3)), "{\"ok\":true,\"result\":0.3333333333}\n");
	expect_line(
		protocol_error(NULL, "no pool '%s'", "x"), "{\"ok\":false,\"error\":\"no pool 'x'\",\"faults\":[]}\n");
	expect_line(protocol_error(&faults, "2 faults"),
		"{\"ok\":false,\"error\":\"2 faults\",\"faults\":["
		"{\"line\":3,\"column\":7,\"message\":\"unknown key 'sevices'\"},"
		"{\"line\":0,\"column\":0,\"message\":\"no pools\"}]}\n");
	expect_line(protocol_error(NULL, "%.5s", "caf\xc3\xa9"),
		"{\"ok\":false,\"error\":\"caf\xc3\xa9\",\"faults\":[]}\n");
	expect_line(protocol_error(NULL, "%.4s", "caf\xc3\xa9"), "{\"ok\":false,\"error\":\"caf?\",\"faults\":[]}\n");
	cr_expect_null(protocol_ok(NULL));
	faults_free(&faults);
}

static const struct {
	const char *line;
	bool is_reply;
	const char *error; /* NULL: success */
} replies[] = {
	{"{\"ok\":true,\"result\":{\"a\":1}}", true, NULL},
	{"{\"ok\":true,\"result\":null}", true, NULL},
	{"{\"ok\":false,\"error\":\"no\",\"faults\":[]}", true, "no"},
	{"{\"ok\":false,\"error\":\"no\",\"faults\":[{\"line\":1,\"column\":2,\"message\":\"m\"}]}", true, "no"},
	{"{\"ok\":false,\"error\":\"no\"}", false, NULL},
	{"{\"ok\":false,\"error\":1,\"faults\":[]}", false, NULL},
	{"{\"ok\":true}", false, NULL},
	{"{\"ok\":1,\"result\":1}", false, NULL},
	{"{}", false, NULL},
	{"[true]", false, NULL},
	{"", false, NULL},
	{"HTTP/1.1 400 Bad Request", false, NULL},
};

Test(protocol, replies_are_read)
{
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
		struct reply reply;
		int err = protocol_parse_reply(replies[i].line, strlen(replies[i].line), &reply);

		cr_assert_eq(err == 0, replies[i].is_reply, "%s", replies[i].line);
		if (err)
			continue;
		cr_expect_eq(!reply.result, replies[i].error != NULL, "%s", replies[i].line);
		if (replies[i].error)
			cr_expect_str_eq(reply.error, replies[i].error);
		protocol_reply_free(&reply);
	}
}
