// SPDX-License-Identifier: GPL-2.0
/* See directory.h. The lock is the directory DIR/lock, and only the owner of the pins can open it. The lock exists
 * while a loader makes changes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "ctl/maps/pin_directory.h"
#include "daemon_user.h"
#include "directory.h"
#include "output.h"

#define BPFFS "/sys/fs/bpf"

/* --- bpffs */

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* The directory must exist. */
static bool is_mount_point(const char *dir)
{
	struct stat above, here;
	char parent[PATH_MAX];

	snprintf(parent, sizeof(parent), "%s/..", dir);
	return !stat(parent, &above) && !stat(dir, &here) && above.st_dev != here.st_dev;
}

/* Shortens a path to the part that exists. */
static void cut_to_existing(char *path)
{
	while (access(path, F_OK) < 0 && strrchr(path, '/') > path)
		*strrchr(path, '/') = '\0';
}

static int mount_bpffs(void)
{
	if (mount("bpf", BPFFS, "bpf", 0, "mode=0700")) {
		output_error("cannot mount bpffs at " BPFFS ": %s", output_errno(errno));
		return -1;
	}
	daemon_user_may_search(BPFFS);
	output_info("mounted bpffs at " BPFFS);
	return 0;
}

int directory_prepare(const char *dir)
{
	char existing[PATH_MAX];

	snprintf(existing, sizeof(existing), "%s", dir);
	cut_to_existing(existing);
	if (!strcmp(dir, BPFFS) || (!strcmp(dir, existing) && is_mount_point(dir))) {
		output_error("%s is the root of a bpffs, which other programs use: choose a directory inside it", dir);
		return -1;
	}
	if (is_bpffs(existing))
		return 0;
	if (!strncmp(dir, BPFFS "/", sizeof(BPFFS)))
		return mount_bpffs();
	output_error("%s is not on a bpffs, so nothing can be pinned there (mount -t bpf bpf DIRECTORY)", dir);
	return -1;
}

/* --- the directory */

int directory_make(const char *dir)
{
	char path[PATH_MAX], *slash;

	snprintf(path, sizeof(path), "%s/", dir);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST) {
			output_error("cannot make the directory %s: %s", path, output_errno(errno));
			return -1;
		}
		*slash = '/';
	}
	return 0;
}

int directory_check(const char *dir)
{
	char error[PIN_DIRECTORY_ERROR_SIZE];

	if (pin_directory_check(dir, error)) {
		output_error("%s", error);
		return -1;
	}
	if (access(dir, R_OK | X_OK) && errno == EACCES) {
		output_error("cannot read %s: %s", dir, output_errno(EACCES));
		return -1;
	}
	return 0;
}

/* --- the lock */

static const char *lock_path(const char *dir, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/lock", dir);
	return path;
}

/* Checks that the opened directory still exists under its path. A second loader may have removed the directory, and a
 * third loader may have created a new directory. */
static bool is_there(const char *path, int fd)
{
	struct stat named, opened;

	return !stat(path, &named) && !fstat(fd, &opened) && named.st_ino == opened.st_ino;
}

static int wait_for_lock(int fd)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return -1;
	output_info("waiting until another sipxdp-loader has finished");
	return flock(fd, LOCK_EX);
}

/* Returns 0 with *lock, or -1 with errno: ENOENT if another loader has removed the directory or the lock. */
static int try_lock(const char *dir, int *lock)
{
	char path[PATH_MAX];
	int error;

	if (mkdir(lock_path(dir, path), 0700) && errno != EEXIST)
		return -1;
	*lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*lock < 0)
		return -1;
	if (!wait_for_lock(*lock)) {
		if (is_there(path, *lock))
			return 0;
		errno = ENOENT;
	}
	error = errno;
	close(*lock);
	*lock = -1;
	errno = error;
	return -1;
}

int directory_lock(const char *dir, bool make, int *lock)
{
	do {
		if (make && directory_make(dir))
			return -1;
		/* The check precedes the lock: no other user can replace a directory that passes the check. */
		if (directory_check(dir))
			return -1;
		if (!try_lock(dir, lock))
			return 0;
	} while (errno == ENOENT && (make || !access(dir, F_OK)));
	if (errno == ENOENT)
		return 0; /* the directory does not exist: no pins */
	output_error("cannot lock %s: %s", dir, output_errno(errno));
	return -1;
}

void directory_unlock(const char *dir, int lock)
{
	char path[PATH_MAX];

	rmdir(lock_path(dir, path));
	rmdir(dir);
	close(lock);
}
