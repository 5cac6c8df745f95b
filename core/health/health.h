/* SPDX-License-Identifier: GPL-2.0 */
/* The probes of one backend: their schedule, their results (up or down, with the reason), and their latency. No I/O:
 * the caller passes the results. */
#pragma once

#include "core/config/config.h"
#include "outage.h"

#define HEALTH_ANSWERS 64 /* number of latest responses from which mean and 95th percentile are computed */
#define HEALTH_REASON_SIZE 160

struct health_state {
	enum health health;
	unsigned int row;                 /* number of consecutive results equal to `last_passed` */
	bool last_passed;                 /* whether the last probe passed; undefined while `row` is 0 */
	uint64_t passed, failed;          /* results since the start */
	uint64_t answered_at;             /* start of the last probe that passed; 0: none */
	uint64_t failing_from;            /* start of the first failed probe after `answered_at` */
	uint64_t failed_at;               /* start of the last failed probe; 0: none */
	uint8_t recent;                   /* the last 8 results, 1: failed */
	char trouble[HEALTH_REASON_SIZE]; /* why the balancer cannot probe the backend; "": no obstacle */
	char reason[HEALTH_REASON_SIZE];  /* reason of the last failure; "": no failure */
	bool responded;                   /* in the last failed probe: the backend responded, but not as it should */
	struct latency before;            /* from the previous daemon; used until the first response */
	uint32_t last;                    /* latency of the last response, us */
	uint32_t answers[HEALTH_ANSWERS];
};

/* Initializes the state with HEALTH_UNKNOWN and zeros, or with the result from before a restart of the daemon. The
 * previous result remains valid until enough consecutive results contradict it. */
void health_begin(struct health_state *state, enum health before, const struct latency *latency);

/* Records the result of a probe that began at the time `began`, ms, always of the same clock; `took` is in us. A
 * backend is up after `rise` consecutive successes and down after `fall` consecutive failures. A backend of unknown
 * health is up after one success. Both functions return true if the evidence changed. The evidence changes with the
 * first success or failure of a series, and with the result that completes `rise` or `fall`. */
bool health_pass(struct health_state *state, const struct config_probe *probe, uint64_t began, uint32_t took);
bool health_fail(struct health_state *state, const struct config_probe *probe, uint64_t began, const char *reason);

/* The probe results as evidence for farm_decide_outage(), which also considers the other backends of the pool. */
struct evidence health_evidence(const struct health_state *state, const struct config_probe *probe);

/* The longest time from the death of the backend until `fall` probes have failed, ms. */
uint32_t health_detection(const struct config_probe *probe);

/* Records that the balancer could not send a probe, which counts neither as a success nor as a failure. Returns
 * whether `reason` is new. The next result clears the reason. */
bool health_set_trouble(struct health_state *state, const char *reason);

/* The time from the start of a probe to the start of the next one, us: 90 to 100 % of the interval, so that the
 * probes of different backends and balancers do not synchronize. The pause never exceeds the interval, so a dead
 * backend is detected within `fall` intervals and one timeout. */
uint64_t health_pause(const struct config_probe *probe, uint64_t random);

/* The latency of successful probes. 95 % of them took at most `p95`. */
struct latency health_latency(const struct health_state *state);
