/* SPDX-License-Identifier: GPL-2.0 */
/* The frames of the bench: selected ones, and a corpus like the traffic of a real farm. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "tests/prog/frame.h"

/* Typical is an INVITE of 621 bytes whose Call-ID, 32 bytes long, begins at byte 357. */
#define MESSAGES(X)                                                                                                    \
	X(TYPICAL, "INVITE of 621 bytes, Call-ID at 357")                                                              \
	X(AT_128, "Call-ID at 128")                                                                                    \
	X(AT_512, "Call-ID at 512")                                                                                    \
	X(AT_776, "Call-ID at 776")                                                                                    \
	X(AT_937, "Call-ID at 937")                                                                                    \
	X(AT_1288, "Call-ID at 1288")                                                                                  \
	X(COMPACT, "compact form, at 357")                                                                             \
	X(LAST, "Call-ID in the last header, at 590")                                                                  \
	X(NONE, "no Call-ID, 621 bytes")                                                                               \
	X(RESPONSE, "200 with SDP, two Vias")                                                                          \
	X(VIA_NAME, "200 whose Via names a host")                                                                      \
	X(VIA_ADDRESS, "200 whose Via names a backend by its address")                                                 \
	X(ROUTE, "in-dialog BYE with two Routes")                                                                      \
	X(ROUTE_ADDRESS, "in-dialog BYE whose first Route names a backend")                                            \
	X(TAG, "in-dialog BYE whose To tag names a backend")                                                           \
	X(RESPONSE_TAG, "200 whose From tag names a backend")                                                          \
	X(REGISTER, "REGISTER")                                                                                        \
	X(NEWLINE_C, "hostile: \"C\\n\" repeated, 1,400 bytes")                                                        \
	X(HEADER_LIKE, "hostile: lines that resemble Call-ID")                                                         \
	X(BLANKS, "hostile: 41 lines of Call-ID, blanks and no colon")                                                 \
	X(ROUTES, "hostile: Routes that name the VIP among lines that begin with R")                                   \
	X(LINES, "hostile: lines of one letter after the From")                                                        \
	X(QUOTES, "hostile: a From full of quoted pairs")                                                              \
	X(FOLDS, "hostile: a From folded many times")                                                                  \
	X(ESCAPES, "hostile: a From whose user consists of escapes")                                                   \
	X(VIA_BLANKS, "hostile: blanks within the Via of a response")                                                  \
	X(TAGS, "hostile: many parameters before the tag")                                                             \
	X(NEWLINES, "hostile: 1,400 bytes of CRLF")                                                                    \
	X(HIGH_BYTES, "hostile: 1,400 bytes above 0x80")                                                               \
	X(NOT_SIP, "621 bytes that are not SIP: by source")                                                            \
	X(STUN, "STUN, 20 bytes: by source")                                                                           \
	X(KEEPALIVE, "CRLF keepalive: by source")                                                                      \
	X(IPV6, "IPv6, typical")                                                                                       \
	X(IPV6_NOT_SIP, "IPv6, not SIP")                                                                               \
	X(VLAN, "VLAN, typical")                                                                                       \
	X(QINQ, "two VLAN tags, typical")                                                                              \
	X(FIRST_FRAGMENT, "first fragment, typical")                                                                   \
	X(LATER_FRAGMENT, "later fragment, to the backend of the first one")                                           \
	X(TCP, "TCP segment: by source and port")                                                                      \
	X(MEDIA, "RTP, to a port of a backend's own range")                                                            \
	X(RANGED, "typical, to a port of a service's range")                                                           \
	X(ECHO, "echo request")                                                                                        \
	X(FROM_VIP, "from a VIP, to no source address of probes")                                                      \
	X(FROM_BACKEND, "typical, from a backend to a client")                                                         \
	X(RETURNED, "200 with SDP, from a backend to a client")                                                        \
	X(OTHER_VIP, "UDP for no service")                                                                             \
	X(ARP, "ARP")

#define MESSAGE_TAG_HINT "tag=px1-" /* the hint of this backend */

#define MESSAGE_VALUE(name, text) MESSAGE_##name,
enum message {
	MESSAGES(MESSAGE_VALUE) MESSAGE_COUNT
};
#undef MESSAGE_VALUE

#define MESSAGE_HEADERS 42 /* Ethernet, IPv4, UDP: offset of the payload in an untagged IPv4 frame */
#define MESSAGE_TYPICAL_CALL_ID (MESSAGE_HEADERS + 357)

/* Offset of the 8 letters in VIA_NAME, whose name has the form px-aaaaaaaa.sip.example.net. */
#define MESSAGE_VIA_BEGINS "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP px-"
#define MESSAGE_VIA_LETTERS (MESSAGE_HEADERS + sizeof(MESSAGE_VIA_BEGINS) - 1)
#define MESSAGE_NAME "px-%.8s.sip.example.net"
#define MESSAGE_BACKEND "10.0.0.5" /* one of the backends that always exist */
#define MESSAGE_MEDIA_PORT 33000
#define MESSAGE_RANGED_PORT 6200

#define CORPUS_MESSAGES 1024

const char *message_text(enum message message);

/* Builds the frame of a message. */
void message_build(enum message message, struct frame *frame);

/* Builds the nth of CORPUS_MESSAGES different frames, always the same: requests and responses
 * of many vendors, each with a Call-ID within the search limit. */
void message_build_corpus(uint32_t nth, struct frame *frame);
