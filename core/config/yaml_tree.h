/* SPDX-License-Identifier: GPL-2.0 */
/* A YAML text as a tree of nodes that know their places. Owns which part of YAML is
 * taken (one document; no anchors, aliases, tags; a few levels) and knows nothing of
 * what a key means. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "faults.h"

#define YAML_TREE_BYTES_MAX (16 << 20)
#define YAML_TREE_NODES_MAX (1 << 21) /* more than a file that fills every limit of abi.h needs */
#define YAML_TREE_DEPTH_MAX 16

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAPPING, /* children are key, value, key, value, ... */
	NODE_REFUSED, /* a fault says why already */
};

struct node {
	enum node_kind kind;
	bool truncated; /* the text broke off inside: what is missing here may only be unread */
	struct position position;
	size_t size; /* nodes of this tree, itself included: they follow one another in memory */
	char *text;  /* NODE_SCALAR */
};

struct yaml_tree {
	struct node *nodes; /* the first is the root */
	size_t count;       /* 0 where there was nothing to read */
	size_t room;
};

/* Reads `length` bytes. What is wrong is added to `faults`; after a fault of syntax the
 * document holds what came before it. */
void yaml_tree_load(struct yaml_tree *tree, const char *text, size_t length, struct faults *faults);
void yaml_tree_free(struct yaml_tree *tree);

/* The children of a list or mapping, one after the other; NULL after the last. */
const struct node *node_first(const struct node *parent);
const struct node *node_next(const struct node *parent, const struct node *child);
size_t node_count(const struct node *parent);
