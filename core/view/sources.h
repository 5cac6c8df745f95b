/* SPDX-License-Identifier: GPL-2.0 */
/* The rows of `sipxdp-ctl top sources`: sources and Call-IDs with their packets per second. No I/O.
 *
 * A sample is a reply of sipxdpd: the packets of one interval.
 *   {"interval": 7, "seconds": 1.0, "packets": 950, "error": 0,
 *    "sources": [{"source": "203.0.113.9", "packets": 900, "bytes": 450000, "initial": 0, "failed": 0, "not_sip":
 * 900}], "call_ids": [{"call_id": "a1b2", ...}]} */
#pragma once

#include <jansson.h>

/* Adds a sample to `sum`, an object of the same form; NULL begins a new sum. Returns the sum. The caller owns it. */
json_t *sources_add(json_t *sum, const json_t *sample);

/* Converts a sum to rates per second, and sorts the rows: the heaviest row is first. Each row also has bits per second,
 * and shares in percent: `share` of all packets; `failed_share` and `not_sip_share` of the packets of the row. The
 * caller owns the result. */
json_t *sources_rates(const json_t *sum);
