// SPDX-License-Identifier: GPL-2.0
/* See yaml_tree.h. Builds the tree from the events of libyaml, without recursion. */
#include <string.h>
#include <yaml.h>
#include "yaml_tree.h"
#include "core/base/memory.h"

struct loader {
	struct yaml_tree *tree;
	struct faults *faults;
	const char *text;
	size_t length;
	size_t offset;                    /* bytes that libyaml has received */
	size_t open[YAML_TREE_DEPTH_MAX]; /* the lists and mappings that contain the next node */
	size_t depth;
};

static struct position to_position(yaml_mark_t mark)
{
	return (struct position){mark.line + 1, mark.column + 1};
}

/* Passes one line at a time to libyaml. libyaml decodes all bytes of a piece before it parses the first one. In
 * larger pieces, an invalid byte would hide the faults of the lines above it. */
static int next_line(void *data, unsigned char *buffer, size_t size, size_t *size_read)
{
	struct loader *loader = data;
	const char *from = loader->text + loader->offset;
	size_t left = loader->length - loader->offset;
	const char *newline;

	if (size > left)
		size = left;
	newline = size ? memchr(from, '\n', size) : NULL;
	*size_read = newline ? (size_t)(newline - from) + 1 : size;
	if (*size_read)
		memcpy(buffer, from, *size_read);
	loader->offset += *size_read;
	return 1;
}

/* Converts an offset in bytes into a line and a column in characters. */
static struct position position_at(const struct loader *loader, size_t offset)
{
	struct position position = {1, 1};
	size_t i;

	for (i = 0; i < offset && i < loader->length; i++) {
		if (loader->text[i] == '\n')
			position = (struct position){position.line + 1, 1};
		else if ((loader->text[i] & 0xc0) != 0x80) /* not a continuation byte of UTF-8 */
			position.column++;
	}
	return position;
}

/* An invalid byte, often from a file in an older character set. */
static void add_byte_fault(struct loader *loader, const char *problem, size_t offset)
{
	const unsigned char *text = (const unsigned char *)loader->text;

	/* Report the incomplete character, not the valid one after it. */
	if (strcmp(problem, "invalid trailing UTF-8 octet") == 0) {
		do
			offset--;
		while (offset && text[offset] < 0xc0);
	}
	faults_add(loader->faults, position_at(loader, offset), "not UTF-8 text: %s (byte 0x%02x)", problem,
		offset < loader->length ? text[offset] : 0);
}

static void add_syntax_fault(struct loader *loader, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "cannot be read";
	struct position position = to_position(parser->problem_mark);

	if (parser->error == YAML_MEMORY_ERROR)
		abort();
	if (parser->error == YAML_READER_ERROR) {
		add_byte_fault(loader, problem, parser->problem_offset);
		return;
	}
	if (strcmp(problem, "found character that cannot start any token") == 0)
		problem = "found a tab, or a character that needs quotes";
	if (!parser->context)
		faults_add(loader->faults, position, "not YAML: %s", problem);
	else if (to_position(parser->context_mark).line == position.line)
		faults_add(loader->faults, position, "not YAML: %s (%s)", problem, parser->context);
	else
		faults_add(loader->faults, position, "not YAML: %s (%s that begins at line %d)", problem,
			parser->context, to_position(parser->context_mark).line);
}

static struct node *add_node(struct loader *loader, enum node_kind kind, const yaml_event_t *event)
{
	struct yaml_tree *tree = loader->tree;

	tree->nodes = array_grow(tree->nodes, tree->count, sizeof(*tree->nodes));
	tree->nodes[tree->count] = (struct node){.kind = kind, .position = to_position(event->start_mark), .size = 1};
	return &tree->nodes[tree->count++];
}

static void refuse_decoration(struct loader *loader, const yaml_event_t *event, const void *anchor, const void *tag)
{
	if (anchor)
		faults_add(loader->faults, to_position(event->start_mark),
			"anchors ('&') are not supported; write the value out");
	if (tag)
		faults_add(
			loader->faults, to_position(event->start_mark), "tags ('!') are not supported; remove the tag");
}

