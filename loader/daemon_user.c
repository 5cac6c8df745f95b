// SPDX-License-Identifier: GPL-2.0
/* See daemon_user.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ctl/maps/pin_directory.h"
#include "daemon_user.h"
#include "output.h"

/* The mode is set before the owner: chmod(2) of a file that belongs to a different user needs CAP_FOWNER. */
static void give(const char *path, uid_t user, gid_t group, mode_t mode)
{
	struct stat found;

	if (lstat(path, &found) || S_ISLNK(found.st_mode))
		return;
	if (found.st_uid == user && found.st_gid == group && (found.st_mode & 07777) == mode)
		return;
	if (chmod(path, mode) || lchown(path, user, group))
		output_warning("cannot give %s to user " PIN_DIRECTORY_USER ": %s (sipxdpd must run as root)", path,
			strerror(errno));
}

static void give_directory(const char *path, mode_t mode)
{
	const struct passwd *user = getpwnam(PIN_DIRECTORY_USER);

	if (user)
		give(path, geteuid(), user->pw_gid, mode);
}

void daemon_user_may_search(const char *bpffs)
{
	give_directory(bpffs, 0710);
}

void daemon_user_may_open(const char *directory, const char *pin)
{
	const struct passwd *user = getpwnam(PIN_DIRECTORY_USER);

	give_directory(directory, 0750);
	if (user)
		give(pin, user->pw_uid, getegid(), 0660);
}

void daemon_user_may_open_all(const char *directory)
{
	DIR *opened = opendir(directory);
	struct dirent *entry;
	char path[PATH_MAX];

	while (opened && (entry = readdir(opened))) {
		if (entry->d_type != DT_REG)
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		daemon_user_may_open(directory, path);
	}
	if (opened)
		closedir(opened);
}
