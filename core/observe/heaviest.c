// SPDX-License-Identifier: GPL-2.0
/* See heaviest.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/heavy.h"
#include "core/base/memory.h"
#include "core/control/protocol.h"
#include "core/net/address.h"
#include "heaviest.h"

#define PREFIX_TEXT "/64"

/* Shares of all suspect packets, in percent. */
#define MAIN_SHARE 50    /* of one source: it is the source of the flood */
#define GROUP_SHARE 50   /* of the heaviest sources together: the text contains them */
#define CALL_ID_SHARE 20 /* of one Call-ID: the text contains it */
#define GROUP 10         /* sources */

/* --- collecting */

static int compare_packets(const void *left, const void *right)
{
	const struct heavy_entry *a = left, *b = right;

	return (a->packets < b->packets) - (a->packets > b->packets);
}

static void collect_bucket(const struct heavy_bucket *bucket, struct heaviest *out)
{
	for (size_t i = 0; i < HEAVY_ENTRIES; i++) {
		if (!bucket->weight[i])
			continue;
		out->entries[out->count++] = bucket->entry[i];
		out->packets += bucket->entry[i].packets;
		out->suspects += bucket->entry[i].suspects;
	}
	out->packets += bucket->forgotten;
	out->suspects += bucket->forgotten_suspects;
	out->forgotten += bucket->forgotten;
	if (bucket->forgotten > out->error)
		out->error = bucket->forgotten;
}

void heaviest_collect(const struct heavy_bucket *buckets, uint32_t interval, struct heaviest *out)
{
	*out = (struct heaviest){
		.entries = allocate((size_t)HEAVY_BUCKETS * HEAVY_ENTRIES, sizeof(struct heavy_entry))};
	for (size_t i = 0; i < HEAVY_BUCKETS; i++)
		if (buckets[i].interval == interval)
			collect_bucket(&buckets[i], out);
	qsort(out->entries, out->count, sizeof(*out->entries), compare_packets);
}

void heaviest_free(struct heaviest *heaviest)
{
	free(heaviest->entries);
	*heaviest = (struct heaviest){0};
}

/* --- JSON */

const char *heaviest_source(const struct heavy_entry *entry, char out[HEAVIEST_SOURCE_SIZE])
{
	address_format(&entry->source, out);
	return address_is_ipv4(&entry->source) ? out : strcat(out, PREFIX_TEXT);
}

/* A Call-ID that is longer than its entry ends in "...". */
static json_t *call_id_json(const struct heavy_entry *entry)
{
	char text[HEAVY_TEXT_SIZE + sizeof("...")];

	snprintf(text, sizeof(text), "%.*s%s", HEAVY_TEXT_SIZE, entry->call_id,
		entry->length > HEAVY_TEXT_SIZE ? "..." : "");
	return protocol_text(text);
}

static json_t *source_json(const struct heavy_entry *entry)
{
	char text[HEAVIEST_SOURCE_SIZE];

	return json_string(heaviest_source(entry, text));
}

static json_t *entries_json(
	const struct heaviest *list, size_t limit, const char *name, json_t *(*name_json)(const struct heavy_entry *))
{
	json_t *rows = json_array();

	for (size_t i = 0; i < list->count && i < limit; i++) {
		const struct heavy_entry *entry = &list->entries[i];

		json_array_append_new(
			rows, json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", name, name_json(entry), "packets",
				      (json_int_t)entry->packets, "bytes", (json_int_t)entry->bytes, "initial",
				      (json_int_t)entry->initial, "failed", (json_int_t)entry->failed, "not_sip",
				      (json_int_t)entry->not_sip));
	}
	return rows;
}

json_t *heaviest_sources_json(const struct heaviest *sources, size_t limit)
{
	return entries_json(sources, limit, "source", source_json);
}

json_t *heaviest_call_ids_json(const struct heaviest *call_ids, size_t limit)
{
	return entries_json(call_ids, limit, "call_id", call_id_json);
}

/* --- suspects */

/* Moves the `GROUP` entries with the most suspects to the front of `top`, in order. Returns their number. */
static size_t find_group(const struct heaviest *list, const struct heavy_entry *top[GROUP])
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct heavy_entry *entry = &list->entries[i];
		size_t place = count;

		if (count < GROUP)
			count++;
		else if (entry->suspects > top[GROUP - 1]->suspects)
			place = GROUP - 1;
		else
			continue;
		for (; place > 0 && top[place - 1]->suspects < entry->suspects; place--)
			top[place] = top[place - 1];
		top[place] = entry;
	}
	return count;
}

static void describe_sources(const struct heaviest *sources, char out[HEAVIEST_TEXT_SIZE])
{
	const struct heavy_entry *top[GROUP];
	size_t count = find_group(sources, top);
	char name[HEAVIEST_SOURCE_SIZE];
	uint64_t together = 0, first, all;

	for (size_t i = 0; i < count; i++)
		together += top[i]->suspects;
	first = count ? 100 * (uint64_t)top[0]->suspects / sources->suspects : 0;
	all = 100 * together / sources->suspects;
	if (first >= MAIN_SHARE)
		snprintf(out, HEAVIEST_TEXT_SIZE, "%s sends %lu %% of them", heaviest_source(top[0], name), first);
	else if (all >= GROUP_SHARE)
		snprintf(out, HEAVIEST_TEXT_SIZE,
			"no single source: the heaviest, %s, sends %lu %% of them, the %zu heaviest together %lu %%",
			heaviest_source(top[0], name), first, count, all);
	else
		snprintf(out, HEAVIEST_TEXT_SIZE, "no single source: the %zu heaviest send %lu %% of them", count, all);
}

static void describe_call_id(const struct heaviest *call_ids, uint64_t suspects, char out[HEAVIEST_TEXT_SIZE])
{
	const struct heavy_entry *top[GROUP];
	size_t count = find_group(call_ids, top), length = strlen(out);
	uint64_t share = count ? 100 * (uint64_t)top[0]->suspects / suspects : 0;
	json_t *name;

	if (share < CALL_ID_SHARE)
		return;
	name = call_id_json(top[0]);
	snprintf(out + length, HEAVIEST_TEXT_SIZE - length, "; %lu %% of them have the Call-ID %s", share,
		json_string_value(name));
	json_decref(name);
}

const char *heaviest_suspects_text(
	const struct heaviest *sources, const struct heaviest *call_ids, char out[HEAVIEST_TEXT_SIZE])
{
	*out = '\0';
	if (!sources->suspects || !sources->count)
		return out;
	describe_sources(sources, out);
	describe_call_id(call_ids, sources->suspects, out);
	return out;
}
