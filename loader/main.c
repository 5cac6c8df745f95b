// SPDX-License-Identifier: GPL-2.0
/* sipxdp-loader: parses the command line with the tables of usage.c and runs the command. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/address.h"
#include "options.h"
#include "output.h"
#include "usage.h"

#define DEFAULT_TIMEOUT 60 /* s */
#define MAX_TIMEOUT 86400

enum exit_status {
	EXIT_DONE,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_NOTHING, /* SuccessExitStatus= of the units */
};

/* --- options: each function sets its part of struct options; false: invalid argument */

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
	options->mode_given = true;
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
	/* main() has allocated one element for each word of the command line. */
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

static bool read_number(const char *text, unsigned long max, unsigned long *number)
{
	char *end;

	*number = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && *number <= max;
}

static bool add_gue_port(struct options *options, const char *argument)
{
	struct decap_ports *ports = &options->gue_ports;
	unsigned long port;
	size_t i;

	if (!read_number(argument, UINT16_MAX, &port) || !port)
		return false;
	for (i = 0; i < options->gue_port_count; i++) {
		if (ports->gue[i] == port)
			return true;
	}
	if (i == DECAP_GUE_PORTS)
		return false;
	ports->gue[options->gue_port_count++] = port;
	return true;
}

/* Removes trailing slashes in place; the argument may be changed. */
static bool set_pin_dir(struct options *options, const char *argument)
{
	char *end = strchr(argument, '\0');

	while (end > argument + 1 && end[-1] == '/')
		*--end = '\0';
	options->pin_dir = argument;
	/* The path of any pin in this directory must also fit. */
	return argument[0] == '/' && argument[1] && strlen(argument) < PATH_MAX - 256;
}

static bool set_timeout(struct options *options, const char *argument)
{
	unsigned long seconds;
	bool valid = read_number(argument, MAX_TIMEOUT, &seconds);

	options->timeout = seconds;
	return valid;
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

static bool (*const setters[OPTION_COUNT])(struct options *options, const char *argument) = {
	[OPTION_CONFIG] = set_config,
	[OPTION_PROGRAM] = set_program,
	[OPTION_MODE] = set_mode,
	[OPTION_DISPATCHER] = set_dispatcher,
	[OPTION_ADDRESS] = add_address,
	[OPTION_FROM] = add_source,
	[OPTION_VIP] = add_vip,
	[OPTION_GUE_PORT] = add_gue_port,
	[OPTION_PIN_DIR] = set_pin_dir,
	[OPTION_TIMEOUT] = set_timeout,
	[OPTION_JSON] = set_json,
	[OPTION_VERBOSE] = set_verbose,
};

/* --- reading the command line */

static enum loader_option find_option(int value)
{
	enum loader_option option = 0;

	while (loader_usage.options[option].value != value)
		option++;
	return option;
}

static int refuse(const char *problem, const char *what)
{
	output_error("%s%s%s (see 'sipxdp-loader --help')", problem, *what ? " " : "", what);
	return EXIT_USAGE;
}

/* Reads all options. Returns EXIT_DONE or EXIT_USAGE. *stop becomes OPTION_HELP or OPTION_VERSION if one of
 * them is given, else OPTION_COUNT. */
static int read_options(
	int argc, char **argv, enum loader_command command, struct options *options, enum loader_option *stop)
{
	struct option longs[OPTION_COUNT + 1];
	char shorts[2 * OPTION_COUNT + 2];
	int value;

	shorts[0] = ':'; /* a missing argument is reported as ':', an unknown option as '?' */
	usage_getopt(loader_usage.options, longs, shorts + 1);
	while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct usage_option *row;

		if (value == '?')
			return refuse("unknown option", argv[optind - 1]);
		if (value == ':')
			return refuse("an argument is missing after", argv[optind - 1]);
		*stop = find_option(value);
		row = &loader_usage.options[*stop];
		if (!setters[*stop])
			return EXIT_DONE;
		if (command && row->commands && !(row->commands & command))
			return refuse("this command does not take the option", row->name);
		if (!setters[*stop](options, optarg)) {
			output_error("--%s must be %s, not '%s'", row->name, row->expected, optarg);
			return EXIT_USAGE;
		}
	}
	*stop = OPTION_COUNT;
	return EXIT_DONE;
}

