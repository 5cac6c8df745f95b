/* SPDX-License-Identifier: GPL-2.0 */
/* Finds the heaviest sources and Call-IDs of an interval in the buckets that the kernel has filled (bpf/heavy.h). No
 * I/O. */
#pragma once

#include <stddef.h>
#include <jansson.h>
#include "bpf/abi_observe.h"

struct heaviest {
	struct heavy_entry *entries; /* sorted; the first entry has the most packets */
	size_t count;
	uint64_t packets;   /* all packets of the interval, with or without an entry */
	uint64_t suspects;  /* all suspects of the interval, with or without an entry */
	uint64_t forgotten; /* packets that are not counted in any entry */
	uint32_t error;     /* each count, also the 0 of a key without an entry, is too low by at most this number */
};

/* Collects the entries of the HEAVY_BUCKETS buckets of an interval. Free the result with heaviest_free(). */
void heaviest_collect(const struct heavy_bucket *buckets, uint32_t interval, struct heaviest *out);
void heaviest_free(struct heaviest *heaviest);

/* Returns a JSON list of the first `limit` entries. Each object contains "source" or "call_id", and the counts. */
json_t *heaviest_sources_json(const struct heaviest *sources, size_t limit);
json_t *heaviest_call_ids_json(const struct heaviest *call_ids, size_t limit);

#define HEAVIEST_SOURCE_SIZE 64
#define HEAVIEST_TEXT_SIZE 256

/* "203.0.113.9", "2001:db8:1:2::/64". Returns `out`. */
const char *heaviest_source(const struct heavy_entry *entry, char out[HEAVIEST_SOURCE_SIZE]);

/* Describes the senders of the suspects: "203.0.113.9 sends 92 % of them; 88 % of them have the Call-ID a1b2". The
 * shares are lower bounds. Returns `out`; it is "" without suspects. */
const char *heaviest_suspects_text(
	const struct heaviest *sources, const struct heaviest *call_ids, char out[HEAVIEST_TEXT_SIZE]);
