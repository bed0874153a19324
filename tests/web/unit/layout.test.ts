import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layOut } from '../../../web-editor/src/graph/layout';
import { curve, labelPoint } from '../../../web-editor/src/graph/line';
import type { Box, Link, Options, Placement } from '../../../web-editor/src/graph/picture';

const right: Options = { direction: 'right', layerGap: 100, gap: 20 };
const boxes = (...ids: string[]): Box[] => ids.map((id) => ({ id, width: 200, height: 80 }));
const links = (...ends: string[]): Link[] =>
	ends.map((key) => {
		const [from, to] = key.split('>');
		return { key, from: from!, to: to! };
	});

function assertApart(placement: Placement, all: Box[]) {
	for (const a of all) {
		for (const b of all) {
			if (a === b) continue;
			const at = placement.boxes.get(a.id)!;
			const there = placement.boxes.get(b.id)!;
			const apart =
				at.x + a.width <= there.x ||
				there.x + b.width <= at.x ||
				at.y + a.height <= there.y ||
				there.y + b.height <= at.y;
			assert.ok(apart, `${a.id} covers ${b.id}`);
		}
	}
}

test('a chain lies on one line, each node after the one that feeds it', () => {
	const { boxes: at } = layOut(boxes('a', 'b', 'c'), links('a>b', 'b>c'), right);
	assert.deepEqual([at.get('a')!.x, at.get('b')!.x, at.get('c')!.x], [0, 300, 600]);
	assert.equal(at.get('a')!.y, at.get('b')!.y);
	assert.equal(at.get('b')!.y, at.get('c')!.y);
});

test('wires of nodes of different heights are straight where they meet them at one height', () => {
	const all: Box[] = [
		{ id: 'a', width: 200, height: 60, anchor: 26 },
		{ id: 'b', width: 200, height: 200, anchor: 26 },
	];
	const { boxes: at } = layOut(all, links('a>b'), right);
	assert.equal(at.get('a')!.y, at.get('b')!.y);
});

test('a source stands just before what it feeds', () => {
	const { boxes: at } = layOut(
		boxes('a', 'b', 'c', 'd', 's'),
		links('a>b', 'b>c', 'c>d', 's>d'),
		right,
	);
	assert.equal(at.get('s')!.x, at.get('c')!.x);
});

test('a wire over layers keeps clear of the nodes between', () => {
	const all = boxes('a', 'b', 'c');
	const placement = layOut(all, links('a>b', 'b>c', 'a>c'), right);
	const { lane } = placement.routes.get('a>c')!;
	const b = placement.boxes.get('b')!;
	assert.equal(lane.length, 1);
	assert.ok(lane[0]!.y < b.y || lane[0]!.y > b.y + 80);
});

test('wires that need not cross do not', () => {
	const all = boxes('a', 'b', 'x', 'y');
	const { boxes: at } = layOut(all, links('a>y', 'b>x'), right);
	const down = (one: string, other: string) => at.get(one)!.y < at.get(other)!.y;
	assert.equal(down('a', 'b'), down('y', 'x'));
});

test('what does not hang together lies below one another', () => {
	const all = boxes('a', 'b', 'c', 'd');
	const placement = layOut(all, links('a>b', 'c>d'), right);
	assert.ok(placement.boxes.get('c')!.y > placement.boxes.get('a')!.y + 80);
	assertApart(placement, all);
});

test('a chain too long for the view is broken into rows', () => {
	const ids = Array.from({ length: 9 }, (_, i) => `n${i}`);
	const chain = ids.slice(1).map((id, i) => `${ids[i]}>${id}`);
	const view = { width: 1000, height: 700 };
	const placement = layOut(boxes(...ids), links(...chain), { ...right, view });
	const rows = new Set(ids.map((id) => placement.boxes.get(id)!.y));
	const wide = Math.max(...ids.map((id) => placement.boxes.get(id)!.x + 200));
	assert.ok(rows.size > 1);
	assert.ok(wide < 1500, `${wide}`);
	assertApart(placement, boxes(...ids));
	const turns = chain.filter((key) => placement.routes.get(key)?.turn);
	assert.equal(turns.length, rows.size - 1);
	const { turn } = placement.routes.get(turns[0]!)!;
	const [from, to] = turns[0]!.split('>').map((id) => placement.boxes.get(id)!);
	assert.ok(turn!.between > from!.y + 80 && turn!.between < to!.y);
});

