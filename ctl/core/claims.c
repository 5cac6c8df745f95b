// SPDX-License-Identifier: GPL-2.0
/* Quarrels are found by sorting: a farm of 10,000 backends is checked in n log n. */
#include <arpa/inet.h>
#include <string.h>
#include "address.h"
#include "claims.h"
#include "memory.h"

void claims_add(struct claims *claims, enum claim_kind kind, size_t scope, const void *key, size_t length,
	const char *owner, struct mark mark)
{
	struct claim *claim;

	if (claims->count == claims->room) {
		claims->room = claims->room ? 2 * claims->room : 64;
		claims->list = reallocate(claims->list, claims->room, sizeof(*claims->list));
	}
	claim = &claims->list[claims->count++];
	*claim = (struct claim){.kind = kind, .scope = scope, .owner = owner, .mark = mark};
	memcpy(claim->key, key, length);
}

/* The roles of an address are one subject, the VIP first. */
static enum claim_kind subject(const struct claim *claim)
{
	return claim->kind == CLAIM_ROLE_BACKEND ? CLAIM_ROLE_VIP : claim->kind;
}

static int compare_subjects(const struct claim *a, const struct claim *b)
{
	if (subject(a) != subject(b))
		return subject(a) < subject(b) ? -1 : 1;
	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	return memcmp(a->key, b->key, sizeof(a->key));
}

static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	int order = compare_subjects(a, b);

	if (order)
		return order;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->mark.line != b->mark.line)
		return a->mark.line < b->mark.line ? -1 : 1;
	return a->mark.column < b->mark.column ? -1 : a->mark.column > b->mark.column;
}

static const char *owner(const struct claim *claim)
{
	return claim->owner[0] ? claim->owner : "without a name";
}

static void add_fault(struct faults *faults, const struct claim *first, const struct claim *again)
{
	const struct service_key *service = (const struct service_key *)again->key;
	char text[ADDRESS_TEXT_SIZE];
	int line = first->mark.line;

	switch (again->kind) {
	case CLAIM_INTERFACE:
		faults_add(faults, again->mark, "interface %s is listed twice (first at line %d)", again->key, line);
		break;
	case CLAIM_POOL:
		faults_add(faults, again->mark, "there is a pool named %s already (line %d)", again->key, line);
		break;
	case CLAIM_SERVICE:
		faults_add(faults, again->mark, "there is a service named %s already (line %d)", again->key, line);
		break;
	case CLAIM_BACKEND:
		faults_add(faults, again->mark, "this pool has a backend named %s already (line %d)", again->key, line);
		break;
	case CLAIM_BACKEND_ADDRESS:
		faults_add(faults, again->mark, "%s is the address of backend %s of this pool already (line %d)",
			address_format((const struct address *)again->key, text), owner(first), line);
		break;
	case CLAIM_VIP:
		faults_add(faults, again->mark, "%s port %u %s belongs to service %s already (line %d)",
			address_format(&service->vip, text), ntohs(service->port),
			service->protocol == IPPROTO_UDP ? "udp" : "tcp", owner(first), line);
		break;
	case CLAIM_ROLE_BACKEND:
		faults_add(faults, again->mark,
			"backend %s cannot have the address %s: it is a VIP of service %s (line %d)", owner(again),
			address_format((const struct address *)again->key, text), owner(first), line);
		break;
	case CLAIM_ROLE_VIP:
		break;
	}
}

void claims_judge(struct claims *claims, struct faults *faults)
{
	const struct claim *first = claims->list, *again;
	size_t i;

	if (claims->count < 2)
		return;
	qsort(claims->list, claims->count, sizeof(*claims->list), compare_claims);
	for (i = 1; i < claims->count; i++) {
		again = &claims->list[i];
		if (compare_subjects(first, again) != 0)
			first = again;
		else if (first->kind != CLAIM_ROLE_BACKEND) /* no VIP among them: nothing to quarrel about */
			add_fault(faults, first, again);
	}
}

void claims_free(struct claims *claims)
{
	free(claims->list);
	*claims = (struct claims){};
}
