/* SPDX-License-Identifier: GPL-2.0 */
/* The balancer's stages, for the program that ends after one of them (stages.bpf.c) and for the bench, which computes
 * the differences. */
#pragma once

#define STAGES(X)                                                                                                      \
	X(NONE, "entry, room for the flow")                                                                            \
	X(PARSE, "parse: Ethernet, IP, UDP")                                                                           \
	X(CLASSIFY, "classify: service and pool")                                                                      \
	X(KEY, "key: find the Call-ID, hash it")                                                                       \
	X(OWNER, "owner: pool, table, slot")                                                                           \
	X(SEND, "send: backend, rewrite the frame")                                                                    \
	X(FINISH, "finish: count verdict, service, backend")

#define STAGE_VALUE(name, text) STAGE_##name,
enum stage {
	STAGES(STAGE_VALUE) STAGE_COUNT_OF
};
#undef STAGE_VALUE
