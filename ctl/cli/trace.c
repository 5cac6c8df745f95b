// SPDX-License-Identifier: GPL-2.0
/* See trace.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include "hep_output.h"
#include "pcap.h"
#include "text.h"
#include "trace.h"

#define END_MSEC 5000 /* the longest time to show the packets that wait at the end, and to wait for the totals */

struct trace {
	struct output *output;
	struct client *client;
	FILE *pcap;             /* NULL: none */
	struct hep_output *hep; /* NULL: none */
	bool quiet;             /* standard output is the pcap file */
	bool body;
	long long count; /* packets so far */
	long long limit; /* 0: none */
	long long lost;
	bool failed;    /* nothing more can be shown */
	bool unwritten; /* the pcap file is not complete */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = true;
}

/* The signals are blocked except while client_receive() waits. Therefore no signal is lost between a test and the
 * wait. */
static void catch_signals(sigset_t *waiting)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t signals;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* output_flush() and pcap_put() report a closed pipe */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, waiting);
	sigdelset(waiting, SIGINT);
	sigdelset(waiting, SIGTERM);
}

/* --- one packet */

static const char *member(const json_t *packet, const char *key)
{
	const char *text = json_string_value(json_object_get(packet, key));

	return text ? text : "-";
}

/* Reads "2026-11-22T01:02:03.123456789Z". Returns ns since the epoch. */
static int64_t read_time(const char *text)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S.", &parts);

	return rest ? timegm(&parts) * 1000000000LL + strtoll(rest, NULL, 10) : 0;
}

static void put_column(const char *text, int width)
{
	int padding = width - text_width(text);

	text_put(stdout, text, "");
	printf("%*s", padding > 0 ? padding + 1 : 1, "");
}

static void put_time(const char *text)
{
	int64_t time = read_time(text);
	time_t seconds = time / 1000000000;
	struct tm parts;

	localtime_r(&seconds, &parts);
	printf("%02d:%02d:%02d.%06lld ", parts.tm_hour, parts.tm_min, parts.tm_sec,
		(long long)(time % 1000000000 / 1000));
}

/* Prints the method or status code. If the packet is not SIP, prints the protocol and the length. */
static void put_message(const json_t *packet)
{
	const char *message = json_string_value(json_object_get(packet, "message"));
	char text[48];

	snprintf(text, sizeof(text), "%s, %lld bytes", member(packet, "protocol"),
		json_integer_value(json_object_get(packet, "length")));
	put_column(message ? message : text, 14);
}

static void put_reason(const json_t *packet)
{
	const json_t *slot = json_object_get(packet, "slot");
	const char *reason = member(packet, "reason");
	char text[64];

	snprintf(text, sizeof(text), "%s of slot %lld", reason, json_integer_value(slot));
	if (!strcmp(reason, "slot"))
		snprintf(text, sizeof(text), "slot %lld", json_integer_value(slot));
	put_column(slot && (!strcmp(reason, "slot") || !strcmp(reason, "previous owner")) ? text : reason, 14);
}

static void put_header(void)
{
	printf("%-15s %-21s %-14s %-36s %-10s %-14s %s\n", "TIME", "SOURCE", "MESSAGE", "CALL-ID", "VERDICT", "REASON",
		"BACKEND");
}

static void put_line(const json_t *packet)
{
	put_time(member(packet, "time"));
	put_column(member(packet, "source"), 21);
	put_message(packet);
	put_column(member(packet, "call_id"), 36);
	put_column(member(packet, "verdict"), 10);
	put_reason(packet);
	text_put(stdout, member(packet, "backend"), "");
	putchar('\n');
}

/* --- the frame */

static uint8_t digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Returns the frame of a packet. The caller must free it. */
static uint8_t *read_frame(const json_t *packet, size_t *size)
{
	const char *text = json_string_value(json_object_get(packet, "frame"));
	uint8_t *frame;

	*size = text ? strlen(text) / 2 : 0;
	frame = malloc(*size + 1);
	for (size_t i = 0; frame && i < *size; i++)
		frame[i] = digit(text[2 * i]) << 4 | digit(text[2 * i + 1]);
	return frame;
}

