/* SPDX-License-Identifier: GPL-2.0 */
/* The sources from which join requests are accepted: the networks of `join: from:`, by default the networks of this
 * machine that contain the listen address or a backend. The address of a backend is always accepted. Also remembers the
 * addresses of authenticated servers; these are served first. */
#pragma once

#include "core/farm/farm.h"

enum join_source {
	JOIN_OUTSIDER, /* rejected */
	JOIN_STRANGER,
	JOIN_KNOWN, /* a backend, or authenticated before */
};

struct join_sources;

/* 0 or -errno. */
int join_sources_new(struct join_sources **out);
void join_sources_free(struct join_sources *sources);

/* Replaces the farm, which must stay valid until the next call. Later additions to the farm have an effect, too.
 * Forgets the remembered addresses that are neither in the networks of the new farm nor addresses of backends. */
void join_sources_set_farm(struct join_sources *sources, const struct farm *farm);

enum join_source join_sources_classify(struct join_sources *sources, const struct address *peer);

/* Remembers the address of a peer that has authenticated. */
void join_sources_add_known(struct join_sources *sources, const struct address *peer);
