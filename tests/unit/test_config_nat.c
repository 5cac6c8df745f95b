// SPDX-License-Identifier: GPL-2.0
/* `forward: nat`: its keys, and the files that it refuses. */
#include <criterion/criterion.h>
#include "config_text.h"

/* Lines 3 and 4: two pools with a backend of the same address. */
#define TWO_POOLS(first, second)                                                                                       \
	HEAD "pools: [{name: p, forward: nat, " first "backends: [{name: a, address: 10.0.0.1}]},\n"                   \
	     "  {name: q, forward: nat, " second "backends: [{name: b, address: 10.0.0.1}]}]\n"

#define NAT(more) POOL("forward: nat, backends: [{name: a, address: 10.0.0.1" more "}]")

Test(config_nat, keys)
{
	static const struct reading rows[] = {
		{"a pool", NAT("") SERVICE("port: 5060"), "forward: nat\n"},
		{"the port of a pool", POOL("forward: nat, port: 5080, backends: []"), "port: 5080\n"},
		{"the port of a backend", NAT(", port: 5080"), "weight: 1, port: 5080}\n"},
		{"one backend", BACKENDS("{name: a, address: 10.0.0.1, forward: nat, port: 1}"),
			"forward: nat, port: 1}\n"},
		{"one backend with dsr", NAT(", forward: dsr") SERVICE("port: 5060"), "forward: dsr}\n"},
		{"probes go to the address of the backend", EMPTY("forward: nat, probe: options"), "via: address\n"},
		{"probes with keys", EMPTY("forward: nat, probe: {type: tcp, fall: 2}"), "via: address\n"},
		{"probes to the address, set explicitly", EMPTY("forward: nat, probe: {type: tcp, via: address}"),
			"via: address\n"},
	};
	static const struct row faults[] = {
		{"a port without nat", EMPTY("port: 5080"), {"3:39: 'port' of pool p: only for forward nat"}},
		{"a port of a backend without nat", BACKENDS("{name: a, address: 10.0.0.1, port: 5080}"),
			{"3:65: 'port' of backend a: only for forward nat"}},
		{"a port of a backend with dsr in a pool with nat", NAT(", forward: dsr, port: 5080"),
			{"3:93: 'port' of backend a: only for forward nat"}},
		{"port 0", EMPTY("forward: nat, port: 0"), {"3:53: 'port' of pool p must be a whole number from 1"}},
		{"a probe to the VIP", EMPTY("forward: nat, probe: {type: tcp, via: vip}"),
			{"3:54: 'via' of the probe of pool p must be 'address': backends with 'forward: nat' do not "
			 "have the VIP"}},
	};

	check_readings(rows, COUNT(rows));
	check_rows(faults, COUNT(faults));
}

