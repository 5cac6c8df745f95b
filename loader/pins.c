// SPDX-License-Identifier: GPL-2.0
/* Makes and removes pins. A command makes either all of its pins or none. No other file contains paths of pins. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon_user.h"
#include "directory.h"
#include "pins.h"
#include "output.h"

#define DECAP_PREFIX "decap"
#define BESIDE "_to_take_its_place" /* too long for the name of an interface */

/* --- paths */

static const char *const places[PROGRAM_KINDS][4] = {
	[PROGRAM_BALANCER] = {"", "/" PIN_LINKS, "/" PIN_DISPATCHED, "/" PIN_NEXT},
	[PROGRAM_DECAP] = {"", "/decap_links", "/decap_dispatched", "/decap_" PIN_NEXT},
};

/* The map whose pin is made last and removed first. */
static const char *const last_map[PROGRAM_KINDS] = {
	[PROGRAM_BALANCER] = "contract",
	[PROGRAM_DECAP] = "decap_verdicts",
};

static const char *place_path(const struct pins *pins, enum pins_place place, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s%s", pins->dir, places[pins->kind][place]);
	return path;
}

/* bpffs refuses dots, and the kernel refuses colons in the name of an interface. */
static void exchange(char *name, char from, char to)
{
	for (; *name; name++) {
		if (*name == from)
			*name = to;
	}
}

void pins_path(const struct pins *pins, enum pins_place place, const char *name, char path[PATH_MAX])
{
	size_t length = snprintf(path, PATH_MAX, "%s%s/", pins->dir, places[pins->kind][place]);

	if (length >= PATH_MAX)
		return; /* cannot happen: main() has checked the length */
	snprintf(path + length, PATH_MAX - length, "%s", name);
	exchange(path + length, '.', ':');
}

/* --- opening and closing */

/* Sets the owner of pins that an earlier release created. */
static void share_pins(const struct pins *pins)
{
	char path[PATH_MAX];
	enum pins_place place;

	for (place = PINS_TOP; place <= PINS_NEXT && pins->kind == PROGRAM_BALANCER; place++)
		daemon_user_may_open_all(place_path(pins, place, path));
}

int pins_open(struct pins *pins, const char *dir, enum program_kind kind, enum pins_use use)
{
	*pins = (struct pins){.dir = dir, .kind = kind, .lock = -1};
	if (use == PINS_READ)
		return directory_check(dir);
	if (use == PINS_CREATE && directory_prepare(dir))
		return -1;
	if (directory_lock(dir, use == PINS_CREATE, &pins->lock))
		return -1;
	share_pins(pins);
	return 0;
}

static void remove_empty_directories(const struct pins *pins)
{
	char path[PATH_MAX];
	enum pins_place place;

	for (place = PINS_LINKS; place <= PINS_NEXT; place++)
		rmdir(place_path(pins, place, path));
}

void pins_close(struct pins *pins)
{
	if (pins->lock < 0)
		return;
	remove_empty_directories(pins);
	directory_unlock(pins->dir, pins->lock);
	pins->lock = -1;
}

/* --- all or nothing */

