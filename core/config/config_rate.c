// SPDX-License-Identifier: GPL-2.0
/* The keys of a limit and of a set of limits. */
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

#define BURST_MAX 10000000
#define WINDOW_MAX 1000 /* seconds; less than GUARD_WINDOW_MAX */

enum rate_action {
	ACTION_DROP,
	ACTION_REFUSE,
	ACTION_COUNT, /* the same as `mode: observe` */
};

static const struct word drop_words[] = {
	{"drop", ACTION_DROP},
	{"count", ACTION_COUNT},
	{},
};

static const struct word refuse_words[] = {
	{"drop", ACTION_DROP},
	{"refuse", ACTION_REFUSE},
	{"count", ACTION_COUNT},
	{},
};

static void read_action(struct reader *reader, const struct node *value, void *object)
{
	struct config_rate *rate = object;
	int action;

	if (!reader_word(reader, value, &action))
		return;
	rate->refuse = action == ACTION_REFUSE;
	if (action == ACTION_COUNT && rate->mode == GUARD_ENFORCE)
		reader_refuse(reader, value, "drop or refuse with `mode: enforce`");
	if (action == ACTION_COUNT)
		rate->mode = GUARD_OBSERVE;
}

static void read_mode(struct reader *reader, const struct node *value, void *object)
{
	config_read_mode(reader, value, object);
}

#define RATE_KEYS(words_of_action)                                                                                     \
	{                                                                                                              \
		{.name = "rate",                                                                                       \
			.required = true,                                                                              \
			.read = config_read_u32,                                                                       \
			.member = offsetof(struct config_rate, rate),                                                  \
			.type = VALUE_NUMBER,                                                                          \
			.min = 1,                                                                                      \
			.max = GUARD_RATE_MAX},                                                                        \
			{.name = "burst",                                                                              \
				.required = true,                                                                      \
				.read = config_read_u32,                                                               \
				.member = offsetof(struct config_rate, burst),                                         \
				.type = VALUE_NUMBER,                                                                  \
				.min = 1,                                                                              \
				.max = BURST_MAX},                                                                     \
			{.name = "mode",                                                                               \
				.read = read_mode,                                                                     \
				.member = offsetof(struct config_rate, mode),                                          \
				.type = VALUE_WORD,                                                                    \
				.words = config_mode_words},                                                           \
			{.name = "action", .read = read_action, .type = VALUE_WORD, .words = words_of_action},         \
		{                                                                                                      \
		}                                                                                                      \
	}

static const struct key drop_keys[] = RATE_KEYS(drop_words);
static const struct key refuse_keys[] = RATE_KEYS(refuse_words);

void config_read_rate(
	struct reader *reader, const struct node *value, struct config_rate *rate, enum config_rate_kind kind)
{
	char noun[3 * NAME_SIZE];

	*rate = (struct config_rate){.refuse = kind == CONFIG_RATE_SURGE};
	if (value->kind == NODE_SCALAR && !strcmp(value->text, "none"))
		return;
	snprintf(noun, sizeof(noun), "'%s' of %s", reader->key->name, reader->label);
	reader_mapping(reader, value, noun, kind == CONFIG_RATE_DROP ? drop_keys : refuse_keys, rate);
	if (rate->rate && rate->burst / rate->rate > WINDOW_MAX)
		faults_add(reader->faults, value->position,
			"'%s' of %s: a source with this burst needs more than %d s to use its rate again; lower "
			"'burst' or raise 'rate'",
			reader->key->name, reader->label, WINDOW_MAX);
}

void config_write_rate(FILE *out, const struct config_rate *rate)
{
	if (!rate->rate) {
		fputs("none", out);
		return;
	}
	fprintf(out, "{rate: %u, burst: %u", rate->rate, rate->burst);
	if (rate->mode)
		fprintf(out, ", mode: %s", config_mode_name(rate->mode));
	fprintf(out, ", action: %s}", rate->refuse ? "refuse" : "drop");
}

/* --- sets */

static bool can_refuse(size_t bucket)
{
	return bucket == GUARD_BUCKET_PACKETS || bucket == GUARD_BUCKET_INITIAL || bucket == GUARD_BUCKET_INVITE;
}

static void read_limit(struct reader *reader, const struct node *value, void *object)
{
	struct config_limit_set *set = object;
	size_t bucket = reader->key->member;

	config_read_rate(
		reader, value, &set->rates[bucket], can_refuse(bucket) ? CONFIG_RATE_REFUSE : CONFIG_RATE_DROP);
}

static void read_name(struct reader *reader, const struct node *value, void *object)
{
	config_claim_name(reader, value, ((struct config_limit_set *)object)->name, CLAIM_LIMIT_SET, 0);
}

#define LIMIT(word, bucket)                                                                                            \
	{                                                                                                              \
		.name = word, .read = read_limit, .member = GUARD_BUCKET_##bucket                                      \
	}

const struct key config_limit_set_keys[] = {
	{.name = "name", .required = true, .read = read_name, .expected = NAME_EXPECTED},
	LIMIT("packets", PACKETS),
	LIMIT("dialog", DIALOG),
	LIMIT("emergency", EMERGENCY),
	LIMIT("initial", INITIAL),
	LIMIT("invite", INVITE),
	LIMIT("register", REGISTER),
	LIMIT("options", OPTIONS),
	LIMIT("subscribe", SUBSCRIBE),
	LIMIT("message", MESSAGE),
	LIMIT("other", OTHER),
	LIMIT("not_sip", NOT_SIP),
	LIMIT("tcp_syn", TCP_SYN),
	{},
};

void config_read_limit_sets(struct reader *reader, const struct node *value, void *object)
{
	struct config_guard *guard = object;
	const struct config_limit_set *usual = config_limit_set(NULL, CONFIG_DEFAULT_LIMITS);
	struct config_limit_set *set;
	const struct node *item;

	set = guard->limit_sets = reader_items(reader, value, sizeof(*set), true, &guard->limit_set_count);
	if (guard->limit_set_count > GUARD_LIMIT_SETS_MAX)
		faults_add(reader->faults, value->position,
			"'limit_sets' of guard has %zu sets: at most %d are possible", guard->limit_set_count,
			GUARD_LIMIT_SETS_MAX);
	for (item = node_first(value); set && item; item = node_next(value, item), set++) {
		memcpy(set->rates, usual->rates, sizeof(set->rates));
		set->position = item->position;
		reader_mapping(reader, item, "a limit set", config_limit_set_keys, set);
	}
}

static bool same_rate(const struct config_rate *a, const struct config_rate *b)
{
	return a->rate == b->rate && a->burst == b->burst && a->refuse == b->refuse && a->mode == b->mode;
}

/* Writes the limits that differ from the built-in ones. */
static void write_set(FILE *out, const struct config_limit_set *set)
{
	const struct config_limit_set *usual = config_limit_set(NULL, CONFIG_DEFAULT_LIMITS);

	fputs("{name: ", out);
	config_write_word(out, set->name);
	for (const struct key *key = config_limit_set_keys + 1; key->name; key++) {
		if (same_rate(&set->rates[key->member], &usual->rates[key->member]))
			continue;
		fprintf(out, ", %s: ", key->name);
		config_write_rate(out, &set->rates[key->member]);
	}
	fputc('}', out);
}

void config_write_limit_sets(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_guard *guard = object;

	(void)key;
	for (size_t i = 0; i < guard->limit_set_count; i++) {
		fputs(i ? ", " : "[", writer->out);
		write_set(writer->out, &guard->limit_sets[i]);
	}
	if (guard->limit_set_count)
		fputc(']', writer->out);
}
