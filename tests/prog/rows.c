// SPDX-License-Identifier: GPL-2.0
/* See rows.h. */

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include "rows.h"
#include "shared.h"
#include "bpf/hash.h"

/* A row in one of its address families. */
struct run {
	const struct row *row;
	struct frame_spec spec;
	struct frame_spec key; /* the packet whose source determines the owner: the frame itself, or the packet that an
				  ICMP error quotes, with source and destination exchanged */
	struct frame in, out;
	const char *family;
};

static void put_trailer(struct frame *frame, const struct row *row)
{
	size_t text = row->tail ? strlen(row->tail) : 0;

	memset(frame->data + frame->length, 0xa5, row->trailer);
	memcpy(frame->data + frame->length, row->tail ? row->tail : "", text < row->trailer ? text : row->trailer);
	frame->length += row->trailer;
}

/* `shift` is the number of bytes by which the changed bytes have moved since the frame arrived. */
static void put_pokes(struct frame *frame, const struct row *row, int shift)
{
	for (size_t i = 0; i < 4 && row->pokes[i].at; i++)
		frame->data[row->pokes[i].at + shift] = row->pokes[i].value;
}

static uint64_t source_hash(const struct frame_spec *spec, bool by_address, const uint64_t hash_key[2])
{
	const __u64 key[2] = {hash_key[0], hash_key[1]};
	struct address source = {.word = {0, 0, htonl(0xffff), 0}};

	if (inet_pton(AF_INET, spec->source, &source.word[3]) != 1)
		inet_pton(AF_INET6, spec->source, &source);
	return hash_source(&source, by_address ? 0 : htons(spec->source_port ? spec->source_port : 5060), key);
}

static uint64_t expected_hash(const struct run *run)
{
	const char *call_id = run->row->call_id;

	return call_id ? balancer_hash(call_id, strlen(call_id))
		       : source_hash(&run->key, run->row->by_address, test_hash_key);
}

static uint32_t expected_owner(const struct run *run)
{
	uint64_t hash = expected_hash(run);

	if (run->row->backend)
		return run->row->backend;
	return balancer_owner(&run->row->setup, run->row->service == SERVICE_ANY || run->row->other_pool, hash);
}

