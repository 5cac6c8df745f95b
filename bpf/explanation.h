/* SPDX-License-Identifier: GPL-2.0 */
/* The decisions about one packet: the program `explainer` writes them, and `sipxdp-ctl explain` prints them. */
#pragma once

#include "abi_guard.h"
#include "packet.h"
#include "sip_headers.h"

#define EXPLAINED_HOSTS 3 /* hosts of a message that are looked up: two Routes to the VIP, and the host after them */
#define EXPLAINED_HINTS (EXPLAINED_HOSTS + 1) /* the tag */

enum explained_hint {
	EXPLAINED_UNKNOWN_HINT, /* no backend has this hint */
	EXPLAINED_VIP,          /* the destination of the packet: the next host is looked up */
	EXPLAINED_DOWN,         /* a backend that is down */
	EXPLAINED_BACKEND,
};

/* Offsets are bytes from the start of the received frame; 0: the message has no such part. */
struct explanation {
	struct packet packet;
	__u32 length; /* of the frame */
	__u64 hash;   /* of the affinity key; valid if `has_key` */

	__u32 service; /* id; valid if `has_service` */
	__u32 pool;    /* id; valid if `has_key` */
	__u32 hint_group;
	__u8 affinity;
	__u8 flags; /* enum service_flags */
	__u8 has_service;
	__u8 has_key; /* the packet has a slot */

	/* the message */
	__u32 line;                    /* the start-line */
	__u16 colon[SIP_HEADER_COUNT]; /* of each header */
	__u16 call_id_end;             /* key: the end of the value of Call-ID */
	__u8 reads_hints;              /* the message may contain a hint */
	__u8 hint_count;
	struct {
		__u32 at;
		__u32 backend;
		__u16 result;      /* enum explained_hint */
		__u8 by_parameter; /* a parameter after the host names the backend */
		__u8 is_tag;
	} hints[EXPLAINED_HINTS];

	/* the guard */
	__u16 guard;          /* id; 0: none */
	__u16 guard_class;    /* index into guard_classes, for the list of the source */
	__u8 guard_action;    /* enum guard_action of this class */
	__u8 guard_reads;     /* the guard has read the message: the next members are valid */
	__u8 guard_bucket;    /* enum guard_bucket */
	__u8 guard_rule;      /* the rule that applies to the message; GUARD_RULES: none */
	__u8 guard_enforced;  /* the rule has the mode `enforce` */
	__u8 guard_is_exempt; /* the message is an emergency call or has a listed Resource-Priority */
	__u8 was_refused;     /* the INVITE of the same transaction was refused before */

	/* the owner */
	__u32 slot_owner;
	__u32 previous_owner; /* of a migrating slot */
	__u32 tracked;        /* backend of the tracked call or transaction; valid if `is_tracked` */
	__u32 tracked_age;    /* seconds since its last packet */
	__u8 is_tracked;
	__u8 is_transaction; /* the entry is in the map `transactions` */
	__u8 has_ended;
	__u8 is_initial; /* a request outside a dialog, a SYN, or not SIP; valid for a migrating slot */

	/* placed calls; valid if `is_balanced` */
	__u8 is_balanced; /* pool.balanced */
	__u8 is_placed;   /* the call has an entry: the next members are valid */
	__u8 place_ended; /* the call has ended */
	__u8 pad;
	__u32 place;     /* backend of the call */
	__u32 place_age; /* seconds since its last packet */

	/* the result */
	__u8 reason;      /* enum owner_reason of `backend` */
	__u8 key_verdict; /* enum verdict after the stage `key` */
	__u8 verdict;     /* final */
	__u32 backend;    /* 0: none; without `has_service`: the backend that has sent the packet (NAT) */
};
