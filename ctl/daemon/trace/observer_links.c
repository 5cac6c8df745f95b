// SPDX-License-Identifier: GPL-2.0
/* See observer_links.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "bpf/abi.h"
#include "core/base/memory.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/maps.h"
#include "observer_watchdog.h"
#include "observer_links.h"

/* The opened pins. */
struct pinned {
	int plain;    /* the program; -1: not opened */
	int observer; /* the program with observers; -1: not opened */
	int *links;
	size_t count;
};

struct observer_links {
	struct pinned pinned; /* of the last switch to the observer; without links: the plain program is in use */
	struct observer_watchdog watchdog;
};

__attribute__((format(printf, 3, 4))) static int fail(
	char error[OBSERVER_LINKS_ERROR_SIZE], int err, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(error, OBSERVER_LINKS_ERROR_SIZE, format, values);
	va_end(values);
	return err;
}

/* --- pins */

static void pinned_close(struct pinned *pinned)
{
	while (pinned->count)
		close(pinned->links[--pinned->count]);
	free(pinned->links);
	if (pinned->plain >= 0)
		close(pinned->plain);
	if (pinned->observer >= 0)
		close(pinned->observer);
	*pinned = (struct pinned){.plain = -1, .observer = -1};
}

static int open_links(struct pinned *pinned, const char *directory)
{
	struct dirent *entry;
	char path[PATH_MAX];
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" PIN_LINKS, directory);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!err && (entry = readdir(dir))) {
		if (entry->d_type != DT_REG)
			continue;
		pinned->links = reallocate(pinned->links, pinned->count + 1, sizeof(*pinned->links));
		pinned->links[pinned->count] = maps_open_pin(path, entry->d_name);
		if (pinned->links[pinned->count] >= 0)
			pinned->count++;
		else if (errno != ENOENT) /* ENOENT: the link has just been detached */
			err = -errno;
	}
	closedir(dir);
	return err;
}

/* Opens the plain program first, because the loader replaces the pin of the observer first. A new plain program is
 * therefore never combined with an old observer. */
static int pinned_open(struct pinned *pinned, const char *directory)
{
	int err = 0;

	*pinned = (struct pinned){.plain = maps_open_pin(directory, PIN_PROGRAM), .observer = -1};
	if (pinned->plain < 0)
		err = pinned->plain;
	if (!err)
		pinned->observer = maps_open_pin(directory, PIN_OBSERVER);
	if (!err && pinned->observer < 0)
		err = pinned->observer;
	if (!err)
		err = open_links(pinned, directory);
	if (err)
		pinned_close(pinned);
	return err;
}

/* --- switching */

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

/* Returns the id of the program of a link; 0: the interface of the link no longer exists. */
static uint32_t linked_id(int fd)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) || !info.xdp.ifindex ? 0 : info.prog_id;
}

/* Does any link have the plain program? */
static bool must_switch(const struct pinned *pinned)
{
	uint32_t plain = program_id(pinned->plain);
	bool must = false;

	for (size_t i = 0; i < pinned->count; i++)
		must = must || linked_id(pinned->links[i]) == plain;
	return must;
}

/* Replaces `from` with `to`. Does not change a link with a third program: an upgrade is in progress. */
static int replace_all(const struct pinned *pinned, int from, int to)
{
	int result = 0, err;

	for (size_t i = 0; i < pinned->count; i++) {
		err = observer_watchdog_replace(pinned->links[i], from, to);
		if (err)
			result = err;
	}
	return result;
}

static void restore(const struct pinned *pinned)
{
	int err = replace_all(pinned, pinned->observer, pinned->plain);

	if (err)
		log_error("cannot restore the plain program of all links: %s ('sipxdp-loader status' shows the "
			  "program of each interface, 'sipxdp-loader upgrade' replaces it)",
			strerror(-err));
}

static bool is_dispatched(const char *directory)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" PIN_DISPATCHED, directory);
	return !access(path, F_OK);
}

static int explain(const char *directory, int err, char error[OBSERVER_LINKS_ERROR_SIZE])
{
	if (err != -ENOENT)
		return fail(error, err, "cannot open the pinned programs in %s: %s", directory, strerror(-err));
	return fail(error, err,
		"%s/" PIN_OBSERVER " is not pinned: the kernel has refused this program, or nothing is attached "
		"('sipxdp-loader upgrade' loads it again and prints the reason)",
		directory);
}

int observer_links_observe(struct observer_links *links, const char *directory, char error[OBSERVER_LINKS_ERROR_SIZE])
{
	struct pinned pinned;
	int err;

	if (is_dispatched(directory))
		return fail(error, -EOPNOTSUPP,
			"an interface is attached by libxdp's dispatcher, which cannot replace a program atomically: "
			"packets cannot be observed ('sipxdp-loader detach', then 'attach' without --dispatcher)");
	err = pinned_open(&pinned, directory);
	if (err)
		return explain(directory, err, error);
	if (!must_switch(&pinned) && observer_watchdog_is_alive(&links->watchdog)) {
		pinned_close(&pinned);
		return 0;
	}
	/* The new watchdog starts before the old watchdog ends, and before the switch. Therefore, at any time, one
	 * watchdog has the descriptors of all links that have the observer. */
	err = observer_watchdog_start(&links->watchdog, pinned.links, pinned.count, pinned.plain, pinned.observer);
	if (!err)
		err = replace_all(&pinned, pinned.plain, pinned.observer);
	pinned_close(&links->pinned);
	links->pinned = pinned;
	return err ? fail(error, err, "cannot switch all links to the observer: %s", strerror(-err)) : 0;
}

void observer_links_restore(struct observer_links *links)
{
	restore(&links->pinned);
	observer_watchdog_stop(&links->watchdog);
	pinned_close(&links->pinned);
}

void observer_links_restore_left(const char *directory)
{
	struct pinned pinned;

	if (pinned_open(&pinned, directory))
		return; /* no observer: nothing to restore */
	restore(&pinned);
	pinned_close(&pinned);
}

struct observer_links *observer_links_new(void)
{
	struct observer_links *links = allocate(1, sizeof(*links));

	*links = (struct observer_links){.pinned = {.plain = -1, .observer = -1}, .watchdog = OBSERVER_WATCHDOG_NONE};
	return links;
}

void observer_links_free(struct observer_links *links)
{
	if (!links)
		return;
	observer_links_restore(links);
	free(links);
}
