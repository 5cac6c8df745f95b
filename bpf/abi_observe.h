/* SPDX-License-Identifier: GPL-2.0 */
/* The part of the contract (abi.h) for the observation of packets: the filters and records of observers, and the
 * heaviest sources and Call-IDs. docs/design/map-contract.md lists the maps. */
#pragma once

#include "abi.h"

/* observers: array. The active observers of packets. Each element contains the conditions by which the observer selects
 * packets, and the actions of the program `observer` for these packets. The program runs only while an observer is
 * active (observe.h).
 *
 * Several values of one kind are alternatives. A packet must match all kinds that have a value. */
#define OBSERVERS 8
#define OBSERVER_VALUES 4 /* of one kind */

enum observer_wants {
	OBSERVER_RECORDS = 1,  /* write a record of each packet to the ring buffer `observed` */
	OBSERVER_SOURCES = 2,  /* count the packets of each source and Call-ID in heavy_sources and heavy_call_ids */
	OBSERVER_SUSPECTS = 4, /* like OBSERVER_SOURCES, and also count the selected packets in heavy_entry.suspects */
	/* With one of the above: only SIP messages over UDP for services, and fragments that may be parts of them.
	 * The daemon checks these packets again, because the program tests only their first byte. */
	OBSERVER_MESSAGES = 8,
};

enum observer_kind {
	OBSERVER_CALL_ID,   /* hash of a Call-ID with OBSERVER_HASH_KEY */
	OBSERVER_FROM_USER, /* hash of the user in From with OBSERVER_HASH_KEY */
	OBSERVER_TO_USER,
	OBSERVER_SERVICE, /* id + 1 */
	OBSERVER_BACKEND, /* id */
	OBSERVER_KINDS,
};

/* An address prefix. The unused bits of `address` are 0. If the mask is 0, there is no prefix. */
struct observer_prefix {
	struct address address;
	struct address mask;
};

struct observer {
	__u32 wants;    /* enum observer_wants; 0: the element is free */
	__u32 methods;  /* bits by enum method; for responses, the method in CSeq; 0: any */
	__u64 verdicts; /* bits by enum verdict; 0: any */
	__u64 values[OBSERVER_KINDS][OBSERVER_VALUES]; /* used elements first; 0: unused */
	struct observer_prefix sources[OBSERVER_VALUES];
};

#define OBSERVER_HASH_KEY                                                                                              \
	{                                                                                                              \
		0x6f62736572766572ULL, 0x736970786470ULL                                                               \
	}

/* observer_counters: per-CPU array by index into observers. */
struct observer_counters {
	__u64 matched;
	__u64 lost; /* packets without a record, because the ring buffer was full */
};

/* observed: ring buffer of struct observed. A record has space for a frame of one of these three lengths. */
#define OBSERVED_BYTES (4 << 20)
#define OBSERVED_SMALL_FRAME 640
#define OBSERVED_MEDIUM_FRAME 1600
#define OBSERVED_FRAME_SIZE 9216

struct observed {
	__u64 time;      /* ns of CLOCK_MONOTONIC */
	__u64 hash;      /* of the affinity key; valid if `has_key` */
	__u32 observers; /* the matching observers: bits by index into `observers` */
	__u32 ifindex;
	__u32 length;      /* of the received frame, bytes */
	__u32 captured;    /* number of these bytes in `frame` */
	__u32 service;     /* id; valid if `has_service` */
	__u32 backend;     /* id; 0: none */
	__u32 payload_end; /* offset of the end of the message in `frame` */
	__u16 payload;     /* offset of the message in `frame`; 0: the packet has none */
	__u16 pool;        /* id; valid if `has_key` */
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 kind;    /* enum packet_kind (packet.h) */
	__u8 verdict; /* enum verdict */
	__u8 reason;  /* enum owner_reason */
	__u8 has_service;
	__u8 has_key; /* the packet has a slot: hash & (slots - 1) */
	__u8 pad[6];
	__u8 frame[OBSERVED_FRAME_SIZE]; /* as received */
};

#define OBSERVED_HEADER (sizeof(struct observed) - OBSERVED_FRAME_SIZE)

/* heavy_sources, heavy_call_ids: arrays of struct heavy_bucket. The sources and the Call-IDs with the most packets in
 * an interval (heavy.h). Each map has two halves: the program fills one of them while the daemon reads the other. */
#define HEAVY_BUCKETS 1024 /* in a half; a power of two */
#define HEAVY_ENTRIES 8    /* in a bucket; a power of two */
#define HEAVY_TEXT_SIZE 24

/* The packets of one source or one Call-ID. */
struct heavy_entry {
	__u64 bytes;
	__u32 packets;
	__u32 initial; /* initial requests, and TCP SYN */
	__u32 failed;  /* packets whose verdict is an anomaly, and responses with a code of 400 or above */
	__u32 not_sip;
	__u32 suspects; /* packets that an observer with OBSERVER_SUSPECTS selects */
	__u32 length;   /* of the Call-ID, bytes */
	union {
		struct address source;         /* of an IPv6 address, only the /64 prefix */
		char call_id[HEAVY_TEXT_SIZE]; /* the first bytes of the Call-ID; filled with NUL bytes */
	};
};

struct heavy_bucket {
	struct bpf_spin_lock lock;
	__u32 interval;  /* number of the interval to which the content belongs */
	__u32 forgotten; /* packets that no entry counts */
	__u32 forgotten_suspects;
	__u32 weight[HEAVY_ENTRIES]; /* 0: the entry is free */
	__u64 key[HEAVY_ENTRIES];    /* hash of the source or the Call-ID */
	__u32 found;                 /* used only while the program holds the lock */
	__u32 pad[3];
	struct heavy_entry entry[HEAVY_ENTRIES];
};

/* heavy_interval: array of one element. The daemon begins an interval with a new number. */
struct heavy_interval {
	__u64 hash_key[2]; /* random, so that no sender can predict the bucket of its packets */
	__u32 number;      /* the lowest bit selects the half */
	__u32 pad;
};

_Static_assert(sizeof(struct observer) == 304, "observer");
_Static_assert(VERDICT_COUNT <= 64, "observer.verdicts");
_Static_assert(sizeof(struct observed) == 96 + OBSERVED_FRAME_SIZE, "observed");
_Static_assert(sizeof(struct heavy_entry) == 56, "heavy_entry");
_Static_assert(sizeof(struct heavy_bucket) == 576, "heavy_bucket");
_Static_assert(sizeof(struct heavy_interval) == 24, "heavy_interval");
