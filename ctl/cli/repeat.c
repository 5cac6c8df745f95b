// SPDX-License-Identifier: GPL-2.0
/* See repeat.h. */
#include <errno.h>
#include <time.h>
#include "core/view/rates.h"
#include "repeat.h"

#define DEFAULT_SECONDS 1

static double now_seconds(struct timespec *now)
{
	clock_gettime(CLOCK_MONOTONIC, now);
	return (double)now->tv_sec + now->tv_nsec / 1e9;
}

/* Sleeps until `seconds` after the last call, so that slow replies do not add up. */
static void sleep_until_next(struct timespec *next, int seconds)
{
	next->tv_sec += seconds;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR)
		;
}

/* Reads the counters and the time. NULL on failure; the error has then been printed. */
static json_t *read_counters(struct output *output, struct client *client, enum command command, double *time)
{
	json_t *request = protocol_request(command, json_object()), *stats = NULL;
	struct reply reply = {0};
	struct timespec now;

	if (client_ask(client, request, &reply) < 0)
		output_error(output, "%s", client->error);
	else if (!reply.result)
		output_refusal(output, &reply, NULL);
	else
		stats = json_incref(reply.result);
	*time = now_seconds(&now);
	protocol_reply_free(&reply);
	json_decref(request);
	return stats;
}

/* Prints one sample or, with `before`, the change between the two samples. */
static void print(
	struct output *output, enum command command, const json_t *before, const json_t *stats, double seconds)
{
	json_t *rates = before ? rates_between(before, stats, seconds) : NULL;

	output_sample(output, command, rates ? rates : stats, rates ? seconds : 0);
	json_decref(rates);
}

bool repeat_command(struct output *output, struct client *client, enum command command, const json_t *arguments)
{
	int seconds = (int)json_integer_value(json_object_get(arguments, "seconds"));
	bool rate = json_is_true(json_object_get(arguments, "rate"));
	bool watch = json_is_true(json_object_get(arguments, "watch"));
	double time, time_before;
	json_t *stats, *before;
	struct timespec next;
	bool is_read;

	output->lines = true;
	seconds = seconds ? seconds : DEFAULT_SECONDS;
	now_seconds(&next);
	before = read_counters(output, client, command, &time_before);
	if (before && !rate)
		print(output, command, NULL, before, 0);
	while (before && output_flush(output)) {
		sleep_until_next(&next, seconds);
		stats = read_counters(output, client, command, &time);
		if (stats)
			print(output, command, rate ? before : NULL, stats, time - time_before);
		json_decref(before);
		before = stats;
		time_before = time;
		if (!watch)
			break;
	}
	is_read = before;
	json_decref(before);
	return is_read;
}
