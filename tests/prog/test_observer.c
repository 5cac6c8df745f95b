// SPDX-License-Identifier: GPL-2.0
/* The observer decides as the balancer does: all rows of the balancer run through it. For each row it writes a
 * record with the received frame and the verdict. */

#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "bpf/abi_observe.h"
#include "core/farm/lookup.h"
#include "observer.h"
#include "rows.h"
#include "shared.h"
#include "suite.h"

#define EVERYTHING 0 /* index of an observer without a filter */
#define ALICE 1      /* index of an observer that selects ROW_INVITE by its contents */
#define MESSAGES 2   /* index of an observer that selects SIP messages for services */

static struct observer_bpf *observing;
static struct ring_buffer *records;
static struct observed record; /* the last one */
static unsigned int record_count;

static int take_record(void *context, void *data, size_t size)
{
	(void)context;
	memcpy(&record, data, size);
	record_count++;
	return 0;
}

static void put_observer(__u32 index, const struct observer *observer)
{
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.observers), &index, observer, BPF_ANY), "observers");
}

static struct observer alice(void)
{
	const uint64_t key[] = OBSERVER_HASH_KEY;
	struct observer observer = {.wants = OBSERVER_RECORDS, .methods = 1 << METHOD_INVITE};
	uint64_t hash;

	cr_assert_eq(lookup_call_id(ROW_CALL_ID, key, &hash), 0);
	observer.values[OBSERVER_CALL_ID][0] = hash;
	cr_assert_eq(lookup_user("alice", key, &hash), 0);
	observer.values[OBSERVER_FROM_USER][0] = hash;
	cr_assert_eq(lookup_user("bob", key, &hash), 0);
	observer.values[OBSERVER_TO_USER][0] = hash;
	return observer;
}

/* The reason for the backend of a packet with this verdict while no slot migrates. */
static uint8_t reason_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_hint:
		return REASON_HINT;
	case VERDICT_port_range:
		return REASON_PORT_RANGE;
	case VERDICT_fragment:
		return REASON_FRAGMENT;
	default:
		return REASON_SLOT;
	}
}

static void check_record(const struct row *row, const struct frame *in)
{
	uint32_t captured = in->length < OBSERVED_FRAME_SIZE ? in->length : OBSERVED_FRAME_SIZE;
	bool is_invite = row->in.payload && !strcmp(row->in.payload, ROW_INVITE) && row->verdict == VERDICT_call_id;

	record_count = 0;
	ring_buffer__consume(records);
	cr_expect_eq(record_count, 1, "%s: %u records", row->sentence, record_count);
	cr_expect_eq(
		record.verdict, row->verdict, "%s: the verdict in the record is %u", row->sentence, record.verdict);
	cr_expect_eq(record.length, in->length, "%s: the length in the record is %u", row->sentence, record.length);
	cr_expect_eq(record.captured, captured, "%s: the record has %u bytes", row->sentence, record.captured);
	cr_expect_eq(memcmp(record.frame, in->data, captured), 0,
		"%s: the frame in the record is not the one that arrived", row->sentence);
	if (balancer_forwards(row->verdict) && row->verdict != VERDICT_icmp_error)
		cr_expect_eq(record.reason, reason_of(row->verdict), "%s: reason %u", row->sentence, record.reason);
	cr_expect(record.observers & 1 << EVERYTHING, "%s: observers %u", row->sentence, record.observers);
	if (is_invite)
		cr_expect(record.observers & 1 << ALICE, "%s: the observer does not read the message", row->sentence);
	if (is_invite)
		cr_expect(record.observers & 1 << MESSAGES, "%s: not selected as a SIP message", row->sentence);
	if (record.protocol != IPPROTO_UDP || (!record.has_service && row->verdict != VERDICT_held_fragment))
		cr_expect(!(record.observers & 1 << MESSAGES), "%s: selected as a SIP message for a service",
			row->sentence);
	if (!row->in.payload && !row->in.quote)
		cr_expect(!(record.observers & 1 << ALICE), "%s: the observer selects a packet without a message",
			row->sentence);
}