/* Makes the checks that the tables cannot express. */
static int check(enum loader_command command, const struct options *options)
{
	bool decap = options->program == PROGRAM_DECAP;

	if (decap && options->config)
		return refuse("--program decap does not read a file: name the interfaces", "");
	if (!decap && (options->address_count || options->from.count || options->vips.count || options->gue_port_count))
		return refuse("--address, --from, --vip and --gue-port are valid only with --program decap", "");
	/* For decap, the unit gives both commands the same options (systemd/sipxdp-decap@.service). */
	if (!decap && command == COMMAND_UPGRADE && (options->mode_given || options->dispatcher))
		return refuse(
			"upgrade does not change how the balancer is attached: remove --mode and --dispatcher", "");
	if (command & (COMMAND_UPGRADE | COMMAND_STATUS) && options->interface_count)
		return refuse("this command takes no interface:", options->interfaces[0]);
	if (command == COMMAND_CHECK && options->config && options->interface_count)
		return refuse("check: give either a file or interfaces, not both:", options->interfaces[0]);
	if (command != COMMAND_ATTACH)
		return EXIT_DONE;
	if (decap && !options->interface_count)
		return refuse("attach --program decap: name at least one interface", "");
	if (!decap && options->interface_count)
		return refuse("attach: the file lists the interfaces of the balancer; remove the argument",
			options->interfaces[0]);
	if (!decap && !options->config)
		return refuse("attach: name the configuration file (-c FILE)", "");
	return EXIT_DONE;
}

/* Returns 0 if there is no such command. */
static enum loader_command find_command(const char *name)
{
	const struct usage_command *command = loader_usage.commands;

	while (command->name && strcmp(command->name, name))
		command++;
	return command->bit;
}

static int run_command(enum loader_command command, const struct options *options)
{
	switch (command) {
	case COMMAND_ATTACH:
		return attach_run(options);
	case COMMAND_UPGRADE:
		return upgrade_run(options);
	case COMMAND_DETACH:
		return detach_run(options);
	case COMMAND_CHECK:
		return check_run(options);
	default:
		return status_run(options);
	}
}

static enum exit_status exit_status(int result)
{
	if (result == NOTHING_TO_DO)
		return EXIT_NOTHING;
	return result ? EXIT_FAILED : EXIT_DONE;
}

static int run(int argc, char **argv, struct options *options)
{
	bool named = argc > 1 && argv[1][0] != '-';
	enum loader_command command = named ? find_command(argv[1]) : 0;
	enum loader_option stop = OPTION_COUNT;
	int status;

	if (named && !command && strcmp(argv[1], "help"))
		return refuse("unknown command", argv[1]);
	status = read_options(argc - named, argv + named, command, options, &stop);
	if (status != EXIT_DONE)
		return status;
	if (stop == OPTION_VERSION) {
		puts("sipxdp-loader " SIPXDP_VERSION);
		return EXIT_DONE;
	}
	if (stop == OPTION_HELP || (named && !command)) {
		usage_print(&loader_usage, stdout);
		return EXIT_DONE;
	}
	if (!command)
		return refuse("name a command", "");
	options->interfaces = argv + named + optind;
	options->interface_count = argc - named - optind;
	status = check(command, options);
	if (status != EXIT_DONE)
		return status;
	output_open(options->verbose);
	return exit_status(run_command(command, options));
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

	/* If the reader of the output exits, SIGPIPE must not kill the loader between two pins. */
	signal(SIGPIPE, SIG_IGN);
	if (!options.addresses || !options.from.list || !options.vips.list) {
		output_error("out of memory");
		return EXIT_FAILED;
	}
	status = run(argc, argv, &options);
	free(options.addresses);
	free(options.from.list);
	free(options.vips.list);
	return status;
}
