/* The example of docs/how-to/write-a-node.md: its family and its class.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef EXAMPLE_THROTTLE_H
#define EXAMPLE_THROTTLE_H

#include <meterloom/family.h>

extern const struct ml_node_class throttle_class;
extern const struct ml_family example_family;

#endif
