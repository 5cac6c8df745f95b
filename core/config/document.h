/* SPDX-License-Identifier: GPL-2.0 */
/* A YAML text as a tree of nodes that know their places. Owns which part of YAML is
 * taken (one document; no anchors, aliases, tags; a few levels) and knows nothing of
 * what a key means. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "faults.h"

#define DOCUMENT_BYTES_MAX (16 << 20)
#define DOCUMENT_NODES_MAX (1 << 21) /* more than a file that fills every limit of abi.h needs */
#define DOCUMENT_DEPTH_MAX 16

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAPPING, /* children are key, value, key, value, ... */
	NODE_REFUSED, /* a fault says why already */
};

struct node {
	enum node_kind kind;
	bool cut; /* the text broke off inside: what is missing here may only be unread */
	struct mark mark;
	size_t size; /* nodes of this tree, itself included: they follow one another in memory */
	char *text;  /* NODE_SCALAR */
};

struct document {
	struct node *nodes; /* the first is the root */
	size_t count;       /* 0 where there was nothing to read */
	size_t room;
};

/* Reads `length` bytes. What is wrong is added to `faults`; after a fault of syntax the
 * document holds what came before it. */
void document_load(struct document *document, const char *text, size_t length, struct faults *faults);
void document_free(struct document *document);

/* The children of a list or mapping, one after the other; NULL after the last. */
const struct node *node_first(const struct node *parent);
const struct node *node_next(const struct node *parent, const struct node *child);
size_t node_count(const struct node *parent);
