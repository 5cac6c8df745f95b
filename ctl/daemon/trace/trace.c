// SPDX-License-Identifier: GPL-2.0
/* See trace.h. A client that reads slowly does not delay the daemon: the kernel buffers up to QUEUE_BYTES for its
 * socket, and further packets are counted as lost. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "core/control/command_line.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/clock.h"
#include "trace.h"
#include "trace_filter.h"
#include "trace_record.h"

#define QUEUE_BYTES (4 << 20)
#define SILENCE 60000       /* ms in which a client must read something; the observer is expensive */
#define SILENCE_AT_END 5000 /* ms, after the client has closed its sending side */

struct trace {
	struct traces *traces; /* NULL: not in use */
	int fd;
	int observer; /* its index */
	json_t *request;
	struct observer filter; /* from this request */
	uid_t uid;
	pid_t pid;
	bool with_frame;
	sd_event_source *source;
	char *rest; /* the part of a line that the socket has not accepted yet; NULL: none */
	size_t rest_length;
	size_t rest_sent;
	uint64_t
		read; /* ms of CLOCK_MONOTONIC: the time since which the client has read nothing, while `rest` is set */
	bool wants_end;    /* the client has closed its sending side of the connection */
	bool is_ending;    /* the totals are in the output: close the connection after them */
	uint64_t dropped;  /* packets that were lost because the buffer of the socket was full */
	uint64_t reported; /* lost packets, as last reported to the client */
};

struct traces {
	struct daemon *daemon;
	struct trace list[TRACERS];
};

/* --- output */

static void end(struct trace *trace)
{
	struct observers *observers = trace->traces->daemon->observers;

	sd_event_source_disable_unref(trace->source);
	close(trace->fd);
	free(trace->rest);
	json_decref(trace->request);
	*trace = (struct trace){.observer = trace->observer};
	observers_remove(observers, trace->observer);
}

