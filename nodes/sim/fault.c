/* When faults begin and end, by a seed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/fault.h"

#include "sim/meter.h"

static const struct sim_fault_info infos[SIM_FAULTS] = {
	[SIM_METER_SILENT] = {"meter-silent", SIM_OF_METER, "a meter does not answer", NULL, 0,
		false},
	[SIM_METER_SLOW] = {"meter-slow", SIM_OF_METER,
		"its answers come later, by half to one and a half of `by`", "how late", ML_SEC,
		false},
	[SIM_METER_CORRUPT] = {"meter-corrupt", SIM_OF_METER, "a bit of its answer is turned", NULL,
		0, false},
	[SIM_METER_CHECKSUM] = {"meter-checksum", SIM_OF_METER,
		"its telegrams have a wrong checksum", NULL, 0, false},
	[SIM_METER_CUT] = {"meter-cut", SIM_OF_METER, "its answers break off somewhere", NULL, 0,
		false},
	[SIM_METER_ENDLESS] = {"meter-endless", SIM_OF_METER,
		"once asked, it goes on sending for `by`", "how long", ML_MINUTE, false},
	[SIM_METER_BABBLING] = {"meter-babbling", SIM_OF_METER,
		"it sends telegrams and garbage out of turn, `by` apart in the mean", "how often",
		10 * ML_SEC, false},
	[SIM_METER_COLLIDING] = {"meter-colliding", SIM_OF_METER,
		"it answers also when another meter is asked or selected", NULL, 0, false},
	[SIM_METER_STUCK] = {"meter-stuck", SIM_OF_METER,
		"it sends the telegram before once more, whatever it is asked for", NULL, 0, false},
	[SIM_METER_NO_NKE] = {"meter-no-nke", SIM_OF_METER, "it does not know SND_NKE", NULL, 0,
		false},
	[SIM_METER_NO_FCB] = {"meter-no-fcb", SIM_OF_METER,
		"it ignores the frame count bit: each request is a new one", NULL, 0, false},
	[SIM_METER_SWAPPED] = {"meter-swapped", SIM_OF_METER,
		"another meter of its kind, with another number, is in its place", NULL, 0, false},
	[SIM_METER_RESET] = {"meter-reset", SIM_OF_METER, "its counters begin again at 0", NULL, 0,
		true},
	[SIM_LINE_BROKEN] = {"line-broken", SIM_OF_LINE,
		"the interface fails, and cannot be opened until it ends", NULL, 0, false},
	[SIM_LINE_CUT] = {"line-cut", SIM_OF_LINE,
		"the cable is cut: nothing goes through, and the interface knows nothing of it",
		NULL, 0, false},
	[SIM_LINE_SHORT] = {"line-short", SIM_OF_LINE,
		"a short circuit: nothing goes through, and a converter that can tell it does",
		NULL, 0, false},
	[SIM_LINE_NOISE] = {"line-noise", SIM_OF_LINE,
		"bytes that nobody sent come before an answer", NULL, 0, false},
	[SIM_LINE_ADDED_BYTE] = {"line-added-byte", SIM_OF_LINE,
		"the converter adds a byte (00 or FF) in front of an answer or behind it", NULL, 0,
		false},
	[SIM_LINE_DROPPED_BYTES] = {"line-dropped-bytes", SIM_OF_LINE,
		"the converter loses one to four bytes of an answer", NULL, 0, false},
	[SIM_LINE_ECHO] = {"line-echo", SIM_OF_LINE, "the master hears what it sends", NULL, 0,
		false},
	[SIM_HEAD_END_DOWN] = {"head-end-down", SIM_OF_HEAD_END, "connections are refused", NULL, 0,
		false},
	[SIM_HEAD_END_SILENT] = {"head-end-silent", SIM_OF_HEAD_END,
		"it takes the report, and neither keeps it nor answers", NULL, 0, false},
	[SIM_HEAD_END_SLOW] = {"head-end-slow", SIM_OF_HEAD_END,
		"its answers come later, by half to one and a half of `by`", "how late", 0, false},
	[SIM_HEAD_END_ERROR] = {"head-end-error", SIM_OF_HEAD_END, "HTTP 500", NULL, 0, false},
	[SIM_HEAD_END_BUSY] = {"head-end-busy", SIM_OF_HEAD_END, "HTTP 503 with `Retry-After: by`",
		"what Retry-After says", 0, false},
	[SIM_HEAD_END_REFUSING] = {"head-end-refusing", SIM_OF_HEAD_END,
		"HTTP 400: the gateway then waits for a person, who calls `report.rebuild` after "
		"20 "
		"minutes",
		NULL, 0, false},
	[SIM_HEAD_END_LOSES_ANSWER] = {"head-end-loses-answer", SIM_OF_HEAD_END,
		"it keeps the report, and the connection is closed before the answer", NULL, 0,
		false},
	[SIM_CLOCK_JUMP] = {"clock-jump", SIM_OF_GATEWAY,
		"the gateway's clock jumps by `by`, which may be negative, and back after `lasts`; "
		"without `lasts` it stays wrong",
		"how far", 0, true},
	[SIM_RESTART] = {"restart", SIM_OF_GATEWAY, "the gateway ends and starts again", NULL, 0,
		true},
};

const struct sim_fault_info *sim_fault_info(enum sim_fault fault)
{
	return &infos[fault];
}

const char *sim_fault_name(enum sim_fault fault)
{
	return infos[fault].name;
}

void sim_faults_default(struct sim_faults *faults)
{
	static const struct sim_rule rules[] = {
		{.fault = SIM_METER_SILENT, .every = 4 * ML_DAY, .lasts = 30 * ML_MINUTE},
		{.fault = SIM_METER_SLOW,
			.every = 4 * ML_DAY,
			.lasts = 20 * ML_MINUTE,
			.by = ML_SEC,
			.share = 50},
		{.fault = SIM_METER_CORRUPT,
			.every = 3 * ML_DAY,
			.lasts = 20 * ML_MINUTE,
			.share = 60},
		{.fault = SIM_METER_RESET, .every = 60 * ML_DAY},
		{.fault = SIM_LINE_BROKEN, .every = 2 * ML_DAY, .lasts = 15 * ML_MINUTE},
		{.fault = SIM_LINE_NOISE, .every = ML_DAY, .lasts = 30 * ML_MINUTE, .share = 10},
		{.fault = SIM_HEAD_END_DOWN, .every = 2 * ML_DAY, .lasts = 2 * ML_HOUR},
		{.fault = SIM_HEAD_END_SILENT, .every = 3 * ML_DAY, .lasts = 20 * ML_MINUTE},
		{.fault = SIM_HEAD_END_SLOW,
			.every = ML_DAY,
			.lasts = ML_HOUR,
			.by = 20 * ML_SEC,
			.share = 100},
		{.fault = SIM_HEAD_END_ERROR,
			.every = ML_DAY,
			.lasts = 30 * ML_MINUTE,
			.share = 70},
		{.fault = SIM_HEAD_END_BUSY,
			.every = ML_DAY,
			.lasts = 30 * ML_MINUTE,
			.by = 30 * ML_SEC,
			.share = 70},
		{.fault = SIM_HEAD_END_LOSES_ANSWER,
			.every = ML_DAY,
			.lasts = 30 * ML_MINUTE,
			.share = 50},
		{.fault = SIM_RESTART, .every = 3 * ML_DAY},
	};
	faults->count = sizeof rules / sizeof *rules;
	for (size_t i = 0; i < faults->count; i++)
		faults->rules[i] = rules[i];
}

void sim_episode_init(struct sim_episode *episode, uint64_t seed, size_t rule, uint64_t place)
{
	*episode = (struct sim_episode){.seed = sim_hash(sim_hash(seed, rule), place)};
}

/* A time from 0 to twice the mean. */
static ml_time draw(uint64_t seed, uint64_t number, ml_time mean)
{
	return mean > 0 ? (ml_time)(sim_hash(seed, number) % (2 * (uint64_t)mean)) : 0;
}

static void next(struct sim_episode *episode, const struct sim_rule *rule)
{
	const uint64_t number = ++episode->number;
	if (rule->every == 0) {
		episode->begin = number == 1 ? rule->at : ML_NEVER;
		episode->end = number == 1 && rule->lasts < ML_NEVER - rule->at
				       ? rule->at + rule->lasts
				       : ML_NEVER;
		return;
	}
	/* Between half and one and a half of what it lasts in the mean. */
	episode->begin = episode->end + 1 + draw(episode->seed, 2 * number, rule->every);
	episode->end = episode->begin + rule->lasts / 2 +
		       draw(episode->seed, 2 * number + 1, rule->lasts / 2);
}

bool sim_episode_holds(struct sim_episode *episode, const struct sim_rule *rule, ml_time now)
{
	if (episode->number == 0)
		next(episode, rule);
	while (episode->end <= now && episode->begin != ML_NEVER)
		next(episode, rule);
	return episode->begin <= now;
}

ml_time sim_episode_change(const struct sim_episode *episode, ml_time now)
{
	return episode->begin > now ? episode->begin : episode->end;
}
