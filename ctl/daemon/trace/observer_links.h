/* SPDX-License-Identifier: GPL-2.0 */
/* The programs behind the pinned links: the plain one (DIR/balancer) or the observer (DIR/observer). A switch is one
 * bpf_link_update per link, which fails if the link does not have the expected program: it loses no packet, and never
 * undoes an upgrade. */
#pragma once

#include <stddef.h>

#define OBSERVER_LINKS_ERROR_SIZE 512

struct observer_links;

struct observer_links *observer_links_new(void);

/* Restores the plain program if necessary. */
void observer_links_free(struct observer_links *links);

/* Replaces the program of all links in `directory` by the observer. Call it again every second: it then switches new
 * links and upgraded programs, too. 0, or -errno with the reason in `error`. */
int observer_links_observe(struct observer_links *links, const char *directory, char error[OBSERVER_LINKS_ERROR_SIZE]);

/* Restores the plain program of all links. */
void observer_links_restore(struct observer_links *links);

/* The same for the links in `directory` in which a previous daemon has left the observer. */
void observer_links_restore_left(const char *directory);
