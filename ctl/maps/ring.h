/* SPDX-License-Identifier: GPL-2.0 */
/* Opens a pinned ring buffer. */
#pragma once

#include <bpf/libbpf.h>

/* `on_record` receives `data` and each record. 0 or -errno. */
int ring_open(
	struct ring_buffer **out, const char *directory, const char *name, ring_buffer_sample_fn on_record, void *data);
