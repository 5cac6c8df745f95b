/* SPDX-License-Identifier: GPL-2.0 */
/* Switches the program of the pinned links between the plain program (DIR/balancer) and the observer (DIR/observer). A
 * switch is one bpf_link_update per link and loses no packet. The update fails if the link does not have the expected
 * program, so a switch never reverts an upgrade. */
#pragma once

#include <stddef.h>

#define OBSERVER_LINKS_ERROR_SIZE 512

struct observer_links;

struct observer_links *observer_links_new(void);

/* Restores the plain program if necessary. */
void observer_links_free(struct observer_links *links);

/* Replaces the program of all links in `directory` with the observer. Call it again every second, so that it also
 * switches new links and upgraded programs. Returns 0, or -errno with the reason in `error`. */
int observer_links_observe(struct observer_links *links, const char *directory, char error[OBSERVER_LINKS_ERROR_SIZE]);

/* Restores the plain program of all links. */
void observer_links_restore(struct observer_links *links);

/* Restores the plain program of all links in `directory` that still have the observer of a previous daemon. */
void observer_links_restore_left(const char *directory);
