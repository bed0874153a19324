/* Places for the nodes that a graph's layout does not place: in layers along the flow. */

export interface Place {
	x: number;
	y: number;
}

interface Link {
	from: string;
	to: string;
}

/* Longest way from a source: every wire then leads to a later layer. */
function layersOf(ids: string[], links: Link[]): Map<string, number> {
	const layer = new Map(ids.map((id) => [id, 0]));
	for (let pass = 0; pass < ids.length; pass++) {
		let moved = false;
		for (const { from, to } of links) {
			const least = (layer.get(from) ?? 0) + 1;
			if (layer.has(to) && least > layer.get(to)! && least <= ids.length) {
				layer.set(to, least);
				moved = true;
			}
		}
		if (!moved) break;
	}
	/* A source stands just before what it feeds, not far off at the start. */
	for (const id of ids) {
		const next = links.filter((l) => l.from === id).map((l) => layer.get(l.to) ?? 0);
		if (next.length > 0 && !links.some((l) => l.to === id)) {
			layer.set(id, Math.min(...next) - 1);
		}
	}
	return layer;
}

/* Orders each layer by the mean place of its neighbours, back and forth, to have few crossings. */
function order(layers: string[][], links: Link[]): void {
	for (let pass = 0; pass < 6; pass++) {
		const forth = pass % 2 === 0;
		const row = new Map<string, number>();
		layers.forEach((ids) => ids.forEach((id, i) => row.set(id, i - ids.length / 2)));
		for (const ids of forth ? layers : [...layers].reverse()) {
			const mean = (id: string): number => {
				const near = links.flatMap((l) =>
					forth ? (l.to === id ? [l.from] : []) : l.from === id ? [l.to] : [],
				);
				const rows = near.map((n) => row.get(n) ?? 0);
				return rows.length ? rows.reduce((a, b) => a + b, 0) / rows.length : row.get(id)!;
			};
			const means = new Map(ids.map((id) => [id, mean(id)]));
			ids.sort((a, b) => means.get(a)! - means.get(b)!);
			ids.forEach((id, i) => row.set(id, i - ids.length / 2));
		}
	}
}

export interface Spacing {
	/* Between layers, and between the nodes of one. */
	along: number;
	across: number;
	/* Layers go down rather than to the right. */
	down: boolean;
}

export function arrange(
	ids: string[],
	links: Link[],
	given: Record<string, [number, number]>,
	spacing: Spacing,
): Map<string, Place> {
	const layer = layersOf(ids, links);
	const layers: string[][] = [];
	for (const id of ids) (layers[layer.get(id)!] ??= []).push(id);
	const filled = layers.filter((l) => l);
	order(filled, links);
	const widest = Math.max(1, ...filled.map((l) => l.length));
	const places = new Map<string, Place>();
	filled.forEach((members, l) =>
		members.forEach((id, i) => {
			const along = l * spacing.along;
			const across = (i + (widest - members.length) / 2) * spacing.across;
			places.set(id, spacing.down ? { x: across, y: along } : { x: along, y: across });
		}),
	);
	const fixed = ids.filter((id) => given[id]);
	if (fixed.length === 0) return places;
	/* Those without a place of their own go below all that have one. */
	const below = Math.max(...fixed.map((id) => given[id]![1])) + spacing.across;
	const top = Math.min(...ids.filter((id) => !given[id]).map((id) => places.get(id)!.y));
	for (const id of ids) {
		const place = given[id];
		if (place) places.set(id, { x: place[0], y: place[1] });
		else places.set(id, { x: places.get(id)!.x, y: places.get(id)!.y - top + below });
	}
	return places;
}
