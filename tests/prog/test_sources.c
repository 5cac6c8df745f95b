// SPDX-License-Identifier: GPL-2.0
/* The program observer counts packets by source and by Call-ID (bpf/sources.h). bpf/heavy.h itself has a unit test. */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>
#include <bpf/bpf.h>
#include "bpf/heavy.h"
#include "core/base/memory.h"
#include "core/observe/heaviest.h"
#include "observer.h"
#include "require.h"
#include "rows.h"
#include "shared.h"

static struct balancer_bpf *skel;
static struct observer_bpf *observing;
static struct heavy_interval interval = {.hash_key = {1, 2}};

static void start(const struct balancer_setup *setup)
{
	require_run();
	skel = balancer_load(setup);
	observing = observer_load(skel);
}

static void unload(void)
{
	observer_unload(observing);
	balancer_unload(skel);
}

static void observe(uint32_t index, struct observer observer)
{
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.observers), &index, &observer, BPF_ANY), "observers");
}

static void next_interval(void)
{
	interval.number++;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.heavy_interval), &(uint32_t){0}, &interval, BPF_ANY),
		"heavy_interval");
}

static void send_frame(const struct frame_spec *spec)
{
	struct frame frame;

	frame_build(&frame, spec);
	cr_assert_geq(run_frame(shared_program(observing->obj), &frame, &(struct run_options){0}), 0);
}

static struct heaviest collect(struct bpf_map *map)
{
	struct heavy_bucket *buckets = allocate(HEAVY_BUCKETS, sizeof(*buckets));
	struct heaviest list;

	for (uint32_t i = 0; i < HEAVY_BUCKETS; i++) {
		uint32_t at = heavy_index(i, interval.number);

		run_must(bpf_map_lookup_elem(bpf_map__fd(map), &at, &buckets[i]), "heavy map");
	}
	heaviest_collect(buckets, interval.number, &list);
	free(buckets);
	return list;
}

#define DIALOG(start, to, call_id, cseq)                                                                               \
	start "\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-1\r\nMax-Forwards: 70\r\n"                        \
	      "From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.net>" to "\r\n" call_id "CSeq: 1 " cseq "\r\n"    \
	      "Contact: <sip:alice@198.51.100.7>\r\nContent-Length: 0\r\n\r\n"
#define TCP(flags) "\0\0\0\1\0\0\0\1\x50" flags "\x20\0\0\0\0\0" /* the header after the ports */
#define SHORT "Call-ID: a1b2\r\n"

static const struct {
	const char *sentence;
	struct frame_spec in;
	uint32_t packets, initial, failed, not_sip;
	const char *source, *call_id;
} rows[] = {
	{"INVITE", {.payload = ROW_INVITE}, 1, 1, 0, 0, "198.51.100.7", "7f3c1e90-a2b4@client.exa..."},
	{"INVITE over IPv6, by its /64",
		{.payload = ROW_INVITE, .source = "2001:db8:7:8:9::1", .destination = "2001:db8::10"}, 1, 1, 0, 0,
		"2001:db8:7:8::/64", "7f3c1e90-a2b4@client.exa..."},
	{"request with a To tag", {.payload = DIALOG("BYE sip:b@example.net SIP/2.0", ";tag=2", SHORT, "BYE")}, 1, 0, 0,
		0, "198.51.100.7", "a1b2"},
	{"response 200", {.payload = DIALOG("SIP/2.0 200 OK", ";tag=2", SHORT, "INVITE")}, 1, 0, 0, 0, "198.51.100.7",
		"a1b2"},
	{"response 486", {.payload = DIALOG("SIP/2.0 486 Busy Here", ";tag=2", SHORT, "INVITE")}, 1, 0, 1, 0,
		"198.51.100.7", "a1b2"},
	{"response 503 to REGISTER", {.payload = DIALOG("SIP/2.0 503 No", ";tag=2", SHORT, "REGISTER")}, 1, 0, 1, 0,
		"198.51.100.7", "a1b2"},
	{"INVITE without a Call-ID, an anomaly",
		{.payload = DIALOG("INVITE sip:b@example.net SIP/2.0", "", "", "INVITE")}, 1, 1, 1, 0, "198.51.100.7",
		NULL},
	{"keepalive", {.payload = "\r\n\r\n"}, 1, 0, 0, 1, "198.51.100.7", NULL},
	{"media port of a backend", {.payload = ROW_INVITE, .destination_port = 10000}, 1, 0, 0, 0, "198.51.100.7",
		NULL},
	{"service with affinity by source", {.payload = ROW_INVITE, .destination_port = 5062}, 1, 1, 0, 0,
		"198.51.100.7", "7f3c1e90-a2b4@client.exa..."},
	{"TCP SYN", {.payload = TCP("\x02"), .payload_length = 16, .protocol = IPPROTO_TCP, .destination_port = 5061},
		1, 1, 0, 0, "198.51.100.7", NULL},
	{"TCP SYN-ACK",
		{.payload = TCP("\x12"), .payload_length = 16, .protocol = IPPROTO_TCP, .destination_port = 5061}, 1, 0,
		0, 0, "198.51.100.7", NULL},
	{"destination that is no VIP", {.payload = ROW_INVITE, .destination = "192.0.2.99"}, 0, 0, 0, 0, NULL, NULL},
};

