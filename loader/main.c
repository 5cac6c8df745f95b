// SPDX-License-Identifier: GPL-2.0
/* sipxdp-loader: the command line, as a table of commands and one of options. Everything
 * that --help prints comes from them. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/address.h"
#include "options.h"
#include "say.h"

#define DEFAULT_TIMEOUT 60 /* s */
#define MAX_TIMEOUT 86400

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

enum exit_status {
	EXIT_DONE,
	EXIT_FAILED,
	EXIT_USAGE,
};

/* --- commands */

enum {
	ATTACH = 1,
	UPGRADE = 2,
	DETACH = 4,
	STATUS = 8,
	ALL = ATTACH | UPGRADE | DETACH | STATUS,
};

static const struct command {
	unsigned int bit;
	const char *name;
	const char *synopsis;
	const char *text;
	int (*run)(const struct options *options);
} commands[] = {
	{ATTACH, "attach", "-c FILE", "load the balancer, attach it to the interfaces of FILE", attach_run},
	{ATTACH, "attach", "--program decap IFACE...", "on a backend that is sent IP-in-IP: take the outer header off",
		attach_run},
	{UPGRADE, "upgrade", "[-c FILE]", "replace the program on all its interfaces; no packet is lost", upgrade_run},
	{DETACH, "detach", "[IFACE...]", "take it off these interfaces, or off all; with the last one go the maps",
		detach_run},
	{STATUS, "status", "[--json]", "show what is attached where", status_run},
};

/* --- options: each sets its part of struct options; false when the argument is none */

static bool set_config(struct options *options, const char *argument)
{
	options->config = argument;
	return true;
}

static bool set_program(struct options *options, const char *argument)
{
	enum program_kind kind;

	for (kind = 0; kind < PROGRAM_KINDS; kind++) {
		if (!strcmp(argument, program_name(kind))) {
			options->program = kind;
			options->program_given = true;
			return true;
		}
	}
	return false;
}

static bool set_mode(struct options *options, const char *argument)
{
	options->mode = strcmp(argument, "generic") ? MODE_NATIVE : MODE_GENERIC;
	return !strcmp(argument, mode_name(options->mode));
}

static bool set_dispatcher(struct options *options, __attribute__((unused)) const char *argument)
{
	options->dispatcher = true;
	return true;
}

static bool add_address(struct options *options, const char *argument)
{
	/* main() has made room for as many as there are words. */
	return !address_parse(argument, &options->addresses[options->address_count++]);
}

static bool add_source(struct options *options, const char *argument)
{
	return !prefix_parse(argument, &options->from.list[options->from.count++]);
}

static bool add_vip(struct options *options, const char *argument)
{
	return !prefix_parse(argument, &options->vips.list[options->vips.count++]);
}

/* Cuts slashes at its end, in place: the argument is ours. */
static bool set_pin_dir(struct options *options, const char *argument)
{
	char *end = strchr(argument, '\0');

	while (end > argument + 1 && end[-1] == '/')
		*--end = '\0';
	options->pin_dir = argument;
	/* A path of some pin in it must fit, too. */
	return argument[0] == '/' && argument[1] && strlen(argument) < PATH_MAX - 256;
}

static bool set_timeout(struct options *options, const char *argument)
{
	char *end;
	unsigned long seconds = strtoul(argument, &end, 10);

	options->timeout = seconds;
	return argument[0] >= '0' && argument[0] <= '9' && !*end && seconds <= MAX_TIMEOUT;
}

static bool set_json(struct options *options, __attribute__((unused)) const char *argument)
{
	options->json = true;
	return true;
}

static bool set_verbose(struct options *options, __attribute__((unused)) const char *argument)
{
	options->verbose = true;
	return true;
}

