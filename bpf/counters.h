/* SPDX-License-Identifier: GPL-2.0 */
/* Every counter of a service and of a backend: its member name, kind, two labels, and a description. abi.h
 * makes the structs from these tables; the documentation, sipxdp-ctl and the metrics read them too.
 *
 * A SIP message over UDP adds 1 to exactly one message counter of its service, and to at most one of its
 * backend. Therefore counters can be added, for example to count all INVITEs or all 4xx responses. */
#pragma once

enum counter_kind {
	COUNTER_TRAFFIC,
	COUNTER_REQUEST,  /* labels: method, and initial, in_dialog or unknown */
	COUNTER_RESPONSE, /* labels: method in CSeq (INVITE, REGISTER, other, unknown), and status code */
	COUNTER_NOT_SIP,
};

/* The methods in the order of enum method, without ACK and CANCEL: these are never initial. */
#define COUNTER_METHODS(X, prefix, dialog, text)                                                                       \
	X(prefix##_invite, REQUEST, "INVITE", dialog, "INVITE" text)                                                   \
	X(prefix##_bye, REQUEST, "BYE", dialog, "BYE" text)                                                            \
	X(prefix##_options, REQUEST, "OPTIONS", dialog, "OPTIONS" text)                                                \
	X(prefix##_register, REQUEST, "REGISTER", dialog, "REGISTER" text)                                             \
	X(prefix##_prack, REQUEST, "PRACK", dialog, "PRACK" text)                                                      \
	X(prefix##_subscribe, REQUEST, "SUBSCRIBE", dialog, "SUBSCRIBE" text)                                          \
	X(prefix##_notify, REQUEST, "NOTIFY", dialog, "NOTIFY" text)                                                   \
	X(prefix##_publish, REQUEST, "PUBLISH", dialog, "PUBLISH" text)                                                \
	X(prefix##_info, REQUEST, "INFO", dialog, "INFO" text)                                                         \
	X(prefix##_refer, REQUEST, "REFER", dialog, "REFER" text)                                                      \
	X(prefix##_message, REQUEST, "MESSAGE", dialog, "MESSAGE" text)                                                \
	X(prefix##_update, REQUEST, "UPDATE", dialog, "UPDATE" text)                                                   \
	X(prefix##_other, REQUEST, "other", dialog, "request with a different method" text)

#define COUNTER_CODE(X, prefix, cseq, code, text)                                                                      \
	X(prefix##_##code, RESPONSE, cseq, #code, "response " #code " to " text)

/* The order is that of count_code() in count.h: the entry for all other codes of a class directly follows the
 * listed codes of that class. */
#define COUNTER_CODES(X, prefix, cseq, text)                                                                           \
	COUNTER_CODE(X, prefix, cseq, 100, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 180, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 183, text)                                                                       \
	X(prefix##_other_1xx, RESPONSE, cseq, "other_1xx", "any other response 1xx to " text)                          \
	COUNTER_CODE(X, prefix, cseq, 200, text)                                                                       \
	X(prefix##_other_2xx, RESPONSE, cseq, "other_2xx", "any other response 2xx to " text)                          \
	COUNTER_CODE(X, prefix, cseq, 302, text)                                                                       \
	X(prefix##_other_3xx, RESPONSE, cseq, "other_3xx", "any other response 3xx to " text)                          \
	COUNTER_CODE(X, prefix, cseq, 401, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 403, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 404, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 407, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 408, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 480, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 481, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 483, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 486, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 487, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 488, text)                                                                       \
	X(prefix##_other_4xx, RESPONSE, cseq, "other_4xx", "any other response 4xx to " text)                          \
	COUNTER_CODE(X, prefix, cseq, 500, text)                                                                       \
	COUNTER_CODE(X, prefix, cseq, 503, text)                                                                       \
	X(prefix##_other_5xx, RESPONSE, cseq, "other_5xx", "any other response 5xx to " text)                          \
	COUNTER_CODE(X, prefix, cseq, 603, text)                                                                       \
	X(prefix##_other_6xx, RESPONSE, cseq, "other_6xx", "any other response 6xx to " text)                          \
	X(prefix##_invalid, RESPONSE, cseq, "invalid", "response with a code outside 100 to 699 to " text)

/* service_traffic: all packets that arrive for the service, regardless of the verdict. */
#define SERVICE_COUNTERS(X)                                                                                            \
	X(packets, TRAFFIC, "", "", "packets")                                                                         \
	X(bytes, TRAFFIC, "", "", "bytes of their frames")                                                             \
	COUNTER_METHODS(X, initial, "initial", " without a To tag")                                                    \
	COUNTER_METHODS(X, unknown, "unknown", ", whose To tag is beyond the search limit")                            \
	COUNTER_METHODS(X, in_dialog, "in_dialog", " with a To tag")                                                   \
	X(in_dialog_ack, REQUEST, "ACK", "in_dialog", "ACK")                                                           \
	X(in_dialog_cancel, REQUEST, "CANCEL", "in_dialog", "CANCEL")                                                  \
	COUNTER_CODES(X, invite, "INVITE", "INVITE")                                                                   \
	COUNTER_CODES(X, register, "REGISTER", "REGISTER")                                                             \
	COUNTER_CODES(X, other, "other", "a different method")                                                         \
	COUNTER_CODES(X, unknown, "unknown", "a method that is missing or beyond the search limit")                    \
	X(not_sip, NOT_SIP, "", "", "UDP datagram that is not SIP: a keepalive, STUN")

/* The counters of packets and requests, the same to a backend and from it. */
#define BACKEND_REQUEST_COUNTERS(X)                                                                                    \
	X(packets, TRAFFIC, "", "", "packets")                                                                         \
	X(bytes, TRAFFIC, "", "", "bytes of their frames, as they arrived")                                            \
	X(initial_invite, REQUEST, "INVITE", "initial", "INVITE without a To tag: a call attempt")                     \
	X(initial_register, REQUEST, "REGISTER", "initial", "REGISTER without a To tag")                               \
	X(initial_other, REQUEST, "other", "initial", "any other request without a To tag, except ACK and CANCEL")     \
	X(unknown, REQUEST, "any", "unknown", "request whose To tag is beyond the search limit")                       \
	X(in_dialog, REQUEST, "any", "in_dialog", "request with a To tag, ACK or CANCEL")

/* backend_traffic: the packets that are sent to the backend. */
#define BACKEND_COUNTERS(X)                                                                                            \
	BACKEND_REQUEST_COUNTERS(X)                                                                                    \
	X(response, RESPONSE, "any", "any", "response")                                                                \
	X(not_sip, NOT_SIP, "", "", "UDP datagram that is not SIP")

/* The responses of one class, by CSeq. */
#define COUNTER_CLASSES(X, prefix, cseq, text)                                                                         \
	X(prefix##_1xx, RESPONSE, cseq, "1xx", "response 1xx to " text)                                                \
	X(prefix##_2xx, RESPONSE, cseq, "2xx", "response 2xx to " text)                                                \
	X(prefix##_3xx, RESPONSE, cseq, "3xx", "response 3xx to " text)                                                \
	X(prefix##_4xx, RESPONSE, cseq, "4xx", "response 4xx to " text)                                                \
	X(prefix##_5xx, RESPONSE, cseq, "5xx", "response 5xx to " text)                                                \
	X(prefix##_6xx, RESPONSE, cseq, "6xx", "response 6xx to " text)                                                \
	X(prefix##_invalid, RESPONSE, cseq, "invalid", "response with a code outside 100 to 699 to " text)

/* backend_return: the packets that the backend sends to clients, with `forward: nat`. */
#define BACKEND_RETURN_COUNTERS(X)                                                                                     \
	BACKEND_REQUEST_COUNTERS(X)                                                                                    \
	COUNTER_CLASSES(X, invite, "INVITE", "INVITE")                                                                 \
	COUNTER_CLASSES(X, other, "other", "a different method")                                                       \
	X(not_sip, NOT_SIP, "", "", "UDP datagram that is not SIP")
