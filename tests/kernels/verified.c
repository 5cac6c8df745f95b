// SPDX-License-Identifier: GPL-2.0
/* Loads the programs of BPF object files and prints a line "NAME INSTRUCTIONS STACK" for each: the number of
 * instructions that the kernel's verifier processed, and the bytes of stack of the longest chain of calls. The
 * verifier's log of a refused program goes to standard error. Exit status: 0 if all loaded, else 1. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define MAX_FUNCTIONS 256
#define MAX_INSTRUCTIONS 65536
#define STATISTICS 4 /* log level: the summary, and errors */

/* The kernel rounds the stack of each function up: to 32 bytes before Linux 6.8, then to 16. */
#define STACK_UNIT 32

/* The functions of a program, in the order of their addresses. */
struct functions {
	uint32_t count;
	uint32_t start[MAX_FUNCTIONS]; /* its first instruction */
	uint32_t stack[MAX_FUNCTIONS]; /* bytes of its own stack frame, rounded up */
	uint32_t chain[MAX_FUNCTIONS]; /* bytes including its longest chain of calls; 0: not yet computed */
};

/* The instructions of a program after the verifier has rewritten them. */
struct code {
	struct bpf_insn insns[MAX_INSTRUCTIONS];
	uint32_t count;
};

static bool is_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static bool is_callback(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC;
}

/* The target of a call, or of a reference to a callback; 0 for other instructions. In a dump of a loaded
 * program the kernel stores the distance of a call in `off`. */
static uint32_t target_of(const struct code *code, uint32_t at)
{
	const struct bpf_insn *insn = &code->insns[at];

	if (is_call(insn))
		return at + 1 + (insn->off ? insn->off : insn->imm);
	return is_callback(insn) ? at + 1 + insn->imm : 0;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* A function begins at each target of a call. */
static int find_functions(const struct code *code, struct functions *functions)
{
	uint32_t *start = functions->start, found = 0;

	start[found++] = 0;
	for (uint32_t at = 0; at < code->count; at++) {
		uint32_t target = target_of(code, at);

		if (!target || bsearch(&target, start, found, sizeof(*start), compare_numbers))
			continue;
		if (found == MAX_FUNCTIONS || target >= code->count)
			return -E2BIG;
		start[found++] = target;
		qsort(start, found, sizeof(*start), compare_numbers);
	}
	functions->count = found;
	return 0;
}

/* The log contains "stack depth 96+0+32", a number for each function. */
static int read_stacks(const char *log, struct functions *functions)
{
	const char *at = strstr(log, "stack depth ");
	char *end;

	if (!at)
		return -ENODATA;
	at += strlen("stack depth ");
	for (uint32_t i = 0; i < functions->count; i++, at = end + 1) {
		uint32_t bytes = strtoul(at, &end, 10);

		functions->stack[i] = (bytes ? bytes + STACK_UNIT - 1 : STACK_UNIT) / STACK_UNIT * STACK_UNIT;
		if (*end != '+' && i + 1 < functions->count)
			return -EBADMSG;
	}
	return *end == '+' ? -EBADMSG : 0;
}

static uint32_t function_at(const struct functions *functions, uint32_t instruction)
{
	uint32_t i = functions->count - 1;

	while (functions->start[i] > instruction)
		i--;
	return i;
}

/* Terminates because the verifier accepts no recursion. */
static uint32_t longest_chain(const struct code *code, struct functions *functions, uint32_t i)
{
	uint32_t end = i + 1 < functions->count ? functions->start[i + 1] : code->count, deepest = 0;

	if (functions->chain[i])
		return functions->chain[i];
	for (uint32_t at = functions->start[i]; at < end; at++) {
		uint32_t target = target_of(code, at), chain;

		if (!target)
			continue;
		chain = longest_chain(code, functions, function_at(functions, target));
		if (chain > deepest)
			deepest = chain;
	}
	functions->chain[i] = functions->stack[i] + deepest;
	return functions->chain[i];
}

static int print_program(const struct bpf_program *program, const char *log)
{
	static struct functions functions;
	static struct code code;
	struct bpf_prog_info info = {.xlated_prog_insns = (uintptr_t)code.insns, .xlated_prog_len = sizeof(code.insns)};
	uint32_t size = sizeof(info);
	int err;

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return -errno;
	memset(&functions, 0, sizeof(functions));
	code.count = info.xlated_prog_len / sizeof(*code.insns);
	err = find_functions(&code, &functions);
	if (!err)
		err = read_stacks(log, &functions);
	if (!err)
		printf("%s %u %u\n", bpf_program__name(program), info.verified_insns,
			longest_chain(&code, &functions, 0));
	return err;
}

/* Each object has one program, so the log is the log of that program. Before it, the kernel writes the types of the
 * object, and refuses them if the buffer is too small. */
static int print_object(const char *path)
{
	static char log[1 << 20];
	LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = log, .kernel_log_size = sizeof(log),
		.kernel_log_level = STATISTICS);
	struct bpf_object *object = bpf_object__open_file(path, &options);
	struct bpf_program *program = object ? bpf_object__next_program(object, NULL) : NULL;
	int err = object ? bpf_object__load(object) : -errno;

	if (!err)
		err = program ? print_program(program, log) : -ENOENT;
	if (err)
		fprintf(stderr, "%s%s: %s\n", object ? log : "", path, strerror(-err));
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