/* Returns the message as text. The caller must free it. NULL: the packet has no message. */
static char *read_body(const json_t *packet, const uint8_t *frame, size_t size)
{
	size_t start = json_integer_value(json_object_get(packet, "payload"));
	size_t end = json_integer_value(json_object_get(packet, "payload_end"));

	if (end > size)
		end = size;
	return start && start < end ? strndup((const char *)frame + start, end - start) : NULL;
}

/* A reader of standard output that has ended is not an error. */
static bool fail_pcap(struct trace *trace)
{
	trace->failed = true;
	trace->unwritten = errno != EPIPE;
	if (trace->unwritten)
		output_error(trace->output, "cannot write the pcap file: %s", strerror(errno));
	return false;
}

static bool put_pcap(struct trace *trace, const json_t *packet, const uint8_t *frame, size_t size)
{
	size_t length = json_integer_value(json_object_get(packet, "length"));

	return !trace->pcap || pcap_put(trace->pcap, read_time(member(packet, "time")), frame, size, length) ||
	       fail_pcap(trace);
}

static void put_hep(struct trace *trace, const json_t *packet, const uint8_t *frame, size_t size)
{
	if (trace->hep)
		hep_output_put(trace->hep, read_time(member(packet, "time")), frame, size,
			json_integer_value(json_object_get(packet, "length")));
}

/* --- output */

static void put_body(const char *body)
{
	for (; *body; body++) {
		const char text[] = {*body, '\0'};

		if (*body != '\r')
			text_put(stdout, text, "\n\t");
	}
	putchar('\n');
}

static void put_json(json_t *packet, const char *body)
{
	json_object_del(packet, "frame");
	json_object_del(packet, "payload");
	json_object_del(packet, "payload_end");
	if (body)
		json_object_set_new(packet, "body", protocol_text(body));
	json_dumpf(packet, stdout, PROTOCOL_JSON_FLAGS | JSON_COMPACT);
	putchar('\n');
}

static void put_packet(struct trace *trace, json_t *packet)
{
	char *body = NULL;
	uint8_t *frame;
	size_t size;

	frame = read_frame(packet, &size);
	if (!frame) {
		output_error(trace->output, "out of memory");
		trace->failed = true;
		return;
	}
	if (!put_pcap(trace, packet, frame, size)) {
		free(frame);
		return;
	}
	trace->count++;
	put_hep(trace, packet, frame, size);
	if (trace->body)
		body = read_body(packet, frame, size);
	if (trace->output->json && !trace->quiet)
		put_json(packet, body);
	else if (!trace->quiet)
		put_line(packet);
	if (body && !trace->output->json && !trace->quiet)
		put_body(body);
	free(body);
	free(frame);
}

static void take_lost(struct trace *trace, long long lost)
{
	if (lost > trace->lost)
		output_warning("%lld packets lost so far: the daemon or the reader is too slow", lost);
	trace->lost = lost;
}

/* Handles a line from the daemon: a packet, or the number of lost packets. */
static void take(struct trace *trace, json_t *line)
{
	const json_t *lost = json_object_get(line, "lost");

	if (lost)
		take_lost(trace, json_integer_value(lost));
	else if (!trace->limit || trace->count < trace->limit)
		put_packet(trace, line);
	if (!trace->quiet && !output_flush(trace->output))
		trace->failed = true;
}

/* --- the command */

static int64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static bool is_over(const struct trace *trace)
{
	return interrupted || trace->failed || (trace->limit && trace->count >= trace->limit);
}

/* Has the daemon ended the trace? Returns -ECANCELED, with the reason as the error of the client. */
static int read_stop(struct trace *trace, const json_t *line)
{
	const char *reason = json_string_value(json_object_get(line, "error"));

	if (reason)
		snprintf(trace->client->error, sizeof(trace->client->error), "sipxdpd ended the trace: %s", reason);
	return reason ? -ECANCELED : 0;
}

