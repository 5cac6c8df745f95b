/* SPDX-License-Identifier: GPL-2.0 */
/* Declarations that plan.c, plan_services.c, plan_ports.c and plan_guard.c share. */
#pragma once

#include "plan.h"

/* The two images and the plan under construction. */
struct draft {
	const struct image *running;
	const struct image *desired;
	struct plan *plan;
	bool *described; /* by service id: a step already describes the change of this service; NULL: no step does */
	bool *reduced;   /* by service id: a disruption reports a lost VIP or port of this service; NULL: none does */
};

struct plan_step *plan_add_step(struct draft *draft, enum plan_kind kind, uint32_t index, const void *value);

void plan_describe(struct plan_step *step, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* plan_names() plans the names of services and the descriptions of added backends; call it first. plan_entries()
 * plans hints, services, VIPs and ranges; call it after the pools. */
void plan_names(struct draft *draft);
void plan_entries(struct draft *draft);

/* The entries for the return path from backends with `forward: nat` exist before the first packet reaches these
 * backends, and until their removal. Call plan_nat() before the backends are planned, and plan_nat_end() after their
 * removal. */
void plan_nat(struct draft *draft);
void plan_nat_end(struct draft *draft);

/* Plans the texts that exempt messages from limits, and removes texts of scanners; call it before plan_guards(). */
void plan_texts(struct draft *draft);

/* plan_guards() plans guards, their classes and names, and surges; call it before plan_entries(), because services
 * refer to guards. plan_guards_end() plans the removal of guards and lists; call it after plan_entries(). */
void plan_guards(struct draft *draft);
void plan_guards_end(struct draft *draft);

/* The owner of a port of a VIP: a service, or a backend with `ports:`; neither: packets to the port are for no service.
 */
struct port_owner {
	const struct service *service;
	uint32_t backend; /* id */
};

/* Reports live calls that a port would move to a different owner, or that would end because the port has none.
 * plan_ports() calls plan_compare_port() at least once for each group of adjacent ports with the same owners in both
 * images. `key`: the VIP and the port. */
void plan_ports(struct draft *draft);
void plan_compare_port(
	struct draft *draft, const struct service_key *key, struct port_owner before, struct port_owner after);
