// SPDX-License-Identifier: GPL-2.0
/* The balancer, packet by packet: runs the rows, and tests in loops what rows do not cover. test_spellings.c tests
 * the forms of a Call-ID header. */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <string.h>
#include <time.h>
#include "bpf/abi_punt.h"
#include "rows.h"
#include "suite.h"

static const struct row_table *const tables[] = {
	&rows_services,
	&rows_direct,
	&rows_tunnel,
	&rows_gue,
	&rows_malformed,
	&rows_fragments,
	&rows_icmp,
	&rows_keys,
	&rows_ranges,
	&rows_ping,
	&rows_probes,
	&rows_oversize,
	&rows_names,
	&rows_guard,
	&rows_nat,
};

static void load(void)
{
	suite_load(&(struct balancer_setup){});
}

TestSuite(balancer, .init = load, .fini = suite_unload);

Test(balancer, services)
{
	row_run_table(skel, &rows_services);
}

Test(balancer, direct_server_return)
{
	row_run_table(skel, &rows_direct);
}

Test(balancer, tunnels)
{
	row_run_table(skel, &rows_tunnel);
}

Test(balancer, tunnels_in_udp)
{
	row_run_table(skel, &rows_gue);
}

Test(balancer, malformed_headers)
{
	row_run_table(skel, &rows_malformed);
}

Test(balancer, fragments)
{
	row_run_table(skel, &rows_fragments);
}

Test(balancer, icmp)
{
	row_run_table(skel, &rows_icmp);
}

Test(balancer, names)
{
	row_run_table(skel, &rows_names);
}

Test(balancer, nat)
{
	row_run_table(skel, &rows_nat);
}

Test(balancer, guard)
{
	row_run_table(skel, &rows_guard);
}

Test(balancer, other_keys)
{
	row_run_table(skel, &rows_keys);
}

Test(balancer, ranges_of_ports)
{
	row_run_table(skel, &rows_ranges);
}

Test(balancer, pings)
{
	row_run_table(skel, &rows_ping);
}

Test(balancer, replies_to_probes)
{
	row_run_table(skel, &rows_probes);
}

static int copy_punt(void *data, void *held, size_t size)
{
	cr_expect_geq(size, PUNT_HEADER);
	cr_expect_leq(size, sizeof(struct punt));
	memcpy(data, held, size);
	return 0;
}

Test(balancer, a_probe_reply_is_punted_unchanged)
{
	struct ring_buffer *ring;
	struct punt held = {};
	struct frame frame, before;

	frame_build(&frame, &(struct frame_spec){.source = "192.0.2.10",
				    .destination = TEST_PROBE_ADDRESS,
				    .payload = "SIP/2.0 200 OK\r\n\r\n",
				    .vlan = {100}});
	before = frame;
	ring = ring_buffer__new(bpf_map__fd(skel->maps.punt_probes), copy_punt, &held, NULL);
	cr_assert(ring);
	cr_expect_eq(balancer_run(skel, &frame), XDP_DROP);
	cr_expect_eq(ring_buffer__consume(ring), 1);
	cr_expect_eq(held.length, before.length);
	cr_expect_eq(held.ifindex, TEST_IFINDEX);
	cr_expect_arr_eq(held.frame, before.data, before.length);
	ring_buffer__free(ring);
}

/* No process reads the ring buffer. When it is full, probe replies are passed to the kernel and counted. */
Test(balancer, probe_replies_pass_when_the_ring_is_full)
{
	uint32_t held = 0, lost = 0;
	struct frame frame;

	for (int i = 0; i < TEST_RING_BYTES / PUNT_SMALL_FRAME + 1; i++) {
		frame_build(&frame, &(struct frame_spec){.source = "192.0.2.10", .destination = TEST_PROBE_ADDRESS});
		if (balancer_run(skel, &frame) == XDP_PASS)
			lost++;
		else
			held++;
	}
	cr_expect_gt(held, 400);
	cr_expect_gt(lost, 0);
	cr_expect_eq(balancer_verdict(skel, VERDICT_probe_reply), held);
	cr_expect_eq(balancer_verdict(skel, VERDICT_lost_probe_reply), lost);
}

