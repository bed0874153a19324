/* The engine's own family: what every engine has without any other.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_RUN_BUILTIN_H
#define ML_RUN_BUILTIN_H

#include <meterloom/family.h>

extern const struct ml_family ml_builtin_family;

#endif
