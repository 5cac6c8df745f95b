// SPDX-License-Identifier: GPL-2.0
/* Truncated frames, frames of several buffers, and frames larger than a page. */

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <string.h>
#include "rows.h"
#include "shared.h"
#include "suite.h"

/* The bytes of a frame that BPF_PROG_TEST_RUN puts into the directly readable page. */
#define DIRECT (4096 - 256 - 320)

static void load(void)
{
	suite_load(&(struct balancer_setup){});
}

TestSuite(cut, .init = load, .fini = suite_unload);

/* Frames of every kind; `ip` is the offset of the IP header. */
static const struct {
	const char *name;
	struct frame_spec spec;
	size_t ip;
} shapes[] = {
	{"IPv4", {.payload = ROW_INVITE}, 14},
	{"IPv6", {.payload = ROW_INVITE, .destination = "2001:db8::10"}, 14},
	{"IPv4, VLAN", {.payload = ROW_INVITE, .vlan = {100}}, 18},
	{"IPv6, QinQ", {.payload = ROW_INVITE, .vlan = {100, 200}, .destination = "2001:db8::10"}, 22},
	{"IPv4 with options", {.payload = ROW_INVITE, .option_words = 10}, 14},
	{"IPv6 with extension headers", {.payload = ROW_INVITE, .extensions = 3, .destination = "2001:db8::10"}, 14},
	{"a first fragment", {.payload = ROW_INVITE, .more_fragments = true}, 14},
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* A frame that ends before its IP packet is passed unchanged. */
static void check_cut(size_t shape, const struct frame *whole, size_t length)
{
	enum verdict verdict = length < shapes[shape].ip ? VERDICT_not_ip : VERDICT_malformed;
	uint64_t before = balancer_verdict(skel, verdict);
	struct frame frame = *whole;
	uint32_t action;

	frame.length = length;
	action = balancer_run(skel, &frame);
	cr_expect_eq(action, XDP_PASS, "%s cut to %zu bytes: action %u", shapes[shape].name, length, action);
	cr_expect_eq(balancer_verdict(skel, verdict), before + 1, "%s cut to %zu bytes: not %s", shapes[shape].name,
		length, balancer_verdict_name(verdict));
	cr_expect(frame.length == length && memcmp(frame.data, whole->data, length) == 0,
		"%s cut to %zu bytes: changed", shapes[shape].name, length);
}

Test(cut, a_frame_cut_at_any_byte_is_not_forwarded)
{
	static const struct balancer_setup setups[] = {
		{}, {.forward = FORWARD_IPIP}, {.forward = FORWARD_GUE, .ipv6_backends = true}, {.ifindex = 77}};

	for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
		balancer_fill(skel, &setups[i]);
		for (size_t shape = 0; shape < SHAPES; shape++) {
			struct frame whole;

			frame_build(&whole, &shapes[shape].spec);
			for (size_t length = 14; length < whole.length; length++)
				check_cut(shape, &whole, length);
		}
	}
}

static const char invite[] = ROW_INVITE;

/* The length of the shortest prefix of the message that contains the end of its Call-ID. */
static size_t shown(void)
{
	return strstr(invite, ROW_CALL_ID) - invite + strlen(ROW_CALL_ID) + 1;
}

static uint32_t invite_owner(const struct balancer_setup *setup)
{
	return balancer_owner(setup, SERVICE_SIP, balancer_hash(ROW_CALL_ID, strlen(ROW_CALL_ID)));
}

/* A valid packet with a truncated message: its Call-ID counts only if its end is visible. */
Test(cut, a_message_cut_at_any_byte_never_has_a_different_call_id)
{
	const struct balancer_setup setup = {.backends = 4096};
	struct balancer_bpf *wide = balancer_load(&setup);

	for (size_t length = 1; length < sizeof(invite); length++) {
		uint64_t before = balancer_verdict(wide, VERDICT_call_id);
		bool is_shown = length >= shown();
		struct frame frame;

		frame_build(&frame, &(struct frame_spec){.payload = invite, .payload_length = length});
		cr_expect_eq(balancer_run(wide, &frame), XDP_TX);
		cr_expect_eq(balancer_verdict(wide, VERDICT_call_id) - before, is_shown, "%zu bytes", length);
		cr_expect_eq(balancer_receiver(&frame) == invite_owner(&setup), is_shown, "%zu bytes", length);
	}
	balancer_unload(wide);
}

