/* SPDX-License-Identifier: GPL-2.0 */
/* The balancer, loaded and filled by hand for the packet tests and the benchmark: no
 * daemon, no interface. Its services, each for IPv4 and IPv6:
 *
 *   SERVICE_SIP   192.0.2.10:5060  2001:db8::10:5060   pool 0: slot n is backend 1 + n % backends
 *   SERVICE_ANY   192.0.2.20:*     2001:db8::20:*      pool 1: the same in reverse order
 *   SERVICE_ONE   192.0.2.20:5070  2001:db8::20:5070   pool 0
 *   SERVICE_TCP   192.0.2.10:5061  2001:db8::10:5061   pool 0, TCP, by flow
 *   SERVICE_NEAR  192.0.2.10:5062  2001:db8::10:5062   pool 0, by source address
 *   SERVICE_SPLIT 192.0.2.10:5063  2001:db8::10:5063   pool 1 for REGISTER and unknown methods, else pool 0
 *   SERVICE_USER  192.0.2.10:5064  2001:db8::10:5064   pool 0, by the user in From; backends have hints
 *
 * Unless the setup has `no_ranges`, each of these VIPs also has ranges of UDP ports:
 *
 *   10000 to 10009  of backend 3, counted for SERVICE_SIP
 *   10010           of backend 2, counted for SERVICE_SIP
 *   6000 to 6021    of SERVICE_ONE, which has an entry on the second VIP only */
#pragma once

#include <stdint.h>
#include "bpf/abi_calls.h"
#include "bpf/balancer.skel.h"
#include "frame.h"
#include "guard.h"
#include "run.h"

/* The receiving interface that BPF_PROG_TEST_RUN reports by default. */
#define TEST_IFINDEX 1

/* The source addresses of probes. */
#define TEST_PROBE_ADDRESS "203.0.113.2"
#define TEST_PROBE_ADDRESS6 "2001:db8:1::2"

enum test_service {
	SERVICE_SIP,
	SERVICE_ANY,
	SERVICE_ONE,
	SERVICE_TCP,
	SERVICE_NEAR,
	SERVICE_SPLIT,
	SERVICE_USER,
	SERVICE_COUNT
};

extern const uint64_t test_hash_key[2];

#define TEST_GUE_PORT 6080
#define TEST_MTU 1500    /* of the receiving interface */
#define TEST_CALLS 16384 /* maximum of tracked calls, and of transactions */

/* The sizes of guard_sources, hints and ring buffers: each test empties the maps, which takes long with the default
 * sizes. */
#define TEST_SOURCES 1024
#define TEST_HINTS 16384
#define TEST_RING_BYTES (128 << 10)

struct balancer_setup {
	uint32_t backends;               /* [4] */
	uint32_t slots;                  /* [4096] */
	enum forward_method forward;     /* [FORWARD_DSR] */
	uint8_t source_bits;             /* of the outer source address; depend on the call */
	uint16_t port;                   /* of the backends; 0: the port of the packet */
	bool ipv6_backends;              /* backends have IPv6 addresses */
	uint32_t ifindex;                /* [TEST_IFINDEX] */
	uint16_t mtu;                    /* [1500] */
	bool no_users;                   /* SERVICE_USER does not exist */
	bool nobody;                     /* slots have no owner */
	bool ping;                       /* VIPs answer echo requests */
	bool no_ranges;                  /* VIPs have no ranges */
	bool unreachable;                /* slots belong to unreachable backends */
	bool dead;                       /* backends are not alive, but have their slots */
	bool shares_interface_mac;       /* a different interface occupies the element of interface_macs, with
					    02:00:00:00:01:01 */
	bool no_fast_path;               /* the stages process every frame */
	uint32_t balance;                /* enum balance_flags of pool 0; 0: the slots alone select backends */
	const struct guard_setup *guard; /* of all services; NULL: none */
};

/* The first two counters of a service or a backend. */
struct traffic {
	uint64_t packets;
	uint64_t bytes;
};

/* All counters of the program. */
struct balancer_counts {
	uint64_t verdicts[VERDICT_COUNT];
	struct traffic service[SERVICE_COUNT];
	struct traffic total; /* of all backends */
	uint64_t service_messages[SERVICE_COUNT][SERVICE_COUNTER_COUNT];
	uint64_t backend_messages[BACKEND_COUNTER_COUNT]; /* of all backends */
};

/* Loads the program and fills its maps; aborts the test if the kernel refuses. */
struct balancer_bpf *balancer_load(const struct balancer_setup *setup);

void balancer_unload(struct balancer_bpf *skel);

/* Fills the maps of a loaded program again; the numbers of backends and slots must be the same. */
void balancer_fill(struct balancer_bpf *skel, const struct balancer_setup *setup);

/* The map that contains a service, and its key there. */
union any_service_key {
	struct service_key key;
	struct service_key_ipv4 ipv4;
};

int balancer_services(struct balancer_bpf *skel, const struct service_key *key, union any_service_key *in_map);

/* The address of a text, as the maps contain it. */
struct address balancer_address(const char *text);

/* The entry of a backend of the setup. */
struct backend balancer_backend(const struct balancer_setup *setup, uint32_t id);

/* The id of the backend that owns a hash in a pool. */
uint32_t balancer_owner(const struct balancer_setup *setup, uint32_t pool, uint64_t hash);

/* The hash of a Call-ID by bpf/hash.h, without the scanner: words of eight bytes, zeros after the last byte. */
uint64_t balancer_hash(const char *call_id, size_t length);

/* Runs one frame through the program, in place; returns the XDP action. */
uint32_t balancer_run(struct balancer_bpf *skel, struct frame *frame);

/* Empties the ring buffers, as a daemon does: after a short time the program adds nothing to a ring buffer without a
 * reader. */
void balancer_drain(struct balancer_bpf *skel);

/* The id of the backend to which a frame is addressed, by its MAC address. */
uint32_t balancer_receiver(const struct frame *frame);

/* The sum over all CPUs of one verdict's counter. */
uint64_t balancer_verdict(struct balancer_bpf *skel, enum verdict verdict);

/* Reads all counters. */
void balancer_count(struct balancer_bpf *skel, uint32_t backends, struct balancer_counts *counts);

/* The packets sent to one backend. */
struct traffic balancer_traffic(struct balancer_bpf *skel, uint32_t id);

/* The name of a verdict, as in bpf/verdicts.h. */
const char *balancer_verdict_name(enum verdict verdict);

/* Does the packet go to a backend (`forwarded` in verdicts.h)? */
bool balancer_forwards(enum verdict verdict);
