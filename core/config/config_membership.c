// SPDX-License-Identifier: GPL-2.0
/* The keys of `group:` of the file: a group of balancers. */
#include "config_private.h"

static const struct word agree_words[] = {
	{"majority", AGREE_MAJORITY},
	{"any", AGREE_ANY},
	{"own", AGREE_OWN},
	{},
};

static void read_name(struct reader *reader, const struct node *value, void *object)
{
	config_read_name(reader, value, (char *)object + reader->key->member);
}

static void write_name(const struct writer *writer, const struct key *key, const void *object)
{
	const char *name = (const char *)object + key->member;

	if (*name)
		config_write_word(writer->out, name);
}

static void read_agree(struct reader *reader, const struct node *value, void *object)
{
	struct config_membership *membership = object;
	int agree;

	if (reader_word(reader, value, &agree))
		membership->agree = agree;
}

const char *config_agree_name(enum config_agree agree)
{
	return agree < AGREE_COUNT ? agree_words[agree].text : "unknown";
}

static void write_agree(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	fputs(config_agree_name(((const struct config_membership *)object)->agree), writer->out);
}

const struct key config_membership_keys[] = {
	{.name = "name",
		.required = true,
		.read = read_name,
		.write = write_name,
		.member = offsetof(struct config_membership, name),
		.expected = NAME_EXPECTED,
		.help = "Name of the group. Balancers with the same name decide together, if their corosync belongs to "
			"the "
			"same cluster."},
	{.name = "node",
		.required = true,
		.read = read_name,
		.write = write_name,
		.member = offsetof(struct config_membership, node),
		.expected = NAME_EXPECTED,
		.help = "Name of this balancer, different from those of the other members."},
	{.name = "agree",
		.read = read_agree,
		.write = write_agree,
		.type = VALUE_WORD,
		.words = agree_words,
		.help = "When a backend is down for all members: if most of the members that can judge it say so "
			"(`majority`), or if one of them says so (`any`). With `own`, each member decides by itself."},
	{.name = "alone_after",
		.read = config_read_time,
		.write = config_write_time,
		.member = offsetof(struct config_membership, alone_after),
		.flags = KEY_ALWAYS,
		.type = VALUE_TIME,
		.min = SECOND,
		.max = HOUR,
		.help = "A balancer without a connection to corosync or without quorum keeps the last decisions for "
			"this "
			"time. Then it decides by itself."},
	{},
};

void config_read_membership(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;

	reader_mapping(reader, value, "group", config_membership_keys, &config->group);
}
