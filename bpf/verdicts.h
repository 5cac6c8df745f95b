/* SPDX-License-Identifier: GPL-2.0 */
/* Every end that a packet can come to: its counter's name, what is done with the
 * packet, whether a number other than zero is normal, and one line for people.
 *
 * PASS gives the packet to the balancer's own kernel, FORWARD to a backend, HOLD to the
 * daemon, which puts it through the program again or answers it, ANSWER to its sender.
 * Where no backend can have a packet the kernel answers the client, which then knows at once instead
 * of waiting for a timeout. DROP is for two exceptions: RFC 6040 section 4.2 asks for it in decap, and
 * TCP segments that were merged come again one by one, while an answer would end the connection. */
#pragma once

#define BALANCER_VERDICTS(X)                                                                                           \
	X(call_id, FORWARD, NORMAL, "SIP, to the owner of its Call-ID")                                                \
	X(no_call_id, FORWARD, ANOMALY, "SIP whose headers end without a Call-ID, by source address and port")         \
	X(call_id_too_far, FORWARD, ANOMALY, "SIP whose Call-ID is beyond the scanner's reach, by source")             \
	X(not_sip, FORWARD, NORMAL, "keepalive, STUN or other non-SIP to a SIP service, by source")                    \
	X(source, FORWARD, NORMAL, "to the owner of its source address, as the service says")                          \
	X(flow, FORWARD, NORMAL, "to the owner of its source address and port, as the service says")                   \
	X(fragment, FORWARD, NORMAL, "later fragment, to where the first one went")                                    \
	X(user, FORWARD, NORMAL, "SIP, to the owner of the user that the service goes by")                             \
	X(no_user, FORWARD, ANOMALY, "SIP without the user that the service goes by, by source address and port")      \
	X(hint, FORWARD, NORMAL, "SIP whose Via, Route or Request-URI names a backend, to that one")                   \
	X(port_range, FORWARD, NORMAL, "to the backend whose range of ports it is for")                                \
	X(icmp_error, FORWARD, NORMAL, "ICMP error, to the owner of the packet that it quotes")                        \
	X(no_backend, PASS, ANOMALY, "for a service whose pool has no living backend: the kernel answers")             \
	X(oversize, HOLD, ANOMALY, "would not fit the way: the daemon cuts it up, or tells the sender to")             \
	X(too_big, PASS, ANOMALY, "the same where the daemon cannot have it: the kernel answers")                      \
	X(merged_segments, DROP, ANOMALY,                                                                              \
		"TCP segments that the card has merged, for a tunnel: switch GRO off (ethtool -K)")                    \
	X(ttl_expired, PASS, ANOMALY, "has no hop left to be tunnelled: the kernel answers")                           \
	X(no_headroom, PASS, ANOMALY, "the driver has no room for a tunnel header: the kernel answers")                \
	X(malformed, PASS, ANOMALY, "IP or UDP header cut short or contradicting itself: the kernel judges")           \
	X(held_fragment, HOLD, NORMAL, "later fragment that overtook its first: held a moment, then counted again")    \
	X(orphan_fragment, PASS, ANOMALY, "the same where none could be held: the kernel has it")                      \
	X(echo_reply, ANSWER, NORMAL, "echo request to a VIP: answered")                                               \
	X(probe_reply, HOLD, NORMAL, "from a VIP to where a probe came from: the daemon has it")                       \
	X(lost_probe_reply, PASS, ANOMALY, "the same where the daemon cannot have it")                                 \
	X(not_service, PASS, NORMAL, "for no service of this balancer: the kernel has it, untouched")                  \
	X(other_host, PASS, NORMAL,                                                                                    \
		"its MAC address is none of the interface's (broadcast, flooded): the kernel has it")                  \
	X(not_ip, PASS, NORMAL, "neither IPv4 nor IPv6 (ARP and the like): the kernel has it, untouched")

#define DECAP_VERDICTS(X)                                                                                              \
	X(decapsulated, PASS, NORMAL, "IP-in-IP for this host: outer header taken off")                                \
	X(decap_fragment, PASS, ANOMALY, "fragment of IP-in-IP: the kernel has it; lower the MTU before the tunnel")   \
	X(decap_malformed, PASS, ANOMALY, "IP-in-IP whose inner packet is cut short or no IP: the kernel has it")      \
	X(decap_unlisted_source, PASS, ANOMALY, "IP-in-IP from no balancer that --from lists: the kernel has it")      \
	X(decap_unlisted_vip, PASS, ANOMALY, "IP-in-IP whose inner destination is no VIP: the kernel has it")          \
	X(decap_congested, DROP, ANOMALY, "marked as congested on its way, which its sender would not understand")     \
	X(not_tunnelled, PASS, NORMAL, "anything else: the kernel has it, untouched")