static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/* Signals that the process ignores (nohup) are not blocked: a blocked signal would stay pending. */
void pins_begin(struct pins *pins)
{
	struct sigaction action;
	sigset_t signals;
	size_t i;

	sigemptyset(&signals);
	for (i = 0; i < sizeof(fatal) / sizeof(*fatal); i++) {
		if (!sigaction(fatal[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&signals, fatal[i]);
	}
	sigprocmask(SIG_BLOCK, &signals, &pins->signals);
}

bool pins_interrupted(void)
{
	bool interrupted = false;
	sigset_t signals;
	size_t i;

	sigpending(&signals);
	for (i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
		interrupted = interrupted || sigismember(&signals, fatal[i]);
	return interrupted;
}

void pins_end(struct pins *pins, bool failed)
{
	while (pins->made_count) {
		char *path = pins->made[--pins->made_count];

		if (failed && unlink(path) && errno != ENOENT)
			output_error("cannot remove %s: %s", path, output_errno(errno));
		free(path);
	}
	free(pins->made);
	pins->made = NULL;
	if (failed)
		remove_empty_directories(pins);
	sigprocmask(SIG_SETMASK, &pins->signals, NULL);
}

static int remember(struct pins *pins, const char *path)
{
	char **made = reallocarray(pins->made, pins->made_count + 1, sizeof(*made));

	if (made) {
		pins->made = made;
		made[pins->made_count] = strdup(path);
	}
	if (!made || !made[pins->made_count]) {
		output_error("cannot pin %s: %s", path, strerror(ENOMEM));
		return -1;
	}
	pins->made_count++;
	return 0;
}

/* --- one pin */

/* The part of the kernel's file name that shows the type of the object: "anon_inode:bpf-map". */
static const char *wanted_type(const struct pins *pins, enum pins_place place, const char *name)
{
	if (place == PINS_LINKS)
		return "link";
	if (place == PINS_DISPATCHED || !strcmp(name, program_name(pins->kind)) || !strcmp(name, PIN_OBSERVER) ||
		!strcmp(name, PIN_CALL_WRITER))
		return "prog";
	return "map";
}

/* Without this check, the kernel would fill a struct of one type with data of another type. */
static bool is_of_type(int fd, const char *wanted)
{
	char path[32], type[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, type, sizeof(type) - 1) < 0 || strstr(type, wanted);
}

int pins_get(const struct pins *pins, enum pins_place place, const char *name)
{
	char path[PATH_MAX];
	int fd;

	pins_path(pins, place, name, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (is_of_type(fd, wanted_type(pins, place, name)))
		return fd;
	close(fd);
	return -EMEDIUMTYPE;
}

static int pin(const struct pins *pins, enum pins_place place, const char *path, int fd)
{
	char dir[PATH_MAX];

	if (directory_make(place_path(pins, place, dir)))
		return -1;
	if (!bpf_obj_pin(fd, path)) {
		if (pins->kind == PROGRAM_BALANCER) /* decap has no daemon */
			daemon_user_may_open(dir, path);
		return 0;
	}
	output_error("cannot pin %s: %s", path, output_errno(errno == EEXIST ? EMEDIUMTYPE : errno));
	return -1;
}

int pins_put(struct pins *pins, enum pins_place place, const char *name, int fd)
{
	char path[PATH_MAX];

	pins_path(pins, place, name, path);
	if (pin(pins, place, path, fd))
		return -1;
	if (!remember(pins, path))
		return 0;
	unlink(path);
	return -1;
}

int pins_replace(struct pins *pins, enum pins_place place, const char *name, int fd)
{
	char path[PATH_MAX], beside[PATH_MAX + sizeof(BESIDE)];

	pins_path(pins, place, name, path);
	snprintf(beside, sizeof(beside), "%s" BESIDE, path);
	unlink(beside); /* left over from a loader that was killed at this point */
	if (pin(pins, place, beside, fd))
		return -1;
	if (!rename(beside, path))
		return 0;
	output_error("cannot replace %s: %s", path, output_errno(errno));
	unlink(beside);
	return -1;
}

int pins_rename(struct pins *pins, enum pins_place place, const char *from, const char *to)
{
	char path[PATH_MAX], renamed[PATH_MAX];

	pins_path(pins, place, from, path);
	pins_path(pins, place, to, renamed);
	if (!renameat2(AT_FDCWD, path, AT_FDCWD, renamed, RENAME_NOREPLACE) || errno == EEXIST)
		return 0;
	output_error("cannot rename %s to %s: %s", path, renamed, output_errno(errno));
	return -1;
}

int pins_remove(struct pins *pins, enum pins_place place, const char *name)
{
	char path[PATH_MAX];

	pins_path(pins, place, name, path);
	if (!unlink(path) || errno == ENOENT)
		return 0;
	output_error("cannot remove %s: %s", path, output_errno(errno));
	return -1;
}

/* --- many pins */

static bool is_pinned(const struct pins *pins, enum pins_place place, const char *name)
{
	int fd = pins_get(pins, place, name);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Every pin in DIR belongs to sipxdp: to decap if its name starts with DECAP_PREFIX, otherwise to the balancer.
 * The list of maps is not used here, so that pins of older releases are also removed. */
static bool is_ours(const struct pins *pins, const struct dirent *entry)
{
	bool of_decap = !strncmp(entry->d_name, DECAP_PREFIX, strlen(DECAP_PREFIX));

	return entry->d_type == DT_REG && of_decap == (pins->kind == PROGRAM_DECAP);
}

/* Calls a function for each pin except the program and the last map. */
static int for_each_shared(struct pins *pins, enum pins_place place,
	int (*act)(struct pins *pins, enum pins_place place, const char *name))
{
	struct dirent *entry;
	char path[PATH_MAX];
	int result = 0;
	DIR *dir;

	dir = opendir(place_path(pins, place, path));
	while (dir && (entry = readdir(dir))) {
		if (!is_ours(pins, entry) || !strcmp(entry->d_name, program_name(pins->kind)) ||
			!strcmp(entry->d_name, last_map[pins->kind]))
			continue;
		if (act(pins, place, entry->d_name))
			result = -1;
	}
	if (dir)
		closedir(dir);
	return result;
}

int pins_remove_shared(struct pins *pins, enum pins_place place, bool *removed)
{
	const char *program = program_name(pins->kind);

	*removed = is_pinned(pins, place, program);
	/* If the pin of the program is missing, the other pins may not belong to sipxdp. All pins in PINS_NEXT
	 * belong to sipxdp. */
	if (!*removed && place == PINS_TOP)
		return 0;
	if (pins_remove(pins, place, last_map[pins->kind]) || for_each_shared(pins, place, pins_remove) ||
		pins_remove(pins, PINS_NEXT, PIN_OLD_BTF))
		return -1;
	return pins_remove(pins, place, program);
}

static int remove_unless_next(struct pins *pins, enum pins_place place, const char *name)
{
	return is_pinned(pins, PINS_NEXT, name) ? 0 : pins_remove(pins, place, name);
}

static int move_up(struct pins *pins, enum pins_place place, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];

	pins_path(pins, place, name, from);
	pins_path(pins, PINS_TOP, name, to);
	if (!rename(from, to))
		return 0;
	output_error("cannot move %s to %s: %s", from, to, output_errno(errno));
	return -1;
}

int pins_finish_move(struct pins *pins)
{
	if (pins_remove(pins, PINS_NEXT, PIN_OLD_BTF))
		return -1;
	if (for_each_shared(pins, PINS_NEXT, move_up))
		return -1;
	if (is_pinned(pins, PINS_NEXT, program_name(pins->kind)) && move_up(pins, PINS_NEXT, program_name(pins->kind)))
		return -1;
	return move_up(pins, PINS_NEXT, last_map[pins->kind]);
}

int pins_move_next(struct pins *pins)
{
	return for_each_shared(pins, PINS_TOP, remove_unless_next) ? -1 : pins_finish_move(pins);
}

int pins_interfaces(const struct pins *pins, enum pins_place place, char (**out)[IFNAMSIZ], size_t *count)
{
	char path[PATH_MAX], (*names)[IFNAMSIZ];
	struct dirent *entry;
	DIR *dir;

	*out = NULL;
	*count = 0;
	dir = opendir(place_path(pins, place, path));
	if (!dir && errno == ENOENT)
		return 0;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_REG || strlen(entry->d_name) >= IFNAMSIZ)
			continue;
		names = reallocarray(*out, *count + 1, sizeof(*names));
		if (!names)
			break;
		*out = names;
		strcpy(names[*count], entry->d_name);
		exchange(names[(*count)++], ':', '.');
	}
	if (!dir || entry)
		output_error("cannot read %s: %s", path, output_errno(errno));
	if (!dir)
		return -1;
	closedir(dir);
	return entry ? -1 : 0;
}

/* --- maps */

bool pins_have_maps(const struct pins *pins)
{
	return is_pinned(pins, PINS_TOP, last_map[pins->kind]);
}

bool pins_have_program(const struct pins *pins, enum pins_place place)
{
	return is_pinned(pins, place, program_name(pins->kind));
}

int pins_contract(const struct pins *pins, enum pins_place place, struct contract *out)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	union any_contract value = {0};
	int err = 0, fd = pins_get(pins, place, "contract");

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		err = -errno;
	else if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size > sizeof(value))
		err = -EMEDIUMTYPE;
	else if (bpf_map_lookup_elem(fd, &(uint32_t){0}, &value))
		err = -errno;
	*out = value.contract;
	close(fd);
	return err;
}

