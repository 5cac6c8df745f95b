/* SPDX-License-Identifier: GPL-2.0 */
/* Opens and loads the two XDP programs that the loader contains, and sets the sizes of their maps.
 *
 * In all of loader/, a function that returns int returns 0, or -1 after it has reported the error, unless its
 * comment says otherwise. */
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/abi.h"

enum program_kind {
	PROGRAM_BALANCER,
	PROGRAM_DECAP,
	PROGRAM_KINDS,
};

struct balancer_bpf;
struct decap_bpf;

struct program {
	enum program_kind kind;
	struct balancer_bpf *balancer; /* the skeleton; only one of the two is set */
	struct decap_bpf *decap;
	struct bpf_object *object;
	struct bpf_program *xdp;
};

/* "balancer", "decap" */
const char *program_name(enum program_kind kind);

/* Opens a program and sets the sizes of its maps. Loads nothing into the kernel. decap ignores `sizes`, because its
 * sizes are fixed. */
int program_open(struct program *program, enum program_kind kind, const struct contract *sizes);

/* Returns true if a map in the kernel has the type and size that an opened program expects. Prints no message. */
bool program_map_fits(const struct bpf_map *map, int fd);

/* The id of a map, 0 if it is unreadable. */
uint32_t program_map_id(int fd);

/* Makes an opened program use this map. The map must have the type and size that the program expects. */
int program_reuse_map(struct bpf_map *map, int fd);

/* Loads the program and its maps. Writes `sizes` to the contract of new maps; NULL: existing maps are reused. */
int program_load(struct program *program, const struct contract *sizes);

/* Returns whether this map is pinned. (The map that libbpf makes for .rodata is not.) */
bool program_shares_map(const struct bpf_map *map);

int program_fd(const struct program *program);

/* Closing a zeroed struct program does nothing. */
void program_close(struct program *program);