Test(config_nat, each_port_of_a_backend_has_one_vip)
{
	static const struct reading rows[] = {
		{"UDP and TCP on one port",
			NAT("") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p},\n"
				"  {name: t, vip: 192.0.2.1, port: 5060, protocol: tcp, pool: p}]\n",
			"protocol: tcp\n"},
		{"two ports of a VIP",
			NAT("") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p},\n"
				"  {name: t, vip: 192.0.2.1, port: 5061, pool: p}]\n",
			"port: 5061\n"},
		{"two VIPs, two ports of the backend",
			TWO_POOLS("", "port: 5080, ") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p},\n"
						      "  {name: t, vip: 192.0.2.2, port: 5060, pool: q}]\n",
			"port: 5080\n"},
		{"two pools of one service",
			TWO_POOLS("", "") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p,\n"
					  "  methods: {REGISTER: q}}]\n",
			"methods: {'REGISTER': q}\n"},
		{"all ports of a VIP, and one of them as a service",
			NAT("") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p},\n"
				"  {name: t, vip: 192.0.2.1, port: 0, pool: p}]\n",
			"port: 0\n"},
		{"media ports of a VIP, with services of UDP and TCP",
			NAT(", ports: 10000-19999") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p},\n"
						    "  {name: t, vip: 192.0.2.1, port: 5060, protocol: tcp, pool: "
						    "p}]\n",
			"ports: 10000-19999"},
		{"two VIPs without nat",
			BACKENDS("{name: a, address: 10.0.0.1}") "services: [{name: s, "
								 "vip: [192.0.2.1, 192.0.2.2], port: 5060, pool: p}]\n",
			"vip: [192.0.2.1, 192.0.2.2]\n"},
	};
	static const struct row faults[] = {
		{"two VIPs of a service",
			NAT("") "services: [{name: s, vip: [192.0.2.1, 192.0.2.2], port: 5060, pool: p}]\n",
			{"4:12: service s: 192.0.2.2 udp port 5060 is translated to port 5060 of backend a (10.0.0.1), "
			 "and so "
			 "is 192.0.2.1 udp port 5060 of service s (line 4): 'forward: nat' could not distinguish "
			 "their responses; use a separate pool with a different 'port:'"}},
		{"two services of a pool",
			NAT("") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p},\n"
				"  {name: t, vip: 192.0.2.2, port: 5060, pool: p}]\n",
			{"5:3: service t: 192.0.2.2 udp port 5060 is translated to port 5060 of backend a (10.0.0.1), "
			 "and so "
			 "is 192.0.2.1 udp port 5060 of service s (line 4)"}},
		{"two pools with one server",
			TWO_POOLS("", "") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: q},\n"
					  "  {name: t, vip: 192.0.2.2, port: 5060, pool: p}]\n",
			{"6:3: service t: 192.0.2.2 udp port 5060 is translated to port 5060 of backend a (10.0.0.1), "
			 "and so "
			 "is 192.0.2.1 udp port 5060 of service s (line 5)"}},
		{"two ports of a VIP to one port of the pool",
			TWO_POOLS("port: 5070, ", "") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p},\n"
						      "  {name: t, vip: 192.0.2.1, port: 5061, pool: p}]\n",
			{"6:3: service t: 192.0.2.1 udp port 5061 is translated to port 5070 of backend a (10.0.0.1), "
			 "and so "
			 "is 192.0.2.1 udp port 5060 of service s (line 5)"}},
		{"a port of a pool that is a port of a different service",
			TWO_POOLS("", "port: 5061, ") "services: [{name: s, vip: 192.0.2.1, port: 5061, pool: p},\n"
						      "  {name: t, vip: 192.0.2.1, port: 5060, pool: q}]\n",
			{"6:3: service t: 192.0.2.1 udp port 5060 is translated to port 5061 of backend b (10.0.0.1), "
			 "and so "
			 "is 192.0.2.1 udp port 5061 of service s (line 5)"}},
		{"ranges of ports",
			TWO_POOLS("", "") "services: [{name: s, vip: 192.0.2.1, port: 5060-5080, pool: p},\n"
					  "  {name: t, vip: 192.0.2.2, port: 5070-5090, pool: q}]\n",
			{"6:3: service t: 192.0.2.2 udp port 5070 is translated to port 5070 of backend b (10.0.0.1), "
			 "and so "
			 "is 192.0.2.1 udp port 5070 of service s (line 5)"}},
		{"all ports",
			TWO_POOLS("", "") "services: [{name: s, vip: 192.0.2.1, port: 0, pool: p},\n"
					  "  {name: t, vip: 192.0.2.2, port: 5070, pool: q}]\n",
			{"6:3: service t: 192.0.2.2 udp port 5070 is translated to port 5070 of backend b (10.0.0.1), "
			 "and so "
			 "is 192.0.2.1 udp port 5070 of service s (line 5)"}},
		{"media ports on two VIPs",
			NAT(", ports: 10000-19999") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p},\n"
						    "  {name: t, vip: 192.0.2.2, port: 5061, pool: p}]\n",
			{"5:3: service t: 192.0.2.2 udp port 10000 is translated to port 10000 of backend a "
			 "(10.0.0.1), and "
			 "so is 192.0.2.1 udp port 10000 of service s (line 4)"}},
	};

	check_readings(rows, COUNT(rows));
	check_rows(faults, COUNT(faults));
}

Test(config_nat, what_cannot_be_translated)
{
	static const struct row rows[] = {
		{"a backend with a different family from the VIP",
			NAT("") "services: [{name: s, vip: ['2001:db8::10'], port: 5060, pool: p}]\n",
			{"3:44: backend a: service s (line 4) has the VIP 2001:db8::10, and 'forward: nat' does not "
			 "translate between IPv4 and IPv6: use a service and a pool for each family"}},
		{"a range of ports to one port", NAT(", port: 5070") SERVICE("port: 5060-5080"),
			{"3:44: backend a: service s (line 4) has more than one port, and the backend receives packets "
			 "on port 5070 ('forward: nat'): remove 'port:' from the backend or its pool, or use a "
			 "different pool"}},
		{"all ports to one port",
			POOL("forward: nat, port: 5070, backends: [{name: a, address: 10.0.0.1}]") SERVICE("port: 0"),
			{"3:56: backend a: service s (line 4) has more than one port"}},
	};

	check_rows(rows, COUNT(rows));
}