/* The driver decides how many bytes of a frame are directly readable. */
static int check_split(struct balancer_bpf *wide, const struct balancer_setup *setup, size_t shape,
	const struct frame *whole, size_t direct)
{
	uint64_t by_call_id = balancer_verdict(wide, VERDICT_call_id);
	struct frame frame = *whole;
	int action = run_frame(shared_program(wide->obj), &frame, &(struct run_options){.direct = direct});

	if (action < 0)
		return action;
	by_call_id = balancer_verdict(wide, VERDICT_call_id) - by_call_id;
	if (action == XDP_PASS)
		cr_expect(frame.length == whole->length && memcmp(frame.data, whole->data, frame.length) == 0,
			"%s, %zu bytes readable: passed, but changed", shapes[shape].name, direct);
	else
		cr_expect_eq(balancer_receiver(&frame) == invite_owner(setup), by_call_id,
			"%s, %zu bytes readable: owner", shapes[shape].name, direct);
	cr_expect(action == XDP_PASS || action == XDP_TX, "%s, %zu bytes readable: action %d", shapes[shape].name,
		direct, action);
	cr_expect_eq(by_call_id, direct >= shown() + whole->length - strlen(invite),
		"%s, %zu bytes readable: forwarded %s the Call-ID", shapes[shape].name, direct,
		by_call_id ? "by" : "not by");
	return 0;
}

Test(cut, the_readable_part_of_a_frame_in_several_buffers_selects_the_backend)
{
	static const struct balancer_setup setups[] = {
		{.backends = 4096},
		{.backends = 4096, .forward = FORWARD_IPIP},
	};
	struct balancer_bpf *wide = balancer_load(&setups[0]);

	for (size_t i = 0; i < 2; i++) {
		balancer_fill(wide, &setups[i]);
		for (size_t shape = 0; shape < SHAPES; shape++) {
			struct frame whole;

			frame_build(&whole, &shapes[shape].spec);
			for (size_t direct = 14; direct < whole.length; direct++) {
				if (check_split(wide, &setups[i], shape, &whole, direct) == -EINVAL)
					cr_skip_test("this kernel's BPF_PROG_TEST_RUN cannot make frames of several "
						     "buffers");
			}
		}
	}
	balancer_unload(wide);
}

/* Writes a message of `length` bytes whose Call-ID header is at offset `call_id`. */
static void build_message(char *text, size_t call_id, size_t length)
{
	size_t start = sprintf(text, "MESSAGE sip:bob@example.net SIP/2.0\r\nSubject: ");

	memset(text + start, 'x', length - start);
	memcpy(text + call_id - 2, "\r\nCall-ID: " ROW_CALL_ID "\r\n\r\n",
		strlen("\r\nCall-ID: " ROW_CALL_ID "\r\n\r\n"));
}

Test(cut, jumbo_frames)
{
	static const struct {
		const char *sentence;
		size_t call_id; /* offset in the message */
		enum verdict verdict;
	} messages[] = {
		{"Call-ID near the start", 100, VERDICT_call_id},
		{"Call-ID at the 99th percentile of real messages", 558, VERDICT_call_id},
		{"Call-ID at the end of an Ethernet frame", 1400, VERDICT_call_id},
		{"Call-ID at the largest offset of real messages", 2745, VERDICT_call_id},
		{"Call-ID after the directly readable part", DIRECT, VERDICT_call_id_too_far},
		{"Call-ID at the end", 8900, VERDICT_call_id_too_far},
	};
	static const struct frame_spec outer = {.tos = 0};
	char text[8960];

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		struct row row = {
			.sentence = messages[i].sentence,
			.in = {.payload = text, .payload_length = sizeof(text)},
			.setup = {.mtu = 9100},
			.verdict = messages[i].verdict,
			.action = XDP_TX,
			.call_id = messages[i].verdict == VERDICT_call_id ? ROW_CALL_ID : NULL,
		};

		build_message(text, messages[i].call_id, sizeof(text));
		cr_expect_eq(row_run(skel, &row), 0);
		row.tunnel = &outer;
		row.setup.forward = FORWARD_IPIP;
		row.setup.ipv6_backends = true;
		cr_expect_eq(row_run(skel, &row), 0);
		row.setup.mtu = 9000;
		row.families = IPV4_ONLY;
		row.verdict = VERDICT_too_big;
		row.action = XDP_PASS;
		cr_expect_eq(row_run(skel, &row), 0);
		row.families = IPV6_ONLY;
		row.verdict = VERDICT_oversize;
		row.action = XDP_DROP;
		cr_expect_eq(row_run(skel, &row), 0);
	}
}

/* The length of an IPv6 packet can exceed 16 bits: it is the payload length plus 40. */
Test(cut, the_longest_ipv6_packet_is_oversize)
{
	static uint8_t data[14 + 40 + 65528];
	struct frame small;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = data, .data_size_in = sizeof(data), .data_out = data,
		.data_size_out = sizeof(data));

	frame_build(&small, &(struct frame_spec){.payload = invite, .destination = "2001:db8::10"});
	memcpy(data, small.data, small.length);
	data[14 + 4] = data[54 + 4] = 65528 >> 8;
	data[14 + 5] = data[54 + 5] = 65528 & 0xff;
	cr_assert_eq(bpf_prog_test_run_opts(shared_program(skel->obj), &run), 0);
	cr_expect_eq(run.retval, XDP_DROP);
	cr_expect_eq(balancer_verdict(skel, VERDICT_oversize), 1);
}
