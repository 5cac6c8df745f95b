// SPDX-License-Identifier: GPL-2.0
/* What keeps the balancer from probing, and says nothing about a server: which errors are of that
 * kind, and the log lines about it. */
#include <errno.h>
#include "ctl/daemon/log.h"
#include "probe_private.h"

/* Errors that this machine makes by itself. Not those that an ICMP error of another one may stand
 * for, such as EHOSTUNREACH and, in IPv6, EACCES. */
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

/* Says once that backends of a profile cannot be probed, and once that they can again. */
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
		log_error("the balancer cannot probe backend %s/%s, and perhaps others: %s. Their health is left as it "
			  "was",
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
