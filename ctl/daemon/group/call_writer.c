// SPDX-License-Identifier: GPL-2.0
/* See call_writer.h. */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "core/base/memory.h"
#include "ctl/maps/maps.h"
#include "call_writer.h"

struct call_writer {
	int program;
	struct call_batch *batch; /* NULL: not mapped */
};

static int map_batch(struct call_writer *writer, const char *directory)
{
	int fd = maps_open_pin(directory, "call_batch"), error = 0;
	void *batch;

	if (fd < 0)
		return fd;
	batch = mmap(NULL, sizeof(*writer->batch), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (batch == MAP_FAILED)
		error = -errno;
	else
		writer->batch = batch;
	close(fd);
	return error;
}

int call_writer_new(struct call_writer **out, const char *directory)
{
	struct call_writer *writer = allocate(1, sizeof(*writer));
	int error;

	writer->program = maps_open_pin(directory, PIN_CALL_WRITER);
	error = writer->program < 0 ? writer->program : map_batch(writer, directory);
	if (error) {
		call_writer_free(writer);
		writer = NULL;
	}
	*out = writer;
	return error;
}

void call_writer_free(struct call_writer *writer)
{
	if (!writer)
		return;
	if (writer->batch)
		munmap(writer->batch, sizeof(*writer->batch));
	if (writer->program >= 0)
		close(writer->program);
	free(writer);
}

struct call_batch *call_writer_batch(struct call_writer *writer)
{
	return writer->batch;
}

int call_writer_run(struct call_writer *writer)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	return bpf_prog_test_run_opts(writer->program, &options);
}