Test(balancer, oversize)
{
	row_run_table(skel, &rows_oversize);
}

/* A frame without headroom for an outer header. */
static const struct row no_headroom = {
	.sentence = "no headroom for an outer header: passed to the kernel",
	.in = {.payload = ROW_INVITE},
	.run = {.taken = 216},
	.setup = {.forward = FORWARD_IPIP},
	.verdict = VERDICT_no_headroom,
	.action = XDP_PASS,
};

static void run_or_skip(const struct row *row)
{
	if (row_run(skel, row) == -EINVAL)
		cr_skip_test("this kernel's BPF_PROG_TEST_RUN cannot make such a frame: %s", row->sentence);
}

Test(balancer, no_headroom)
{
	run_or_skip(&no_headroom);
}

Test(balancer, just_enough_headroom)
{
	/* The kernel reserves 40 of the 256 bytes. */
	static const struct frame_spec outer = {.tos = 0};
	static const struct row row = {
		.sentence = "headroom for exactly one outer header",
		.in = {.payload = ROW_INVITE},
		.run = {.taken = 256 - 40 - 20},
		.setup = {.forward = FORWARD_IPIP},
		.families = IPV4_ONLY,
		.verdict = VERDICT_call_id,
		.action = XDP_TX,
		.call_id = ROW_CALL_ID,
		.tunnel = &outer,
	};

	run_or_skip(&row);
}

/* The tests above fail if a row does not reach its verdict. No stage refuses INVITEs yet. */
Test(balancer, every_verdict_is_reached)
{
	uint32_t rows[VERDICT_COUNT] = {[VERDICT_no_headroom] = 1};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (size_t n = 0; n < tables[i]->count; n++)
			rows[tables[i]->rows[n].verdict]++;
	}
	rows[VERDICT_refused] = rows[VERDICT_refused_ack] = 1; /* reached in test_guard_refuse.c */
	for (enum verdict verdict = VERDICT_nat_out; verdict <= VERDICT_nat_no_route; verdict++)
		rows[verdict] = 1; /* reached in test_nat.c */
	for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++)
		cr_expect(rows[verdict], "no row reaches the verdict %s", balancer_verdict_name(verdict));
}

/* Fixed expected values: a change of the hash or of the slot selection moves every call of every running group
 * of balancers, and must change these numbers deliberately. */
Test(balancer, slots_of_call_ids_never_change)
{
	static const struct {
		const char *call_id;
		uint32_t slot; /* of 4096, with test_hash_key */
	} rows[] = {
		{ROW_CALL_ID, 2321},
		{"1", 3491},
		{"12345678", 2172},
		{"1-4711@198.51.100.7", 1879},
		{"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", 3977},
	};
	const struct balancer_setup setup = {.backends = 4096};
	struct balancer_bpf *wide = balancer_load(&setup);
	char text[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame_spec spec = {.payload = text};
		struct frame frame;

		snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\nCall-ID: %s\r\nCSeq: 1 BYE\r\n\r\n", rows[i].call_id);
		frame_build(&frame, &spec);
		cr_expect_eq(balancer_run(wide, &frame), XDP_TX);
		cr_expect_eq(balancer_receiver(&frame) - 1, rows[i].slot, "%s has slot %u, not %u", rows[i].call_id,
			balancer_receiver(&frame) - 1, rows[i].slot);
	}
	balancer_unload(wide);
}

Test(balancer, one_update_switches_the_table)
{
	const struct balancer_setup setup = {};
	struct pool pool = {.table = 1};
	uint32_t owner = balancer_owner(&setup, SERVICE_SIP, balancer_hash(ROW_CALL_ID, strlen(ROW_CALL_ID)));
	uint16_t slots[4096];
	struct frame frame;
	uint32_t zero = 0;

	for (uint32_t slot = 0; slot < 4096; slot++)
		slots[slot] = 1 + (slot + 1) % 4;
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(skel->maps.tables), &pool.table, slots, BPF_ANY), 0);
	frame_build(&frame, &(struct frame_spec){.payload = ROW_INVITE});
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
	cr_expect_eq(balancer_receiver(&frame), owner, "a table that is not in use changes nothing");

	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &zero, &pool, BPF_ANY), 0);
	frame_build(&frame, &(struct frame_spec){.payload = ROW_INVITE});
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
	cr_expect_eq(balancer_receiver(&frame), 1 + owner % 4);
}