/* Returns 0 or -errno. It is not an error if the socket accepts no data at the moment. */
static int flush(struct trace *trace)
{
	ssize_t sent;

	if (!trace->rest)
		return 0;
	sent = send(trace->fd, trace->rest + trace->rest_sent, trace->rest_length - trace->rest_sent,
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	trace->rest_sent += sent;
	trace->read = clock_msec();
	if (trace->rest_sent == trace->rest_length) {
		free(trace->rest);
		trace->rest = NULL;
	}
	return 0;
}

static void watch(struct trace *trace)
{
	sd_event_source_set_io_events(trace->source, (trace->rest ? EPOLLOUT : 0) | (trace->wants_end ? 0 : EPOLLIN));
}

/* Sends a line and frees the object. Returns false if the socket does not accept the line. on_client() closes a failed
 * connection. */
static bool send_line(struct trace *trace, json_t *json)
{
	size_t length = 0;
	char *line;

	flush(trace);
	line = trace->rest ? NULL : protocol_encode(json, &length);
	json_decref(json);
	if (!line)
		return false;
	trace->rest = line;
	trace->rest_length = length;
	trace->rest_sent = 0;
	trace->read = clock_msec();
	flush(trace);
	watch(trace);
	return true;
}

static void on_packet(const struct observed *packet, void *data)
{
	struct trace *trace = data;

	if (trace->is_ending)
		return;
	if (trace->rest)
		flush(trace);
	if (trace->rest || !send_line(trace, trace_record(trace->traces->daemon, packet, trace->with_frame)))
		trace->dropped++;
}

static struct observer_counters count(const struct trace *trace)
{
	struct observer_counters counters = observers_counters(trace->traces->daemon->observers, trace->observer);

	counters.lost += trace->dropped;
	return counters;
}

static void report(struct trace *trace)
{
	uint64_t lost = count(trace).lost;

	if (lost != trace->reported && send_line(trace, json_pack("{s:I}", "lost", (json_int_t)lost)))
		trace->reported = lost;
}

/* Sends the totals as soon as the socket accepts them, then ends the trace. */
static int finish(struct trace *trace)
{
	struct observer_counters counters;

	if (trace->rest)
		return 0;
	if (trace->is_ending)
		return -ECANCELED;
	counters = count(trace);
	trace->is_ending = true;
	send_line(trace, json_pack("{s:b, s:I, s:I}", "end", true, "packets", (json_int_t)counters.matched, "lost",
				 (json_int_t)counters.lost));
	return trace->rest ? 0 : -ECANCELED;
}

/* The client sends no data, so an input event means that it has closed its sending side of the connection. */
static int on_client(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct trace *trace = data;
	int err = events & (EPOLLERR | EPOLLHUP) ? -EPIPE : flush(trace);
	char byte;

	(void)source;
	if (!err && !trace->wants_end && events & EPOLLIN) {
		trace->wants_end = recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
		trace->read = clock_msec();
	}
	if (!err && trace->wants_end)
		err = finish(trace);
	if (err)
		end(trace);
	else
		watch(trace);
	return 0;
}

/* --- traces that the daemon ends */

/* Ends the trace, and sends the reason if the socket accepts it. */
static void stop(struct trace *trace, const char *reason)
{
	log_event(LOG_NOTICE, LOG_FIELDS({"event", "trace"}), "the trace for uid %u, pid %d is over: %s", trace->uid,
		trace->pid, reason);
	send_line(trace, json_pack("{s:o}", "error", protocol_text(reason)));
	end(trace);
}

static bool has_silent_client(const struct trace *trace)
{
	return trace->rest && clock_msec() - trace->read >= (trace->wants_end ? SILENCE_AT_END : SILENCE);
}

/* An id of the filter may have a new owner, for example after a backend was removed. Returns -EINVAL with a reason if
 * the names of the request do not have the ids of the filter any more. */
static int check_names(const struct trace *trace, char reason[PROTOCOL_ERROR_SIZE])
{
	struct request request;
	struct observer filter;
	int err = protocol_check_request(json_incref(trace->request), &request, reason);

	if (err)
		return err;
	err = trace_filter(trace->traces->daemon, &request, &filter, reason);
	protocol_request_free(&request);
	filter.wants = trace->filter.wants;
	if (!err && memcmp(&filter, &trace->filter, sizeof(filter)) != 0) {
		snprintf(reason, PROTOCOL_ERROR_SIZE,
			"the services or backends of its filter were replaced: start again");
		err = -EINVAL;
	}
	return err;
}

static void update(struct trace *trace)
{
	const char *fault = observers_fault(trace->traces->daemon->observers);
	char reason[PROTOCOL_ERROR_SIZE];

	report(trace);
	if (has_silent_client(trace))
		stop(trace, "its client does not read");
	else if (fault)
		stop(trace, fault);
	else if (!trace->wants_end && check_names(trace, reason))
		stop(trace, reason);
}

void traces_update(struct traces *traces)
{
	for (size_t i = 0; traces && i < TRACERS; i++)
		if (traces->list[i].traces)
			update(&traces->list[i]);
}

size_t traces_count(const struct traces *traces)
{
	size_t count = 0;

	for (size_t i = 0; i < TRACERS; i++)
		count += traces->list[i].traces != NULL;
	return count;
}

/* --- start and end */

static struct trace *find_free(struct traces *traces)
{
	for (size_t i = 0; i < TRACERS; i++)
		if (!traces->list[i].traces)
			return &traces->list[i];
	return NULL;
}

static int take_connection(struct trace *trace)
{
	struct daemon *daemon = trace->traces->daemon;
	int size = QUEUE_BYTES, err;

	trace->fd = control_take_over(daemon->control);
	if (trace->fd < 0)
		return trace->fd;
	setsockopt(trace->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	err = sd_event_add_io(daemon->event, &trace->source, trace->fd, EPOLLIN, on_client, trace);
	return err < 0 ? err : 0;
}

json_t *trace_start(struct daemon *daemon, const struct request *request)
{
	struct trace *trace = find_free(daemon->traces);
	char error[OBSERVERS_ERROR_SIZE], fault[PROTOCOL_ERROR_SIZE], line[COMMAND_LINE_SIZE];
	struct observer filter;
	int err;

	if (!trace)
		return protocol_error(NULL, "%d traces are already running: end one of them", TRACERS);
	if (trace_filter(daemon, request, &filter, fault))
		return protocol_error(NULL, "%s", fault);
	filter.wants = OBSERVER_RECORDS;
	*trace = (struct trace){.with_frame = request->trace.pcap || request->trace.hep || request->trace.body,
		.filter = filter,
		.uid = request->uid,
		.pid = request->pid};
	trace->observer = observers_add(daemon->observers, &filter, on_packet, trace, error);
	if (trace->observer < 0)
		return protocol_error(NULL, "%s", error);
	trace->traces = daemon->traces;
	trace->request = json_incref(request->json);
	err = take_connection(trace);
	if (err) {
		end(trace);
		return protocol_error(NULL, "cannot start a trace: %s", strerror(-err));
	}
	log_event(LOG_NOTICE, LOG_FIELDS({"event", "trace"}), "packets are traced for uid %u, pid %d: %s", request->uid,
		request->pid, command_line(request, line));
	send_line(trace, protocol_ok(json_object()));
	return NULL;
}

struct traces *traces_new(struct daemon *daemon)
{
	struct traces *traces = allocate(1, sizeof(*traces));

	traces->daemon = daemon;
	return traces;
}

void traces_free(struct traces *traces)
{
	for (size_t i = 0; traces && i < TRACERS; i++)
		if (traces->list[i].traces)
			end(&traces->list[i]);
	free(traces);
}
