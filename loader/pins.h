/* SPDX-License-Identifier: GPL-2.0 */
/* The pins. They keep programs, maps and links in the kernel after the loader exits:
 *
 *   DIR/MAP               each map by its name; those of decap start with decap_
 *   DIR/balancer, decap   the program for the next interface that is attached
 *   DIR/observer          the program that sipxdpd puts in place of the balancer while packets are observed
 *   DIR/links/IFACE       the bpf_link of an interface (decap_links/ for decap)
 *   DIR/dispatched/IFACE  the program that libxdp's dispatcher calls (decap_dispatched/)
 *   DIR/next/...          maps and a program that will replace those in DIR
 *   DIR/lock              a directory; exists while a loader makes changes
 *
 * The program is pinned first and removed last. If its pin exists, all pins in DIR belong to sipxdp. One map
 * (contract, or decap_verdicts) is pinned after all other maps and removed before them. If its pin exists, all
 * other maps are pinned, too. bpffs allows no dots in names: eth0.7 is pinned as eth0:7. */
#pragma once

#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include "program.h"

enum pins_use {
	PINS_READ,   /* takes no lock, makes no changes */
	PINS_CHANGE, /* locks out other loaders */
	PINS_CREATE, /* also mounts bpffs if necessary */
};

/* Subdirectories; PINS_TOP is DIR itself. */
enum pins_place {
	PINS_TOP,
	PINS_LINKS,
	PINS_DISPATCHED,
	PINS_NEXT,
};

struct pins {
	const char *dir; /* absolute */
	enum program_kind kind;
	int lock; /* -1: none */
	char **made;
	size_t made_count;
	sigset_t signals; /* signal mask outside of pins_begin() and pins_end() */
};

/* Refuses a directory that other users can change. A missing directory counts as one without pins. */
int pins_open(struct pins *pins, const char *dir, enum program_kind kind, enum pins_use use);

/* Also removes empty directories. */
void pins_close(struct pins *pins);

/* Between these two calls, signals are blocked and cannot terminate the process. pins_end() with `failed` removes all
 * pins made since pins_begin(). */
void pins_begin(struct pins *pins);
void pins_end(struct pins *pins, bool failed);

/* Returns true if a signal is pending that will terminate the process at pins_end(). */
bool pins_interrupted(void);

/* The path of a pin. `name` is that of a map, program or interface. */
void pins_path(const struct pins *pins, enum pins_place place, const char *name, char path[PATH_MAX]);

/* Returns a file descriptor of the pinned object, or -errno without a message: -EMEDIUMTYPE if the object has
 * a type that sipxdp does not pin under this name. */
int pins_get(const struct pins *pins, enum pins_place place, const char *name);

int pins_put(struct pins *pins, enum pins_place place, const char *name, int fd);

/* Replaces a pin, or makes it, atomically. */
int pins_replace(struct pins *pins, enum pins_place place, const char *name, int fd);

/* Renames a pin, unless there is a pin with the new name. */
int pins_rename(struct pins *pins, enum pins_place place, const char *from, const char *to);

int pins_remove(struct pins *pins, enum pins_place place, const char *name);

/* Removes maps and program of PINS_TOP or PINS_NEXT, and stores whether any existed. The caller removes the links. */
int pins_remove_shared(struct pins *pins, enum pins_place place, bool *removed);

/* Replaces all maps and the program of PINS_TOP with those of PINS_NEXT. The caller must first remove the contract
 * of PINS_TOP. If the loader is killed during the move, pins_finish_move() completes the move. */
int pins_move_next(struct pins *pins);
int pins_finish_move(struct pins *pins);

/* Returns the interfaces that have a pin in `place`; the list may be empty. The caller frees it. */
int pins_interfaces(const struct pins *pins, enum pins_place place, char (**out)[IFNAMSIZ], size_t *count);

/* Returns true if all maps are pinned. If only some of them are pinned, a loader was killed. */
bool pins_have_maps(const struct pins *pins);

/* Returns true if the program is pinned in PINS_TOP or PINS_NEXT. Without its pin in PINS_TOP, `detach` removes nothing
 * from DIR. */
bool pins_have_program(const struct pins *pins, enum pins_place place);

/* Reads the map 'contract'. If its version differs, only the version is valid. Returns 0, -ENOENT if none is
 * pinned, or -errno; without a message. */
int pins_contract(const struct pins *pins, enum pins_place place, struct contract *out);

/* Returns whether PINS_TOP has all maps of an opened program, with the expected types and sizes. */
bool pins_have_fitting_maps(const struct pins *pins, const struct program *program);

/* Makes an opened program use the maps in PINS_TOP that have the expected type and size. All other maps will be new. */
int pins_reuse_fitting_maps(const struct pins *pins, const struct program *program);

/* Pins the new maps of a loaded program in PINS_TOP and replaces existing pins. */
int pins_put_new_maps(struct pins *pins, const struct program *program);

/* Pins the maps of a loaded program. */
int pins_put_maps(struct pins *pins, enum pins_place place, const struct program *program);

/* Makes an opened program use all maps that are pinned in `place`. */
int pins_reuse_maps(const struct pins *pins, enum pins_place place, const struct program *program);
