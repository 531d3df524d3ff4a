/* reaper [-s SIGNAL] CMD…   how long a crash holds a process up
 *
 * Runs CMD, waits for the first byte of its standard output ("ready"), sends it SIGNAL (default SIGSEGV) and
 * prints the seconds from there to waitpid's return. Static, so it can be a container's first process. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	int deadly = SIGSEGV, ends[2], status;
	for (int o; (o = getopt(argc, argv, "+s:")) != -1;) {
		if (o != 's') return 2;
		deadly = atoi(optarg);
	}
	if (optind == argc) { fputs("usage: reaper [-s SIGNAL] CMD…\n", stderr); return 2; }
	if (pipe(ends)) { perror("pipe"); return 2; }
	pid_t child = fork();
	if (!child) {
		dup2(ends[1], 1);
		close(ends[0]); close(ends[1]);
		execvp(argv[optind], argv + optind);
		perror(argv[optind]);
		_exit(127);
	}
	close(ends[1]);
	char byte;
	if (read(ends[0], &byte, 1) != 1) { fputs("reaper: the command ended before it was ready\n", stderr); return 1; }
	double start = now();
	kill(child, deadly);
	waitpid(child, &status, 0);
	printf("%.6f\n", now() - start);
	return WIFSIGNALED(status) && WCOREDUMP(status) ? 0 : 3;
}
