/* Files of faults: what is taken has a meaning, and its times can be told.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>

#include "sim/fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void live(const struct sim_rule *rule)
{
	struct sim_episode episode;
	ml_time now = 0;
	sim_episode_init(&episode, 1, 0, 0);
	for (int i = 0; i < 20 && now < 400 * ML_DAY; i++) {
		(void)sim_episode_holds(&episode, rule, now);
		const ml_time change = sim_episode_change(&episode, now);
		if (change <= now)
			abort();
		now = change;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sim_faults faults;
	struct ml_errors errors = {0};
	const int result = sim_faults_parse((const char *)data, size, &faults, &errors);
	if ((result < 0) != (errors.count > 0))
		abort();
	for (size_t i = 0; result == 0 && i < faults.count; i++) {
		if (faults.rules[i].fault < 0 || faults.rules[i].fault >= SIM_FAULTS ||
			faults.rules[i].lasts < 0 || faults.rules[i].every < 0)
			abort();
		live(&faults.rules[i]);
	}
	ml_errors_free(&errors);
	return 0;
}
