/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the SIP messages for a capture server from copies of frames, reassembles fragments, and samples calls by their
 * Call-ID. No I/O. */
#pragma once

#include "bpf/abi.h"
#include "hep.h"

struct hep_reader;

/* Counts messages that are not sent. */
struct hep_counts {
	uint64_t incomplete; /* datagrams whose fragments did not all arrive within REASSEMBLY_NSEC */
	uint64_t too_long;   /* messages that do not fit into the copy of the frame */
};

/* A copy of a frame that the balancer received. */
struct hep_frame {
	const uint8_t *bytes;
	size_t length;   /* of the copy */
	size_t original; /* length of the frame */
	uint64_t now;    /* time of arrival, ns of CLOCK_MONOTONIC */
	uint64_t time;   /* the same time in us since the epoch */
};

/* `secret` is random; see reassembly.h. */
struct hep_reader *hep_reader_new(const __u64 secret[2]);
void hep_reader_free(struct hep_reader *reader);

/* Reads a frame. Returns true if it completes a SIP message. The message is valid until the next call. */
bool hep_read(struct hep_reader *reader, const struct hep_frame *frame, struct hep_message *message);

/* Returns true if the call belongs to a sample of one in `sample` calls. Balancers with the same hash key select the
 * same calls. */
bool hep_samples(struct span call_id, uint32_t sample, const uint64_t hash_key[2]);

/* The counts at `now`, ns of CLOCK_MONOTONIC. */
struct hep_counts hep_reader_counts(struct hep_reader *reader, uint64_t now);
