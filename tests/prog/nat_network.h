/* SPDX-License-Identifier: GPL-2.0 */
/* The network of the tests of NAT from backends. Backend 1 has the addresses 10.0.0.1 and fd00::1, and its packets
 * leave through the interface out0. The clients 198.51.100.0/24 and 2001:db8::/64 are behind a gateway, except:
 *
 *   198.51.100.9, 2001:db8::9    unreachable
 *   198.51.100.10                behind the gateway, with an MTU of 600
 *   203.0.113.9, 2001:db8:2::9   on link, but no host has this address
 *
 * The new source of a packet from backend 1 depends on its source port. There are the same VIPs for IPv6:
 *
 *   5060 UDP             192.0.2.10, the port does not change
 *   15060 UDP            192.0.2.10:5062
 *   15061 TCP            192.0.2.10:5061
 *   10000 to 10007 UDP   192.0.2.20, the port does not change */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NAT_OUT_MAC "02:00:00:00:02:01"     /* of out0 */
#define NAT_GATEWAY_MAC "02:00:00:00:02:02" /* of the gateway */

/* For `.init`: creates a network namespace with these routes and enters it, or skips the test with the reason. */
void nat_network_enter(void);

/* Loads the balancer into `skel` (suite.h). */
void nat_network_load(bool no_fast_path);

/* Sets the flags in nat_settings. */
void nat_network_set_flags(uint32_t flags);

/* Runs a command in the namespace. */
void nat_network_run(const char *command);
