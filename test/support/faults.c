/* A library to preload into the handler: its disk fails, or it is killed, at a named step.
 *
 * A step is a call that changes something below $FAULT_DIR. Steps are counted over all threads, from 1 on. Each is a line
 * in $FAULT_LOG: "NAME FILE".
 *   FAULT=NAME:FROM:KILL    the step is not done; SIGKILL instead
 *   FAULT=NAME:FROM:ERRNO   it, and all further ones, fail with that number
 * NAME is a call's, or "any"; FROM counts the steps of that name. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char dir[256], name[32];
static int from, error, log_fd = -1;
static atomic_int count;

__attribute__((constructor)) static void begin(void)
{
	const char *fault = getenv("FAULT"), *where = getenv("FAULT_DIR"), *to = getenv("FAULT_LOG");
	char what[16];
	snprintf(dir, sizeof dir, "%s", where ? where : "/nowhere");
	if (fault && sscanf(fault, "%31[^:]:%d:%15s", name, &from, what) == 3) error = atoi(what);
	if (to) log_fd = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* @returns whether the step must fail; errno is set then */
static int fails(const char *call, const char *path)
{
	size_t length = strlen(dir);
	if (strncmp(path, dir, length) || (path[length] != '/' && path[length])) return 0;
	if (log_fd >= 0) dprintf(log_fd, "%s %s\n", call, path + length);
	if (!from || (strcmp(name, "any") && strcmp(name, call)) || ++count < from) return 0;
	if (!error) kill(getpid(), SIGKILL);
	errno = error;
	return 1;
}

static int fd_fails(const char *call, int fd)
{
	char link[64], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length < 0) return 0;
	path[length] = 0;
	return fails(call, path);
}

#define REAL(call) ((__typeof__(&call))dlsym(RTLD_NEXT, #call))
#define ON_PATH(call, parameters, path, ...) \
	int call parameters { return fails(#call, path) ? -1 : REAL(call)(__VA_ARGS__); }
#define ON_FD(type, call, parameters, fd, ...) \
	type call parameters { return fd_fails(#call, fd) ? -1 : REAL(call)(__VA_ARGS__); }

ON_PATH(mkdir, (const char *path, mode_t mode), path, path, mode)
ON_PATH(rename, (const char *old, const char *new), new, old, new)
ON_PATH(remove, (const char *path), path, path)
ON_PATH(unlink, (const char *path), path, path)
ON_PATH(rmdir, (const char *path), path, path)
ON_FD(int, fsync, (int fd), fd, fd)
ON_FD(int, ftruncate64, (int fd, off64_t length), fd, fd, length)
ON_FD(ssize_t, write, (int fd, const void *bytes, size_t length), fd, fd, bytes, length)
ON_FD(ssize_t, pwrite64, (int fd, const void *bytes, size_t length, off64_t at), fd, fd, bytes, length, at)

static int opened(const char *call, int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode)
{
	return flags & O_CREAT && fails(call, path) ? -1 : real(path, flags, mode);
}
#define OPEN(call) int call(const char *path, int flags, ...) \
{ \
	va_list rest; \
	va_start(rest, flags); \
	mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
	va_end(rest); \
	return opened("open", REAL(call), path, flags, mode); \
}
OPEN(open)
OPEN(open64)
