/* watch -P=… …   a core_pattern handler that runs the detector beside it and measures it
 *
 * Becomes the parent of <own folder>/coredump-detector, passes its arguments on and writes <own folder>/usage.json:
 *   firstReadS  from fork to the first byte taken out of the kernel's pipe, -1 when the core fits into the pipe
 *   maxRssKib, userS, sysS  of wait4(2);  anonymousKib  most memory of its own seen, all else
 *   is the executable's pages in the page cache (smaps_rollup, looked at every 10 ms once the first byte was read) */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static long anonymous_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = 0;
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	FILE *f = fopen(path, "r");
	if (!f) return 0;
	while (fgets(line, sizeof line, f) && sscanf(line, "Anonymous: %ld kB", &kib) != 1);
	fclose(f);
	return kib;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

int main(int argc, char **argv)
{
	char folder[4000], path[4096];
	ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
	if (length < 0 || argc < 2) return 2;
	folder[length] = 0;
	*strrchr(folder, '/') = 0;
	snprintf(path, sizeof path, "%s/coredump-detector", folder);

	double start = now(), first_read = -1;
	pid_t child = fork();
	if (!child) {
		argv[0] = path;
		execv(path, argv);
		_exit(127);
	}
	struct rusage usage;
	int status, most = 0, in_pipe, reading = 1;
	long most_anonymous = 0;
	double looked = 0;
	while (wait4(child, &status, WNOHANG, &usage) == 0) {
		/* The kernel fills the pipe and waits; what is taken out shows until it has room for another page. */
		if (reading && ioctl(0, FIONREAD, &in_pipe) == 0) {
			if (in_pipe < most) {
				first_read = now() - start;
				close(0); /* the crashed process is held for as long as anybody has it open */
				reading = 0;
			}
			most = in_pipe;
		}
		if (reading && now() - start > 1) close(0), reading = 0;
		if (!reading && now() - looked > 1e-2) {
			long kib = anonymous_kib(child);
			if (kib > most_anonymous) most_anonymous = kib;
			looked = now();
		}
		usleep(50);
	}
	snprintf(path, sizeof path, "%s/usage.json", folder);
	FILE *f = fopen(path, "w");
	fprintf(f, "{\"status\":%d,\"firstReadS\":%.6f,\"maxRssKib\":%ld,\"anonymousKib\":%ld,\"userS\":%.6f,\"sysS\":%.6f}\n",
		status, first_read, usage.ru_maxrss, most_anonymous, seconds(usage.ru_utime), seconds(usage.ru_stime));
	fclose(f);
	return 0;
}
