/* Rules of faults at many places.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/plan.h"

#include <stdlib.h>

#include "sim/meter.h"

enum { STEP = 16 /* places that are made at once */ };

/* The episodes of one rule, one a place where it may happen. */
struct chances {
	struct sim_episode *episodes; /* owned; made when first asked for */
	uint64_t *passed;             /* told at each; owned */
	size_t count;
	ml_time begin; /* from when on its times count */
};

struct sim_plan {
	uint64_t seed;
	struct sim_faults faults;
	struct chances chances[SIM_RULES_MAX];
	uint64_t kinds; /* 1 << fault, of all rules */
	uint64_t draws;
};

struct sim_plan *sim_plan_new(const struct sim_faults *faults, uint64_t seed, ml_time begin)
{
	struct sim_plan *plan = calloc(1, sizeof *plan);
	if (!plan)
		return NULL;
	plan->seed = seed;
	plan->faults = *faults;
	for (size_t i = 0; i < faults->count; i++) {
		plan->chances[i].begin = begin;
		plan->kinds |= UINT64_C(1) << faults->rules[i].fault;
	}
	return plan;
}

void sim_plan_free(struct sim_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < SIM_RULES_MAX; i++) {
		free(plan->chances[i].episodes);
		free(plan->chances[i].passed);
	}
	free(plan);
}

int sim_plan_add(
	struct sim_plan *plan, const struct sim_rule *rule, ml_time now, struct ml_error *err)
{
	const size_t index = plan->faults.count;
	const int result = sim_faults_add(&plan->faults, rule, err);
	if (result == 0) {
		plan->chances[index].begin = now;
		plan->kinds |= UINT64_C(1) << rule->fault;
		/* An earlier rule may have been there before all was healed. */
		for (size_t i = 0; i < plan->chances[index].count; i++) {
			sim_episode_init(&plan->chances[index].episodes[i], plan->seed, index, i);
			plan->chances[index].passed[i] = 0;
		}
	}
	return result;
}

void sim_plan_heal(struct sim_plan *plan)
{
	plan->faults.count = 0;
	plan->kinds = 0;
}

const struct sim_faults *sim_plan_faults(const struct sim_plan *plan)
{
	return &plan->faults;
}

uint64_t sim_plan_kinds(const struct sim_plan *plan)
{
	return plan->kinds;
}

uint64_t sim_plan_draw(struct sim_plan *plan)
{
	return sim_hash(plan->seed, ++plan->draws);
}

/* The episode of a rule at a place; NULL: out of memory, nothing happens. */
static struct sim_episode *episode_of(struct sim_plan *plan, size_t rule, size_t place)
{
	struct chances *chances = &plan->chances[rule];
	if (place >= chances->count) {
		const size_t count = place / STEP * STEP + STEP;
		struct sim_episode *episodes = realloc(chances->episodes, count * sizeof *episodes);
		if (episodes)
			chances->episodes = episodes;
		uint64_t *passed = realloc(chances->passed, count * sizeof *passed);
		if (passed)
			chances->passed = passed;
		if (!episodes || !passed)
			return NULL;
		for (size_t i = chances->count; i < count; i++) {
			sim_episode_init(&episodes[i], plan->seed, rule, i);
			passed[i] = 0;
		}
		chances->count = count;
	}
	return &chances->episodes[place];
}

/* The episode of rule `index` where it is about this fault and place; NULL: it is not. */
static struct sim_episode *episode_at(
	struct sim_plan *plan, size_t index, enum sim_fault fault, size_t place)
{
	const struct sim_rule *rule = &plan->faults.rules[index];
	if (rule->fault != (int)fault || (rule->which != 0 && (size_t)rule->which != place + 1))
		return NULL;
	if (rule->count > 0 &&
		(place < (size_t)rule->first || place >= (size_t)(rule->first + rule->count)))
		return NULL;
	return episode_of(plan, index, place);
}

static bool holds(struct sim_plan *plan, size_t index, struct sim_episode *episode, ml_time now)
{
	return sim_episode_holds(
		episode, &plan->faults.rules[index], now - plan->chances[index].begin);
}

static bool is_there(const struct sim_plan *plan, enum sim_fault fault)
{
	return plan->kinds >> fault & 1;
}

const struct sim_rule *sim_plan_hit(
	struct sim_plan *plan, enum sim_fault fault, size_t place, ml_time now)
{
	for (size_t i = 0; is_there(plan, fault) && i < plan->faults.count; i++) {
		const struct sim_rule *rule = &plan->faults.rules[i];
		struct sim_episode *episode = episode_at(plan, i, fault, place);
		if (episode && holds(plan, i, episode, now) &&
			(rule->share >= 100 || rule->share == 0 ||
				sim_plan_draw(plan) % 100 < (uint64_t)rule->share))
			return rule;
	}
	return NULL;
}

const struct sim_rule *sim_plan_holds(
	struct sim_plan *plan, enum sim_fault fault, size_t place, ml_time now, ml_time *change)
{
	const struct sim_rule *found = NULL;
	ml_time next = ML_NEVER;
	for (size_t i = 0; is_there(plan, fault) && i < plan->faults.count; i++) {
		const ml_time begin = plan->chances[i].begin;
		struct sim_episode *episode = episode_at(plan, i, fault, place);
		if (!episode)
			continue;
		if (holds(plan, i, episode, now) && !found)
			found = &plan->faults.rules[i];
		const ml_time here = sim_episode_change(episode, now - begin);
		if (here < ML_NEVER - begin && here + begin < next)
			next = here + begin;
	}
	if (change)
		*change = next;
	return found;
}

unsigned sim_plan_passed(struct sim_plan *plan, enum sim_fault fault, size_t place, ml_time now)
{
	unsigned passed = 0;
	for (size_t i = 0; is_there(plan, fault) && i < plan->faults.count; i++) {
		struct sim_episode *episode = episode_at(plan, i, fault, place);
		if (!episode)
			continue;
		(void)holds(plan, i, episode, now);
		passed += (unsigned)(episode->number - 1 - plan->chances[i].passed[place]);
		plan->chances[i].passed[place] = episode->number - 1;
	}
	return passed;
}

uint64_t sim_plan_count(const struct sim_plan *plan, enum sim_fault fault, ml_time now)
{
	uint64_t count = 0;
	for (size_t i = 0; i < plan->faults.count; i++) {
		const struct chances *chances = &plan->chances[i];
		for (size_t p = 0; plan->faults.rules[i].fault == (int)fault && p < chances->count;
			p++) {
			const struct sim_episode *e = &chances->episodes[p];
			count += e->number > 0 ? e->number - 1 + (e->begin <= now - chances->begin)
					       : 0;
		}
	}
	return count;
}

ml_time sim_plan_clock_error(struct sim_plan *plan, ml_time now)
{
	ml_time sum = 0;
	for (size_t i = 0; i < plan->faults.count; i++) {
		const struct sim_rule *rule = &plan->faults.rules[i];
		struct sim_episode *episode = episode_at(plan, i, SIM_CLOCK_JUMP, 0);
		if (!episode)
			continue;
		const bool now_holds = holds(plan, i, episode, now);
		/* Without a length it stays wrong. */
		if (rule->lasts == 0)
			sum += (ml_time)(episode->number - 1) * rule->by;
		else if (now_holds)
			sum += rule->by;
	}
	return sum;
}
