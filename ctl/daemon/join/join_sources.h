/* SPDX-License-Identifier: GPL-2.0 */
/* From where requests to join are taken: the networks of `join: from:`; without these the networks
 * of this machine that the listen address, or a backend, is in. A backend's own address may always
 * speak. Also remembers which addresses have authenticated: these are served first. */
#pragma once

#include "core/farm/farm.h"

enum join_source {
	JOIN_OUTSIDER, /* not taken */
	JOIN_STRANGER,
	JOIN_KNOWN, /* a backend, or it has authenticated */
};

struct join_sources;

/* 0 or -errno. */
int join_sources_new(struct join_sources **out);
void join_sources_free(struct join_sources *sources);

/* Takes another farm, which must stay until the next one. Backends that come later are found. */
void join_sources_set_farm(struct join_sources *sources, const struct farm *farm);

enum join_source join_sources_classify(struct join_sources *sources, const struct address *peer);

/* It has authenticated. */
void join_sources_add_known(struct join_sources *sources, const struct address *peer);