int pins_put_maps(struct pins *pins, enum pins_place place, const struct program *program)
{
	const char *last = last_map[pins->kind];
	const struct bpf_map *map;

	bpf_object__for_each_map(map, program->object)
	{
		if (!program_shares_map(map) || !strcmp(bpf_map__name(map), last))
			continue;
		if (pins_put(pins, place, bpf_map__name(map), bpf_map__fd(map)))
			return -1;
	}
	map = bpf_object__find_map_by_name(program->object, last);
	return pins_put(pins, place, last, bpf_map__fd(map));
}

static bool is_fitting(const struct pins *pins, const struct bpf_map *map)
{
	int fd = pins_get(pins, PINS_TOP, bpf_map__name(map));
	bool fits = fd >= 0 && program_map_fits(map, fd);

	if (fd >= 0)
		close(fd);
	return fits;
}

static int reuse_maps(const struct pins *pins, enum pins_place place, const struct program *program, bool all)
{
	char path[PATH_MAX];
	struct bpf_map *map;
	int err, fd;

	bpf_object__for_each_map(map, program->object)
	{
		if (!program_shares_map(map) || (!all && !is_fitting(pins, map)))
			continue;
		fd = pins_get(pins, place, bpf_map__name(map));
		if (fd < 0) {
			pins_path(pins, place, bpf_map__name(map), path);
			output_error("cannot use the pinned map %s: %s", path, output_errno(fd));
			return -1;
		}
		err = program_reuse_map(map, fd);
		close(fd);
		if (err)
			return -1;
	}
	return 0;
}

int pins_reuse_maps(const struct pins *pins, enum pins_place place, const struct program *program)
{
	return reuse_maps(pins, place, program, true);
}

int pins_reuse_fitting_maps(const struct pins *pins, const struct program *program)
{
	return reuse_maps(pins, PINS_TOP, program, false);
}

bool pins_have_fitting_maps(const struct pins *pins, const struct program *program)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, program->object)
	{
		if (program_shares_map(map) && !is_fitting(pins, map))
			return false;
	}
	return true;
}

static bool is_in_place(const struct pins *pins, const struct bpf_map *map)
{
	int fd = pins_get(pins, PINS_TOP, bpf_map__name(map));
	bool is_same = fd >= 0 && program_map_id(fd) == program_map_id(bpf_map__fd(map));

	if (fd >= 0)
		close(fd);
	return is_same;
}

int pins_put_new_maps(struct pins *pins, const struct program *program)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, program->object)
	{
		if (!program_shares_map(map) || is_in_place(pins, map))
			continue;
		if (pins_replace(pins, PINS_TOP, bpf_map__name(map), bpf_map__fd(map)))
			return -1;
	}
	return 0;
}
