// SPDX-License-Identifier: GPL-2.0
/* Schedules the probes and handles their results. A prober probes one backend and has one timer. Its profile
 * defines how to probe (probe_profile.c), its kind runs the probe (probe_datagram.c, probe_stream.c), and
 * probe_socket.c owns the sockets. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "core/base/memory.h"
#include "ctl/maps/clock.h"
#include "ctl/daemon/listening_clock.h"
#include "probe_private.h"

#define REPORT_TIME (50 * MILLISECOND) /* between two calls of changed() */
#define REPORT_SHARE 10                /* changed() takes at most one tenth of the time */

static void set_timer(sd_event_source *timer, uint64_t time)
{
	sd_event_source_set_time(timer, time);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* --- the end of a probe */

static void report(struct probes *probes)
{
	int enabled;

	if (sd_event_source_get_enabled(probes->report, &enabled) >= 0 && enabled == SD_EVENT_OFF)
		set_timer(probes->report, probes->reported + probes->pause);
}

static void close_connection(struct prober *prober)
{
	probe_stream_free(prober);
	probe_socket_close(prober);
}

/* Schedules the next probe. After a success the next probe uses the same datagram socket. After a failure, the next
 * probe opens a new socket, with the address and route that are valid at that time. */
static void end(struct prober *prober, bool passed, bool changed)
{
	uint64_t next, now = clock_usec(), random;

	(void)!getrandom(&random, sizeof(random), 0);
	next = prober->began + health_pause(&prober->profile->probe, random);
	prober->awaited = NULL;
	if (prober->kind == &probe_stream || !passed)
		close_connection(prober);
	set_timer(prober->timer, next > now ? next : now);
	if (changed || prober->probes->report_all)
		report(prober->probes);
}

void probe_pass(struct prober *prober)
{
	uint64_t took = clock_usec() - prober->began;

	bool trouble = *prober->state.trouble;

	took = took < UINT32_MAX ? took : UINT32_MAX;
	end(prober, true, health_pass(&prober->state, &prober->profile->probe, prober->listened, took) || trouble);
}

static void fail(struct prober *prober, bool responded, const char *format, va_list arguments)
{
	char reason[HEALTH_REASON_SIZE];
	bool trouble = *prober->state.trouble;

	vsnprintf(reason, sizeof(reason), format, arguments);
	prober->state.responded = responded;
	end(prober, false, health_fail(&prober->state, &prober->profile->probe, prober->listened, reason) || trouble);
}

void probe_fail(struct prober *prober, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fail(prober, true, format, arguments);
	va_end(arguments);
}

/* The backend did not respond: the network may be the cause. */
__attribute__((format(printf, 2, 3))) static void fail_silent(struct prober *prober, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fail(prober, false, format, arguments);
	va_end(arguments);
}

void probe_abort(struct prober *prober, const char *format, ...)
{
	char reason[HEALTH_REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	end(prober, false, health_set_trouble(&prober->state, reason));
}

void probe_fail_errno(struct prober *prober, const char *what, int error)
{
	if (probe_trouble_is(error))
		probe_abort(prober, "%s: %s", what, strerror(-error));
	else if (error == -ECONNREFUSED)
		probe_fail(prober, "connection refused");
	else
		fail_silent(prober, "%s: %s", what, strerror(-error));
}

const char *probe_response_name(const struct prober *prober)
{
	switch (prober->profile->probe.type) {
	case PROBE_OPTIONS:
		return "response to OPTIONS";
	case PROBE_REGISTER:
		return "response to REGISTER";
	case PROBE_ICMP:
		return "reply to an echo request";
	default:
		return "response";
	}
}

static void take_load(struct prober *prober, const char *message, size_t length)
{
	const char *header = prober->profile->probe.load_header;

	prober->load = header ? probe_message_load(header, message, length) : -1;
	prober->load_time = prober->listened;
}

void probe_take_message(struct prober *prober, const char *message, size_t length)
{
	char status[PROBE_STATUS_SIZE];
	unsigned int code = probe_message_check(&prober->message, message, length, status);

	if (code < 200) /* provisional, or not a response to this probe */
		return;
	if (config_has_code(prober->profile->probe.ok_codes, code)) {
		take_load(prober, message, length);
		probe_pass(prober);
	} else {
		probe_fail(prober, "%s", status);
	}
}

/* --- the start of a probe */

static const struct probe_kind *kind_of(const struct config_probe *probe)
{
	bool is_message = probe->type == PROBE_OPTIONS || probe->type == PROBE_REGISTER;

	return probe->type == PROBE_ICMP || (is_message && probe->transport == TRANSPORT_UDP) ? &probe_datagram
											      : &probe_stream;
}

static void begin(struct prober *prober)
{
	const struct config_probe *probe = &prober->profile->probe;

	(void)!getrandom(&prober->message.ids, sizeof(prober->message.ids), 0);
	prober->began = clock_usec();
	prober->listened = listening_clock_now();
	set_timer(prober->timer, prober->began + probe->timeout * MILLISECOND);
	prober->kind->start(prober);
}

/* The remaining time of the current probe, ms. Time in which the daemon could not read responses does not count
 * (listening_clock.h). */
static uint64_t time_left(const struct prober *prober)
{
	uint64_t elapsed = listening_clock_now() - prober->listened, timeout = prober->profile->probe.timeout;

	return elapsed < timeout ? timeout - elapsed : 0;
}

/* If the event loop is late, a response may already be in the socket. The daemon reads it before the probe fails. */
static void time_out(struct prober *prober)
{
	uint64_t left = time_left(prober);
	int error;

	if (left) {
		set_timer(prober->timer, clock_usec() + left * MILLISECOND);
		return;
	}
	if (probe_socket_is_ready(prober))
		prober->kind->ready(prober);
	if (!prober->awaited)
		return;
	error = probe_socket_sent(prober);
	if (error)
		probe_abort(prober, "cannot send: %s", strerror(-error));
	else
		fail_silent(prober, "no %s within %u ms", prober->awaited, prober->profile->probe.timeout);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct prober *prober = data;

	(void)source;
	(void)usec;
	if (prober->awaited)
		time_out(prober);
	else
		begin(prober);
	return 0;
}

/* --- probers */

static void stop(struct prober *prober)
{
	prober->awaited = NULL;
	close_connection(prober);
	sd_event_source_set_enabled(prober->timer, SD_EVENT_OFF);
}

static void free_prober(struct prober *prober)
{
	stop(prober);
	sd_event_source_disable_unref(prober->timer);
	free(prober);
}

static struct prober *make_prober(struct probes *probes, const struct probe_target *target)
{
	struct prober *prober = allocate(1, sizeof(*prober));

	prober->probes = probes;
	prober->fd = -1;
	prober->load = -1;
	memcpy(prober->pool, target->pool, NAME_SIZE);
	memcpy(prober->name, target->name, NAME_SIZE);
	health_begin(&prober->state, target->seed, &target->latency);
	if (sd_event_add_time(probes->event, &prober->timer, CLOCK_MONOTONIC, 0, MILLISECOND, on_timer, prober) < 0)
		abort(); /* out of memory */
	sd_event_source_set_enabled(prober->timer, SD_EVENT_OFF);
	return prober;
}

static bool route_equal(const struct backend *a, const struct backend *b)
{
	struct backend other = *b;

	other.alive = a->alive; /* the result of the probes, which must not restart them */
	return memcmp(a, &other, sizeof(other)) == 0;
}

static bool has_target(const struct prober *prober, const struct profile *profile, const struct probe_target *target)
{
	return prober->profile == profile && address_equal(&prober->message.target, &target->target) &&
	       prober->message.target_port == target->port && route_equal(&prober->route, &target->route);
}

static void set_target(struct prober *prober, struct profile *profile, const struct probe_target *target)
{
	stop(prober);
	prober->profile = profile;
	prober->kind = kind_of(&profile->probe);
	prober->route = target->route;
	prober->message.probe = &profile->probe;
	prober->message.target = target->target;
	prober->message.target_port = target->port;
}

static int compare_names(const char *pool_a, const char *name_a, const char *pool_b, const char *name_b)
{
	return strcmp(pool_a, pool_b) ?: strcmp(name_a, name_b);
}

static int compare_targets(const void *a, const void *b)
{
	const struct probe_target *x = *(const struct probe_target *const *)a;
	const struct probe_target *y = *(const struct probe_target *const *)b;

	return compare_names(x->pool, x->name, y->pool, y->name);
}

static struct prober *find(const struct probes *probes, const char *pool, const char *name)
{
	size_t low = 0, high = probes->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct prober *prober = probes->probers[middle];
		int order = compare_names(prober->pool, prober->name, pool, name);

		if (order == 0)
			return prober;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* --- targets */

/* Spreads the first probes over a tenth of the interval. */
static void start(struct prober *const *probers, size_t count)
{
	uint64_t now = clock_usec();

	for (size_t i = 0; i < count; i++) {
		uint64_t tenth = probers[i]->profile->probe.interval * MILLISECOND / 10;

		set_timer(probers[i]->timer, now + tenth * i / count);
	}
}

static const struct probe_target **sort_targets(const struct probe_target *targets, size_t count)
{
	const struct probe_target **sorted = allocate(count, sizeof(*sorted));

	for (size_t i = 0; i < count; i++)
		sorted[i] = &targets[i];
	qsort(sorted, count, sizeof(*sorted), compare_targets);
	return sorted;
}

/* Replaces the list of probers, and frees those that are not in the new list. */
static void replace(struct probes *probes, struct prober **probers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		probers[i]->wanted = true;
	for (size_t i = 0; i < probes->count; i++) {
		if (!probes->probers[i]->wanted)
			free_prober(probes->probers[i]);
	}
	for (size_t i = 0; i < count; i++)
		probers[i]->wanted = false;
	free(probes->probers);
	probes->probers = probers;
	probes->count = count;
	probe_profiles_free_unwanted(probes);
}

void probes_set_targets(struct probes *probes, const struct probe_target *targets, size_t count)
{
	const struct probe_target **sorted = sort_targets(targets, count);
	struct prober **probers = allocate(count, sizeof(*probers)), **fresh = allocate(count, sizeof(*fresh));
	struct profile *profile = NULL;
	size_t kept = 0, fresh_count = 0;

	for (size_t i = 0; i < count; i++) {
		const struct probe_target *target = sorted[i];
		struct prober *prober = find(probes, target->pool, target->name);

		if (target->probe->type == PROBE_NONE)
			continue;
		if (!profile || target->probe != sorted[i - 1]->probe)
			profile = probe_profile_get(probes, target->probe);
		if (!prober || !address_equal(&prober->route.address, &target->route.address))
			prober = make_prober(probes, target);
		if (!has_target(prober, profile, target)) {
			set_target(prober, profile, target);
			fresh[fresh_count++] = prober;
		}
		probers[kept++] = prober;
	}
	replace(probes, probers, kept);
	start(fresh, fresh_count);
	free(fresh);
	free(sorted);
}

const struct health_state *probes_health(
	const struct probes *probes, const char *pool, const char *name, const struct address *address)
{
	const struct prober *prober = find(probes, pool, name);

	return prober && address_equal(&prober->route.address, address) ? &prober->state : NULL;
}

#define LOAD_INTERVALS 3

int probes_load(const struct probes *probes, const char *pool, const char *name, const struct address *address)
{
	const struct prober *prober = find(probes, pool, name);

	if (!prober || !address_equal(&prober->route.address, address) || !prober->profile->probe.load_header ||
		listening_clock_now() - prober->load_time > LOAD_INTERVALS * (uint64_t)prober->profile->probe.interval)
		return -1;
	return prober->load;
}

void probes_probe_now(struct probes *probes, const char *pool, const char *name)
{
	struct prober *prober = find(probes, pool, name);

	if (prober && !prober->awaited)
		set_timer(prober->timer, clock_usec());
}

void probes_report_all(struct probes *probes, bool all)
{
	probes->report_all = all;
}

/* --- setup and cleanup */

static int on_report(sd_event_source *source, uint64_t usec, void *data)
{
	struct probes *probes = data;
	uint64_t began = clock_usec(), took;

	(void)source;
	(void)usec;
	probe_trouble_log(probes);
	probes->changed(probes->data);
	took = clock_usec() - began;
	probes->reported = began + took;
	probes->pause = took * REPORT_SHARE > REPORT_TIME ? took * REPORT_SHARE : REPORT_TIME;
	return 0;
}

int probes_new(struct probes **out, sd_event *event, struct probe_namespace *space, const char *pin_directory,
	void (*changed)(void *data), void *data)
{
	struct probes *probes = allocate(1, sizeof(*probes));
	int error;

	probes->event = sd_event_ref(event);
	probes->space = space;
	probes->pin_directory = strcpy(allocate(strlen(pin_directory) + 1, 1), pin_directory);
	probes->pause = REPORT_TIME;
	probes->changed = changed;
	probes->data = data;
	LIST_INIT(&probes->profiles);
	error = probe_sockets_new(probes);
	if (!error)
		error = sd_event_add_time(event, &probes->report, CLOCK_MONOTONIC, 0, MILLISECOND, on_report, probes);
	if (error >= 0)
		error = sd_event_source_set_enabled(probes->report, SD_EVENT_OFF);
	if (error < 0) {
		probes_free(probes);
		return error;
	}
	*out = probes;
	return 0;
}

void probes_free(struct probes *probes)
{
	if (!probes)
		return;
	replace(probes, NULL, 0);
	probe_sockets_free(probes);
	sd_event_source_disable_unref(probes->report);
	sd_event_unref(probes->event);
	free(probes->pin_directory);
	free(probes);
}
