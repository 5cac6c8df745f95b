/* SPDX-License-Identifier: GPL-2.0 */
/* The rows of `sipxdp-ctl top sources`: sources and Call-IDs with their packets per second. Pure.
 *
 * A sample is a reply of sipxdpd: the packets of one interval.
 *   {"interval": 7, "seconds": 1.0, "packets": 950, "error": 0,
 *    "sources": [{"source": "203.0.113.9", "packets": 900, "bytes": 450000, "initial": 0, "failed": 0, "not_sip":
 * 900}], "call_ids": [{"call_id": "a1b2", ...}]} */
#pragma once

#include <jansson.h>

/* Adds a sample to a sum of samples, which has the same shape. NULL: begins a new sum. The caller owns the result. */
json_t *sources_add(json_t *sum, const json_t *sample);

/* The numbers of a sum per second, and the heaviest rows first. Each row also has bits per second, and shares in
 * percent: `share` of all packets; `failed_share` and `not_sip_share` of its own packets. The caller owns the result.
 */
json_t *sources_rates(const json_t *sum);