static const char *format_address(const struct address *address, char text[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address))
		return inet_ntop(AF_INET, &address->word[3], text, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

/* The upper half of the hash of the key. The port of a backend has no service, and therefore no hash key. */
static uint32_t expected_entropy(const struct run *run)
{
	static const uint64_t no_key[2];

	return (run->row->backend ? source_hash(&run->key, false, no_key) : expected_hash(run)) >> 32;
}

/* The outer source address, whose last bits are the first bits of the entropy. */
static struct address expected_source(const struct run *run, const struct backend *backend)
{
	struct address source = backend->source;

	if (backend->source_bits)
		source.word[3] ^= htonl(expected_entropy(run) >> (32 - backend->source_bits));
	return source;
}

/* The expected tunnelled frame: the outer headers and the received packet, with a TTL decremented by 1. */
static void expect_tunnel(const struct run *run, const struct backend *backend, struct frame *out)
{
	struct frame_spec inner = run->spec, outer = *run->row->tunnel;
	struct address from = expected_source(run, backend);
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	size_t outer_size;
	uint8_t *ip;

	outer_size = strchr(format_address(&backend->address, destination), ':') ? 40 : 20;
	inner.ttl = (inner.ttl ? inner.ttl : 64) - 1;
	outer.inner = &inner;
	outer.dont_fragment = true;
	outer.source = format_address(&from, source);
	outer.destination = format_address(&backend->address, destination);
	if (!run->row->untagged)
		memcpy(outer.vlan, inner.vlan, sizeof(outer.vlan));
	outer.gue = backend->forward == FORWARD_GUE;
	outer.source_port = 49152 + expected_entropy(run) % 16384; /* one of the dynamic ports */
	outer.destination_port = TEST_GUE_PORT;
	frame_build(out, &outer);
	put_pokes(out, run->row, outer_size + 8 * outer.gue);
	ip = out->data + 14 + 4 * ((outer.vlan[0] != 0) + (outer.vlan[1] != 0));
	if (outer.gue && outer_size == 40) /* the changed bytes are in the sum */
		frame_put_udp_checksum(ip, out->data + out->length - ip);
	put_trailer(out, run->row);
}

static void expect_direct(const struct run *run, struct frame *out)
{
	size_t tags = 4 * ((run->spec.vlan[0] != 0) + (run->spec.vlan[1] != 0));

	*out = run->in;
	if (run->row->untagged) {
		memmove(out->data + 12, out->data + 12 + tags, out->length - 12 - tags);
		out->length -= tags;
	}
}

/* The expected packet after NAT: the same packet to the backend. In an ICMP error, the quoted packet is from the
 * backend. */
static void expect_nat(const struct run *run, const struct backend *backend, struct frame *out)
{
	struct frame_spec spec = run->spec, quote;
	uint16_t port = run->row->keeps_port ? 0 : run->row->setup.port;
	char address[INET6_ADDRSTRLEN];

	spec.destination = format_address(&backend->address, address);
	spec.destination_port = port ? port : spec.destination_port;
	if (spec.quote) {
		quote = *spec.quote;
		quote.source = address;
		quote.source_port = port ? port : quote.source_port;
		spec.quote = &quote;
	}
	if (run->row->untagged)
		memset(spec.vlan, 0, sizeof(spec.vlan));
	frame_build(out, &spec);
	put_pokes(out, run->row, 0);
	put_trailer(out, run->row);
}

/* The expected echo reply: the request with source and destination exchanged. */
static void expect_echo_reply(const struct run *run, struct frame *out)
{
	struct frame_spec reply = run->spec;

	reply.source = run->spec.destination;
	reply.destination = run->spec.source;
	reply.from_mac = run->spec.to_mac ? run->spec.to_mac : "02:00:00:00:00:01";
	reply.to_mac = run->spec.from_mac ? run->spec.from_mac : "02:00:00:00:00:99";
	reply.ttl = 64;
	reply.icmp_type = run->spec.icmp_type == 8 ? FRAME_ECHO_REPLY : 129;
	frame_build(out, &reply);
	put_trailer(out, run->row);
}

static void expect(const struct run *run, struct frame *out)
{
	struct backend backend;

	if (run->row->verdict == VERDICT_echo_reply) {
		expect_echo_reply(run, out);
		return;
	}
	if (!balancer_forwards(run->row->verdict)) {
		*out = run->in;
		return;
	}
	backend = balancer_backend(&run->row->setup, expected_owner(run));
	if (run->row->setup.forward == FORWARD_NAT)
		expect_nat(run, &backend, out);
	else if (run->row->tunnel)
		expect_tunnel(run, &backend, out);
	else
		expect_direct(run, out);
	memcpy(out->data, &backend.next_hop, 6);
	memcpy(out->data + 6, &backend.interface_mac, 6);
}

static void check_frame(const struct run *run)
{
	static struct frame expected;
	size_t at = 0;

	expect(run, &expected);
	cr_expect_eq(run->out.length, expected.length, "%s (%s): frame out has %zu bytes, not %zu", run->row->sentence,
		run->family, run->out.length, expected.length);
	if (run->out.length != expected.length)
		return;
	while (at < expected.length && run->out.data[at] == expected.data[at])
		at++;
	cr_expect_eq(at, expected.length, "%s (%s): frame out differs at byte %zu: %02x, not %02x", run->row->sentence,
		run->family, at, run->out.data[at], expected.data[at]);
}

static bool is_for_service(enum verdict verdict)
{
	return verdict != VERDICT_not_service && verdict != VERDICT_not_ip && verdict != VERDICT_malformed &&
	       verdict != VERDICT_held_fragment && verdict != VERDICT_orphan_fragment &&
	       verdict != VERDICT_echo_reply && verdict != VERDICT_probe_reply && verdict != VERDICT_lost_probe_reply &&
	       verdict != VERDICT_other_host;
}

static void check_traffic(const struct run *run, const char *whose, const struct traffic *before,
	const struct traffic *after, bool counts)
{
	uint64_t packets = after->packets - before->packets, bytes = after->bytes - before->bytes;

	cr_expect(packets == counts && bytes == (counts ? run->in.length : 0),
		"%s (%s): %s counts %lu packets of %lu bytes, not %d of %zu", run->row->sentence, run->family, whose,
		packets, bytes, counts, run->in.length);
}

static void check_counts(
	const struct run *run, const struct balancer_counts *before, const struct balancer_counts *after)
{
	static const char *const names[] = {"SERVICE_SIP", "SERVICE_ANY", "SERVICE_ONE", "SERVICE_TCP", "SERVICE_NEAR",
		"SERVICE_SPLIT", "SERVICE_USER"};
	enum verdict wanted = run->row->verdict;

	for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
		uint64_t times = after->verdicts[verdict] - before->verdicts[verdict];

		cr_expect_eq(times, verdict == wanted, "%s (%s): verdict %s was counted %lu times, not %d",
			run->row->sentence, run->family, balancer_verdict_name(verdict), times, verdict == wanted);
	}
	for (enum test_service id = 0; id < SERVICE_COUNT; id++)
		check_traffic(run, names[id], &before->service[id], &after->service[id],
			is_for_service(wanted) && id == run->row->service);
	check_traffic(run, "all backends", &before->total, &after->total, balancer_forwards(wanted));
}

