/* What virtual meters answer with: telegrams that real meters sent.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stddef.h>

enum { SIM_TELEGRAMS_MAX = 2 };

struct sim_model {
	const char *name;
	const char *source;                       /* where the telegrams are from */
	const char *telegrams[SIM_TELEGRAMS_MAX]; /* whole frames in hex */
	size_t count;
};

extern const struct sim_model sim_models[];
extern const size_t sim_model_count;

#endif
