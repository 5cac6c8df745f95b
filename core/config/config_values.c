// SPDX-License-Identifier: GPL-2.0
/* Values that several kinds of objects have: names, addresses, limits. */
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

static void *member(const struct reader *reader, void *object)
{
	return (char *)object + reader->key->member;
}

void config_read_u8(struct reader *reader, const struct node *value, void *object)
{
	uint32_t number;

	if (reader_number(reader, value, &number))
		*(uint8_t *)member(reader, object) = number;
}

void config_read_u16(struct reader *reader, const struct node *value, void *object)
{
	uint32_t number;

	if (reader_number(reader, value, &number))
		*(uint16_t *)member(reader, object) = number;
}

void config_read_u32(struct reader *reader, const struct node *value, void *object)
{
	reader_number(reader, value, member(reader, object));
}

void config_read_time(struct reader *reader, const struct node *value, void *object)
{
	reader_time(reader, value, member(reader, object));
}

void config_read_truth(struct reader *reader, const struct node *value, void *object)
{
	int truth;

	if (reader_word(reader, value, &truth))
		*(bool *)member(reader, object) = truth;
}

bool config_read_name(struct reader *reader, const struct node *value, char out[NAME_SIZE])
{
	const char *text = reader_text(reader, value);

	if (!text)
		return false;
	if (!config_name_is_valid(text)) {
		reader_refuse(reader, value, NAME_EXPECTED);
		return false;
	}
	strcpy(out, text);
	return true;
}

void config_claim_name(
	struct reader *reader, const struct node *value, char name[NAME_SIZE], enum claim_kind kind, size_t scope)
{
	struct parse *parse = reader->context;
	struct claim claim = {.kind = kind, .scope = scope, .key = name, .owner = name, .position = value->position};

	if (!config_read_name(reader, value, name))
		return;
	claim.length = strlen(name);
	claims_add(&parse->claims, claim);
}

bool config_read_address(struct reader *reader, const struct node *value, struct address *out)
{
	const char *text = reader_text(reader, value);
	struct address address;

	if (!text)
		return false;
	if (address_parse(text, &address)) {
		reader_refuse(
			reader, value, strchr(text, '/') ? "an address without a prefix length" : ADDRESS_EXPECTED);
		return false;
	}
	if (!address_is_host(&address)) {
		reader_refuse(reader, value,
			"a host address (not unspecified, loopback, link-local, multicast or broadcast)");
		return false;
	}
	*out = address;
	return true;
}

void config_check_limit(
	struct reader *reader, struct position position, size_t count, uint32_t limit, const char *what, uint32_t max)
{
	if (count != (size_t)limit + 1)
		return;
	if (limit < max)
		faults_add(reader->faults, position, "too many %s: the limit is %u; raise it in 'limits' (at most %u)",
			what, limit, max);
	else
		faults_add(reader->faults, position, "too many %s: at most %u are possible", what, limit);
}

/* --- secrets */

#define SECRET_HIDDEN "hidden"

bool config_is_hidden(struct reader *reader, const struct node *value)
{
	const char *name = reader->key->name;

	if (strcmp(value->text, SECRET_HIDDEN))
		return false;
	faults_add(reader->faults, value->position,
		"'%s' of %s is hidden in this file: 'sipxdp-ctl save' writes it only for root; enter the %s, or save "
		"again as root",
		name, reader->label, name);
	return true;
}

static void hide(char **secret)
{
	if (!*secret)
		return;
	free(*secret);
	*secret = config_copy_text(SECRET_HIDDEN);
}

void config_hide_secrets(struct config *config)
{
	hide(&config->join.secret);
	hide(&config->capture.password);
}

/* --- texts */

bool config_is_printable(const char *text)
{
	while (*text >= ' ' && *text <= '~')
		text++;
	return *text == '\0';
}

char *config_copy_text(const char *text)
{
	return text ? strcpy(allocate(strlen(text) + 1, 1), text) : NULL;
}
