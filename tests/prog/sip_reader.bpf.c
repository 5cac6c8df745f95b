// SPDX-License-Identifier: GPL-2.0
/* Reads a frame that consists of a SIP message only, for test_sip_reader.c. */

#include "bpf/frame.h"
#include "bpf/sip_usual.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline struct sip_text text(const struct xdp_md *ctx)
{
	return sip_text(frame_start(ctx), frame_end(ctx), SIP_OFFSET_LIMIT, unknown_zero(ctx));
}

/* Each step has a budget of its own. */
#define source xdp_md
#define PAID_STEP(step, type)                                                                                          \
	__noinline int read_##step(struct xdp_md *ctx, __u32 at, type *result)                                         \
	{                                                                                                              \
		__u16 budget = SIP_PACKET_BUDGET;                                                                      \
                                                                                                                       \
		return result ? sip_##step(text(ctx), at, result, &budget) : SIP_NOT_SIP;                              \
	}

PAID_STEP(uri, __u32)
PAID_STEP(uri_host, __u32)
PAID_STEP(via_host, __u32)
PAID_STEP(host, struct sip_host)
PAID_STEP(user, struct sip_user)

__noinline int read_has_tag(struct xdp_md *ctx, __u32 colon)
{
	__u16 budget = SIP_PACKET_BUDGET;

	return sip_has_tag(text(ctx), colon, &budget);
}

__noinline int read_lines(struct xdp_md *ctx, struct sip_lines *lines)
{
	__u16 budget = SIP_PACKET_BUDGET;

	return lines ? sip_find_header(text(ctx), lines, SIP_HEADER_COUNT, &budget) : SIP_NOT_SIP;
}

__noinline int read_find_header(struct xdp_md *ctx, __u32 line, __u32 name, __u32 *colon)
{
	struct sip_lines lines = {.at = line};
	__u16 budget = SIP_PACKET_BUDGET;
	int result;

	if (!colon || name >= SIP_HEADER_COUNT)
		return SIP_NOT_SIP;
	result = sip_find_header(text(ctx), &lines, name, &budget);
	*colon = lines.colon[name];
	return result;
}

PAID_STEP(value_at, __u32)

PAID_STEP(usual_host, __u32)

__noinline int read_start(struct xdp_md *ctx, struct sip_start *start)
{
	return start ? sip_find_start(text(ctx), 0, start) : SIP_NOT_SIP;
}

__noinline int read_usual_parameter(struct xdp_md *ctx, __u32 colon, __u64 name, __u32 *hash)
{
	const __u64 hash_key[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	__u16 budget = SIP_PACKET_BUDGET;

	return hash ? sip_usual_parameter(text(ctx), colon, name, hash, hash_key, &budget) : SIP_TOO_FAR;
}

__noinline int read_usual_cseq(struct xdp_md *ctx, __u32 colon, __u32 *number)
{
	return number ? sip_usual_cseq(text(ctx), colon, number) : METHOD_NONE;
}

__noinline __u64 read_usual_user(struct xdp_md *ctx, __u32 colon)
{
	struct sip_user user = {.hash_key = {0x0123456789abcdef, 0xfedcba9876543210}};
	__u16 budget = SIP_PACKET_BUDGET;

	return sip_usual_user(text(ctx), colon, &user, &budget) == SIP_FOUND ? user.hash : 0;
}

__noinline int read_parameter(struct xdp_md *ctx, __u32 colon, __u64 name, __u32 *at)
{
	__u16 budget = SIP_PACKET_BUDGET;

	return at ? sip_parameter(text(ctx), colon, name, at, &budget) : SIP_NOT_THERE;
}

__noinline __u32 read_token(struct xdp_md *ctx, __u32 at)
{
	const __u64 hash_key[2] = {0x0123456789abcdef, 0xfedcba9876543210};

	return sip_token(text(ctx), at, hash_key);
}

__noinline __u64 read_part(struct xdp_md *ctx, __u32 at, enum sip_part_kind kind)
{
	const __u64 hash_key[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	__u16 budget = SIP_PACKET_BUDGET;
	__u64 hash;

	return sip_part(text(ctx), &at, kind, hash_key, &hash, &budget) ? hash : 0;
}

__noinline __u32 read_number(struct xdp_md *ctx, __u32 *at)
{
	return at ? sip_number(text(ctx), at) : 0;
}

#define NUMBER(step)                                                                                                   \
	__noinline __u32 read_##step(struct xdp_md *ctx, __u32 at)                                                     \
	{                                                                                                              \
		return sip_##step(text(ctx), at);                                                                      \
	}

NUMBER(named_method)
NUMBER(is_zero)

#include "sip_reader.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reading);
} readings SEC(".maps");

SEC("xdp")
int sip_reader(struct xdp_md *ctx)
{
	struct reading *reading = bpf_map_lookup_elem(&readings, &(__u32){0});

	if (reading)
		read_message(ctx, reading);
	return XDP_PASS;
}