/* A slot or a pool with an invalid backend or table number: no packet is forwarded. */
Test(balancer, invalid_numbers)
{
	struct pool pool = {.table = 0xffffffff};
	struct frame frame, before;
	uint16_t slots[4096];
	uint32_t zero = 0;

	frame_build(&before, &(struct frame_spec){.payload = ROW_INVITE});
	frame = before;
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &zero, &pool, BPF_ANY), 0);
	cr_expect_eq(balancer_run(skel, &frame), XDP_PASS);

	pool.table = 0;
	memset(slots, 0xff, sizeof(slots));
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &zero, &pool, BPF_ANY), 0);
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(skel->maps.tables), &zero, slots, BPF_ANY), 0);
	cr_expect_eq(balancer_run(skel, &frame), XDP_PASS);
	cr_expect_eq(balancer_verdict(skel, VERDICT_no_backend), 2);
	cr_expect_arr_eq(frame.data, before.data, before.length);
}

/* Runs a frame that the program must punt, and returns the record in the ring buffer. */
static struct punt punt_of(
	const struct frame_spec *spec, const struct balancer_setup *setup, struct bpf_map *map, struct frame *frame)
{
	struct punt held = {};
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(map), copy_punt, &held, NULL);

	cr_assert(ring);
	balancer_fill(skel, setup);
	balancer_drain(skel);
	frame_build(frame, spec);
	cr_expect_eq(balancer_run(skel, frame), XDP_DROP);
	cr_expect_eq(ring_buffer__consume(ring), 1);
	cr_expect_eq(held.ifindex, TEST_IFINDEX);
	cr_expect_eq(held.length, frame->length);
	cr_expect_arr_eq(held.frame, frame->data, frame->length < PUNT_FRAME_SIZE ? frame->length : PUNT_FRAME_SIZE);
	ring_buffer__free(ring);
	return held;
}

Test(balancer, oversize_packets_are_punted)
{
	static const struct {
		struct frame_spec in;
		struct balancer_setup setup;
		uint16_t mtu;
	} rows[] = {
		{{.payload = ROW_INVITE}, {.mtu = 300}, 300},
		{{.payload = ROW_INVITE, .vlan = {100, 200}}, {.mtu = 300, .forward = FORWARD_IPIP}, 280},
		{{.payload = ROW_INVITE}, {.mtu = 300, .forward = FORWARD_IPIP, .ipv6_backends = true}, 260},
		{{.payload = ROW_INVITE, .payload_length = 3000, .dont_fragment = true}, {}, 1500},
		{{.payload = ROW_INVITE, .payload_length = 3000, .destination = "2001:db8::10"}, {}, 1500},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame frame;
		struct punt held = punt_of(&rows[i].in, &rows[i].setup, skel->maps.punt_oversize, &frame);

		cr_expect_eq(held.kind, PUNT_OVERSIZE);
		cr_expect_eq(held.mtu, rows[i].mtu, "row %zu: %u", i, held.mtu);
	}
}

Test(balancer, early_fragments_are_punted)
{
	/* In a small record, and in a large one. */
	static const uint32_t lengths[] = {4, 1000};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const struct frame_spec later = {
			.payload = ROW_INVITE, .payload_length = lengths[i], .fragment_offset = 1480, .id = 5300};
		struct frame frame;
		struct punt held = punt_of(&later, &(struct balancer_setup){}, skel->maps.punt_fragments, &frame);

		cr_expect_eq(held.kind, PUNT_FRAGMENT);
		cr_expect_eq(held.mtu, 0);
		cr_expect_eq(held.key.id, htons(5300));
		cr_expect_eq(held.key.protocol, 17);
	}
}

