/* The nodes of the family "store".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_NODES_H
#define STORE_NODES_H

#include <meterloom/node.h>

extern const struct ml_node_class store_class;
extern const struct ml_node_class store_query_class;

/* -EINVAL: the graph puts the node on another lane than the database's. */
int store_check_lane(const struct ml_node *node, struct ml_error *err);

#endif
