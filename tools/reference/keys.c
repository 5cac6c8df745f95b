// SPDX-License-Identifier: GPL-2.0
/* See keys.h. A default is the value of a key that the file omits. */
#include <stdlib.h>
#include <string.h>
#include "core/config/config_private.h"
#include "keys.h"

#define PATH_SIZE 64
#define TEXT_SIZE 2048

/* A file with one object of each kind; each object has its required keys only. */
static const char smallest_file[] =
	"interfaces: [eth0]\n"
	"hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef}\n"
	"metrics: {listen: '127.0.0.1:9464'}\n"
	"capture: {to: 'udp:10.0.0.50:9060'}\n"
	"services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies}]\n"
	"pools: [{name: proxies, probe: options, backends: [{name: px1, address: 10.0.0.11}]}]\n";

static struct config *parse_smallest_file(void)
{
	struct faults faults = {0};
	struct config *config = config_parse(smallest_file, strlen(smallest_file), &faults);

	if (!config) {
		fprintf(stderr, "the smallest file: %s\n", faults.list[0].message);
		exit(EXIT_FAILURE);
	}
	faults_free(&faults);
	config_default_passive(&config->pools[0].passive);
	return config;
}

/* Returns the object of the smallest file that has these keys; NULL if none of the keys has a default. */
static const void *object_of(const struct config *config, const struct key *keys)
{
	const struct {
		const struct key *keys;
		const void *object;
	} objects[] = {
		{config_file_keys, config},
		{config_limit_keys, &config->limits},
		{config_join_keys, &config->join},
		{config_metrics_keys, &config->metrics},
		{config_capture_keys, &config->capture},
		{config_membership_keys, &config->group},
		{config_guard_keys, &config->guard},
		{config_service_keys, &config->services[0]},
		{config_pool_keys, &config->pools[0]},
		{config_probe_keys, &config->pools[0].probe},
		{config_passive_keys, &config->pools[0].passive},
		{config_backend_keys, &config->pools[0].backends[0]},
	};

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (objects[i].keys == keys)
			return objects[i].object;
	return NULL;
}

/* "'a' or 'b'" becomes "`a` or `b`". */
static void quote_as_code(char *text)
{
	while ((text = strchr(text, '\'')))
		*text = '`';
}

static void describe_value(const struct key *key, char out[TEXT_SIZE])
{
	char expected[READER_EXPECTED_SIZE] = "a mapping";
	const char *list = "";

	if (!key->keys || key->type == VALUE_WORD)
		reader_expected(key, expected);
	if (key->type == VALUE_WORD)
		quote_as_code(expected);
	if (key->flags & KEY_LIST)
		list = "a list; each item: ";
	else if (key->flags & KEY_ONE_OR_LIST)
		list = "one, or a list; each item: ";
	snprintf(
		out, TEXT_SIZE, "%s%s%s", list, expected, key->keys && key->type == VALUE_WORD ? ", or a mapping" : "");
}

static void describe_default(struct key_text *value, const struct key *key, const void *object, char out[TEXT_SIZE])
{
	const char *text = key->write && object && !key->usual ? key_text(value, key, object) : "";

	if (key->required)
		snprintf(out, TEXT_SIZE, "none (required)");
	else if (key->usual)
		snprintf(out, TEXT_SIZE, "%s", key->usual);
	else
		snprintf(out, TEXT_SIZE, *text ? "`%s`" : "none", text);
}

static bool has_own_list(const struct key *key)
{
	return key->keys && key->keys->help;
}

/* The help and the condition of a key. Also the names of its sub-keys if they need no separate list. */
static void describe_meaning(const struct key *key, char out[TEXT_SIZE])
{
	size_t length = snprintf(out, TEXT_SIZE, "%s", key->help);

	if (key->condition) {
		length += snprintf(out + length, TEXT_SIZE - length, " %s.", key->condition->text);
		out[strlen(key->help) + 1] -= 'a' - 'A'; /* begins a new sentence */
	}
	if (!key->keys || has_own_list(key))
		return;
	for (const struct key *row = key->keys; row->name; row++)
		length += snprintf(out + length, TEXT_SIZE - length, "%s`%s`",
			row == key->keys ? " The keys are " : ", ", row->name);
	snprintf(out + length, TEXT_SIZE - length, ".");
}

static void write_key(const struct page *page, struct key_text *value, const struct key *key, const void *object)
{
	char name[PATH_SIZE], kind[TEXT_SIZE], usual[TEXT_SIZE], meaning[TEXT_SIZE];

	snprintf(name, sizeof(name), "`%s`", key->name);
	describe_value(key, kind);
	describe_default(value, key, object, usual);
	describe_meaning(key, meaning);
	page_row(page, (const char *[]){name, kind, usual, meaning, NULL});
}

/* Writes the list of an object, then the lists of the objects in it. */
static void write_object(struct page *page, struct key_text *value, const char *path, const struct key *keys)
{
	static const char *const columns[] = {"key", "value", "default", "meaning", NULL};
	const void *object = object_of(value->writer.config, keys);
	char title[PATH_SIZE];

	page_heading(page, 1, *path ? path : "The file");
	page_table(page, columns);
	for (const struct key *key = keys; key->name; key++)
		write_key(page, value, key, object);
	for (const struct key *key = keys; key->name; key++) {
		if (!has_own_list(key))
			continue;
		snprintf(title, sizeof(title), "%s%s%s%s", path, *path ? "." : "", key->name,
			key->flags & KEY_LIST ? "[]" : "");
		write_object(page, value, title, key->keys);
	}
}

void keys_write(struct page *page)
{
	struct config *config = parse_smallest_file();
	struct key_text value;

	key_text_open(&value, config);
	write_object(page, &value, "", config_file_keys);
	key_text_close(&value);
	config_free(config);
}
