/* SPDX-License-Identifier: GPL-2.0 */
/* The pins, which are what the loader leaves behind:
 *
 *   DIR/MAP               each map by its name; those of decap begin with decap_
 *   DIR/balancer, decap   the program that an interface gets which is attached next
 *   DIR/links/IFACE       the bpf_link of an interface (decap_links/ for decap)
 *   DIR/dispatched/IFACE  the program that libxdp's dispatcher calls (decap_dispatched/)
 *   DIR/next/...          maps and a program that are to take the place of those in DIR
 *   DIR/lock              a directory, while a loader runs that changes something
 *
 * The program is pinned first and removed last: where it is, all that is pinned in DIR is
 * ours. One map (contract, or decap_verdicts) is pinned after all others and removed
 * before them: where it is, they are. bpffs allows no dots in names: eth0.7 is pinned as eth0:7. */
#pragma once

#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include "program.h"

enum pins_use {
	PINS_READ,   /* takes no lock, changes nothing */
	PINS_CHANGE, /* locks out other loaders */
	PINS_CREATE, /* ... and mounts bpffs if it is not there */
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
	sigset_t signals; /* mask outside of pins_begin() and pins_end() */
};

/* Refuses a directory that other users could change. One that does not exist is one without
 * pins. */
int pins_open(struct pins *pins, const char *dir, enum program_kind kind, enum pins_use use);

/* Also removes the directories that are empty. */
void pins_close(struct pins *pins);

/* Between these two no signal ends the process; pins_end() with failed = true removes
 * whatever was pinned since. */
void pins_begin(struct pins *pins);
void pins_end(struct pins *pins, bool failed);

/* Is there a signal that will end the process at pins_end()? */
bool pins_interrupted(void);

/* The path of a pin; `name` of a map, program or interface. */
void pins_path(const struct pins *pins, enum pins_place place, const char *name, char path[PATH_MAX]);

/* A file descriptor of what is pinned there, or -errno without a word: -EMEDIUMTYPE where
 * that is an object of another type than sipxdp pins under this name. */
int pins_get(const struct pins *pins, enum pins_place place, const char *name);

int pins_put(struct pins *pins, enum pins_place place, const char *name, int fd);

/* Puts another object in the place of a pin, or of none, at once. */
int pins_replace(struct pins *pins, enum pins_place place, const char *name, int fd);

int pins_remove(struct pins *pins, enum pins_place place, const char *name);

/* Removes maps and program of PINS_TOP or PINS_NEXT, and says whether there were any. Links
 * are the caller's. */
int pins_remove_shared(struct pins *pins, enum pins_place place, bool *removed);

/* Puts maps and program of PINS_NEXT into the place of those of PINS_TOP, of which none
 * stays; there is no contract in PINS_TOP any more. If the loader is killed meanwhile,
 * pins_finish_move() does the rest. */
int pins_move_next(struct pins *pins);
int pins_finish_move(struct pins *pins);

/* The interfaces that have a pin in `place`, to be freed; an empty list if there are none. */
int pins_interfaces(const struct pins *pins, enum pins_place place, char (**out)[IFNAMSIZ], size_t *count);

/* Are all the maps pinned, as far as a loader gets that is not killed? */
bool pins_have_maps(const struct pins *pins);

/* Is the program pinned? Without it `detach` leaves all that is in DIR. */
bool pins_have_program(const struct pins *pins);

/* Reads the map 'contract', of which of another version only the version is sure. 0,
 * -ENOENT where none is pinned, or -errno; without a word. */
int pins_contract(const struct pins *pins, enum pins_place place, struct contract *out);

/* Are all maps in PINS_TOP that an opened program expects, as it expects them? */
bool pins_have_fitting_maps(const struct pins *pins, const struct program *program);

/* Has an opened program use those maps in PINS_TOP that are as it expects them. The others
 * will be new ones. */
int pins_reuse_fitting_maps(const struct pins *pins, const struct program *program);

/* Puts the new ones of a loaded program into PINS_TOP, in the place of those that are there. */
int pins_put_new_maps(struct pins *pins, const struct program *program);

/* Pins the maps of a loaded program. */
int pins_put_maps(struct pins *pins, enum pins_place place, const struct program *program);

/* Has an opened program use the maps pinned there, all of them. */
int pins_reuse_maps(const struct pins *pins, enum pins_place place, const struct program *program);
