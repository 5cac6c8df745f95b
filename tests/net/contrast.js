// SPDX-License-Identifier: GPL-2.0
// The visible texts of a page whose contrast with their background is below WCAG 2.1 AA: 4.5, or 3 for large text.
// A line for each text; "N texts are readable" if there is none.
(() => {
	const channel = value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
	const numbers = color => color.match(/[\d.]+/g).map(Number);
	const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
	const isOpaque = color => numbers(color).length < 4 || numbers(color)[3] === 1;
	const isClear = color => numbers(color)[3] === 0;
	const low = [];
	let count = 0;

	function background(element) {
		for (; element; element = element.parentElement) {
			const color = getComputedStyle(element).backgroundColor;
			if (!isClear(color))
				return color;
		}
		return getComputedStyle(document.documentElement).colorScheme === "dark" ? "rgb(0, 0, 0)" : "rgb(255, 255, 255)";
	}

	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const element = texts.currentNode.parentElement, style = getComputedStyle(element), behind = background(element);
		if (!texts.currentNode.data.trim() || !element.checkVisibility({visibilityProperty: true}))
			continue;
		const pair = [luminance(numbers(style.color)), luminance(numbers(behind))].sort((a, b) => b - a);
		const ratio = (pair[0] + 0.05) / (pair[1] + 0.05), size = parseFloat(style.fontSize);
		const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
		count++;
		if (!isOpaque(style.color) || !isOpaque(behind) || Number(style.opacity) < 1 || ratio < (large ? 3 : 4.5))
			low.push(`${ratio.toFixed(2)} ${style.color} on ${behind}: ${texts.currentNode.data.trim()}`);
	}
	return low.length ? low.join("\n") : count ? `${count} texts are readable` : "no text";
})()
