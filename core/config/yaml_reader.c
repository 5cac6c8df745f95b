// SPDX-License-Identifier: GPL-2.0
/* See yaml_reader.h. */
#include <stdio.h>
#include <string.h>
#include "core/base/duration.h"
#include "core/base/memory.h"
#include "yaml_reader.h"

#define SHOWN_SIZE 80
#define LABEL_SIZE 96
#define WORD_SIZE 64 /* longer words are not suggested and do not appear in a label */

/* Copies a text from the file for a message: printable ASCII only, and not too long. */
static const char *shown(const char *text, char out[SHOWN_SIZE])
{
	size_t i;

	for (i = 0; text[i] && i < SHOWN_SIZE - 4; i++)
		out[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	strcpy(out + i, text[i] ? "..." : "");
	return out;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* The number of letters to insert, delete, replace or swap with their neighbour that turns `a` into
 * `b`. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t cost[3][WORD_SIZE], *before = cost[0], *above = cost[1], *row = cost[2], *swap;
	size_t length = strlen(b), i, j;

	for (j = 0; j <= length; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		swap = before, before = above, above = row, row = swap;
		row[0] = i + 1;
		for (j = 0; j < length; j++) {
			row[j + 1] = smallest(above[j + 1] + 1, row[j] + 1, above[j] + (a[i] != b[j]));
			if (i && j && a[i] == b[j - 1] && a[i - 1] == b[j] && before[j - 1] + 1 < row[j + 1])
				row[j + 1] = before[j - 1] + 1;
		}
	}
	return row[length];
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
	size_t a = strlen(suggestion->text), b = strlen(candidate);
	size_t longer = a > b ? a : b, distance;

	/* Do not suggest a candidate if more than a third of its letters differ. */
	if (longer >= WORD_SIZE || (longer - (a < b ? a : b)) * 3 > longer)
		return;
	distance = edit_distance(suggestion->text, candidate);
	if (distance * 3 > longer || (suggestion->best && distance >= suggestion->distance))
		return;
	suggestion->best = candidate;
	suggestion->distance = distance;
}

static const char *kind_name(const struct node *node)
{
	switch (node->kind) {
	case NODE_LIST:
		return "a list";
	case NODE_MAPPING:
		return "a mapping";
	default:
		return node->text && node->text[0] ? "a single value" : "nothing";
	}
}

static bool expect_kind(struct reader *reader, const struct node *node, enum node_kind kind, const char *expected)
{
	if (node->kind == kind)
		return true;
	if (node->kind == NODE_REFUSED)
		return false;
	if (reader->key)
		faults_add(reader->faults, node->position, "'%s' of %s: expected %s, found %s", reader->key->name,
			reader->label, expected, kind_name(node));
	else
		faults_add(reader->faults, node->position, "%s: expected %s, found %s", reader->label, expected,
			kind_name(node));
	return false;
}

bool reader_list(struct reader *reader, const struct node *node, bool may_be_empty)
{
	if (!expect_kind(reader, node, NODE_LIST, "a list"))
		return false;
	if (node_first(node) || may_be_empty || node->truncated)
		return true;
	faults_add(reader->faults, node->position, "'%s' of %s must not be empty", reader->key->name, reader->label);
	return false;
}

void *reader_items(struct reader *reader, const struct node *list, size_t size, bool may_be_empty, size_t *count)
{
	*count = 0;
	if (!reader_list(reader, list, may_be_empty))
		return NULL;
	*count = node_count(list);
	return allocate(*count, size);
}

const struct word reader_truth_words[] = {{"true", true}, {"false", false}, {}};

/* "'a', 'b' or 'c'" */
static void list_words(const struct word *words, char out[READER_EXPECTED_SIZE])
{
	size_t length = 0;

	for (const struct word *word = words; word->text && length < READER_EXPECTED_SIZE; word++) {
		const char *separator = word == words ? "" : word[1].text ? ", " : " or ";

		length += snprintf(out + length, READER_EXPECTED_SIZE - length, "%s'%s'", separator, word->text);
	}
}

const char *reader_expected(const struct key *key, char out[READER_EXPECTED_SIZE])
{
	char least[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];

	switch (key->type) {
	case VALUE_NUMBER:
	case VALUE_RANGE:
		snprintf(out, READER_EXPECTED_SIZE, "a whole number from %u to %u%s", key->min, key->max,
			key->type == VALUE_RANGE ? ", or a range such as 5060-5080" : "");
		break;
	case VALUE_TIME:
		snprintf(out, READER_EXPECTED_SIZE, "a time with its unit, from %s to %s",
			duration_format(key->min, least), duration_format(key->max, most));
		break;
	case VALUE_WORD:
		list_words(key->words, out);
		break;
	case VALUE_TEXT:
		snprintf(out, READER_EXPECTED_SIZE, "%s", key->expected);
	}
	return out;
}

void reader_refuse(struct reader *reader, const struct node *node, const char *expected)
{
	char text[SHOWN_SIZE], usual[READER_EXPECTED_SIZE];

	if (!expected)
		expected = reader_expected(reader->key, usual);
	if (node->kind == NODE_REFUSED)
		return;
	if (reader->key->flags & KEY_SECRET)
		faults_add(reader->faults, node->position, "'%s' of %s must be %s", reader->key->name, reader->label,
			expected);
	else if (node->kind == NODE_SCALAR)
		faults_add(reader->faults, node->position, "'%s' of %s must be %s, not '%s'", reader->key->name,
			reader->label, expected, shown(node->text, text));
	else
		faults_add(reader->faults, node->position, "'%s' of %s must be %s, not %s", reader->key->name,
			reader->label, expected, kind_name(node));
}

const char *reader_text(struct reader *reader, const struct node *node)
{
	if (!expect_kind(reader, node, NODE_SCALAR, "a single value"))
		return NULL;
	if (node->text[0])
		return node->text;
	faults_add(reader->faults, node->position, "'%s' of %s is empty", reader->key->name, reader->label);
	return NULL;
}

/* Reads the first `digits` characters of a text as a number. */
static bool parse_number(const char *text, size_t digits, uint32_t min, uint32_t max, uint32_t *out)
{
	uint32_t value;

	/* Nine digits fit into 32 bits. A leading zero is refused: some YAML readers take such a number as octal,
	 * others as decimal. */
	if (digits == 0 || digits > 9 || (text[0] == '0' && digits > 1))
		return false;
	value = strtoul(text, NULL, 10);
	if (value < min || value > max)
		return false;
	*out = value;
	return true;
}

static size_t digits_of(const char *text)
{
	return strspn(text, "0123456789");
}

bool reader_number(struct reader *reader, const struct node *node, uint32_t *out)
{
	const char *text = reader_text(reader, node);
	const struct key *key = reader->key;

	if (!text)
		return false;
	if (text[digits_of(text)] == '\0' && parse_number(text, digits_of(text), key->min, key->max, out))
		return true;
	reader_refuse(reader, node, NULL);
	return false;
}

bool reader_range(struct reader *reader, const struct node *node, uint16_t *first, uint16_t *last)
{
	const char *text = reader_text(reader, node), *second;
	const struct key *key = reader->key;
	uint32_t from, to;

	if (!text)
		return false;
	second = text + digits_of(text);
	second = *second == '-' ? second + 1 : text;
	if (second[digits_of(second)] == '\0' && parse_number(text, digits_of(text), key->min, key->max, &from) &&
		parse_number(second, digits_of(second), from, key->max, &to)) {
		*first = from;
		*last = to;
		return true;
	}
	reader_refuse(reader, node, NULL);
	return false;
}

bool reader_time(struct reader *reader, const struct node *node, uint32_t *out)
{
	const char *text = reader_text(reader, node);
	uint32_t value;

	if (!text)
		return false;
	if (duration_parse(text, &value) == 0 && value >= reader->key->min && value <= reader->key->max) {
		*out = value;
		return true;
	}
	reader_refuse(reader, node, NULL);
	return false;
}

bool reader_word(struct reader *reader, const struct node *node, int *out)
{
	const char *text = reader_text(reader, node);
	const struct word *word = reader->key->words;

	if (!text)
		return false;
	while (word->text && strcmp(word->text, text))
		word++;
	if (word->text)
		*out = word->value;
	else
		reader_refuse(reader, node, NULL);
	return word->text;
}

/* Writes "backend px1", or "a backend" if the name is missing or cannot be printed. */
static const char *make_label(const struct node *mapping, const char *noun, char out[LABEL_SIZE])
{
	const struct node *key, *value;
	size_t i;

	snprintf(out, LABEL_SIZE, "%s", noun);
	if (strncmp(noun, "a ", 2) != 0)
		return out;
	for (key = node_first(mapping); key; key = node_next(mapping, value)) {
		value = node_next(mapping, key);
		if (!value)
			break;
		if (!key->text || strcmp(key->text, "name") != 0 || !value->text)
			continue;
		for (i = 0; value->text[i] > ' ' && value->text[i] <= '~'; i++)
			;
		if (i > 0 && i < WORD_SIZE && value->text[i] == '\0')
			snprintf(out, LABEL_SIZE, "%s %s", noun + 2, value->text);
	}
	return out;
}

static void refuse_key(struct reader *reader, const struct node *node, const struct key *keys)
{
	struct suggestion suggestion = {.text = node->text};
	char text[SHOWN_SIZE], known[256];
	size_t i, length = 0;

	for (i = 0; keys[i].name; i++) {
		if (keys[i].old_name && !strcmp(keys[i].old_name, node->text)) {
			faults_add(reader->faults, node->position, "'%s' in %s is now called '%s'; rename it",
				node->text, reader->label, keys[i].name);
			return;
		}
		suggestion_offer(&suggestion, keys[i].name);
		if (length < sizeof(known))
			length += snprintf(known + length, sizeof(known) - length, "%s%s", i ? ", " : "", keys[i].name);
	}
	shown(node->text, text);
	if (suggestion.best)
		faults_add(reader->faults, node->position, "unknown key '%s' in %s; did you mean '%s'?", text,
			reader->label, suggestion.best);
	else
		faults_add(reader->faults, node->position, "unknown key '%s' in %s; valid keys: %s", text,
			reader->label, known);
}

/* Sets found[i] to the node of keys[i] in the mapping. */
static void find_keys(struct reader *reader, const struct node *mapping, const struct key *keys,
	const struct node *found[READER_KEYS_MAX])
{
	const struct node *key, *value;
	size_t i;

	for (key = node_first(mapping); key; key = node_next(mapping, value)) {
		value = node_next(mapping, key);
		if (!value) /* truncated after a key, which may be incomplete */
			return;
		if (key->kind == NODE_REFUSED)
			continue;
		if (key->kind != NODE_SCALAR) {
			faults_add(reader->faults, key->position, "a key in %s must be a word, not %s", reader->label,
				kind_name(key));
			continue;
		}
		for (i = 0; keys[i].name && strcmp(keys[i].name, key->text); i++)
			;
		if (!keys[i].name)
			refuse_key(reader, key, keys);
		else if (found[i])
			faults_add(reader->faults, key->position, "duplicate key '%s' in %s (first at line %d)",
				keys[i].name, reader->label, found[i]->position.line);
		else
			found[i] = key;
	}
}

static void read_key(struct reader *reader, const struct node *value, void *object)
{
	const struct key_condition *condition = reader->key->condition;

	if (!condition || condition->holds(object))
		reader->key->read(reader, value, object);
	else
		faults_add(reader->faults, value->position, "'%s' of %s: %s; remove it", reader->key->name,
			reader->label, condition->text);
}

void reader_mapping(
	struct reader *reader, const struct node *node, const char *noun, const struct key *keys, void *object)
{
	const char *outer_label = reader->label;
	const struct key *outer_key = reader->key;
	const struct node *found[READER_KEYS_MAX] = {};
	char label[LABEL_SIZE];
	size_t i;

	if (!expect_kind(reader, node, NODE_MAPPING, "a mapping of keys and values"))
		return;
	reader->label = make_label(node, noun, label);
	find_keys(reader, node, keys, found);
	for (i = 0; keys[i].name; i++) {
		reader->key = &keys[i];
		if (found[i])
			read_key(reader, node_next(node, found[i]), object);
		else if (keys[i].required && !node->truncated)
			faults_add(reader->faults, node->position, "%s has no '%s'", reader->label, keys[i].name);
	}
	reader->label = outer_label;
	reader->key = outer_key;
}
