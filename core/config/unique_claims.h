/* SPDX-License-Identifier: GPL-2.0 */
/* What only one object of a file may have: a name, an address, ports of a VIP.
 * Claims are gathered while the file is read, and quarrels are told at the end. Pure. */
#pragma once

#include "faults.h"
#include "bpf/abi.h"

/* Where the subject of two kinds is the same, the fault is told of the later one. */
enum claim_kind {
	CLAIM_INTERFACE,
	CLAIM_POOL,
	CLAIM_SERVICE,
	CLAIM_BACKEND,         /* a backend's name, in its pool */
	CLAIM_BACKEND_ADDRESS, /* in its pool */
	CLAIM_BACKEND_PORTS,   /* in its pool; there is no key */
	CLAIM_HINT,            /* a struct config_hint, in its pool */
	CLAIM_GROUP,           /* in its pool */
	CLAIM_MEMBER,          /* a backend's name, of a group of its pool */
	CLAIM_VIP,             /* a service's ports of a VIP; the scope is the protocol */
	CLAIM_VIP_BACKEND,     /* a backend's ports of it */
	CLAIM_ROLE_VIP,        /* an address that is a VIP: nobody else may have it */
	CLAIM_ROLE_BACKEND,
	CLAIM_ROLE_HINT, /* whatever the port */
	CLAIM_ROLE_JOIN,
};

struct claim {
	enum claim_kind kind;
	size_t scope;    /* index of the pool; 0 where the claim is about the whole file */
	const void *key; /* must outlive the claims, as must the owner */
	size_t length;
	uint16_t first, last; /* ports, host order; 0 where there are none */
	size_t sharing;       /* claims of one party do not quarrel; 0: of none */
	const char *owner;    /* name of the object, "" if it has none that is valid */
	struct position position;
};

struct claims {
	struct claim *list;
	size_t count;
	size_t room;
};

void claims_add(struct claims *claims, struct claim claim);

/* Adds a fault for each claim on what another has claimed further up; where ranges of ports
 * overlap many times over not for each pair, but for one at least. Sorts the claims. */
void claims_check(struct claims *claims, struct faults *faults);

void claims_free(struct claims *claims);
