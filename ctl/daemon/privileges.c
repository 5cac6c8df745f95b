// SPDX-License-Identifier: GPL-2.0
/* See privileges.h. */

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "ctl/daemon/control/control.h"
#include "privileges.h"

/* CAP_BPF is for the maps. CAP_NET_ADMIN is for neighbour entries, and for test runs of the XDP program, which send
 * frames. CAP_NET_RAW is for the packet sockets that send probes and ICMP errors. */
#define NEEDED (PRIVILEGE(CAP_BPF) | PRIVILEGE(CAP_NET_ADMIN) | PRIVILEGE(CAP_NET_RAW))

bool privileges_have(int capability)
{
	return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, capability);
}

int privileges_keep(uint64_t kept)
{
	bool bounds = privileges_have(CAP_SETPCAP); /* without CAP_SETPCAP the bounding set cannot be reduced;
						       no_new_privs is then sufficient */

	for (unsigned int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (!(kept & PRIVILEGE(capability)))
			capng_update(CAPNG_DROP,
				CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE | CAPNG_BOUNDING_SET |
					CAPNG_AMBIENT,
				capability);
	if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT | (bounds ? CAPNG_SELECT_BOUNDS : 0)) ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return errno ? -errno : -EPERM;
	return 0;
}

static void join_control_group(void)
{
	const struct group *group = getgrnam(CONTROL_GROUP);
	int count = getgroups(0, NULL);
	gid_t *groups;

	if (!group || count < 0 || !privileges_have(CAP_SETGID))
		return;
	groups = allocate(count + 1, sizeof(*groups));
	count = getgroups(count, groups);
	groups[count++] = group->gr_gid;
	setgroups(count, groups);
	free(groups);
}

int privileges_drop(void)
{
	join_control_group();
	return privileges_keep(NEEDED);
}
