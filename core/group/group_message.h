/* SPDX-License-Identifier: GPL-2.0 */
/* The messages between the members of a group: docs/design/group.md describes the format. No I/O. All input is
 * untrusted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bpf/abi.h"

#define GROUP_VERSION 1
#define GROUP_MESSAGE_SIZE 16384 /* the largest message that a member sends */
#define GROUP_VOTES_MAX 900      /* votes in one message */
#define GROUP_LINES_MAX 4000     /* lines in one message */

/* A member, as corosync names it. */
struct group_id {
	uint32_t node;
	uint32_t pid;
};

enum group_kind {
	GROUP_HELLO = 1,
	GROUP_VOTES = 2,
	GROUP_SILENT = 3,
	GROUP_LINES = 4,
};

/* Flags of a message with votes or lines. Each change of votes is a message without flags. */
#define GROUP_LAST 1  /* the last message of a complete set */
#define GROUP_FIRST 2 /* the first one */

enum group_vote {
	GROUP_VOTE_UNKNOWN,
	GROUP_VOTE_UP,
	GROUP_VOTE_DOWN,
	GROUP_VOTE_COUNT,
};

struct group_hello {
	uint64_t time;        /* any clock of the sender, ms */
	uint64_t started;     /* seconds since the epoch */
	uint64_t fingerprint; /* of the configuration (config_lines.h) */
	uint8_t state;        /* enum group_state */
	uint8_t agree;        /* enum config_agree */
	char node[NAME_SIZE];
	char version[NAME_SIZE]; /* of sipxdp */
};

struct group_message {
	uint8_t version;
	uint8_t kind;   /* enum group_kind, or a kind of a later version */
	uint16_t flags; /* GROUP_FIRST, GROUP_LAST */
	struct group_hello hello;
	struct group_id silent;
	size_t count;          /* votes or lines */
	const uint8_t *values; /* read with group_message_vote() and group_message_line() */
};

/* 0, or -EPROTO if this is not a valid message. `out` refers to `bytes`. */
int group_message_decode(const uint8_t *bytes, size_t length, struct group_message *out);

/* Names a backend in messages. */
struct group_key {
	uint64_t pool;
	uint64_t backend;
};

struct group_key group_message_vote(const struct group_message *message, size_t index, enum group_vote *vote);
uint32_t group_message_line(const struct group_message *message, size_t index);

/* Write a message and return its length. */
size_t group_encode_hello(const struct group_hello *hello, uint8_t out[GROUP_MESSAGE_SIZE]);
size_t group_encode_silent(struct group_id member, uint8_t out[GROUP_MESSAGE_SIZE]);

/* A message with up to GROUP_VOTES_MAX votes, or GROUP_LINES_MAX lines. */
size_t group_encode_votes(const struct group_key *keys, const enum group_vote *votes, size_t count, uint16_t flags,
	uint8_t out[GROUP_MESSAGE_SIZE]);
size_t group_encode_lines(const uint32_t *lines, size_t count, uint16_t flags, uint8_t out[GROUP_MESSAGE_SIZE]);

/* FNV-1a with 64 bits. `hash` is GROUP_HASH_BEGIN, or the result for the bytes before these. */
#define GROUP_HASH_BEGIN UINT64_C(0xcbf29ce484222325)
uint64_t group_hash(uint64_t hash, const void *bytes, size_t length);
