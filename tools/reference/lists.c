// SPDX-License-Identifier: GPL-2.0
/* See lists.h. */
#include <string.h>
#include "bpf/abi.h"
#include "bpf/guard_rules.h"
#include "bpf/verdicts.h"
#include "core/base/usage.h"
#include "core/control/protocol.h"
#include "core/net/xdp_driver.h"
#include "core/observe/metrics.h"
#include "ctl/cli/arguments.h"
#include "keys.h"
#include "lists.h"

/* Usage tables of the programs; their headers cannot be included together. */
extern const struct usage daemon_usage, loader_usage, ctl_usage;

#define TEXT_SIZE 512

/* --- counters */

#define NORMAL "yes"
#define ANOMALY "no"
#define ROW(name, action, normal, text) {"`" #name "`", #action, normal, text},

static void write_counters(struct page *page, const char *const rows[][4], size_t count)
{
	static const char *const columns[] = {"counter", "action", "normal", "packet", NULL};

	page_table(page, columns);
	for (size_t i = 0; i < count; i++)
		page_row(page, (const char *[]){rows[i][0], rows[i][1], rows[i][2], rows[i][3], NULL});
}

static void write_balancer_counters(struct page *page)
{
	static const char *const rows[][4] = {BALANCER_VERDICTS(ROW)};

	write_counters(page, rows, sizeof(rows) / sizeof(rows[0]));
}

static void write_decap_counters(struct page *page)
{
	static const char *const rows[][4] = {DECAP_VERDICTS(ROW)};

	write_counters(page, rows, sizeof(rows) / sizeof(rows[0]));
}

#define MESSAGE_ROW(name, kind, label, detail, text) page_row(page, (const char *[]){"`" #name "`", text, NULL});

static const char *const message_columns[] = {"counter", "counts", NULL};

static void write_service_counters(struct page *page)
{
	page_table(page, message_columns);
	SERVICE_COUNTERS(MESSAGE_ROW)
}

static void write_backend_counters(struct page *page)
{
	page_table(page, message_columns);
	BACKEND_COUNTERS(MESSAGE_ROW)
}

static void write_return_counters(struct page *page)
{
	page_table(page, message_columns);
	BACKEND_RETURN_COUNTERS(MESSAGE_ROW)
}

/* --- rules of the guard */

#define RULE_ROW(rule, name, text) page_row(page, (const char *[]){"`" #name "`", text, NULL});

static void write_guard_rules(struct page *page)
{
	static const char *const columns[] = {"rule", "applies to", NULL};

	page_table(page, columns);
	GUARD_BUCKET_TEXTS(RULE_ROW)
	GUARD_RULE_TEXTS(RULE_ROW)
}

/* --- metrics */

static void write_metrics(struct page *page)
{
	static const char *const columns[] = {"metric", "type", "labels", "meaning", NULL};
	static const char *const types[] = {[METRIC_GAUGE] = "gauge",
		[METRIC_COUNTER] = "counter",
		[METRIC_INFO] = "info",
		[METRIC_HISTOGRAM] = "histogram"};
	char name[TEXT_SIZE];

	page_table(page, columns);
	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metric_text *metric = &metric_texts[i];

		snprintf(name, sizeof(name), "`%s`", metric->name);
		page_row(page, (const char *[]){name, types[metric->type], metric->labels, metric->help, NULL});
	}
}

/* --- network drivers */

/* "6.4"; "no" for 0 */
static const char *version_text(uint32_t version, char out[16])
{
	if (version)
		snprintf(out, 16, "%u.%u", version >> 8, version & 0xff);
	else
		snprintf(out, 16, "no");
	return out;
}

static void write_drivers(struct page *page)
{
	static const char *const columns[] = {"driver", "platform", "native XDP since", "MTU limit",
		"no MTU limit since", "queues", "LRO", "other conditions", "tested", "source", NULL};
	char name[64], native[16], mtu[16], frags[16], source[TEXT_SIZE];

	page_table(page, columns);
	for (const struct xdp_driver *driver = xdp_drivers; driver->name; driver++) {
		snprintf(name, sizeof(name), "`%s`", driver->name);
		snprintf(mtu, sizeof(mtu), "%u", driver->mtu);
		snprintf(source, sizeof(source), "`%s`", driver->source);
		page_row(page, (const char *[]){name, driver->platform, version_text(driver->native, native), mtu,
				       version_text(driver->frags, frags), xdp_queues_text(driver->queues),
				       driver->refuses_lro ? "must be off" : "", driver->note,
				       driver->tested ? driver->tested : "no", source, NULL});
	}
}

/* --- command lines */

/* "`-c`, `--config` *FILE*" */
static const char *option_term(const struct usage_option *option, char out[TEXT_SIZE])
{
	char letter[] = "`-c`, ";

	letter[2] = option->value;
	snprintf(out, TEXT_SIZE, "%s`--%s`%s%s%s", option->value < USAGE_LONG ? letter : "", option->name,
		option->argument ? " *" : "", option->argument ? option->argument : "", option->argument ? "*" : "");
	return out;
}

