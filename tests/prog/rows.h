/* SPDX-License-Identifier: GPL-2.0 */
/* A packet test is a row: a sentence, a frame in, a verdict, a frame out. This runs rows. */
#pragma once

#include "balancer.h"

enum row_family {
	BOTH_FAMILIES, /* once as IPv4, once as IPv6 */
	IPV4_ONLY,
	IPV6_ONLY,
};

/* A byte changed after the frame was built, and its checksums with it. */
struct poke {
	uint16_t at; /* offset in the frame; 0: none, and none after it */
	uint8_t value;
};

struct row {
	const char *sentence;
	enum row_family families;
	struct frame_spec in; /* without a destination: the VIP of `service` in the row's family */
	struct poke pokes[4];
	size_t trailer;   /* bytes behind the IP packet: Ethernet padding */
	const char *tail; /* text that the trailer begins with */
	struct run_options run;
	struct balancer_setup setup;
	enum test_service service;
	const struct frame_spec *before; /* a frame that came earlier, addressed as this one */
	bool other_pool;                 /* pool 1 has it */
	uint32_t backend;                /* this one has it, whatever the keys say */
	bool by_address;                 /* its owner is that of the source address alone */

	enum verdict verdict;
	uint32_t action;
	const char *call_id;             /* whose owner gets it; NULL: the owner of its source does */
	const struct frame_spec *tunnel; /* outer header; addresses are the backend's, the inner loses a hop */
	bool untagged;                   /* VLAN tags are taken off */
};

struct row_table {
	const char *name;
	const struct row *rows;
	size_t count;
};

extern const struct row_table rows_services, rows_direct, rows_tunnel, rows_malformed, rows_fragments, rows_icmp,
	rows_keys, rows_ranges, rows_ping, rows_probes, rows_oversize, rows_names;

/* A request whose Call-ID is ROW_CALL_ID. */
#define ROW_CALL_ID "7f3c1e90-a2b4@client.example.net"
#define ROW_INVITE                                                                                                     \
	"INVITE sip:bob@example.net SIP/2.0\r\n"                                                                       \
	"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-77ab31\r\n"                                                 \
	"Max-Forwards: 70\r\n"                                                                                         \
	"From: Alice <sip:alice@example.com>;tag=9fxced76sl\r\n"                                                       \
	"To: Bob <sip:bob@example.net>\r\n"                                                                            \
	"Call-ID: " ROW_CALL_ID "\r\n"                                                                                 \
	"CSeq: 1 INVITE\r\n"                                                                                           \
	"Contact: <sip:alice@198.51.100.7>\r\n"                                                                        \
	"Content-Length: 0\r\n\r\n"

/* Its length with the UDP header. */
#define ROW_INVITE_UDP (8 + sizeof(ROW_INVITE) - 1)

/* Runs a row for each of its families; every fault fails the test and names the row. 0, or
 * -EINVAL when this kernel does not take the row's run options. */
int row_run(struct balancer_bpf *skel, const struct row *row);

void row_run_table(struct balancer_bpf *skel, const struct row_table *table);
