// SPDX-License-Identifier: GPL-2.0
/* Recognizes errors that prevent the balancer from probing and say nothing about a server, and logs them. */
#include <errno.h>
#include "ctl/daemon/log.h"
#include "probe_private.h"

/* Errors with a cause on this machine. The list does not contain errors that an ICMP error from a different machine can
 * cause, such as EHOSTUNREACH and, in IPv6, EACCES. */
bool probe_trouble_is(int error)
{
	switch (-error) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case ENOSPC:
	case EPERM:
	case EAGAIN:
	case EINVAL:
	case EADDRINUSE:
	case EADDRNOTAVAIL:
	case ENETDOWN:
	case ENODEV:
	case ENXIO:
		return true;
	default:
		return false;
	}
}

/* Logs once that the balancer cannot probe the backends of a profile, and once that it can probe them again. */
void probe_trouble_log(struct probes *probes)
{
	struct profile *profile;

	LIST_FOREACH(profile, &probes->profiles, entry)
	profile->troubled = 0;
	for (size_t i = 0; i < probes->count; i++) {
		struct prober *prober = probes->probers[i];

		profile = prober->profile;
		profile->troubled += *prober->state.trouble != '\0';
		if (!profile->troubled || profile->in_trouble)
			continue;
		log_event(LOG_ERR,
			LOG_FIELDS({"event", "probe_trouble"}, {"pool", prober->pool}, {"backend", prober->name}),
			"the balancer cannot probe backend %s/%s, and possibly others: %s. Their health stays "
			"unchanged",
			prober->pool, prober->name, prober->state.trouble);
		profile->in_trouble = true;
	}
	LIST_FOREACH(profile, &probes->profiles, entry)
	{
		if (profile->in_trouble && !profile->troubled)
			log_info("%s probes: the balancer can probe all backends again",
				config_probe_name(profile->probe.type));
		profile->in_trouble = profile->troubled;
	}
}
