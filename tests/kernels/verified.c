// SPDX-License-Identifier: GPL-2.0
/* Loads the programs of BPF object files and prints a line "NAME INSTRUCTIONS" for each:
 * how many the kernel's verifier went through. What it says against one goes to standard
 * error. Exit status: 0 all loaded, 1 not. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int print_program(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return -errno;
	printf("%s %u\n", bpf_program__name(program), info.verified_insns);
	return 0;
}

static int print_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program = NULL;
	int err = object ? bpf_object__load(object) : -errno;

	while (!err && (program = bpf_object__next_program(object, program)))
		err = print_program(program);
	if (err)
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
	bpf_object__close(object);
	return err;
}

int main(int argc, char **argv)
{
	int i, status = 0;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	for (i = 1; i < argc; i++)
		status |= print_object(argv[i]) != 0;
	return status;
}
