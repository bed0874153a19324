/* The schemes that the engine brings along.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_RUN_STREAM_SCHEMES_H
#define ML_RUN_STREAM_SCHEMES_H

#include <meterloom/stream.h>

extern const struct ml_stream_scheme ml_stream_serial;
extern const struct ml_stream_scheme ml_stream_tcp;

#endif