static const struct option_row {
	unsigned int commands;
	char letter; /* what getopt_long() returns; an upper case one is no option of its own */
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *wanted;   /* what kind of argument it wants */
	const char *text;
	bool (*set)(struct options *options, const char *argument);
} option_rows[] = {
	{ATTACH | UPGRADE, 'c', "config", "FILE", "", "the balancer's file (see sipxdpd --check)", set_config},
	{ALL, 'P', "program", "balancer|decap", "'balancer' or 'decap'", "which of the two (default balancer)",
		set_program},
	{ATTACH, 'M', "mode", "native|generic", "'native' or 'generic'",
		"native: in the driver (default); generic: slow", set_mode},
	{ATTACH, 'D', "dispatcher", NULL, "", "share the interface with other XDP programs, by libxdp's dispatcher",
		set_dispatcher},
	{ATTACH, 'A', "address", "ADDRESS", "an IPv4 or IPv6 address",
		"decap: one more address that tunnels end at, besides those of IFACE", add_address},
	{ATTACH | UPGRADE, 'F', "from", "PREFIX", "an address or a network such as 10.0.0.0/24",
		"decap: accept tunnels from there only; may be repeated (default: from anywhere)", add_source},
	{ATTACH | UPGRADE, 'I', "vip", "ADDRESS", "an address or a network such as 192.0.2.0/28",
		"decap: accept packets in them for this VIP only; may be repeated (default: addresses of lo)", add_vip},
	{ALL, 'R', "pin-dir", "DIR", "an absolute path", "where the pins are (default " PIN_DIR ")", set_pin_dir},
	{UPGRADE, 'T', "timeout", "SECONDS", "a number of seconds, 86400 at most",
		"how long sipxdpd may take to fill new maps (default 60)", set_timeout},
	{STATUS, 'J', "json", NULL, "", "print JSON", set_json},
	{ALL, 'v', "verbose", NULL, "", "print all that libbpf and libxdp say, the verifier's log included",
		set_verbose},
	{ALL, 'h', "help", NULL, "", "print this", NULL},
	{ALL, 'V', "version", NULL, "", "print the version", NULL},
};

/* --- help */

static void print_help(void)
{
	char left[64];
	size_t i;

	puts("usage: sipxdp-loader COMMAND [OPTION...]\n\n"
	     "Attaches sipxdp's XDP programs to interfaces. Pinned links and maps keep them there\n"
	     "when this program has ended.\n\ncommands:");
	for (i = 0; i < COUNT(commands); i++) {
		snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].synopsis);
		printf("  %-32s %s\n", left, commands[i].text);
	}
	puts("\noptions:");
	for (i = 0; i < COUNT(option_rows); i++) {
		const struct option_row *row = &option_rows[i];

		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", row->letter >= 'a' ? "-" : " ",
			row->letter >= 'a' ? row->letter : ' ', row->letter >= 'a' ? ", " : "  ", row->name,
			row->argument ? " " : "", row->argument ? row->argument : "");
		printf("  %-32s %s\n", left, row->text);
	}
	puts("\nExit status: 0 done, 1 failed, 2 wrong usage.");
}

/* --- reading the command line */

static const struct option_row *find_option(int letter)
{
	size_t i;

	for (i = 0; i < COUNT(option_rows); i++) {
		if (option_rows[i].letter == letter)
			return &option_rows[i];
	}
	return NULL;
}

/* getopt's two forms of the table. */
static void fill_getopt(struct option *longs, char *shorts)
{
	size_t i;

	*shorts++ = ':'; /* tell a missing argument from an unknown option */
	for (i = 0; i < COUNT(option_rows); i++) {
		const struct option_row *row = &option_rows[i];

		longs[i] =
			(struct option){row->name, row->argument ? required_argument : no_argument, NULL, row->letter};
		if (row->letter < 'a')
			continue;
		*shorts++ = row->letter;
		if (row->argument)
			*shorts++ = ':';
	}
	longs[i] = (struct option){0};
	*shorts = '\0';
}

