// SPDX-License-Identifier: GPL-2.0
/* See call_message.h. */

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include "call_message.h"
#include "suite.h"

uint32_t call_receiver(const struct frame_spec *spec)
{
	static struct frame frame;

	frame_build(&frame, spec);
	if (balancer_run(skel, &frame) != XDP_TX)
		return 0;
	return balancer_receiver(&frame);
}

uint32_t send_sip(const char *call_id, const struct message *message, const char *destination)
{
	const char *branch = message->branch ? message->branch : message->line;
	char text[1024];

	snprintf(text, sizeof(text),
		"%s\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK%.3s\r\nMax-Forwards: 70\r\n"
		"To: Bob %s\r\nFrom: Alice <sip:alice@example.com>;tag=1928301774\r\nCall-ID: %s\r\n"
		"CSeq: %d X\r\nContent-Length: 0\r\n\r\n",
		message->line, branch, message->to, call_id, message->number ? message->number : 1);
	return call_receiver(&(struct frame_spec){.payload = text, .destination = destination});
}

void call_set_alive(const struct balancer_setup *setup, uint32_t id, bool alive)
{
	struct backend backend = balancer_backend(setup, id);

	backend.alive = alive;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.backends), &id, &backend, BPF_ANY), "backends");
}

void call_set_owners(const struct balancer_setup *setup, uint16_t owner, uint16_t previous, bool migrating)
{
	const struct pool pool = {.migrating = migrating};
	uint16_t owners[setup->slots], previous_owners[setup->slots];
	uint32_t zero = 0;

	for (uint32_t i = 0; i < setup->slots; i++) {
		owners[i] = owner;
		previous_owners[i] = previous;
	}
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.tables), &zero, owners, BPF_ANY), "tables");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.previous_owners), &zero, previous_owners, BPF_ANY),
		"previous_owners");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &zero, &pool, BPF_ANY), "pools");
}
