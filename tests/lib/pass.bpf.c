/* SPDX-License-Identifier: GPL-2.0 */
/* Passes every packet. A veth accepts frames that its peer sends by XDP_TX or redirect only if it has
 * NAPI, which the driver sets up for an XDP program of its own. Uses no headers: the lab compiles this
 * file before anything else is built. */

struct xdp_md;

__attribute__((section("xdp.frags"), used)) int pass(__attribute__((unused)) struct xdp_md *frame)
{
	return 2; /* XDP_PASS */
}

__attribute__((section("license"), used)) char LICENSE[] = "GPL";