static int refuse(const char *problem, const char *what)
{
	say_error("%s%s%s (see 'sipxdp-loader --help')", problem, *what ? " " : "", what);
	return EXIT_USAGE;
}

/* Asks for one option after the other. EXIT_DONE, with *row at --help or --version if
 * one of them was given, or EXIT_USAGE. */
static int read_options(
	int argc, char **argv, unsigned int command, struct options *options, const struct option_row **row)
{
	struct option longs[COUNT(option_rows) + 1];
	char shorts[2 * COUNT(option_rows) + 2];
	int letter;

	*row = NULL;
	fill_getopt(longs, shorts);
	while ((letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (letter == '?')
			return refuse("unknown option", argv[optind - 1]);
		if (letter == ':')
			return refuse("an argument is missing after", argv[optind - 1]);
		*row = find_option(letter);
		if (!(*row)->set)
			return EXIT_DONE;
		if (!((*row)->commands & command))
			return refuse("this command does not take the option", (*row)->name);
		if (!(*row)->set(options, optarg)) {
			say_error("--%s %s: %s is wanted", (*row)->name, optarg, (*row)->wanted);
			return EXIT_USAGE;
		}
	}
	*row = NULL;
	return EXIT_DONE;
}

/* What the tables cannot tell. */
static int check(const struct command *command, const struct options *options)
{
	bool decap = options->program == PROGRAM_DECAP;

	if (decap && options->config)
		return refuse("--program decap needs no file: name the interfaces", "");
	if (!decap && (options->address_count || options->from.count || options->vips.count))
		return refuse("--address, --from and --vip are for --program decap", "");
	if (command->bit & (UPGRADE | STATUS) && options->interface_count)
		return refuse("this command takes no interface:", options->interfaces[0]);
	if (command->bit != ATTACH)
		return EXIT_DONE;
	if (decap && !options->interface_count)
		return refuse("attach --program decap: which interface?", "");
	if (!decap && options->interface_count)
		return refuse("the balancer's interfaces are those of its file, not", options->interfaces[0]);
	if (!decap && !options->config)
		return refuse("attach: which file? (-c FILE)", "");
	return EXIT_DONE;
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int run(int argc, char **argv, struct options *options)
{
	const struct command *command = argc > 1 && argv[1][0] != '-' ? find_command(argv[1]) : NULL;
	bool named = argc > 1 && argv[1][0] != '-';
	const struct option_row *stop;
	int status;

	if (named && !command && strcmp(argv[1], "help"))
		return refuse("there is no command", argv[1]);
	status = read_options(argc - named, argv + named, command ? command->bit : ALL, options, &stop);
	if (status != EXIT_DONE)
		return status;
	if (stop && stop->letter == 'V') {
		puts("sipxdp-loader " SIPXDP_VERSION);
		return EXIT_DONE;
	}
	if (stop || (named && !command)) {
		print_help();
		return EXIT_DONE;
	}
	if (!command)
		return refuse("which command?", "");
	options->interfaces = argv + named + optind;
	options->interface_count = argc - named - optind;
	status = check(command, options);
	if (status != EXIT_DONE)
		return status;
	say_open(options->verbose);
	return command->run(options) ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct options options = {
		.pin_dir = PIN_DIR,
		.timeout = DEFAULT_TIMEOUT,
		.addresses = calloc(argc, sizeof(struct address)),
		.from.list = calloc(argc, sizeof(struct prefix_key)),
		.vips.list = calloc(argc, sizeof(struct prefix_key)),
	};
	int status;

	/* A reader that went away must not end us between two pins. */
	signal(SIGPIPE, SIG_IGN);
	if (!options.addresses || !options.from.list || !options.vips.list) {
		say_error("out of memory");
		return EXIT_FAILED;
	}
	status = run(argc, argv, &options);
	free(options.addresses);
	free(options.from.list);
	free(options.vips.list);
	return status;
}
