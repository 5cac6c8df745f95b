// SPDX-License-Identifier: GPL-2.0
/* See sources.h. The daemon counts in intervals of about a second, and stops a few seconds after the last request. */
#include <time.h>
#include "core/view/sources.h"
#include "sources.h"

#define PAUSE_NSEC 250000000L /* between two requests; shorter than an interval */
#define SILENT_REQUESTS 40    /* the command fails after this number of requests without a new interval */

/* The result of a request; NULL on failure, with a message for the user. */
static json_t *ask(struct output *output, struct client *client)
{
	json_t *request = protocol_request(COMMAND_TOP_SOURCES, json_object()), *sample = NULL;
	struct reply reply = {0};

	if (client_ask(client, request, &reply) < 0)
		output_error(output, "%s", client->error);
	else if (!reply.result)
		output_refusal(output, &reply, NULL);
	else
		sample = json_incref(reply.result);
	protocol_reply_free(&reply);
	json_decref(request);
	return sample;
}

static json_int_t interval_of(const json_t *sample)
{
	return json_integer_value(json_object_get(sample, "interval"));
}

/* Waits for the next interval. NULL on failure, with a message for the user. */
static json_t *next_interval(struct output *output, struct client *client, json_int_t last)
{
	for (int i = 0; i < SILENT_REQUESTS; i++) {
		json_t *sample;

		nanosleep(&(struct timespec){.tv_nsec = PAUSE_NSEC}, NULL);
		sample = ask(output, client);
		if (!sample || interval_of(sample) > last)
			return sample;
		json_decref(sample);
	}
	output_error(output, "sipxdpd has not counted any packets for several seconds (see 'sipxdp-ctl status')");
	return NULL;
}

static void print(struct output *output, const json_t *sum)
{
	json_t *rates = sources_rates(sum);

	output_result(output, COMMAND_TOP_SOURCES, rates);
	json_decref(rates);
}

bool sources_report(struct output *output, struct client *client, int seconds)
{
	json_t *sample = ask(output, client), *sum = NULL;
	bool is_complete;

	/* The first sample counts packets from before the command. */
	while (sample && json_number_value(json_object_get(sum, "seconds")) < seconds - 0.5) {
		json_int_t last = interval_of(sample);

		json_decref(sample);
		sample = next_interval(output, client, last);
		if (sample)
			sum = sources_add(sum, sample);
	}
	is_complete = sample;
	if (is_complete)
		print(output, sum);
	json_decref(sample);
	json_decref(sum);
	return is_complete;
}
