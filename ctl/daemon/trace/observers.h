/* SPDX-License-Identifier: GPL-2.0 */
/* The active observers of packets: their filters, and the records of the selected packets. The first observer activates
 * the program `observer` for all links, and the end of the last observer restores the plain program. All functions run
 * in the thread of the event loop. (ctl/daemon/observe/ has a different purpose: the metrics and the status page.) */
#pragma once

#include <systemd/sd-event.h>
#include "bpf/abi.h"

#define OBSERVERS_ERROR_SIZE 512

struct observers;

/* Receives each packet that the observer selects, at most OBSERVERS_AT_A_TIME in one turn of the event loop. Must not
 * add or remove observers. */
typedef void observers_receive(const struct observed *packet, void *data);

/* Restores the plain program if a previous daemon has left the observer in place. `directory`: the pins. */
struct observers *observers_new(sd_event *event, const char *directory);
void observers_free(struct observers *observers);

/* Adds an observer; `filter->wants` is not 0. `receive` may be NULL if it wants no records. Returns its index, for
 * observers_remove() and observers_counters(), or -errno with the reason in `error`: -EUSERS if all OBSERVERS are in
 * use. */
int observers_add(struct observers *observers, const struct observer *filter, observers_receive *receive, void *data,
	char error[OBSERVERS_ERROR_SIZE]);
void observers_remove(struct observers *observers, int index);

/* The number of packets that this observer has selected, and of those without a record because the ring buffer was
 * full. */
struct observer_counters observers_counters(const struct observers *observers, int index);

/* Call this every second: follows new maps, new links and upgraded programs. */
void observers_update(struct observers *observers);
