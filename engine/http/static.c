/* The files of the page, compressed as they are in the program.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "http/server.h"

static const char no_page[] =
	"Meterloom runs here, but this program was built without its page.\n"
	"\n"
	"To build it, install Node.js 18 or newer with npm and say `make` again.\n"
	"The gateway is driven by commands all the same: see `meterloom call` and\n"
	"/api/v1/openapi.json.\n";

static const struct ml_asset *find(const struct ml_http *http, const char *path)
{
	const char *wanted = strcmp(path, "/") == 0 ? "/index.html" : path;
	const struct ml_asset *asset = http->assets;
	while (asset && asset->path && strcmp(asset->path, wanted) != 0)
		asset++;
	return asset && asset->path ? asset : NULL;
}

void http_static(struct http_request *request)
{
	const struct ml_asset *asset = find(request->http, request->path);
	if (!asset && strcmp(request->path, "/") == 0) {
		http_reply_text(request, 200, "text/plain; charset=utf-8", no_page);
		return;
	}
	if (!asset) {
		http_reply_problem(request, 404,
			"there is nothing at %s; /api/v1/openapi.json tells what "
			"there is",
			request->path);
		return;
	}
	http_reply_header(request, "Cache-Control", "%s",
		asset->immutable ? "public, max-age=31536000, immutable" : "no-cache");
	http_reply_header(request, "ETag", "%s", asset->etag);
	if (strncmp(asset->type, "text/html", 9) == 0)
		http_reply_header(request, "Content-Security-Policy",
			"default-src 'self'; base-uri 'none'; frame-ancestors 'none'");
	const char *known = http_header(request, "If-None-Match");
	if (known && strstr(known, asset->etag)) {
		http_reply_empty(request, 304);
		return;
	}
	http_reply_header(request, "Content-Encoding", "gzip");
	request->answered = true;
	request->status = 200;
	request->type = asset->type;
	request->fixed = asset->bytes;
	request->fixed_length = asset->length;
}
