/* SPDX-License-Identifier: GPL-2.0 */
/* A packet test is a row: a sentence, an input frame, a verdict and an output frame. These functions run the rows. */
#pragma once

#include "balancer.h"

enum row_family {
	BOTH_FAMILIES, /* once as IPv4, once as IPv6 */
	IPV4_ONLY,
	IPV6_ONLY,
};

/* A byte that is changed after the frame and its checksums were built. */
struct poke {
	uint16_t at; /* offset in the frame; 0 ends the list */
	uint8_t value;
};

struct row {
	const char *sentence;
	enum row_family families;
	struct frame_spec in; /* without a destination: the VIP of `service` in the row's family */
	struct poke pokes[4];
	size_t trailer;   /* bytes after the IP packet: Ethernet padding */
	const char *tail; /* text at the start of the trailer */
	struct run_options run;
	struct balancer_setup setup;
	enum test_service service;
	const struct frame_spec *before; /* an earlier frame with the same addresses */
	uint8_t before_count;            /* [1] how often it comes */
	bool before_is_dropped;
	bool other_pool;  /* pool 1 selects the backend */
	uint32_t backend; /* id of the expected backend, regardless of the key */
	bool by_address;  /* the owner is selected by the source address alone */

	enum verdict verdict;
	uint32_t action;
	const char *call_id;             /* Call-ID that selects the owner; NULL: the source selects it */
	const struct frame_spec *tunnel; /* outer header, without addresses: those of the backend are used */
	bool untagged;                   /* VLAN tags are removed */
	bool keeps_port;                 /* NAT does not change the destination port */
};

struct row_table {
	const char *name;
	const struct row *rows;
	size_t count;
};

extern const struct row_table rows_services, rows_direct, rows_tunnel, rows_gue, rows_malformed, rows_fragments,
	rows_icmp, rows_keys, rows_ranges, rows_ping, rows_probes, rows_oversize, rows_names, rows_guard, rows_nat;

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

/* A different program that runs the rows with the maps of the balancer, and functions that are called before and after
 * each row. */
extern struct row_program {
	int fd; /* 0: the balancer */
	void (*check)(const struct row *row, const struct frame *in);
	void (*predict)(const struct row *row, const struct frame *in);
} row_program;

/* Runs a row for each of its families; every failure names the row. Returns 0, or -EINVAL if this kernel does
 * not support the run options of the row. */
int row_run(struct balancer_bpf *skel, const struct row *row);

void row_run_table(struct balancer_bpf *skel, const struct row_table *table);
