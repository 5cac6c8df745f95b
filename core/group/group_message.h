/* SPDX-License-Identifier: GPL-2.0 */
/* The messages between the members of a group: docs/design/group.md describes the format. No I/O. All input is
 * untrusted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bpf/abi.h"

#ifndef GROUP_VERSION /* tests build later releases */
#define GROUP_VERSION 1
#endif
#define GROUP_MESSAGE_SIZE 16384 /* the largest message that a member sends */
#define GROUP_VOTES_MAX 900      /* votes in one message */
#define GROUP_LINES_MAX 4000     /* lines in one message */
#define GROUP_WORDS_MAX 1600     /* words of slots in one message */
#define GROUP_DRAINED_MAX 650    /* drained backends in one message */

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
	GROUP_SHARED = 5,
	GROUP_CHANGE = 6,
	GROUP_RESULT = 7,
	GROUP_SLOTS = 8,
	GROUP_MIGRATING = 9,
	GROUP_CALL_CHANGES = 10, /* group_calls.h */
	GROUP_CALLS = 11,        /* the same */
	GROUP_DRAINED = 12,
};

/* Flags of a message with votes, lines, slots, drained backends or a shared state. Each change of votes is a message
 * without flags. */
#define GROUP_LAST 1  /* the last message of a complete set */
#define GROUP_FIRST 2 /* the first one */
#define GROUP_MORE 4  /* GROUP_SLOTS: the next message continues this change */
#define GROUP_ASK 4   /* GROUP_SHARED: asks all members for their shared state; GROUP_MIGRATING: asks the member `to` */
#define GROUP_BEATS 4 /* GROUP_HELLO: group_hello.beats */
#define GROUP_CLAIM 8 /* GROUP_SHARED: no member has the state of the group; that of the sender shall be it */
#define GROUP_NOTE 16 /* GROUP_SHARED: the state of the sender when the members changed */
#define GROUP_NONE                                                                                                     \
	32 /* GROUP_MIGRATING, GROUP_CALLS: the sender does not know them yet itself. With GROUP_ASK: group_asking.h   \
	    */

/* The last two are votes for up, with what the responses of the backend to clients show (core/health/passive.h). In a
 * message they are a vote for up and a judgement, which earlier releases ignore. */
enum group_vote {
	GROUP_VOTE_UNKNOWN,
	GROUP_VOTE_UP,
	GROUP_VOTE_DOWN,
	GROUP_VOTE_WORKS,
	GROUP_VOTE_FAILS,
	GROUP_VOTE_COUNT,
};

/* Is it a vote for up? */
bool group_vote_is_up(enum group_vote vote);

struct group_hello {
	uint64_t time;        /* any clock of the sender, ms */
	uint64_t started;     /* seconds since the epoch */
	uint64_t fingerprint; /* of the configuration (config_lines.h) */
	uint8_t state;        /* enum group_state */
	uint8_t agree;        /* enum config_agree */
	bool beats;           /* the sender needs the others to receive its messages: the next one follows soon */
	char node[NAME_SIZE];
	char version[NAME_SIZE]; /* of sipxdp */
};

/* The phases of migrating slots. A set of slots has one bit for each slot: bit slot % 64 of word slot / 64. */
enum group_phase {
	GROUP_RECORDING, /* calls have not been recorded for `record_time` yet */
	GROUP_MOVING,    /* the migration must not end yet */
	GROUP_HELD,      /* of these, unknown calls no longer go to the previous owner */
	GROUP_PHASE_COUNT,
};

/* Changed words of the set of slots of a pool that are in this phase. */
struct group_words {
	uint64_t pool;   /* 0: none, the message only begins or ends a complete set */
	uint64_t wanted; /* fingerprint of the owners that the sender wants */
	uint8_t phase;   /* enum group_phase, or a phase of a later version */
};

/* A part of the shared state of a member, for the member that has asked for it; or a question, a claim or a note. */
struct group_shared {
	struct group_id asker;
	uint32_t question; /* its number at the asker */
	uint64_t applied;  /* changes that the sender has applied together with others */
	uint64_t history;  /* hash of these changes */
	uint64_t view;     /* of a claim or a note: hash of the members, and of the claims so far. Of a state that is
			      in sync: hash of the note or the claim from which it comes; 0: unknown */
	bool in_sync;      /* the sender had the state of the group when the question arrived */
	bool restored;     /* the state comes from the maps of a balancer that was running */
};

