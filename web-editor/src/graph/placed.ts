// The picture of a graph that a person has laid out, wholly or in part.

import {
	BETWEEN,
	CORNER,
	MARGIN,
	TURN_STEP,
	type Box,
	type Link,
	type Options,
	type Placement,
	type Point,
} from './picture';

const STRETCH = 2.5; // the most that a layout is stretched

/** What a person has placed stays; the others stand to it as the automatic picture has them, and
 * move on across the main axis until they cover nothing. */
export function keepPlaced(
	boxes: Box[],
	links: Link[],
	automatic: Placement,
	options: Options,
): Placement {
	const placed = stretch(boxes, links, options);
	const mean = (value: (box: Box) => number) =>
		placed.reduce((sum, box) => sum + value(box), 0) / placed.length;
	const dx = Math.round(mean((box) => box.at![0] - automatic.boxes.get(box.id)!.x));
	const dy = Math.round(mean((box) => box.at![1] - automatic.boxes.get(box.id)!.y));
	const result: Placement = { boxes: new Map(), routes: new Map() };
	const done: Box[] = [];
	const covers = (box: Box, at: Point) =>
		done.find((other) => {
			const there = result.boxes.get(other.id)!;
			return (
				at.x < there.x + other.width + options.gap &&
				there.x < at.x + box.width + options.gap &&
				at.y < there.y + other.height + options.gap &&
				there.y < at.y + box.height + options.gap
			);
		});
	for (const box of [...placed, ...boxes.filter((box) => !box.at)]) {
		const from = automatic.boxes.get(box.id)!;
		const at = box.at ? { x: box.at[0], y: box.at[1] } : { x: from.x + dx, y: from.y + dy };
		for (let other = box.at ? undefined : covers(box, at); other; other = covers(box, at)) {
			const there = result.boxes.get(other.id)!;
			if (options.direction === 'right') at.y = there.y + other.height + options.gap;
			else at.x = there.x + other.width + options.gap;
		}
		result.boxes.set(box.id, at);
		done.push(box);
	}
	turnBack(boxes, links, result);
	return result;
}

/** A layout tells how nodes lie to one another: where wires would have no room for their figures, or
 * nodes none for what they say, it is stretched. Returns the nodes that have a place, there. */
function stretch(boxes: Box[], links: Link[], options: Options): Box[] {
	const placed = boxes.filter((box) => box.at);
	const byId = new Map(placed.map((box) => [box.id, box]));
	let wider = 1;
	for (const link of links) {
		const [from, to] = [byId.get(link.from), byId.get(link.to)];
		if (!from || !to) continue;
		const across = to.at![0] - from.at![0];
		// Nearer ones stand below one another.
		if (across < from.width * 0.7) continue;
		wider = Math.max(wider, (from.width + options.layerGap) / across);
	}
	wider = Math.min(wider, STRETCH);
	let higher = 1;
	for (const upper of placed) {
		for (const lower of placed) {
			const down = lower.at![1] - upper.at![1];
			const apart = Math.abs(lower.at![0] - upper.at![0]) * wider >= upper.width;
			if (apart || down < upper.height * 0.5) continue;
			higher = Math.max(higher, (upper.height + BETWEEN + TURN_STEP / 2) / down);
		}
	}
	higher = Math.min(higher, STRETCH);
	const left = Math.min(...placed.map((box) => box.at![0]));
	const top = Math.min(...placed.map((box) => box.at![1]));
	return placed.map((box) => ({
		...box,
		at: [
			Math.round(left + (box.at![0] - left) * wider),
			Math.round(top + (box.at![1] - top) * higher),
		],
	}));
}

/** Wires that go back to another row turn, as those of an automatic picture do. */
function turnBack(boxes: Box[], links: Link[], placement: Placement) {
	const byId = new Map(boxes.map((box) => [box.id, box]));
	for (const link of links) {
		const [from, to] = [byId.get(link.from), byId.get(link.to)];
		if (!from || !to) continue;
		const start = placement.boxes.get(from.id)!;
		const end = placement.boxes.get(to.id)!;
		const between =
			start.y < end.y ? [start.y + from.height, end.y] : [end.y + to.height, start.y];
		if (end.x >= start.x + from.width || between[1]! - between[0]! < 4 * CORNER) continue;
		placement.routes.set(link.key, {
			lane: [],
			turn: {
				right: Math.max(start.x + from.width, end.x + to.width) + MARGIN / 2,
				between: Math.round((between[0]! + between[1]!) / 2),
				left: Math.min(start.x, end.x) - MARGIN / 2,
			},
			after: [],
		});
	}
}
