/* SPDX-License-Identifier: GPL-2.0 */
/* Watches one rule of one guard: whether it is active, at which rate, and which sources cause this. No I/O: the caller
 * passes the counters and the time about once a second.
 *
 * The kernel stores no list of the sources that a rule drops, because that would cost time for each packet. But each
 * CPU's counters contain the source of its last packet. One such sample a second is enough: a source that sends 90 % of
 * the packets is the source of 90 % of the samples. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "rules.h"

#define GUARD_ACTIVITY_MEAN 16      /* seconds */
#define GUARD_ACTIVITY_GAP 10000    /* ms without a packet after which the rule is not active any more */
#define GUARD_ACTIVITY_LONG 60000   /* ms of activity after which `status` warns */
#define GUARD_ACTIVITY_REPORT 60000 /* ms between two reports */
#define GUARD_ACTIVITY_SOURCES 16
#define GUARD_ACTIVITY_TEXT_SIZE 384

struct guard_activity_source {
	struct address address; /* all zero: this element and the following ones are not used */
	double rate;            /* estimated packets per second */
};

/* Initially all zero. */
struct guard_activity {
	struct guard_counters total;    /* at the last sample; `source` and `seen` are of the last packet of all CPUs */
	struct guard_counters reported; /* at the last report */
	double dropped_rate;            /* packets per second; this and the next member are averages */
	double observed_rate;
	double averaged;      /* seconds of activity over which the rates are averaged, at most GUARD_ACTIVITY_MEAN */
	uint64_t sampled;     /* ms: time of the last sample; 0: there is none */
	uint64_t since;       /* ms: start of the activity; 0: the rule is not active */
	uint64_t last;        /* ms: last sample with new packets */
	uint64_t report_time; /* ms: time of the last report; 0: there is none */
	struct guard_activity_source sources[GUARD_ACTIVITY_SOURCES]; /* the highest rate first */
};

/* The sum over all CPUs, with the newest `seen` and its source. */
struct guard_counters guard_counters_sum(const struct guard_counters *counters, size_t cpus);

/* Updates the activity. `counters` and `before` have one element for each CPU; The caller stores `before` for each
 * rule; it contains the packet counts of the last sample. `now` is in ms. */
void guard_activity_update(struct guard_activity *activity, const struct guard_counters *counters, uint64_t *before,
	size_t cpus, uint64_t now);

/* Has the rule been active for longer than GUARD_ACTIVITY_LONG? */
bool guard_activity_is_long(const struct guard_activity *activity);

/* Returns true if the rule has counted packets since the last report, and that report was at least
 * GUARD_ACTIVITY_REPORT ago. Then writes the report for the log, without the name of the guard: "rule invite dropped
 * 120 packets, 20 of them passed to the daemon for a 503; the last source is 203.0.113.9". */
bool guard_activity_report(
	struct guard_activity *activity, uint32_t rule, uint64_t now, char out[GUARD_ACTIVITY_TEXT_SIZE]);

/* Describes the activity for `status`, in the same form: "rule invite has dropped 820 packets per second for 4 min
 * (INVITE requests outside a dialog); 203.0.113.9 sends 97 % of them". Returns `out`. */
const char *guard_activity_describe(
	const struct guard_activity *activity, uint32_t rule, uint64_t now, char out[GUARD_ACTIVITY_TEXT_SIZE]);

/* The share of a source in the packets of all sources, 0 to 1. */
double guard_activity_share(const struct guard_activity *activity, const struct guard_activity_source *source);
