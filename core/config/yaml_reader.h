/* SPDX-License-Identifier: GPL-2.0 */
/* Converts YAML nodes into values. A table of keys describes a mapping; each key has a function that reads its
 * value. Defines the text form of values and the text of refusals. A refusal is a fault that names the object. No I/O.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include "yaml_tree.h"

struct reader {
	struct faults *faults;
	void *context;         /* for the read functions of the tables */
	const char *label;     /* the object in messages: "backend px1", "a pool" (no name yet), "limits" */
	const struct key *key; /* the key that is being read */
};

struct config;

/* The output of a write function. */
struct writer {
	FILE *out;
	const struct config *config; /* for the names of its pools */
};

enum key_flags {
	KEY_ALWAYS = 1,   /* `save` writes the key even if it has its default value */
	KEY_IN_STEPS = 2, /* the steps of a plan report changes of this key (core/maps/plan.c) */
	KEY_SECRET = 4,   /* messages must not show the value */
	KEY_LIST = 8,     /* the value is a list; each element has the type of the key */
	KEY_ONE_OR_LIST = 16,
};

enum value_type {
	VALUE_TEXT,   /* `expected` describes the valid texts */
	VALUE_NUMBER, /* a whole number from `min` to `max` */
	VALUE_RANGE,  /* a whole number from `min` to `max`, or a range of such numbers, as "5060-5080" */
	VALUE_TIME,   /* `min` to `max` ms */
	VALUE_WORD,   /* one of `words` */
};

/* A row of a table of words, which ends with an empty row. */
struct word {
	const char *text;
	int value;
};

extern const struct word reader_truth_words[]; /* "true" or "false" */

/* A condition for keys that are valid only in some objects. */
struct key_condition {
	bool (*holds)(const void *object); /* called after the preceding keys of the table have been read */
	const char *text;                  /* "only for protocol udp" */
};

/* A row of a table of keys, which ends with an empty row. Keys are read, written and compared in the order of the
 * table, not in the order of the file. */
struct key {
	const char *name;
	bool required;
	void (*read)(struct reader *reader, const struct node *value, void *object);
	/* Writes the text form of the value, or nothing if there is no value. NULL: the value is a list of objects,
	 * or a mapping with its own table. */
	void (*write)(const struct writer *writer, const struct key *key, const void *object);
	size_t member; /* offsetof() of the value, for functions that serve several keys */
	unsigned int flags;
	const char *advice;   /* a command that a change of this key also needs; NULL: none */
	const char *old_name; /* the name in earlier versions, refused with a hint to use `name`; NULL: none */
	/* The valid values, for refusals and documentation. */
	enum value_type type;
	uint32_t min, max;
	const struct word *words;
	const char *expected;
	const struct key_condition *condition; /* NULL: the key is always valid */
	/* Documentation only (docs/reference/keys.md and sipxdp.yaml(5)). */
	const struct key *keys; /* of the mapping, or of each mapping of the list; NULL: a plain value */
	const char *usual;      /* description of the default; NULL: the value that config_parse() sets */
	const char *help;
};

#define READER_KEYS_MAX 24 /* in one table */

#define READER_EXPECTED_SIZE 256

/* Describes one value of the key: "a whole number from 0 to 1000". Returns `out`. */
const char *reader_expected(const struct key *key, char out[READER_EXPECTED_SIZE]);

/* Reads each key of a mapping into `object`. `noun` is for messages: "a backend", "the file". */
void reader_mapping(
	struct reader *reader, const struct node *node, const char *noun, const struct key *keys, void *object);

/* The functions below return false or NULL after they have added a fault. */

/* Is the node a list? A truncated list may be empty in any case. */
bool reader_list(struct reader *reader, const struct node *node, bool may_be_empty);

/* Allocates a zeroed array for the items of a list; also for an empty list, if it is valid. After a fault, returns NULL
 * and sets the count to 0. */
void *reader_items(struct reader *reader, const struct node *list, size_t size, bool may_be_empty, size_t *count);

/* The text of a non-empty scalar. */
const char *reader_text(struct reader *reader, const struct node *node);

/* Read a value of the type of the key, within its limits. A time has a unit (duration.h); `out` is in ms. */
bool reader_number(struct reader *reader, const struct node *node, uint32_t *out);
bool reader_range(struct reader *reader, const struct node *node, uint16_t *first, uint16_t *last);
bool reader_time(struct reader *reader, const struct node *node, uint32_t *out);
bool reader_word(struct reader *reader, const struct node *node, int *out);

/* Adds the fault "'KEY' of LABEL must be EXPECTED, not 'TEXT'". If `expected` is NULL, EXPECTED is the text of
 * reader_expected(). */
void reader_refuse(struct reader *reader, const struct node *node, const char *expected);

/* The candidate that is most similar to a misspelled `text`. */
struct suggestion {
	const char *text;
	const char *best; /* NULL: no candidate is similar */
	size_t distance;
};

void suggestion_offer(struct suggestion *suggestion, const char *candidate);
