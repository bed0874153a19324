/* The files of the page, as they are built into the program.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The build makes a table of them from web-editor/ (web-editor/embed.mjs) and links it to the
 * program alone: the server is given the table it serves, or none, so that tests bring their own.
 */
#ifndef ML_HTTP_ASSETS_H
#define ML_HTTP_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct ml_asset {
	const char *path; /* "/index.html", "/assets/index-4fd1.js"; NULL ends the table */
	const char *type; /* "text/html; charset=utf-8" */
	const char *etag; /* with its quotes */
	bool immutable;   /* its name changes with its content: may be cached for a year */
	const unsigned char *bytes; /* gzip */
	size_t length;
};

/* Of web-editor/; in a program that is built without the page only the end of the table. Served at
 * "/" is "/index.html". */
extern const struct ml_asset ml_web_assets[];

#endif
