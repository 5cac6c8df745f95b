/* SPDX-License-Identifier: GPL-2.0 */
/* What only one object of a file may have: a name, an address, a VIP with its port.
 * Claims are gathered while the file is read, and quarrels are told at the end. Pure. */
#pragma once

#include "faults.h"
#include "../../bpf/abi.h"

enum claim_kind {
	CLAIM_INTERFACE,
	CLAIM_POOL,
	CLAIM_SERVICE,
	CLAIM_BACKEND,         /* a backend's name, in its pool */
	CLAIM_BACKEND_ADDRESS, /* in its pool */
	CLAIM_VIP,             /* a struct service_key */
	CLAIM_ROLE_VIP,        /* an address that is a VIP: no backend may have it */
	CLAIM_ROLE_BACKEND,    /* an address that is a backend's: several may have it */
};

struct claim {
	enum claim_kind kind;
	size_t scope; /* index of the pool; 0 where the claim is about the whole file */
	char key[NAME_SIZE];
	const char *owner; /* name of the object, "" if it has none that is valid */
	struct mark mark;
};

struct claims {
	struct claim *list;
	size_t count;
	size_t room;
};

/* Adds a claim on `length` bytes of `key`. `owner` must outlive the claims. */
void claims_add(struct claims *claims, enum claim_kind kind, size_t scope, const void *key, size_t length,
	const char *owner, struct mark mark);

/* Adds a fault for each claim on what another has claimed further up. Sorts the claims. */
void claims_judge(struct claims *claims, struct faults *faults);

void claims_free(struct claims *claims);
