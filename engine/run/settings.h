/* How a node's parameters inherit settings.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_RUN_SETTINGS_H
#define ML_RUN_SETTINGS_H

#include <jansson.h>

/* A ml_param_inherit_fn; `user` is the engine. */
const json_t *ml_engine_inherit(void *user, const char *setting);

#endif
