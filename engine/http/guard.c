/* Who may ask: loopback addresses, and requests that no web page elsewhere can have made.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <meterloom/json.h>

enum { HOST_MAX = 64 };

/* Splits "HOST:PORT", "[HOST]:PORT" or "HOST" into its parts; brackets are taken off. */
static bool split(const char *text, char host[HOST_MAX], bool *bracketed, const char **ret_port)
{
	const bool bracket = *text == '[';
	const char *begin = text + bracket;
	const char *end = strchr(begin, bracket ? ']' : ':');
	if (bracket && !end)
		return false;
	const size_t length = end ? (size_t)(end - begin) : strlen(begin);
	if (length == 0 || length >= HOST_MAX)
		return false;
	memcpy(host, begin, length);
	host[length] = '\0';
	const char *rest = begin + length + bracket;
	if (*rest != ':' && *rest != '\0')
		return false;
	*bracketed = bracket;
	*ret_port = *rest == ':' ? rest + 1 : NULL;
	return true;
}

static bool read_port(const char *text, in_port_t *port)
{
	const size_t length = text ? strlen(text) : 0;
	if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
		return false;
	const long value = strtol(text, NULL, 10);
	*port = htons((uint16_t)value);
	return value <= 65535;
}

static bool is_loopback4(const struct in_addr *address)
{
	return ntohl(address->s_addr) >> 24 == 127;
}

int http_listen_parse(
	const char *listen, struct sockaddr_storage *address, socklen_t *size, struct ml_error *err)
{
	char host[HOST_MAX];
	const char *port_text = NULL;
	bool bracketed = false;
	in_port_t port = 0;
	memset(address, 0, sizeof *address);
	struct sockaddr_in *four = (struct sockaddr_in *)address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
	if (!split(listen, host, &bracketed, &port_text) || !read_port(port_text, &port))
		goto wrong;
	bool loopback = false;
	if (bracketed) {
		if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1)
			goto wrong;
		six->sin6_family = AF_INET6;
		six->sin6_port = port;
		*size = sizeof *six;
		loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
	} else {
		const char *number = strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host;
		if (inet_pton(AF_INET, number, &four->sin_addr) != 1)
			goto wrong;
		four->sin_family = AF_INET;
		four->sin_port = port;
		*size = sizeof *four;
		loopback = is_loopback4(&four->sin_addr);
	}
	if (loopback)
		return 0;
	return ml_error_set(err, -EPERM,
		"%s can be reached from other machines, and this version has neither users nor "
		"TLS: it "
		"listens on 127.0.0.1, [::1] or localhost only (from elsewhere use a tunnel, such "
		"as "
		"ssh -L)",
		listen);
wrong:
	return ml_error_set(err, -EINVAL,
		"'%s' is not an address to listen on: expected ADDRESS:PORT, such as "
		"127.0.0.1:8080 or "
		"[::1]:8080",
		listen);
}

bool http_host_is_loopback(const char *host)
{
	char name[HOST_MAX];
	const char *port_text = NULL;
	bool bracketed = false;
	in_port_t port = 0;
	if (!host || !split(host, name, &bracketed, &port_text) ||
		(port_text && !read_port(port_text, &port)))
		return false;
	struct in6_addr six;
	struct in_addr four;
	if (bracketed)
		return inet_pton(AF_INET6, name, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
	if (strcasecmp(name, "localhost") == 0)
		return true;
	return inet_pton(AF_INET, name, &four) == 1 && is_loopback4(&four);
}

bool http_origin_is_ours(const char *origin, const char *host)
{
	static const char scheme[] = "http://";
	return host && strncasecmp(origin, scheme, strlen(scheme)) == 0 &&
	       strcasecmp(origin + strlen(scheme), host) == 0;
}

bool http_unescape(const char *text, size_t length, char *out)
{
	size_t used = 0;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		if (c == '%') {
			const int high = i + 2 < length ? ml_hex_value(text[i + 1]) : -1;
			const int low = high >= 0 ? ml_hex_value(text[i + 2]) : -1;
			if (low < 0 || (high == 0 && low == 0))
				return false;
			c = (char)(unsigned char)(high * 16 + low);
			i += 2;
		}
		if (out)
			out[used++] = c;
	}
	if (out)
		out[used] = '\0';
	return true;
}

bool http_type_is_json(const char *type)
{
	static const char json[] = "application/json";
	if (!type || strncasecmp(type, json, strlen(json)) != 0)
		return false;
	const char *rest = type + strlen(json);
	rest += strspn(rest, " \t");
	if (*rest == '\0')
		return true;
	if (*rest != ';')
		return false;
	const char *charset = strcasestr(rest, "charset=");
	if (!charset)
		return true;
	charset += strlen("charset=");
	charset += *charset == '"';
	return strncasecmp(charset, "utf-8", 5) == 0;
}
