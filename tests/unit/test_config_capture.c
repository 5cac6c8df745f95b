// SPDX-License-Identifier: GPL-2.0
/* The key `capture:`: valid and invalid values. */
#include <criterion/criterion.h>
#include "config_text.h"

#define CAPTURE(more) HEAD POOLS "capture: {" more "}\n"
#define TO "to: 'udp:10.0.0.50:9060'"
#define EXPECTED "must be udp:, an address and a port, such as udp:10.0.0.50:9060 or udp:[2001:db8::50]:9060, not '"

Test(config_capture, valid_values)
{
	static const struct reading rows[] = {
		{"the required key", CAPTURE(TO), "capture:\n  to: 'udp:10.0.0.50:9060'\nservices"},
		{"without quotes", CAPTURE("to: udp:10.0.0.50:9060, id: 101, sample: 0"),
			"capture:\n  to: 'udp:10.0.0.50:9060'\n  id: 101\nservices"},
		{"IPv6", CAPTURE("to: 'udp:[2001:DB8::50]:9060'"), "  to: 'udp:[2001:db8::50]:9060'\n"},
		{"this machine", CAPTURE("to: 'udp:127.0.0.1:9060'"), "  to: 'udp:127.0.0.1:9060'\n"},
		{"the address of a backend", CAPTURE("to: 'udp:10.0.0.11:9060'"), "  to: 'udp:10.0.0.11:9060'\n"},
		{"every key", CAPTURE(TO ", id: 101, sample: 8, password: 'a b', node: lb1"),
			"  id: 101\n  sample: 8\n  password: 'a b'\n  node: lb1\n"},
		{"the highest numbers", CAPTURE(TO ", id: 999999999, sample: 1000000"),
			"  id: 999999999\n  sample: 1000000\n"},
	};
	struct config *config = parse_good(HEAD POOLS);

	check_readings(rows, COUNT(rows));
	cr_expect_eq(config->capture.to.port, 0, "without `capture:`, nothing is captured");
	config_free(config);
}

Test(config_capture, invalid_values)
{
	static const struct row rows[] = {
		{"an empty mapping", CAPTURE(""), {"7:10: capture has no 'to'"}},
		{"no transport", CAPTURE("to: '10.0.0.50:9060'"),
			{"7:15: 'to' of capture " EXPECTED "10.0.0.50:9060'"}},
		{"a different transport", CAPTURE("to: 'tcp:10.0.0.50:9060'"),
			{"7:15: 'to' of capture " EXPECTED "tcp:10.0.0.50:9060'"}},
		{"no port", CAPTURE("to: 'udp:10.0.0.50'"), {"7:15: 'to' of capture " EXPECTED}},
		{"port 0", CAPTURE("to: 'udp:10.0.0.50:0'"), {"7:15: 'to' of capture " EXPECTED}},
		{"a name", CAPTURE("to: 'udp:homer.example.net:9060'"), {"7:15: 'to' of capture " EXPECTED}},
		{"no address of a host", CAPTURE("to: 'udp:224.0.0.1:9060'"), {"7:15: 'to' of capture " EXPECTED}},
		{"a VIP", HEAD POOLS SERVICES "capture: {to: 'udp:192.0.2.10:9060'}\n",
			{"12:15: 'to' of capture cannot be 192.0.2.10: it is a VIP of service sip (line 9); use an "
			 "address of the capture server itself"}},
		{"a ratio", CAPTURE(TO ", sample: 0.5"),
			{"7:45: 'sample' of capture must be a whole number from 0 to 1000000, not '0.5'"}},
		{"per cent", CAPTURE(TO ", sample: 10%"), {"7:45: 'sample' of capture must be a whole number"}},
		{"a negative number", CAPTURE(TO ", sample: -1"), {"7:45: 'sample' of capture must be a whole number"}},
		{"a number that is too high", CAPTURE(TO ", sample: 1000001, id: 1000000000"),
			{"7:45: 'sample' of capture must be a whole number",
				"7:58: 'id' of capture must be a whole number"}},
		{"no password", CAPTURE(TO ", password: ''"), {"7:47: 'password' of capture is empty"}},
		{"the password of 'save' by other users", CAPTURE(TO ", password: hidden"),
			{"7:47: 'password' of capture is hidden in this file: 'sipxdp-ctl save' writes it only for "
			 "root; "
			 "enter the password, or save again as root"}},
		{"a password with a control character", CAPTURE(TO ", password: \"a\\tb\""),
			{"7:47: 'password' of capture must be 1 to 63 printable ASCII characters"}},
		{"an unknown key", CAPTURE(TO ", port: 1"),
			{"7:37: unknown key 'port' in capture; valid keys: to, id, sample, password, node"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_capture, the_password_is_hidden_from_users_without_permission)
{
	struct config *config = parse_good(CAPTURE(TO ", password: secret"));
	char *text;

	config_hide_secrets(config);
	text = write_text(config);
	cr_expect(strstr(text, "  password: hidden\n"), "%s", text);
	config_free(config);
	free(text);
}
