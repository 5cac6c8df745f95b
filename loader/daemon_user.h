/* SPDX-License-Identifier: GPL-2.0 */
/* Gives the user of sipxdpd access to the pins of the balancer. Changes nothing if the user does not exist. The
 * directories still belong to root: the daemon can use pins, but cannot replace them. After a failure the loader only
 * prints a warning, because a daemon that runs as root does not need this access. */
#pragma once

/* The daemon may search the root of a bpffs: mode 0710. */
void daemon_user_may_search(const char *bpffs);

/* The daemon may read and lock the directory of a pin (mode 0750), and open the pin (mode 0660). The group
 * of the pin is that of root, so that root can open the pin without CAP_DAC_OVERRIDE. */
void daemon_user_may_open(const char *directory, const char *pin);

/* Gives the same access to all pins in a directory. The directory may be missing. */
void daemon_user_may_open_all(const char *directory);
