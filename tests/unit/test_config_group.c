// SPDX-License-Identifier: GPL-2.0
/* The key `group:` of the file: valid and invalid values. */
#include <criterion/criterion.h>
#include "config_text.h"

#define GROUP(more) HEAD POOLS "group: {" more "}\n"

Test(config_group, valid_values)
{
	static const struct reading rows[] = {
		{"the names alone", GROUP("name: edge, node: lb1"),
			"group:\n  name: edge\n  node: lb1\n  alone_after: 10s\n"},
		{"every key", GROUP("name: edge, node: lb1, agree: own, alone_after: 1h"),
			"group:\n  name: edge\n  node: lb1\n  agree: own\n  alone_after: 1h\n"},
	};
	struct config *config = parse_good(HEAD POOLS);

	check_readings(rows, COUNT(rows));
	cr_expect_str_eq(config->group.name, "", "without `group:`, the balancer is not a member");
	config_free(config);
}

Test(config_group, invalid_values)
{
	static const struct row rows[] = {
		{"an empty mapping", GROUP(""), {"7:8: group has no 'name'", "7:8: group has no 'node'"}},
		{"no node", GROUP("name: edge"), {"7:8: group has no 'node'"}},
		{"a name with a space", GROUP("name: 'a b', node: lb1"),
			{"7:15: 'name' of group must be 1 to 63 of the characters"}},
		{"an unknown rule", GROUP("name: edge, node: lb1, agree: all"),
			{"7:39: 'agree' of group must be 'majority', 'any' or 'own', not 'all'"}},
		{"a time that is too short", GROUP("name: edge, node: lb1, alone_after: 100ms"),
			{"7:45: 'alone_after' of group must be"}},
	};

	check_rows(rows, COUNT(rows));
}
