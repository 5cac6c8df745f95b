/* SPDX-License-Identifier: GPL-2.0 */
/* Passes everything. A veth takes a frame that its peer sends by XDP_TX or redirect
 * only when it has NAPI, and a program of its own is what makes the driver set that
 * up. No headers: the lab compiles this where it runs, before anything is built. */

struct xdp_md;

__attribute__((section("xdp.frags"), used)) int pass(__attribute__((unused)) struct xdp_md *frame)
{
	return 2; /* XDP_PASS */
}

__attribute__((section("license"), used)) char LICENSE[] = "GPL";
