// SPDX-License-Identifier: GPL-2.0
/* See control_socket.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "control.h"
#include "control_socket.h"

/* Removes the socket of a dead daemon. 0 if the path is free, or -errno. */
static int free_path(const struct sockaddr_un *address)
{
	struct stat file;
	int fd, err;

	if (lstat(address->sun_path, &file) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(file.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : -EADDRINUSE;
	close(fd);
	if (err == -EAGAIN) /* a daemon listens there, and its queue is full */
		err = -EADDRINUSE;
	if (err == -ECONNREFUSED)
		err = unlink(address->sun_path) < 0 ? -errno : 0;
	return err;
}

/* bind() gives the file the mode of the socket. With the mode 0600, no client can connect before the group is set. */
static int bind_and_listen(int fd, const struct sockaddr_un *address, struct stat *file)
{
	const struct group *group = getgrnam(CONTROL_GROUP);
	const char *path = address->sun_path;

	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	if (lstat(path, file) < 0)
		return -errno;
	/* Without CAP_CHOWN, the group comes from the unit file of the daemon instead. */
	if (group && lchown(path, (uid_t)-1, group->gr_gid) < 0 && errno != EPERM)
		return -errno;
	if (chmod(path, 0660) < 0 || listen(fd, CONTROL_CLIENTS) < 0)
		return -errno;
	return 0;
}

static int listen_at(const struct sockaddr_un *address, int *fd, struct stat *file)
{
	int error = free_path(address);

	if (error)
		return error;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return -errno;
	error = bind_and_listen(*fd, address, file);
	if (error) {
		close(*fd);
		*fd = -1;
	}
	return error;
}

int control_socket_open(const char *path, int *fd, struct stat *file)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char directory[sizeof(address.sun_path)] = ".";
	const char *slash = strrchr(path, '/');
	int lock, error;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return *path ? -ENAMETOOLONG : -ENOENT;
	strcpy(address.sun_path, path);
	if (slash)
		memcpy(directory, path, slash == path ? 1 : (size_t)(slash - path));
	if (slash && mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	/* Two daemons may start at the same time: a daemon must not remove a socket that a second daemon has bound, but
	 * does not listen on yet. */
	lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0)
		return -errno;
	error = flock(lock, LOCK_EX) < 0 ? -errno : listen_at(&address, fd, file);
	close(lock);
	return error;
}

bool control_socket_is_there(const char *path, const struct stat *file)
{
	struct stat found;

	return lstat(path, &found) == 0 && found.st_ino == file->st_ino && found.st_dev == file->st_dev;
}

bool control_socket_is_root(int fd, struct ucred *peer)
{
	socklen_t size = sizeof(*peer);

	*peer = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0 && (!peer->uid || peer->uid == geteuid());
}