/* Reads all records of a ring; the last one is in `last`. */
static int read_ring(struct bpf_map *map, struct punt *last)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(map), copy_punt, last, NULL);
	int count;

	cr_assert(ring);
	count = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return count;
}

static uint64_t nsec_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* Runs three frames, the last fragment of a datagram and the first fragments of a different datagram and of this one,
 * and returns the number of reports. A report is only due within PUNT_NSEC: if the machine was slower, tries again. */
static int report_first(const struct frame_spec *later, const struct frame_spec *other, const struct frame_spec *first,
	struct punt *report)
{
	struct frame frame;
	struct punt held;
	uint64_t start;
	int count;

	do {
		run_must(bpf_map_delete_elem(bpf_map__fd(skel->maps.fragments),
				 &(struct fragment_key){.source.word = {0, 0, htonl(0xffff), inet_addr("198.51.100.7")},
					 .destination.word = {0, 0, htonl(0xffff), inet_addr("192.0.2.10")},
					 .id = htons(first->id),
					 .protocol = 17}),
			"fragments");
		start = nsec_now();
		held = punt_of(later, &(struct balancer_setup){}, skel->maps.punt_fragments, &frame);
		frame_build(&frame, other);
		cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
		cr_expect_eq(
			read_ring(skel->maps.punt_fragments, report), 0, "the first fragment of a different datagram");
		frame_build(&frame, first);
		cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
		count = read_ring(skel->maps.punt_fragments, report);
	} while (!count && nsec_now() - start > PUNT_NSEC);
	cr_expect_arr_eq(&report->key, &held.key, sizeof(held.key));
	return count;
}

Test(balancer, a_first_fragment_is_reported_when_later_fragments_wait)
{
	const struct frame_spec first = {.payload = ROW_INVITE, .more_fragments = true, .id = 5310},
				later = {.payload = "last", .fragment_offset = 1480, .id = 5310},
				other = {.payload = ROW_INVITE, .more_fragments = true, .id = 5311};
	struct punt report = {};
	struct frame frame;

	balancer_fill(skel, &(struct balancer_setup){});
	frame_build(&frame, &first);
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
	cr_expect_eq(read_ring(skel->maps.punt_fragments, &report), 0, "no fragment waits for it");
	cr_expect_eq(report_first(&later, &other, &first, &report), 1);
	cr_expect_eq(report.kind, PUNT_FIRST_SEEN);
	cr_expect_eq(report.length, 0);
}

/* --- datagrams whose fragments have all arrived */

#define PIECE 160 /* bytes of the datagram in each fragment */

static struct frame_spec piece(uint32_t number, uint32_t count, const char *vip, uint32_t id)
{
	struct frame_spec spec = {.payload = ROW_INVITE, .payload_length = PIECE, .destination = vip, .id = id};

	if (!number)
		spec.payload_length -= 8; /* for the UDP header */
	if (number == count - 1)
		spec.payload_length -= 3;
	spec.fragment_offset = number * PIECE;
	spec.more_fragments = number < count - 1;
	return spec;
}

static bool is_forwarded(uint32_t number, uint32_t count, const char *vip, uint32_t id)
{
	const struct frame_spec spec = piece(number, count, vip, id);
	struct frame frame;

	frame_build(&frame, &spec);
	return balancer_run(skel, &frame) == XDP_TX;
}

/* After that, a later fragment with the same identification belongs to the next datagram and must wait for the
 * first fragment of that datagram. */
