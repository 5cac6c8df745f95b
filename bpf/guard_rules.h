/* SPDX-License-Identifier: GPL-2.0 */
/* The rules of the guard: the constant in abi_guard.h, the name that configuration, commands and metrics use, and a
 * description of the packets to which the rule applies. */
#pragma once

/* The rules with a limit for each source: GUARD_BUCKET_*. */
#define GUARD_BUCKET_TEXTS(X)                                                                                          \
	X(PACKETS, packets, "packets of all kinds, except for those of established calls")                             \
	X(DIALOG, dialog, "packets of established calls: requests with a To tag, ACK, CANCEL, responses")              \
	X(EMERGENCY, emergency, "emergency calls, and requests with a listed Resource-Priority")                       \
	X(INITIAL, initial, "requests outside a dialog, with any method")                                              \
	X(INVITE, invite, "INVITE requests outside a dialog")                                                          \
	X(REGISTER, register, "REGISTER requests")                                                                     \
	X(OPTIONS, options, "OPTIONS requests outside a dialog")                                                       \
	X(SUBSCRIBE, subscribe, "SUBSCRIBE requests outside a dialog")                                                 \
	X(MESSAGE, message, "MESSAGE requests outside a dialog")                                                       \
	X(OTHER, other, "requests outside a dialog with a different method")                                           \
	X(NOT_SIP, not_sip, "datagrams that are neither SIP nor a keepalive nor STUN")                                 \
	X(TCP_SYN, tcp_syn, "TCP packets that open a connection")

/* All other rules: GUARD_RULE_*. */
#define GUARD_RULE_TEXTS(X)                                                                                            \
	X(DENIED, denied, "packets from a source on a list with the action `deny`")                                    \
	X(BLOCKED, blocked, "packets from a source that an operator or a server has blocked")                          \
	X(SCANNER, scanner, "requests of a known scanner")                                                             \
	X(BROKEN, broken, "SIP messages without Call-ID, From, To, CSeq or Via")                                       \
	X(STRANGER, stranger, "datagrams that are not SIP, from a source that has never sent SIP")                     \
	X(SERVICE_SURGE, service_surge, "INVITE requests outside a dialog, more than the service accepts")             \
	X(BACKEND_SURGE, backend_surge, "INVITE requests outside a dialog, more than a backend accepts")