/* "attach, upgrade", or "all" */
static const char *names_of_commands(const struct usage *usage, unsigned int bits, char out[TEXT_SIZE])
{
	size_t length = 0;

	snprintf(out, TEXT_SIZE, "all");
	for (const struct usage_command *command = usage->commands; command && command->name; command++) {
		if (!(bits & command->bit))
			continue;
		bits &= ~command->bit;
		length += snprintf(out + length, TEXT_SIZE - length, "%s`%s`", length ? ", " : "", command->name);
	}
	return out;
}

static void write_options(struct page *page, const struct usage *usage)
{
	static const char *const columns[] = {"option", "meaning", NULL};
	static const char *const columns_with_commands[] = {"option", "commands", "meaning", NULL};
	char term[TEXT_SIZE], names[TEXT_SIZE];

	page_table(page, usage->commands ? columns_with_commands : columns);
	for (const struct usage_option *option = usage->options; option->name; option++) {
		option_term(option, term);
		names_of_commands(usage, option->commands, names);
		if (usage->commands)
			page_row(page, (const char *[]){term, names, option->help, NULL});
		else
			page_row(page, (const char *[]){term, option->help, NULL});
	}
}

static void write_commands(struct page *page, const struct usage *usage)
{
	static const char *const columns[] = {"command", "meaning", NULL};
	char term[TEXT_SIZE];

	page_table(page, columns);
	for (const struct usage_command *command = usage->commands; command->name; command++) {
		snprintf(term, sizeof(term), "`%s %s`", command->name, command->arguments);
		page_row(page, (const char *[]){term, command->help, NULL});
	}
}

/* --- the commands of sipxdp-ctl */

/* "*POOL*", "`--weight` *N*", "`--drain`" */
static const char *argument_term(const struct protocol_argument *argument, char out[TEXT_SIZE])
{
	const char *placeholder = argument->placeholder;
	int length = 0;

	if (argument->use == ARGUMENT_FLAG)
		length = snprintf(out, TEXT_SIZE, "`--%s`%s", argument->name, placeholder ? " " : "");
	if (placeholder)
		snprintf(out + length, TEXT_SIZE - length, "*%s*", placeholder);
	return out;
}

static void write_ctl_arguments(struct page *page, const struct protocol_argument *argument)
{
	static const char *const columns[] = {"argument", "meaning", NULL};
	char term[TEXT_SIZE];

	if (argument->name)
		page_table(page, columns);
	for (; argument->name; argument++)
		if (argument->use != ARGUMENT_CONTENTS)
			page_row(page, (const char *[]){argument_term(argument, term), argument->help, NULL});
}

static void write_ctl_commands(struct page *page)
{
	for (enum command command = 0; command < COMMAND_COUNT; command++) {
		char text[TEXT_SIZE] = "";
		FILE *out = fmemopen(text, sizeof(text) - 1, "w");

		if (!out)
			return;
		arguments_print_synopsis(command, out);
		fclose(out);
		page_heading(page, 2, text);
		snprintf(text, sizeof(text), "%s.", protocol_commands[command].help);
		if (text[0] >= 'a' && text[0] <= 'z')
			text[0] -= 'a' - 'A';
		page_paragraph(page, text);
		write_ctl_arguments(page, protocol_commands[command].arguments);
	}
}

/* --- lists by name */

bool lists_write(struct page *page, const char *name)
{
	static const struct {
		const char *name;
		void (*write)(struct page *page);
		void (*write_usage)(struct page *page, const struct usage *usage);
		const struct usage *usage;
	} lists[] = {
		{"keys", .write = keys_write},
		{"counters of the balancer", .write = write_balancer_counters},
		{"counters of a service", .write = write_service_counters},
		{"counters of a backend", .write = write_backend_counters},
		{"counters of packets from a backend", .write = write_return_counters},
		{"counters of decap", .write = write_decap_counters},
		{"rules of the guard", .write = write_guard_rules},
		{"metrics", .write = write_metrics},
		{"drivers", .write = write_drivers},
		{"options of sipxdpd", .write_usage = write_options, .usage = &daemon_usage},
		{"commands of sipxdp-loader", .write_usage = write_commands, .usage = &loader_usage},
		{"options of sipxdp-loader", .write_usage = write_options, .usage = &loader_usage},
		{"commands of sipxdp-ctl", .write = write_ctl_commands},
		{"options of sipxdp-ctl", .write_usage = write_options, .usage = &ctl_usage},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (strcmp(lists[i].name, name))
			continue;
		if (lists[i].write)
			lists[i].write(page);
		else
			lists[i].write_usage(page, lists[i].usage);
		return true;
	}
	return false;
}
