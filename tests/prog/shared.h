/* SPDX-License-Identifier: GPL-2.0 */
/* Loaded objects that several tests use one after the other. Each test runs in a process of its own, and the
 * verifier needs more than a second for the balancer on an emulated machine. If the environment variable
 * SIPXDP_SHARED names a directory of a BPF file system, the first test that needs an object loads it and pins its
 * program and its maps there. The next test receives the same program, with empty maps. Without the variable each
 * test loads its objects. */
#pragma once

#include <bpf/libbpf.h>

/* Loads an opened object with one program, or gives it the maps of an equal one: the same name, constants and map
 * sizes, and the same maps of a different object (bpf_map__reuse_fd()), which keep their content. Aborts the test if
 * this fails. An object that this process already uses is not shared again until shared_release(). */
void shared_load(struct bpf_object *object);

/* Ends the use; the caller still destroys the object. */
void shared_release(const struct bpf_object *object);

/* The file descriptor of the program of a loaded object. bpf_program__fd() has none if the object is shared. */
int shared_program(const struct bpf_object *object);
