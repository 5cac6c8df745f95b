// SPDX-License-Identifier: GPL-2.0
/* The control socket of the daemon without a daemon, for tests/lib/control.sh. It answers a request with the
 * reply in REPLIES/COMMAND.json or, without such a file, with the parsed request. A lookup whose first
 * Call-ID is "sleep" takes two seconds. SIGTERM stops it cleanly.
 * usage: control-echo SOCKET REPLIES [REQUEST_MS IDLE_MS] */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ctl/daemon/control/control.h"

static json_t *echo_lookup(const struct request *request)
{
	json_t *owners = json_array();

	if (!strcmp(request->call_ids.items[0], "sleep"))
		sleep(2);
	for (size_t i = 0; i < request->call_ids.count; i++)
		json_array_append_new(
			owners, json_pack("{s:s, s:s, s:s, s:s, s:i}", "call_id", request->call_ids.items[i], "pool",
					request->service, "backend", "px1", "address", "10.0.0.11", "slot", (int)i));
	return protocol_ok(owners);
}

static json_t *echo(const struct request *request)
{
	char address[ADDRESS_TEXT_SIZE];

	return protocol_ok(json_pack("{s:s, s:s?, s:s?, s:s?, s:s, s:i, s:s?, s:i}", "command",
		protocol_commands[request->command].words, "service", request->service, "pool", request->pool,
		"backend", request->backend, "address", address_format(&request->address, address), "weight",
		request->weight, "path", request->path, "text", request->text ? (int)strlen(request->text) : -1));
}

static json_t *answer(const struct request *request, void *data)
{
	const char *replies = data;
	char path[512];
	json_t *reply;

	snprintf(path, sizeof(path), "%s/%s.json", replies, protocol_commands[request->command].words);
	reply = json_load_file(path, 0, NULL);
	if (reply)
		return reply;
	return request->command == COMMAND_LOOKUP ? echo_lookup(request) : echo(request);
}

int main(int argc, char **argv)
{
	struct control *control = NULL;
	sd_event *event = NULL;
	sigset_t signals;
	int err;

	if (argc != 3 && argc != 5) {
		fputs("usage: control-echo SOCKET REPLIES [REQUEST_MS IDLE_MS]\n", stderr);
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	err = sd_event_new(&event);
	if (err >= 0)
		err = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (err >= 0)
		err = control_new(&control, event, argv[1], answer, argv[2]);
	if (err >= 0 && argc == 5)
		control_set_patience(control, (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4]));
	if (err >= 0)
		err = sd_event_loop(event);
	if (err < 0)
		fprintf(stderr, "control-echo: %s: %s\n", argv[1], strerror(-err));
	control_free(control);
	sd_event_unref(event);
	return err < 0;
}
