/* SPDX-License-Identifier: GPL-2.0 */
/* The program call_writer (bpf/call_writer.bpf.c): runs it on changes of calls. */
#pragma once

#include "bpf/abi_calls.h"

struct call_writer;

/* Opens the pinned program. 0 or -errno: -ENOENT if the kernel has refused it. */
int call_writer_new(struct call_writer **out, const char *directory);
void call_writer_free(struct call_writer *writer);

/* The changes to apply: the caller fills `count` and `changes`, and runs the program. */
struct call_batch *call_writer_batch(struct call_writer *writer);
int call_writer_run(struct call_writer *writer);
