/* SPDX-License-Identifier: GPL-2.0 */
/* What the pinned maps tell by themselves: answers that need no farm. sipxdpd gives some of them; while
 * it does not run, sipxdp-ctl reads the maps and gives all of them. Changes nothing. */
#pragma once

#include <jansson.h>
#include "core/control/protocol.h"
#include "maps.h"

/* Every verdict, as bpf/verdicts.h describes it. */
struct verdict_text {
	const char *name;
	const char *action; /* "forwarded", "passed", "held", "answered" or "dropped" */
	const char *text;
	bool forwards;
	bool normal;
};

extern const struct verdict_text maps_report_verdicts[VERDICT_COUNT];

json_t *maps_report_address(const struct address *address);

/* Replies, of maps and what they hold. */
json_t *maps_report_lookup(const struct maps *maps, const struct image *image, const struct request *request);
json_t *maps_report_stats(const struct maps *maps, const struct image *image);
json_t *maps_report_backend_list(const struct maps *maps, const struct image *image, const struct request *request);
json_t *maps_report_status(const struct maps *maps, const struct image *image, const char *pin_directory);

/* Can this command be answered so? */
bool maps_report_can_answer(enum command command);

/* Opens the maps, answers, and closes them. NULL if there are none that can be read. */
json_t *maps_report_answer(const struct request *request, const char *pin_directory);
