// Text that is hard to read: its colour and what lies behind it, as WCAG 2 reckons them.

/** The visible texts of a page whose contrast is below `least`. */
export async function poorContrasts(page, least) {
	// Colours that change slowly have arrived.
	await page.evaluate(() =>
		Promise.all(
			document
				.getAnimations()
				.filter(({ effect }) => effect.getComputedTiming().endTime < Infinity)
				.map((animation) => animation.finished.catch(() => {})),
		),
	);
	return page.evaluate((least) => {
		const parse = (colour) => {
			const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
			return { r, g, b, a };
		};
		const over = (top, under) => ({
			r: top.r * top.a + under.r * (1 - top.a),
			g: top.g * top.a + under.g * (1 - top.a),
			b: top.b * top.a + under.b * (1 - top.a),
			a: 1,
		});
		const behind = (element) => {
			const layers = [];
			for (let at = element; at; at = at.parentElement) {
				const colour = parse(getComputedStyle(at).backgroundColor);
				if (colour.a > 0) layers.push(colour);
				if (colour.a === 1) break;
			}
			return layers.reduceRight((under, layer) => over(layer, under), {
				r: 255,
				g: 255,
				b: 255,
				a: 1,
			});
		};
		const luminance = ({ r, g, b }) => {
			const [x, y, z] = [r, g, b].map((value) => {
				const share = value / 255;
				return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
			});
			return 0.2126 * x + 0.7152 * y + 0.0722 * z;
		};
		const poor = [];
		let count = 0;
		for (const element of document.body.querySelectorAll('*')) {
			const text = [...element.childNodes]
				.filter((node) => node.nodeType === Node.TEXT_NODE)
				.map((node) => node.textContent.trim())
				.join(' ')
				.trim();
			const shape = element.getBoundingClientRect();
			if (!text || shape.width < 2 || !element.checkVisibility()) continue;
			count++;
			const under = behind(element);
			const ink = over(parse(getComputedStyle(element).color), under);
			const [light, dark] = [luminance(ink), luminance(under)].sort((a, b) => b - a);
			const contrast = (light + 0.05) / (dark + 0.05);
			if (contrast < least) poor.push(`${contrast.toFixed(2)}: ${text.slice(0, 60)}`);
		}
		return count > 15 ? poor : [`only ${count} texts were found`];
	}, least);
}
