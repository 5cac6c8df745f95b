/* SPDX-License-Identifier: GPL-2.0 */
/* The part of the contract (abi.h) about fragments, and about packets that the program passes to the daemon.
 * docs/design/map-contract.md lists the maps. */
#pragma once

#include "abi.h"

/* fragments: LRU hash. The backend of each fragmented datagram: all its fragments go to the backend that
 * received the first one. */
struct fragment_key {
	struct address source;
	struct address destination;
	__be32 id; /* IPv4 uses 16 bits of it */
	__u8 protocol;
	__u8 pad[3];
};

struct fragment {
	__u64 seen; /* ns of CLOCK_MONOTONIC; the entry expires after FRAGMENT_NSEC */
	__u16 backend;
	__u8 split_by_daemon; /* 1: the daemon fragments this datagram; its first fragment also goes to `backend` */
	__u8 dropped;         /* 1: the guard has dropped the first fragment */
	__u32 service;        /* id; FRAGMENT_NOT_SERVICE: the datagram is for a VIP, but not for a service */
	/* The parts of the datagram that have been forwarded, in units of 8 bytes. */
	__u16 contiguous;   /* all bytes before this offset have been forwarded */
	__u16 length;       /* of the datagram; 0: its last fragment has not arrived yet */
	__u32 out_of_order; /* one part after a gap: start offset << 16 | end offset; 0: none */
	/* FORWARD_NAT */
	struct address vip; /* from a backend: the new source */
	__u32 nat_backend;  /* from a backend: its id; otherwise 0 */
	__u16 nat_service;  /* from a backend: nat_vip.service and nat_vip.flags */
	__u8 nat_flags;
	__u8 keeps_port; /* to a backend: the destination port does not change */
};

#define FRAGMENT_NOT_SERVICE 0xffffffff
#define FRAGMENT_NSEC 2000000000ULL /* a busy sender reuses an IP identification within seconds */
#define FRAGMENTS 16384

/* punt_fragments, punt_oversize, punt_probes, punt_refusals, punt_nat: ring buffers of struct punt. They carry packets
 * from the program to the daemon. Each class of packets has its own ring buffer. */
enum punt_class {
	PUNT_CLASS_FRAGMENTS,
	PUNT_CLASS_OVERSIZE,
	PUNT_CLASS_PROBES, /* punt_readers does not apply to this class: the daemon accepts probe replies older than
			      PUNT_NSEC */
	PUNT_CLASS_REFUSALS,
	PUNT_CLASS_NAT,
	PUNT_CLASS_CALLS, /* not packets, but changes of calls: call_changes (abi_calls.h) */
	PUNT_CLASSES,
};

#define PUNT_FRAGMENTS_BYTES (4 << 20)
#define PUNT_OVERSIZE_BYTES (1 << 20)
#define PUNT_PROBES_BYTES (1 << 20)
#define PUNT_REFUSALS_BYTES (1 << 20)
#define PUNT_NAT_BYTES (1 << 20)

enum punt_kind {
	PUNT_FRAGMENT,    /* a later fragment; the daemon holds it until the first one arrives */
	PUNT_FIRST_SEEN,  /* the first fragment of `key` has arrived; the record has no frame */
	PUNT_OVERSIZE,    /* exceeds the MTU towards its backend: the daemon fragments it or sends an ICMP error */
	PUNT_PROBE_REPLY, /* the source is a VIP, the destination is in probe_addresses */
	PUNT_REFUSAL,     /* an initial INVITE that the guard refuses: the daemon answers it with 503 */
	PUNT_NAT_OUT,     /* a packet from a backend, already translated: the daemon sends it through a socket */
};

#define PUNT_FRAME_SIZE 2036
#define PUNT_SMALL_FRAME 172 /* frame size allocated in the ring buffer for frames up to this length */
#define PUNT_NSEC 200000000  /* the daemon drops older records: their senders have retransmitted or given up */

struct punt {
	__u64 time; /* ns of CLOCK_MONOTONIC */
	struct fragment_key key;
	struct fragment owner; /* the entry of `fragments` to write before the first fragment of this packet is sent */
	__u32 ifindex;
	__u16 length; /* of the frame in bytes; `frame` holds at most the first PUNT_FRAME_SIZE of them */
	__u16 mtu;    /* for PUNT_OVERSIZE: largest IP packet that fits, in bytes */
	__u8 kind;    /* enum punt_kind */
	__u8 pad;
	__u16 retry_after; /* for PUNT_REFUSAL: value of Retry-After in seconds; 0: no such header */
	__u8 frame[PUNT_FRAME_SIZE];
};

#define PUNT_HEADER (sizeof(struct punt) - PUNT_FRAME_SIZE)

/* punt_readers: array by enum punt_class. The daemon's read position in the ring buffer at the last check by the
 * program. For PUNT_CLASS_CALLS, only the last two members are used: a program may use only 64 maps. */
struct punt_reader {
	__u64 position;
	__u64 since;  /* when `position` last changed or the ring buffer was last empty, ns of CLOCK_MONOTONIC */
	__u64 lost;   /* records for which the ring buffer had no room */
	__u32 active; /* 1: this balancer belongs to a group. Only the daemon writes it */
	__u32 pad;
	__u64 lease; /* ns of CLOCK_MONOTONIC: when the permission of the group ends to send new calls of migrating
			slots to the new owners. The daemon renews it while the group exchanges messages. 0: not limited
		      */
};

/* held_fragments: array by hash of a fragment_key. The time when the daemon last received a later fragment with
 * such a key, ns of CLOCK_MONOTONIC. If two keys share an element, the only effect is an unnecessary
 * PUNT_FIRST_SEEN. */
#define HELD_FRAGMENTS 16384

_Static_assert(sizeof(struct fragment_key) == 40, "fragment_key");
_Static_assert(sizeof(struct fragment) == 48, "fragment");
_Static_assert(sizeof(struct punt) == 2144, "punt");