Test(balancer, the_entry_is_deleted_after_the_last_fragment)
{
	static const char *const orders[] = {
		"012", "021", "01123", "01213", "0123", "0132", "0213", "0231", "0312", "0321", "033112", "04321"};
	static const char *const vips[] = {"192.0.2.10", "2001:db8::10"};
	uint32_t id = 6000;

	balancer_fill(skel, &(struct balancer_setup){});
	for (size_t i = 0; i < 2 * sizeof(orders) / sizeof(orders[0]); i++, id++) {
		const char *order = orders[i / 2], *vip = vips[i % 2], *at;
		uint32_t count = 0;

		for (at = order; *at; at++)
			count = (uint32_t)(*at - '0') < count ? count : (uint32_t)(*at - '0') + 1;
		for (at = order; *at; at++)
			cr_expect(is_forwarded(*at - '0', count, vip, id), "%s to %s: %c", order, vip, *at);
		balancer_drain(skel);
		cr_expect_not(is_forwarded(1, count, vip, id), "%s to %s: the next datagram", order, vip);
	}
}

/* The entry must remain until then: the missing fragments need it. */
Test(balancer, the_entry_remains_until_all_gaps_are_filled)
{
	balancer_fill(skel, &(struct balancer_setup){});
	for (const char *at = "0246135"; *at; at++)
		cr_expect(is_forwarded(*at - '0', 8, "192.0.2.10", 6100), "%c", *at);
	cr_expect(is_forwarded(7, 8, "192.0.2.10", 6100));
	cr_expect(is_forwarded(6, 7, "192.0.2.10", 6100), "after several gaps the entry remains");
}

/* Packets have a different verdict while the daemon does not read the ring buffer: it would read them too late. */
static void expect_not_read(enum punt_class class, const struct frame_spec *spec, enum verdict refused, int action)
{
	uint32_t key = class;
	struct punt_reader reader;
	struct frame frame;

	balancer_drain(skel);
	frame_build(&frame, spec);
	cr_expect_eq(balancer_run(skel, &frame), XDP_DROP);
	run_must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.punt_readers), &key, &reader), "punt_readers");
	reader.since -= PUNT_NSEC;
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.punt_readers), &key, &reader, BPF_ANY), "punt_readers");
	frame_build(&frame, spec);
	cr_expect_eq(balancer_run(skel, &frame), action, "the ring has not been read for PUNT_NSEC");
	cr_expect_eq(balancer_verdict(skel, refused), 1);
	balancer_drain(skel);
	frame_build(&frame, spec);
	cr_expect_eq(balancer_run(skel, &frame), XDP_DROP, "the ring is read again");
}

Test(balancer, nothing_is_punted_while_the_daemon_does_not_read)
{
	balancer_fill(skel, &(struct balancer_setup){.mtu = 300});
	expect_not_read(PUNT_CLASS_FRAGMENTS, &(struct frame_spec){.payload = "x", .fragment_offset = 1480, .id = 5320},
		VERDICT_orphan_fragment, XDP_PASS);
	expect_not_read(PUNT_CLASS_OVERSIZE, &(struct frame_spec){.payload = ROW_INVITE}, VERDICT_too_big, XDP_PASS);
	/* The kernel would reset the connection. */
	expect_not_read(PUNT_CLASS_OVERSIZE,
		&(struct frame_spec){.protocol = 6, .destination_port = 5061, .payload = ROW_INVITE},
		VERDICT_too_big_tcp, XDP_DROP);
}

/* A fragmented datagram goes to one backend, even if its first fragment ends before the Call-ID. The daemon
 * stores that backend just before it sends the fragments. */
Test(balancer, fragments_go_to_the_backend_of_the_datagram)
{
	const struct balancer_setup narrow = {.mtu = 300};
	struct frame_spec first = {
		.payload = "INVITE sip:bob@example.net SIP/2.0\r\nX: 0123456789", .more_fragments = true, .id = 5301};
	uint32_t owner = balancer_owner(&narrow, 0, balancer_hash(ROW_CALL_ID, strlen(ROW_CALL_ID)));
	struct punt held;
	struct fragment none;
	struct frame frame;

	held = punt_of(
		&(struct frame_spec){.payload = ROW_INVITE, .id = 5301}, &narrow, skel->maps.punt_oversize, &frame);
	cr_expect_eq(bpf_map_lookup_elem(bpf_map__fd(skel->maps.fragments), &held.key, &none), -ENOENT,
		"fragments of the previous datagram may still arrive");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.fragments), &held.key, &held.owner, BPF_ANY), "fragments");
	frame_build(&frame, &(struct frame_spec){.payload = "last", .fragment_offset = 64, .id = 5301});
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX, "in any order");
	cr_expect_eq(balancer_receiver(&frame), owner);
	frame_build(&frame, &first);
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
	cr_expect_eq(balancer_receiver(&frame), owner);
	cr_expect_eq(balancer_verdict(skel, VERDICT_fragment), 2);

	frame_build(&frame, &first);
	cr_expect_eq(balancer_run(skel, &frame), XDP_TX);
	cr_expect_eq(
		balancer_verdict(skel, VERDICT_call_id_too_far), 1, "the next datagram with the same identification");
}

