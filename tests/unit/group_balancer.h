/* SPDX-License-Identifier: GPL-2.0 */
/* A balancer that is a member of a group, without a kernel and without corosync: farm, desired image, plan and image of
 * the maps. Its events are those of a node in group_world.h. */
#pragma once

#include "core/farm/transfer.h"
#include "core/join/join.h"
#include "core/maps/plan.h"
#include "group_world.h"

#define BALANCER_SLOTS 256
#define BALANCER_BACKENDS 6 /* px1 to px4 are in the file */
#define BALANCER_FILE 4

struct balancer {
	struct group_id process; /* pid 0: none is running */
	struct image *running;   /* the maps: they survive the process */
	bool filled;             /* packets use the maps */
	const char *pool;        /* additional keys of the pool */
	size_t first;            /* the first backend in the file: ids differ between balancers */
	struct farm *farm;
	struct desired *desired;
	struct join *join;
	struct transfer *transfer;
	enum group_state state;
	bool joining, must_reconcile;
	uint64_t begun;    /* ms */
	uint64_t version;  /* group_phases_version() at the last image */
	uint64_t absences; /* group_absences() at the last image in which it agreed */
	uint32_t overdue;  /* slots of the last image that have waited for the group for too long, and moved */
	struct {
		bool known, passes;
		uint64_t since, first; /* ms; `first`: of the first result */
	} probes[BALANCER_BACKENDS];
};

/* A change by an operator, or a request of a server. */
enum balancer_change_kind {
	BALANCER_ADMIN,  /* `value`: enum admin_state */
	BALANCER_WEIGHT, /* `value` */
	BALANCER_ADD,
	BALANCER_REMOVE,
	BALANCER_LEAVE, /* remove --drain */
	BALANCER_FINISH,
	BALANCER_SERVER, /* `value`: the request, and 4 times its weight */
	BALANCER_CHANGES,
};

struct balancer_change {
	uint8_t kind, backend, value;
};

/* Forgets process and maps. */
void balancer_end(struct balancer *balancer);

/* The process ends, and the maps remain; or they are lost, too. */
void balancer_stop(struct balancer *balancer, bool lose_maps);

/* The process begins. Call it before node_start(). */
void balancer_start(struct balancer *balancer, const struct node *node);

/* Handlers of group_world.h. The balancer reacts at once, as a daemon that is never busy. */
void balancer_take(struct balancer *balancer, struct node *node, const uint8_t *bytes, size_t length);
void balancer_task(struct balancer *balancer, struct node *node, const struct group_task *task);

/* Changes only this balancer. */
void balancer_change(struct balancer *balancer, const struct balancer_change *change);

/* The result of a probe. */
void balancer_probe(struct balancer *balancer, const struct node *node, size_t backend, bool passes);

/* The number in the name of the backend with this id; 0: none. */
uint8_t balancer_name(const struct balancer *balancer, uint16_t id);

/* Reconciles a balancer that is not a member of a group. */
void balancer_reconcile_alone(struct balancer *balancer, uint64_t now);
