// SPDX-License-Identifier: GPL-2.0
/* See unique_claims.h. Conflicts are found by sorting, in n log n: a file may have 10,000 backends. */
#include <stdio.h>
#include <string.h>
#include "core/net/address.h"
#include "unique_claims.h"
#include "config.h"
#include "core/base/memory.h"

void claims_add(struct claims *claims, struct claim claim)
{
	claims->list = array_grow(claims->list, claims->count, sizeof(*claims->list));
	claims->list[claims->count++] = claim;
}

/* --- order */

static enum claim_kind subject(const struct claim *claim)
{
	switch (claim->kind) {
	case CLAIM_VIP_BACKEND:
		return CLAIM_VIP;
	case CLAIM_ROLE_BACKEND:
	case CLAIM_ROLE_HINT:
	case CLAIM_ROLE_LISTEN:
	case CLAIM_ROLE_CAPTURE:
		return CLAIM_ROLE_VIP;
	default:
		return claim->kind;
	}
}

static int compare_subjects(const struct claim *a, const struct claim *b)
{
	if (subject(a) != subject(b))
		return subject(a) < subject(b) ? -1 : 1;
	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return a->length ? memcmp(a->key, b->key, a->length) : 0;
}

/* Orders two claims on one subject by kind, then by position. The later claim gets the fault. */
static int compare_rights(const struct claim *a, const struct claim *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->position.line != b->position.line)
		return a->position.line < b->position.line ? -1 : 1;
	return a->position.column < b->position.column ? -1 : a->position.column > b->position.column;
}

static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	int order = compare_subjects(a, b);

	if (order)
		return order;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return compare_rights(a, b);
}

/* --- faults */

static const char *owner(const struct claim *claim)
{
	return claim->owner[0] ? claim->owner : "(no name)";
}

#define PORTS_SIZE 48

/* The ports that both claims contain, with the verb of the message. */
static const char *common_ports(
	const struct claim *a, const struct claim *b, const char *protocol, char text[PORTS_SIZE])
{
	unsigned int first = a->first > b->first ? a->first : b->first;
	unsigned int last = a->last < b->last ? a->last : b->last;

	if (first == last)
		snprintf(text, PORTS_SIZE, "%sport %u already belongs", protocol, first);
	else
		snprintf(text, PORTS_SIZE, "%sports %u-%u already belong", protocol, first, last);
	return text;
}

static void add_vip_fault(struct faults *faults, const struct claim *first, const struct claim *again)
{
	char vip[ADDRESS_TEXT_SIZE], ports[PORTS_SIZE];

	faults_add(faults, again->position, "%s %s to %s %s (line %d)", address_format(again->key, vip),
		common_ports(first, again, again->scope == IPPROTO_UDP ? "udp " : "tcp ", ports),
		first->kind == CLAIM_VIP ? "service" : "backend", owner(first), first->position.line);
}

static void add_hint_fault(struct faults *faults, const struct claim *first, const struct claim *again)
{
	const struct config_hint *hint = again->key;
	char port[16] = "";

	if (hint->port)
		snprintf(port, sizeof(port), " port %u", hint->port);
	faults_add(faults, again->position, "%s%s is already a hint of backend %s of this pool (line %d)", hint->host,
		port, owner(first), first->position.line);
}

