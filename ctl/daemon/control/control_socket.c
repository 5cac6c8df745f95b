// SPDX-License-Identifier: GPL-2.0
/* See control_socket.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "control.h"
#include "control_socket.h"

#define LOCK_ATTEMPTS 20
#define LOCK_PAUSE_NSEC 5000000

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

/* Two daemons may start at the same time: a daemon must not remove a socket that a second daemon has bound, but does
 * not listen on yet. A daemon holds the lock only for an instant. The event loop must not wait for any other process
 * that holds it. Returns the descriptor, or -errno: -EAGAIN if the directory remains locked. */
static int lock_directory(const char *directory)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NSEC};
	int attempts = LOCK_ATTEMPTS, error, fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error = -errno;
		if (error != -EWOULDBLOCK || !--attempts) {
			close(fd);
			return error;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
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
	/* Other users can connect, but cannot open the directory and lock it. */
	if (slash && mkdir(directory, 0711) < 0 && errno != EEXIST)
		return -errno;
	lock = lock_directory(directory);
	if (lock < 0)
		return lock;
	error = listen_at(&address, fd, file);
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
