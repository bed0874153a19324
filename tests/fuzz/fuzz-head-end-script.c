/* Scripts of the head-end and options of a simulated bus: what is taken can be followed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/head_end_private.h"
#include "sim/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct head_end_script script;
	struct sim_options options = SIM_OPTIONS_NONE;
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (head_end_script_parse(text, &script, NULL) == 0) {
		for (int i = 0; i < 50; i++) {
			const struct head_end_step step = head_end_script_next(&script);
			if (step.status != HEAD_END_CLOSED &&
				(step.status < 200 || step.status > 599))
				abort();
		}
		head_end_script_free(&script);
	}
	if (sim_options_parse(text, &options, NULL) == 0 &&
		(options.meters == 0 || options.meters > SIM_METERS_MAX || options.baud < 300))
		abort();
	free(text);
	return 0;
}
