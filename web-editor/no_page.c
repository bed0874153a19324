/* A program without the page: the end of the table alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/assets.h"

const struct ml_asset ml_web_assets[] = {{0}};
