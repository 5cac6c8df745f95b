// SPDX-License-Identifier: GPL-2.0
/* See pin_directory.h. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "pin_directory.h"

static int refuse(const char *path, const char *reason, char error[PIN_DIRECTORY_ERROR_SIZE])
{
	snprintf(error, PIN_DIRECTORY_ERROR_SIZE, "cannot use %.300s: %s", path, reason);
	return -EPERM;
}

/* May users other than the owner and the daemon open the directory? */
static bool is_open_to_others(const struct stat *found)
{
	const struct passwd *user = found->st_mode & 070 ? getpwnam(PIN_DIRECTORY_USER) : NULL;
	mode_t others = user && user->pw_gid == found->st_gid ? 07 : 077;

	return found->st_mode & others;
}

static int check(const char *path, const struct stat *found, bool is_last, char error[PIN_DIRECTORY_ERROR_SIZE])
{
	char reason[160];

	if (!S_ISDIR(found->st_mode))
		return refuse(path, "it is a symbolic link or a pin (give the directory itself with --pin-dir)", error);
	if (found->st_uid != 0 && found->st_uid != geteuid()) {
		snprintf(reason, sizeof(reason),
			"it belongs to user %u, who can replace its pins (remove it with 'rm -r', or use a different "
			"directory with --pin-dir)",
			found->st_uid);
		return refuse(path, reason, error);
	}
	if (found->st_mode & 022 && (is_last || !(found->st_mode & S_ISVTX)))
		return refuse(path, "other users can write to it and replace pins (chmod go-w)", error);
	if (is_last && is_open_to_others(found))
		return refuse(path, "other users can open it and hold its locks (chmod 0700)", error);
	return 0;
}

/* Symbolic links above the bpffs are allowed, because only the operator can have made them. */
static int open_below(int parent, const char *name, bool is_inside)
{
	return openat(parent, name, O_PATH | O_CLOEXEC | (is_inside ? O_NOFOLLOW : 0));
}

int pin_directory_check(const char *directory, char error[PIN_DIRECTORY_ERROR_SIZE])
{
	char path[PATH_MAX], *name = path, *end;
	const char *rest;
	int result = 0, fd, next;
	bool is_inside = false;
	struct statfs fs;
	struct stat found;

	if (snprintf(path, sizeof(path), "%s", directory) >= PATH_MAX)
		return 0;
	fd = open(path[0] == '/' ? "/" : ".", O_PATH | O_CLOEXEC);
	while (!result && fd >= 0 && *(name += strspn(name, "/"))) {
		end = name + strcspn(name, "/");
		*end = '\0';
		next = open_below(fd, name, is_inside);
		close(fd);
		fd = next;
		if (fd < 0 || fstat(fd, &found) || fstatfs(fd, &fs))
			break;
		is_inside = fs.f_type == BPF_FS_MAGIC;
		name = end;
		rest = directory + (end - path);
		if (is_inside)
			result = check(path, &found, !rest[strspn(rest, "/")], error);
		*end = *rest;
	}
	if (fd >= 0)
		close(fd);
	return result;
}