/* A change, or the result of one. */
struct group_change {
	struct group_id origin; /* of a result: the member that has sent the change */
	uint64_t number;        /* of the change at that member */
	bool done;              /* of a result */
	char node[NAME_SIZE];   /* of a change: names of the member and of the user */
	char user[NAME_SIZE];
};

/* Migrating slots of a pool that have the same owners; 0: no owner, or the pool has no name. */
struct group_migrating {
	struct group_id to; /* the member that has asked, or is asked */
	uint32_t slots;     /* of the pool */
	uint64_t pool, owner, previous;
};

struct group_message {
	uint8_t version;
	uint8_t kind;   /* enum group_kind, a kind of a later version, or 0: this version does not know the content */
	uint16_t flags; /* GROUP_FIRST, GROUP_LAST */
	struct group_hello hello;
	const uint8_t *content; /* behind the header */
	size_t content_length;
	struct group_id silent;
	struct group_words words;
	struct group_shared shared;
	struct group_change change;
	struct group_migrating migrating;
	size_t count;              /* votes, lines, words or backends; bytes of a shared state, a change or a result */
	const uint8_t *values;     /* read with group_message_vote(), _line(), _word() and _drained() */
	const uint8_t *judgements; /* of votes, one byte for each; NULL: none */
};

/* Do members of this version and this release understand each other? */
bool group_version_is_adjacent(uint8_t version);

/* 0, or -EPROTO if this is not a valid message. Of a version that is not adjacent, it only reads the hello: all
 * versions begin it equally. `out` refers to `bytes`. */
int group_message_decode(const uint8_t *bytes, size_t length, struct group_message *out);

/* Names a backend in messages. */
struct group_key {
	uint64_t pool;
	uint64_t backend;
};

/* A backend that leaves, and that no call of the sender uses any more. */
struct group_drained {
	struct group_key key;
	uint64_t removal; /* number of the change that has made it leave; 0: unknown, or not a change of the group */
};

struct group_key group_message_vote(const struct group_message *message, size_t index, enum group_vote *vote);
struct group_drained group_message_drained(const struct group_message *message, size_t index);
uint32_t group_message_line(const struct group_message *message, size_t index);
uint64_t group_message_word(const struct group_message *message, size_t index, size_t *number);

/* Write a message and return its length. */
size_t group_encode_hello(const struct group_hello *hello, uint8_t out[GROUP_MESSAGE_SIZE]);
size_t group_encode_silent(struct group_id member, uint8_t out[GROUP_MESSAGE_SIZE]);

/* A message with up to GROUP_VOTES_MAX votes, GROUP_LINES_MAX lines, or GROUP_DRAINED_MAX drained backends. */
size_t group_encode_votes(const struct group_key *keys, const enum group_vote *votes, size_t count, uint16_t flags,
	uint8_t out[GROUP_MESSAGE_SIZE]);
size_t group_encode_lines(const uint32_t *lines, size_t count, uint16_t flags, uint8_t out[GROUP_MESSAGE_SIZE]);

size_t group_encode_drained(
	const struct group_drained *list, size_t count, uint16_t flags, uint8_t out[GROUP_MESSAGE_SIZE]);

/* Starts a message with words of slots. Up to GROUP_WORDS_MAX words are then appended. */
size_t group_encode_words(const struct group_words *words, uint16_t flags, uint8_t out[GROUP_MESSAGE_SIZE]);
size_t group_append_word(size_t length, size_t number, uint64_t word, uint8_t out[GROUP_MESSAGE_SIZE]);
/* Messages with up to GROUP_PART_MAX bytes. */
#define GROUP_PART_MAX 15000
size_t group_encode_shared(const struct group_shared *shared, const void *bytes, size_t length, uint16_t flags,
	uint8_t out[GROUP_MESSAGE_SIZE]);
size_t group_encode_change(
	const struct group_change *change, const void *bytes, size_t length, uint8_t out[GROUP_MESSAGE_SIZE]);
size_t group_encode_result(
	const struct group_change *change, const void *bytes, size_t length, uint8_t out[GROUP_MESSAGE_SIZE]);

/* Writes a message with up to GROUP_WORDS_MAX words of a set of slots: `words[i]` is the word `numbers[i]`. */
size_t group_encode_migrating(const struct group_migrating *migrating, uint16_t flags, const uint16_t *numbers,
	const uint64_t *words, size_t count, uint8_t out[GROUP_MESSAGE_SIZE]);

/* FNV-1a with 64 bits. `hash` is GROUP_HASH_BEGIN, or the result for the bytes before these. */
#define GROUP_HASH_BEGIN UINT64_C(0xcbf29ce484222325)
uint64_t group_hash(uint64_t hash, const void *bytes, size_t length);
