/* SPDX-License-Identifier: GPL-2.0 */
/* Names, addresses and ports that only one object of a file may use. Each use is recorded as a claim
 * while the file is read; conflicts between claims are reported at the end. No I/O. */
#pragma once

#include "faults.h"
#include "bpf/abi.h"

/* The kinds of claims. Two kinds can have the same subject, for example the ports of a VIP. A fault then names the
 * kind that is later in this list. */
enum claim_kind {
	CLAIM_INTERFACE,
	CLAIM_POOL,
	CLAIM_SERVICE,
	CLAIM_BACKEND,         /* the name of a backend, in its pool */
	CLAIM_BACKEND_ADDRESS, /* in its pool */
	CLAIM_BACKEND_PORTS,   /* in its pool; the claim has no key */
	CLAIM_HINT,            /* a struct config_hint, in its pool */
	CLAIM_GROUP,           /* in its pool */
	CLAIM_MEMBER,          /* the name of a backend, in the groups of its pool */
	CLAIM_LIMIT_SET,
	CLAIM_GUARD_LIST,
	CLAIM_GUARD_PREFIX, /* a struct prefix_key, in the lists of the guard */
	CLAIM_VIP,          /* ports of a VIP, by a service; the scope is the protocol */
	CLAIM_VIP_BACKEND,  /* ports of a VIP, by a backend */
	CLAIM_ROLE_VIP,     /* an address that is a VIP, and must not have a different role */
	CLAIM_ROLE_BACKEND,
	CLAIM_ROLE_HINT, /* a hint without a port */
	CLAIM_ROLE_LISTEN,
	CLAIM_ROLE_CAPTURE, /* the address of the capture server */
};

struct claim {
	enum claim_kind kind;
	size_t scope;    /* index of the pool; 0 for the whole file */
	const void *key; /* like the owner, must stay valid as long as the claims */
	size_t length;
	uint16_t first, last; /* ports, host order; 0, 0: none */
	size_t sharing;       /* claims with the same number do not conflict; 0: the claim conflicts with all others */
	const char *owner;    /* name of the object, "" if it has no valid name */
	struct position position;
};

struct claims {
	struct claim *list;
	size_t count;
};

void claims_add(struct claims *claims, struct claim claim);

/* Adds a fault for each claim that conflicts with an earlier claim on the same subject. If several port ranges
 * overlap, reports at least one pair. Sorts the claims. */
void claims_check(struct claims *claims, struct faults *faults);

void claims_free(struct claims *claims);