/* Prints packets. Returns false if the connection fails, or the daemon ends the trace. */
static bool follow(struct trace *trace, long long seconds)
{
	const int64_t deadline = now_msec() + seconds * 1000;
	json_t *line;
	sigset_t waiting;
	int err = 0;

	catch_signals(&waiting);
	if (!trace->quiet && !trace->output->json) {
		put_header();
		output_flush(trace->output);
	}
	while (!err && !is_over(trace)) {
		int64_t left = deadline - now_msec();

		if (seconds && left <= 0)
			break;
		err = client_receive(trace->client, seconds ? (int)left : -1, &waiting, &line);
		if (!err) {
			err = read_stop(trace, line);
			if (!err)
				take(trace, line);
			json_decref(line);
		}
	}
	return !err || err == -EINTR || err == -ETIMEDOUT || err == -EPIPE;
}

/* The totals of the trace. `end`: the last line of the daemon, with its own totals; NULL: the daemon sent none. The
 * packets that `--count` cuts off are not missing. */
static void put_totals(const struct trace *trace, const json_t *end)
{
	long long lost = end ? json_integer_value(json_object_get(end, "lost")) : trace->lost;
	long long unshown = json_integer_value(json_object_get(end, "packets")) - lost - trace->count;

	fprintf(stderr, "sipxdp-ctl: %lld packets, %lld lost", trace->count, lost);
	if (!end)
		fputs(" so far (no totals from sipxdpd: more may be lost)", stderr);
	else if (lost)
		fputs(" (the daemon or the reader was too slow: use a narrower filter)", stderr);
	if (unshown > 0 && (!trace->limit || trace->count < trace->limit))
		fprintf(stderr, ", %lld not shown (they waited when the trace ended)", unshown);
	fputc('\n', stderr);
}

/* Ends the trace: shows the packets that wait, if the reader takes them in time, and prints the totals, which follow
 * them. */
static void finish(struct trace *trace)
{
	const int64_t deadline = now_msec() + END_MSEC;
	json_t *line = NULL, *end = NULL;

	shutdown(trace->client->fd, SHUT_WR);
	while (!end && now_msec() < deadline + END_MSEC && !client_receive(trace->client, END_MSEC, NULL, &line)) {
		if (json_is_true(json_object_get(line, "end")))
			end = json_incref(line);
		else if (!trace->failed && now_msec() < deadline)
			take(trace, line);
		json_decref(line);
	}
	put_totals(trace, end);
	json_decref(end);
}

static bool open_pcap(struct trace *trace, const char *path)
{
	if (!path)
		return true;
	trace->pcap = trace->quiet ? stdout : fopen(path, "we");
	if (trace->pcap && pcap_begin(trace->pcap))
		return true;
	output_error(trace->output, "cannot write %s: %s", trace->quiet ? "standard output" : path, strerror(errno));
	return false;
}

static bool open_hep(struct trace *trace, const char *address)
{
	char error[HEP_OUTPUT_ERROR_SIZE];

	if (!address)
		return true;
	trace->hep = hep_output_open(address, error);
	if (!trace->hep)
		output_error(trace->output, "%s", error);
	return trace->hep;
}

bool trace_run(struct output *output, struct client *client, const json_t *values, const json_t *request)
{
	struct trace trace = {.output = output,
		.client = client,
		.body = json_is_true(json_object_get(values, "body")),
		.limit = json_integer_value(json_object_get(values, "count"))};
	const char *pcap = json_string_value(json_object_get(values, "pcap"));
	struct reply reply = {0};
	bool done = false;

	trace.quiet = pcap && !strcmp(pcap, "-");
	output->lines = true;
	output->json &= !trace.quiet; /* errors may not become part of the pcap file */
	if (!open_hep(&trace, json_string_value(json_object_get(values, "hep"))))
		return false;
	if (client_ask(client, request, &reply))
		output_error(output, "%s", client->error);
	else if (!reply.result)
		output_refusal(output, &reply, NULL);
	else if (open_pcap(&trace, pcap))
		done = follow(&trace, json_integer_value(json_object_get(values, "seconds")));
	if (done)
		finish(&trace);
	else if (reply.result && *client->error)
		output_error(output, "%s", client->error);
	if (trace.pcap && !trace.quiet && fclose(trace.pcap) && !trace.failed)
		fail_pcap(&trace);
	hep_output_close(trace.hep);
	protocol_reply_free(&reply);
	return done && !trace.unwritten;
}
