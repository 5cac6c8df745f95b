/* SPDX-License-Identifier: GPL-2.0 */
/* Can the balancer serve calls? `sipxdp-ctl health` and /readyz use this decision. It needs only the contents of the
 * maps and the state of the interfaces, because the kernel also forwards while the daemon is stopped. No I/O. */
#pragma once

#include "core/base/messages.h"
#include "core/maps/image.h"

/* The reason while the loader does not continue to activate new maps. */
#define READINESS_INTERRUPTED                                                                                          \
	"an upgrade was interrupted, and failures of backends are not detected: run 'sipxdp-loader upgrade -c FILE'"

struct readiness_link {
	bool is_attached;  /* the balancer is attached to the interface */
	const char *fault; /* the interface "is down" or "has no carrier"; NULL: neither */
};

typedef struct readiness_link readiness_link_of(const char *interface, void *data);

/* Adds a sentence to `reasons` if the balancer is away. readiness_check_forwarding() does this, too. */
void readiness_check_away(uint32_t away_since, struct messages *reasons);

/* The same while the balancer waits for the state of its group. `now` is in seconds since the epoch. */
void readiness_check_joining(const struct image *image, uint32_t now, struct messages *reasons);

/* Adds a sentence to `reasons` for each reason why packets should not arrive at this balancer, whatever the state of
 * its backends is. readiness_check() does this, too. */
void readiness_check_forwarding(
	const struct image *image, readiness_link_of *link_of, void *data, struct messages *reasons);

/* Adds a sentence to `reasons` for each reason why the balancer cannot serve calls of `service`; NULL: of all services.
 * No reason: it can. The image needs the members that maps_read_readiness() reads. 0, or -ENOENT if no service has this
 * name. */
int readiness_check(const struct image *image, const char *service, readiness_link_of *link_of, void *data,
	struct messages *reasons);