test('a chain that fits the view stays on one line', () => {
	const view = { width: 1600, height: 600 };
	const { boxes: at } = layOut(boxes('a', 'b', 'c'), links('a>b', 'b>c'), { ...right, view });
	assert.equal(at.get('a')!.y, at.get('c')!.y);
});

test('read downwards, layers lie below one another', () => {
	const all = boxes('a', 'b', 'c');
	const placement = layOut(all, links('a>b', 'a>c'), { ...right, direction: 'down' });
	assert.equal(placement.boxes.get('b')!.y, 180);
	assert.equal(placement.boxes.get('c')!.y, 180);
	assertApart(placement, all);
});

test('a layout without room for figures on its wires is stretched as a whole', () => {
	const all = boxes('a', 'b', 'c');
	all[0]!.at = [40, 40];
	all[1]!.at = [280, 40];
	all[2]!.at = [40, 100];
	const { boxes: at } = layOut(all, links('a>b'), right);
	assert.deepEqual(at.get('a'), { x: 40, y: 40 });
	assert.deepEqual(at.get('b'), { x: 340, y: 40 });
	assert.equal(at.get('c')!.x, 40);
	assert.ok(at.get('c')!.y >= 40 + 80 + 20);
});

test('what a person has placed stays there, and the others keep clear of it', () => {
	const all = boxes('a', 'b', 'c', 'd');
	all[0]!.at = [1000, 500];
	all[1]!.at = [1300, 500];
	const placement = layOut(all, links('a>b', 'b>c', 'b>d'), right);
	assert.deepEqual(placement.boxes.get('a'), { x: 1000, y: 500 });
	assert.deepEqual(placement.boxes.get('b'), { x: 1300, y: 500 });
	assert.ok(placement.boxes.get('c')!.x > 1300);
	assertApart(placement, all);
});

test('a wire back to another row that a person made turns between the rows', () => {
	const all = boxes('a', 'b');
	all[0]!.at = [600, 0];
	all[1]!.at = [0, 200];
	const { turn } = layOut(all, links('a>b'), right).routes.get('a>b')!;
	assert.ok(turn!.between > 80 && turn!.between < 200);
	assert.ok(turn!.right > 800 && turn!.left < 0);
});

test('a circle is drawn, not hung on', () => {
	const all = boxes('a', 'b', 'c');
	const placement = layOut(all, links('a>b', 'b>c', 'c>a'), right);
	assert.equal(placement.boxes.size, 3);
	assertApart(placement, all);
});

test('an empty graph is an empty picture', () => {
	assert.equal(layOut([], [], { ...right, view: { width: 800, height: 600 } }).boxes.size, 0);
});

test('200 nodes are laid out without covering one another', () => {
	const ids = Array.from({ length: 200 }, (_, i) => `n${i}`);
	const all = boxes(...ids);
	const ends = ids.flatMap((id, i) => (i ? [`n${Math.floor((i - 1) / 3)}>${id}`] : []));
	ends.push(...ids.slice(7, 90).map((id, i) => `${id}>n${i + 100}`));
	const placement = layOut(all, links(...ends), { ...right, view: { width: 1200, height: 600 } });
	assertApart(placement, all);
});

test('a line begins and ends at the ports, also around a turn', () => {
	const from = { x: 10, y: 20 };
	const to = { x: 300, y: 220 };
	const straight = { lane: [], after: [] };
	assert.match(curve(from, to, straight, 'right'), /^M10,20C.* 300,220$/);
	assert.deepEqual(labelPoint(from, to, straight), { x: 155, y: 120 });
	const turning = { lane: [], after: [], turn: { right: 500, between: 120, left: -30 } };
	assert.match(curve(from, to, turning, 'right'), /^M10,20H490.*H300$/);
	assert.deepEqual(labelPoint(from, to, turning), { x: 235, y: 120 });
});
