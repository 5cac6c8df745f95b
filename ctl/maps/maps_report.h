/* SPDX-License-Identifier: GPL-2.0 */
/* Answers commands from the pinned maps alone. Only the answers to `away` and `back` modify them. sipxdpd uses some of
 * these functions. sipxdp-ctl uses all of them while sipxdpd is not running. */
#pragma once

#include <jansson.h>
#include "core/control/protocol.h"
#include "core/farm/call_estimate.h"
#include "maps.h"

/* The warning of `status` while the balancer is away. */
#define WARNING_AWAY                                                                                                   \
	"the balancer is away: health checks fail, and packets that still arrive are forwarded ('sipxdp-ctl back' "    \
	"ends this)"

/* Every verdict, as bpf/verdicts.h describes it. */
struct verdict_text {
	const char *name;
	const char *action; /* "forwarded", "passed", "held", "answered" or "dropped" */
	const char *text;
	bool forwards;
	bool normal;
};

extern const struct verdict_text maps_report_verdicts[VERDICT_COUNT];

/* Every counter of a service and of a backend, as bpf/counters.h describes it. */
struct counter_text {
	const char *name; /* name of the member in the struct */
	enum counter_kind kind;
	const char *method; /* of a request, or in the CSeq of a response: "INVITE", "other", "unknown", "any" */
	const char *detail; /* of a request: "initial", "in_dialog", "unknown"; of a response: its code, "other_4xx",
			       "invalid", "any" */
	const char *text;
};

extern const struct counter_text maps_report_service_counters[SERVICE_COUNTER_COUNT];
extern const struct counter_text maps_report_backend_counters[BACKEND_COUNTER_COUNT];

/* The class of a response counter: "1xx" to "6xx" or "invalid", to be freed with json_decref(). */
json_t *maps_report_class(const struct counter_text *counter);

/* `calls` and `calls_error` of a backend; null if they are unknown. */
json_t *maps_report_calls(const struct call_estimate *calls);

/* The counters of what a backend with `forward: nat` sends to clients (BACKEND_RETURN_COUNTERS), and
 * `unanswered_sampled`. NULL if the map cannot
 * be read. */
json_t *maps_report_returned(const struct maps *maps, uint32_t id);

/* Adds the setup times of the sampled calls of a service or backend: a row for each event
 * (core/observe/setup_summary.h) that has happened, with times in us. */
void maps_report_add_service_setup(json_t *list, const struct maps *maps, uint32_t id, const char *name);
void maps_report_add_backend_setup(
	json_t *list, const struct maps *maps, uint32_t id, const struct backend_record *record);

json_t *maps_report_address(const struct address *address);

/* Replies that are computed from opened maps and from the image of their content. */
json_t *maps_report_lookup(const struct maps *maps, const struct image *image, const struct request *request);
json_t *maps_report_stats(const struct maps *maps, const struct image *image);
json_t *maps_report_guard_stats(const struct maps *maps, const struct image *image);
json_t *maps_report_backend_list(const struct maps *maps, const struct image *image, const struct request *request);
json_t *maps_report_status(
	const struct maps *maps, const struct image *image, const char *pin_directory, const char *socket);

/* Can the maps alone answer this command? */
bool maps_report_can_answer(enum command command);

/* Opens the maps, answers a request and closes the maps. `socket` is where sipxdpd does not answer. NULL if the maps
 * cannot be read. */
json_t *maps_report_answer(const struct request *request, const char *pin_directory, const char *socket);
