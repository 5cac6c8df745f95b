// SPDX-License-Identifier: GPL-2.0
/* bpf/sip_headers.h, bpf/sip_dialog.h and bpf/sip_usual.h return the same results for a message in the kernel and in
 * the host build: the verifier of each tested kernel does not change them. */

#include <criterion/criterion.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/sip_usual.h"
#include "require.h"
#include "rng.h"
#include "shared.h"
#include "sip_message.h"
#include "sip_rows.h"
#include "tests/prog/sip_reader.skel.h"

#define MESSAGES 100000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct source {
	struct sip_text text;
};

#define PAID_STEP(step, type)                                                                                          \
	static int read_##step(struct source *source, __u32 at, type *result)                                          \
	{                                                                                                              \
		__u16 budget = SIP_PACKET_BUDGET;                                                                      \
                                                                                                                       \
		return sip_##step(source->text, at, result, &budget);                                                  \
	}
PAID_STEP(uri, __u32)
PAID_STEP(uri_host, __u32)
PAID_STEP(via_host, __u32)
PAID_STEP(host, struct sip_host)
PAID_STEP(user, struct sip_user)

static int read_has_tag(struct source *source, __u32 colon)
{
	__u16 budget = SIP_PACKET_BUDGET;

	return sip_has_tag(source->text, colon, &budget);
}

static int read_find_header(struct source *source, __u32 line, __u32 name, __u32 *colon)
{
	struct sip_lines lines = {.at = line};
	__u16 budget = SIP_PACKET_BUDGET;
	int result = sip_find_header(source->text, &lines, name, &budget);

	*colon = lines.colon[name];
	return result;
}

PAID_STEP(value_at, __u32)

PAID_STEP(usual_host, __u32)

static int read_start(struct source *source, struct sip_start *start)
{
	return sip_find_start(source->text, 0, start);
}

static int read_usual_parameter(struct source *source, __u32 colon, __u64 name, __u32 *hash)
{
	const __u64 hash_key[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	__u16 budget = SIP_PACKET_BUDGET;

	return sip_usual_parameter(source->text, colon, name, hash, hash_key, &budget);
}

static int read_usual_cseq(struct source *source, __u32 colon, __u32 *number)
{
	return sip_usual_cseq(source->text, colon, number);
}

static __u64 read_usual_user(struct source *source, __u32 colon)
{
	struct sip_user user = {.hash_key = {0x0123456789abcdef, 0xfedcba9876543210}};
	__u16 budget = SIP_PACKET_BUDGET;

	return sip_usual_user(source->text, colon, &user, &budget) == SIP_FOUND ? user.hash : 0;
}

static int read_parameter(struct source *source, __u32 colon, __u64 name, __u32 *at)
{
	__u16 budget = SIP_PACKET_BUDGET;

	return sip_parameter(source->text, colon, name, at, &budget);
}

static void read_lines(struct source *source, struct sip_lines *lines)
{
	__u16 budget = SIP_PACKET_BUDGET;

	sip_find_header(source->text, lines, SIP_HEADER_COUNT, &budget);
}

static __u32 read_token(struct source *source, __u32 at)
{
	const __u64 hash_key[2] = {0x0123456789abcdef, 0xfedcba9876543210};

	return sip_token(source->text, at, hash_key);
}

static __u64 read_part(struct source *source, __u32 at, enum sip_part_kind kind)
{
	const __u64 hash_key[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	__u16 budget = SIP_PACKET_BUDGET;
	__u64 hash;

	return sip_part(source->text, &at, kind, hash_key, &hash, &budget) ? hash : 0;
}

static __u32 read_number(struct source *source, __u32 *at)
{
	return sip_number(source->text, at);
}

#define NUMBER(step)                                                                                                   \
	static __u32 read_##step(struct source *source, __u32 at)                                                      \
	{                                                                                                              \
		return sip_##step(source->text, at);                                                                   \
	}

NUMBER(named_method)
NUMBER(is_zero)

#include "sip_reader.h"

static struct sip_reader_bpf *skel;

static void load(void)
{
	require_run();
	skel = sip_reader_bpf__open();
	run_must(!skel, "sip_reader");
	shared_load(skel->obj);
}

static void unload(void)
{
	sip_reader_bpf__destroy(skel);
}

TestSuite(sip_reader, .init = load, .fini = unload);

static struct reading in_kernel(const char *message, size_t length)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = message, .data_size_in = length, .repeat = 1);
	struct reading reading = {};
	int readings = bpf_map__fd(skel->maps.readings);

	run_must(bpf_map_update_elem(readings, &(__u32){0}, &reading, BPF_ANY), "readings");
	run_must(bpf_prog_test_run_opts(shared_program(skel->obj), &run), "sip_reader");
	run_must(bpf_map_lookup_elem(readings, &(__u32){0}, &reading), "readings");
	return reading;
}

static struct reading on_host(const char *message, size_t length)
{
	const __u8 *data = (const __u8 *)message;
	struct source source = {.text = sip_text(data, data + length, SIP_OFFSET_LIMIT, 0)};
	struct reading reading = {};

	read_message(&source, &reading);
	return reading;
}

/* One bit for each part of a message that was found. */
static uint32_t found_in(const struct reading *reading)
{
	uint32_t found = (reading->tag == SIP_FOUND) | (reading->dialog.to_prefix != 0) << (1 + 2 * READING_COUNT);

	for (int i = 0; i < READING_COUNT; i++) {
		found |= (reading->of[i].host.hash != 0) << (1 + 2 * i);
		found |= (reading->of[i].user.hash != 0) << (2 + 2 * i);
	}
	return found;
}

