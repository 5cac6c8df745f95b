// SPDX-License-Identifier: GPL-2.0
/* Times the packet path by BPF_PROG_TEST_RUN and prints the time per packet. Loads all programs several times,
 * because the address that the JIT selects changes the time by some ns. After each load, all measurements (the rows of
 * the report) run in turn, because the speed of the machine drifts. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/bpf.h>
#include "measure.h"
#include "report.h"
#include "rows.h"

#define WARM 2000

struct options {
	int cpu;
	int loads;
	int rounds; /* in each load */
	uint32_t repeat;
	bool json;
	const char *only;
	const char *build;
	const char *against;
};

static const char usage[] = "usage: bench [OPTION...]\n"
			    "  --build DIR     directory of the programs (default: build)\n"
			    "  --against DIR   a second build; its programs are timed in the same rounds\n"
			    "  --only TEXT     only rows whose id contains TEXT, and the rows that are subtracted\n"
			    "  --loads N       how often the programs are loaded (default 7)\n"
			    "  --rounds N      samples in each load (default 3)\n"
			    "  --repeat N      runs in a sample (default 100000)\n"
			    "  --cpu N         the processor to run on (default 1; 0 if there is only one)\n"
			    "  --json          print JSON\n"
			    "  --help          print this text\n";

static bool has_part(const char *text, const char *parts)
{
	char list[512], *save, *part;

	snprintf(list, sizeof(list), "%s", parts);
	for (part = strtok_r(list, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
		if (strstr(text, part))
			return true;
	}
	return false;
}

static void want(bool *wanted, const char *id)
{
	int row = id && *id ? row_find(id) : NO_ROW;

	if (row != NO_ROW && !wanted[row]) {
		wanted[row] = true;
		want(wanted, rows[row].floor);
		want(wanted, rows[row].flow);
		want(wanted, rows[row].needs);
	}
}

static void choose_rows(const char *only, bool *wanted)
{
	for (int i = 0; i < row_count; i++) {
		if (!only || has_part(rows[i].id, only))
			want(wanted, rows[i].id);
	}
}

/* The programs of one load. */
struct load {
	struct subject *subjects; /* by setup, followed by those of --against */
	const struct options *options;
	const bool *wanted;
	double call_ns; /* the constant time of a call of BPF_PROG_TEST_RUN */
};

static int load_all(struct load *load, const char *build, struct subject *subjects)
{
	for (int i = 0; i < row_count; i++) {
		struct subject *subject = &subjects[rows[i].setup];
		int error;

		if (!load->wanted[i] || subject->object)
			continue;
		error = subject_load(subject, &setups[rows[i].setup], build);
		if (error)
			return error;
	}
	return 0;
}

static void unload_all(struct load *load)
{
	for (int i = 0; i < 2 * setup_count; i++) {
		if (load->subjects[i].object)
			subject_unload(&load->subjects[i]);
	}
}

/* Runs a row before it is timed, and checks its result. */
static int warm_up(const struct row *row, const struct subject *subject, const struct frame *frame)
{
	uint32_t runs = setups[row->setup].warm ? setups[row->setup].warm : WARM, action = 0;
	uint64_t before = subject_verdict(subject, row->verdict);
	double time = measure_program(subject->program, frame, runs, &action);

	if (time < 0) {
		fprintf(stderr, "%s: BPF_PROG_TEST_RUN: %s\n", row->id, strerror(-(int)time));
		return -1;
	}
	if ((action != row->action && !row->sweep) ||
		(row->verdict < VERDICT_COUNT && subject_verdict(subject, row->verdict) - before != runs)) {
		fprintf(stderr, "%s: unexpected XDP action %u or verdict (counters:", row->id, action);
		for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
			fprintf(stderr, " %llu", (unsigned long long)subject_verdict(subject, verdict));
		fprintf(stderr, ")\n");
		return -1;
	}
	return 0;
}

/* Measures the ns per packet of a row. 0 or -1. */
static int take_time(const struct load *load, const struct row *row, int program, double *ns)
{
	static struct frame frame;
	uint32_t action;

	message_build(row->message, &frame);
	*ns = row->sweep ? measure_cold(program, &frame, row->sweep)
			 : measure_program(program, &frame, load->options->repeat, &action);
	if (*ns < 0)
		return -1;
	if (!row->sweep)
		*ns -= load->call_ns / load->options->repeat;
	return 0;
}

static int take_samples(struct load *load, struct result *results, int side)
{
	struct subject *subjects = load->subjects + side * setup_count;

	for (int i = 0; i < row_count; i++) {
		double time;

		if (!load->wanted[i])
			continue;
		if (take_time(load, &rows[i], subjects[rows[i].setup].program, &time))
			return -1;
		samples_add(side ? &results[i].against : &results[i].samples, time);
	}
	return 0;
}

static int warm_up_all(struct load *load, int side)
{
	static struct frame frame;
	struct subject *subjects = load->subjects + side * setup_count;

	for (int i = 0; i < row_count; i++) {
		if (!load->wanted[i])
			continue;
		message_build(rows[i].message, &frame);
		if (warm_up(&rows[i], &subjects[rows[i].setup], &frame))
			return -1;
	}
	return 0;
}

/* Measures the constant time of a call of BPF_PROG_TEST_RUN: about 0.3 ms, in which the kernel patches its code to call
 * the program directly. */
static int time_call(struct load *load)
{
	const struct row *row = &rows[row_find("drop")];
	struct samples samples = {};
	struct frame frame;

	message_build(row->message, &frame);
	for (int i = 0; i < 15; i++) {
		uint32_t action;
		double time = measure_program(load->subjects[row->setup].program, &frame, 2, &action);

		if (time < 0)
			return -1;
		samples_add(&samples, time * 2);
	}
	load->call_ns = samples_quantile(&samples, 0.5);
	return 0;
}

static int one_load(struct load *load, struct result *results)
{
	int sides = load->options->against ? 2 : 1;

	if (load_all(load, load->options->build, load->subjects))
		return -1;
	if (sides == 2 && load_all(load, load->options->against, load->subjects + setup_count))
		return -1;
	for (int side = 0; side < sides; side++) {
		if (warm_up_all(load, side))
			return -1;
	}
	if (time_call(load))
		return -1;
	for (int round = 0; round < load->options->rounds; round++) {
		for (int side = 0; side < sides; side++) {
			if (take_samples(load, results, side))
				return -1;
		}
	}
	for (int i = 0; i < row_count; i++)
		results[i].verified = load->subjects[rows[i].setup].verified;
	return 0;
}

static int run(const struct options *options)
{
	bool *wanted = calloc(row_count, sizeof(*wanted));
	struct result *results = calloc(row_count, sizeof(*results));
	struct load load = {
		.subjects = calloc(2 * setup_count, sizeof(*load.subjects)), .options = options, .wanted = wanted};
	int error = 0;

	choose_rows(options->only, wanted);
	want(wanted, "drop");
	for (int i = 0; i < row_count; i++)
		results[i].wanted = wanted[i];
	for (int i = 0; i < options->loads && !error; i++) {
		error = one_load(&load, results);
		unload_all(&load);
		if (!options->json)
			fprintf(stderr, "\rload %d of %d", i + 1, options->loads);
	}
	if (!options->json)
		fprintf(stderr, "\r                  \r");
	if (!error && options->json)
		report_json(results);
	else if (!error)
		report_table(results);
	free(load.subjects);
	free(results);
	free(wanted);
	return error;
}

static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {{"build", required_argument, NULL, 'b'},
		{"against", required_argument, NULL, 'a'}, {"only", required_argument, NULL, 'o'},
		{"loads", required_argument, NULL, 'l'}, {"rounds", required_argument, NULL, 'n'},
		{"repeat", required_argument, NULL, 'r'}, {"cpu", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {}};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'b':
			options->build = optarg;
			break;
		case 'a':
			options->against = optarg;
			break;
		case 'o':
			options->only = optarg;
			break;
		case 'l':
			options->loads = atoi(optarg);
			break;
		case 'n':
			options->rounds = atoi(optarg);
			break;
		case 'r':
			options->repeat = atoi(optarg);
			break;
		case 'c':
			options->cpu = atoi(optarg);
			break;
		case 'j':
			options->json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			return -1;
		}
	}
	return optind == argc && options->loads > 0 && options->rounds > 0 && options->repeat > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct options options = {.cpu = -1, .loads = 7, .rounds = 3, .repeat = 100000, .build = "build"};

	if (parse_options(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	if (options.cpu >= 0 ? measure_pin(options.cpu) : measure_pin(1) && measure_pin(0)) {
		fprintf(stderr, "cannot run on processor %d\n", options.cpu);
		return 1;
	}
	return run(&options) ? 1 : 0;
}
