/* SPDX-License-Identifier: GPL-2.0 */
/* From nodes to values: a mapping is a table of keys, each with a function that reads
 * its value. Owns how a value is spelled and how a refusal is worded; each refusal is a
 * fault that names the object. Pure. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include "yaml_tree.h"

struct reader {
	struct faults *faults;
	void *context;         /* for the functions of the tables */
	const char *label;     /* what is being read, for people: "backend px1", "a pool" (no name yet), "limits" */
	const struct key *key; /* and the key of it */
};

struct config;

/* What a value is written with. */
struct writer {
	FILE *out;
	const struct config *config; /* for the names of its pools */
};

enum key_flags {
	KEY_ALWAYS = 1,   /* `save` writes it also where it has its default */
	KEY_IN_STEPS = 2, /* the plan's steps say what changes: see plan.c */
	KEY_SECRET = 4,   /* no message shows the value */
	KEY_LIST = 8,     /* a list of such values */
	KEY_ONE_OR_LIST = 16,
};

enum value_type {
	VALUE_TEXT,   /* `expected` describes it */
	VALUE_NUMBER, /* a whole number from `min` to `max` */
	VALUE_RANGE,  /* such a number, or two of them as in "5060-5080" */
	VALUE_TIME,   /* `min` to `max` ms */
	VALUE_WORD,   /* one of `words` */
};

/* A row of a table of words, which ends with an empty row. */
struct word {
	const char *text;
	int value;
};

extern const struct word reader_truth_words[]; /* "true" or "false" */

/* A row of a table of keys, which ends with an empty row. Keys are read, written and compared
 * in the order of the table, whatever the order in the file. */
struct key {
	const char *name;
	bool required;
	void (*read)(struct reader *reader, const struct node *value, void *object);
	/* Writes the value as the file spells it; nothing where there is none. NULL: the value is
	 * a list of objects, or a mapping with a table of its own. */
	void (*write)(const struct writer *writer, const struct key *key, const void *object);
	size_t member; /* for a function that serves several keys: offsetof() of what to fill */
	unsigned int flags;
	const char *advice;   /* what else a change of this key takes; NULL: nothing */
	const char *old_name; /* in files of earlier versions: refused with a hint to `name`; NULL: none */
	/* What the value must be: refusals and documentation say it by these. */
	enum value_type type;
	uint32_t min, max;
	const struct word *words;
	const char *expected;
	/* Documentation only (docs/reference/keys.md and sipxdp.yaml(5)). */
	const struct key *keys; /* of the mapping, or of each mapping of the list; NULL: a plain value */
	const char *usual;      /* the default in words; NULL: what config_parse fills in */
	const char *help;
};

#define READER_KEYS_MAX 16 /* in one table */

#define READER_EXPECTED_SIZE 256

/* Describes one value of the key: "a whole number from 0 to 1000". Returns `out`. */
const char *reader_expected(const struct key *key, char out[READER_EXPECTED_SIZE]);

/* Reads each key of a mapping into `object`. `noun` is what it is: "a backend", "the file". */
void reader_mapping(
	struct reader *reader, const struct node *node, const char *noun, const struct key *keys, void *object);

/* All that follows returns whether there is a value; if not, a fault has been added. */

/* Is it a list? One that is cut off may be empty in any case. */
bool reader_list(struct reader *reader, const struct node *node, bool may_be_empty);

/* Zeroed room for the items of a list, or NULL and a count of 0. A list that may be
 * empty gets some, too. */
void *reader_items(struct reader *reader, const struct node *list, size_t size, bool may_be_empty, size_t *count);

/* The text of a scalar that is not empty, or NULL. */
const char *reader_text(struct reader *reader, const struct node *node);

/* These read a value of the key's type, within its limits. A time is in ms and has a unit (duration.h). */
bool reader_number(struct reader *reader, const struct node *node, uint32_t *out);
bool reader_range(struct reader *reader, const struct node *node, uint16_t *first, uint16_t *last);
bool reader_time(struct reader *reader, const struct node *node, uint32_t *out);
bool reader_word(struct reader *reader, const struct node *node, int *out);

/* Adds "'KEY' of LABEL must be EXPECTED, not 'TEXT'". NULL: what reader_expected() says of the key. */
void reader_refuse(struct reader *reader, const struct node *node, const char *expected);

/* The best of the candidates that somebody may have meant when he wrote `text`. */
struct suggestion {
	const char *text;
	const char *best; /* NULL: none is near */
	size_t distance;
};

void suggestion_offer(struct suggestion *suggestion, const char *candidate);
