// SPDX-License-Identifier: GPL-2.0
/* See capture_sender.h. */

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "capture_sender.h"
#include "capture_socket.h"
#include "core/base/memory.h"
#include "core/hep/hep_reader.h"
#include "ctl/maps/clock.h"
#include "ctl/daemon/log.h"
#include "ctl/daemon/trace/observers.h"

#define NOT_OBSERVING (-1)

struct capture_sender {
	struct daemon *daemon;
	struct hep_reader *reader;
	struct capture_socket socket;
	int observer;                     /* index of the observer, or NOT_OBSERVING */
	uint64_t ring_full;               /* lost records of earlier observers */
	uint64_t too_long;                /* messages that are too long for a HEP packet */
	char fault[OBSERVERS_ERROR_SIZE]; /* why packets are not observed; empty: they are observed */
	char socket_fault[CAPTURE_FAULT_SIZE];
	uint8_t packet[HEP_SIZE_MAX];
};

/* --- messages */

/* Returns CLOCK_REALTIME minus CLOCK_MONOTONIC, us. */
static uint64_t epoch_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * UINT64_C(1000000) + now.tv_nsec / 1000 - clock_usec();
}

static void on_packet(const struct observed *packet, void *data)
{
	struct capture_sender *sender = data;
	const struct config *config = sender->daemon->farm->config;
	const struct hep_agent agent = {config->capture.id, config->capture.password, config->capture.node};
	const struct hep_frame frame = {.bytes = packet->frame,
		.length = packet->captured,
		.original = packet->length,
		.now = packet->time,
		.time = packet->time / 1000 + epoch_usec()};
	struct hep_message message;
	size_t length;

	if (!hep_read(sender->reader, &frame, &message) ||
		!hep_samples(message.call_id, config->capture.sample, config->hash_key))
		return;
	length = hep_write(&agent, &message, sender->packet);
	if (length)
		capture_socket_send(&sender->socket, sender->packet, length);
	else
		sender->too_long++;
}

/* --- start and end */

static void begin(struct capture_sender *sender)
{
	static const struct observer filter = {.wants = OBSERVER_RECORDS | OBSERVER_MESSAGES};
	char error[OBSERVERS_ERROR_SIZE];

	sender->observer = observers_add(sender->daemon->observers, &filter, on_packet, sender, error);
	if (sender->observer >= 0) {
		*sender->fault = '\0';
		return;
	}
	sender->observer = NOT_OBSERVING;
	if (strcmp(error, sender->fault))
		log_error("capture: %s; trying again every second", error);
	strcpy(sender->fault, error);
}

static uint64_t ring_full(const struct capture_sender *sender)
{
	if (sender->observer == NOT_OBSERVING)
		return sender->ring_full;
	return sender->ring_full + observers_counters(sender->daemon->observers, sender->observer).lost;
}

static void end(struct capture_sender *sender)
{
	*sender->fault = '\0';
	if (sender->observer == NOT_OBSERVING)
		return;
	sender->ring_full = ring_full(sender);
	observers_remove(sender->daemon->observers, sender->observer);
	sender->observer = NOT_OBSERVING;
}

void capture_sender_update(struct capture_sender *sender)
{
	const struct endpoint to = sender->daemon->farm->config->capture.to;

	capture_socket_update(&sender->socket, to);
	if (!to.port)
		end(sender);
	else if (sender->observer == NOT_OBSERVING)
		begin(sender);
}

struct capture_sender *capture_sender_new(struct daemon *daemon)
{
	struct capture_sender *sender = allocate(1, sizeof(*sender));
	__u64 secret[2];

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		abort(); /* impossible for so few bytes: getrandom(2) */
	sender->daemon = daemon;
	sender->reader = hep_reader_new(secret);
	sender->socket.fd = -1;
	sender->observer = NOT_OBSERVING;
	return sender;
}

void capture_sender_free(struct capture_sender *sender)
{
	if (!sender)
		return;
	end(sender);
	capture_socket_close(&sender->socket);
	hep_reader_free(sender->reader);
	free(sender);
}

/* --- reports */

struct capture_sender_counts capture_sender_counts(struct capture_sender *sender)
{
	const struct hep_counts counts = hep_reader_counts(sender->reader, clock_usec() * 1000);

	return (struct capture_sender_counts){.sent = sender->socket.sent,
		.refused = sender->socket.refused,
		.unsent = sender->socket.unsent,
		.ring_full = ring_full(sender),
		.incomplete = counts.incomplete,
		.too_long = counts.too_long + sender->too_long};
}

const char *capture_sender_fault(struct capture_sender *sender)
{
	const char *fault = *sender->fault ? sender->fault : NULL;

	if (sender->observer != NOT_OBSERVING)
		fault = observers_fault(sender->daemon->observers);
	return fault ? fault : capture_socket_fault(&sender->socket, sender->socket_fault);
}
