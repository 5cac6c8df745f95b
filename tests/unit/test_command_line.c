// SPDX-License-Identifier: GPL-2.0
/* Requests as command lines (core/control/command_line.h). */
#include <string.h>
#include <criterion/criterion.h>
#include "core/control/command_line.h"

static const struct {
	const char *request, *line;
} rows[] = {
	{"{\"command\":\"reload\"}", "reload"},
	{"{\"command\":\"reload\",\"arguments\":{\"move-calls\":true}}", "reload --move-calls"},
	{"{\"command\":\"reload\",\"arguments\":{\"move-calls\":false}}", "reload"},
	{"{\"command\":\"backend weight\",\"arguments\":{\"weight\":0,\"backend\":\"px1\",\"pool\":\"p\"}}",
		"backend weight p px1 0"},
	{"{\"command\":\"backend add\",\"arguments\":{\"pool\":\"p\",\"backend\":\"px1\",\"priority\":2,"
	 "\"hints\":\"a,b\",\"address\":\"10.0.0.11\"}}",
		"backend add p px1 10.0.0.11 --priority 2 --hints a,b"},
	{"{\"command\":\"lookup\",\"arguments\":{\"service\":\"sip\",\"call_ids\":[\"a@b\",\"c\"]}}",
		"lookup sip a@b c"},
	{"{\"command\":\"plan\",\"arguments\":{\"path\":\"a.yaml\",\"text\":\"pools: []\"}}", "plan a.yaml"},
};

Test(command_line, requests_are_written_as_commands)
{
	char error[PROTOCOL_ERROR_SIZE], text[COMMAND_LINE_SIZE];
	struct request request;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_assert_eq(protocol_parse_request(rows[i].request, strlen(rows[i].request), &request, error), 0, "%s",
			error);
		cr_expect_str_eq(command_line(&request, text), rows[i].line);
		protocol_request_free(&request);
	}
}

Test(command_line, a_long_value_is_cut_off)
{
	char line[2 * COMMAND_LINE_SIZE], error[PROTOCOL_ERROR_SIZE], text[COMMAND_LINE_SIZE];
	struct request request;

	snprintf(line, sizeof(line), "{\"command\":\"plan\",\"arguments\":{\"path\":\"%0*d\",\"text\":\"\"}}",
		COMMAND_LINE_SIZE, 0);
	cr_assert_eq(protocol_parse_request(line, strlen(line), &request, error), 0, "%s", error);
	cr_expect_eq(strlen(command_line(&request, text)), COMMAND_LINE_SIZE - 1);
	protocol_request_free(&request);
}