static void add_fault(struct faults *faults, const struct claim *first, const struct claim *again)
{
	char text[PREFIX_TEXT_SIZE], ports[PORTS_SIZE];
	const char *name = again->key;
	int line = first->position.line;

	switch (again->kind) {
	case CLAIM_INTERFACE:
		faults_add(faults, again->position, "duplicate interface %s (first at line %d)", name, line);
		break;
	case CLAIM_POOL:
		faults_add(faults, again->position, "duplicate pool name %s (first at line %d)", name, line);
		break;
	case CLAIM_SERVICE:
		faults_add(faults, again->position, "duplicate service name %s (first at line %d)", name, line);
		break;
	case CLAIM_BACKEND:
		faults_add(faults, again->position, "duplicate backend name %s in this pool (first at line %d)", name,
			line);
		break;
	case CLAIM_BACKEND_ADDRESS:
		faults_add(faults, again->position, "%s is already the address of backend %s of this pool (line %d)",
			address_format(again->key, text), owner(first), line);
		break;
	case CLAIM_BACKEND_PORTS:
		faults_add(faults, again->position, "%s to backend %s of this pool (line %d)",
			common_ports(first, again, "", ports), owner(first), line);
		break;
	case CLAIM_HINT:
		add_hint_fault(faults, first, again);
		break;
	case CLAIM_GROUP:
		faults_add(
			faults, again->position, "duplicate group name %s in this pool (first at line %d)", name, line);
		break;
	case CLAIM_MEMBER:
		faults_add(faults, again->position, "backend %s is already in group %s (line %d)", name, owner(first),
			line);
		break;
	case CLAIM_LIMIT_SET:
		faults_add(faults, again->position, "duplicate limit set name %s (first at line %d)", name, line);
		break;
	case CLAIM_GUARD_LIST:
		faults_add(faults, again->position, "duplicate list name %s (first at line %d)", name, line);
		break;
	case CLAIM_GUARD_PREFIX:
		faults_add(faults, again->position, "%s is already in list %s (line %d)",
			prefix_format(again->key, text), owner(first), line);
		break;
	case CLAIM_VIP:
	case CLAIM_VIP_BACKEND:
		add_vip_fault(faults, first, again);
		break;
	case CLAIM_ROLE_BACKEND:
		faults_add(faults, again->position,
			"backend %s cannot have the address %s: it is a VIP of service %s (line %d); use an address of "
			"the backend itself",
			owner(again), address_format(again->key, text), owner(first), line);
		break;
	case CLAIM_ROLE_HINT:
		faults_add(faults, again->position,
			"a hint of backend %s cannot be %s: it is a VIP of service %s (line %d), which all backends "
			"share; add a port that only this backend uses, or use a different name",
			owner(again), address_format(again->key, text), owner(first), line);
		break;
	case CLAIM_ROLE_LISTEN:
		faults_add(faults, again->position,
			"'listen' of %s cannot be %s: it is a VIP of service %s (line %d); use a different address of "
			"this machine",
			again->owner, address_format(again->key, text), owner(first), line);
		break;
	case CLAIM_ROLE_CAPTURE:
		faults_add(faults, again->position,
			"'to' of capture cannot be %s: it is a VIP of service %s (line %d); use an address of the "
			"capture server itself",
			address_format(again->key, text), owner(first), line);
		break;
	case CLAIM_ROLE_VIP: /* never reported, because it always precedes the conflicting claim: see compare_rights()
			      */
		break;
	}
}

/* --- check */

static bool conflict(const struct claim *a, const struct claim *b)
{
	return b->first <= a->last && (a->sharing == 0 || a->sharing != b->sharing);
}

/* The claims on one subject are sorted by first port. A claim that overlaps any previous claim also overlaps the
 * previous claim with the highest last port. */
void claims_check(struct claims *claims, struct faults *faults)
{
	const struct claim *furthest = claims->list, *next;
	size_t i;

	if (claims->count < 2)
		return;
	qsort(claims->list, claims->count, sizeof(*claims->list), compare_claims);
	for (i = 1; i < claims->count; i++) {
		next = &claims->list[i];
		if (compare_subjects(furthest, next) != 0) {
			furthest = next;
			continue;
		}
		if (conflict(furthest, next) && compare_rights(furthest, next) <= 0)
			add_fault(faults, furthest, next);
		else if (conflict(furthest, next))
			add_fault(faults, next, furthest);
		if (next->last > furthest->last)
			furthest = next;
	}
}

void claims_free(struct claims *claims)
{
	free(claims->list);
	*claims = (struct claims){};
}