static void expect_name(const char *sentence, json_t *list, const char *key, const char *name)
{
	const char *got = json_string_value(json_object_get(json_array_get(list, 0), key));

	cr_expect_eq(json_array_size(list), name != NULL, "%s: %zu %s", sentence, json_array_size(list), key);
	if (name && got)
		cr_expect_str_eq(got, name, "%s: %s", sentence, got);
	json_decref(list);
}

/* Sends the frame of each row three times. */
static void run_rows(void)
{
	observe(0, (struct observer){.wants = OBSERVER_SOURCES});
	observe(1, (struct observer){.wants = OBSERVER_SUSPECTS, .verdicts = 1 << VERDICT_not_sip});
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct heaviest sources, call_ids;
		struct heavy_entry entry = {0};

		next_interval();
		for (int n = 0; n < 3; n++)
			send_frame(&rows[i].in);
		sources = collect(skel->maps.heavy_sources);
		call_ids = collect(skel->maps.heavy_call_ids);
		if (sources.count)
			entry = sources.entries[0];
		cr_expect_eq(entry.packets, 3 * rows[i].packets, "%s: %u packets", rows[i].sentence, entry.packets);
		cr_expect_eq(entry.initial, 3 * rows[i].initial, "%s: %u initial", rows[i].sentence, entry.initial);
		cr_expect_eq(entry.failed, 3 * rows[i].failed, "%s: %u failed", rows[i].sentence, entry.failed);
		cr_expect_eq(entry.not_sip, 3 * rows[i].not_sip, "%s: %u not SIP", rows[i].sentence, entry.not_sip);
		cr_expect_eq(entry.suspects, entry.not_sip, "%s: %u suspects", rows[i].sentence, entry.suspects);
		cr_expect(!entry.packets || entry.bytes > 3 * 42, "%s: %llu bytes", rows[i].sentence, entry.bytes);
		expect_name(rows[i].sentence, heaviest_sources_json(&sources, 9), "source", rows[i].source);
		expect_name(rows[i].sentence, heaviest_call_ids_json(&call_ids, 9), "call_id", rows[i].call_id);
		heaviest_free(&sources);
		heaviest_free(&call_ids);
	}
}

Test(sources, a_packet_counts_for_its_source_and_its_call_id, .fini = unload)
{
	start(&(struct balancer_setup){0});
	run_rows();
}

Test(sources, an_outer_header_changes_no_count, .fini = unload)
{
	start(&(struct balancer_setup){.forward = FORWARD_IPIP});
	run_rows();
}

/* The services of balancer.c without SERVICE_MESSAGES. */
Test(sources, a_service_without_message_counters_has_the_same_counts, .fini = unload)
{
	const struct service_key keys[] = {{{{0, 0, htonl(0xffff), htonl(0xc000020a)}}, htons(5060), IPPROTO_UDP, 0},
		{{{htonl(0x20010db8), 0, 0, htonl(0x10)}}, htons(5060), IPPROTO_UDP, 0},
		{{{0, 0, htonl(0xffff), htonl(0xc000020a)}}, htons(5062), IPPROTO_UDP, 0}};

	start(&(struct balancer_setup){0});
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		union any_service_key key;
		int map = balancer_services(skel, &keys[i], &key);
		struct service service;

		run_must(bpf_map_lookup_elem(map, &key, &service), "services");
		service.flags &= ~SERVICE_MESSAGES;
		run_must(bpf_map_update_elem(map, &key, &service, BPF_ANY), "services");
	}
	run_rows();
}

/* More sources than the table has entries: all packets are still counted, by an entry or as forgotten. */
Test(sources, a_flood_from_many_sources_stays_in_the_table, .fini = unload)
{
	const uint32_t forged = 40000, heavy = 400;
	struct heaviest sources;
	char text[INET_ADDRSTRLEN];

	start(&(struct balancer_setup){0});
	observe(0, (struct observer){.wants = OBSERVER_SOURCES});
	next_interval();
	for (uint32_t i = 0; i < forged; i++) {
		struct in_addr address = {htonl(0x40000000 + i)};

		send_frame(&(struct frame_spec){
			.payload = "forged", .source = inet_ntop(AF_INET, &address, text, sizeof(text))});
		if (i % (forged / heavy) == 0)
			send_frame(&(struct frame_spec){.payload = ROW_INVITE});
	}
	sources = collect(skel->maps.heavy_sources);
	cr_expect_eq(sources.packets, forged + heavy);
	cr_expect_gt(sources.forgotten, forged - HEAVY_BUCKETS * HEAVY_ENTRIES);
	cr_expect_geq(sources.entries[0].packets + sources.error, heavy);
	cr_expect_gt(sources.entries[0].packets, heavy / 2);
	cr_expect_eq(sources.entries[0].source.word[3], htonl(0xc6336407));
	heaviest_free(&sources);
}