static void load(void)
{
	struct observer selective;

	suite_load(&(struct balancer_setup){});
	observing = observer_load(skel);
	records = ring_buffer__new(bpf_map__fd(skel->maps.observed), take_record, NULL, NULL);
	run_must(!records, "ring buffer");
	put_observer(EVERYTHING, &(struct observer){.wants = OBSERVER_RECORDS});
	put_observer(MESSAGES, &(struct observer){.wants = OBSERVER_RECORDS | OBSERVER_MESSAGES});
	selective = alice();
	put_observer(ALICE, &selective);
	row_program = (struct row_program){.fd = shared_program(observing->obj), .check = check_record};
}

static void unload(void)
{
	ring_buffer__free(records);
	observer_unload(observing);
	suite_unload();
}

TestSuite(observer, .init = load, .fini = unload);

Test(observer, decides_as_the_balancer_and_records_the_frame_as_it_arrived)
{
	static const struct row_table *const tables[] = {&rows_services, &rows_direct, &rows_tunnel, &rows_gue,
		&rows_malformed, &rows_fragments, &rows_icmp, &rows_keys, &rows_ranges, &rows_ping, &rows_probes,
		&rows_oversize, &rows_names};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		row_run_table(skel, tables[i]);
}

static uint64_t lost(void)
{
	uint64_t sums[2];

	run_counters(bpf_map__fd(skel->maps.observer_counters), EVERYTHING, sums, 2);
	return sums[1];
}

Test(observer, counts_records_that_do_not_fit_into_the_ring_buffer)
{
	struct frame_spec spec = {
		.payload = ROW_INVITE, .source = "198.51.100.7", .destination = "192.0.2.10", .destination_port = 5060};
	struct frame frame;
	unsigned int sent;

	for (sent = 0; !lost() && sent < TEST_RING_BYTES / OBSERVED_SMALL_FRAME + 1; sent++) {
		frame_build(&frame, &spec);
		cr_assert_eq(run_frame(row_program.fd, &frame, &(struct run_options){}), XDP_TX);
	}
	record_count = 0;
	ring_buffer__consume(records);
	cr_expect_eq(lost(), 1);
	cr_expect_eq(record_count, sent - 1, "%u records of %u packets", record_count, sent);
}

/* Runs a message and returns the reason in its record. */
static uint8_t run_message(const char *payload)
{
	struct frame_spec spec = {
		.payload = payload, .source = "198.51.100.7", .destination = "192.0.2.10", .destination_port = 5060};
	struct frame frame;

	frame_build(&frame, &spec);
	cr_assert_eq(run_frame(row_program.fd, &frame, &(struct run_options){}), XDP_TX);
	ring_buffer__consume(records);
	return record.reason;
}

#define BYE(call_id)                                                                                                   \
	"BYE sip:bob@example.net SIP/2.0\r\n"                                                                          \
	"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-2\r\n"                                                      \
	"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.net>;tag=2\r\n"                                   \
	"Call-ID: " call_id "\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"

Test(observer, names_the_reason_in_a_migrating_slot)
{
	static uint16_t previous[4096];
	struct pool pool;

	for (size_t i = 0; i < 4096; i++)
		previous[i] = 4;
	run_must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.pools), &(__u32){0}, &pool), "pools");
	pool.migrating = 1;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.previous_owners), &(__u32){0}, previous, BPF_ANY),
		"previous_owners");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &(__u32){0}, &pool, BPF_ANY), "pools");
	cr_expect_eq(run_message(ROW_INVITE), REASON_SLOT, "a new call");
	cr_expect_eq(run_message(BYE(ROW_CALL_ID)), REASON_TRACKED_CALL, "the same call");
	cr_expect_eq(run_message(BYE("older@example.net")), REASON_PREVIOUS_OWNER, "a call from before the migration");
}
