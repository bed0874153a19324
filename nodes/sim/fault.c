/* When faults begin and end, by a seed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/fault.h"

#include "sim/meter.h"

static const char *const names[SIM_FAULTS] = {
	[SIM_METER_SILENT] = "meter-silent",
	[SIM_METER_SLOW] = "meter-slow",
	[SIM_METER_CORRUPT] = "meter-corrupt",
	[SIM_METER_RESET] = "meter-reset",
	[SIM_LINE_BROKEN] = "line-broken",
	[SIM_LINE_NOISE] = "line-noise",
	[SIM_HEAD_END_DOWN] = "head-end-down",
	[SIM_HEAD_END_SILENT] = "head-end-silent",
	[SIM_HEAD_END_SLOW] = "head-end-slow",
	[SIM_HEAD_END_ERROR] = "head-end-error",
	[SIM_HEAD_END_BUSY] = "head-end-busy",
	[SIM_HEAD_END_REFUSING] = "head-end-refusing",
	[SIM_HEAD_END_LOSES_ANSWER] = "head-end-loses-answer",
	[SIM_CLOCK_JUMP] = "clock-jump",
	[SIM_RESTART] = "restart",
};

const char *sim_fault_name(enum sim_fault fault)
{
	return names[fault];
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
		episode->end = number == 1 ? rule->at + rule->lasts : ML_NEVER;
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
