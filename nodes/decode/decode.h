/* The node `decode`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DECODE_DECODE_H
#define DECODE_DECODE_H

#include <meterloom/node.h>

extern const struct ml_node_class decode_class;

#endif
