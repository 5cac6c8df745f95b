/* SPDX-License-Identifier: GPL-2.0 */
/* The active observers of packets: their filters, and the records of the selected packets. When the first observer
 * is added, the program `observer` is activated for all links. When the last observer is removed, the plain program
 * is restored. All functions run in the thread of the event loop. (ctl/daemon/observe/ has a different purpose: the
 * metrics and the status page.) */
#pragma once

#include <systemd/sd-event.h>
#include "bpf/abi_observe.h"

#define OBSERVERS_ERROR_SIZE 512

struct observers;

/* Receives each packet that the observer selects, at most OBSERVERS_AT_A_TIME in one turn of the event loop. Must not
 * add or remove observers. */
typedef void observers_receive(const struct observed *packet, void *data);

/* Restores the plain program if the links still have the observer of a previous daemon. `directory`: the pins. */
struct observers *observers_new(sd_event *event, const char *directory);
void observers_free(struct observers *observers);

/* Adds an observer. `filter->wants` must not be 0. `receive` may be NULL if `filter->wants` does not contain
 * OBSERVER_RECORDS. Returns the index of the observer, for observers_remove() and observers_counters(), or -errno
 * with the reason in `error`: -EUSERS if all OBSERVERS are in use. */
int observers_add(struct observers *observers, const struct observer *filter, observers_receive *receive, void *data,
	char error[OBSERVERS_ERROR_SIZE]);
void observers_remove(struct observers *observers, int index);

/* Returns the number of packets that this observer has selected, and the number of these packets that have no record
 * because the ring buffer was full. */
struct observer_counters observers_counters(const struct observers *observers, int index);

/* Why packets are not observed, or only some of them, although there are observers; NULL: they are. */
const char *observers_fault(const struct observers *observers);

/* Call this every second. It detects new maps, new links and upgraded programs, and observes with them. */
void observers_update(struct observers *observers);
