/* SPDX-License-Identifier: GPL-2.0 */
/* Every verdict: the name of its counter, the action on the packet, whether a count above zero is normal, and a
 * description. Each packet has exactly one final verdict. */
#pragma once

/* The action on a packet. If no backend can receive a packet, the program passes it to the balancer's own
 * kernel. The kernel then sends an ICMP error to the client, so that the client need not wait for a timeout.
 * A verdict drops packets only for one of three reasons. The guard drops packets of attackers, which must not receive
 * an answer. TCP segments that are merged or too large are dropped because the client retransmits them; an answer of
 * the kernel would end the connection. In decap, RFC 6040 section 4.2 requires the drop. */
enum verdict_action {
	ACTION_forwarded, /* to a backend */
	ACTION_passed,    /* to the balancer's own kernel, unchanged */
	ACTION_held,      /* passed to the daemon, which resubmits it to the program or answers it */
	ACTION_answered,  /* the program itself has sent the answer */
	ACTION_dropped,
};

#define BALANCER_VERDICTS(X)                                                                                           \
	X(call_id, forwarded, NORMAL, "SIP: to the owner of its Call-ID")                                              \
	X(no_call_id, forwarded, ANOMALY, "SIP without a Call-ID: forwarded by source address and port")               \
	X(call_id_too_far, forwarded, ANOMALY,                                                                         \
		"SIP whose Call-ID lies beyond the search limit: forwarded by source address and port")                \
	X(not_sip, forwarded, NORMAL,                                                                                  \
		"keepalive, STUN or other non-SIP to a SIP service: forwarded by source address and port")             \
	X(source, forwarded, NORMAL, "service with affinity by source: to the owner of the source address")            \
	X(flow, forwarded, NORMAL, "service with affinity by flow: to the owner of the source address and port")       \
	X(fragment, forwarded, NORMAL, "later fragment: to the backend of its first fragment")                         \
	X(user, forwarded, NORMAL, "SIP: to the owner of the user that the service's affinity selects")                \
	X(no_user, forwarded, ANOMALY,                                                                                 \
		"SIP without the user that the affinity selects: forwarded by source address and port")                \
	X(headers_too_far, forwarded, ANOMALY,                                                                         \
		"SIP whose headers exceed the search limit: forwarded by its key, without a hint")                     \
	X(hint, forwarded, NORMAL, "SIP whose Via, Route, Request-URI or tag names a backend: to that backend")        \
	X(port_range, forwarded, NORMAL, "port in the range of one backend: to that backend")                          \
	X(icmp_error, forwarded, NORMAL, "ICMP error: to the owner of the packet that it quotes")                      \
	X(no_backend, passed, ANOMALY,                                                                                 \
		"packet for a service whose pool has no usable backend: the kernel sends an ICMP error")               \
	X(oversize, held, ANOMALY, "too large for its route: the daemon fragments it or sends an ICMP error")          \
	X(too_big, passed, ANOMALY,                                                                                    \
		"too large for the route, and the daemon cannot receive it: the kernel sends an ICMP error")           \
	X(too_big_tcp, dropped, ANOMALY,                                                                               \
		"TCP, too large for the route, and the daemon cannot receive it: the sender repeats the segment")      \
	X(merged_segments, dropped, ANOMALY,                                                                           \
		"TCP segments merged by GRO, too large for a tunnel: switch GRO off (ethtool -K)")                     \
	X(ttl_expired, passed, ANOMALY, "TTL too low for a tunnel or a router: the kernel sends an ICMP error")        \
	X(no_headroom, passed, ANOMALY,                                                                                \
		"no room for a tunnel header, because of the driver: the kernel sends an ICMP error")                  \
	X(malformed, passed, ANOMALY, "IP or UDP header truncated or inconsistent: to the kernel, unchanged")          \
	X(held_fragment, held, NORMAL, "later fragment that arrived before the first one: held, then counted again")   \
	X(orphan_fragment, passed, ANOMALY,                                                                            \
		"later fragment that arrived before the first one and could not be held: to the kernel")               \
	X(echo_reply, answered, NORMAL, "echo request to a VIP with ping: answered")                                   \
	X(probe_reply, held, NORMAL, "reply from a VIP to a health probe: to the daemon")                              \
	X(lost_probe_reply, passed, ANOMALY,                                                                           \
		"reply from a VIP to a health probe, and the daemon cannot receive it: to the kernel")                 \
	X(denied, dropped, NORMAL, "guard: from a source on a list with the action deny, or blocked")                  \
	X(limited, dropped, NORMAL, "guard: over a limit of its source")                                               \
	X(over_ceiling, dropped, ANOMALY,                                                                              \
		"guard: part of a call, or an emergency call, over the ceiling (high limit) of its source")            \
	X(scanner, dropped, NORMAL, "guard: request of a scanner")                                                     \
	X(broken, dropped, NORMAL,                                                                                     \
		"guard: SIP without a required header, or not SIP from a source that has never sent SIP")              \
	X(overload, dropped, ANOMALY, "guard: initial INVITE over the limit of its service or backend")                \
	X(refused, held, ANOMALY, "guard: initial INVITE over a limit: the daemon answers 503")                        \
	X(refused_ack, dropped, NORMAL, "guard: ACK or CANCEL of an INVITE that was refused with 503")                 \
	X(dropped_fragment, dropped, NORMAL,                                                                           \
		"guard: later fragment of a datagram whose first fragment the guard dropped")                          \
	X(nat_out, forwarded, NORMAL, "from a server with forward: nat: to the client, with the VIP as source")        \
	X(nat_held, held, NORMAL,                                                                                      \
		"from a server with forward: nat, and the kernel must resolve the next hop, or XDP cannot use the "    \
		"interface: the daemon sends it")                                                                      \
	X(nat_lost, dropped, ANOMALY,                                                                                  \
		"from a server with forward: nat, and the daemon cannot receive it, or a header is incomplete")        \
	X(nat_no_route, passed, ANOMALY,                                                                               \
		"from a server with forward: nat, and the kernel does not forward, or its route refuses the client: "  \
		"to the kernel, unchanged")                                                                            \
	X(not_service, passed, NORMAL, "packet for no service of this balancer: to the kernel, unchanged")             \
	X(other_host, passed, NORMAL,                                                                                  \
		"not to a MAC address of the interface (broadcast, flooded): to the kernel, unchanged")                \
	X(not_ip, passed, NORMAL, "neither IPv4 nor IPv6 (ARP, for example): to the kernel, unchanged")

#define DECAP_VERDICTS(X)                                                                                              \
	X(decapsulated, passed, NORMAL, "tunnel packet for this host: the inner packet goes to the kernel")            \
	X(decap_fragment, passed, ANOMALY,                                                                             \
		"fragment of a tunnel packet: to the kernel, unchanged; lower the MTU in front of the tunnel")         \
	X(decap_malformed, passed, ANOMALY,                                                                            \
		"tunnel packet whose inner packet is truncated or invalid: to the kernel, unchanged")                  \
	X(decap_unlisted_source, passed, ANOMALY,                                                                      \
		"tunnel packet from a source that --from does not list: to the kernel, unchanged")                     \
	X(decap_unlisted_vip, passed, ANOMALY,                                                                         \
		"tunnel packet to an inner destination that --vip does not list: to the kernel, unchanged")            \
	X(decap_congested, dropped, ANOMALY,                                                                           \
		"marked as congested on its route, and the inner packet does not support ECN (RFC 6040)")              \
	X(not_tunnelled, passed, NORMAL, "anything else: to the kernel, unchanged")
