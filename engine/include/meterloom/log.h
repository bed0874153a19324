/* The log: levels, sinks, and flood control.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_LOG_H
#define METERLOOM_LOG_H

enum ml_log_level { ML_LOG_DEBUG, ML_LOG_INFO, ML_LOG_WARNING, ML_LOG_ERROR };

struct ml_log;

#endif
