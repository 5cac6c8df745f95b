/* SPDX-License-Identifier: GPL-2.0 */
/* When one backend is probed, and what the results say of it: up or down, why, and how
 * long answers take. Pure: is told the results, and knows nothing of how they came about. */
#pragma once

#include "core/config/config.h"
#include "outage.h"

#define HEALTH_ANSWERS 64 /* so many of the last answers make mean and 95 % */
#define HEALTH_REASON_SIZE 160

struct health_state {
	enum health health;
	unsigned int row;                 /* results alike, in a row: as `last_passed` says */
	bool last_passed;                 /* the last result; of no meaning while `row` is 0 */
	uint64_t passed, failed;          /* results since the beginning */
	uint64_t answered_at;             /* when the last probe began that passed; 0: none did */
	uint64_t failing_from;            /* likewise the first that failed since then */
	uint64_t failed_at;               /* likewise the last that failed; 0: none did */
	uint8_t recent;                   /* the last 8 results, 1: failed */
	char trouble[HEALTH_REASON_SIZE]; /* why it cannot be probed; "": it can */
	char reason[HEALTH_REASON_SIZE];  /* of the last failure, for people; "": there was none */
	struct latency before;            /* of a daemon before this one; of use until there is an answer */
	uint32_t last;                    /* us that the last answer took */
	uint32_t answers[HEALTH_ANSWERS];
};

/* Begins with what was known of it before: HEALTH_UNKNOWN and zeros, or what a daemon
 * that ran before had found, which then holds until results in a row say otherwise. */
void health_begin(struct health_state *state, enum health before, const struct latency *latency);

/* Takes the result of a probe that began at a time, ms of any one clock: `rise` successes in a
 * row make a backend up, `fall` failures down. The first success makes one up of which nothing
 * is known yet. Both return whether the evidence has changed: the first result of its kind in a
 * row, or enough of them. `took` is in us. */
bool health_pass(struct health_state *state, const struct config_probe *probe, uint64_t began, uint32_t took);
bool health_fail(struct health_state *state, const struct config_probe *probe, uint64_t began, const char *reason);

/* What the results say, to be judged beside those of the other backends. */
struct evidence health_evidence(const struct health_state *state, const struct config_probe *probe);

/* ms from a death until `fall` probes have failed, at most. */
uint32_t health_detection(const struct config_probe *probe);

/* The balancer could not probe it: no result, neither a success nor a failure. Returns whether that,
 * or the reason, is new. The next result takes it back. */
bool health_cannot(struct health_state *state, const char *reason);

/* us from the beginning of a probe to that of the next, by a random number: 90 to 100 % of
 * the interval, so that neither backends nor balancers march in step. Never more: whoever
 * dies is found out within `fall` intervals and a timeout. */
uint64_t health_pause(const struct config_probe *probe, uint64_t random);

/* Of the answers that were successes. 95 %: the least that so many of them did not exceed. */
struct latency health_latency(const struct health_state *state);