/* Only the counters of the owner increase. The totals have been checked already. */
static void check_owner(struct balancer_bpf *skel, const struct run *run, const struct traffic *before)
{
	struct traffic after = balancer_traffic(skel, expected_owner(run));

	check_traffic(run, "its owner", before, &after, true);
}

/* The earlier frame has the same source and the same VIP. */
static void run_before(struct balancer_bpf *skel, const struct run *run)
{
	struct frame_spec spec = *run->row->before;
	struct frame frame;

	spec.source = spec.source ? spec.source : run->spec.source;
	spec.destination = run->spec.destination;
	for (int i = 0; i < (run->row->before_count ?: 1); i++) {
		frame_build(&frame, &spec);
		cr_expect_eq(balancer_run(skel, &frame) == XDP_DROP, run->row->before_is_dropped,
			"%s: what comes before it", run->row->sentence);
	}
}

static int run_in_family(struct balancer_bpf *skel, struct run *run)
{
	uint32_t backends = run->row->setup.backends ? run->row->setup.backends : 4;
	struct balancer_counts before, after;
	struct traffic owner_before;
	int result;

	if (run->row->before)
		run_before(skel, run);
	frame_build(&run->in, &run->spec);
	put_pokes(&run->in, run->row, 0);
	put_trailer(&run->in, run->row);
	run->out = run->in;
	if (row_program.predict)
		row_program.predict(run->row, &run->in);
	balancer_count(skel, backends, &before);
	owner_before = balancer_traffic(skel, expected_owner(run));
	balancer_drain(skel);
	result = run_frame(row_program.fd ? row_program.fd : shared_program(skel->obj), &run->out, &run->row->run);
	if (result == -EINVAL)
		return result;
	if (row_program.check)
		row_program.check(run->row, &run->in);
	balancer_count(skel, backends, &after);
	cr_expect_eq(result, (int)run->row->action, "%s (%s): XDP action %d, not %u", run->row->sentence, run->family,
		result, run->row->action);
	check_counts(run, &before, &after);
	if (balancer_forwards(run->row->verdict))
		check_owner(skel, run, &owner_before);
	check_frame(run);
	return 0;
}

static bool is_second_vip(enum test_service service)
{
	return service == SERVICE_ANY || service == SERVICE_ONE;
}

static struct run run_of(const struct row *row, bool ipv6)
{
	static const char *const vips[][2] = {{"192.0.2.10", "2001:db8::10"}, {"192.0.2.20", "2001:db8::20"}};
	struct run run = {.row = row, .spec = row->in, .family = ipv6 ? "IPv6" : "IPv4"};
	static struct frame_spec quote;

	if (!run.spec.source)
		run.spec.source = ipv6 ? "2001:db8::7" : "198.51.100.7";
	if (!run.spec.destination)
		run.spec.destination = vips[is_second_vip(row->service)][ipv6];
	run.key = run.spec;
	if (!row->in.quote)
		return run;
	quote = *row->in.quote;
	if (!quote.source)
		quote.source = run.spec.destination;
	if (!quote.destination)
		quote.destination = ipv6 ? "2001:db8::7" : "198.51.100.7";
	run.spec.quote = &quote;
	run.key = (struct frame_spec){.source = quote.destination, .source_port = quote.destination_port};
	return run;
}

struct row_program row_program;

int row_run(struct balancer_bpf *skel, const struct row *row)
{
	static struct run run;
	struct row ipv6 = *row;
	int error = 0;

	balancer_fill(skel, &row->setup);
	if (row->families != IPV6_ONLY) {
		run = run_of(row, false);
		error = run_in_family(skel, &run);
	}
	if (row->families == IPV4_ONLY || error)
		return error;
	if (row->setup.forward == FORWARD_NAT) {
		ipv6.setup.ipv6_backends = true;
		balancer_fill(skel, &ipv6.setup);
	}
	run = run_of(&ipv6, true);
	return run_in_family(skel, &run);
}

void row_run_table(struct balancer_bpf *skel, const struct row_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		cr_expect_eq(row_run(skel, &table->rows[i]), 0, "%s: this kernel does not take its run options",
			table->rows[i].sentence);
}
