/* SPDX-License-Identifier: GPL-2.0 */
/* Parses a YAML text into a tree of nodes with their positions. Supports only a part of YAML: one document of
 * limited depth, without anchors, aliases and tags. Does not depend on the keys. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "faults.h"

#define YAML_TREE_BYTES_MAX (16 << 20)
#define YAML_TREE_NODES_MAX (1 << 21) /* enough for a file that reaches every limit of abi.h */
#define YAML_TREE_DEPTH_MAX 16

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAPPING, /* its children alternate: key, value, key, value, ... */
	NODE_REFUSED, /* its fault is already reported */
};

struct node {
	enum node_kind kind;
	bool truncated; /* the readable text ends inside this node: missing keys may be in the unread part */
	struct position position;
	size_t size; /* number of nodes of this subtree, including this node; they are contiguous */
	char *text;  /* NODE_SCALAR */
};

struct yaml_tree {
	struct node *nodes; /* the first is the root */
	size_t count;       /* 0: the text is empty */
};

/* Reads `length` bytes and adds faults to `faults`. After a syntax error, the tree contains the nodes before the
 * error. */
void yaml_tree_load(struct yaml_tree *tree, const char *text, size_t length, struct faults *faults);
void yaml_tree_free(struct yaml_tree *tree);

/* The first and the next child of a list or mapping; NULL after the last one. */
const struct node *node_first(const struct node *parent);
const struct node *node_next(const struct node *parent, const struct node *child);
size_t node_count(const struct node *parent);