Test(balancer, oversize_packets_pass_when_the_ring_is_full)
{
	const struct balancer_setup narrow = {.mtu = 300};
	struct frame frame;

	balancer_fill(skel, &narrow);
	for (int i = 0; i <= TEST_RING_BYTES / PUNT_FRAME_SIZE; i++) {
		frame_build(&frame, &(struct frame_spec){.payload = ROW_INVITE});
		balancer_run(skel, &frame);
	}
	cr_expect_gt(balancer_verdict(skel, VERDICT_oversize), 0);
	cr_expect_gt(balancer_verdict(skel, VERDICT_too_big), 0);
}

/* The checksums of the reply are incremental updates of those of the request (RFC 1624). The corner cases are
 * sums of all zeros and of all ones; the step of 5 reaches both, because 5 divides 0xffff. */
Test(balancer, echo_reply_checksums_are_right)
{
	const struct balancer_setup setup = {.ping = true};

	balancer_fill(skel, &setup);
	for (uint32_t id = 0; id < 65536; id += 5) {
		char data[] = {id >> 8, id};
		struct frame_spec spec = {.icmp_type = 8, .payload = data, .payload_length = 2, .id = id};
		struct frame frame;
		const uint8_t *ip = frame.data + 14;

		spec.ttl = 1 + id % 255;
		frame_build(&frame, &spec);
		cr_assert_eq(balancer_run(skel, &frame), XDP_TX, "id %u", id);
		cr_assert(frame_ipv4_is_sound(ip, frame.length - 14), "id %u: IP header", id);
		cr_assert(frame_icmp_is_sound(ip, frame.length - 14), "id %u: ICMP", id);
		spec.icmp_type = 128;
		spec.source = "2001:db8::7";
		spec.destination = "2001:db8::10";
		frame_build(&frame, &spec);
		cr_assert_eq(balancer_run(skel, &frame), XDP_TX, "id %u", id);
		cr_assert(frame_icmp_is_sound(ip, frame.length - 14), "id %u: ICMPv6", id);
	}
}

/* Decrementing the inner TTL updates the checksum incrementally (RFC 1624), which has corner cases. All 65,536
 * identifications produce every possible header checksum. */
Test(balancer, inner_checksum_is_right_for_every_value)
{
	const struct balancer_setup setup = {.forward = FORWARD_IPIP};

	balancer_fill(skel, &setup);
	for (uint32_t id = 0; id < 65536; id++) {
		struct frame_spec spec = {.payload = "\r\n\r\n", .id = id, .ttl = 1 + id % 255 + (id % 255 == 0)};
		struct frame frame;
		const uint8_t *outer = frame.data + 14, *inner = outer + 20;

		frame_build(&frame, &spec);
		cr_assert_eq(balancer_run(skel, &frame), XDP_TX, "id %u", id);
		cr_assert_eq(inner[8], spec.ttl - 1, "id %u: TTL %u after %u", id, inner[8], spec.ttl);
		cr_assert(frame_ipv4_is_sound(outer, frame.length - 14), "id %u: outer header", id);
		cr_assert(frame_ipv4_is_sound(inner, frame.length - 34), "id %u: inner header", id);
		cr_assert(frame_udp_is_sound(inner, frame.length - 34), "id %u: UDP", id);
	}
}
