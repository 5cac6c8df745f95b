/* SPDX-License-Identifier: GPL-2.0 */
/* The two programs that the loader carries within itself: opened, sized, loaded.
 *
 * Here and in all of loader/: a function that returns int returns 0, or -1 after it has
 * said what is wrong, unless its comment says otherwise. */
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
	struct balancer_bpf *balancer; /* the skeleton: one of these two */
	struct decap_bpf *decap;
	struct bpf_object *object;
	struct bpf_program *xdp;
};

/* "balancer", "decap" */
const char *program_name(enum program_kind kind);

/* Opens a program and gives its maps their sizes, nothing of it in the kernel yet.
 * `sizes` is not looked at for decap, whose sizes are fixed. */
int program_open(struct program *program, enum program_kind kind, const struct contract *sizes);

/* Is this map of the kernel what an opened program expects? Without a word. */
bool program_map_fits(const struct bpf_map *map, int fd);

/* The kernel's number of a map, 0 if that cannot be read. */
uint32_t program_map_id(int fd);

/* Has an opened program use this map of the kernel, which must be what it expects. */
int program_reuse_map(struct bpf_map *map, int fd);

/* Loads program and maps. `sizes` is written into new maps' contract; NULL: they are reused. */
int program_load(struct program *program, const struct contract *sizes);

/* Is this one of the maps that are pinned? (Not libbpf's own for .rodata.) */
bool program_shares_map(const struct bpf_map *map);

int program_fd(const struct program *program);

/* Closing a zeroed struct program does nothing. */
void program_close(struct program *program);
