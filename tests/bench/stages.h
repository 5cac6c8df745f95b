/* SPDX-License-Identifier: GPL-2.0 */
/* The balancer's steps, for the program that ends after one (stages.bpf.c) and for the
 * bench that takes the differences. */
#pragma once

#define STAGES(X)                                                                                                      \
	X(NONE, "entry, room for packet and target")                                                                   \
	X(PARSE, "parse Ethernet, IP, UDP")                                                                            \
	X(SERVICE, "look up the service")                                                                              \
	X(SCAN, "find the Call-ID")                                                                                    \
	X(HASH, "hash its value")                                                                                      \
	X(SLOT, "pool, table, slot")                                                                                   \
	X(BACKEND, "look up the backend")                                                                              \
	X(REWRITE, "rewrite the frame")                                                                                \
	X(COUNT, "count: verdict, service, backend")

#define STAGE_VALUE(name, text) STAGE_##name,
enum stage {
	STAGES(STAGE_VALUE) STAGE_COUNT_OF
};
#undef STAGE_VALUE