/* Ends the test at the first difference. */
static void compare(const struct reading *host, const struct reading *kernel, const char *message)
{
	static const char *const names[] = {"To", "From", "Via", "Route", "Request-URI"};

	cr_assert(memcmp(&kernel->start, &host->start, sizeof(host->start)) == 0,
		"start-line at %u, method %u, code %u, and not %u, %u, %u\n%s", kernel->start.line,
		kernel->start.method, kernel->start.code, host->start.line, host->start.method, host->start.code,
		message);
	for (int i = 0; i < READING_COUNT; i++) {
		const struct reading_of *a = &kernel->of[i], *b = &host->of[i];

		cr_assert(memcmp(a, b, sizeof(*a)) == 0,
			"%s: result %u, colon %u, at %u, host at %u, %lx, port %x, user %lx, and not "
			"result %u, colon %u, at %u, host at %u, %lx, port %x, user %lx\n%s",
			names[i], a->result, a->colon, a->at, a->host_at, (long)a->host.hash, a->host.port,
			(long)a->user.hash, b->result, b->colon, b->at, b->host_at, (long)b->host.hash, b->host.port,
			(long)b->user.hash, message);
	}
	cr_assert(memcmp(&kernel->dialog, &host->dialog, sizeof(host->dialog)) == 0,
		"dialog: method %u, tags %x and %x, branch %x, and not %u, %x and %x, %x\n%s", kernel->dialog.method,
		kernel->dialog.from_tag, kernel->dialog.to_tag, kernel->dialog.branch, host->dialog.method,
		host->dialog.from_tag, host->dialog.to_tag, host->dialog.branch, message);
	cr_assert_eq(kernel->tag, host->tag, "tag %u, not %u\n%s", kernel->tag, host->tag, message);
}

static uint32_t check(const char *message, size_t length, const char *name)
{
	struct reading host = on_host(message, length), kernel = in_kernel(message, length);
	char text[SIP_MESSAGE_SIZE + 128];

	snprintf(text, sizeof(text), "%s\n%.*s", name, (int)length, message);
	compare(&host, &kernel, text);
	return found_in(&host);
}

static const char *const vias[] = {"SIP/2.0/UDP 192.0.2.7:5060;branch=1",
	"SIP / 2.0 / TLS-SCTP \t[2001:db8::9:1] : 5061", "SIP/2.0/UDP px1.example.net.;branch=1",
	"sip/2.0/udp\r\n [1:2:3:4:5:6:1.2.3.4]", "SIP/2.0/TCP a.example:65535, x",
	"SIP/2.0/UDP a-name-of-some-length.with-many.labels-and.more-than.one-word.example.net:5060"};
static const char *const uris[] = {"sip:px1.example.net;lr", "sips:bob;x=1:pw@[2001:db8::10]:5070",
	"tel:+49(30)-12.3;x=y", "sip:%61lice%40here@192.0.2.1:5060", "SIP:+4930123456789@x.example?Subject=y",
	"mailto:bob@example.net",
	"sip:a-user-that-is-longer-than-what-counts-of-one-which-is-sixty-four-bytes@example.net",
	"sip:[::ffff:192.0.2.1]"};
static const char *const names[] = {"", "", "Bob", "\"Bob <sip:x@y>\\\";tag=1\" ", "\r\n "};
static const char *const params[] = {"", ";tag=1", ";tag=px1-8f3a", ";tag=a-prefix", ";x=1;tag= 0123456789abcdef0.1",
	" ;\r\n x=\"y;tag=2\" ; TAG =1", ";tags=1", ";tag"};

static const char *one_of(struct rng *rng, const char *const *texts, size_t count)
{
	return texts[rng_below(rng, count)];
}

#define ONE_OF(rng, texts) one_of(rng, texts, COUNT(texts))

static void write_message(struct rng *rng, struct sip_message *m)
{
	static const char *const headers[] = {"To", "t", "From", "f", "Route", "ROUTE", "Subject"};
	char *at = m->text;

	at += sprintf(at, "INVITE %s SIP/2.0\r\nVia: %s\r\n", ONE_OF(rng, uris), ONE_OF(rng, vias));
	for (uint32_t left = 1 + rng_below(rng, 6); left; left--)
		at += sprintf(at, rng_percent(rng, 80) ? "%s: %s<%s>%s\r\n" : "%s : %s %s%s\n", ONE_OF(rng, headers),
			ONE_OF(rng, names), ONE_OF(rng, uris), ONE_OF(rng, params));
	at += sprintf(at, "CSeq: 1 INVITE\r\n\r\n%s", rng_percent(rng, 50) ? "v=0\r\nt=0 0\r\n" : "");
	m->length = at - m->text;
	if (rng_percent(rng, 50))
		sip_message_spoil(rng, m);
}

Test(sip_reader, kernel_and_host_agree)
{
	uint32_t messages = rng_frames(MESSAGES), found = 0;
	uint64_t seed = rng_seed();

	for (uint32_t n = 0; n < messages; n++) {
		struct rng rng = rng_start(seed, n);
		struct sip_message message;
		char name[64];

		snprintf(name, sizeof(name), "SIPXDP_SEED=%lu, message %u", seed, n);
		if (rng_percent(&rng, 80))
			write_message(&rng, &message);
		else
			sip_message_write(&rng, "1", &message);
		if (message.length >= 14) /* shorter ones cannot be run */
			found |= check(message.text, message.length, name);
	}
	cr_expect_eq(found, 0xfff & ~(1u << (2 + 2 * READING_VIA)), "some parts were never found: %x", found);
}

Test(sip_reader, rows)
{
	for (size_t i = 0; i < sip_row_count; i++) {
		if (sip_row_length(&sip_rows[i]) >= 14)
			check(sip_rows[i].text, sip_row_length(&sip_rows[i]), sip_rows[i].sentence);
	}
}
