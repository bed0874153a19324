/* Virtual meters as a stream of the engine: "sim:20".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include <meterloom/stream.h>

extern const struct ml_stream_scheme sim_stream_schemes[];

#endif
