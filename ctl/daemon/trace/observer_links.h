/* SPDX-License-Identifier: GPL-2.0 */
/* The programs behind the pinned links: the plain one (DIR/balancer) or the observer (DIR/observer). Each switch is
 * one bpf_link_update per link, with the program that the link must have before: it loses no packet, and never undoes
 * an upgrade. */
#pragma once

#include <stddef.h>

#define OBSERVER_LINKS_ERROR_SIZE 512

struct observer_links;

struct observer_links *observer_links_new(void);

/* Puts the plain program back if necessary. */
void observer_links_free(struct observer_links *links);

/* Puts the observer behind all links in `directory`. Call it again every second: it then switches new links and
 * upgraded programs, too. 0, or -errno with the reason in `error`. */
int observer_links_observe(struct observer_links *links, const char *directory, char error[OBSERVER_LINKS_ERROR_SIZE]);

/* Puts the plain program back behind all links. */
void observer_links_restore(struct observer_links *links);

/* The same for the links in `directory` that a previous daemon has left with the observer. */
void observer_links_restore_left(const char *directory);
