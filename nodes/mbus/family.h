/* The family "mbus": wired meters.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_FAMILY_H
#define MBUS_FAMILY_H

#include <meterloom/family.h>

extern const struct ml_family mbus_family;
extern const struct ml_node_class mbus_source_class;

#endif