static void add_scalar(struct loader *loader, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	struct node *node = add_node(loader, NODE_SCALAR, event);

	refuse_decoration(loader, event, event->data.scalar.anchor, event->data.scalar.tag);
	if (memchr(value, '\0', length)) {
		faults_add(loader->faults, node->position, "a value must not contain a NUL character");
		node->kind = NODE_REFUSED;
		return;
	}
	node->text = memcpy(allocate(length + 1, 1), value, length);
}

/* Opens a list or mapping. False if it is nested too deeply. */
static bool open_node(struct loader *loader, enum node_kind kind, const yaml_event_t *event)
{
	if (loader->depth == YAML_TREE_DEPTH_MAX) {
		faults_add(loader->faults, to_position(event->start_mark),
			"lists and mappings are nested too deeply (at most %d levels)", YAML_TREE_DEPTH_MAX);
		return false;
	}
	loader->open[loader->depth++] = loader->tree->count;
	add_node(loader, kind, event);
	return true;
}

static void close_node(struct loader *loader, bool truncated)
{
	size_t index = loader->open[--loader->depth];
	struct node *node = &loader->tree->nodes[index];

	node->size = loader->tree->count - index;
	node->truncated = truncated;
}

/* Handles one event. False after the last event that matters. */
static bool take_event(struct loader *loader, const yaml_event_t *event)
{
	struct position position = to_position(event->start_mark);

	if (loader->tree->count == YAML_TREE_NODES_MAX) {
		faults_add(loader->faults, position, "the file has too many values (at most %d)", YAML_TREE_NODES_MAX);
		return false;
	}
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (loader->tree->count == 0)
			return true;
		faults_add(loader->faults, position, "a second YAML document begins here; a file must have only one");
		return false;
	case YAML_ALIAS_EVENT:
		faults_add(loader->faults, position, "aliases ('*') are not supported; write the value out");
		add_node(loader, NODE_REFUSED, event);
		return true;
	case YAML_SCALAR_EVENT:
		add_scalar(loader, event);
		return true;
	case YAML_SEQUENCE_START_EVENT:
		refuse_decoration(loader, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		return open_node(loader, NODE_LIST, event);
	case YAML_MAPPING_START_EVENT:
		refuse_decoration(loader, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		return open_node(loader, NODE_MAPPING, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_node(loader, false);
		return true;
	default:
		return event->type != YAML_STREAM_END_EVENT;
	}
}

static void load_events(struct loader *loader, yaml_parser_t *parser)
{
	yaml_event_t event;
	bool more = true;

	while (more) {
		if (!yaml_parser_parse(parser, &event)) {
			add_syntax_fault(loader, parser);
			break;
		}
		more = take_event(loader, &event);
		yaml_event_delete(&event);
	}
	while (loader->depth)
		close_node(loader, true);
}

void yaml_tree_load(struct yaml_tree *tree, const char *text, size_t length, struct faults *faults)
{
	struct loader loader = {.tree = tree, .faults = faults, .text = text, .length = length};
	size_t faults_before = faults->count;
	yaml_parser_t parser;

	*tree = (struct yaml_tree){};
	if (length >= 3 &&
		memcmp(text, "\xef\xbb\xbf", 3) == 0) /* libyaml would count the byte order mark as indentation */
		loader.text += 3, loader.length -= 3;
	if (length > YAML_TREE_BYTES_MAX) {
		faults_add(faults, (struct position){}, "the file is larger than %d bytes", YAML_TREE_BYTES_MAX);
		return;
	}
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input(&parser, next_line, &loader);
	load_events(&loader, &parser);
	yaml_parser_delete(&parser);
	if (tree->count == 0 && faults->count == faults_before)
		faults_add(faults, (struct position){1, 1}, "the file is empty");
}

void yaml_tree_free(struct yaml_tree *tree)
{
	size_t i;

	for (i = 0; i < tree->count; i++)
		free(tree->nodes[i].text);
	free(tree->nodes);
	*tree = (struct yaml_tree){};
}

const struct node *node_first(const struct node *parent)
{
	return parent->size > 1 ? parent + 1 : NULL;
}

const struct node *node_next(const struct node *parent, const struct node *child)
{
	const struct node *next = child + child->size;

	return next < parent + parent->size ? next : NULL;
}

size_t node_count(const struct node *parent)
{
	const struct node *child;
	size_t count = 0;

	for (child = node_first(parent); child; child = node_next(parent, child))
		count++;
	return count;
}
